/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: level and component, one line a message, values as `key value`. Nothing on the data path logs; it counts.
 * A library prints nothing by itself: until a sink is set, messages go nowhere.
 */
#ifndef WEFT_LOG_H
#define WEFT_LOG_H

#include <weft/api.h>

WEFT_BEGIN_DECLS

enum weft_log_level { WEFT_LOG_ERROR, WEFT_LOG_WARN, WEFT_LOG_INFO, WEFT_LOG_DEBUG };

/*
 * Receives a finished line without newline; borrows its arguments. Called from any thread, also from several at
 * once; must not call weft.
 */
typedef void weft_log_sink_fn(enum weft_log_level level, const char *component, const char *line, void *user);

/*
 * Sets the process's sink (NULL: silence) and the most verbose level that reaches it. Keeps user. Thread: init,
 * before the first node is opened.
 */
WEFT_API void weft_log_set_sink(weft_log_sink_fn *sink, enum weft_log_level max_level, void *user);

/* A ready sink: "2026-11-24T10:47:56.123456Z level component line" on standard error, one write a line. Thread: any. */
WEFT_API weft_log_sink_fn weft_log_to_stderr;

/* Parses "error", "warn", "info", "debug". 0 or -WEFT_EINVAL. Thread: any. */
WEFT_API int weft_log_level_parse(const char *text, enum weft_log_level *out);

/* Whether a message of this level would reach the sink: guards costly arguments. Thread: any. */
WEFT_API bool weft_log_enabled(enum weft_log_level level);

/* Formats and hands on one message; copies nothing beyond the call. Cold paths only. Thread: any. */
WEFT_API void weft_log(enum weft_log_level level, const char *component, const char *format, ...) WEFT_PRINTF(3, 4);

WEFT_END_DECLS

#endif

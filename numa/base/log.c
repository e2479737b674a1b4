/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Formats log messages and hands them to the one sink.
 */
#include <weft/errors.h>
#include <weft/log.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = {"error", "warn", "info", "debug"};

/* Set before the first node opens, only read after: not atomic. */
static weft_log_sink_fn *current_sink;
static enum weft_log_level current_level;
static void *current_user;

void weft_log_set_sink(weft_log_sink_fn *sink, enum weft_log_level max_level, void *user)
{
	current_sink = sink;
	current_level = max_level;
	current_user = user;
}

int weft_log_level_parse(const char *text, enum weft_log_level *out)
{
	for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++)
		if (strcmp(text, level_names[i]) == 0) {
			*out = (enum weft_log_level)i;
			return 0;
		}
	return weft_set_error(WEFT_EINVAL, "log level \"%s\" is none of error, warn, info, debug", text);
}

bool weft_log_enabled(enum weft_log_level level)
{
	return current_sink && level <= current_level;
}

void weft_log(enum weft_log_level level, const char *component, const char *format, ...)
{
	char line[1024];
	va_list args;

	if (!weft_log_enabled(level))
		return;
	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	current_sink(level, component, line, current_user);
}

void weft_log_to_stderr(enum weft_log_level level, const char *component, const char *line, void *user)
{
	char text[1200];
	struct timespec now;
	struct tm utc;
	size_t len;

	(void)user;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	len = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
	len += (size_t)snprintf(text + len, sizeof text - len, ".%06ldZ %s %s %s\n", now.tv_nsec / 1000,
				level_names[level], component, line);
	if (len >= sizeof text) { /* cut */
		len = sizeof text;
		text[len - 1] = '\n';
	}
	if (write(STDERR_FILENO, text, len) < 0)
		return; /* nowhere left to say it */
}

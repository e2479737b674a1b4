/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clocks. Time is nanoseconds since an unspecified start, monotonic, in uint64_t. Deadlines are absolute values of
 * the same clock; WEFT_NEVER means none.
 *
 * The real clock reads the timestamp counter where it is invariant, with a rate measured here against
 * CLOCK_MONOTONIC (rates that firmware and other libraries report are off by up to 0.15 %, which is 1.5 ms each
 * second), else clock_gettime. A virtual clock moves only when it is told to: simulations and tests run on it.
 */
#ifndef WEFT_CLOCK_H
#define WEFT_CLOCK_H

#include <weft/api.h>

WEFT_BEGIN_DECLS

#define WEFT_NEVER UINT64_MAX

struct weft_clock;

/*
 * The process's real clock; calibrated at the first call (about 2 ms), refined against CLOCK_MONOTONIC as time
 * passes without ever stepping back. Borrowed for ever. Thread: any.
 */
WEFT_API struct weft_clock *weft_clock_real(void);

/* A virtual clock at start_ns. Gives; 0 or -WEFT_ENOMEM. Thread: any. */
WEFT_API int weft_clock_virtual_open(uint64_t start_ns, struct weft_clock **out);
/* Ends a virtual clock and sets *clock to NULL. Thread: owner. */
WEFT_API void weft_clock_virtual_close(struct weft_clock **clock);
/* Moves a virtual clock to now_ns; moving back is a programmer error. Thread: owner. */
WEFT_API void weft_clock_virtual_set(struct weft_clock *clock, uint64_t now_ns);
/* Whether the clock is a virtual one (waits on it must not sleep). Thread: any. */
WEFT_API bool weft_clock_is_virtual(const struct weft_clock *clock);

/* Nanoseconds now. About 10 ns on the counter, 25 ns on the fall-back. Thread: any. */
WEFT_API uint64_t weft_clock_now(const struct weft_clock *clock);

/*
 * Raw ticks for spans too short for the conversion: the counter, or nanoseconds on the fall-back. Not ordered
 * against the instructions around it. Thread: any.
 */
WEFT_API uint64_t weft_clock_ticks(void);
/* Nanoseconds that a span of raw ticks took, by the measured rate. Thread: any. */
WEFT_API double weft_clock_ticks_to_ns(uint64_t ticks);

struct weft_clock_info {
	const char *source;      /* "tsc" or "clock_gettime" */
	const char *reason;      /* why the counter is not used, or "" */
	double ticks_per_second; /* measured */
	double resolution_ns;    /* smallest step seen */
	double read_ns;          /* what one weft_clock_now costs, measured */
};
/* What the real clock is, for `weft info`. Thread: any. */
WEFT_API void weft_clock_describe(struct weft_clock_info *out);

WEFT_END_DECLS

#endif

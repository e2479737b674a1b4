/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How round trips are timed, here and in `weft perf`, so that both pay the same: one reading of the counter an
 * iteration, the end of one round trip being the start of the next, stored raw into memory that was touched before.
 * Conversion and histogram come afterwards.
 */
#ifndef FLOOR_TIMING_H
#define FLOOR_TIMING_H

#include <weft/clock.h>
#include <weft/histogram.h>

#include <stdint.h>

struct floor_timing {
	uint64_t last;
	/* room for as many as there will be marks; in ticks; spans of over 2^32 ticks become 2^32 - 1 */
	uint32_t *next;
};

static inline void floor_timing_start(struct floor_timing *timing, uint32_t *spans)
{
	timing->next = spans;
	timing->last = weft_clock_ticks();
}

static inline void floor_timing_mark(struct floor_timing *timing)
{
	uint64_t now = weft_clock_ticks();
	uint64_t span = now - timing->last;

	*timing->next++ = span > UINT32_MAX ? UINT32_MAX : (uint32_t)span;
	timing->last = now;
}

struct floor_latency;
/* Percentiles of count spans; adds each to histogram, in nanoseconds, if that is not NULL. 0 or -WEFT_ENOMEM. */
int floor_timing_finish(const uint32_t *spans, uint64_t count, struct weft_histogram *histogram,
			struct floor_latency *out);
/* Where records sample a distribution, so that those of different programs can be drawn side by side. */
#define FLOOR_SAMPLES 15
extern const double floor_sampled[FLOOR_SAMPLES]; /* percentiles, ascending */
/* The same percentiles as floor_timing_finish gives, of a histogram of nanoseconds. */
void floor_latency_from(const struct weft_histogram *histogram, struct floor_latency *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The real clock and what is common to both kinds.
 */
#include "clock_private.h"

#include <pthread.h>

#define READS 256u

static struct weft_clock real_clock;
static pthread_once_t started = PTHREAD_ONCE_INIT;
/* Set once by start, before the release of ready. */
static bool counter;
static const char *counter_reason = "";
static _Atomic bool ready;

static void start(void)
{
	counter = weft__clock_counter_usable(&counter_reason);
	if (counter)
		weft__clock_counter_start();
	/* pairs with the acquire in ensure_started */
	atomic_store_explicit(&ready, true, memory_order_release);
}

static inline void ensure_started(void)
{
	/* pairs with the release in start */
	if (__builtin_expect(!atomic_load_explicit(&ready, memory_order_acquire), 0))
		pthread_once(&started, start);
}

struct weft_clock *weft_clock_real(void)
{
	ensure_started();
	return &real_clock;
}

bool weft_clock_is_virtual(const struct weft_clock *clock)
{
	return clock->is_virtual;
}

uint64_t weft_clock_now(const struct weft_clock *clock)
{
	if (clock->is_virtual)
		/* pairs with the release in weft_clock_virtual_set */
		return atomic_load_explicit(&clock->virtual_ns, memory_order_acquire);
	/* Whoever has the real clock's address came through ensure_started. */
	return counter ? weft__clock_counter_now() : weft__clock_monotonic_ns();
}

uint64_t weft_clock_ticks(void)
{
	ensure_started();
	return counter ? weft__clock_counter() : weft__clock_monotonic_ns();
}

double weft_clock_ticks_to_ns(uint64_t ticks)
{
	ensure_started();
	return counter ? (double)ticks * weft__clock_counter_ns_per_tick() : (double)ticks;
}

/* The least difference between readings that differ, and the mean cost of one. */
static void measure_reads(double *resolution_ns, double *read_ns)
{
	uint64_t least = UINT64_MAX, first = weft_clock_ticks(), last = first;

	for (unsigned int i = 0; i < READS; i++) {
		uint64_t ticks = weft_clock_ticks();

		if (ticks > last && ticks - last < least)
			least = ticks - last;
		last = ticks;
	}
	*resolution_ns = least == UINT64_MAX ? 0 : weft_clock_ticks_to_ns(least);
	first = weft_clock_ticks();
	for (unsigned int i = 0; i < READS; i++)
		(void)weft_clock_now(&real_clock);
	*read_ns = weft_clock_ticks_to_ns(weft_clock_ticks() - first) / READS;
}

void weft_clock_describe(struct weft_clock_info *out)
{
	ensure_started();
	*out = (struct weft_clock_info){
		.source = counter ? "tsc" : "clock_gettime",
		.reason = counter_reason,
		.ticks_per_second = 1e9 / weft_clock_ticks_to_ns(1),
	};
	measure_reads(&out->resolution_ns, &out->read_ns);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the clock share: the counter's conversion, and the head that real and virtual clocks have.
 */
#ifndef CLOCK_PRIVATE_H
#define CLOCK_PRIVATE_H

#include <weft/clock.h>

#include <stdatomic.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

struct weft_clock {
	bool is_virtual;
	_Atomic uint64_t virtual_ns;
};

static inline uint64_t weft__clock_counter(void)
{
#if defined(__x86_64__)
	return __rdtsc();
#elif defined(__aarch64__)
	uint64_t ticks;

	__asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
#else
	return 0;
#endif
}

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t weft__clock_monotonic_ns(void);

/* Whether the counter can be the clock; if not, why not. */
bool weft__clock_counter_usable(const char **reason);
/* Measures the rate and publishes the first piece. */
void weft__clock_counter_start(void);
/* Nanoseconds of the counter's clock now. */
uint64_t weft__clock_counter_now(void);
/* The rate measured over the longest span so far. */
double weft__clock_counter_ns_per_tick(void);

#endif

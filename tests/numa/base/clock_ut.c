/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that the real clock follows CLOCK_MONOTONIC within 200 ppm over renewals of its rate and never steps back,
 * from several threads, and that a virtual clock moves only when told to.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>
#include <weft/clock.h>

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct pair {
	uint64_t ours_ns, theirs_ns;
};

/* Both clocks as near in time as can be: the tries that were interrupted lose. */
static struct pair read_both(void)
{
	struct pair best = {0, 0};
	uint64_t best_width = UINT64_MAX;

	for (unsigned int i = 0; i < 100; i++) {
		uint64_t before = monotonic_ns();
		uint64_t ours = weft_clock_now(weft_clock_real());
		uint64_t width = monotonic_ns() - before;

		if (width < best_width) {
			best_width = width;
			best = (struct pair){ours, before + width / 2};
		}
	}
	return best;
}

static void the_real_clock_follows_clock_monotonic_within_200_ppm(void)
{
	struct pair first = read_both(), last;

	for (unsigned int i = 0; i < 14; i++) {
		usleep(100000);
		last = read_both();
		CU_ASSERT_DOUBLE_EQUAL((double)(last.ours_ns - first.ours_ns),
				       (double)(last.theirs_ns - first.theirs_ns),
				       1000 + 200e-6 * (double)(last.theirs_ns - first.theirs_ns));
	}
}

static void ticks_become_nanoseconds(void)
{
	uint64_t start_ns = monotonic_ns(), ticks = weft_clock_ticks(), span_ns;

	usleep(50000);
	ticks = weft_clock_ticks() - ticks;
	span_ns = monotonic_ns() - start_ns;
	/* The outer span contains the inner one, which contains the sleep. */
	CU_ASSERT_TRUE(weft_clock_ticks_to_ns(ticks) <= (double)span_ns * 1.001);
	CU_ASSERT_TRUE(weft_clock_ticks_to_ns(ticks) >= 50000000 * 0.999);
}

static _Atomic uint64_t latest_ns;
static _Atomic unsigned int own_steps, backward_steps;
static _Atomic bool done;

/* The counter may be read before an earlier load has its value. */
static void wait_for_loads(void)
{
#if defined(__x86_64__)
	__builtin_ia32_lfence();
#elif defined(__aarch64__)
	__asm__ __volatile__("isb" ::: "memory");
#endif
}

/* What another thread has read and published before our reading must not be later than it. */
static void *watch(void *arg)
{
	uint64_t last_ns = 0;

	(void)arg;
	while (!atomic_load_explicit(&done, memory_order_relaxed)) {
		/* pairs with the release below */
		uint64_t seen_ns = atomic_load_explicit(&latest_ns, memory_order_acquire);
		uint64_t now_ns;

		wait_for_loads();
		now_ns = weft_clock_now(weft_clock_real());
		/* Counter reads of two cores may pass each other by less than a cache line's way. */
		if (now_ns < last_ns)
			atomic_fetch_add_explicit(&own_steps, 1, memory_order_relaxed);
		if (now_ns + 100 < seen_ns)
			atomic_fetch_add_explicit(&backward_steps, 1, memory_order_relaxed);
		last_ns = now_ns;
		/* pairs with the acquire above */
		atomic_store_explicit(&latest_ns, now_ns, memory_order_release);
	}
	return NULL;
}

static void it_never_steps_back_for_any_thread(void)
{
	pthread_t threads[3];

	for (unsigned int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, watch, NULL), 0);
	usleep(2300000);
	atomic_store_explicit(&done, true, memory_order_relaxed);
	for (unsigned int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(atomic_load_explicit(&own_steps, memory_order_relaxed), 0);
	CU_ASSERT_EQUAL(atomic_load_explicit(&backward_steps, memory_order_relaxed), 0);
}

static void it_describes_itself(void)
{
	struct weft_clock_info info;

	weft_clock_describe(&info);
	CU_ASSERT_PTR_NOT_NULL(info.source);
	CU_ASSERT_PTR_NOT_NULL_FATAL(info.reason);
	CU_ASSERT_EQUAL(info.source[0] == 't', info.reason[0] == '\0');
#ifdef WEFT_TEST_COUNTER /* clock_forced.c */
	CU_ASSERT_EQUAL(info.source[0] == 't', WEFT_TEST_COUNTER);
#endif
	CU_ASSERT_TRUE(info.ticks_per_second > 1e6);
	CU_ASSERT_TRUE(info.read_ns > 0);
	CU_ASSERT_FALSE(weft_clock_is_virtual(weft_clock_real()));
}

static void a_virtual_clock_moves_only_when_told_to(void)
{
	struct weft_clock *clock = NULL;

	CU_ASSERT_EQUAL_FATAL(weft_clock_virtual_open(5, &clock), 0);
	CU_ASSERT_TRUE(weft_clock_is_virtual(clock));
	CU_ASSERT_EQUAL(weft_clock_now(clock), 5);
	CU_ASSERT_EQUAL(weft_clock_now(clock), 5);
	weft_clock_virtual_set(clock, 1000);
	CU_ASSERT_EQUAL(weft_clock_now(clock), 1000);
	weft_clock_virtual_close(&clock);
	CU_ASSERT_PTR_NULL(clock);
	weft_clock_virtual_close(&clock);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(the_real_clock_follows_clock_monotonic_within_200_ppm),
		SUITE_CASE(ticks_become_nanoseconds),
		SUITE_CASE(it_never_steps_back_for_any_thread),
		SUITE_CASE(it_describes_itself),
		SUITE_CASE(a_virtual_clock_moves_only_when_told_to),
	};

	return suite_main("clock", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a single-producer ring keeps order and content against a model, at its edges, and between two threads.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <weft/errors.h>
#include <weft/random.h>
#include <weft/ring.h>

static void open_refuses_what_it_cannot_hold(void)
{
	struct weft_spsc *ring = NULL;

	CU_ASSERT_EQUAL(weft_spsc_open(0, 8, &ring), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(weft_spsc_open(1, 8, &ring), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(weft_spsc_open(12, 8, &ring), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(weft_spsc_open((size_t)1 << 31, 8, &ring), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(weft_spsc_open(8, 0, &ring), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(weft_spsc_open(8, 4097, &ring), -WEFT_EINVAL);
	CU_ASSERT_PTR_NULL(ring);
	weft_spsc_close(&ring);
}

static void a_full_ring_takes_no_more_and_an_empty_one_gives_none(void)
{
	struct weft_spsc *ring = NULL;
	uint32_t in[6] = {1, 2, 3, 4, 5, 6}, out[6] = {0};

	CU_ASSERT_EQUAL_FATAL(weft_spsc_open(4, sizeof *in, &ring), 0);
	CU_ASSERT_FALSE(weft_spsc_has(ring));
	CU_ASSERT_EQUAL(weft_spsc_pop(ring, out, 6), 0);
	CU_ASSERT_EQUAL(weft_spsc_push(ring, in, 6), 4);
	CU_ASSERT_EQUAL(weft_spsc_push(ring, in, 1), 0);
	CU_ASSERT_TRUE(weft_spsc_has(ring));
	CU_ASSERT_EQUAL(weft_spsc_pop(ring, out, 3), 3);
	CU_ASSERT_EQUAL(weft_spsc_push(ring, in + 4, 2), 2);
	CU_ASSERT_EQUAL(weft_spsc_pop(ring, out + 3, 6), 3);
	for (unsigned int i = 0; i < 6; i++)
		CU_ASSERT_EQUAL(out[i], i + 1);
	weft_spsc_close(&ring);
	CU_ASSERT_PTR_NULL(ring);
}

static void random_bursts_come_out_as_they_went_in(void)
{
	struct weft_random random;
	uint64_t seed = 0, in = 0, out = 0, burst[20];
	struct weft_spsc *ring = NULL;

	CU_ASSERT_EQUAL(weft_random_system(&seed), 0);
	printf(" seed %llu ", (unsigned long long)seed);
	weft_random_seed(&random, seed);
	CU_ASSERT_EQUAL_FATAL(weft_spsc_open(16, sizeof *burst, &ring), 0);
	for (unsigned int step = 0; step < 20000; step++) {
		size_t count = weft_random_below(&random, 20), done;

		if (weft_random_next(&random) & 1) {
			for (size_t i = 0; i < count; i++)
				burst[i] = in + i;
			done = weft_spsc_push(ring, burst, count);
			CU_ASSERT_EQUAL(done, count < 16 - (in - out) ? count : 16 - (in - out));
			in += done;
		} else {
			done = weft_spsc_pop(ring, burst, count);
			CU_ASSERT_EQUAL(done, count < in - out ? count : in - out);
			for (size_t i = 0; i < done; i++)
				CU_ASSERT_EQUAL(burst[i], out + i);
			out += done;
		}
		CU_ASSERT_EQUAL(weft_spsc_has(ring), in != out);
	}
	weft_spsc_close(&ring);
}

#define CROSSING 200000u

static void *produce(void *arg)
{
	struct weft_spsc *ring = arg;

	for (uint64_t next = 0; next < CROSSING;) {
		uint64_t pair[2] = {next, ~next};

		if (weft_spsc_push(ring, pair, 1) == 1)
			next++;
		else
			sched_yield();
	}
	return NULL;
}

static void elements_cross_between_threads_whole_and_in_order(void)
{
	struct weft_spsc *ring = NULL;
	pthread_t thread;
	uint64_t expected = 0, wrong = 0, got[8][2];

	CU_ASSERT_EQUAL_FATAL(weft_spsc_open(64, sizeof *got, &ring), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, produce, ring), 0);
	while (expected < CROSSING) {
		size_t count = weft_spsc_pop(ring, got, 8);

		if (count == 0)
			sched_yield();
		for (size_t i = 0; i < count; i++, expected++)
			wrong += got[i][0] != expected || got[i][1] != ~expected;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	pthread_join(thread, NULL);
	weft_spsc_close(&ring);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(open_refuses_what_it_cannot_hold),
		SUITE_CASE(a_full_ring_takes_no_more_and_an_empty_one_gives_none),
		SUITE_CASE(random_bursts_come_out_as_they_went_in),
		SUITE_CASE(elements_cross_between_threads_whole_and_in_order),
	};

	return suite_main("spsc", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a many-producer ring gives each element once, whole, and each producer's in its order.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <pthread.h>
#include <sched.h>
#include <weft/errors.h>
#include <weft/ring.h>

#define PRODUCERS 4u
#define EACH 50000u

static void open_refuses_what_it_cannot_hold(void)
{
	struct weft_mpsc *ring = NULL;

	CU_ASSERT_EQUAL(weft_mpsc_open(0, 8, &ring), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(weft_mpsc_open(3, 8, &ring), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(weft_mpsc_open(8, 0, &ring), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(weft_mpsc_open(8, 5000, &ring), -WEFT_EINVAL);
	CU_ASSERT_PTR_NULL(ring);
	weft_mpsc_close(&ring);
}

static void a_full_ring_refuses_and_an_empty_one_gives_none(void)
{
	struct weft_mpsc *ring = NULL;
	unsigned char value;

	CU_ASSERT_EQUAL_FATAL(weft_mpsc_open(2, 1, &ring), 0);
	for (unsigned int round = 0; round < 100; round++) {
		CU_ASSERT_FALSE(weft_mpsc_has(ring));
		CU_ASSERT_FALSE(weft_mpsc_pop(ring, &value));
		CU_ASSERT_TRUE(weft_mpsc_push(ring, "a"));
		CU_ASSERT_TRUE(weft_mpsc_push(ring, "b"));
		CU_ASSERT_FALSE(weft_mpsc_push(ring, "c"));
		CU_ASSERT_TRUE(weft_mpsc_has(ring));
		CU_ASSERT_TRUE(weft_mpsc_pop(ring, &value) && value == 'a');
		CU_ASSERT_TRUE(weft_mpsc_pop(ring, &value) && value == 'b');
	}
	weft_mpsc_close(&ring);
	CU_ASSERT_PTR_NULL(ring);
}

struct element {
	uint64_t producer, number, check;
};

struct producer {
	pthread_t thread;
	struct weft_mpsc *ring;
	uint64_t id;
};

static void *produce(void *arg)
{
	const struct producer *producer = arg;

	for (uint64_t number = 0; number < EACH;) {
		struct element element = {producer->id, number, number ^ ~producer->id};

		if (weft_mpsc_push(producer->ring, &element))
			number++;
		else
			sched_yield();
	}
	return NULL;
}

static void four_producers_lose_nothing_and_keep_their_order(void)
{
	struct producer producers[PRODUCERS];
	uint64_t next[PRODUCERS] = {0}, wrong = 0;
	struct weft_mpsc *ring = NULL;
	struct element element;

	CU_ASSERT_EQUAL_FATAL(weft_mpsc_open(64, sizeof element, &ring), 0);
	for (unsigned int i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){.ring = ring, .id = i};
		CU_ASSERT_EQUAL_FATAL(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
	}
	for (unsigned int left = PRODUCERS * EACH; left > 0;) {
		if (!weft_mpsc_pop(ring, &element)) {
			sched_yield();
			continue;
		}
		left--;
		wrong += element.producer >= PRODUCERS || element.number != next[element.producer % PRODUCERS]++ ||
			 element.check != (element.number ^ ~element.producer);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_FALSE(weft_mpsc_has(ring));
	for (unsigned int i = 0; i < PRODUCERS; i++)
		pthread_join(producers[i].thread, NULL);
	weft_mpsc_close(&ring);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(open_refuses_what_it_cannot_hold),
		SUITE_CASE(a_full_ring_refuses_and_an_empty_one_gives_none),
		SUITE_CASE(four_producers_lose_nothing_and_keep_their_order),
	};

	return suite_main("mpsc", cases, SUITE_COUNT(cases), argc, argv);
}

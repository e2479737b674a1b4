/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that the queue of sent packets keeps their order while it grows and wraps, that it finds them by number, and
 * what it forgets to make place: never what is under way.
 */
#include "path/sent.h"
#include "suite.h"

#include <CUnit/Basic.h>

static struct weft__sent_queue queue;

static void push(uint64_t number)
{
	CU_ASSERT_TRUE_FATAL(weft__sent_reserve(&queue, 1));
	*weft__sent_push(&queue) = (struct weft__sent){.number = number, .run = 1, .state = WEFT__SENT_FLYING};
}

/* The oldest that flies lands. */
static void land(enum weft__sent_state state)
{
	weft__sent_oldest(&queue)->state = (uint8_t)state;
	queue.flying++;
}

static void nothing_is_allocated_before_it_is_asked_for(void)
{
	CU_ASSERT_PTR_NULL(queue.slots);
	CU_ASSERT_PTR_NULL(weft__sent_oldest(&queue));
	CU_ASSERT_EQUAL(weft__sent_find(&queue, 0), queue.tail);
	CU_ASSERT_TRUE(weft__sent_reserve(&queue, 1));
	CU_ASSERT_EQUAL(queue.size, WEFT__SENT_FIRST);
	weft__sent_drop(&queue);
	CU_ASSERT_PTR_NULL(queue.slots);
}

static void it_grows_while_packets_fly_and_keeps_their_order(void)
{
	unsigned int wrong = 0;

	for (uint64_t number = 0; number < 50; number++) {
		push(number);
		land(WEFT__SENT_ACKED);
	}
	for (uint64_t number = 50; number < 1050; number++)
		push(2 * number);
	CU_ASSERT_EQUAL(queue.size, 1024);
	CU_ASSERT_EQUAL(weft__sent_oldest(&queue)->number, 100);
	for (uint64_t number = 50; number < 1050; number++)
		wrong += weft__sent_at(&queue, queue.flying + (uint32_t)(number - 50))->number != 2 * number;
	CU_ASSERT_EQUAL(wrong, 0);
	weft__sent_drop(&queue);
}

static void it_finds_by_number_also_where_positions_wrap(void)
{
	unsigned int wrong = 0;

	queue.head = queue.tail = queue.flying = UINT32_MAX - 20;
	for (uint64_t number = 0; number < 60; number++)
		push(10 * number);
	for (uint64_t number = 0; number < 600; number++) {
		uint32_t position = weft__sent_find(&queue, number);
		uint64_t right = (number + 9) / 10 * 10;

		wrong += right < 600 ? weft__sent_at(&queue, position)->number != right : position != queue.tail;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	weft__sent_drop(&queue);
}

static void what_has_arrived_makes_place_before_it_grows(void)
{
	for (uint64_t number = 0; number < 10000; number++) {
		push(number);
		if (number >= 40)
			land(WEFT__SENT_ACKED);
	}
	CU_ASSERT_EQUAL(queue.size, WEFT__SENT_FIRST);
	CU_ASSERT_EQUAL(weft__sent_oldest(&queue)->number, 10000 - 40);
	weft__sent_drop(&queue);
}

static void what_is_lost_is_remembered_for_a_while(void)
{
	push(0);
	land(WEFT__SENT_LOST);
	for (uint64_t number = 1; number < WEFT__SENT_REMEMBERED; number++) {
		push(number);
		land(WEFT__SENT_ACKED);
	}
	CU_ASSERT_EQUAL(weft__sent_at(&queue, weft__sent_find(&queue, 0))->number, 0);
	for (uint64_t number = WEFT__SENT_REMEMBERED; number < 10000; number++) {
		push(number);
		land(number % 2 ? WEFT__SENT_LOST : WEFT__SENT_ACKED);
	}
	CU_ASSERT_EQUAL(queue.size, WEFT__SENT_REMEMBERED);
	weft__sent_drop(&queue);
}

static void what_flies_is_never_forgotten(void)
{
	uint64_t number = 0;

	while (weft__sent_reserve(&queue, 1))
		push(number++);
	CU_ASSERT_EQUAL(number, WEFT__SENT_MAX);
	CU_ASSERT_EQUAL(weft__sent_oldest(&queue)->number, 0);
	land(WEFT__SENT_LOST);
	CU_ASSERT_FALSE(weft__sent_reserve(&queue, 2));
	CU_ASSERT_TRUE(weft__sent_reserve(&queue, 1));
	CU_ASSERT_EQUAL(weft__sent_oldest(&queue)->number, 1);
	weft__sent_drop(&queue);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(nothing_is_allocated_before_it_is_asked_for),
		SUITE_CASE(it_grows_while_packets_fly_and_keeps_their_order),
		SUITE_CASE(it_finds_by_number_also_where_positions_wrap),
		SUITE_CASE(what_has_arrived_makes_place_before_it_grows),
		SUITE_CASE(what_is_lost_is_remembered_for_a_while),
		SUITE_CASE(what_flies_is_never_forgotten),
	};

	return suite_main("sent", cases, SUITE_COUNT(cases), argc, argv);
}

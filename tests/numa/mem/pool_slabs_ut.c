/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that small buffers are handed out again while they are warm, that a small segment serves all classes, and
 * that blocks move between the classes as soon as nothing in them is in use.
 */
#include "pool_fixture.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <weft/errors.h>

static void the_buffer_freed_last_is_handed_out_first(void)
{
	static const size_t lens[] = {256, 2 * KIB, 16 * KIB, 64 * KIB};
	struct pool_fixture fixture = pool_fixture_set_up(MIB);

	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
		struct weft_buf *bufs[3], *again;

		for (int j = 0; j < 3; j++)
			CU_ASSERT_EQUAL_FATAL(weft_pool_get(fixture.pool, lens[i], &bufs[j]), 0);
		for (int j = 0; j < 3; j++)
			weft_buf_put(bufs[j]);
		CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, lens[i], &again), 0);
		CU_ASSERT_PTR_EQUAL(again, bufs[2]);
		weft_buf_put(again);
	}
	pool_fixture_tear_down(&fixture);
}

static void a_segment_of_2_mib_serves_every_small_class(void)
{
	static const size_t lens[] = {256, 2 * KIB, 16 * KIB, 64 * KIB};
	struct pool_fixture fixture = pool_fixture_set_up(1);
	struct weft_buf *large, *lists[4];
	unsigned int count;

	CU_ASSERT_EQUAL_FATAL(weft_pool_get(fixture.pool, MIB, &large), 0);
	for (int i = 3; i >= 0; i--) {
		lists[i] = pool_fixture_get_all(&fixture, lens[i], &count);
		CU_ASSERT_TRUE(count >= 8);
	}
	CU_ASSERT_EQUAL(pool_fixture_stats(&fixture).free_bytes, 0);
	for (int i = 0; i < 4; i++)
		pool_fixture_put_all(lists[i]);
	weft_buf_put(large);
	pool_fixture_tear_down(&fixture);
}

static void memory_moves_between_all_classes(void)
{
	static const size_t lens[] = {256, 2 * KIB, 16 * KIB, 64 * KIB, MIB, 3 * MIB, 7 * MIB};
	struct pool_fixture fixture = pool_fixture_set_up(7 * MIB);
	size_t all_bytes = pool_fixture_stats(&fixture).free_bytes;

	for (size_t i = 0; i < 7; i++)
		for (size_t j = 0; j < 7; j++) {
			unsigned int count;

			pool_fixture_put_all(pool_fixture_get_all(&fixture, lens[i], &count));
			CU_ASSERT_TRUE(count >= 7 * MIB / lens[i]);
			pool_fixture_put_all(pool_fixture_get_all(&fixture, lens[j], &count));
			CU_ASSERT_TRUE(count >= 7 * MIB / lens[j]);
			CU_ASSERT_EQUAL(pool_fixture_stats(&fixture).free_bytes, all_bytes);
		}
	pool_fixture_tear_down(&fixture);
}

static void one_small_buffer_keeps_only_its_own_block(void)
{
	struct pool_fixture fixture = pool_fixture_set_up(7 * MIB);
	struct weft_buf *list, *kept = NULL, *large;
	unsigned int count;

	list = pool_fixture_get_all(&fixture, 2 * KIB, &count);
	while (list) {
		struct weft_buf *next = list->next;

		if (!kept && list->capacity_bytes == 2 * KIB && list->offset_bytes >= MIB)
			kept = list;
		else
			weft_buf_put(list);
		list = next;
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(kept);
	CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, 7 * MIB, &large), -WEFT_EAGAIN);
	list = pool_fixture_get_all(&fixture, MIB, &count);
	CU_ASSERT_TRUE(count >= 6);
	pool_fixture_put_all(list);
	weft_buf_put(kept);
	CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, 7 * MIB, &large), 0);
	pool_fixture_tear_down(&fixture);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(the_buffer_freed_last_is_handed_out_first),
		SUITE_CASE(a_segment_of_2_mib_serves_every_small_class),
		SUITE_CASE(memory_moves_between_all_classes),
		SUITE_CASE(one_small_buffer_keeps_only_its_own_block),
	};

	return suite_main("pool_slabs", cases, SUITE_COUNT(cases), argc, argv);
}

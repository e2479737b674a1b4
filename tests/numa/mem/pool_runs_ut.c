/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that runs of blocks join again in whatever order they come back, and never across segments.
 */
#include "pool_fixture.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <weft/errors.h>

static void runs_join_in_any_order_of_putting(void)
{
	static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	struct pool_fixture fixture = pool_fixture_set_up(7 * MIB);

	for (size_t i = 0; i < 6; i++) {
		struct weft_buf *parts[3], *whole = NULL;

		CU_ASSERT_EQUAL_FATAL(weft_pool_get(fixture.pool, 2 * MIB, &parts[0]), 0);
		CU_ASSERT_EQUAL_FATAL(weft_pool_get(fixture.pool, 4 * MIB, &parts[1]), 0);
		CU_ASSERT_EQUAL_FATAL(weft_pool_get(fixture.pool, MIB, &parts[2]), 0);
		for (int j = 0; j < 3; j++) {
			CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, 7 * MIB, &whole), -WEFT_EAGAIN);
			weft_buf_put(parts[orders[i][j]]);
		}
		CU_ASSERT_EQUAL_FATAL(weft_pool_get(fixture.pool, 7 * MIB, &whole), 0);
		weft_buf_put(whole);
	}
	pool_fixture_tear_down(&fixture);
}

static void segments_do_not_join(void)
{
	struct pool_fixture fixture = pool_fixture_set_up(3 * MIB);
	struct weft_buf *buf;

	pool_fixture_grow(&fixture, 3 * MIB);
	CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, 4 * MIB, &buf), -WEFT_EAGAIN);
	CU_ASSERT_EQUAL(weft_pool_adopt(fixture.pool, weft_arena_segment(fixture.arena, 2)), -WEFT_EEXIST);
	pool_fixture_tear_down(&fixture);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(runs_join_in_any_order_of_putting),
		SUITE_CASE(segments_do_not_join),
	};

	return suite_main("pool_runs", cases, SUITE_COUNT(cases), argc, argv);
}

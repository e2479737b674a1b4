/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets pools up for their tests, on small pages, so that tests that run at the same time do not compete for others.
 */
#include "pool_fixture.h"

#include <CUnit/Basic.h>

void pool_fixture_grow(struct pool_fixture *fixture, size_t payload_bytes)
{
	const struct weft_segment *segment;

	CU_ASSERT_EQUAL_FATAL(weft_arena_grow(fixture->arena, payload_bytes, &segment), 0);
	CU_ASSERT_EQUAL_FATAL(weft_pool_adopt(fixture->pool, segment), 0);
}

struct pool_fixture pool_fixture_set_up(size_t payload_bytes)
{
	struct weft_arena_opts arena_opts;
	struct weft_pool_opts pool_opts;
	struct pool_fixture fixture = {NULL, NULL};

	weft_arena_opts_init(&arena_opts, sizeof arena_opts);
	arena_opts.pages = WEFT_PAGES_SMALL;
	weft_pool_opts_init(&pool_opts, sizeof pool_opts);
	pool_opts.remote_put_slots = 64;
	CU_ASSERT_EQUAL_FATAL(weft_arena_open(&arena_opts, &fixture.arena), 0);
	CU_ASSERT_EQUAL_FATAL(weft_pool_open(&pool_opts, &fixture.pool), 0);
	if (payload_bytes)
		pool_fixture_grow(&fixture, payload_bytes);
	return fixture;
}

void pool_fixture_tear_down(struct pool_fixture *fixture)
{
	weft_pool_close(&fixture->pool);
	CU_ASSERT_PTR_NULL(fixture->pool);
	weft_arena_close(&fixture->arena);
}

struct weft_pool_stats pool_fixture_stats(const struct pool_fixture *fixture)
{
	struct weft_pool_stats stats;

	weft_pool_describe(fixture->pool, &stats);
	return stats;
}

struct weft_buf *pool_fixture_get_all(struct pool_fixture *fixture, size_t len_bytes, unsigned int *count)
{
	struct weft_buf *list = NULL, *buf;

	for (*count = 0; !weft_pool_get(fixture->pool, len_bytes, &buf); ++*count) {
		CU_ASSERT_TRUE(buf->capacity_bytes >= len_bytes);
		buf->next = list;
		list = buf;
	}
	return list;
}

void pool_fixture_put_all(struct weft_buf *list)
{
	while (list) {
		struct weft_buf *next = list->next;

		weft_buf_put(list);
		list = next;
	}
}

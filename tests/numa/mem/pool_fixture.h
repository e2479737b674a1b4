/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of pools share: an arena with a pool on it.
 */
#ifndef POOL_FIXTURE_H
#define POOL_FIXTURE_H

#include <weft/pool.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

struct pool_fixture {
	struct weft_arena *arena;
	struct weft_pool *pool;
};

/* With one segment of that much payload, unless 0. */
struct pool_fixture pool_fixture_set_up(size_t payload_bytes);
void pool_fixture_tear_down(struct pool_fixture *fixture);
/* One more segment. */
void pool_fixture_grow(struct pool_fixture *fixture, size_t payload_bytes);
struct weft_pool_stats pool_fixture_stats(const struct pool_fixture *fixture);
/* Gets until nothing fits; gives a list through next. */
struct weft_buf *pool_fixture_get_all(struct pool_fixture *fixture, size_t len_bytes, unsigned int *count);
void pool_fixture_put_all(struct weft_buf *list);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs of free blocks: best fit by length, joined again when blocks come back.
 */
#include <weft/assert.h>

#include "mem/pool_private.h"

void weft__mem_runs_init(struct weft_pool *pool)
{
	for (size_t i = 0; i <= POOL_RUN_MAX; i++)
		weft_list_init(&pool->buckets[i]);
}

static size_t bucket_of(uint32_t block_count)
{
	return block_count < POOL_RUN_MAX ? block_count : POOL_RUN_MAX;
}

static void insert(struct weft_pool *pool, struct weft_pool_block *first, uint32_t block_count)
{
	size_t bucket = bucket_of(block_count);

	first->run_blocks = block_count;
	first[block_count - 1].run_blocks = block_count;
	weft_list_push_front(&pool->buckets[bucket], &first->link);
	pool->bucket_map[bucket / 64] |= UINT64_C(1) << bucket % 64;
}

static void take_out(struct weft_pool *pool, struct weft_pool_block *first)
{
	size_t bucket = bucket_of(first->run_blocks);

	weft_list_remove(&first->link);
	if (weft_list_empty(&pool->buckets[bucket]))
		pool->bucket_map[bucket / 64] &= ~(UINT64_C(1) << bucket % 64);
}

void weft__mem_run_put(struct weft_pool *pool, struct weft_pool_block *first, uint32_t block_count)
{
	struct weft_pool_block *after = first + block_count;

	for (uint32_t i = 0; i < block_count; i++) {
		WEFT_DASSERT(first[i].state != POOL_BLOCK_FREE);
		first[i].state = POOL_BLOCK_FREE;
	}
	if (after->state == POOL_BLOCK_FREE) {
		take_out(pool, after);
		block_count += after->run_blocks;
	}
	if (first[-1].state == POOL_BLOCK_FREE) {
		uint32_t before_count = first[-1].run_blocks;

		first -= before_count;
		take_out(pool, first);
		block_count += before_count;
	}
	insert(pool, first, block_count);
}

/* The first list that is not empty among those long enough; 0 if there is none. */
static size_t find_bucket(const struct weft_pool *pool, size_t bucket)
{
	uint64_t word = pool->bucket_map[bucket / 64] & UINT64_MAX << bucket % 64;

	for (size_t i = bucket / 64;;) {
		if (word)
			return i * 64 + (size_t)__builtin_ctzll(word);
		if (++i == POOL_BUCKET_WORDS)
			return 0;
		word = pool->bucket_map[i];
	}
}

struct weft_pool_block *weft__mem_run_get(struct weft_pool *pool, uint32_t block_count)
{
	size_t bucket = find_bucket(pool, block_count);
	struct weft_pool_block *first;
	uint32_t rest_count;

	if (!bucket)
		return NULL;
	first = WEFT_CONTAINER_OF(pool->buckets[bucket].next, struct weft_pool_block, link);
	take_out(pool, first);
	rest_count = first->run_blocks - block_count;
	if (rest_count)
		insert(pool, first + block_count, rest_count);
	for (uint32_t i = 0; i < block_count; i++)
		first[i].state = POOL_BLOCK_RUN;
	return first;
}

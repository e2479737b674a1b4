/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a pool takes on a segment: all bookkeeping that its blocks can ever need is made here, so that getting and
 * putting never allocate. Descriptors are one private mapping per segment; only those that are used get pages.
 */
#include <weft/errors.h>

#include "mem/pool_private.h"

#include <stdlib.h>
#include <sys/mman.h>

_Static_assert(sizeof(struct weft_buf) == WEFT_CACHE_LINE, "a descriptor is one cache line");

/* Where block 0's slabs begin; each ends where the next one begins. */
static const uint32_t fixed_begin[POOL_SLAB_CLASSES + 1] = {256, 64 << 10, 128 << 10, 256 << 10, 1 << 20};

static void add_fixed(struct weft_pool *pool, struct pool_segment *owner, const struct weft_segment *segment)
{
	struct weft_buf *bufs = owner->bufs;

	for (unsigned int i = 0; i < POOL_SLAB_CLASSES; i++) {
		struct weft_pool_block *slab = &owner->fixed[i];
		uint32_t buf_count = (fixed_begin[i + 1] - fixed_begin[i]) / weft__mem_class_bytes[i];

		slab->data = segment->base + fixed_begin[i];
		slab->offset_bytes = fixed_begin[i];
		slab->segment_id = segment->segment_id;
		slab->bufs = bufs;
		slab->state = POOL_BLOCK_FIXED;
		weft__mem_slab_start(pool, slab, i, buf_count);
		bufs += buf_count;
		pool->stats.total_bytes += (size_t)buf_count * weft__mem_class_bytes[i];
		pool->stats.free_bytes += (size_t)buf_count * weft__mem_class_bytes[i];
	}
}

static void add_blocks(struct weft_pool *pool, struct pool_segment *owner, const struct weft_segment *segment)
{
	for (uint32_t i = 1; i <= owner->block_count; i++) {
		struct weft_pool_block *block = &owner->blocks[i];

		block->data = segment->base + i * POOL_BLOCK_BYTES;
		block->offset_bytes = i * POOL_BLOCK_BYTES;
		block->segment_id = segment->segment_id;
		block->bufs = owner->bufs + i * POOL_BLOCK_BUFS;
		block->state = POOL_BLOCK_RUN;
		weft_list_init(&block->link);
	}
	weft__mem_run_put(pool, &owner->blocks[1], owner->block_count);
	pool->stats.total_bytes += owner->block_count * POOL_BLOCK_BYTES;
	pool->stats.free_bytes += owner->block_count * POOL_BLOCK_BYTES;
}

int weft_pool_adopt(struct weft_pool *pool, const struct weft_segment *segment)
{
	size_t block_count = segment->len_bytes / POOL_BLOCK_BYTES;
	struct pool_segment *owner;

	if (block_count < 2 || block_count > UINT32_MAX)
		return weft_set_error(WEFT_EINVAL, "a pool cannot use a segment of %zu bytes: at least 2 MiB",
				      segment->len_bytes);
	for (owner = pool->segments; owner; owner = owner->next)
		if (owner->segment_id == segment->segment_id)
			return weft_set_error(WEFT_EEXIST, "segment %u is in the pool already", segment->segment_id);
	owner = calloc(1, sizeof *owner + (block_count + 1) * sizeof *owner->blocks);
	if (!owner)
		return weft_set_error(WEFT_ENOMEM, "no memory to keep account of %zu blocks", block_count);
	owner->segment_id = segment->segment_id;
	owner->block_count = (uint32_t)(block_count - 1);
	owner->bufs_bytes = block_count * POOL_BLOCK_BUFS * sizeof *owner->bufs;
	owner->bufs = mmap(NULL, owner->bufs_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			   -1, 0);
	if (owner->bufs == MAP_FAILED) {
		free(owner);
		return weft_set_error(WEFT_ENOMEM, "no memory for the descriptors of %zu blocks: %m", block_count);
	}
	add_fixed(pool, owner, segment);
	add_blocks(pool, owner, segment);
	owner->next = pool->segments;
	pool->segments = owner;
	return 0;
}

void weft__mem_pool_forget(struct weft_pool *pool)
{
	while (pool->segments) {
		struct pool_segment *owner = pool->segments;

		pool->segments = owner->next;
		munmap(owner->bufs, owner->bufs_bytes);
		free(owner);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a pool. A data segment is cut into blocks of 1 MiB. A free block is part of a run of free blocks,
 * kept in a bucket by the run's length; a block that is in use is part of a large buffer, or a slab of small ones.
 * Block 0 holds the segment's header, so it is never part of a run: what is left of it is four small slabs that
 * stay what they are.
 *
 * Buckets are one list for each length and a map of the lists that are not empty: the smallest run that fits is
 * found in a few instructions, as in TLSF (Masmano et al. 2004), without its rounding because lengths are few.
 * Runs coalesce by boundary tags (Knuth, TAOCP volume 1, 2.5), slabs follow Bonwick (1994).
 */
#ifndef MEM_POOL_PRIVATE_H
#define MEM_POOL_PRIVATE_H

#include <weft/list.h>
#include <weft/pool.h>
#include <weft/ring.h>

#include <stdatomic.h>

#define POOL_BLOCK_BYTES ((size_t)1 << 20)
#define POOL_LEN_MAX ((size_t)1 << 30)
#define POOL_SLAB_CLASSES 4
#define POOL_CLASS_BLOCK 4 /* one block */
#define POOL_CLASS_RUN 5   /* several */
/* Runs of this length or more share the last bucket; no buffer is longer. */
#define POOL_RUN_MAX (POOL_LEN_MAX / POOL_BLOCK_BYTES)
#define POOL_BUCKET_WORDS (POOL_RUN_MAX / 64 + 1)
/* Descriptors of one block: as many as it can have buffers of the smallest class. */
#define POOL_BLOCK_BUFS (POOL_BLOCK_BYTES / 256)

extern const uint32_t weft__mem_class_bytes[POOL_SLAB_CLASSES];

enum pool_block_state {
	POOL_BLOCK_EDGE, /* before the first and after the last block of a segment */
	POOL_BLOCK_FREE,
	POOL_BLOCK_RUN,
	POOL_BLOCK_SLAB,
	POOL_BLOCK_FIXED, /* one of block 0's slabs */
};

struct weft_pool_block {
	struct weft_list link; /* FREE: of a run's first block, in a bucket; slabs: partial or empty slabs */
	char *data;
	uint64_t offset_bytes;
	struct weft_buf *bufs; /* descriptors; the first carved_count have been handed out before */
	struct weft_buf *free; /* of the carved ones */
	uint32_t segment_id;
	uint32_t run_blocks; /* FREE: in a run's first and last block */
	uint32_t buf_count, carved_count, used_count;
	uint16_t size_class;
	uint16_t state;
};

struct pool_segment {
	struct pool_segment *next;
	uint32_t segment_id;
	uint32_t block_count; /* without block 0 */
	struct weft_buf *bufs;
	size_t bufs_bytes;
	struct weft_pool_block fixed[POOL_SLAB_CLASSES];
	struct weft_pool_block blocks[]; /* an edge, block 1 onwards, an edge */
};

struct weft_pool {
	struct weft_list partial[POOL_SLAB_CLASSES]; /* slabs with a free buffer; the last one put to is first */
	struct weft_list empty[POOL_SLAB_CLASSES];   /* slabs with nothing but free buffers */
	struct weft_list buckets[POOL_RUN_MAX + 1];  /* by length; 0 is not used */
	uint64_t bucket_map[POOL_BUCKET_WORDS];
	struct weft_pool_stats stats;
	size_t low_water_bytes; /* 0: an eighth */
	struct pool_segment *segments;
	struct weft_mpsc *remote; /* of struct weft_buf * */
	_Alignas(WEFT_CACHE_LINE) _Atomic size_t wanted_bytes;
};

/* pool_runs.c: whole blocks */
void weft__mem_runs_init(struct weft_pool *pool);
/* Makes blocks a free run, joined with its free neighbours. */
void weft__mem_run_put(struct weft_pool *pool, struct weft_pool_block *first, uint32_t block_count);
/* The first of block_count blocks, their state not FREE any more; NULL if there are not so many in a row. */
struct weft_pool_block *weft__mem_run_get(struct weft_pool *pool, uint32_t block_count);

/* pool_slabs.c: small buffers */
void weft__mem_slabs_init(struct weft_pool *pool);
void weft__mem_slab_start(struct weft_pool *pool, struct weft_pool_block *slab, unsigned int size_class,
			  uint32_t buf_count);
struct weft_buf *weft__mem_slab_get(struct weft_pool *pool, unsigned int size_class);
void weft__mem_slab_put(struct weft_pool *pool, struct weft_buf *buf);
/* Gives the blocks of empty slabs back to the runs; returns how many. */
unsigned int weft__mem_slabs_reclaim(struct weft_pool *pool);

/* pool_segments.c */
void weft__mem_pool_forget(struct weft_pool *pool);

/* Fills in a descriptor that has not been handed out before. */
static inline struct weft_buf *pool_buf_init(struct weft_pool *pool, struct weft_pool_block *block, uint32_t index,
					     size_t capacity_bytes)
{
	struct weft_buf *buf = &block->bufs[index];

	*buf = (struct weft_buf){
		.data = block->data + index * capacity_bytes,
		.capacity_bytes = capacity_bytes,
		.offset_bytes = block->offset_bytes + index * capacity_bytes,
		.segment_id = block->segment_id,
		.pool = pool,
		.size_class = block->size_class,
		.block = block,
	};
	return buf;
}

#endif

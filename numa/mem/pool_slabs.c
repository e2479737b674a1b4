/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slabs: blocks cut into buffers of one size. Each slab has a list of its own free buffers, last in first out, so
 * that a slab nobody uses any more can give its block back; the slab that was put to last is asked first.
 */
#include <weft/assert.h>

#include "mem/pool_private.h"

const uint32_t weft__mem_class_bytes[POOL_SLAB_CLASSES] = {256, 2048, 16384, 65536};

void weft__mem_slabs_init(struct weft_pool *pool)
{
	for (unsigned int i = 0; i < POOL_SLAB_CLASSES; i++) {
		weft_list_init(&pool->partial[i]);
		weft_list_init(&pool->empty[i]);
	}
}

void weft__mem_slab_start(struct weft_pool *pool, struct weft_pool_block *slab, unsigned int size_class,
			  uint32_t buf_count)
{
	slab->size_class = (uint16_t)size_class;
	slab->buf_count = buf_count;
	slab->carved_count = 0;
	slab->used_count = 0;
	slab->free = NULL;
	weft_list_push_front(&pool->partial[size_class], &slab->link);
}

static struct weft_buf *take(struct weft_pool *pool, struct weft_pool_block *slab)
{
	struct weft_buf *buf = slab->free;

	if (buf)
		slab->free = buf->next;
	else
		buf = pool_buf_init(pool, slab, slab->carved_count++, weft__mem_class_bytes[slab->size_class]);
	if (++slab->used_count == slab->buf_count)
		weft_list_remove(&slab->link);
	return buf;
}

/* A slab that is empty becomes partial, or one is made of a block. */
static struct weft_pool_block *refill(struct weft_pool *pool, unsigned int size_class)
{
	struct weft_list *link = weft_list_pop_front(&pool->empty[size_class]);
	struct weft_pool_block *slab;

	if (link) {
		weft_list_push_front(&pool->partial[size_class], link);
		return WEFT_CONTAINER_OF(link, struct weft_pool_block, link);
	}
	slab = weft__mem_run_get(pool, 1);
	if (!slab && weft__mem_slabs_reclaim(pool))
		slab = weft__mem_run_get(pool, 1);
	if (!slab)
		return NULL;
	slab->state = POOL_BLOCK_SLAB;
	weft__mem_slab_start(pool, slab, size_class, (uint32_t)(POOL_BLOCK_BYTES / weft__mem_class_bytes[size_class]));
	return slab;
}

struct weft_buf *weft__mem_slab_get(struct weft_pool *pool, unsigned int size_class)
{
	struct weft_list *link = pool->partial[size_class].next;
	struct weft_pool_block *slab;

	if (__builtin_expect(link != &pool->partial[size_class], 1))
		return take(pool, WEFT_CONTAINER_OF(link, struct weft_pool_block, link));
	slab = refill(pool, size_class);
	return slab ? take(pool, slab) : NULL;
}

void weft__mem_slab_put(struct weft_pool *pool, struct weft_buf *buf)
{
	struct weft_pool_block *slab = buf->block;
	struct weft_list *partial = &pool->partial[slab->size_class];

	WEFT_DASSERT(slab->used_count);
	buf->next = slab->free;
	slab->free = buf;
	if (--slab->used_count == 0 && slab->state == POOL_BLOCK_SLAB) {
		weft_list_remove(&slab->link);
		weft_list_push_front(&pool->empty[slab->size_class], &slab->link);
	} else if (partial->next != &slab->link) {
		weft_list_remove(&slab->link);
		weft_list_push_front(partial, &slab->link);
	}
}

unsigned int weft__mem_slabs_reclaim(struct weft_pool *pool)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < POOL_SLAB_CLASSES; i++) {
		struct weft_list *link;

		while ((link = weft_list_pop_front(&pool->empty[i]))) {
			weft__mem_run_put(pool, WEFT_CONTAINER_OF(link, struct weft_pool_block, link), 1);
			count++;
		}
	}
	return count;
}

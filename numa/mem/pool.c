/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Getting and putting buffers: which class, who holds them, what was lacking. Where the memory comes from is in
 * pool_slabs.c and pool_runs.c.
 */
#include <weft/assert.h>
#include <weft/errors.h>

#include "mem/pool_private.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct weft_pool_opts) == 24, "new fields go to the end");

void weft_pool_opts_init(struct weft_pool_opts *opts, size_t size)
{
	memset(opts, 0, size);
	opts->size = size;
	opts->remote_put_slots = 1024;
}

static int check_opts(const struct weft_pool_opts *opts)
{
	if (opts->size != sizeof *opts)
		return weft_set_error(WEFT_EINVAL, "pool options of %zu bytes, not %zu: call weft_pool_opts_init",
				      opts->size, sizeof *opts);
	if (opts->remote_put_slots < 2 || opts->remote_put_slots & (opts->remote_put_slots - 1))
		return weft_set_error(WEFT_EINVAL, "remote_put_slots %u of a pool is not a power of two from 2 on",
				      opts->remote_put_slots);
	return 0;
}

int weft_pool_open(const struct weft_pool_opts *opts, struct weft_pool **out)
{
	struct weft_pool *pool;
	int rc = check_opts(opts);

	if (rc)
		return rc;
	pool = aligned_alloc(WEFT_CACHE_LINE, sizeof *pool);
	if (!pool)
		return weft_set_error(WEFT_ENOMEM, "no memory for a pool");
	memset(pool, 0, sizeof *pool);
	rc = weft_mpsc_open(opts->remote_put_slots, sizeof(struct weft_buf *), &pool->remote);
	if (rc) {
		free(pool);
		return rc;
	}
	pool->low_water_bytes = opts->low_water_bytes;
	atomic_init(&pool->wanted_bytes, 0);
	weft__mem_runs_init(pool);
	weft__mem_slabs_init(pool);
	*out = pool;
	return 0;
}

void weft_pool_close(struct weft_pool **pool)
{
	if (!*pool)
		return;
	weft__mem_pool_forget(*pool);
	weft_mpsc_close(&(*pool)->remote);
	free(*pool);
	*pool = NULL;
}

/* From the class that fits best up to the largest: better a buffer that is too large than none. */
static struct weft_buf *get_slab(struct weft_pool *pool, size_t len_bytes)
{
	struct weft_buf *buf = NULL;

	for (unsigned int i = 0; !buf && i < POOL_SLAB_CLASSES; i++)
		if (len_bytes <= weft__mem_class_bytes[i])
			buf = weft__mem_slab_get(pool, i);
	return buf;
}

static struct weft_buf *get_run(struct weft_pool *pool, size_t len_bytes)
{
	uint32_t block_count = (uint32_t)((len_bytes + POOL_BLOCK_BYTES - 1) / POOL_BLOCK_BYTES);
	struct weft_pool_block *first = weft__mem_run_get(pool, block_count);
	struct weft_buf *buf;

	if (!first && weft__mem_slabs_reclaim(pool))
		first = weft__mem_run_get(pool, block_count);
	if (!first)
		return NULL;
	first->size_class = block_count == 1 ? POOL_CLASS_BLOCK : POOL_CLASS_RUN;
	buf = pool_buf_init(pool, first, 0, block_count * POOL_BLOCK_BYTES);
	buf->blocks = (uint16_t)block_count;
	return buf;
}

/* Kept apart so that getting stays short. No sentence: on the data path nothing is formatted. */
static __attribute__((noinline, cold)) int miss(struct weft_pool *pool, size_t len_bytes)
{
	size_t wanted_bytes = atomic_load_explicit(&pool->wanted_bytes, memory_order_relaxed);

	/* Relaxed: the number is all that is told. */
	while (wanted_bytes < len_bytes &&
	       !atomic_compare_exchange_weak_explicit(&pool->wanted_bytes, &wanted_bytes, len_bytes,
						      memory_order_relaxed, memory_order_relaxed))
		;
	pool->stats.misses++;
	return -WEFT_EAGAIN;
}

/* One writer, the owner; others read it. */
static inline void count_out(struct weft_pool *pool, int change)
{
	__atomic_store_n(&pool->stats.out_count, pool->stats.out_count + (uint32_t)change, __ATOMIC_RELAXED);
}

int weft_pool_get(struct weft_pool *pool, size_t len_bytes, struct weft_buf **out)
{
	struct weft_buf *buf;

	if (len_bytes <= weft__mem_class_bytes[POOL_SLAB_CLASSES - 1])
		buf = get_slab(pool, len_bytes);
	else if (len_bytes <= POOL_LEN_MAX)
		buf = get_run(pool, len_bytes);
	else
		return -WEFT_EMSGSIZE;
	if (__builtin_expect(!buf, 0))
		return miss(pool, len_bytes ? len_bytes : 1);
	buf->refs = 1;
	buf->next = NULL;
	pool->stats.gets++;
	count_out(pool, 1);
	pool->stats.free_bytes -= buf->capacity_bytes;
	*out = buf;
	return 0;
}

void weft_buf_ref(struct weft_buf *buf)
{
	WEFT_DASSERT(buf->refs && buf->refs < UINT32_MAX);
	buf->refs++;
}

void weft_buf_put(struct weft_buf *buf)
{
	struct weft_pool *pool = buf->pool;

	WEFT_DASSERT(buf->refs);
	if (--buf->refs)
		return;
	pool->stats.puts++;
	count_out(pool, -1);
	pool->stats.free_bytes += buf->capacity_bytes;
	if (buf->size_class < POOL_SLAB_CLASSES)
		weft__mem_slab_put(pool, buf);
	else
		weft__mem_run_put(pool, buf->block, buf->blocks);
}

bool weft_buf_put_remote(struct weft_buf *buf)
{
	return weft_mpsc_push(buf->pool->remote, &buf);
}

unsigned int weft_pool_drain(struct weft_pool *pool, unsigned int max)
{
	struct weft_buf *buf;
	unsigned int count = 0;

	while (count < max && weft_mpsc_pop(pool->remote, &buf)) {
		weft_buf_put(buf);
		count++;
	}
	pool->stats.remote_puts += count;
	return count;
}

size_t weft_pool_wants(struct weft_pool *pool)
{
	return atomic_exchange_explicit(&pool->wanted_bytes, 0, memory_order_relaxed);
}

bool weft_pool_is_low(const struct weft_pool *pool)
{
	size_t low_bytes = pool->low_water_bytes ? pool->low_water_bytes : pool->stats.total_bytes / 8;

	return pool->stats.free_bytes < low_bytes;
}

uint32_t weft_pool_out_count(const struct weft_pool *pool)
{
	return __atomic_load_n(&pool->stats.out_count, __ATOMIC_RELAXED);
}

void weft_pool_describe(const struct weft_pool *pool, struct weft_pool_stats *out)
{
	*out = pool->stats;
}

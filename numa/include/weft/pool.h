/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool: size-classed buffers over the data segments of an arena. One thread owns it, and gets and puts without
 * atomics; other threads put through a ring that the owner drains.
 *
 * Classes are 256 B, 2 KiB, 16 KiB, 64 KiB and 1 MiB, then whole multiples of 1 MiB up to 64 MiB less the header
 * block, then whole segments up to 1 GiB. The most recently freed buffer of a class is handed out first: its lines
 * are the likeliest to be cached. All bookkeeping is private memory, never in the shared segments.
 *
 * A pool never grows by itself, because growing is slow: get returns -WEFT_EAGAIN and remembers what it lacked;
 * somebody off the data path asks weft_pool_wants, grows the arena and gives the segment to the owner, who adopts it.
 */
#ifndef WEFT_POOL_H
#define WEFT_POOL_H

#include <weft/arena.h>

WEFT_BEGIN_DECLS

struct weft_pool;

struct weft_pool_block;

/* A buffer's private descriptor, one cache line. Fields are read-only for users, except next while they hold it. */
struct weft_buf {
	char *data;
	size_t capacity_bytes;
	uint64_t offset_bytes; /* of data in its segment */
	uint32_t segment_id;
	uint32_t refs; /* owner's count of holders */
	struct weft_pool *pool;
	struct weft_buf *next; /* the pool's and, while held, the holder's */
	uint16_t size_class;
	uint16_t blocks;               /* of 1 MiB, for runs */
	struct weft_pool_block *block; /* the pool's */
};

struct weft_pool_opts {
	size_t size;
	size_t low_water_bytes; /* below this much free memory weft_pool_is_low says so; default 1/8 of what it has */
	unsigned int remote_put_slots; /* ring for other threads' puts; default 1024, a power of two */
};

/* Fills in the defaults. Thread: any. */
WEFT_API void weft_pool_opts_init(struct weft_pool_opts *opts, size_t size);
/* Makes a pool without memory. Gives. -WEFT_ENOMEM, -WEFT_EINVAL. Thread: any; the caller becomes its owner or hands it on. */
WEFT_API int weft_pool_open(const struct weft_pool_opts *opts, struct weft_pool **out);
/* Ends the pool, whatever is still out; sets *pool to NULL. Segments stay the arena's. Thread: owner. */
WEFT_API void weft_pool_close(struct weft_pool **pool);

/*
 * Starts to carve buffers out of a data segment; keeps it. Allocates private memory. -WEFT_EINVAL for less than 2 MiB,
 * -WEFT_EEXIST, -WEFT_ENOMEM. Thread: owner.
 */
WEFT_API int weft_pool_adopt(struct weft_pool *pool, const struct weft_segment *segment);

/*
 * A buffer of at least len_bytes with one reference. Gives. -WEFT_EAGAIN when nothing fits now (and remembers the
 * size for weft_pool_wants), -WEFT_EMSGSIZE beyond 1 GiB. Does not allocate memory. Thread: owner.
 */
WEFT_API int weft_pool_get(struct weft_pool *pool, size_t len_bytes, struct weft_buf **out);
/* One more holder. Thread: owner. */
WEFT_API void weft_buf_ref(struct weft_buf *buf);
/* One holder less; the last one sends the buffer home. Thread: owner. */
WEFT_API void weft_buf_put(struct weft_buf *buf);
/* The same from another thread; false when the ring home is full (try again). Thread: any. */
WEFT_API bool weft_buf_put_remote(struct weft_buf *buf);
/* Takes home what other threads put, at most max; returns how many. Thread: owner. */
WEFT_API unsigned int weft_pool_drain(struct weft_pool *pool, unsigned int max);

/* The largest size that a failed get lacked since the last call, 0 if none: how much to grow by. Thread: any. */
WEFT_API size_t weft_pool_wants(struct weft_pool *pool);
/* Whether free memory is below the low-water mark: deliver by copy instead of lending. Thread: owner. */
WEFT_API bool weft_pool_is_low(const struct weft_pool *pool);

struct weft_pool_stats {
	size_t total_bytes, free_bytes;
	uint64_t gets, puts, remote_puts, misses; /* since open */
	uint32_t out_count;                       /* buffers that are not home */
};
/* Buffers that are not home. Thread: any; may be a moment old. */
WEFT_API uint32_t weft_pool_out_count(const struct weft_pool *pool);
/* Thread: owner. */
WEFT_API void weft_pool_describe(const struct weft_pool *pool, struct weft_pool_stats *out);

WEFT_END_DECLS

#endif

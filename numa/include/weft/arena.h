/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An arena: the shareable memory of one node and one trust group, as a list of segments that grows up to a limit.
 *
 * Whoever maps a segment reads all of it, so an arena is shared with one group only. Segments are identified by
 * small numbers that are never used again within the node's life. Growing is slow and happens on the runner;
 * workers carve buffers out of what is there (pool.h), and small long-lived pieces (rings, flags) come from
 * weft_arena_carve.
 */
#ifndef WEFT_ARENA_H
#define WEFT_ARENA_H

#include <weft/segment.h>

WEFT_BEGIN_DECLS

struct weft_arena;

struct weft_arena_opts {
	size_t size;
	uint64_t incarnation;
	size_t control_segment_bytes; /* default 2 MiB: rings, flags */
	size_t data_segment_bytes;    /* default 64 MiB: buffers */
	size_t max_bytes;             /* all segments together; default 1 GiB */
	enum weft_pages pages;
	int numa_node;
};

/* Fills in the defaults. Thread: any. */
WEFT_API void weft_arena_opts_init(struct weft_arena_opts *opts, size_t size);
/* Makes an empty arena: no memory is taken yet. Copies opts. Gives. -WEFT_ENOMEM, -WEFT_EINVAL. Thread: any. */
WEFT_API int weft_arena_open(const struct weft_arena_opts *opts, struct weft_arena **out);
/* Drops every segment and sets *arena to NULL. Thread: owner. */
WEFT_API void weft_arena_close(struct weft_arena **arena);

/*
 * Adds a segment of at least len_bytes of payload (0: the default data size), which begins 1 MiB into it, after the
 * block with the header. Gives nothing away: *out is borrowed, until close. -WEFT_EQUOTA beyond
 * max_bytes; errors of weft_segment_open. Slow, but others may use the arena meanwhile.
 * Thread: any but a data-path worker.
 */
WEFT_API int weft_arena_grow(struct weft_arena *arena, size_t len_bytes, const struct weft_segment **out);
/* The same, on a NUMA node that may be another than the arena's (-1: wherever the first touch falls). */
WEFT_API int weft_arena_grow_near(struct weft_arena *arena, size_t len_bytes, int numa_node,
				  const struct weft_segment **out);

/* A small piece of a control segment: zeroed, 64-byte aligned. */
struct weft_carving {
	void *base;
	uint32_t segment_id;
	uint32_t len_bytes;
	uint64_t offset_bytes; /* from the segment's start */
};
/* Carves len_bytes (rounded up to 64), growing by a control segment if needed. Slow. Errors as weft_arena_grow.
 * Thread: any but a data-path worker. */
WEFT_API int weft_arena_carve(struct weft_arena *arena, size_t len_bytes, struct weft_carving *out);
/* Gives a piece back for later carvings. Thread: any but a data-path worker. */
WEFT_API void weft_arena_uncarve(struct weft_arena *arena, const struct weft_carving *carving);

/* The segment with that id, or NULL. Borrowed until close. Takes the lock. Thread: any but a data-path worker. */
WEFT_API const struct weft_segment *weft_arena_segment(struct weft_arena *arena, uint32_t segment_id);

struct weft_arena_stats {
	size_t segment_count, total_bytes, max_bytes;
	size_t carved_bytes;
	size_t hugetlb_bytes, collapsed_bytes, small_bytes; /* by what the pages became */
};
/* Thread: any. */
WEFT_API void weft_arena_describe(struct weft_arena *arena, struct weft_arena_stats *out);

WEFT_END_DECLS

#endif

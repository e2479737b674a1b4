/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of an arena. A control segment has a map with one bit for each line of 64 bytes that is taken, so
 * giving a piece back never needs memory.
 */
#ifndef MEM_ARENA_PRIVATE_H
#define MEM_ARENA_PRIVATE_H

#include <weft/arena.h>
#include <weft/list.h>

#include <pthread.h>

#define ARENA_LINE_BYTES 64

struct arena_segment {
	struct weft_list link;
	struct weft_segment segment;
	uint64_t *lines_taken; /* NULL: a data segment */
	size_t line_count;
	size_t carved_bytes;
};

struct weft_arena {
	pthread_mutex_t lock; /* of everything below */
	struct weft_arena_opts opts;
	struct weft_list segments;
	uint32_t last_id;
	size_t total_bytes;
};

/*
 * Adds a segment; control: with a map of lines. Without the lock: it is only taken for moments, so that nobody waits
 * while pages are being made.
 */
int weft__mem_arena_add(struct weft_arena *arena, size_t len_bytes, int numa_node, bool control,
			struct arena_segment **out);
/* With the lock held. */
struct arena_segment *weft__mem_arena_find(struct weft_arena *arena, uint32_t segment_id);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small long-lived pieces of control segments: first fit over each segment's map of taken lines. Carving happens
 * when links are made, not when messages are, so the walk over the map does not matter.
 */
#include <weft/assert.h>
#include <weft/errors.h>

#include "mem/arena_private.h"
#include "mem/map_private.h"

#include <string.h>

static bool is_taken(const struct arena_segment *entry, size_t line)
{
	return entry->lines_taken[line / 64] >> line % 64 & 1;
}

static void mark(struct arena_segment *entry, size_t first, size_t count, bool taken)
{
	for (size_t line = first; line < first + count; line++) {
		uint64_t bit = UINT64_C(1) << line % 64;

		WEFT_ASSERT(is_taken(entry, line) != taken);
		entry->lines_taken[line / 64] ^= bit;
	}
}

/* The first of count free lines in a row; 0, the header's line, when there are not so many. */
static size_t find_lines(const struct arena_segment *entry, size_t count)
{
	size_t run = 0;

	for (size_t line = 1; line < entry->line_count; line++) {
		if (line % 64 == 0 && entry->lines_taken[line / 64] == UINT64_MAX) {
			run = 0;
			line += 63;
			continue;
		}
		run = is_taken(entry, line) ? 0 : run + 1;
		if (run == count)
			return line + 1 - count;
	}
	return 0;
}

/* With the lock held: the first segment that has a place, or NULL. */
static struct arena_segment *find_place(struct weft_arena *arena, size_t count, size_t *first)
{
	WEFT_LIST_FOR_EACH(link, &arena->segments) {
		struct arena_segment *entry = WEFT_CONTAINER_OF(link, struct arena_segment, link);

		*first = entry->lines_taken ? find_lines(entry, count) : 0;
		if (*first)
			return entry;
	}
	return NULL;
}

/* With the lock held. */
static void take(struct arena_segment *entry, size_t first, size_t count, struct weft_carving *out)
{
	mark(entry, first, count, true);
	entry->carved_bytes += count * ARENA_LINE_BYTES;
	*out = (struct weft_carving){
		.base = entry->segment.base + first * ARENA_LINE_BYTES,
		.segment_id = entry->segment.segment_id,
		.len_bytes = (uint32_t)(count * ARENA_LINE_BYTES),
		.offset_bytes = first * ARENA_LINE_BYTES,
	};
	memset(out->base, 0, out->len_bytes);
}

int weft_arena_carve(struct weft_arena *arena, size_t len_bytes, struct weft_carving *out)
{
	struct arena_segment *entry = NULL;
	size_t first, count, segment_bytes;
	int rc = 0;

	if (!len_bytes || len_bytes > (UINT32_MAX & ~(uint32_t)(ARENA_LINE_BYTES - 1)))
		return weft_set_error(WEFT_EINVAL, "cannot carve %zu bytes: ask for 1 byte to 4 GiB", len_bytes);
	count = mem_round_up(len_bytes, ARENA_LINE_BYTES) / ARENA_LINE_BYTES;
	segment_bytes = (count + 1) * ARENA_LINE_BYTES;
	if (segment_bytes < arena->opts.control_segment_bytes)
		segment_bytes = arena->opts.control_segment_bytes;
	pthread_mutex_lock(&arena->lock);
	/* Somebody else may take the new segment's lines first: then it is done once more, up to the quota. */
	while (!rc && !(entry = find_place(arena, count, &first))) {
		pthread_mutex_unlock(&arena->lock);
		rc = weft__mem_arena_add(arena, segment_bytes, arena->opts.numa_node, true, &entry);
		pthread_mutex_lock(&arena->lock);
	}
	if (!rc)
		take(entry, first, count, out);
	pthread_mutex_unlock(&arena->lock);
	return rc;
}

void weft_arena_uncarve(struct weft_arena *arena, const struct weft_carving *carving)
{
	struct arena_segment *entry;

	pthread_mutex_lock(&arena->lock);
	entry = weft__mem_arena_find(arena, carving->segment_id);
	WEFT_ASSERT(entry && entry->lines_taken && carving->offset_bytes &&
		    carving->offset_bytes + carving->len_bytes <= entry->segment.len_bytes);
	mark(entry, carving->offset_bytes / ARENA_LINE_BYTES, carving->len_bytes / ARENA_LINE_BYTES, false);
	entry->carved_bytes -= carving->len_bytes;
	pthread_mutex_unlock(&arena->lock);
}

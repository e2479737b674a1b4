/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An arena's list of segments. Not here: the small pieces of control segments, which are in carve.c.
 */
#include <weft/assert.h>
#include <weft/errors.h>

#include "mem/arena_private.h"
#include "mem/map_private.h"

#include <stdlib.h>
#include <string.h>

#define MIB ((size_t)1 << 20)
#define ARENA_MAX_BYTES ((size_t)1 << 46)

_Static_assert(sizeof(struct weft_arena_opts) == 48, "new fields go to the end");

void weft_arena_opts_init(struct weft_arena_opts *opts, size_t size)
{
	memset(opts, 0, size);
	opts->size = size;
	opts->control_segment_bytes = 2 * MIB;
	opts->data_segment_bytes = 64 * MIB;
	opts->max_bytes = 1024 * MIB;
	opts->pages = WEFT_PAGES_AUTO;
	opts->numa_node = -1;
}

static int check_opts(const struct weft_arena_opts *opts)
{
	if (opts->size != sizeof *opts)
		return weft_set_error(WEFT_EINVAL, "arena options of %zu bytes, not %zu: call weft_arena_opts_init",
				      opts->size, sizeof *opts);
	if (opts->max_bytes > ARENA_MAX_BYTES)
		return weft_set_error(WEFT_EINVAL, "max_bytes %zu of an arena is more than 2^46", opts->max_bytes);
	if (opts->control_segment_bytes < 4096 || opts->control_segment_bytes > opts->max_bytes)
		return weft_set_error(WEFT_EINVAL, "control_segment_bytes %zu is not 4096 to max_bytes %zu",
				      opts->control_segment_bytes, opts->max_bytes);
	if (opts->data_segment_bytes < 2 * MIB || opts->data_segment_bytes % (2 * MIB) ||
	    opts->data_segment_bytes > opts->max_bytes)
		return weft_set_error(WEFT_EINVAL,
				      "data_segment_bytes %zu is not a multiple of 2 MiB up to max_bytes %zu",
				      opts->data_segment_bytes, opts->max_bytes);
	return 0;
}

int weft_arena_open(const struct weft_arena_opts *opts, struct weft_arena **out)
{
	struct weft_arena *arena;
	int rc = check_opts(opts);

	if (rc)
		return rc;
	arena = calloc(1, sizeof *arena);
	if (!arena)
		return weft_set_error(WEFT_ENOMEM, "no memory for an arena");
	pthread_mutex_init(&arena->lock, NULL); /* with default attributes it cannot fail here */
	arena->opts = *opts;
	weft_list_init(&arena->segments);
	*out = arena;
	return 0;
}

static void discard(struct weft_arena *arena, struct arena_segment *entry)
{
	weft_list_remove(&entry->link);
	arena->total_bytes -= entry->segment.len_bytes;
	weft_segment_close(&entry->segment);
	free(entry->lines_taken);
	free(entry);
}

void weft_arena_close(struct weft_arena **arena)
{
	if (!*arena)
		return;
	WEFT_LIST_FOR_EACH(link, &(*arena)->segments)
		discard(*arena, WEFT_CONTAINER_OF(link, struct arena_segment, link));
	pthread_mutex_destroy(&(*arena)->lock);
	free(*arena);
	*arena = NULL;
}

/* Room in the quota and a number for a segment that is to come. */
static int reserve(struct weft_arena *arena, size_t len_bytes, uint32_t *segment_id)
{
	size_t total_bytes;
	bool fits;

	pthread_mutex_lock(&arena->lock);
	total_bytes = arena->total_bytes;
	fits = len_bytes <= arena->opts.max_bytes - total_bytes && arena->last_id < UINT32_MAX;
	if (fits) {
		arena->total_bytes += len_bytes;
		*segment_id = ++arena->last_id;
	}
	pthread_mutex_unlock(&arena->lock);
	if (fits)
		return 0;
	return weft_set_error(WEFT_EQUOTA, "a segment of %zu bytes is too much for an arena of %zu of %zu bytes",
			      len_bytes, total_bytes, arena->opts.max_bytes);
}

static int open_segment(struct weft_arena *arena, size_t len_bytes, int numa_node, struct weft_segment *out)
{
	struct weft_segment_opts opts;
	int rc;

	weft_segment_opts_init(&opts, sizeof opts);
	opts.len_bytes = len_bytes;
	opts.pages = arena->opts.pages;
	opts.numa_node = numa_node;
	opts.incarnation = arena->opts.incarnation;
	rc = reserve(arena, len_bytes, &opts.segment_id);
	if (rc)
		return rc;
	rc = weft_segment_open(&opts, out);
	if (!rc)
		return 0;
	pthread_mutex_lock(&arena->lock);
	arena->total_bytes -= len_bytes;
	pthread_mutex_unlock(&arena->lock);
	return rc;
}

int weft__mem_arena_add(struct weft_arena *arena, size_t len_bytes, int numa_node, bool control,
			struct arena_segment **out)
{
	struct arena_segment *entry = calloc(1, sizeof *entry);
	size_t page_bytes = arena->opts.pages == WEFT_PAGES_HUGETLB ? MEM_HUGE_BYTES : weft__mem_page_bytes();
	int rc;

	len_bytes = mem_round_up(len_bytes, page_bytes);
	if (!entry)
		return weft_set_error(WEFT_ENOMEM, "no memory to keep account of a segment");
	if (control) {
		entry->line_count = len_bytes / ARENA_LINE_BYTES;
		entry->lines_taken = calloc((entry->line_count + 63) / 64, sizeof *entry->lines_taken);
		if (!entry->lines_taken) {
			rc = weft_set_error(WEFT_ENOMEM, "no memory to keep account of a segment");
			goto free_entry;
		}
		entry->lines_taken[0] = 1; /* the segment's header */
	}
	rc = open_segment(arena, len_bytes, numa_node, &entry->segment);
	if (rc)
		goto free_lines;
	pthread_mutex_lock(&arena->lock);
	weft_list_push_back(&arena->segments, &entry->link);
	pthread_mutex_unlock(&arena->lock);
	*out = entry;
	return 0;

free_lines:
	free(entry->lines_taken);
free_entry:
	free(entry);
	return rc;
}

struct arena_segment *weft__mem_arena_find(struct weft_arena *arena, uint32_t segment_id)
{
	WEFT_LIST_FOR_EACH(link, &arena->segments) {
		struct arena_segment *entry = WEFT_CONTAINER_OF(link, struct arena_segment, link);

		if (entry->segment.segment_id == segment_id)
			return entry;
	}
	return NULL;
}

int weft_arena_grow(struct weft_arena *arena, size_t len_bytes, const struct weft_segment **out)
{
	return weft_arena_grow_near(arena, len_bytes, arena->opts.numa_node, out);
}

int weft_arena_grow_near(struct weft_arena *arena, size_t len_bytes, int numa_node, const struct weft_segment **out)
{
	struct arena_segment *entry = NULL;
	size_t segment_bytes = arena->opts.data_segment_bytes;
	int rc;

	if (len_bytes > arena->opts.max_bytes)
		return weft_set_error(WEFT_EQUOTA, "a payload of %zu bytes in an arena of at most %zu", len_bytes,
				      arena->opts.max_bytes);
	/* The payload starts at the second block: the first one holds the header. */
	if (len_bytes)
		segment_bytes = mem_round_up(mem_round_up(len_bytes, MIB) + MIB, MEM_HUGE_BYTES);
	rc = weft__mem_arena_add(arena, segment_bytes, numa_node, false, &entry);
	if (!rc)
		*out = &entry->segment;
	return rc;
}

const struct weft_segment *weft_arena_segment(struct weft_arena *arena, uint32_t segment_id)
{
	struct arena_segment *entry;

	pthread_mutex_lock(&arena->lock);
	entry = weft__mem_arena_find(arena, segment_id);
	pthread_mutex_unlock(&arena->lock);
	return entry ? &entry->segment : NULL;
}

void weft_arena_describe(struct weft_arena *arena, struct weft_arena_stats *out)
{
	struct weft_arena_stats stats = {.max_bytes = arena->opts.max_bytes};

	pthread_mutex_lock(&arena->lock);
	stats.total_bytes = arena->total_bytes;
	WEFT_LIST_FOR_EACH(link, &arena->segments) {
		const struct arena_segment *entry = WEFT_CONTAINER_OF(link, struct arena_segment, link);
		const struct weft_segment *segment = &entry->segment;

		stats.segment_count++;
		stats.carved_bytes += entry->carved_bytes;
		if (segment->pages == WEFT_PAGES_HUGETLB)
			stats.hugetlb_bytes += segment->len_bytes;
		else if (segment->pages == WEFT_PAGES_COLLAPSE)
			stats.collapsed_bytes += segment->len_bytes;
		else
			stats.small_bytes += segment->len_bytes;
	}
	pthread_mutex_unlock(&arena->lock);
	*out = stats;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets under way, the first to arrive on top: a binary heap by time, and by number among those of one time.
 */
#include "sim/sim_private.h"

#include <stdlib.h>

static bool sooner(const struct sim_event *a, const struct sim_event *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->number < b->number;
}

static bool grow(struct sim_heap *heap)
{
	uint32_t capacity = heap->capacity ? heap->capacity * 2 : 64;
	struct sim_event **events = realloc(heap->events, capacity * sizeof *events);

	if (!events)
		return false;
	heap->events = events;
	heap->capacity = capacity;
	return true;
}

bool weft__sim_heap_push(struct sim_heap *heap, struct sim_event *event)
{
	uint32_t at = heap->count, parent;

	if (heap->count == heap->capacity && !grow(heap))
		return false;
	for (; at > 0 && sooner(event, heap->events[parent = (at - 1) / 2]); at = parent)
		heap->events[at] = heap->events[parent];
	heap->events[at] = event;
	heap->count++;
	return true;
}

struct sim_event *weft__sim_heap_pop(struct sim_heap *heap, uint64_t now_ns)
{
	struct sim_event *top = heap->count ? heap->events[0] : NULL, *last;
	uint32_t at = 0, child;

	if (!top || top->due_ns > now_ns)
		return NULL;
	last = heap->events[--heap->count];
	while ((child = 2 * at + 1) < heap->count) {
		if (child + 1 < heap->count && sooner(heap->events[child + 1], heap->events[child]))
			child++;
		if (!sooner(heap->events[child], last))
			break;
		heap->events[at] = heap->events[child];
		at = child;
	}
	heap->events[at] = last;
	return top;
}

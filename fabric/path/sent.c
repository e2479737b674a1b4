/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue in a ring of a power of 2.
 */
#include "path/sent.h"

#include <stdlib.h>
#include <weft/assert.h>

_Static_assert(sizeof(struct weft__sent) == 32, "two share a cache line");
_Static_assert(WEFT__SENT_MAX <= UINT16_MAX, "a run fits into its field");

static bool grow(struct weft__sent_queue *queue)
{
	uint32_t size = queue->size ? 2 * queue->size : WEFT__SENT_FIRST;
	struct weft__sent *slots;

	if (size > WEFT__SENT_MAX)
		return false;
	slots = malloc(size * sizeof *slots);
	if (!slots)
		return false;
	for (uint32_t at = queue->head; at != queue->tail; at++)
		slots[at & (size - 1)] = *weft__sent_at(queue, at);
	free(queue->slots);
	queue->slots = slots;
	queue->size = size;
	return true;
}

static bool has_place(const struct weft__sent_queue *queue, uint32_t count)
{
	return queue->size - (queue->tail - queue->head) >= count;
}

/* What is no longer under way, from the oldest on, until there is place. */
static void forget(struct weft__sent_queue *queue, uint32_t count, bool lost_too)
{
	while (!has_place(queue, count) && queue->head != queue->flying) {
		if (weft__sent_at(queue, queue->head)->state == WEFT__SENT_LOST && !lost_too)
			break;
		queue->head++;
	}
}

bool weft__sent_reserve(struct weft__sent_queue *queue, uint32_t count)
{
	forget(queue, count, queue->size >= WEFT__SENT_REMEMBERED);
	while (!has_place(queue, count) && grow(queue))
		;
	forget(queue, count, true);
	return has_place(queue, count);
}

struct weft__sent *weft__sent_push(struct weft__sent_queue *queue)
{
	WEFT_ASSERT(has_place(queue, 1));
	return weft__sent_at(queue, queue->tail++);
}

uint32_t weft__sent_find(const struct weft__sent_queue *queue, uint64_t number)
{
	uint32_t first = queue->head, count = queue->tail - queue->head;

	while (count) {
		uint32_t half = count / 2;

		if (weft__sent_at(queue, first + half)->number < number) {
			first += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return first;
}

struct weft__sent *weft__sent_oldest(const struct weft__sent_queue *queue)
{
	return queue->flying == queue->tail ? NULL : weft__sent_at(queue, queue->flying);
}

void weft__sent_drop(struct weft__sent_queue *queue)
{
	free(queue->slots);
	*queue = (struct weft__sent_queue){0};
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that wait: copies of small data in the order in which they came, so that each class of a path keeps its own.
 */
#include "fault/fault.h"

#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>

static void flip_one_bit(struct fault_path *path, struct fault_held *held)
{
	uint64_t bit = weft_random_below(&path->random, (uint64_t)held->frame.len_bytes * 8);

	held->bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
}

int weft__fault_hold(struct fault_path *path, const struct weft_rx_frame *frame, uint64_t due_ns, bool flip)
{
	struct fault_held *held = malloc(sizeof *held + frame->len_bytes);

	if (!held)
		return -WEFT_ENOMEM;
	held->due_ns = due_ns;
	held->frame = *frame;
	held->frame.path = &path->base;
	held->frame.data = held->bytes;
	if (frame->len_bytes)
		memcpy(held->bytes, frame->data, frame->len_bytes);
	if (flip && frame->len_bytes)
		flip_one_bit(path, held);
	if (weft_list_empty(&path->held))
		weft_list_push_back(&path->port->holding, &path->in_holding);
	weft_list_push_back(&path->held, &held->link);
	path->port->held_count++;
	return 0;
}

static struct fault_held *first_of(const struct fault_path *path)
{
	return WEFT_CONTAINER_OF(path->held.next, struct fault_held, link);
}

/* Takes the first off its path. */
static struct fault_held *take_first(struct fault_path *path)
{
	struct fault_held *held = WEFT_CONTAINER_OF(weft_list_pop_front(&path->held), struct fault_held, link);

	path->port->held_count--;
	if (weft_list_empty(&path->held))
		weft_list_remove(&path->in_holding);
	return held;
}

unsigned int weft__fault_held_take(struct fault_port *port, struct weft_rx_frame *frames, unsigned int max)
{
	uint64_t now_ns = weft_worker_now(port->worker);
	unsigned int count = 0;

	WEFT_LIST_FOR_EACH(at, &port->holding) {
		struct fault_path *path = WEFT_CONTAINER_OF(at, struct fault_path, in_holding);

		while (count < max && !weft_list_empty(&path->held) && first_of(path)->due_ns <= now_ns) {
			struct fault_held *held = take_first(path);

			frames[count++] = held->frame;
			weft_list_push_back(&port->spent, &held->link);
			weft__fault_count(path);
		}
	}
	return count;
}

void weft__fault_spent_free(struct fault_port *port)
{
	while (!weft_list_empty(&port->spent))
		free(WEFT_CONTAINER_OF(weft_list_pop_front(&port->spent), struct fault_held, link));
}

void weft__fault_held_drop(struct fault_path *path)
{
	while (!weft_list_empty(&path->held)) {
		struct fault_held *held = take_first(path);

		if (held->frame.loan_data)
			path->port->below->release(path->below, held->frame.loan_id);
		free(held);
	}
}

void weft__fault_held_wake(struct fault_port *port)
{
	uint64_t first_ns = UINT64_MAX;

	WEFT_LIST_FOR_EACH(at, &port->holding) {
		const struct fault_path *path = WEFT_CONTAINER_OF(at, struct fault_path, in_holding);

		if (first_of(path)->due_ns < first_ns)
			first_ns = first_of(path)->due_ns;
	}
	if (first_ns == UINT64_MAX)
		weft_timer_cancel(port->worker, &port->wake);
	else if (!weft_timer_is_set(&port->wake) || port->wake.deadline_ns != first_ns)
		weft_timer_set(port->worker, &port->wake, first_ns);
}

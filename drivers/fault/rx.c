/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving: what comes from below passes, waits, or is lost, doubled or changed.
 */
#include "fault/fault.h"

/* The frame's loan, if it has one, goes back unread. */
static void lose(struct fault_path *path, const struct weft_rx_frame *frame)
{
	if (frame->loan_data)
		path->port->below->release(path->below, frame->loan_id);
}

static void hold(struct fault_path *path, const struct weft_rx_frame *frame, uint64_t due_ns, bool flip)
{
	if (weft__fault_hold(path, frame, due_ns, flip) == 0)
		return;
	lose(path, frame);
	/* Without memory a reliable path that loses a frame is broken; the others may lose. */
	if (path->port->device->driver_below->caps & WEFT_DRIVER_RELIABLE)
		weft__fault_cut(path);
}

/* True when the frame is handed up now. */
static bool passes(struct fault_path *path, const struct weft_rx_frame *frame)
{
	const struct fault_spec *spec = &path->port->device->spec;
	bool flip, twice, wait;

	if (path->cut || weft__fault_draw(path, spec->drop)) {
		lose(path, frame);
		return false;
	}
	flip = weft__fault_draw(path, spec->corrupt);
	twice = weft__fault_draw(path, spec->duplicate) && !frame->loan_data; /* which is given back only once */
	wait = weft__fault_draw(path, spec->delay);
	if (!flip && !twice && !wait && weft_list_empty(&path->held))
		return true;
	for (unsigned int i = 0; i < 1u + twice; i++)
		hold(path, frame, wait ? weft_worker_now(path->port->worker) + spec->delay_us * 1000 : 0, flip);
	return false;
}

/* Sorts a burst from below, in its place. Returns what is left of it to hand up. */
static unsigned int sieve(struct weft_rx_frame *frames, unsigned int count)
{
	unsigned int left = 0;

	for (unsigned int i = 0; i < count; i++) {
		struct fault_path *path = frames[i].path->user;

		if (!passes(path, &frames[i]))
			continue;
		frames[left] = frames[i];
		frames[left++].path = &path->base;
		weft__fault_count(path);
	}
	return left;
}

unsigned int weft__fault_rx(struct weft_port *base, struct weft_rx_frame *frames, unsigned int max)
{
	struct fault_port *port = weft__fault_port_of(base);
	unsigned int count = 0;

	if (__builtin_expect(!weft_list_empty(&port->spent), 0))
		weft__fault_spent_free(port);
	if (__builtin_expect(!weft_list_empty(&port->due), 0))
		weft__fault_tell(port);
	if (__builtin_expect(port->held_count, 0))
		count = weft__fault_held_take(port, frames, max);
	if (count < max && port->held_count < FAULT_HELD_MAX)
		count += sieve(frames + count, port->below->rx(port->below, frames + count, max - count));
	if (__builtin_expect(port->held_count || weft_timer_is_set(&port->wake), 0))
		weft__fault_held_wake(port);
	weft__fault_flush_due(port);
	return count;
}

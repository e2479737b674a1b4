/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may send us large messages now, beyond their first bytes: the few of which least is missing (as Homa does: Montazeri and
 * others, SIGCOMM 2018) and the oldest, as far as the port's budget goes. So many senders at once neither fill the network's
 * queues nor our memory.
 */
#include "path/path_private.h"

/* Who has not used this part of its grants after the time for a probe is not waited for. */
#define USED_IN_TIME 8u

static bool is_next(const struct weft__incoming *incoming)
{
	return incoming->sequence == incoming->path->rx_next[incoming->stream];
}

/* Of what is missing, as a power of two: of equals the first is to be ended first. */
static int size_class(const struct weft__incoming *incoming)
{
	return 64 - __builtin_clzll((incoming->total_bytes - incoming->base_bytes - 1) | 1);
}

/*
 * Those of paths that use their grants go first; then what is handed up next, as what stands behind it in its stream would
 * only wait here; then the shortest, or the oldest of all, which would starve else; then the older.
 */
static bool comes_before(const struct weft__incoming *one, const struct weft__incoming *other, bool oldest)
{
	if (!one->path->slow_count != !other->path->slow_count)
		return !one->path->slow_count;
	if (is_next(one) != is_next(other))
		return is_next(one);
	if (!oldest && size_class(one) != size_class(other))
		return size_class(one) < size_class(other);
	return (int32_t)(one->number - other->number) < 0;
}

/* The first of those that want more and were not chosen in this pass; NULL: there is none. */
static struct weft__incoming *choose(const struct weft__path_port *port, bool oldest)
{
	struct weft__incoming *first = NULL;

	WEFT_LIST_FOR_EACH(at, (struct weft_list *)(uintptr_t)&port->receiving) {
		struct weft__incoming *incoming = WEFT_CONTAINER_OF(at, struct weft__incoming, in_receiving);

		if (incoming->waits || incoming->told_bytes >= incoming->total_bytes ||
		    incoming->pass == port->grant_pass)
			continue;
		if (!first || comes_before(incoming, first, oldest))
			first = incoming;
	}
	return first;
}

/* How far it may come now. */
static uint64_t reach(const struct weft__incoming *incoming)
{
	uint64_t window_end = incoming->base_bytes / WEFT__GRAIN_BYTES * WEFT__GRAIN_BYTES + WEFT__WINDOW_BYTES;
	uint64_t end = (incoming->told_bytes + weft__budget_left(incoming)) / WEFT__GRAIN_BYTES * WEFT__GRAIN_BYTES;

	end = end < window_end ? end : window_end;
	return end < incoming->total_bytes ? end : incoming->total_bytes;
}

/* A grant is worth a packet when it is for a step, or for the rest. False: there was no room to say it. */
static bool grant(struct weft__incoming *incoming)
{
	uint64_t end = reach(incoming);
	unsigned char *to;

	if (end <= incoming->told_bytes ||
	    (end < incoming->total_bytes && end - incoming->told_bytes < weft__budget_step(incoming)))
		return true;
	to = weft__path_say(incoming->path, WEFT_CLASS_EXPRESS, WEFT__GRANT_BYTES);
	if (!to)
		return false;
	weft__grant_write(to, incoming->stream, incoming->sequence, end);
	weft__budget_expect(incoming, end);
	if (incoming->granted_bytes < end)
		incoming->granted_bytes = end;
	return true;
}

void weft__grants_give(struct weft__path_port *port)
{
	struct weft__incoming *incoming;
	bool said = true;

	port->grants_due = false;
	port->grant_pass++;
	weft__room_look(port);
	for (unsigned int i = 1; i <= WEFT__GRANTED_AT_ONCE; i++) {
		incoming = choose(port, i == WEFT__GRANTED_AT_ONCE);
		if (!incoming)
			break;
		incoming->pass = port->grant_pass;
		said &= grant(incoming);
	}
	port->grants_due |= !said;
	if (!weft_list_empty(&port->receiving) && !weft_timer_is_set(&port->slow_look))
		weft_timer_set(port->worker, &port->slow_look,
			       weft_worker_now(port->worker) + port->net->driver->timing.probe_floor_ns);
}

void weft__grants_look_for_slow(struct weft_timer *timer, void *user)
{
	struct weft__path_port *port = user;

	(void)timer;
	WEFT_LIST_FOR_EACH(at, &port->receiving) {
		struct weft__incoming *incoming = WEFT_CONTAINER_OF(at, struct weft__incoming, in_receiving);
		uint64_t open_bytes = incoming->told_bytes - incoming->come_bytes;

		/* What was granted since the last look had no time to come. */
		if (open_bytes && incoming->looked_told_bytes == incoming->told_bytes &&
		    incoming->come_bytes - incoming->looked_come_bytes < open_bytes / USED_IN_TIME + 1)
			weft__budget_is_slow(incoming);
		incoming->looked_told_bytes = incoming->told_bytes;
		incoming->looked_come_bytes = incoming->come_bytes;
	}
	weft__grants_give(port);
}

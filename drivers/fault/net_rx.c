/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving packets: what comes from below passes, or is lost, doubled, altered, late or overtaken.
 */
#include "fault/fault_net.h"

#include <stdlib.h>
#include <string.h>

static void free_all(struct weft_list *list)
{
	while (!weft_list_empty(list))
		free(WEFT_CONTAINER_OF(weft_list_pop_front(list), struct fault_net_held, link));
}

void weft__fault_net_forget(struct fault_net_port *port)
{
	free_all(&port->held);
	free_all(&port->spent);
	port->held_count = 0;
}

/* ---- copies ---- */

/* NULL without memory: then the packet is lost. */
static struct fault_net_held *copy(struct fault_net_port *port, const struct weft_net_rx *packet)
{
	struct fault_net_held *held = malloc(sizeof *held + packet->len_bytes);

	if (!held) {
		port->lost++;
		return NULL;
	}
	held->packet = *packet;
	held->packet.data = held->bytes;
	memcpy(held->bytes, packet->data, packet->len_bytes);
	return held;
}

static void flip_one_bit(struct fault_net_port *port, struct fault_net_held *held)
{
	uint64_t bit = weft_random_below(&port->random, (uint64_t)held->packet.len_bytes * 8);

	held->bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
}

/* Holds it until then, or until so many others have passed. */
static void hold(struct fault_net_port *port, struct fault_net_held *held, uint64_t due_ns, uint64_t others)
{
	held->due_ns = due_ns;
	held->due_at = others == UINT64_MAX ? others : port->passed + others;
	weft_list_push_back(&port->held, &held->link);
	port->held_count++;
}

/* Hands it up. */
static void pass(struct fault_net_port *port, struct weft_net_rx *to, const struct weft_net_rx *packet)
{
	*to = *packet;
	port->passed++;
	port->passed_bytes += packet->len_bytes;
}

/* ---- those that wait ---- */

static unsigned int take_due(struct fault_net_port *port, struct weft_net_rx *packets, unsigned int max)
{
	uint64_t now_ns = port->held_count ? weft_worker_now(port->worker) : 0;
	unsigned int count = 0;

	WEFT_LIST_FOR_EACH(at, &port->held) {
		struct fault_net_held *held = WEFT_CONTAINER_OF(at, struct fault_net_held, link);

		if (count == max)
			break;
		if (held->due_ns > now_ns && held->due_at > port->passed)
			continue;
		weft_list_remove(&held->link);
		port->held_count--;
		weft_list_push_back(&port->spent, &held->link);
		pass(port, &packets[count++], &held->packet);
	}
	return count;
}

static void wake(struct fault_net_port *port)
{
	uint64_t first_ns = UINT64_MAX;

	WEFT_LIST_FOR_EACH(at, &port->held) {
		const struct fault_net_held *held = WEFT_CONTAINER_OF(at, struct fault_net_held, link);
		uint64_t due_ns = held->due_at <= port->passed ? 0 : held->due_ns;

		first_ns = due_ns < first_ns ? due_ns : first_ns;
	}
	if (first_ns == UINT64_MAX)
		weft_timer_cancel(port->worker, &port->wake);
	else
		weft_timer_set(port->worker, &port->wake, first_ns);
}

/* ---- those that come ---- */

/* A copy of it is handed up later, at once if that is in the past. */
static void hold_copy(struct fault_net_port *port, const struct weft_net_rx *packet, uint64_t due_ns, uint64_t others)
{
	struct fault_net_held *held = copy(port, packet);

	if (held)
		hold(port, held, due_ns, others);
}

/* Sorts one that came: true when it, or what has become of it, is handed up now. */
static bool sort(struct fault_net_port *port, struct weft_net_rx *packet)
{
	const struct fault_spec *spec = &port->net->spec;
	uint64_t until_ns = weft_worker_now(port->worker) + spec->delay_us * 1000;

	if (weft__fault_net_draw(port, spec->drop)) {
		port->lost++;
		return false;
	}
	if (weft__fault_net_draw(port, spec->corrupt)) {
		struct fault_net_held *altered = copy(port, packet);

		if (!altered)
			return false;
		flip_one_bit(port, altered);
		weft_list_push_back(&port->spent, &altered->link);
		*packet = altered->packet;
	}
	if (port->held_count >= FAULT_HELD_MAX)
		return true;
	if (weft__fault_net_draw(port, spec->duplicate))
		hold_copy(port, packet, 0, 0);
	if (weft__fault_net_draw(port, spec->delay)) {
		hold_copy(port, packet, until_ns, UINT64_MAX);
		return false;
	}
	if (weft__fault_net_draw(port, spec->reorder)) {
		hold_copy(port, packet, until_ns, spec->reorder_by);
		return false;
	}
	return true;
}

unsigned int weft__fault_net_rx(struct weft_net_port *base, struct weft_net_rx *packets, unsigned int max)
{
	struct fault_net_port *port = weft__fault_net_port_of(base);
	unsigned int count, came, at;

	free_all(&port->spent);
	max = max < base->max_burst ? max : base->max_burst;
	count = take_due(port, packets, max);
	/* Those that come lie behind room for some that become due among them. */
	at = count + (port->held_count < (max - count) / 2 ? port->held_count : (max - count) / 2);
	came = at < max ? port->below->rx(port->below, packets + at, max - at) : 0;
	for (unsigned int i = 0; i < came; i++) {
		if (sort(port, &packets[at + i]))
			pass(port, &packets[count++], &packets[at + i]);
		count += take_due(port, packets + count, at + i + 1 - count);
	}
	if (port->held_count || weft_timer_is_set(&port->wake))
		wake(port);
	return count;
}

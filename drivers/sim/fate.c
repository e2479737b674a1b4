/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of a packet: whether and when it arrives, how often, in what state, and where.
 */
#include "sim/sim_private.h"

#include <stdlib.h>
#include <string.h>

/* Draws only what can be, so that a link without faults draws nothing. */
static bool draw(struct sim_link *link, double probability)
{
	return probability > 0 && weft_random_unit(&link->random) < probability;
}

/* ---- under way ---- */

static struct sim_event *make(struct sim_link *link, const struct weft_net_tx *packet, uint32_t len, uint8_t ecn)
{
	struct sim_event *event = malloc(sizeof *event + len);
	uint32_t at = 0;

	if (!event)
		return NULL;
	event->link = link;
	event->len_bytes = len;
	event->ecn = ecn;
	event->on_downlink = false;
	for (unsigned int i = 0; i < packet->piece_count; i++) {
		if (packet->pieces[i].len_bytes)
			memcpy(event->bytes + at, packet->pieces[i].data, packet->pieces[i].len_bytes);
		at += packet->pieces[i].len_bytes;
	}
	return event;
}

/* Its time of arrival; and perhaps another bit in it. */
static void set_out(struct weft_sim *sim, struct sim_link *link, struct sim_event *event, uint64_t sent_ns)
{
	const struct weft_sim_link *is = link->is;

	event->number = sim->next_number++;
	event->due_ns = sent_ns + weft__sim_delay_draw(is, &link->random);
	if (draw(link, is->reorder)) {
		event->due_ns += weft_random_below(&link->random, is->reorder_ns + 1);
		sim->stats.reordered++;
	} else {
		event->due_ns = event->due_ns > link->last_due_ns ? event->due_ns : link->last_due_ns;
		link->last_due_ns = event->due_ns;
	}
	if (draw(link, is->corrupt)) {
		uint64_t bit = weft_random_below(&link->random, (uint64_t)event->len_bytes * 8);

		event->bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
		sim->stats.corrupted++;
	}
}

/* Sends one of the packet, on a line that has sent it at sent_ns. */
static void dispatch(struct weft_sim *sim, struct sim_link *link, const struct weft_net_tx *packet, uint32_t len,
		     uint8_t ecn, uint64_t sent_ns)
{
	struct sim_event *event = make(link, packet, len, ecn);

	if (event)
		set_out(sim, link, event, sent_ns);
	if (!event || !weft__sim_heap_push(&sim->heap, event)) {
		free(event);
		sim->stats.lost++;
		return;
	}
	sim->stats.under_way++;
}

bool weft__sim_send(struct weft_sim *sim, struct sim_link *link, const struct weft_net_tx *packet)
{
	const struct weft_sim_line line = {link->is->bits_per_second, link->is->queue_bytes, link->is->mark_bytes};
	struct sim_passage passage;
	uint8_t ecn = packet->ecn;
	uint32_t len = 0;

	for (unsigned int i = 0; i < packet->piece_count; i++)
		len += packet->pieces[i].len_bytes;
	sim->stats.sent++;
	sim->stats.sent_bytes += len;
	if (len > link->is->payload_max) {
		sim->stats.too_long++;
		return false;
	}
	if (link->cut) {
		sim->stats.cut++;
	} else if (!weft__sim_line_take(sim, &line, &link->free_ns, len, &ecn, &passage)) {
		sim->stats.queue_full++;
	} else if (draw(link, link->is->loss)) {
		sim->stats.lost++;
	} else {
		bool twice = draw(link, link->is->duplicate);

		sim->stats.duplicated += twice;
		for (unsigned int i = 0; i < 1u + twice; i++)
			dispatch(sim, link, packet, len, ecn, passage.sent_ns);
	}
	return true;
}

/* ---- there ---- */

/* The port that it names, as the bytes that arrive say. */
static struct sim_port *steer(const struct sim_event *event)
{
	unsigned int index = event->len_bytes < WEFT_NET_STEER_BYTES
				     ? WEFT_NET_PORTS_MAX
				     : (unsigned int)(event->bytes[0] << 8 | event->bytes[1]);
	const struct sim_net *net = event->link->to->net;

	return net && index < WEFT_NET_PORTS_MAX ? net->ports[index] : NULL;
}

static void drop(struct weft_sim *sim, struct sim_event *event, uint64_t *count)
{
	++*count;
	sim->stats.under_way--;
	free(event);
}

static void arrive(struct weft_sim *sim, struct sim_event *event)
{
	struct sim_port *port = steer(event);
	struct sim_link *link = event->link;

	if (link->clogged && !event->on_downlink) {
		weft__sim_queue_push(&link->held, event);
	} else if (link->cut) {
		drop(sim, event, &sim->stats.cut);
	} else if (!port) {
		drop(sim, event, &sim->stats.nobody);
	} else if (link->to->downlink && !event->on_downlink) {
		if (!weft__sim_downlink_take(sim, event))
			drop(sim, event, &sim->stats.queue_full);
	} else {
		weft__sim_queue_push(&port->inbox, event);
		sim->waiting++;
	}
}

void weft__sim_arrive(struct weft_sim *sim)
{
	uint64_t now_ns = weft_clock_now(sim->opts.clock);
	struct sim_event *event;

	while ((event = weft__sim_heap_pop(&sim->heap, now_ns)))
		arrive(sim, event);
}

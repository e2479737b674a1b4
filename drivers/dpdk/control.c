/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions and answers between hosts: sent at once or not at all, since whoever misses one asks again.
 */
#include "dpdk/dpdk.h"

typedef uint32_t write_fn(uint8_t *bytes, const struct frame_end *own, const void *about);

static uint32_t write_answer(uint8_t *bytes, const struct frame_end *own, const void *to)
{
	return weft__frame_write_answer(bytes, own, to);
}

static uint32_t write_question(uint8_t *bytes, const struct frame_end *own, const void *neighbour)
{
	return weft__frame_write_question(bytes, own, &((const struct neighbour *)neighbour)->host, NULL);
}

/* Is he still there? He alone is asked. */
static uint32_t write_again(uint8_t *bytes, const struct frame_end *own, const void *neighbour)
{
	struct neighbour *him = (struct neighbour *)(uintptr_t)neighbour;
	uint8_t mac[FRAME_MAC_BYTES];

	return weft__frame_write_question(bytes, own, &him->host, weft__neighbour_mac(him, mac) ? mac : NULL);
}

static void say(struct dpdk_port *port, write_fn *write, const void *about)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(port->net->device.pool);
	uint8_t *bytes = mbuf ? (uint8_t *)rte_pktmbuf_append(mbuf, FRAME_NEIGHBOUR_MAX) : NULL;

	if (!bytes) {
		rte_pktmbuf_free(mbuf);
		return;
	}
	rte_pktmbuf_trim(mbuf, (uint16_t)(FRAME_NEIGHBOUR_MAX - write(bytes, &port->net->own, about)));
	weft__dpdk_send_one(port, mbuf);
}

void weft__dpdk_announce(struct dpdk_port *port)
{
	say(port, write_answer, NULL);
}

void weft__dpdk_ask(struct dpdk_port *port, struct dpdk_route *route, uint64_t now_ns)
{
	switch (weft__neighbour_ask(route->neighbour, now_ns)) {
	case ASK_NOBODY:
		break;
	case ASK_HIM:
		say(port, write_again, route->neighbour);
		break;
	case ASK_ALL:
		say(port, write_question, route->neighbour);
		break;
	}
}

/* Also who asks says where he is. */
void weft__dpdk_heard(struct dpdk_port *port, const struct frame *frame)
{
	weft__neighbours_hear(&port->net->neighbours, &frame->from.host, frame->from.mac, frame->kind == FRAME_QUESTION,
			      weft_worker_now(port->worker));
	if (frame->kind == FRAME_QUESTION)
		say(port, write_answer, &frame->from);
}

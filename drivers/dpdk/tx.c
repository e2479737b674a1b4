/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending: each packet is copied behind its headers into one buffer, and a burst of them goes to the device in one call.
 * What is for a host whose hardware address is not known waits in its route; what is for this net itself goes into the
 * rings.
 */
#include "dpdk/dpdk.h"

#include <string.h>

#define GIVE_UP_NS UINT64_C(3000000000)
#define WORD 8u

static uint32_t length_of(const struct weft_net_tx *packet)
{
	uint32_t len = 0;

	for (unsigned int i = 0; i < packet->piece_count; i++)
		len += packet->pieces[i].len_bytes;
	return len;
}

static void gather(struct dpdk_port *port, uint8_t *to, const struct weft_net_tx *packet, uint32_t len)
{
	for (unsigned int i = 0; i < packet->piece_count; i++) {
		memcpy(to, packet->pieces[i].data, packet->pieces[i].len_bytes);
		to += packet->pieces[i].len_bytes;
	}
	port->stats.copies++;
	port->stats.copied_bytes += len;
}

static void count_sent(struct dpdk_port *port, uint32_t len)
{
	port->stats.tx_packets++;
	port->stats.tx_bytes += len;
}

/* ---- frames ---- */

static void seal(const struct dpdk_net *net, struct rte_mbuf *mbuf, uint8_t *frame, uint32_t len)
{
	bool v4 = net->own.host.version == 4;

	if (!net->device.sums_tx) {
		weft__frame_seal(frame, net->own.host.version, len);
		return;
	}
	weft__frame_seal_by_device(frame, net->own.host.version, len);
	mbuf->l2_len = FRAME_ETHER_BYTES;
	mbuf->l3_len = v4 ? V4_BYTES : V6_BYTES;
	mbuf->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM | (v4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6);
}

/* NULL: there is no buffer now. */
static struct rte_mbuf *make_frame(struct dpdk_port *port, const struct weft_net_tx *packet, uint32_t len)
{
	struct dpdk_route *route = weft__dpdk_route_of(packet->route);
	struct dpdk_net *net = port->net;
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(net->device.pool);
	uint32_t head_bytes;
	uint8_t *frame;

	if (!mbuf)
		return NULL;
	/* There is room: a packet is no longer than the MTU. */
	frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	head_bytes = weft__frame_write_head(frame, &net->own, &route->to, packet->ecn, len);
	gather(port, frame + head_bytes, packet, len);
	mbuf->data_len = (uint16_t)(head_bytes + len);
	mbuf->pkt_len = mbuf->data_len;
	seal(net, mbuf, frame, len);
	return mbuf;
}

/* How many of them the device has taken. */
static unsigned int give_to_device(struct dpdk_port *port, struct rte_mbuf **mbufs, unsigned int count)
{
	struct dpdk_device *device = &port->net->device;
	unsigned int sent;

	if (!weft__dpdk_take(&device->tx[port->queue]))
		return 0;
	sent = weft__dpdk_line_is_open(device) ? rte_eth_tx_burst(device->id, port->queue, mbufs, (uint16_t)count) : 0;
	weft__dpdk_leave(&device->tx[port->queue]);
	return sent;
}

bool weft__dpdk_send_one(struct dpdk_port *port, struct rte_mbuf *frame)
{
	if (give_to_device(port, &frame, 1) == 1)
		return true;
	rte_pktmbuf_free(frame);
	return false;
}

static uint32_t payload_of(const struct rte_mbuf *mbuf, const struct dpdk_net *net)
{
	return mbuf->pkt_len - (net->own.host.version == 4 ? FRAME_V4_HEAD_BYTES : FRAME_V6_HEAD_BYTES);
}

static void count_device(struct dpdk_port *port, uint32_t len)
{
	unsigned int copies = port->net->device.copies;

	port->stats.copies += copies;
	port->stats.copied_bytes += (uint64_t)copies * len;
}

/* Sends the batch; how many of it had to be left, which have then never been. */
static unsigned int send_batch(struct dpdk_port *port)
{
	unsigned int count = port->batch_count, sent = 0;
	uint32_t lens[DPDK_BURST];

	if (!count)
		return 0;
	/* The device frees what it has taken. */
	for (unsigned int i = 0; i < count; i++)
		lens[i] = payload_of(port->batch[i], port->net);
	sent = give_to_device(port, port->batch, count);
	for (unsigned int i = 0; i < sent; i++) {
		count_sent(port, lens[i]);
		count_device(port, lens[i]);
	}
	if (sent < count)
		rte_pktmbuf_free_bulk(port->batch + sent, count - sent);
	port->batch_count = 0;
	return count - sent;
}

/* ---- to this net itself ---- */

/* False: there is no buffer now. */
static bool send_home(struct dpdk_port *port, const struct weft_net_tx *packet, uint32_t len)
{
	struct dpdk_net *net = port->net;
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(net->device.pool);
	struct dpdk_meta *meta;
	struct rte_ring *ring = NULL;
	unsigned int index;
	uint8_t *bytes;

	if (!mbuf)
		return false;
	mbuf->data_off = (uint16_t)(mbuf->data_off - (uintptr_t)rte_pktmbuf_mtod(mbuf, char *) % WORD);
	bytes = rte_pktmbuf_mtod(mbuf, uint8_t *);
	gather(port, bytes, packet, len);
	mbuf->data_len = (uint16_t)len;
	mbuf->pkt_len = len;
	meta = weft__dpdk_meta_of(mbuf);
	meta->from = net->address;
	meta->ecn = packet->ecn;
	index = len < WEFT_NET_STEER_BYTES ? WEFT_NET_PORTS_MAX : weft__get16(bytes);
	/* acquire: pairs with the release of port_open, after which there is a ring. */
	if (index < WEFT_NET_PORTS_MAX && atomic_load_explicit(&net->open[index], memory_order_acquire) &&
	    weft__dpdk_route_of(packet->route)->to.port == net->own.port)
		ring = atomic_load_explicit(&net->rings[index], memory_order_relaxed);
	count_sent(port, len);
	if (!ring || rte_ring_enqueue(ring, mbuf) != 0) {
		port->stats.tx_dropped++;
		rte_pktmbuf_free(mbuf);
	}
	return true;
}

/* ---- what waits ---- */

static bool wait_for_address(struct dpdk_port *port, const struct weft_net_tx *packet, uint32_t len)
{
	struct dpdk_route *route = weft__dpdk_route_of(packet->route);
	struct rte_mbuf *mbuf;

	if (route->waiting_count == DPDK_WAITING_MAX)
		return false;
	mbuf = make_frame(port, packet, len);
	if (!mbuf)
		return false;
	if (!route->waiting_count)
		route->waiting_ns = weft_clock_now(weft_worker_clock(port->worker));
	route->waiting[route->waiting_count++] = mbuf;
	if (weft_list_empty(&route->in_waiting))
		weft_list_push_back(&port->waiting, &route->in_waiting);
	port->base.reap_due = true;
	count_sent(port, len);
	/* At once, since a route that is closed asks no more; the answer is remembered for the next one. */
	weft__dpdk_ask(port, route, weft_clock_now(weft_worker_clock(port->worker)));
	return true;
}

static void remove_first(struct dpdk_route *route, unsigned int count)
{
	route->waiting_count -= count;
	memmove(route->waiting, route->waiting + count, route->waiting_count * sizeof *route->waiting);
}

static void send_waiting(struct dpdk_port *port, struct dpdk_route *route)
{
	uint32_t lens[DPDK_WAITING_MAX];
	unsigned int sent;

	for (unsigned int i = 0; i < route->waiting_count; i++) {
		memcpy(rte_pktmbuf_mtod(route->waiting[i], uint8_t *) + ETHER_TO, route->to.mac, FRAME_MAC_BYTES);
		lens[i] = payload_of(route->waiting[i], port->net);
	}
	sent = give_to_device(port, route->waiting, route->waiting_count);
	for (unsigned int i = 0; i < sent; i++)
		count_device(port, lens[i]);
	remove_first(route, sent);
}

static void give_up(struct dpdk_port *port, struct dpdk_route *route)
{
	port->stats.tx_dropped += route->waiting_count;
	rte_pktmbuf_free_bulk(route->waiting, route->waiting_count);
	route->waiting_count = 0;
}

void weft__dpdk_reap(struct weft_net_port *base)
{
	struct dpdk_port *port = weft__dpdk_port_of(base);
	uint64_t now_ns = weft_clock_now(weft_worker_clock(port->worker));

	WEFT_LIST_FOR_EACH(at, &port->waiting) {
		struct dpdk_route *route = WEFT_CONTAINER_OF(at, struct dpdk_route, in_waiting);

		if (weft__neighbour_mac(route->neighbour, route->to.mac))
			send_waiting(port, route);
		else if (now_ns > route->waiting_ns + GIVE_UP_NS)
			give_up(port, route);
		else
			weft__dpdk_ask(port, route, now_ns);
		if (!route->waiting_count)
			weft_list_remove(&route->in_waiting);
	}
	base->reap_due = !weft_list_empty(&port->waiting);
}

/* ---- bursts ---- */

/* Puts one where it belongs; false: not now. What is before it has been sent. */
static bool send_elsewhere(struct dpdk_port *port, const struct weft_net_tx *packet, uint32_t len)
{
	if (len > packet->route->payload_max) {
		port->stats.tx_dropped++;
		return true;
	}
	return weft__dpdk_route_of(packet->route)->own ? send_home(port, packet, len)
						       : wait_for_address(port, packet, len);
}

/* Whether it can go to the device as it is; nothing may overtake what waits. */
static bool is_ready(struct dpdk_port *port, struct dpdk_route *route)
{
	if (route->own || route->waiting_count || !weft__neighbour_mac(route->neighbour, route->to.mac))
		return false;
	weft__dpdk_ask(port, route, weft_worker_now(port->worker));
	return true;
}

static bool add_to_batch(struct dpdk_port *port, const struct weft_net_tx *packet, uint32_t len)
{
	struct rte_mbuf *mbuf = make_frame(port, packet, len);

	if (mbuf)
		port->batch[port->batch_count++] = mbuf;
	return mbuf != NULL;
}

unsigned int weft__dpdk_tx(struct weft_net_port *base, const struct weft_net_tx *packets, unsigned int count)
{
	struct dpdk_port *port = weft__dpdk_port_of(base);
	unsigned int done = 0, left = 0;

	weft__dpdk_join();
	for (; done < count && !left; done++) {
		const struct weft_net_tx *packet = &packets[done];
		uint32_t len = length_of(packet);

		if (len <= packet->route->payload_max && is_ready(port, weft__dpdk_route_of(packet->route))) {
			if (!add_to_batch(port, packet, len))
				break;
			left = port->batch_count == DPDK_BURST ? send_batch(port) : 0;
		} else {
			left = send_batch(port);
			if (left || !send_elsewhere(port, packet, len))
				break;
		}
	}
	done -= left ? left : send_batch(port);
	port->stats.tx_full += done < count;
	return done;
}

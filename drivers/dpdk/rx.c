/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving. A port looks into its own queue and, in turns, into one of the others, whose workers may be asleep; what it
 * finds for other ports goes into their rings. What is handed up stays in its buffer until the next time.
 */
#include "dpdk/dpdk.h"

#include <string.h>

#define WORD 8u

/* Bytes that follow headers of another length than the buffers were laid out for. */
static void align(struct dpdk_port *port, struct rte_mbuf *mbuf)
{
	char *bytes = rte_pktmbuf_mtod(mbuf, char *);
	uint16_t odd = (uint16_t)((uintptr_t)bytes % WORD);

	if (!odd)
		return;
	/* In front of them are headers, which have been read. */
	memmove(bytes - odd, bytes, mbuf->data_len);
	mbuf->data_off = (uint16_t)(mbuf->data_off - odd);
	port->stats.copies++;
	port->stats.copied_bytes += mbuf->data_len;
}

static void hand_up(struct dpdk_port *port, struct rte_mbuf *mbuf, struct weft_net_rx *packet)
{
	const struct dpdk_meta *meta = weft__dpdk_meta_of(mbuf);
	unsigned int copies = port->net->device.copies;

	*packet = (struct weft_net_rx){.data = rte_pktmbuf_mtod(mbuf, const void *),
				       .len_bytes = mbuf->data_len,
				       .ecn = meta->ecn,
				       .from = meta->from};
	port->held[port->held_count++] = mbuf;
	port->stats.rx_packets++;
	port->stats.rx_bytes += packet->len_bytes;
	port->stats.copies += copies;
	port->stats.copied_bytes += (uint64_t)copies * packet->len_bytes;
}

static void drop(struct dpdk_port *port, struct rte_mbuf *mbuf)
{
	port->stats.rx_dropped++;
	rte_pktmbuf_free(mbuf);
}

/* Gives it to the port that it names. */
static void hand_over(struct dpdk_port *port, struct rte_mbuf *mbuf, unsigned int index)
{
	struct dpdk_net *net = port->net;
	struct rte_ring *ring = NULL;

	/* acquire: pairs with the release of port_open, after which there is a ring. */
	if (index < WEFT_NET_PORTS_MAX && atomic_load_explicit(&net->open[index], memory_order_acquire))
		ring = atomic_load_explicit(&net->rings[index], memory_order_relaxed);
	if (!ring || rte_ring_enqueue(ring, mbuf) != 0)
		drop(port, mbuf);
}

/* Leaves what it carries, and who sent it beside that. False: nothing that comes up. */
static bool unwrap(struct dpdk_port *port, struct rte_mbuf *mbuf, const struct frame *frame)
{
	struct dpdk_meta *meta = weft__dpdk_meta_of(mbuf);

	if (frame->payload_bytes < WEFT_NET_STEER_BYTES)
		return false;
	rte_pktmbuf_trim(mbuf, (uint16_t)(mbuf->data_len - frame->payload_at - frame->payload_bytes));
	rte_pktmbuf_adj(mbuf, (uint16_t)frame->payload_at);
	weft__dpdk_address_of(&frame->from, &meta->from);
	meta->ecn = frame->ecn;
	align(port, mbuf);
	return true;
}

static unsigned int checked(const struct rte_mbuf *mbuf)
{
	unsigned int flags = 0;

	if ((mbuf->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD)
		flags |= FRAME_CHECKED_IP;
	if ((mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		flags |= FRAME_CHECKED_UDP;
	return flags;
}

/* What came; true if it is in *packet. */
static bool take_frame(struct dpdk_port *port, struct rte_mbuf *mbuf, struct weft_net_rx *packet)
{
	const uint8_t *head;
	struct frame frame;
	unsigned int index;

	if (mbuf->nb_segs > 1 && rte_pktmbuf_linearize(mbuf) < 0) {
		drop(port, mbuf);
		return false;
	}
	weft__frame_read(rte_pktmbuf_mtod(mbuf, const uint8_t *), mbuf->data_len, &port->net->own, checked(mbuf),
			 &frame);
	switch (frame.kind) {
	case FRAME_UDP:
		break;
	case FRAME_QUESTION:
	case FRAME_ANSWER:
		weft__dpdk_heard(port, &frame);
		rte_pktmbuf_free(mbuf);
		return false;
	case FRAME_FAREWELL:
		if (port->net->device.apart)
			atomic_store_explicit(&port->net->device.parted, true, memory_order_relaxed);
		rte_pktmbuf_free(mbuf);
		return false;
	case FRAME_FOREIGN:
		rte_pktmbuf_free(mbuf);
		return false;
	case FRAME_BAD:
		drop(port, mbuf);
		return false;
	}
	if (!unwrap(port, mbuf, &frame)) {
		drop(port, mbuf);
		return false;
	}
	head = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	index = weft__get16(head);
	if (index != port->base.index) {
		hand_over(port, mbuf, index);
		return false;
	}
	hand_up(port, mbuf, packet);
	return true;
}

static unsigned int look_into(struct dpdk_port *port, uint16_t queue, struct weft_net_rx *packets, unsigned int max)
{
	struct dpdk_device *device = &port->net->device;
	struct rte_mbuf *mbufs[DPDK_BURST];
	unsigned int count, up = 0;

	if (!weft__dpdk_take(&device->rx[queue]))
		return 0;
	/* Under the turn, since a device that is started again is nobody's. */
	count = weft__dpdk_line_is_open(device) ? rte_eth_rx_burst(device->id, queue, mbufs, (uint16_t)max) : 0;
	weft__dpdk_leave(&device->rx[queue]);
	for (unsigned int i = 0; i < count; i++)
		up += take_frame(port, mbufs[i], &packets[up]);
	return up;
}

static unsigned int look_into_queues(struct dpdk_port *port, struct weft_net_rx *packets, unsigned int max)
{
	uint16_t queue_count = port->net->device.queue_count;
	unsigned int count = look_into(port, port->queue, packets, max);

	if (queue_count == 1 || count == max)
		return count;
	port->other = (uint16_t)((port->other + 1) % queue_count);
	if (port->other != port->queue)
		count += look_into(port, port->other, packets + count, max - count);
	return count;
}

static void release(struct dpdk_port *port)
{
	if (port->held_count)
		rte_pktmbuf_free_bulk(port->held, port->held_count);
	port->held_count = 0;
}

unsigned int weft__dpdk_rx(struct weft_net_port *base, struct weft_net_rx *packets, unsigned int max)
{
	struct dpdk_port *port = weft__dpdk_port_of(base);
	struct rte_mbuf *mbufs[DPDK_BURST];
	unsigned int count;

	weft__dpdk_join();
	release(port);
	max = RTE_MIN(max, DPDK_BURST);
	count = rte_ring_dequeue_burst(port->ring, (void **)mbufs, max, NULL);
	for (unsigned int i = 0; i < count; i++)
		hand_up(port, mbufs[i], &packets[i]);
	if (count < max)
		count += look_into_queues(port, packets + count, max - count);
	weft__dpdk_line_look(port->net, weft_worker_now(port->worker));
	return count;
}

void weft__dpdk_rx_forget(struct dpdk_port *port)
{
	struct rte_mbuf *mbufs[DPDK_BURST];
	unsigned int count;

	release(port);
	while ((count = rte_ring_dequeue_burst(port->ring, (void **)mbufs, DPDK_BURST, NULL)) > 0)
		rte_pktmbuf_free_bulk(mbufs, count);
}

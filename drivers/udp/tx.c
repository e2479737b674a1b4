/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending: up to UDP_TX_PACKETS packets in one call of the system. Consecutive ones of one length to one port of one
 * address cross the kernel as one long message, which is cut into packets at its other end (UDP_SEGMENT).
 */
#include "udp/udp.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

/* What follows when the system refuses the first message of a call. */
enum verdict { FULL, AGAIN, LOST };

static uint32_t length_of(const struct weft_net_tx *packet)
{
	uint32_t len = 0;

	for (unsigned int i = 0; i < packet->piece_count; i++)
		len += packet->pieces[i].len_bytes;
	return len;
}

static uint16_t steering_of(const struct weft_net_tx *packet)
{
	uint16_t word;

	memcpy(&word, packet->pieces[0].data, sizeof word);
	return word;
}

/* ---- one message ---- */

_Static_assert(CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(struct in6_pktinfo)) <=
		       sizeof((struct udp_tx *)0)->controls[0],
	       "room for the mark of congestion, the length of each packet and where they come from");

static void *add_control(struct msghdr *message, int level, int type, const void *data, size_t len)
{
	struct cmsghdr *control = (void *)((unsigned char *)message->msg_control + message->msg_controllen);

	control->cmsg_level = level;
	control->cmsg_type = type;
	control->cmsg_len = CMSG_LEN(len);
	message->msg_controllen += CMSG_SPACE(len);
	return memcpy(CMSG_DATA(control), data, len);
}

static void add_pieces(struct msghdr *message, const struct weft_net_tx *packet)
{
	for (unsigned int i = 0; i < packet->piece_count; i++)
		message->msg_iov[message->msg_iovlen++] = (struct iovec){(void *)packet->pieces[i].data,
									 packet->pieces[i].len_bytes};
}

/* How many packets from the first on make one message; at least one. */
static unsigned int count_alike(const struct weft_net_tx *packets, unsigned int count, uint32_t len)
{
	uint32_t total = len, next;
	unsigned int alike = 1;

	if (!weft__udp_route_of(packets[0].route)->segments)
		return 1;
	for (; alike < count && alike < UDP_TX_SEGMENTS; alike++) {
		const struct weft_net_tx *packet = &packets[alike];

		if (packet->route != packets[0].route || packet->ecn != packets[0].ecn ||
		    steering_of(packet) != steering_of(&packets[0]))
			break;
		next = length_of(packet);
		if (next > len || total + next > UDP_TX_BYTES)
			break;
		total += next;
		if (next < len)
			return alike + 1; /* a shorter one ends it */
	}
	return alike;
}

static void describe_message(struct msghdr *message, const struct weft_net_tx *packet, unsigned int alike, uint32_t len)
{
	struct udp_route *route = weft__udp_route_of(packet->route);
	uint16_t segment = (uint16_t)len;
	int ecn = packet->ecn;

	message->msg_name = &route->to;
	message->msg_namelen = route->to_len;
	message->msg_controllen = 0;
	if (ecn)
		add_control(message, route->v6 ? IPPROTO_IPV6 : IPPROTO_IP, route->v6 ? IPV6_TCLASS : IP_TOS, &ecn,
			    sizeof ecn);
	if (route->from_len == sizeof route->from.v6)
		add_control(message, IPPROTO_IPV6, IPV6_PKTINFO, &route->from, route->from_len);
	else if (route->from_len)
		add_control(message, IPPROTO_IP, IP_PKTINFO, &route->from, route->from_len);
	if (alike > 1)
		add_control(message, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment);
}

/* ---- one call ---- */

static bool too_long(const struct weft_net_tx *packet)
{
	return length_of(packet) > packet->route->payload_max;
}

/* Lays out messages of packets up to the first one that is too long; returns how many messages. */
static unsigned int lay_out(struct udp_tx *tx, const struct weft_net_tx *packets, unsigned int count)
{
	unsigned int messages = 0, at = 0, run = 0;
	struct iovec *pieces = tx->pieces;

	count = count < UDP_TX_PACKETS ? count : UDP_TX_PACKETS;
	while (run < count && !too_long(&packets[run]))
		run++;
	for (; at < run; messages++) {
		struct msghdr *message = &tx->headers[messages].msg_hdr;
		uint32_t len = length_of(&packets[at]);
		unsigned int alike = count_alike(&packets[at], run - at, len);

		message->msg_control = tx->controls[messages];
		message->msg_iov = pieces;
		message->msg_iovlen = 0;
		describe_message(message, &packets[at], alike, len);
		for (unsigned int i = 0; i < alike; i++)
			add_pieces(message, &packets[at + i]);
		pieces += message->msg_iovlen;
		tx->packet_counts[messages] = alike;
		at += alike;
	}
	return messages;
}

static enum verdict judge(int error, const struct weft_net_tx *packet, bool together)
{
	struct udp_route *route = weft__udp_route_of(packet->route);

	switch (error) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return FULL;
	case EINTR:
		return AGAIN;
	case EMSGSIZE:
		weft__udp_route_shrink(route);
		if (too_long(packet))
			return AGAIN;
		break;
	case EINVAL:
	case EIO:
	case EOPNOTSUPP:
		break;
	default:
		return LOST;
	}
	/* What is on this way cannot cut packets: they go one by one. */
	if (!together || !route->segments)
		return LOST;
	route->segments = false;
	return AGAIN;
}

static void count_packets(struct udp_port *port, const struct weft_net_tx *packets, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		uint32_t len = length_of(&packets[i]);

		port->stats.tx_bytes += len;
		port->stats.copied_bytes += len;
	}
	port->stats.tx_packets += count;
	port->stats.copies += count;
}

/* One call of the system, for the packets before the first that is too long. Returns how many are done with, and whether
 * it is full. */
static unsigned int send_some(struct udp_port *port, const struct weft_net_tx *packets, unsigned int count, bool *full)
{
	struct udp_tx *tx = &port->tx;
	unsigned int messages = lay_out(tx, packets, count), taken = 0;
	int sent = sendmmsg(port->fd, tx->headers, messages, MSG_DONTWAIT | MSG_NOSIGNAL);

	port->stats.syscalls++;
	for (int i = 0; i < sent; i++)
		taken += tx->packet_counts[i];
	count_packets(port, packets, taken);
	if (sent >= 0)
		return taken;
	switch (judge(errno, &packets[0], tx->packet_counts[0] > 1)) {
	case FULL:
		*full = true;
		return 0;
	case AGAIN:
		return 0;
	case LOST:
		break;
	}
	port->stats.tx_dropped += tx->packet_counts[0];
	return tx->packet_counts[0];
}

unsigned int weft__udp_tx(struct weft_net_port *base, const struct weft_net_tx *packets, unsigned int count)
{
	struct udp_port *port = weft__udp_port_of(base);
	unsigned int done = 0;
	bool full = false;

	while (done < count && !full) {
		if (too_long(&packets[done])) {
			port->stats.tx_dropped++;
			done++;
		} else {
			done += send_some(port, packets + done, count - done, &full);
		}
	}
	port->stats.tx_full += full;
	return done;
}

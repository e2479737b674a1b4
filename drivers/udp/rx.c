/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving: up to UDP_RX_MESSAGES messages in one call of the system, into the port's own buffers. One message may hold
 * many packets of one length, which the kernel put together (UDP_GRO); they are handed up one by one, some turns later if
 * they are many.
 *
 * The kernel puts together what has the same addresses, and steers it by its first packet. Packets for other ports that it
 * took along are lost, and the net asks for no more such help.
 */
#include "udp/udp.h"

#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>

#define FORGET_MAX 4096u

int weft__udp_rx_init(struct udp_rx *rx)
{
	/* Not touched here, but by the worker, whose memory it shall be. */
	rx->bytes = aligned_alloc(WEFT_CACHE_LINE, (size_t)UDP_RX_MESSAGES * UDP_RX_BYTES);
	if (!rx->bytes)
		return weft_set_error(WEFT_ENOMEM, "no memory for what a port receives");
	for (unsigned int i = 0; i < UDP_RX_MESSAGES; i++) {
		rx->pieces[i] = (struct iovec){rx->bytes + (size_t)i * UDP_RX_BYTES, 65536};
		rx->headers[i].msg_hdr = (struct msghdr){
			.msg_name = &rx->from[i],
			.msg_namelen = sizeof rx->from[i],
			.msg_iov = &rx->pieces[i],
			.msg_iovlen = 1,
			.msg_control = rx->controls[i],
			.msg_controllen = sizeof rx->controls[i],
		};
	}
	return 0;
}

void weft__udp_rx_fini(struct udp_rx *rx)
{
	free(rx->bytes);
}

/* ---- a message ---- */

static int read_int(const struct cmsghdr *control)
{
	unsigned char byte;
	int value = 0;

	/* The type of service is a byte, the others are integers. */
	if (control->cmsg_len >= CMSG_LEN(sizeof value)) {
		memcpy(&value, CMSG_DATA(control), sizeof value);
		return value;
	}
	memcpy(&byte, CMSG_DATA(control), sizeof byte);
	return byte;
}

/* Which of our addresses it was sent to. */
static void read_to(const struct cmsghdr *control, struct weft_net_address *out)
{
	union ip_sockaddr to = {0};
	struct in6_pktinfo v6;
	struct in_pktinfo v4;

	if (control->cmsg_level == IPPROTO_IPV6 && control->cmsg_len >= CMSG_LEN(sizeof v6)) {
		memcpy(&v6, CMSG_DATA(control), sizeof v6);
		to.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
					      .sin6_addr = v6.ipi6_addr,
					      .sin6_scope_id = v6.ipi6_ifindex};
		weft__ip_address_from(&to, out);
	} else if (control->cmsg_level == IPPROTO_IP && control->cmsg_len >= CMSG_LEN(sizeof v4)) {
		memcpy(&v4, CMSG_DATA(control), sizeof v4);
		to.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = v4.ipi_addr};
		weft__ip_address_from(&to, out);
	}
}

/* The mark of congestion, where it was sent to, and how long each packet is if there are many. */
static void read_controls(struct msghdr *message, struct weft_net_rx *packet, uint32_t *packet_bytes)
{
	for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
		if ((at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_TOS) ||
		    (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_TCLASS))
			packet->ecn = (uint8_t)(read_int(at) & WEFT_ECN_CE);
		else if ((at->cmsg_level == IPPROTO_IP && at->cmsg_type == IP_PKTINFO) ||
			 (at->cmsg_level == IPPROTO_IPV6 && at->cmsg_type == IPV6_PKTINFO))
			read_to(at, &packet->to);
		else if (at->cmsg_level == IPPROTO_UDP && at->cmsg_type == UDP_GRO)
			*packet_bytes = (uint32_t)read_int(at);
	}
}

/* Moves packets apart so that each begins on whole words, the last one first. */
static void align(struct udp_port *port, unsigned char *bytes)
{
	struct udp_rx *rx = &port->rx;
	uint32_t stride = (rx->packet_bytes + UDP_ALIGN - 1) & ~(UDP_ALIGN - 1);

	for (unsigned int i = rx->packets_left - 1; i > 0; i--) {
		uint32_t len = i == rx->packets_left - 1 ? rx->last_bytes : rx->packet_bytes;

		memmove(bytes + (size_t)i * stride, bytes + (size_t)i * rx->packet_bytes, len);
		port->stats.copies++;
		port->stats.copied_bytes += len;
	}
	rx->stride_bytes = stride;
}

/* Begins to hand up the i-th message; false if there is nothing in it. */
static bool begin(struct udp_port *port, unsigned int i)
{
	struct udp_rx *rx = &port->rx;
	struct msghdr *message = &rx->headers[i].msg_hdr;
	uint32_t len = rx->headers[i].msg_len, each = 0;

	memset(&rx->packet, 0, sizeof rx->packet);
	read_controls(message, &rx->packet, &each);
	each = each && each < len ? each : len;
	if (!len || message->msg_flags & (MSG_TRUNC | MSG_CTRUNC) || (len - 1) / each >= UDP_RX_SEGMENTS ||
	    !weft__ip_address_from(&rx->from[i], &rx->packet.from)) {
		port->stats.rx_dropped++;
		return false;
	}
	rx->packets_left = (len + each - 1) / each;
	rx->packet_bytes = rx->stride_bytes = each;
	rx->last_bytes = len - (rx->packets_left - 1) * each;
	rx->at = rx->pieces[i].iov_base;
	if (rx->packets_left > 1 && each % UDP_ALIGN)
		align(port, rx->pieces[i].iov_base);
	return true;
}

static bool next_message(struct udp_port *port)
{
	while (port->rx.message < port->rx.message_count)
		if (begin(port, port->rx.message++))
			return true;
	return false;
}

/* ---- packets ---- */

/* The kernel has taken packets for others along: it shall not put together any more. */
static void ask_for_single_ones(struct udp_port *port)
{
	if (port->segments_rx)
		atomic_store_explicit(&port->net->segments_rx, false, memory_order_relaxed);
}

/* Hands up the next packet of the message; false if it is not for us. */
static bool next_packet(struct udp_port *port, struct weft_net_rx *packet)
{
	struct udp_rx *rx = &port->rx;
	const unsigned char *at = rx->at;
	uint32_t len = rx->packets_left == 1 ? rx->last_bytes : rx->packet_bytes;
	bool first = at == rx->pieces[rx->message - 1].iov_base;

	rx->at += rx->stride_bytes;
	rx->packets_left--;
	if (len < WEFT_NET_STEER_BYTES || (at[0] << 8 | at[1]) != (int)port->base.index) {
		port->stats.rx_dropped++;
		if (len >= WEFT_NET_STEER_BYTES && !first)
			ask_for_single_ones(port);
		return false;
	}
	*packet = rx->packet;
	packet->data = at;
	packet->len_bytes = len;
	port->stats.rx_packets++;
	port->stats.rx_bytes += len;
	port->stats.copies++;
	port->stats.copied_bytes += len;
	return true;
}

/*
 * Another port of the net, or this one, has found packets of several ports put together: none shall be here any more. What
 * lies in the socket put together would now come up as one long packet, so it is done when nothing does, and what came in
 * that instant is lost.
 */
static void follow_net(struct udp_port *port)
{
	unsigned int lost = 0;
	int zero = 0;
	char byte;

	port->segments_rx = false;
	setsockopt(port->fd, IPPROTO_UDP, UDP_GRO, &zero, sizeof zero);
	while (lost < FORGET_MAX && recv(port->fd, &byte, sizeof byte, MSG_DONTWAIT) >= 0)
		lost++;
	port->stats.syscalls += 2 + lost;
	port->stats.rx_dropped += lost;
}

static bool receive(struct udp_port *port)
{
	struct udp_rx *rx = &port->rx;
	int got;

	for (unsigned int i = 0; i < rx->message_count; i++) {
		rx->headers[i].msg_hdr.msg_namelen = sizeof rx->from[i];
		rx->headers[i].msg_hdr.msg_controllen = sizeof rx->controls[i];
	}
	got = recvmmsg(port->fd, rx->headers, UDP_RX_MESSAGES, MSG_DONTWAIT, NULL);
	port->stats.syscalls++;
	rx->message = 0;
	rx->message_count = got > 0 ? (unsigned int)got : 0;
	if (port->segments_rx && rx->message_count < UDP_RX_MESSAGES &&
	    !atomic_load_explicit(&port->net->segments_rx, memory_order_relaxed))
		follow_net(port);
	return got > 0;
}

unsigned int weft__udp_rx(struct weft_net_port *base, struct weft_net_rx *packets, unsigned int max)
{
	struct udp_port *port = weft__udp_port_of(base);
	struct udp_rx *rx = &port->rx;
	unsigned int count = 0;

	max = max < UDP_RX_BURST ? max : UDP_RX_BURST;
	/* What is handed up now is read until the next call: no new messages over it. */
	if (!rx->packets_left && rx->message == rx->message_count && !receive(port))
		return 0;
	while (count < max && (rx->packets_left || next_message(port)))
		count += next_packet(port, &packets[count]);
	return count;
}

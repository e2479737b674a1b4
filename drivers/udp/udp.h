/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams over sockets of the kernel, from the inside.
 *
 *   net    one local address: a group of sockets that share it (SO_REUSEPORT), the i-th for the port with index i. The
 *          kernel steers by the first two bytes of each datagram. A socket stays in its place in the group until the net
 *          is closed; while it has no port it refuses everything by a filter.
 *   port   one of the sockets, with buffers of its own for bursts
 */
#ifndef UDP_H
#define UDP_H

#include "ip/address.h"

#include <stdatomic.h>

#define UDP_TX_PACKETS 64u  /* in one call of the system */
#define UDP_TX_SEGMENTS 64u /* packets that it cuts out of one */
#define UDP_TX_BYTES 65000u
#define UDP_RX_MESSAGES 32u  /* in one call */
#define UDP_RX_SEGMENTS 128u /* packets that it puts together at the most */
#define UDP_RX_BURST 32u     /* packets that one rx returns at the most */
#define UDP_ALIGN 8u
#define UDP_RX_BYTES (65536u + UDP_RX_SEGMENTS * UDP_ALIGN) /* one of them, and room to align its packets */
#define UDP_BUFFER_BYTES (4 << 20)                          /* of a socket, each way, if the system lets us */
#define UDP_BUFFER_LEAST_BYTES (1 << 20)                    /* less than that is degraded */
#define UDP_BUSY_POLL_US 50
#define UDP_DEGRADED_MAX 3u

struct udp_port;

struct udp_net {
	struct weft_net_address address;
	int family;               /* of the sockets */
	bool dual;                /* they take IPv4 too */
	bool wildcard;            /* they take what comes to any address of this machine */
	bool segments_tx;         /* the kernel cuts packets out of one long one */
	_Atomic bool segments_rx; /* it may put packets together: until it did so with those of different ports */
	unsigned int socket_count;
	int sockets[WEFT_NET_PORTS_MAX];
	struct udp_port *ports[WEFT_NET_PORTS_MAX];
	unsigned int degraded_count;
	char degraded[UDP_DEGRADED_MAX][192];
};

struct udp_route {
	struct weft_net_route base;
	union ip_sockaddr to; /* for our sockets: IPv4 in disguise where they are of IPv6 */
	socklen_t to_len;
	bool v6;
	bool segments; /* this way takes packets to be cut */
	/* From which of our addresses packets go, for the kernel; its length is 0 where that is as it likes. */
	socklen_t from_len;
	union {
		struct in_pktinfo v4;
		struct in6_pktinfo v6;
	} from;
};

/* What is under construction for one call of the system. */
struct udp_tx {
	struct mmsghdr headers[UDP_TX_PACKETS];
	struct iovec pieces[UDP_TX_PACKETS * WEFT_NET_PIECES_MAX];
	unsigned int packet_counts[UDP_TX_PACKETS]; /* of each message */
	_Alignas(struct cmsghdr) unsigned char controls[UDP_TX_PACKETS][96];
};

/* What came by the last call, and how far it has been handed up. */
struct udp_rx {
	struct mmsghdr headers[UDP_RX_MESSAGES];
	struct iovec pieces[UDP_RX_MESSAGES];
	union ip_sockaddr from[UDP_RX_MESSAGES];
	_Alignas(struct cmsghdr) unsigned char controls[UDP_RX_MESSAGES][128];
	unsigned char *bytes;                /* UDP_RX_BYTES for each message */
	unsigned int message, message_count; /* the next one to hand up, and how many came */
	/* of the message that is being handed up */
	const unsigned char *at;
	unsigned int packets_left;
	uint32_t stride_bytes, packet_bytes, last_bytes; /* from one packet to the next; of each; of the last */
	struct weft_net_rx packet;                       /* what they have in common */
};

struct udp_port {
	struct weft_net_port base;
	struct udp_net *net;
	struct weft_worker *worker;
	struct weft_fd_watch watch;
	int fd;
	bool watched, watch_failed;
	bool armed;       /* slept, perhaps, since something came */
	bool segments_rx; /* its socket takes packets that were put together */
	struct weft_net_stats stats;
	struct udp_tx tx;
	struct udp_rx rx;
};

/* ---- group.c: the sockets of a net ---- */
/* Binds the first one, and with it the address. */
int weft__udp_group_open(struct udp_net *net);
void weft__udp_group_close(struct udp_net *net);
/* The socket of this index starts to take datagrams; it and those before it are made if need be. */
int weft__udp_group_take(struct udp_net *net, unsigned int index);
/* It takes none any more, and forgets those that it has. */
void weft__udp_group_give_back(struct udp_net *net, unsigned int index);

/* ---- route.c ---- */
int weft__udp_route_open(struct weft_net_port *port, const struct weft_net_address *to, struct weft_net_route **out);
void weft__udp_route_close(struct weft_net_route **route);
void weft__udp_route_from(struct weft_net_route *route, const struct weft_net_address *own);
/* Asks the kernel again how much passes; only ever lowers it. */
void weft__udp_route_shrink(struct udp_route *route);

/* ---- tx.c and rx.c ---- */
unsigned int weft__udp_tx(struct weft_net_port *port, const struct weft_net_tx *packets, unsigned int count);
unsigned int weft__udp_rx(struct weft_net_port *port, struct weft_net_rx *packets, unsigned int max);
/* Lays the buffers out once. -WEFT_ENOMEM. */
int weft__udp_rx_init(struct udp_rx *rx);
void weft__udp_rx_fini(struct udp_rx *rx);

static inline struct udp_port *weft__udp_port_of(struct weft_net_port *base)
{
	return WEFT_CONTAINER_OF(base, struct udp_port, base);
}

static inline struct udp_route *weft__udp_route_of(struct weft_net_route *base)
{
	return WEFT_CONTAINER_OF(base, struct udp_route, base);
}

#endif

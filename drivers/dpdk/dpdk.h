/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams over any ethdev of DPDK, from the inside.
 *
 *   device   one ethdev, with a pool of buffers and as many pairs of queues as it has, at most one for each core
 *   net      one device, one address of IP, one port of UDP
 *   port     looks into a queue, and gives what is for other ports to them by their rings. A queue belongs to whoever looks
 *            into it at the moment: nobody waits for a worker that sleeps
 *
 * Packets to a net's own address never reach the device: they go into the rings.
 */
#ifndef DPDK_H
#define DPDK_H

#include "dpdk/neighbours.h"
#include "dpdk/spec.h"
#include "ip/address.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdatomic.h>
#include <weft/list.h>

#define DPDK_BURST 32u
#define DPDK_QUEUES_MAX 32u
#define DPDK_DESCRIPTORS 1024u
#define DPDK_RING_PACKETS 1024u /* that other ports have received for one */
#define DPDK_WAITING_MAX 64u    /* packets of a route whose hardware address is being asked for */
#define DPDK_DEGRADED_MAX 3u

/* In front of the bytes of each buffer: who sent what is in it. */
struct dpdk_meta {
	struct weft_net_address from;
	uint8_t ecn;
	uint8_t reserved[7];
};

/* Each direction of each queue is one's who has it at the moment. */
struct dpdk_turn {
	_Alignas(WEFT_CACHE_LINE) _Atomic bool taken;
};

struct dpdk_device {
	uint16_t id;
	bool probed;   /* by us, so we remove it */
	bool restarts; /* it is started again when the other end is lost: what DPDK's driver does not do by itself */
	bool apart;    /* it is started and ended in DPDK's thread of interrupts */
	bool sums_tx;  /* it puts check sums into what it sends */
	uint16_t queue_count;
	uint16_t mtu;
	unsigned int copies; /* of each packet each way, which the driver of the device makes */
	struct rte_mempool *pool;
	const char *copies_why;
	_Atomic bool started;
	_Atomic bool parted;           /* the other end goes: nobody looks into its memory until the line is down */
	_Atomic uint64_t next_look_ns; /* whether it is to be started again */
	unsigned int down_looks;       /* of who has looked: how often it was down */
	unsigned int parted_looks;     /* and how often the other end was about to go */
	struct dpdk_turn rx[DPDK_QUEUES_MAX], tx[DPDK_QUEUES_MAX];
};

struct dpdk_port;

struct dpdk_net {
	struct weft_net_address address;
	struct frame_end own;
	struct dpdk_spec spec;
	struct dpdk_device device;
	struct neighbours neighbours;
	_Atomic(struct rte_ring *) rings[WEFT_NET_PORTS_MAX]; /* each made with its first port */
	_Atomic bool open[WEFT_NET_PORTS_MAX];
	struct dpdk_port *ports[WEFT_NET_PORTS_MAX];
	unsigned int degraded_count;
	char degraded[DPDK_DEGRADED_MAX][224];
};

struct dpdk_route {
	struct weft_net_route base;
	struct frame_end to; /* its mac is known once it was */
	struct neighbour *neighbour;
	bool own; /* to this net itself */
	struct weft_list in_waiting;
	unsigned int waiting_count;
	uint64_t waiting_ns; /* since when */
	struct rte_mbuf *waiting[DPDK_WAITING_MAX];
};

struct dpdk_port {
	struct weft_net_port base;
	struct dpdk_net *net;
	struct weft_worker *worker;
	struct rte_ring *ring;
	uint16_t queue;           /* its own, or one of several's */
	uint16_t other;           /* of the others, the next to look into */
	struct weft_list waiting; /* routes */
	unsigned int held_count;
	struct rte_mbuf *held[DPDK_BURST]; /* handed up by the last rx */
	unsigned int batch_count;
	struct rte_mbuf *batch[DPDK_BURST]; /* under construction for one call of the device */
	struct weft_net_stats stats;
};

/* ---- eal.c ---- */
/* Starts DPDK, once for the process, or adopts what the application has started. */
int weft__dpdk_start(const char *first_device);
/* Whether a device is named as those of the PCI bus are, as in 0000:3b:00.0. */
bool weft__dpdk_is_pci(const char *device);
/* Whether its memory is in huge pages. */
bool weft__dpdk_has_huge_pages(void);
/* The calling thread becomes one of DPDK's, until it ends. Cheap when it is one. */
void weft__dpdk_join(void);
/* The last complaint of DPDK's, for an error. Thread: init. */
const char *weft__dpdk_complaint(void);

/* ---- memif.c ---- */
/* Removes what a server of memif that was killed has left, if this device is one. */
void weft__dpdk_memif_clear(const char *device);

/* ---- apart.c ---- */
/* Does it where this device wants it done, and waits for it. */
int weft__dpdk_apart(struct dpdk_device *device, int (*work)(struct dpdk_device *device));

/* ---- device.c ---- */
/* -WEFT_ENODEV, -WEFT_EADDRINUSE, -WEFT_ENOMEM, -WEFT_EINVAL ... */
int weft__dpdk_device_open(struct dpdk_net *net);
void weft__dpdk_device_close(struct dpdk_net *net);

/* ---- line.c ---- */
int weft__dpdk_line_start(struct dpdk_device *device);
void weft__dpdk_line_end(struct dpdk_net *net);
/* Whether its queues may be used. With a turn. */
bool weft__dpdk_line_is_open(const struct dpdk_device *device);
/* Starts the device if that has not been possible before, or again. Any port's worker. */
void weft__dpdk_line_look(struct dpdk_net *net, uint64_t now_ns);

/* ---- control.c: questions and answers between hosts ---- */
void weft__dpdk_heard(struct dpdk_port *port, const struct frame *frame);
void weft__dpdk_announce(struct dpdk_port *port);
/* Asks where the route's host is, if it is time to. */
void weft__dpdk_ask(struct dpdk_port *port, struct dpdk_route *route, uint64_t now_ns);

/* ---- rx.c ---- */
unsigned int weft__dpdk_rx(struct weft_net_port *port, struct weft_net_rx *packets, unsigned int max);
/* Gives back what was handed up, and what lies in the ring. */
void weft__dpdk_rx_forget(struct dpdk_port *port);

/* ---- tx.c ---- */
unsigned int weft__dpdk_tx(struct weft_net_port *port, const struct weft_net_tx *packets, unsigned int count);
/* Sends what waits for hardware addresses that have come, and asks for others. */
void weft__dpdk_reap(struct weft_net_port *port);
/* Sends one frame, or loses it; takes. */
bool weft__dpdk_send_one(struct dpdk_port *port, struct rte_mbuf *frame);

/* ---- route.c ---- */
int weft__dpdk_route_open(struct weft_net_port *port, const struct weft_net_address *to, struct weft_net_route **out);
void weft__dpdk_route_close(struct weft_net_route **route);
/* Between addresses and ends. */
void weft__dpdk_end_of(const struct weft_net_address *address, struct frame_end *out);
void weft__dpdk_address_of(const struct frame_end *end, struct weft_net_address *out);

/* ---- turns. A false one is tried again by the caller's next turn ---- */

static inline bool weft__dpdk_take(struct dpdk_turn *turn)
{
	/* The load spares others the cache line. acquire: pairs with the release below, after which the queue is as its last
	 * user left it. */
	return !atomic_load_explicit(&turn->taken, memory_order_relaxed) &&
	       !atomic_exchange_explicit(&turn->taken, true, memory_order_acquire);
}

static inline void weft__dpdk_leave(struct dpdk_turn *turn)
{
	/* release: pairs with the acquire above. */
	atomic_store_explicit(&turn->taken, false, memory_order_release);
}

static inline struct dpdk_port *weft__dpdk_port_of(struct weft_net_port *base)
{
	return WEFT_CONTAINER_OF(base, struct dpdk_port, base);
}

static inline struct dpdk_route *weft__dpdk_route_of(struct weft_net_route *base)
{
	return WEFT_CONTAINER_OF(base, struct dpdk_route, base);
}

static inline struct dpdk_meta *weft__dpdk_meta_of(struct rte_mbuf *mbuf)
{
	return rte_mbuf_to_priv(mbuf);
}

#endif

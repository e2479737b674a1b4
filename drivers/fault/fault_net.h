/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults over drivers of datagrams, from the inside: a net, its ports and routes stand before those of the driver below.
 * What goes out is refused now and then; what comes in is lost, doubled, altered, late or overtaken.
 */
#ifndef FAULT_NET_H
#define FAULT_NET_H

#include "fault/fault.h"

#include <weft/net.h>

struct fault_net {
	const struct weft_net_driver *below_driver;
	struct weft_net *below;
	struct fault_spec spec;
	_Atomic uint64_t calls[FAULT_OP_COUNT];
};

struct fault_net_route {
	struct weft_net_route base;
	struct weft_net_route *below;
};

/* A packet that waits; its bytes lie behind it. */
struct fault_net_held {
	struct weft_list link;
	uint64_t due_ns; /* when it is handed up at the latest */
	uint64_t due_at; /* or after so many packets of the port */
	struct weft_net_rx packet;
	_Alignas(8) unsigned char bytes[];
};

struct fault_net_port {
	struct weft_net_port base;
	struct weft_net_port *below;
	struct fault_net *net;
	struct weft_worker *worker;
	struct weft_random random;    /* its own stream, from the seed and its index */
	uint64_t tries;               /* packets that were to be sent */
	uint64_t passed;              /* handed up */
	struct weft_list held, spent; /* spent: read by the layer above until the next rx */
	uint32_t held_count;
	struct weft_timer wake; /* when the first of those that wait is due */
	uint64_t passed_bytes, refused, lost;
};

/* The driver that makes faults over this one: one table for each, for ever. NULL without memory, having said so. */
const struct weft_net_driver *weft__fault_net_over(const struct weft_net_driver *below);

/* ---- net_port.c ---- */
int weft__fault_net_port_open(struct weft_net *net, const struct weft_net_port_opts *opts, struct weft_net_port **out);
void weft__fault_net_port_close(struct weft_net_port **port);
int weft__fault_net_route_open(struct weft_net_port *port, const struct weft_net_address *to,
			       struct weft_net_route **out);
void weft__fault_net_route_close(struct weft_net_route **route);
void weft__fault_net_route_from(struct weft_net_route *route, const struct weft_net_address *own);
void weft__fault_net_arm(struct weft_net_port *port, bool on);
void weft__fault_net_describe(struct weft_net_port *port, struct weft_net_stats *out);

/* ---- net_tx.c and net_rx.c ---- */
unsigned int weft__fault_net_tx(struct weft_net_port *port, const struct weft_net_tx *packets, unsigned int count);
unsigned int weft__fault_net_rx(struct weft_net_port *port, struct weft_net_rx *packets, unsigned int max);
void weft__fault_net_reap(struct weft_net_port *port);
/* Frees what waits and what has been read. */
void weft__fault_net_forget(struct fault_net_port *port);

static inline bool weft__fault_net_draw(struct fault_net_port *port, uint32_t probability)
{
	return probability && weft_random_below(&port->random, FAULT_PER) < probability;
}

static inline struct fault_net_port *weft__fault_net_port_of(struct weft_net_port *base)
{
	return WEFT_CONTAINER_OF(base, struct fault_net_port, base);
}

#endif

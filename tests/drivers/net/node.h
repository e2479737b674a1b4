/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nets under test, and packets that can be told apart. All is stepped on one thread, unless a test does otherwise.
 *
 * A packet is the steering bytes, its number (4 bytes), and bytes that follow from the number; or the steering bytes alone.
 */
#ifndef NODE_H
#define NODE_H

#include "patience.h"

#include <weft/errors.h>
#include <weft/sim.h>

#define NODE_PORTS_MAX 8
#define NODE_HEAD 6u
#define NODE_NO_NUMBER UINT32_MAX

struct node;
struct node_port;
/* Sees a packet; number is NODE_NO_NUMBER if it is not one that was sent. */
typedef void node_packet_fn(struct node_port *port, const struct weft_net_rx *packet, uint32_t number);

struct node_port {
	struct node *node;
	struct weft_net_port *port;
	unsigned int index;
	node_packet_fn *on_packet; /* NULL: only counted */
	uint64_t got, wrong;
	uint32_t last; /* number */
	uint32_t last_len_bytes;
	struct weft_net_address last_from, last_to;
	uint8_t last_ecn;
	bool deaf; /* receives nothing in a turn */
};

struct node {
	struct weft_worker *worker;
	struct weft_net *net;
	struct weft_net_address address;
	struct node_port ports[NODE_PORTS_MAX];
	unsigned int port_count;
};

/* The kind of nets that are opened from now on: "udp4", "udp6", "udpany", "udpany4", "fault+udp", "sim", "dpdk4", "dpdk6".
 * False if there is none of this name. */
bool node_use(const char *kind);
extern const struct weft_net_driver *node_driver;
extern const char *node_faults;

/* The network of the kind "sim", which node_use has opened anew; and what ends it. */
extern struct weft_sim *node_sim;
extern struct weft_clock *node_clock;
void node_sim_close(void);
/* The same with options, for tests of it. */
void node_sim_open(uint64_t seed, const struct weft_sim_link *link);

/* The i-th address of the kind, for a net that is opened without nodes. */
const char *node_address(unsigned int i);
/* Whether its addresses are this machine's own for certain. */
bool node_is_local(void);
/* Opens a net, with one port for each index. Fails the test if it cannot. */
void node_open(struct node *node, unsigned int port_count, const unsigned int indices[]);
/* One more port. */
struct node_port *node_port(struct node *node, unsigned int index);
void node_port_close(struct node_port *port);
/* Ends everything. Harmless when closed. */
void node_close(struct node *node);
/* Receives at each port of each open node; on a virtual clock, time goes on to the next event. */
void nodes_turn(void);

/* The way to a node. */
struct weft_net_route *node_route(struct node_port *port, const struct node *to);
/* Lays a packet out; returns bytes, of len_bytes. */
unsigned char *node_packet(unsigned char *bytes, uint32_t len_bytes, unsigned int index, uint32_t number);
/* Sends one; whether it was taken. */
bool node_send(struct weft_net_route *route, unsigned int index, uint32_t number, uint32_t len_bytes);
struct weft_net_stats node_stats(const struct node_port *port);

/* Turns all nodes until the condition holds. */
#define NODES_UNTIL(condition) PATIENCE_UNTIL(nodes_turn(), condition)

#endif

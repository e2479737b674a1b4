/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fixture of the tests of drivers of datagrams.
 */
#include "node.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#define OPEN_MAX 16

const struct weft_net_driver *node_driver;
const char *node_faults;
struct weft_sim *node_sim;
struct weft_clock *node_clock;

static struct node *open_nodes[OPEN_MAX];
static unsigned int open_count;

/* ---- kinds ---- */

static const struct kind {
	const char *name, *driver, *addresses[2];
	bool beyond; /* its addresses may be other machines' */
} kinds[] = {
	{"udp4", "udp", {"127.0.0.1:0", "127.0.0.1:0"}, false},
	{"udp6", "udp", {"[::1]:0", "[::1]:0"}, false},
	{"udpany", "udp", {":0", ":0"}, false},
	{"udpany4", "udp", {"0.0.0.0:0", "0.0.0.0:0"}, false},
	{"fault+udp", "fault+udp", {"127.0.0.1:0", "127.0.0.1:0"}, false},
	{"sim", NULL, {"near", "far"}, false},
	/* On what devices they are is in the environment. */
	{"dpdk4", "dpdk", {"10.9.0.1:0", "10.9.0.2:0"}, true},
	{"dpdk6", "dpdk", {"[fd00:9::1]:0", "[fd00:9::2]:0"}, true},
};
static const struct kind *kind;

/* A new network whenever there are no nodes, so that no test sees packets of another one. */
static bool sim_anew;

static const struct kind *find_kind(const char *name)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

void node_sim_open(uint64_t seed, const struct weft_sim_link *link)
{
	struct weft_sim_opts opts;

	kind = find_kind("sim");
	sim_anew = false;
	node_sim_close();
	weft_sim_opts_init(&opts, sizeof opts);
	opts.seed = seed;
	if (link)
		opts.link = *link;
	if (weft_clock_virtual_open(1000000, &node_clock) < 0)
		return;
	opts.clock = node_clock;
	if (weft_sim_open(&opts, &node_sim) == 0)
		node_driver = weft_sim_driver(node_sim);
}

void node_sim_close(void)
{
	if (node_sim)
		weft_sim_close(&node_sim);
	if (node_clock)
		weft_clock_virtual_close(&node_clock);
	node_driver = NULL;
}

static void open_sim_anew(void)
{
	node_sim_open(1, NULL);
	sim_anew = true;
}

bool node_use(const char *name)
{
	kind = find_kind(name);
	if (kind && kind->driver)
		node_driver = weft_net_driver_find(kind->driver);
	else if (kind)
		open_sim_anew();
	else if (!kind)
		weft_set_error(WEFT_EINVAL, "no kind of nets is called %s", name);
	return kind && node_driver;
}

const char *node_address(unsigned int i)
{
	return i < 2 ? kind->addresses[i] : kind->driver ? kind->addresses[0] : NULL;
}

bool node_is_local(void)
{
	return !kind->beyond;
}

/* ---- nodes ---- */

struct node_port *node_port(struct node *node, unsigned int index)
{
	struct node_port *port = &node->ports[node->port_count++];
	struct weft_net_port_opts opts;

	memset(port, 0, sizeof *port);
	port->node = node;
	port->index = index;
	weft_net_port_opts_init(&opts, sizeof opts);
	opts.worker = node->worker;
	opts.index = index;
	opts.user = port;
	CU_ASSERT_EQUAL_FATAL(weft_net_port_open(node_driver, node->net, &opts, &port->port), 0);
	return port;
}

void node_port_close(struct node_port *port)
{
	if (port->port)
		node_driver->port_close(&port->port);
}

void node_open(struct node *node, unsigned int port_count, const unsigned int indices[])
{
	struct weft_worker_opts worker_opts;
	struct weft_net_opts opts;
	unsigned int at = 0;

	if (sim_anew && !open_count)
		open_sim_anew();
	open_count++;
	memset(node, 0, sizeof *node);
	weft_worker_opts_init(&worker_opts, sizeof worker_opts);
	if (node_sim)
		worker_opts.clock = node_clock;
	CU_ASSERT_EQUAL_FATAL(weft_worker_open(&worker_opts, &node->worker), 0);
	while (open_nodes[at])
		at++;
	weft_net_opts_init(&opts, sizeof opts);
	opts.address = node_address(at);
	opts.runner = node->worker;
	opts.faults = node_faults;
	CU_ASSERT_EQUAL_FATAL(weft_net_open(node_driver, &opts, &node->net), 0);
	node_driver->address(node->net, &node->address);
	for (unsigned int i = 0; i < port_count; i++)
		node_port(node, indices[i]);
	open_nodes[at] = node;
}

void node_close(struct node *node)
{
	for (unsigned int i = 0; i < OPEN_MAX; i++)
		if (open_nodes[i] == node)
			open_nodes[i] = NULL;
	if (!node->net)
		return;
	open_count--;
	weft_worker_take(node->worker);
	for (unsigned int i = 0; i < node->port_count; i++)
		node_port_close(&node->ports[i]);
	node_driver->close(&node->net);
	weft_worker_close(&node->worker);
}

/* ---- packets ---- */

static unsigned char byte_of(uint32_t number, uint32_t at)
{
	return (unsigned char)(number * 31 + at * 7 + (at >> 8));
}

unsigned char *node_packet(unsigned char *bytes, uint32_t len_bytes, unsigned int index, uint32_t number)
{
	bytes[0] = (unsigned char)(index >> 8);
	bytes[1] = (unsigned char)index;
	if (len_bytes >= NODE_HEAD)
		memcpy(bytes + 2, &number, sizeof number);
	for (uint32_t i = NODE_HEAD; i < len_bytes; i++)
		bytes[i] = byte_of(number, i);
	return bytes;
}

bool node_send(struct weft_net_route *route, unsigned int index, uint32_t number, uint32_t len_bytes)
{
	static _Thread_local unsigned char bytes[70000];
	struct weft_net_tx packet = {.route = route, .piece_count = 1};

	packet.pieces[0] = (struct weft_net_piece){node_packet(bytes, len_bytes, index, number), len_bytes, NULL};
	return route->port->tx(route->port, &packet, 1) == 1;
}

static uint32_t number_of(const struct node_port *port, const struct weft_net_rx *packet)
{
	const unsigned char *bytes = packet->data;
	uint32_t number;

	if (packet->len_bytes < WEFT_NET_STEER_BYTES || (uintptr_t)bytes % 8 ||
	    (unsigned int)(bytes[0] << 8 | bytes[1]) != port->index)
		return NODE_NO_NUMBER;
	if (packet->len_bytes < NODE_HEAD)
		return 0;
	memcpy(&number, bytes + 2, sizeof number);
	for (uint32_t i = NODE_HEAD; i < packet->len_bytes; i++)
		if (bytes[i] != byte_of(number, i))
			return NODE_NO_NUMBER;
	return number;
}

static void take(struct node_port *port, const struct weft_net_rx *packet)
{
	uint32_t number = number_of(port, packet);

	port->got++;
	port->wrong += number == NODE_NO_NUMBER;
	port->last = number;
	port->last_len_bytes = packet->len_bytes;
	port->last_from = packet->from;
	port->last_to = packet->to;
	port->last_ecn = packet->ecn;
	if (port->on_packet)
		port->on_packet(port, packet, number);
}

static void turn(struct node_port *port)
{
	struct weft_net_rx packets[64];
	unsigned int count;

	if (!port->port || port->deaf)
		return;
	count = port->port->rx(port->port, packets, 64);
	if (count > port->port->max_burst)
		CU_FAIL_FATAL("more than max_burst");
	for (unsigned int i = 0; i < count; i++)
		take(port, &packets[i]);
	if (port->port->reap_due)
		port->port->reap(port->port);
}

/* Time goes on when all that has arrived was received. */
static void pass_time(void)
{
	uint64_t next_ns = node_sim ? weft_sim_next_ns(node_sim) : WEFT_NEVER;

	if (next_ns != WEFT_NEVER && next_ns > weft_clock_now(node_clock))
		weft_clock_virtual_set(node_clock, next_ns);
}

void nodes_turn(void)
{
	pass_time();
	for (unsigned int i = 0; i < OPEN_MAX; i++) {
		struct node *node = open_nodes[i];

		if (!node)
			continue;
		weft_worker_poll(node->worker);
		for (unsigned int j = 0; j < node->port_count; j++)
			turn(&node->ports[j]);
	}
}

struct weft_net_route *node_route(struct node_port *port, const struct node *to)
{
	struct weft_net_route *route = NULL;

	CU_ASSERT_EQUAL_FATAL(node_driver->route_open(port->port, &to->address, &route), 0);
	return route;
}

struct weft_net_stats node_stats(const struct node_port *port)
{
	struct weft_net_stats stats;

	node_driver->describe(port->port, &stats);
	return stats;
}

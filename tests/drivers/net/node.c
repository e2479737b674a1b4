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
bool node_threads;

static struct node *open_nodes[OPEN_MAX];

/* ---- kinds ---- */

static const struct kind {
	const char *name, *driver, *address;
} kinds[] = {
	{"udp4", "udp", "127.0.0.1:0"},
	{"udp6", "udp", "[::1]:0"},
	{"udpany", "udp", ":0"},
};
static const struct kind *kind;

bool node_use(const char *name)
{
	kind = NULL;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].name, name) == 0)
			kind = &kinds[i];
	node_driver = kind ? weft_net_driver_find(kind->driver) : NULL;
	node_threads = true;
	return node_driver != NULL;
}

const char *node_address(unsigned int i)
{
	(void)i;
	return kind->address;
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

	memset(node, 0, sizeof *node);
	weft_worker_opts_init(&worker_opts, sizeof worker_opts);
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
	CU_ASSERT_FATAL(count <= port->port->max_burst);
	for (unsigned int i = 0; i < count; i++)
		take(port, &packets[i]);
	if (port->port->reap_due)
		port->port->reap(port->port);
}

void nodes_turn(void)
{
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

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver: nets are hosts of the network whose table it is, and their ports send and receive there.
 */
#include "sim/sim_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>
#include <weft/hash.h>

static struct sim_net *net_of(const struct weft_net *base)
{
	return (struct sim_net *)(void *)base;
}

static struct sim_port *port_of(struct weft_net_port *base)
{
	return WEFT_CONTAINER_OF(base, struct sim_port, base);
}

/* ---- nets ---- */

static int find_host(struct weft_sim *sim, const char *name, struct sim_host **out)
{
	struct weft_net_address read;
	int rc = weft__sim_name_read(name, &read);

	if (rc < 0)
		return rc;
	*out = weft__sim_host(sim, &read);
	return *out ? 0 : -WEFT_ENOMEM;
}

/* The host of this name, if nobody is there; or the next one of those without a name. */
static int choose_host(struct weft_sim *sim, const char *name, struct sim_host **out)
{
	char unnamed[WEFT_SIM_NAME_MAX + 1];
	int rc;

	if (name) {
		rc = find_host(sim, name, out);
		if (rc == 0 && (*out)->net)
			rc = weft_set_error(WEFT_EADDRINUSE, "simulated host %s has a net already", name);
		return rc;
	}
	do {
		snprintf(unnamed, sizeof unnamed, "host-%llu", (unsigned long long)++sim->unnamed_count);
		rc = find_host(sim, unnamed, out);
	} while (rc == 0 && (*out)->net);
	return rc;
}

static int net_open(const struct weft_net_opts *opts, struct weft_net **out)
{
	struct weft_sim *sim = WEFT_CONTAINER_OF(opts->driver, struct weft_sim, driver);
	struct sim_net *net = calloc(1, sizeof *net);
	int rc;

	if (!net)
		return weft_set_error(WEFT_ENOMEM, "no memory for a net");
	rc = choose_host(sim, opts->address, &net->host);
	if (rc < 0) {
		free(net);
		return rc;
	}
	net->sim = sim;
	net->host->net = net;
	sim->net_count++;
	*out = (struct weft_net *)(void *)net;
	return 0;
}

static void net_close(struct weft_net **out)
{
	struct sim_net *net = net_of(*out);

	net->host->net = NULL;
	net->sim->net_count--;
	free(net);
	*out = NULL;
}

static void net_address(const struct weft_net *base, struct weft_net_address *out)
{
	*out = net_of(base)->host->name;
}

static const char *net_degraded(const struct weft_net *base, unsigned int i)
{
	(void)base;
	(void)i;
	return NULL;
}

static void address_write(const struct weft_net_address *address, char *text)
{
	strcpy(text, weft__sim_name_is_valid(address) ? (const char *)address->bytes : "?");
}

static bool is_loopback(const struct weft_net_address *address)
{
	(void)address;
	return true;
}

/* ---- routes ---- */

static int route_open(struct weft_net_port *port, const struct weft_net_address *to, struct weft_net_route **out)
{
	const struct sim_net *net = port_of(port)->net;
	struct sim_route *route;
	struct sim_host *host;

	if (!weft__sim_name_is_valid(to))
		return weft_set_error(WEFT_EINVAL, "these %u bytes are no address of a simulated host", to->len_bytes);
	route = calloc(1, sizeof *route);
	if (!route)
		return weft_set_error(WEFT_ENOMEM, "no memory for a route");
	host = weft__sim_host(net->sim, to);
	route->link = host ? weft__sim_link(net->sim, net->host, host) : NULL;
	if (!route->link) {
		free(route);
		return -WEFT_ENOMEM;
	}
	route->base.port = port;
	route->base.to = *to;
	route->base.payload_max = route->link->is->payload_max;
	*out = &route->base;
	return 0;
}

static void route_close(struct weft_net_route **route)
{
	free(WEFT_CONTAINER_OF(*route, struct sim_route, base));
	*route = NULL;
}

/* ---- ports ---- */

static unsigned int port_tx(struct weft_net_port *base, const struct weft_net_tx *packets, unsigned int count)
{
	struct sim_port *port = port_of(base);
	struct weft_sim *sim = port->net->sim;

	for (unsigned int i = 0; i < count; i++) {
		struct sim_route *route = WEFT_CONTAINER_OF(packets[i].route, struct sim_route, base);
		uint64_t bytes = sim->stats.sent_bytes;

		if (!weft__sim_send(sim, route->link, &packets[i])) {
			if (route->base.payload_max > route->link->is->payload_max)
				route->base.payload_max = route->link->is->payload_max;
			port->stats.tx_dropped++;
			continue;
		}
		bytes = sim->stats.sent_bytes - bytes;
		port->stats.tx_packets++;
		port->stats.tx_bytes += bytes;
		port->stats.copies++;
		port->stats.copied_bytes += bytes;
	}
	return count;
}

static void forget(struct sim_queue *queue)
{
	struct sim_event *event;

	while ((event = weft__sim_queue_pop(queue)))
		free(event);
}

static void note(struct weft_sim *sim, struct sim_port *port, const struct sim_event *event)
{
	uint64_t trace = sim->stats.trace + weft_clock_now(sim->opts.clock);

	trace = weft_hash_u64(trace) ^ event->link->entry.hash;
	trace = weft_hash_u64(trace) ^ weft_hash_bytes(event->bytes, event->len_bytes);
	sim->stats.trace = weft_hash_u64(trace);
	sim->stats.delivered++;
	sim->stats.delivered_bytes += event->len_bytes;
	sim->stats.under_way--;
	sim->waiting--;
	port->stats.rx_packets++;
	port->stats.rx_bytes += event->len_bytes;
}

static unsigned int port_rx(struct weft_net_port *base, struct weft_net_rx *packets, unsigned int max)
{
	struct sim_port *port = port_of(base);
	struct sim_event *event;
	unsigned int count = 0;

	forget(&port->spent);
	weft__sim_arrive(port->net->sim);
	max = max < SIM_RX_BURST ? max : SIM_RX_BURST;
	while (count < max && (event = weft__sim_queue_pop(&port->inbox))) {
		packets[count++] = (struct weft_net_rx){
			.data = event->bytes,
			.len_bytes = event->len_bytes,
			.ecn = event->ecn,
			.from = event->link->from->name,
		};
		note(port->net->sim, port, event);
		weft__sim_queue_push(&port->spent, event);
	}
	return count;
}

static int port_open(struct weft_net *base, const struct weft_net_port_opts *opts, struct weft_net_port **out)
{
	struct sim_net *net = net_of(base);
	struct sim_port *port;

	if (net->ports[opts->index])
		return weft_set_error(WEFT_EEXIST, "port %u of simulated host %s is open already", opts->index,
				      (const char *)net->host->name.bytes);
	port = calloc(1, sizeof *port);
	if (!port)
		return weft_set_error(WEFT_ENOMEM, "no memory for a port");
	port->base.tx = port_tx;
	port->base.rx = port_rx;
	port->base.max_burst = SIM_RX_BURST;
	port->net = net;
	net->ports[opts->index] = port;
	*out = &port->base;
	return 0;
}

static void port_close(struct weft_net_port **out)
{
	struct sim_port *port = port_of(*out);
	struct weft_sim *sim = port->net->sim;
	struct sim_event *event;

	forget(&port->spent);
	while ((event = weft__sim_queue_pop(&port->inbox))) {
		sim->stats.nobody++;
		sim->stats.under_way--;
		sim->waiting--;
		free(event);
	}
	port->net->ports[port->base.index] = NULL;
	free(port);
	*out = NULL;
}

/* Workers on a virtual clock never sleep. */
static void port_arm(struct weft_net_port *port, bool on)
{
	(void)port;
	(void)on;
}

static void port_describe(struct weft_net_port *port, struct weft_net_stats *out)
{
	*out = port_of(port)->stats;
}

const struct weft_net_driver weft__sim_driver = {
	.size = sizeof(struct weft_net_driver),
	.name = "sim",
	.caps = WEFT_NET_ECN,
	.timing = {.granularity_ns = 50000, .ack_delay_ns = 25000, .probe_floor_ns = 500000, .first_rtt_ns = 200000},
	.open = net_open,
	.close = net_close,
	.address = net_address,
	.port_open = port_open,
	.port_close = port_close,
	.address_read = weft__sim_name_read,
	.address_write = address_write,
	.is_loopback = is_loopback,
	.route_open = route_open,
	.route_close = route_close,
	.arm = port_arm,
	.describe = port_describe,
	.degraded = net_degraded,
	.copies = "each packet once, into the network",
};

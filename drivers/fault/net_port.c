/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports and routes, each before one of the driver below.
 */
#include "fault/fault_net.h"

#include <stdlib.h>
#include <weft/errors.h>
#include <weft/hash.h>

/* That the worker turns is enough: rx looks at what is due. */
static void woken(struct weft_timer *timer, void *user)
{
	(void)timer;
	(void)user;
}

static void init(struct fault_net_port *port, struct fault_net *net, const struct weft_net_port_opts *opts)
{
	port->net = net;
	port->worker = opts->worker;
	weft_random_seed(&port->random, weft_hash_u64(net->spec.seed ^ weft_hash_u64(opts->index + 1)));
	weft_list_init(&port->held);
	weft_list_init(&port->spent);
	weft_timer_init(&port->wake, woken, port);
}

int weft__fault_net_port_open(struct weft_net *base, const struct weft_net_port_opts *opts, struct weft_net_port **out)
{
	struct fault_net *net = (struct fault_net *)(void *)base;
	int rc = weft__fault_strikes(&net->spec, net->calls, FAULT_PORT_OPEN);
	struct fault_net_port *port;

	if (rc < 0)
		return rc;
	port = calloc(1, sizeof *port);
	if (!port)
		return weft_set_error(WEFT_ENOMEM, "no memory for a port");
	init(port, net, opts);
	rc = weft_net_port_open(net->below_driver, net->below, opts, &port->below);
	if (rc < 0) {
		free(port);
		return rc;
	}
	port->base.tx = weft__fault_net_tx;
	port->base.rx = weft__fault_net_rx;
	port->base.reap = weft__fault_net_reap;
	port->base.max_burst = port->below->max_burst;
	*out = &port->base;
	return 0;
}

void weft__fault_net_port_close(struct weft_net_port **out)
{
	struct fault_net_port *port = weft__fault_net_port_of(*out);

	weft_timer_cancel(port->worker, &port->wake);
	weft__fault_net_forget(port);
	port->net->below_driver->port_close(&port->below);
	free(port);
	*out = NULL;
}

int weft__fault_net_route_open(struct weft_net_port *base, const struct weft_net_address *to,
			       struct weft_net_route **out)
{
	struct fault_net_port *port = weft__fault_net_port_of(base);
	int rc = weft__fault_strikes(&port->net->spec, port->net->calls, FAULT_CONNECT);
	struct fault_net_route *route;

	if (rc < 0)
		return rc;
	route = calloc(1, sizeof *route);
	if (!route)
		return weft_set_error(WEFT_ENOMEM, "no memory for a route");
	rc = port->net->below_driver->route_open(port->below, to, &route->below);
	if (rc < 0) {
		free(route);
		return rc;
	}
	route->base.port = base;
	route->base.to = *to;
	route->base.payload_max = route->below->payload_max;
	*out = &route->base;
	return 0;
}

void weft__fault_net_route_close(struct weft_net_route **out)
{
	struct fault_net_route *route = WEFT_CONTAINER_OF(*out, struct fault_net_route, base);

	weft__fault_net_port_of(route->base.port)->net->below_driver->route_close(&route->below);
	free(route);
	*out = NULL;
}

void weft__fault_net_route_from(struct weft_net_route *base, const struct weft_net_address *own)
{
	weft_net_route_from(WEFT_CONTAINER_OF(base, struct fault_net_route, base)->below, own);
}

void weft__fault_net_arm(struct weft_net_port *base, bool on)
{
	struct fault_net_port *port = weft__fault_net_port_of(base);

	port->net->below_driver->arm(port->below, on);
}

/* As the layer above sees it: what was lost here did not come, what was doubled came twice. */
void weft__fault_net_describe(struct weft_net_port *base, struct weft_net_stats *out)
{
	struct fault_net_port *port = weft__fault_net_port_of(base);

	port->net->below_driver->describe(port->below, out);
	out->rx_packets = __atomic_load_n(&port->passed, __ATOMIC_RELAXED);
	out->rx_bytes = __atomic_load_n(&port->passed_bytes, __ATOMIC_RELAXED);
	out->rx_dropped += __atomic_load_n(&port->lost, __ATOMIC_RELAXED);
	out->tx_full += __atomic_load_n(&port->refused, __ATOMIC_RELAXED);
}

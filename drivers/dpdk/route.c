/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes: whom a host's packets are given to, and how long they may be.
 */
#include "dpdk/dpdk.h"

#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>

#define HEADERS_V4 28u /* of IP and UDP */
#define HEADERS_V6 48u
#define WORD 8u

void weft__dpdk_end_of(const struct weft_net_address *address, struct frame_end *out)
{
	memset(out, 0, sizeof *out);
	out->host.version = weft__ip_address_split(address, out->host.bytes);
	out->port = weft__ip_address_port(address);
}

void weft__dpdk_address_of(const struct frame_end *end, struct weft_net_address *out)
{
	weft__ip_address_join(end->host.version, end->host.bytes, end->port, out);
}

static uint32_t payload_of(const struct dpdk_net *net)
{
	uint32_t payload = net->device.mtu - (net->own.host.version == 4 ? HEADERS_V4 : HEADERS_V6);

	return payload & ~(WORD - 1);
}

static int find_way(struct dpdk_net *net, struct dpdk_route *route)
{
	char text[WEFT_NET_TEXT_MAX], own[WEFT_NET_TEXT_MAX];
	const struct frame_host *next;

	weft__ip_address_write(&route->base.to, text);
	weft__ip_address_write(&net->address, own);
	if (!weft__ip_address_is_host(&route->base.to) || weft__ip_address_is_loopback(&route->base.to))
		return weft_set_error(WEFT_EINVAL, "dpdk: nothing can be sent to %s: name a host and a port", text);
	weft__dpdk_end_of(&route->base.to, &route->to);
	if (route->to.host.version != net->own.host.version)
		return weft_set_error(WEFT_EINVAL, "dpdk: %s is not reached from %s, which is of the other IP", text,
				      own);
	route->own = memcmp(&route->to.host, &net->own.host, sizeof net->own.host) == 0;
	if (route->own)
		return 0;
	next = weft__dpdk_spec_next(&net->spec, &net->own.host, &route->to.host);
	if (!next)
		return weft_set_error(WEFT_EINVAL,
				      "dpdk: %s is not in the network of %s: WEFT_DPDK_DEVICE names no gateway to it",
				      text, own);
	route->neighbour = weft__neighbour_get(&net->neighbours, next);
	if (!route->neighbour)
		return weft_set_error(WEFT_ENOSPC, "dpdk: more than %u hosts are sent to from %s", NEIGHBOURS_MAX, own);
	return 0;
}

int weft__dpdk_route_open(struct weft_net_port *base, const struct weft_net_address *to, struct weft_net_route **out)
{
	struct dpdk_net *net = weft__dpdk_port_of(base)->net;
	struct dpdk_route *route = calloc(1, sizeof *route);
	int rc;

	if (!route)
		return weft_set_error(WEFT_ENOMEM, "no memory for a route");
	route->base.port = base;
	route->base.to = *to;
	weft_list_init(&route->in_waiting);
	rc = find_way(net, route);
	if (rc < 0) {
		free(route);
		return rc;
	}
	route->base.payload_max = payload_of(net);
	*out = &route->base;
	return 0;
}

void weft__dpdk_route_close(struct weft_net_route **out)
{
	struct dpdk_route *route = weft__dpdk_route_of(*out);
	struct dpdk_port *port = weft__dpdk_port_of(route->base.port);

	port->stats.tx_dropped += route->waiting_count;
	rte_pktmbuf_free_bulk(route->waiting, route->waiting_count);
	if (!weft_list_empty(&route->in_waiting))
		weft_list_remove(&route->in_waiting);
	if (route->neighbour)
		weft__neighbour_put(&port->net->neighbours, route->neighbour);
	free(route);
	*out = NULL;
}

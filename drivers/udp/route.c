/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Routes: an address for the kernel, and how long a packet may be to get there in one piece.
 */
#include "udp/udp.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/errors.h>

#define HEADERS_V4 28u /* of IP and UDP */
#define HEADERS_V6 48u
#define MTU_USUAL 1500u

/* What a connected socket says; what is usual where none can be had, or there is no way there now. */
static uint32_t ask_mtu(const struct udp_route *route)
{
	union ip_sockaddr to;
	socklen_t to_len = weft__ip_address_to(&route->base.to, &to), len = sizeof(int);
	int fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP), mtu = 0;

	if (fd < 0)
		return MTU_USUAL;
	if (connect(fd, &to.any, to_len) < 0 ||
	    getsockopt(fd, route->v6 ? IPPROTO_IPV6 : IPPROTO_IP, route->v6 ? IPV6_MTU : IP_MTU, &mtu, &len) < 0)
		mtu = 0;
	close(fd);
	return mtu > 0 ? (uint32_t)mtu : MTU_USUAL;
}

/* Whole words, so that packets that arrive together lie aligned. */
static uint32_t payload_of(const struct udp_route *route)
{
	uint32_t headers = route->v6 ? HEADERS_V6 : HEADERS_V4, mtu = ask_mtu(route);
	uint32_t payload = mtu > headers + UDP_ALIGN ? mtu - headers : UDP_ALIGN;

	payload = payload < WEFT_NET_PAYLOAD_MAX ? payload : WEFT_NET_PAYLOAD_MAX;
	return payload & ~(UDP_ALIGN - 1);
}

void weft__udp_route_shrink(struct udp_route *route)
{
	uint32_t payload = payload_of(route);

	if (payload < route->base.payload_max)
		route->base.payload_max = payload;
}

/* IPv4 goes through a socket of IPv6 in disguise. */
static void disguise(union ip_sockaddr *address)
{
	struct sockaddr_in v4 = address->v4;

	address->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = v4.sin_port};
	memset(address->v6.sin6_addr.s6_addr + 10, 0xff, 2);
	memcpy(address->v6.sin6_addr.s6_addr + 12, &v4.sin_addr, sizeof v4.sin_addr);
}

void weft__udp_route_from(struct weft_net_route *base, const struct weft_net_address *own)
{
	struct udp_route *route = weft__udp_route_of(base);
	const struct udp_net *net = weft__udp_port_of(base->port)->net;
	union ip_sockaddr from;

	if (!net->wildcard || !weft__ip_address_to(own, &from) || (from.any.sa_family == AF_INET6) != route->v6)
		return;
	if (net->family == AF_INET) {
		route->from.v4 = (struct in_pktinfo){.ipi_spec_dst = from.v4.sin_addr};
		route->from_len = sizeof route->from.v4;
		return;
	}
	if (!route->v6)
		disguise(&from);
	route->from.v6 = (struct in6_pktinfo){.ipi6_addr = from.v6.sin6_addr, .ipi6_ifindex = from.v6.sin6_scope_id};
	route->from_len = sizeof route->from.v6;
}

static int address_to(const struct udp_net *net, struct udp_route *route)
{
	char text[WEFT_NET_TEXT_MAX], own[WEFT_NET_TEXT_MAX];

	weft__ip_address_write(&route->base.to, text);
	if (!weft__ip_address_is_host(&route->base.to))
		return weft_set_error(WEFT_EINVAL, "udp: nothing can be sent to %s: name a host and a port", text);
	route->to_len = weft__ip_address_to(&route->base.to, &route->to);
	route->v6 = route->to.any.sa_family == AF_INET6;
	if (!route->v6 && net->dual) {
		disguise(&route->to);
		route->to_len = sizeof route->to.v6;
	}
	if (route->to.any.sa_family == net->family)
		return 0;
	weft__ip_address_write(&net->address, own);
	return weft_set_error(WEFT_EINVAL, "udp: %s is not reached from %s, which is of the other IP; :PORT is of both",
			      text, own);
}

int weft__udp_route_open(struct weft_net_port *port, const struct weft_net_address *to, struct weft_net_route **out)
{
	struct udp_net *net = weft__udp_port_of(port)->net;
	struct udp_route *route = calloc(1, sizeof *route);
	int rc;

	if (!route)
		return weft_set_error(WEFT_ENOMEM, "no memory for a route");
	route->base.port = port;
	route->base.to = *to;
	rc = address_to(net, route);
	if (rc < 0) {
		free(route);
		return rc;
	}
	route->base.payload_max = payload_of(route);
	route->segments = net->segments_tx;
	*out = &route->base;
	return 0;
}

void weft__udp_route_close(struct weft_net_route **route)
{
	free(weft__udp_route_of(*route));
	*route = NULL;
}

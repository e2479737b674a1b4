/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nets and ports of UDP: opened, closed, described.
 */
#include "udp/udp.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <weft/errors.h>
#include <weft/log.h>

/* ---- nets ---- */

static struct udp_net *net_of(const struct weft_net *base)
{
	return (struct udp_net *)(void *)base;
}

static bool has_v6(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || errno != EAFNOSUPPORT;
}

/* Any address is one of IPv6 that takes IPv4 too; where there is no IPv6, it is one of IPv4. */
static int read_address(struct udp_net *net, const char *text)
{
	int rc = weft__ip_address_read(text, &net->address);
	union ip_sockaddr at;

	if (rc == 0 && weft__ip_address_is_any(&net->address) && !has_v6()) {
		uint16_t port = weft__ip_address_port(&net->address);

		weft__ip_address_read("0.0.0.0:0", &net->address);
		weft__ip_address_set_port(&net->address, port);
	}
	if (rc < 0)
		return rc;
	weft__ip_address_to(&net->address, &at);
	net->family = at.any.sa_family;
	net->dual = weft__ip_address_is_any(&net->address);
	net->wildcard = weft__ip_address_is_wildcard(&net->address);
	return 0;
}

static int net_open(const struct weft_net_opts *opts, struct weft_net **out)
{
	struct udp_net *net = calloc(1, sizeof *net);
	int rc;

	if (!net)
		return weft_set_error(WEFT_ENOMEM, "no memory for a net");
	rc = read_address(net, opts->address ? opts->address : "127.0.0.1:0");
	if (rc == 0)
		rc = weft__udp_group_open(net);
	if (rc < 0) {
		free(net);
		return rc;
	}
	*out = (struct weft_net *)(void *)net;
	return 0;
}

static void net_close(struct weft_net **out)
{
	struct udp_net *net = net_of(*out);

	weft__udp_group_close(net);
	free(net);
	*out = NULL;
}

static void net_address(const struct weft_net *base, struct weft_net_address *out)
{
	*out = net_of(base)->address;
}

static const char *net_degraded(const struct weft_net *base, unsigned int i)
{
	const struct udp_net *net = net_of(base);

	return i < net->degraded_count ? net->degraded[i] : NULL;
}

/* ---- ports ---- */

/* Level-triggered, so that nothing that came before is slept through. A worker that is awake looks by itself. */
static void woken(struct weft_fd_watch *watch, uint32_t events, void *user)
{
	struct udp_port *port = user;

	(void)watch;
	(void)events;
	port->stats.wakes += port->armed;
	port->armed = false;
}

static int take_socket(struct udp_net *net, unsigned int index)
{
	if (net->ports[index])
		return weft_set_error(WEFT_EEXIST, "udp: port %u of this net is open already", index);
	return weft__udp_group_take(net, index);
}

static int port_open(struct weft_net *base, const struct weft_net_port_opts *opts, struct weft_net_port **out)
{
	struct udp_net *net = net_of(base);
	struct udp_port *port = calloc(1, sizeof *port);
	int rc;

	if (!port)
		return weft_set_error(WEFT_ENOMEM, "no memory for a port");
	rc = weft__udp_rx_init(&port->rx);
	if (rc == 0)
		rc = take_socket(net, opts->index);
	if (rc < 0) {
		weft__udp_rx_fini(&port->rx);
		free(port);
		return rc;
	}
	port->net = net;
	port->worker = opts->worker;
	port->fd = net->sockets[opts->index];
	port->segments_rx = atomic_load_explicit(&net->segments_rx, memory_order_relaxed);
	port->watch =
		(struct weft_fd_watch){.fd = port->fd, .events = EPOLLIN, .ready = woken, .user = port, .lazy = true};
	port->base.tx = weft__udp_tx;
	port->base.rx = weft__udp_rx;
	port->base.max_burst = UDP_RX_BURST;
	net->ports[opts->index] = port;
	*out = &port->base;
	return 0;
}

static void port_close(struct weft_net_port **out)
{
	struct udp_port *port = weft__udp_port_of(*out);

	if (port->watched)
		weft_worker_remove_fd(port->worker, &port->watch);
	weft__udp_group_give_back(port->net, port->base.index);
	port->net->ports[port->base.index] = NULL;
	weft__udp_rx_fini(&port->rx);
	free(port);
	*out = NULL;
}

/* Tried again at each sleep, and told once. */
static void watch(struct udp_port *port)
{
	port->watched = weft_worker_add_fd(port->worker, &port->watch) == 0;
	if (!port->watched && !port->watch_failed)
		weft_log(WEFT_LOG_WARN, "udp", "packets do not wake worker %s: %s", weft_worker_name(port->worker),
			 weft_last_error());
	port->watch_failed = !port->watched;
}

/* The descriptor is watched from the first sleep on: before that nobody owns the worker for certain. */
static void port_arm(struct weft_net_port *base, bool on)
{
	struct udp_port *port = weft__udp_port_of(base);

	if (!on)
		return;
	port->armed = true;
	if (!port->watched)
		watch(port);
}

static void port_describe(struct weft_net_port *base, struct weft_net_stats *out)
{
	const struct udp_port *port = weft__udp_port_of(base);
	const uint64_t *from = (const uint64_t *)&port->stats;
	uint64_t *to = (uint64_t *)out;

	/* Word by word, as another thread writes them: see decision 0013. */
	_Static_assert(sizeof *out % sizeof *to == 0, "whole words");
	for (size_t i = 0; i < sizeof *out / sizeof *to; i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

const struct weft_net_driver weft__udp_driver = {
	.size = sizeof(struct weft_net_driver),
	.name = "udp",
	.caps = WEFT_NET_WAKES | WEFT_NET_ECN | WEFT_NET_CHECKSUM,
	.timing = {.granularity_ns = 1000000,
		   .ack_delay_ns = 500000,
		   .probe_floor_ns = 5000000,
		   .first_rtt_ns = 5000000},
	.open = net_open,
	.close = net_close,
	.address = net_address,
	.port_open = port_open,
	.port_close = port_close,
	.address_read = weft__ip_address_read,
	.address_write = weft__ip_address_write,
	.is_loopback = weft__ip_address_is_loopback,
	.host = weft__ip_address_host,
	.route_open = weft__udp_route_open,
	.route_close = weft__udp_route_close,
	.arm = port_arm,
	.describe = port_describe,
	.degraded = net_degraded,
	.copies = "each packet into the kernel and out of it; once more where odd lengths came together",
	.route_from = weft__udp_route_from,
	.is_host = weft__ip_address_is_host,
};

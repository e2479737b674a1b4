/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nets and ports of dpdk: opened, closed, described.
 */
#include "dpdk/dpdk.h"

#include <rte_errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>
#include <weft/random.h>

#define PORT_FIRST 49152u /* of those that nobody is given */

static struct dpdk_net *net_of(const struct weft_net *base)
{
	return (struct dpdk_net *)(void *)base;
}

/* ---- what could not be had ---- */

WEFT_PRINTF(2, 3) static void degrade(struct dpdk_net *net, const char *format, ...)
{
	va_list arguments;

	if (net->degraded_count == DPDK_DEGRADED_MAX)
		return;
	va_start(arguments, format);
	vsnprintf(net->degraded[net->degraded_count++], sizeof net->degraded[0], format, arguments);
	va_end(arguments);
}

static void find_degraded(struct dpdk_net *net)
{
	if (!weft__dpdk_has_huge_pages())
		degrade(net,
			"dpdk: its memory is not in huge pages, which costs speed: sysctl vm.nr_hugepages=128 before it "
			"starts");
	if (net->device.copies_why)
		degrade(net, "dpdk: %s, which a network card of DPDK's own does not", net->device.copies_why);
}

static const char *net_degraded(const struct weft_net *base, unsigned int i)
{
	const struct dpdk_net *net = net_of(base);

	return i < net->degraded_count ? net->degraded[i] : NULL;
}

/* ---- nets ---- */

static int refuse(const char *text, const char *why)
{
	return weft_set_error(WEFT_EINVAL, "dpdk: \"%.80s\" is no address to be reached at: %s", text, why);
}

static int choose_port(struct dpdk_net *net)
{
	uint64_t random;
	int rc;

	if (net->own.port)
		return 0;
	/* Nobody else is at this address. */
	rc = weft_random_system(&random);
	if (rc < 0)
		return rc;
	net->own.port = (uint16_t)(PORT_FIRST + random % (UINT16_MAX + 1 - PORT_FIRST));
	weft__ip_address_set_port(&net->address, net->own.port);
	return 0;
}

static int read_address(struct dpdk_net *net, const char *text)
{
	static const struct frame_host any_v4 = {.version = 4}, any_v6 = {.version = 6};
	int rc;

	if (!text)
		return weft_set_error(WEFT_EINVAL,
				      "dpdk: no address is given, and the kernel's are not dpdk's: write one, "
				      "such as dpdk:10.0.0.1:7000");
	rc = weft__ip_address_read(text, &net->address);
	if (rc < 0)
		return rc;
	if (weft__ip_address_is_any(&net->address))
		return refuse(text, "the kernel's addresses are not dpdk's; name the host");
	weft__dpdk_end_of(&net->address, &net->own);
	if (weft__ip_address_is_loopback(&net->address))
		return refuse(text, "nothing that leaves a device may come from there");
	if (memcmp(&net->own.host, &any_v4, sizeof any_v4) == 0 || memcmp(&net->own.host, &any_v6, sizeof any_v6) == 0)
		return refuse(text, "name the host");
	if (strchr(text, '%'))
		return refuse(text,
			      "its device is no interface of the kernel's; use another address than one of a link");
	return choose_port(net);
}

static int read_spec(struct dpdk_net *net)
{
	/* Not for programs with more rights than their caller. */
	const char *text = secure_getenv("WEFT_DPDK_DEVICE");

	if (!text || !*text)
		return weft_set_error(WEFT_ENODEV,
				      "dpdk: no device is named: set WEFT_DPDK_DEVICE to one in DPDK's words, such as "
				      "0000:3b:00.0 or net_af_packet0,iface=eth1");
	return weft__dpdk_spec_read(text, &net->own.host, &net->spec);
}

static int net_open(const struct weft_net_opts *opts, struct weft_net **out)
{
	struct dpdk_net *net = aligned_alloc(WEFT_CACHE_LINE, RTE_ALIGN(sizeof *net, WEFT_CACHE_LINE));
	int rc;

	if (!net)
		return weft_set_error(WEFT_ENOMEM, "no memory for a net");
	memset(net, 0, sizeof *net);
	weft__neighbours_init(&net->neighbours);
	rc = read_address(net, opts->address);
	if (rc == 0)
		rc = read_spec(net);
	if (rc == 0)
		rc = weft__dpdk_start(net->spec.device);
	if (rc == 0)
		rc = weft__dpdk_device_open(net);
	if (rc < 0) {
		weft__neighbours_fini(&net->neighbours);
		free(net);
		return rc;
	}
	find_degraded(net);
	*out = (struct weft_net *)(void *)net;
	return 0;
}

static void empty(struct rte_ring *ring)
{
	void *mbuf;

	while (rte_ring_dequeue(ring, &mbuf) == 0)
		rte_pktmbuf_free(mbuf);
}

static void net_close(struct weft_net **out)
{
	struct dpdk_net *net = net_of(*out);

	for (unsigned int i = 0; i < WEFT_NET_PORTS_MAX; i++) {
		struct rte_ring *ring = atomic_load_explicit(&net->rings[i], memory_order_relaxed);

		if (ring)
			empty(ring);
		rte_ring_free(ring);
	}
	weft__dpdk_device_close(net);
	weft__neighbours_fini(&net->neighbours);
	free(net);
	*out = NULL;
}

static void net_address(const struct weft_net *base, struct weft_net_address *out)
{
	*out = net_of(base)->address;
}

/* ---- ports ---- */

/* The ring of an index, which stays until the net is closed: a late packet may still be put into it. */
static int take_ring(struct dpdk_net *net, unsigned int index, struct rte_ring **out)
{
	struct rte_ring *ring = atomic_load_explicit(&net->rings[index], memory_order_relaxed);
	char name[RTE_RING_NAMESIZE];

	if (net->ports[index])
		return weft_set_error(WEFT_EEXIST, "dpdk: port %u of this net is open already", index);
	if (!ring) {
		snprintf(name, sizeof name, "weft_%u_%u", net->device.id, index);
		ring = rte_ring_create(name, DPDK_RING_PACKETS, rte_eth_dev_socket_id(net->device.id),
				       RING_F_MP_RTS_ENQ | RING_F_SC_DEQ);
		if (!ring)
			return weft_set_error(WEFT_ENOMEM, "dpdk: no memory for a ring: %s", rte_strerror(rte_errno));
		atomic_store_explicit(&net->rings[index], ring, memory_order_relaxed);
	}
	*out = ring;
	return 0;
}

static int port_open(struct weft_net *base, const struct weft_net_port_opts *opts, struct weft_net_port **out)
{
	struct dpdk_net *net = net_of(base);
	struct dpdk_port *port = calloc(1, sizeof *port);
	int rc;

	if (!port)
		return weft_set_error(WEFT_ENOMEM, "no memory for a port");
	rc = take_ring(net, opts->index, &port->ring);
	if (rc < 0) {
		free(port);
		return rc;
	}
	port->net = net;
	port->worker = opts->worker;
	/* The first worker has the first queue, which the runner, having little to do, shares. */
	port->queue = (uint16_t)((opts->index ? opts->index - 1 : 0) % net->device.queue_count);
	port->other = port->queue;
	weft_list_init(&port->waiting);
	port->base.tx = weft__dpdk_tx;
	port->base.rx = weft__dpdk_rx;
	port->base.reap = weft__dpdk_reap;
	port->base.max_burst = DPDK_BURST;
	weft__dpdk_rx_forget(port);
	net->ports[opts->index] = port;
	/* release: pairs with the acquire of who hands packets over. */
	atomic_store_explicit(&net->open[opts->index], true, memory_order_release);
	weft__dpdk_announce(port);
	*out = &port->base;
	return 0;
}

static void port_close(struct weft_net_port **out)
{
	struct dpdk_port *port = weft__dpdk_port_of(*out);

	/* Who looked before may still put something into the ring, which the next port, or the net, lets go of. */
	atomic_store_explicit(&port->net->open[port->base.index], false, memory_order_relaxed);
	weft__dpdk_rx_forget(port);
	port->net->ports[port->base.index] = NULL;
	free(port);
	*out = NULL;
}

/* Nothing wakes: see WEFT_NET_WAKES. */
static void port_arm(struct weft_net_port *port, bool on)
{
	(void)port;
	(void)on;
}

static void port_describe(struct weft_net_port *base, struct weft_net_stats *out)
{
	const struct dpdk_port *port = weft__dpdk_port_of(base);
	const uint64_t *from = (const uint64_t *)&port->stats;
	uint64_t *to = (uint64_t *)out;

	/* Word by word, as another thread writes them: see decision 0013. */
	_Static_assert(sizeof *out % sizeof *to == 0, "whole words");
	for (size_t i = 0; i < sizeof *out / sizeof *to; i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

/* Whatever a device leads to, it may be another machine. */
static bool is_loopback(const struct weft_net_address *address)
{
	(void)address;
	return false;
}

static const struct weft_net_driver driver = {
	.size = sizeof(struct weft_net_driver),
	.name = "dpdk",
	.caps = WEFT_NET_ECN | WEFT_NET_CHECKSUM,
	.timing = {.granularity_ns = 50000, .ack_delay_ns = 25000, .probe_floor_ns = 500000, .first_rtt_ns = 200000},
	.open = net_open,
	.close = net_close,
	.address = net_address,
	.port_open = port_open,
	.port_close = port_close,
	.address_read = weft__ip_address_read,
	.address_write = weft__ip_address_write,
	.is_loopback = is_loopback,
	.host = weft__ip_address_host,
	.route_open = weft__dpdk_route_open,
	.route_close = weft__dpdk_route_close,
	.arm = port_arm,
	.describe = port_describe,
	.degraded = net_degraded,
	.copies =
		"each packet into a buffer of DPDK's, none on its way in; what the device's own driver copies besides is in "
		"the degraded list",
};

WEFT_NET_DRIVER_MODULE(driver);

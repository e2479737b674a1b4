/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public headers of drivers of datagrams: one of the kernel's, and a simulated network.
 */
#include "every_function.h"

#include <weft/net.h>
#include <weft/sim.h>

static void call_udp()
{
	const struct weft_net_driver *udp = weft_net_driver_find("udp");
	struct weft_worker *worker = nullptr;
	struct weft_worker_opts worker_opts;
	struct weft_net_port_opts port_opts;
	struct weft_net_port *port = nullptr;
	struct weft_net_opts opts;
	struct weft_net *net = nullptr;

	REQUIRE(udp && weft_net_driver_at(0) == udp && !weft_net_driver_find("none"));
	weft_worker_opts_init(&worker_opts, sizeof worker_opts);
	REQUIRE(weft_worker_open(&worker_opts, &worker) == 0);
	weft_net_opts_init(&opts, sizeof opts);
	opts.runner = worker;
	REQUIRE(weft_net_open(udp, &opts, &net) == 0);
	weft_net_port_opts_init(&port_opts, sizeof port_opts);
	port_opts.worker = worker;
	REQUIRE(weft_net_port_open(udp, net, &port_opts, &port) == 0 && port->index == 0);
	struct weft_net_route *route = nullptr;
	struct weft_net_address address;
	udp->address(net, &address);
	REQUIRE(weft_net_is_host(udp, &address) && udp->route_open(port, &address, &route) == 0);
	weft_net_route_from(route, &address);
	udp->route_close(&route);
	udp->port_close(&port);
	udp->close(&net);
	weft_worker_close(&worker);
}

static void call_sim()
{
	struct weft_clock *clock = nullptr;
	struct weft_sim *sim = nullptr;
	struct weft_sim_stats stats;
	struct weft_sim_opts opts;

	REQUIRE(weft_clock_virtual_open(0, &clock) == 0);
	weft_sim_opts_init(&opts, sizeof opts);
	opts.clock = clock;
	REQUIRE(weft_sim_open(&opts, &sim) == 0 && weft_sim_driver(sim)->caps & WEFT_NET_ECN);
	REQUIRE(weft_sim_set_link(sim, "a", "b", &opts.link) == 0);
	weft_sim_line line = {};
	line.bits_per_second = 1000000000;
	REQUIRE(weft_sim_set_downlink(sim, "b", &line) == 0 && weft_sim_downlink_waiting(sim, "b", 99) == 0);
	REQUIRE(weft_sim_cut(sim, "a", "b", true) == 0 && weft_sim_clog(sim, "b", "a", true) == 0);
	REQUIRE(weft_sim_next_ns(sim) == WEFT_NEVER);
	weft_sim_describe(sim, &stats);
	REQUIRE(stats.sent == 0);
	weft_sim_close(&sim);
	weft_clock_virtual_close(&clock);
}

void call_nets()
{
	call_udp();
	call_sim();
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves what the network as a whole does: links that are cut and clogged one way, links of their own, hosts that go and
 * come again, memory that fails, and what ten thousand hosts cost.
 */
#include "fault.h"
#include "node.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static struct node near, far;
static struct node_port *const here = &near.ports[0], *const there = &far.ports[0];
static struct weft_net_route *way, *back;
static struct weft_sim_stats stats;

static void open_both(void)
{
	node_sim_open(3, NULL);
	node_open(&near, 1, (unsigned int[]){1});
	node_open(&far, 1, (unsigned int[]){1});
	way = node_route(here, &far);
	back = node_route(there, &near);
}

static void close_both(void)
{
	node_driver->route_close(&way);
	node_driver->route_close(&back);
	node_close(&near);
	node_close(&far);
	node_sim_close();
}

static void drain(void)
{
	while (weft_sim_next_ns(node_sim) != WEFT_NEVER)
		nodes_turn();
	weft_sim_describe(node_sim, &stats);
}

static void a_link_is_cut_one_way(void)
{
	open_both();
	CU_ASSERT_TRUE(node_send(way, 1, 1, 100)); /* under way when it is cut */
	CU_ASSERT_EQUAL(weft_sim_cut(node_sim, "near", "far", true), 0);
	CU_ASSERT_TRUE(node_send(way, 1, 2, 100));
	CU_ASSERT_TRUE(node_send(back, 1, 3, 100));
	drain();
	CU_ASSERT_EQUAL(there->got, 0);
	CU_ASSERT_EQUAL(here->got, 1);
	CU_ASSERT_EQUAL(stats.cut, 2);
	CU_ASSERT_EQUAL(weft_sim_cut(node_sim, "near", "far", false), 0);
	CU_ASSERT_TRUE(node_send(way, 1, 4, 100));
	drain();
	CU_ASSERT_EQUAL(there->got, 1);
	CU_ASSERT_EQUAL(there->last, 4);
	close_both();
}

static uint32_t order[8];

static void note(struct node_port *port, const struct weft_net_rx *packet, uint32_t number)
{
	(void)packet;
	order[(port->got - 1) % 8] = number;
}

static void a_clogged_link_holds_everything_until_it_is_freed(void)
{
	open_both();
	there->on_packet = note;
	CU_ASSERT_TRUE(node_send(way, 1, 1, 100)); /* under way when it is clogged */
	CU_ASSERT_EQUAL(weft_sim_clog(node_sim, "near", "far", true), 0);
	for (uint32_t i = 2; i <= 5; i++)
		CU_ASSERT_TRUE(node_send(way, 1, i, 100));
	CU_ASSERT_TRUE(node_send(back, 1, 9, 100));
	drain();
	CU_ASSERT_EQUAL(there->got, 0);
	CU_ASSERT_EQUAL(here->got, 1);
	CU_ASSERT_EQUAL(stats.under_way, 5);
	CU_ASSERT_EQUAL(weft_sim_clog(node_sim, "near", "far", false), 0);
	CU_ASSERT_TRUE(node_send(way, 1, 6, 100));
	drain();
	CU_ASSERT_EQUAL(there->got, 6);
	for (uint32_t i = 0; i < 6; i++)
		CU_ASSERT_EQUAL(order[i], i + 1);
	close_both();
}

static void what_is_held_may_be_held_for_ever(void)
{
	open_both();
	CU_ASSERT_EQUAL(weft_sim_clog(node_sim, "near", "far", true), 0);
	CU_ASSERT_TRUE(node_send(way, 1, 1, 100));
	drain();
	CU_ASSERT_TRUE(node_send(back, 1, 2, 100)); /* and this is under way */
	close_both();
}

static void a_link_of_its_own_differs_from_the_others(void)
{
	struct weft_sim_link slow = {.delay_ns = 777000, .payload_max = 1200};
	uint64_t start_ns;

	open_both();
	CU_ASSERT_EQUAL(weft_sim_set_link(node_sim, "far", "near", &slow), 0);
	start_ns = weft_clock_now(node_clock);
	CU_ASSERT_TRUE(node_send(way, 1, 1, 1300));
	drain();
	CU_ASSERT_EQUAL(weft_clock_now(node_clock), start_ns + 10000);
	/* A route learns that its way is narrower by the packet that is lost. */
	CU_ASSERT_EQUAL(back->payload_max, 1472);
	CU_ASSERT_TRUE(node_send(back, 1, 1, 1300));
	CU_ASSERT_EQUAL(back->payload_max, 1200);
	CU_ASSERT_EQUAL(node_stats(there).tx_dropped, 1);
	start_ns = weft_clock_now(node_clock);
	CU_ASSERT_TRUE(node_send(back, 1, 2, 1200));
	drain();
	CU_ASSERT_EQUAL(weft_clock_now(node_clock), start_ns + 777000);
	CU_ASSERT_EQUAL(here->last, 2);
	CU_ASSERT_EQUAL(stats.too_long, 1);
	close_both();
}

static void a_host_that_comes_again_gets_what_is_under_way(void)
{
	open_both();
	CU_ASSERT_TRUE(node_send(way, 1, 1, 100));
	node_driver->route_close(&back);
	node_close(&far);
	node_open(&far, 1, (unsigned int[]){1});
	back = node_route(there, &near);
	drain();
	CU_ASSERT_EQUAL(there->got, 1);
	CU_ASSERT_EQUAL(there->last, 1);
	close_both();
}

static void a_host_without_a_net_gets_nothing(void)
{
	open_both();
	node_driver->route_close(&back);
	node_close(&far);
	CU_ASSERT_TRUE(node_send(way, 1, 1, 100));
	drain();
	CU_ASSERT_EQUAL(stats.nobody, 1);
	node_open(&far, 1, (unsigned int[]){1});
	back = node_route(there, &near);
	drain();
	CU_ASSERT_EQUAL(there->got, 0);
	close_both();
}

static void hosts_without_a_name_get_one_that_nobody_has(void)
{
	struct weft_net *nets[3] = {NULL, NULL, NULL}, *second = NULL;
	struct weft_net_opts opts;

	open_both();
	weft_net_opts_init(&opts, sizeof opts);
	opts.address = "host-2";
	CU_ASSERT_EQUAL_FATAL(weft_net_open(node_driver, &opts, &nets[0]), 0);
	CU_ASSERT_EQUAL(weft_net_open(node_driver, &opts, &second), -WEFT_EADDRINUSE);
	opts.address = NULL;
	CU_ASSERT_EQUAL_FATAL(weft_net_open(node_driver, &opts, &nets[1]), 0);
	CU_ASSERT_EQUAL_FATAL(weft_net_open(node_driver, &opts, &nets[2]), 0);
	for (unsigned int i = 0; i < 3; i++) {
		static const char *const expected[] = {"host-2", "host-1", "host-3"};
		struct weft_net_address address;
		char text[WEFT_NET_TEXT_MAX];

		node_driver->address(nets[i], &address);
		node_driver->address_write(&address, text);
		CU_ASSERT_STRING_EQUAL(text, expected[i]);
		node_driver->close(&nets[i]);
	}
	close_both();
}

static void it_needs_a_virtual_clock(void)
{
	struct weft_sim *sim = NULL;
	struct weft_sim_opts opts;

	weft_sim_opts_init(&opts, sizeof opts);
	CU_ASSERT_EQUAL(weft_sim_open(&opts, &sim), -WEFT_EINVAL);
	opts.clock = weft_clock_real();
	CU_ASSERT_EQUAL(weft_sim_open(&opts, &sim), -WEFT_EINVAL);
	CU_ASSERT_PTR_NULL(sim);
}

/* ---- memory ---- */

static void without_memory_it_cannot_be_opened(void)
{
	struct weft_clock *clock = NULL;
	struct weft_sim *sim = NULL;
	struct weft_sim_opts opts;
	unsigned int skip = 0;
	int rc;

	CU_ASSERT_EQUAL_FATAL(weft_clock_virtual_open(0, &clock), 0);
	weft_sim_opts_init(&opts, sizeof opts);
	opts.clock = clock;
	for (;; skip++) {
		fault_arm(skip);
		rc = weft_sim_open(&opts, &sim);
		if (!fault_disarm())
			break;
		CU_ASSERT_EQUAL(rc, -WEFT_ENOMEM);
		CU_ASSERT_PTR_NULL(sim);
	}
	CU_ASSERT_EQUAL(rc, 0);
	CU_ASSERT_EQUAL(skip, 3);
	weft_sim_close(&sim);
	weft_clock_virtual_close(&clock);
}

static void without_memory_packets_are_lost_and_links_refused(void)
{
	unsigned int lost = 0;

	open_both();
	CU_ASSERT_TRUE(node_send(way, 1, 0, 100));
	for (uint32_t i = 0; i < 300; i++) {
		fault_arm(0);
		CU_ASSERT_TRUE(node_send(way, 1, i, 100));
		lost += fault_disarm();
		CU_ASSERT_TRUE(node_send(way, 1, i, 100));
		fault_arm(1); /* the heap, when it has to grow */
		CU_ASSERT_TRUE(node_send(way, 1, i, 100));
		lost += fault_disarm();
	}
	drain();
	CU_ASSERT_EQUAL(stats.lost, lost);
	CU_ASSERT_EQUAL(stats.delivered, 901 - lost);
	CU_ASSERT_TRUE(lost > 300);
	for (unsigned int i = 0; i < 3; i++) {
		fault_arm(i > 0); /* the first host; the second; the link */
		CU_ASSERT_EQUAL(weft_sim_cut(node_sim, "new", "newer", true), -WEFT_ENOMEM);
		CU_ASSERT_TRUE(fault_disarm());
	}
	CU_ASSERT_EQUAL(weft_sim_cut(node_sim, "new", "newer", true), 0);
	close_both();
}

#define CROWD 10000u

/* The budgets of a simulated cluster: what a driver takes of 32 KiB for an idle node, and of 1 KiB for a link's end. */
static void ten_thousand_hosts_fit_into_their_budget(void)
{
	static struct weft_net *nets[CROWD];
	static struct weft_net_port *ports[CROWD];
	static struct weft_net_route *routes[CROWD];
	struct weft_net_port_opts port_opts;
	struct weft_net_opts opts;
	size_t before, hosts, links;

	node_sim_open(1, NULL);
	weft_net_opts_init(&opts, sizeof opts);
	weft_net_port_opts_init(&port_opts, sizeof port_opts);
	before = mallinfo2().uordblks;
	for (unsigned int i = 0; i < CROWD; i++) {
		CU_ASSERT_EQUAL_FATAL(weft_net_open(node_driver, &opts, &nets[i]), 0);
		CU_ASSERT_EQUAL_FATAL(weft_net_port_open(node_driver, nets[i], &port_opts, &ports[i]), 0);
	}
	hosts = mallinfo2().uordblks;
	for (unsigned int i = 0; i < CROWD; i++) {
		struct weft_net_address to;

		node_driver->address(nets[(i * 7 + 1) % CROWD], &to);
		CU_ASSERT_EQUAL_FATAL(node_driver->route_open(ports[i], &to, &routes[i]), 0);
	}
	links = mallinfo2().uordblks;
	/* A sanitizer's memory is not counted so. */
	CU_ASSERT_TRUE((hosts - before) / CROWD < 2048);
	CU_ASSERT_TRUE((links - hosts) / CROWD < 512);
	for (unsigned int i = 0; i < CROWD; i++) {
		node_driver->route_close(&routes[i]);
		node_driver->port_close(&ports[i]);
		node_driver->close(&nets[i]);
	}
	node_sim_close();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_link_is_cut_one_way),
		SUITE_CASE(a_clogged_link_holds_everything_until_it_is_freed),
		SUITE_CASE(what_is_held_may_be_held_for_ever),
		SUITE_CASE(a_link_of_its_own_differs_from_the_others),
		SUITE_CASE(a_host_that_comes_again_gets_what_is_under_way),
		SUITE_CASE(a_host_without_a_net_gets_nothing),
		SUITE_CASE(hosts_without_a_name_get_one_that_nobody_has),
		SUITE_CASE(it_needs_a_virtual_clock),
		SUITE_CASE(without_memory_it_cannot_be_opened),
		SUITE_CASE(without_memory_packets_are_lost_and_links_refused),
		SUITE_CASE(ten_thousand_hosts_fit_into_their_budget),
	};

	return suite_main("the simulated network", cases, SUITE_COUNT(cases), argc, argv);
}

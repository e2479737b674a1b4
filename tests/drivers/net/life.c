/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and closing, in any order and at any time.
 */
#include "conformance.h"
#include "node.h"

#include <CUnit/Basic.h>
#include <string.h>

static struct node near, far;

static int open_port(unsigned int index, struct weft_net_port **out)
{
	struct weft_net_port_opts opts;

	weft_net_port_opts_init(&opts, sizeof opts);
	opts.worker = near.worker;
	opts.index = index;
	return weft_net_port_open(node_driver, near.net, &opts, out);
}

static void a_port_says_what_it_is(void)
{
	node_open(&near, 1, (unsigned int[]){3});
	CU_ASSERT_PTR_EQUAL(near.ports[0].port->net, near.net);
	CU_ASSERT_PTR_EQUAL(near.ports[0].port->driver, node_driver);
	CU_ASSERT_PTR_EQUAL(near.ports[0].port->user, &near.ports[0]);
	CU_ASSERT_EQUAL(near.ports[0].port->index, 3);
	CU_ASSERT_TRUE(near.ports[0].port->max_burst > 0);
	CU_ASSERT_TRUE(node_driver->timing.granularity_ns > 0 && node_driver->timing.first_rtt_ns > 0);
	CU_ASSERT_TRUE(strlen(node_driver->copies) > 0);
	CU_ASSERT_EQUAL(node_driver->is_loopback(&near.address), node_is_local());
	near.ports[0].port->reap(near.ports[0].port);
	node_close(&near);
}

static void an_index_has_one_port_at_a_time(void)
{
	struct weft_net_port *second = NULL;

	node_open(&near, 1, (unsigned int[]){3});
	CU_ASSERT_EQUAL(open_port(3, &second), -WEFT_EEXIST);
	CU_ASSERT_PTR_NULL(second);
	node_port_close(&near.ports[0]);
	CU_ASSERT_EQUAL(open_port(3, &second), 0);
	node_driver->port_close(&second);
	CU_ASSERT_PTR_NULL(second);
	node_close(&near);
}

static void an_index_beyond_the_last_is_refused(void)
{
	struct weft_net_port *port = NULL;

	node_open(&near, 0, NULL);
	CU_ASSERT_EQUAL(open_port(WEFT_NET_PORTS_MAX, &port), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(open_port(UINT32_MAX, &port), -WEFT_EINVAL);
	CU_ASSERT_PTR_NULL(port);
	node_close(&near);
}

static void ends_close_with_packets_under_way(void)
{
	for (unsigned int round = 0; round < 20; round++) {
		struct weft_net_route *there, *back;

		node_open(&near, 2, (unsigned int[]){0, 1});
		node_open(&far, 1, (unsigned int[]){1});
		there = node_route(&near.ports[1], &far);
		back = node_route(&far.ports[0], &near);
		for (uint32_t i = 0; i < 50; i++) {
			node_send(there, 1, i, 500);
			node_send(back, i % 2, i, 500);
			if (i < round)
				nodes_turn();
		}
		node_driver->route_close(&there);
		node_driver->route_close(&back);
		CU_ASSERT_EQUAL(near.ports[0].wrong + near.ports[1].wrong + far.ports[0].wrong, 0);
		node_close(round % 2 ? &near : &far);
		node_close(round % 2 ? &far : &near);
	}
}

static void a_net_talks_to_itself(void)
{
	struct weft_net_route *way;

	node_open(&near, 2, (unsigned int[]){1, 2});
	way = node_route(&near.ports[0], &near);
	CU_ASSERT_TRUE(node_send(way, 2, 11, 100));
	CU_ASSERT_TRUE(node_send(way, 1, 12, 100));
	/* Where a host had a net before, packets for that one may come too. */
	CU_ASSERT_TRUE(NODES_UNTIL(near.ports[0].last == 12 && near.ports[1].last == 11));
	node_driver->route_close(&way);
	node_close(&near);
}

static void faults_are_refused_by_who_makes_none(void)
{
	struct weft_net *net = NULL;
	struct weft_net_opts opts;

	if (node_driver->caps & WEFT_NET_FAULTS)
		return;
	weft_net_opts_init(&opts, sizeof opts);
	opts.faults = "drop=0.5";
	CU_ASSERT_EQUAL(weft_net_open(node_driver, &opts, &net), -WEFT_EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "fault+"));
	CU_ASSERT_PTR_NULL(net);
}

const struct net_case net_life[] = {
	NET_CASE(a_port_says_what_it_is, 0),
	NET_CASE(an_index_has_one_port_at_a_time, 0),
	NET_CASE(an_index_beyond_the_last_is_refused, 0),
	NET_CASE(ends_close_with_packets_under_way, 0),
	NET_CASE(a_net_talks_to_itself, 0),
	NET_CASE(faults_are_refused_by_who_makes_none, 0),
	NET_CASES_END,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets reach the port that they name, and no other, whichever ports there are and were.
 */
#include "conformance.h"
#include "node.h"

#include <CUnit/Basic.h>

static struct node near, far;
static struct node_port *const here = &near.ports[0];
static struct weft_net_route *way;

static void open_both(unsigned int port_count, const unsigned int indices[])
{
	node_open(&near, 1, (unsigned int[]){1});
	node_open(&far, port_count, indices);
	way = node_route(here, &far);
}

static void close_both(void)
{
	for (unsigned int i = 0; i < far.port_count; i++)
		CU_ASSERT_EQUAL(far.ports[i].wrong, 0);
	node_driver->route_close(&way);
	node_close(&near);
	node_close(&far);
}

/* All that was sent before has arrived, or never will. */
static void wait_until_all_is_there(struct node_port *at)
{
	uint64_t got = at->got;

	CU_ASSERT_TRUE(node_send(way, at->index, 4242, 100));
	CU_ASSERT_TRUE(NODES_UNTIL(at->got > got && at->last == 4242));
}

static void each_port_gets_what_names_it(void)
{
	static const unsigned int indices[] = {0, 1, 2, 5};

	open_both(4, indices);
	for (uint32_t i = 0; i < 400; i++) {
		CU_ASSERT_TRUE(NODES_UNTIL(node_send(way, indices[i % 4], i, 20 + i % 4)));
		nodes_turn();
	}
	for (unsigned int i = 0; i < 4; i++) {
		CU_ASSERT_TRUE(NODES_UNTIL(far.ports[i].got == 100));
		CU_ASSERT_EQUAL(far.ports[i].last % 4, i);
	}
	close_both();
}

/* Equal in length and from one sender: what might be put together on the way is for two ports. */
static void packets_of_one_burst_part_their_ways(void)
{
	static unsigned char bytes[64][1000];
	struct weft_net_tx burst[64];
	unsigned int sent = 0;

	open_both(3, (unsigned int[]){0, 1, 2});
	for (uint32_t i = 0; i < 64; i++) {
		burst[i] = (struct weft_net_tx){.route = way, .piece_count = 1};
		burst[i].pieces[0].data = node_packet(bytes[i], 1000, i % 8 == 0 ? 2 : 1, i);
		burst[i].pieces[0].len_bytes = 1000;
	}
	CU_ASSERT_TRUE(NODES_UNTIL((sent += here->port->tx(here->port, burst + sent, 64 - sent)) == 64));
	CU_ASSERT_TRUE(NODES_UNTIL(far.ports[1].got == 56 && far.ports[2].got == 8));
	CU_ASSERT_EQUAL(far.ports[0].got, 0);
	close_both();
}

static void what_names_no_port_is_lost(void)
{
	static const unsigned int nowhere[] = {1, 3, 64, 65, 1000, 65535};

	open_both(2, (unsigned int[]){0, 2});
	for (uint32_t i = 0; i < 6; i++)
		CU_ASSERT_TRUE(node_send(way, nowhere[i], i, 100));
	wait_until_all_is_there(&far.ports[0]);
	wait_until_all_is_there(&far.ports[1]);
	CU_ASSERT_EQUAL(far.ports[0].got, 1);
	CU_ASSERT_EQUAL(far.ports[1].got, 1);
	close_both();
}

static void a_port_that_opens_later_gets_what_is_sent_later(void)
{
	open_both(1, (unsigned int[]){4});
	for (uint32_t i = 0; i < 10; i++)
		CU_ASSERT_TRUE(node_send(way, 2, i, 100));
	wait_until_all_is_there(&far.ports[0]);
	node_port(&far, 2);
	wait_until_all_is_there(&far.ports[1]);
	CU_ASSERT_EQUAL(far.ports[1].got, 1);
	close_both();
}

static void a_port_that_opens_again_gets_nothing_of_old(void)
{
	open_both(2, (unsigned int[]){0, 3});
	wait_until_all_is_there(&far.ports[1]);
	far.ports[1].deaf = true;
	for (uint32_t i = 0; i < 10; i++)
		CU_ASSERT_TRUE(node_send(way, 3, i, 100));
	wait_until_all_is_there(&far.ports[0]);
	node_port_close(&far.ports[1]);
	for (uint32_t i = 0; i < 10; i++)
		CU_ASSERT_TRUE(node_send(way, 3, i, 100));
	wait_until_all_is_there(&far.ports[0]);
	node_port(&far, 3);
	wait_until_all_is_there(&far.ports[2]);
	CU_ASSERT_EQUAL(far.ports[2].got, 1);
	close_both();
}

static void the_largest_index_works(void)
{
	open_both(2, (unsigned int[]){WEFT_NET_PORTS_MAX - 1, 0});
	wait_until_all_is_there(&far.ports[0]);
	wait_until_all_is_there(&far.ports[1]);
	CU_ASSERT_EQUAL(far.ports[0].got + far.ports[1].got, 2);
	close_both();
}

const struct net_case net_steering[] = {
	NET_CASE(each_port_gets_what_names_it, 0),
	NET_CASE(packets_of_one_burst_part_their_ways, 0),
	NET_CASE(what_names_no_port_is_lost, 0),
	NET_CASE(a_port_that_opens_later_gets_what_is_sent_later, 0),
	NET_CASE(a_port_that_opens_again_gets_nothing_of_old, 0),
	NET_CASE(the_largest_index_works, 0),
	NET_CASES_END,
};

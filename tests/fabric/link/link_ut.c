/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that two nodes need one link, also when both connect at the same moment, and that it carries both ways.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>

#define MEETINGS 40

static void count(struct weft_rx *rx, void *user)
{
	(void)rx;
	++*(unsigned int *)user;
}

static unsigned int links_of(struct weft_node *node)
{
	struct weft_node_stats stats;

	weft_node_describe(node, &stats);
	return stats.links;
}

/* Both open a sender; the far one begins some turns later, so that the two connections cross at every stage. */
static void meet(unsigned int turns_between)
{
	unsigned int near_count = 0, far_count = 0;
	struct weft_sender *back;
	struct pair pair;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.near_channel, count, &near_count);
	weft_channel_handle(pair.far_channel, count, &far_count);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.near_worker, pair.near_channel, weft_node_name(pair.far), NULL,
					       &pair.sender),
			      0);
	for (unsigned int i = 0; i < turns_between; i++)
		pair_turn(&pair);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.far_worker, pair.far_channel, weft_node_name(pair.near), NULL,
					       &back),
			      0);
	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, !weft_sender_status(pair.sender) && !weft_sender_status(back)));
	for (unsigned int i = 0; i < 100; i++) {
		CU_ASSERT_EQUAL(weft_send(pair.sender, "there", 5), 0);
		CU_ASSERT_EQUAL(weft_send(back, "back", 4), 0);
		pair_turn(&pair);
	}
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, near_count == 100 && far_count == 100));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, links_of(pair.near) == 1 && links_of(pair.far) == 1));
	pair_close(&pair);
}

static void two_that_connect_to_each_other_at_once_share_a_link(void)
{
	for (unsigned int i = 0; i < MEETINGS; i++)
		meet(i * i);
}

static void the_way_back_uses_the_link_that_is_there(void)
{
	struct weft_sender *back;
	struct pair pair;
	unsigned int got = 0;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.near_channel, count, &got);
	weft_channel_handle(pair.far_channel, count, &got);
	pair_connect(&pair);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.far_worker, pair.far_channel, weft_node_name(pair.near), NULL,
					       &back),
			      0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, !weft_sender_status(back)));
	CU_ASSERT_EQUAL(links_of(pair.near), 1);
	CU_ASSERT_EQUAL(links_of(pair.far), 1);
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(two_that_connect_to_each_other_at_once_share_a_link),
		SUITE_CASE(the_way_back_uses_the_link_that_is_there),
	};

	return suite_main("link", cases, SUITE_COUNT(cases), argc, argv);
}

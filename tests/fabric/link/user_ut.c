/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a link at rest is for the user who was its peer, and not for another one who says the same name. It needs
 * two users, and so root to be either.
 */
#include "stranger.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <unistd.h>

#define OTHER 65534u

static struct stranger stranger;

static bool is_linked(void)
{
	struct weft_node_stats stats;

	weft_node_describe(stranger.node, &stats);
	return stats.links > 0;
}

/* It closes its link as an idle one, and the node's end rests. */
static void let_rest(uint32_t round)
{
	unsigned int before = stranger.heard[WEFT__IDLE_YES];

	stranger_idle_both(&stranger, WEFT__IDLE_ASK, round);
	CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__IDLE_YES] == before + WEFT_CLASS_COUNT));
	CU_ASSERT_TRUE(stranger_idle(&stranger, WEFT__IDLE_CLOSE, WEFT_CLASS_EXPRESS, round));
	stranger_leave(&stranger);
	CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(&stranger, !is_linked()));
}

static void a_link_at_rest_is_opened_by_its_user_only(void)
{
	uint32_t other = OTHER;
	struct weft_sender_opts opts = {.size = sizeof opts};
	struct weft_node_opts node_opts;
	struct weft_channel *channel;
	struct weft_sender *sender;

	weft_node_opts_init(&node_opts, sizeof node_opts);
	node_opts.link_idle_ns = 0;
	node_opts.allowed_uids = &other;
	node_opts.allowed_uid_count = 1;
	side_allowed_uid = 0;
	stranger_open(&stranger, &node_opts);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(stranger.node, "test", NULL, &channel), 0);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(stranger.worker, channel, stranger.name, &opts, &sender), 0);
	CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__LANE_OPEN] == 1));
	stranger_grant(&stranger, stranger.last[WEFT__LANE_OPEN]);
	CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(&stranger, weft_sender_status(sender) == 0));
	let_rest(1);

	CU_ASSERT_EQUAL_FATAL(seteuid(OTHER), 0);
	stranger_connect(&stranger);
	CU_ASSERT_EQUAL_FATAL(seteuid(0), 0);
	for (unsigned int i = 0; i < 1000; i++)
		stranger_turn(&stranger);
	CU_ASSERT_EQUAL(stranger.heard[WEFT__LANE_OPEN], 1);
	stranger_leave(&stranger);
	CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(&stranger, !is_linked()));

	stranger_connect(&stranger);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__LANE_OPEN] == 2));
	CU_ASSERT_EQUAL(weft_sender_status(sender), 0);
	stranger_close(&stranger);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {SUITE_CASE(a_link_at_rest_is_opened_by_its_user_only)};

	if (geteuid() != 0) {
		printf("skipped: it takes root to be two users\n");
		return 77;
	}
	return suite_main("link user", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that peers which open lanes and send nothing, honest or not, take from no other peer what it needs to get on,
 * where messages may have to wait for a receive.
 */
#include "stranger.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>

#define CROWD 72
#define LOANS 2048u

static struct stranger crowd[CROWD];
static struct weft_channel *channel;
static unsigned int received;

static void count_received(struct weft_op *op, int status, const struct weft_received *what, void *user)
{
	(void)op, (void)what, (void)user;
	received += status == 0;
}

static void receive(void)
{
	CU_ASSERT_EQUAL(weft_recv_post(crowd[0].worker, channel, NULL, 0, 0, UINT64_MAX, count_received, NULL, NULL),
			0);
}

/* Opens the node, so many peers, and lanes of each. Messages will be received, though nothing is posted for them yet. */
static void set_up(unsigned int peers, unsigned int lanes_each)
{
	struct weft_node_opts node_opts;

	weft_node_opts_init(&node_opts, sizeof node_opts);
	stranger_open(&crowd[0], &node_opts);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(crowd[0].node, "test", NULL, &channel), 0);
	CU_ASSERT_EQUAL(weft_recv_post(crowd[0].worker, channel, NULL, 0, 999, UINT64_MAX, NULL, NULL, NULL), 0);
	stranger_crowd_join(crowd, 0, peers, lanes_each);
}

/* Message number sequence on lane 0 as soon as there is credit, which comes to a receive. False: it never may. */
static bool say(struct stranger *from, uint32_t sequence)
{
	unsigned int before = received;

	for (unsigned int turn = 0; turn < 100 && from->limits[0] <= sequence; turn++)
		stranger_turn(from);
	if (from->limits[0] <= sequence ||
	    !stranger_say(from, WEFT_CLASS_NORMAL, weft__meta(WEFT__DATA, 0, 0, sequence), NULL, 0))
		return false;
	receive();
	return STRANGER_UNTIL(from, received > before);
}

static void every_lane_of_many_quiet_peers_may_send(void)
{
	set_up(24, 8);
	for (unsigned int i = 0; i < 24; i++)
		for (uint16_t lane = 0; lane < 8; lane++)
			CU_ASSERT_TRUE(crowd[i].limits[lane] > 0);
	stranger_crowd_end(crowd, 24);
}

static void lanes_that_send_nothing_starve_no_other_peer(void)
{
	static struct weft_loan *loans[LOANS];
	unsigned int count = 0;

	set_up(1, 64);
	for (unsigned int i = 1; i < CROWD; i++) {
		char name[16];

		snprintf(name, sizeof name, "peer-%u", i);
		stranger_join(&crowd[i], &crowd[0], name);
		/* The first eight want all that there is; then come those who send. */
		for (uint16_t lane = 0; lane < (i < 8 ? 64 : 1); lane++)
			stranger_open_lane(&crowd[i], lane, "test");
	}
	/* The application has its part, and no more. */
	for (unsigned int vain = 0; vain < 1000; vain++) {
		while (count < LOANS && weft_loan_get(crowd[0].worker, 1, &loans[count]) == 0) {
			count++;
			vain = 0;
		}
		stranger_turn(&crowd[0]);
	}
	CU_ASSERT_TRUE(count >= 192);
	for (uint32_t sequence = 0; sequence < 20; sequence++)
		for (unsigned int i = 8; i < CROWD; i++)
			CU_ASSERT_TRUE(say(&crowd[i], sequence));
	while (count)
		weft_loan_release(loans[--count]);
	stranger_crowd_end(crowd, CROWD);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(every_lane_of_many_quiet_peers_may_send),
		SUITE_CASE(lanes_that_send_nothing_starve_no_other_peer),
	};

	return suite_main("quiet", cases, SUITE_COUNT(cases), argc, argv);
}

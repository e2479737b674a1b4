/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that among many peers each gets on, whatever lies about of others that nobody receives: each is left its share,
 * and lanes that could be told of nothing are, all of them, before the worker sleeps, once there is something for them.
 */
#include "channel/channel_private.h"
#include "patience.h"
#include "stranger.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#define CROWD FIRSTS
#define ROUNDS 5u
#define GREEDY 32u
#define GREEDY_LANES 8u
#define LOANS 2048u
#define SHARED 1536u     /* of the loans: not set apart */
#define APPLICATION 192u /* of what is set apart; the rest is for links that have none, or for lanes */
#define FIRSTS 256u      /* links that are left one each */
#define UNWANTED UINT64_C(1)
#define SLEEP_NS 20000000u /* at most, from before a turn that finds nothing */

static struct stranger crowd[CROWD];
static unsigned int sent[CROWD][STRANGER_LANES];
static struct weft_channel *channel;
static unsigned int received;

static void count_received(struct weft_op *op, int status, const struct weft_received *what, void *user)
{
	(void)op, (void)what, (void)user;
	received += status == 0;
}

static void receive(uint64_t tag)
{
	CU_ASSERT_EQUAL(weft_recv_post(crowd[0].worker, channel, NULL, 0, tag, UINT64_MAX, count_received, NULL, NULL),
			0);
}

static void set_up(void)
{
	struct weft_node_opts node_opts;

	memset(sent, 0, sizeof sent);
	received = 0;
	weft_node_opts_init(&node_opts, sizeof node_opts);
	node_opts.idle = WEFT_IDLE_BLOCK;
	stranger_open(&crowd[0], &node_opts);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(crowd[0].node, "test", NULL, &channel), 0);
	receive(999);
}

static bool say(unsigned int peer, uint16_t lane, uint64_t tag)
{
	uint64_t header[2] = {tag, 0};

	if (sent[peer][lane] >= crowd[peer].limits[lane] ||
	    !stranger_say(&crowd[peer], WEFT_CLASS_NORMAL,
			  weft__meta(WEFT__DATA, WEFT__HAS_HEADER, lane, sent[peer][lane]), header, sizeof header))
		return false;
	sent[peer][lane]++;
	return true;
}

/* The first peers send what nobody receives on each of their lanes, until none takes any more. */
static void fill(unsigned int peers, uint16_t lanes_each)
{
	for (unsigned int vain = 0; vain < 100; vain++) {
		for (unsigned int i = 0; i < peers; i++)
			for (uint16_t lane = 0; lane < lanes_each; lane++)
				if (say(i, lane, UNWANTED))
					vain = 0;
		stranger_turn(&crowd[0]);
	}
}

static unsigned int sum(unsigned int peer)
{
	unsigned int all = 0;

	for (unsigned int lane = 0; lane < STRANGER_LANES; lane++)
		all += sent[peer][lane];
	return all;
}

/* These peers, in turns, send what is received at once. */
static void get_on(unsigned int first, unsigned int end)
{
	for (unsigned int round = 0; round < ROUNDS; round++)
		for (unsigned int i = first; i < end; i++) {
			CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(&crowd[0], say(i, 0, 0)));
			receive(0);
			CU_ASSERT_TRUE_FATAL(
				STRANGER_UNTIL(&crowd[0], received == round * (end - first) + i - first + 1));
		}
}

static void each_gets_on_though_others_have_sent_what_nobody_receives(void)
{
	unsigned int all = 0;

	set_up();
	stranger_crowd_join(crowd, 0, GREEDY, GREEDY_LANES);
	fill(GREEDY, GREEDY_LANES);
	for (unsigned int i = 0; i < GREEDY; i++)
		all += sum(i);
	/* What is left is for links that have none, and for the application. */
	CU_ASSERT_TRUE(all <= LOANS - APPLICATION - (FIRSTS - GREEDY));
	/* Each has twice what is left of what is shared, but for what is lost in rounding. */
	for (unsigned int i = 0; i < GREEDY; i++)
		CU_ASSERT_TRUE(sum(i) > 0 && sum(i) + 2 * all + 2 >= 2 * SHARED);
	stranger_crowd_join(crowd, GREEDY, CROWD, 1);
	get_on(GREEDY, CROWD);
	/* What lay about is received: the greedy ones get on too. */
	for (unsigned int i = 0; i < all; i++)
		receive(UNWANTED);
	CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(&crowd[0], received == (CROWD - GREEDY) * ROUNDS + all));
	received = 0;
	get_on(0, GREEDY);
	stranger_crowd_end(crowd, CROWD);
}

/* Lanes but the first. */
static unsigned int with_credit(const struct stranger *peer)
{
	unsigned int count = 0;

	for (unsigned int lane = 1; lane < STRANGER_LANES; lane++)
		count += peer->limits[lane] > 0;
	return count;
}

static uint64_t sleeps(void)
{
	struct weft_worker_stats stats;

	weft_worker_describe(crowd[0].worker, &stats);
	return stats.sleeps;
}

/* Turns the node until its worker has slept; then the peers read what it said. */
static void until_it_has_slept(void)
{
	struct weft_worker *worker = crowd[0].worker;
	uint64_t slept = sleeps();

	CU_ASSERT_TRUE(PATIENCE_UNTIL(weft_worker_turn(worker, weft_clock_now(weft_clock_real()) + SLEEP_NS),
				      sleeps() > slept));
	for (unsigned int i = 0; i < 100; i++)
		sides_turn();
}

/* All that it may have. */
static unsigned int take_loans(struct weft_loan *loans[LOANS])
{
	unsigned int count = 0;

	for (unsigned int vain = 0; vain < 1000; vain++) {
		while (count < LOANS && weft_loan_get(crowd[0].worker, 1, &loans[count]) == 0) {
			count++;
			vain = 0;
		}
		stranger_turn(&crowd[0]);
	}
	return count;
}

static void all_starved_lanes_that_may_have_some_get_it_before_the_worker_sleeps(void)
{
	static struct weft_loan *loans[LOANS];
	unsigned int count, waiting;

	set_up();
	/* Two that have all they may, left in lanes that they have closed: their other lanes can get nothing. */
	stranger_crowd_join(crowd, 0, 2, 1);
	fill(2, 1);
	for (unsigned int i = 0; i < 2; i++) {
		CU_ASSERT_TRUE(
			stranger_say(&crowd[i], WEFT_CLASS_NORMAL, weft__meta(WEFT__LANE_CLOSE, 0, 0, 0), NULL, 0));
		for (uint16_t lane = 1; lane < STRANGER_LANES; lane++)
			stranger_open_lane(&crowd[i], lane, "test");
	}
	waiting = sum(0) + sum(1);
	count = take_loans(loans);
	CU_ASSERT_EQUAL(count, LOANS - waiting - (FIRSTS - 2));
	/* Behind those in the list stand more, of one that has its first message and could have more. */
	stranger_crowd_join(crowd, 2, 3, STRANGER_LANES);
	CU_ASSERT_EQUAL(crowd[2].limits[0], 1);
	CU_ASSERT_EQUAL(with_credit(&crowd[2]), 0);
	until_it_has_slept();
	while (count)
		weft_loan_release(loans[--count]);
	until_it_has_slept();
	CU_ASSERT_EQUAL(with_credit(&crowd[2]), STRANGER_LANES - 1);
	CU_ASSERT_EQUAL(with_credit(&crowd[0]) + with_credit(&crowd[1]), 0);
	/* What waited is received: then they get some too. */
	for (unsigned int i = 0; i < waiting; i++)
		receive(UNWANTED);
	until_it_has_slept();
	CU_ASSERT_EQUAL(received, waiting);
	for (unsigned int i = 0; i < 2; i++)
		CU_ASSERT_TRUE(STRANGER_UNTIL(&crowd[0], with_credit(&crowd[i]) == STRANGER_LANES - 1));
	stranger_crowd_end(crowd, 3);
}

static void lanes_that_are_closed_unused_leave_what_they_were_promised_to_starved_ones(void)
{
	static struct weft_loan *loans[LOANS];
	unsigned int count, promised = 0;

	set_up();
	stranger_crowd_join(crowd, 0, 1, STRANGER_LANES);
	for (unsigned int lane = 0; lane < STRANGER_LANES; lane++)
		promised += crowd[0].limits[lane];
	CU_ASSERT_TRUE(promised > APPLICATION);
	count = take_loans(loans);
	CU_ASSERT_EQUAL(count, LOANS - promised - (FIRSTS - 1));
	stranger_crowd_join(crowd, 1, 2, STRANGER_LANES);
	CU_ASSERT_EQUAL(with_credit(&crowd[1]), 0);
	until_it_has_slept();
	for (uint16_t lane = 0; lane < STRANGER_LANES; lane++)
		CU_ASSERT_TRUE(
			stranger_say(&crowd[0], WEFT_CLASS_NORMAL, weft__meta(WEFT__LANE_CLOSE, 0, lane, 0), NULL, 0));
	until_it_has_slept();
	CU_ASSERT_EQUAL(with_credit(&crowd[1]), STRANGER_LANES - 1);
	while (count)
		weft_loan_release(loans[--count]);
	stranger_crowd_end(crowd, 2);
}

/* One that has all it may, and the application asks for more than there ever is. */
static void loans_that_are_asked_for_in_vain_have_no_starved_lanes_looked_at(void)
{
	const struct weft__station *station;
	struct weft_loan *loan = NULL;

	set_up();
	station = weft__station_of(crowd[0].worker);
	stranger_crowd_join(crowd, 0, 1, 1);
	fill(1, 1);
	CU_ASSERT_TRUE(stranger_say(&crowd[0], WEFT_CLASS_NORMAL, weft__meta(WEFT__LANE_CLOSE, 0, 0, 0), NULL, 0));
	for (uint16_t lane = 1; lane < STRANGER_LANES; lane++)
		stranger_open_lane(&crowd[0], lane, "test");
	until_it_has_slept();
	CU_ASSERT_EQUAL(station->starved_count, STRANGER_LANES - 1);
	CU_ASSERT_EQUAL(station->feed_left, 0);
	CU_ASSERT_TRUE(weft_loan_get(crowd[0].worker, (size_t)1 << 40, &loan) < 0);
	CU_ASSERT_EQUAL(station->feed_left, 0);
	/* And one that is given back has. */
	CU_ASSERT_EQUAL_FATAL(weft_loan_get(crowd[0].worker, 1, &loan), 0);
	CU_ASSERT_EQUAL(station->feed_left, 0);
	weft_loan_release(loan);
	CU_ASSERT_EQUAL(station->feed_left, STRANGER_LANES - 1);
	stranger_crowd_end(crowd, 1);
}

static struct weft_loan *kept[LOANS];
static unsigned int kept_count;

static void keep(struct weft_rx *rx, void *user)
{
	(void)user;
	CU_ASSERT_EQUAL(weft_rx_keep(rx, &kept[kept_count]), 0);
	kept_count++;
}

static void what_the_application_keeps_is_no_more_of_the_share_of_its_link(void)
{
	struct weft_channel *other;

	kept_count = 0;
	set_up();
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(crowd[0].node, "other", NULL, &other), 0);
	CU_ASSERT_EQUAL(weft_recv_post(crowd[0].worker, other, NULL, 0, 999, UINT64_MAX, NULL, NULL, NULL), 0);
	stranger_crowd_join(crowd, 0, 1, 1);
	fill(1, 1);
	CU_ASSERT_TRUE(stranger_say(&crowd[0], WEFT_CLASS_NORMAL, weft__meta(WEFT__LANE_CLOSE, 0, 0, 0), NULL, 0));
	for (uint16_t lane = 1; lane < 41; lane++)
		stranger_open_lane(&crowd[0], lane, "other");
	until_it_has_slept();
	CU_ASSERT_EQUAL(with_credit(&crowd[0]), 0);
	weft_channel_handle(channel, keep, NULL);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&crowd[0], kept_count == sum(0) && with_credit(&crowd[0]) == 40));
	while (kept_count)
		weft_loan_release(kept[--kept_count]);
	stranger_crowd_end(crowd, 1);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(each_gets_on_though_others_have_sent_what_nobody_receives),
		SUITE_CASE(all_starved_lanes_that_may_have_some_get_it_before_the_worker_sleeps),
		SUITE_CASE(lanes_that_are_closed_unused_leave_what_they_were_promised_to_starved_ones),
		SUITE_CASE(loans_that_are_asked_for_in_vain_have_no_starved_lanes_looked_at),
		SUITE_CASE(what_the_application_keeps_is_no_more_of_the_share_of_its_link),
	};

	return suite_main("starved", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that requests which are answered later are shared out: a peer that has many leaves calls for others, however many links
 * it has and however often it comes again; and that their answers come to nothing when it has gone.
 */
#include "stranger.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>

#define WINDOW 1024
#define MANY 16

static struct stranger stranger;
static struct stranger many[MANY];
static struct weft_channel *channel;
static unsigned int asked, refused;

#define CALLS 2048

static struct weft_call *calls[CALLS];
static unsigned int call_count;

static void answer_later(struct weft_rx *rx, void *user)
{
	int rc = call_count < CALLS ? weft_rx_defer(rx, &calls[call_count]) : -WEFT_EAGAIN;

	(void)user;
	asked++;
	if (rc == 0) {
		call_count++;
		return;
	}
	CU_ASSERT_EQUAL(rc, -WEFT_EAGAIN);
	CU_ASSERT_EQUAL(weft_reply_error(rx, -WEFT_EAGAIN), 0);
	refused++;
}

static void open_on(struct stranger *first, uint64_t link_idle_ns)
{
	struct weft_node_opts node_opts;

	asked = refused = call_count = 0;
	weft_node_opts_init(&node_opts, sizeof node_opts);
	node_opts.link_idle_ns = link_idle_ns;
	stranger_open(first, &node_opts);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(first->node, "test", NULL, &channel), 0);
	weft_channel_handle(channel, answer_later, NULL);
}

static void set_up(uint64_t link_idle_ns)
{
	open_on(&stranger, link_idle_ns);
}

static void answer_all(void)
{
	while (call_count)
		CU_ASSERT_EQUAL(weft_call_reply(calls[--call_count], 0, "late", 4), 0);
}

/* Asks so often on lane 0 from sequence number first on, and listens. */
static void ask(struct stranger *from, uint32_t first, uint32_t count)
{
	unsigned int asked_before = asked;
	uint64_t id = 7;

	for (uint32_t i = 0; i < count; i++)
		CU_ASSERT_TRUE(STRANGER_UNTIL(from, from->limits[0] > first + i &&
							    stranger_say(from, WEFT_CLASS_NORMAL,
									 weft__meta(WEFT__REQUEST, 0, 0, first + i),
									 &id, sizeof id)));
	CU_ASSERT_TRUE(STRANGER_UNTIL(from, asked == asked_before + count));
}

static void who_has_many_requests_answered_later_leaves_calls_for_others(void)
{
	struct stranger modest;

	set_up(0);
	stranger_open_lane(&stranger, 0, "test");
	/* A window of them is taken as it may be, and not much more. */
	ask(&stranger, 0, WINDOW);
	CU_ASSERT_EQUAL(call_count, WINDOW);
	CU_ASSERT_EQUAL(refused, 0);
	ask(&stranger, WINDOW, 3 * WINDOW);
	CU_ASSERT_EQUAL(call_count, WINDOW);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__REPLY] == 3 * WINDOW));
	CU_ASSERT_TRUE(weft__meta_flags(stranger.last[WEFT__REPLY]) & WEFT__IS_ERROR);
	stranger_join(&modest, &stranger, "modest");
	stranger_open_lane(&modest, 0, "test");
	ask(&modest, 0, 100);
	CU_ASSERT_EQUAL(call_count, WINDOW + 100);
	answer_all();
	CU_ASSERT_TRUE(STRANGER_UNTIL(&modest, modest.heard[WEFT__REPLY] == 100));
	CU_ASSERT_FALSE(weft__meta_flags(modest.last[WEFT__REPLY]) & WEFT__IS_ERROR);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__REPLY] == 4 * WINDOW));
	/* And has its share again. */
	refused = 0;
	ask(&stranger, 4 * WINDOW, WINDOW);
	CU_ASSERT_EQUAL(refused, 0);
	answer_all();
	CU_ASSERT_EQUAL(stranger_node_stats(&stranger).violations, 0);
	stranger_part(&modest);
	stranger_close(&stranger);
}

static void whatever_calls_others_have_a_peer_gets_its_first(void)
{
	open_on(&many[0], 0);
	stranger_crowd_join(many, 0, MANY, 1);
	for (unsigned int i = 0; i < MANY; i++) {
		unsigned int before = call_count;

		ask(&many[i], 0, i ? WINDOW : 2 * WINDOW);
		CU_ASSERT_TRUE(call_count > before);
	}
	/* One is left for each of 256 peers, less those that have some. */
	CU_ASSERT_EQUAL(call_count, CALLS - (256 - MANY));
	answer_all();
	/* What was given back is all there again. */
	for (unsigned int i = 0; i < 2; i++)
		ask(&many[i], (i ? 1 : 2) * WINDOW, WINDOW);
	CU_ASSERT_EQUAL(call_count, WINDOW + WINDOW / 2);
	answer_all();
	stranger_crowd_end(many, MANY);
}

static void answers_to_a_peer_that_has_gone_come_to_nothing(void)
{
	set_up(0);
	for (unsigned int round = 0; round < 3; round++) {
		stranger_open_lane(&stranger, 0, "test");
		ask(&stranger, 0, 100);
		CU_ASSERT_EQUAL(call_count, 100);
		stranger_leave(&stranger);
		CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(&stranger, stranger_node_stats(&stranger).links == 0));
		while (call_count)
			CU_ASSERT_EQUAL(weft_call_reply(calls[--call_count], 0, "late", 4), -WEFT_EPEERRESET);
		stranger_connect(&stranger);
	}
	stranger_open_lane(&stranger, 0, "test");
	ask(&stranger, 0, WINDOW);
	CU_ASSERT_EQUAL(call_count, WINDOW);
	stranger_close(&stranger);
}

static void come_again(void)
{
	stranger_leave(&stranger);
	CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(&stranger, stranger_node_stats(&stranger).links == 0));
	stranger_connect(&stranger);
	stranger_open_lane(&stranger, 0, "test");
}

static void all_links_of_one_name_have_calls_together(void)
{
	set_up(0);
	for (unsigned int links = 1; links <= 4; links++) {
		if (links > 1)
			stranger_connect(&stranger);
		CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(&stranger, stranger_node_stats(&stranger).links == links));
		stranger_open_lane(&stranger, 0, "test");
		ask(&stranger, 0, WINDOW);
		CU_ASSERT_EQUAL(call_count, WINDOW);
	}
	answer_all();
	CU_ASSERT_EQUAL(stranger_node_stats(&stranger).violations, 0);
	stranger_close(&stranger);
}

static void calls_of_an_earlier_link_keep_no_later_one_from_its_rest(void)
{
	set_up(50000000);
	stranger_open_lane(&stranger, 0, "test");
	ask(&stranger, 0, 1);
	come_again();
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__IDLE_ASK] > 0));
	CU_ASSERT_EQUAL(weft_call_reply(calls[--call_count], 0, "late", 4), -WEFT_EPEERRESET);
	stranger_close(&stranger);
}

static void who_comes_again_still_has_the_calls_that_it_had(void)
{
	struct stranger modest;

	set_up(0);
	stranger_open_lane(&stranger, 0, "test");
	for (unsigned int round = 0; round < 300; round++) {
		ask(&stranger, 0, 8);
		come_again();
	}
	CU_ASSERT_EQUAL(call_count, CALLS / 2);
	stranger_join(&modest, &stranger, "modest");
	stranger_open_lane(&modest, 0, "test");
	refused = 0;
	ask(&modest, 0, 500);
	CU_ASSERT_EQUAL(refused, 0);
	while (call_count > CALLS / 2)
		CU_ASSERT_EQUAL(weft_call_reply(calls[--call_count], 0, "late", 4), 0);
	while (call_count)
		CU_ASSERT_EQUAL(weft_call_reply(calls[--call_count], 0, "late", 4), -WEFT_EPEERRESET);
	/* And has its share again. */
	ask(&stranger, 0, WINDOW);
	CU_ASSERT_EQUAL(call_count, WINDOW);
	CU_ASSERT_EQUAL(refused, 0);
	answer_all();
	stranger_part(&modest);
	stranger_close(&stranger);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(who_has_many_requests_answered_later_leaves_calls_for_others),
		SUITE_CASE(whatever_calls_others_have_a_peer_gets_its_first),
		SUITE_CASE(answers_to_a_peer_that_has_gone_come_to_nothing),
		SUITE_CASE(all_links_of_one_name_have_calls_together),
		SUITE_CASE(calls_of_an_earlier_link_keep_no_later_one_from_its_rest),
		SUITE_CASE(who_comes_again_still_has_the_calls_that_it_had),
	};

	return suite_main("calls", cases, SUITE_COUNT(cases), argc, argv);
}

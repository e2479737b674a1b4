/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a sender's events are told in the order in which they happened, so that the last one is how it stands, and
 * that what is not known before the peer is there is not made up.
 */
#include "fabric/link/stranger.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <string.h>

static struct stranger stranger;
static struct weft_channel *channel;
static struct weft_sender *sender;
static enum weft_sender_event told[16];
static int causes[16];
static unsigned int told_count;

static void on_event(struct weft_sender *from, enum weft_sender_event event, int cause, void *user)
{
	(void)from, (void)user;
	told[told_count % 16] = event;
	causes[told_count++ % 16] = cause;
}

static void set_up(void)
{
	struct weft_sender_opts opts = {.size = sizeof opts, .on_event = on_event};
	struct weft_node_opts node_opts;

	told_count = 0;
	weft_node_opts_init(&node_opts, sizeof node_opts);
	stranger_open(&stranger, &node_opts);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(stranger.node, "test", NULL, &channel), 0);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(stranger.worker, channel, stranger.name, &opts, &sender), 0);
	CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__LANE_OPEN] == 1));
}

static void say_of_lane(enum weft__kind kind)
{
	uint64_t open = stranger.last[WEFT__LANE_OPEN];

	CU_ASSERT_TRUE(stranger_say(&stranger, WEFT_CLASS_EXPRESS,
				    weft__meta(kind, 0, weft__meta_lane(open), weft__meta_sequence(open)), NULL, 0));
}

static void events_of_one_turn_keep_their_order_and_causes(void)
{
	set_up();
	say_of_lane(WEFT__LANE_WAITING);
	stranger_grant(&stranger, stranger.last[WEFT__LANE_OPEN]);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, told_count == 2));
	CU_ASSERT_EQUAL(told[0], WEFT_SENDER_WAITING);
	CU_ASSERT_EQUAL(causes[0], -WEFT_ENOCHANNEL);
	CU_ASSERT_EQUAL(told[1], WEFT_SENDER_READY);
	CU_ASSERT_EQUAL(weft_sender_status(sender), 0);
	stranger_close(&stranger);
}

static void what_changes_to_and_fro_is_told_as_it_ended(void)
{
	set_up();
	stranger_grant(&stranger, stranger.last[WEFT__LANE_OPEN]);
	say_of_lane(WEFT__LANE_WAITING);
	stranger_grant(&stranger, stranger.last[WEFT__LANE_OPEN]);
	say_of_lane(WEFT__LANE_WAITING);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, told_count >= 2 && weft_sender_status(sender) == -WEFT_EAGAIN));
	for (unsigned int i = 0; i < 10; i++)
		stranger_turn(&stranger);
	CU_ASSERT_EQUAL(told[(told_count - 1) % 16], WEFT_SENDER_WAITING);
	stranger_close(&stranger);
}

static void how_much_can_be_injected_is_known_with_the_path(void)
{
	struct weft_send_opts inject = {.size = sizeof inject, .flags = WEFT_INJECT};
	struct weft_sender *nowhere;

	set_up();
	stranger_grant(&stranger, stranger.last[WEFT__LANE_OPEN]);
	CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(&stranger, weft_sender_status(sender) == 0));
	CU_ASSERT_TRUE(weft_inject_max(sender) > 0 && weft_inject_max(sender) < 4096);
	CU_ASSERT_EQUAL(weft_send_with(sender, "x", 1, &inject), 0);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(stranger.worker, channel, "nowhere", NULL, &nowhere), 0);
	CU_ASSERT_EQUAL(weft_inject_max(nowhere), 0);
	CU_ASSERT_EQUAL(weft_send_with(nowhere, "x", 1, &inject), -WEFT_EAGAIN);
	stranger_close(&stranger);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(events_of_one_turn_keep_their_order_and_causes),
		SUITE_CASE(what_changes_to_and_fro_is_told_as_it_ended),
		SUITE_CASE(how_much_can_be_injected_is_known_with_the_path),
	};

	return suite_main("events", cases, SUITE_COUNT(cases), argc, argv);
}

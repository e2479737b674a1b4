/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a peer is kept to the credit and the message length that it was told, and that one which keeps to them is
 * never taken for one that does not, also when the channel is opened anew with other limits.
 */
#include "fabric/pair.h"
#include "stranger.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

static struct stranger stranger;
static struct weft_channel *channel;
static unsigned int got;

static void count(struct weft_rx *rx, void *user)
{
	(void)rx, (void)user;
	got++;
}

static struct weft_channel_opts limits(unsigned int window_messages, size_t window_bytes, size_t max_message_bytes)
{
	struct weft_channel_opts opts;

	weft_channel_opts_init(&opts, sizeof opts);
	opts.window_messages = window_messages;
	opts.window_bytes = window_bytes;
	opts.max_message_bytes = max_message_bytes;
	return opts;
}

/* A node whose channel has such limits, and the stranger with a lane to it. handler NULL: messages wait. */
static void set_up(struct weft_channel_opts opts, weft_rx_fn *handler)
{
	struct weft_node_opts node_opts;

	got = 0;
	weft_node_opts_init(&node_opts, sizeof node_opts);
	stranger_open(&stranger, &node_opts);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(stranger.node, "test", &opts, &channel), 0);
	if (handler)
		weft_channel_handle(channel, handler, NULL);
	else
		CU_ASSERT_EQUAL(weft_recv_post(stranger.worker, channel, NULL, 0, 1, UINT64_MAX, NULL, NULL, NULL), 0);
	stranger_open_lane(&stranger, 0, "test");
}

static uint64_t violations_of(struct weft_node *node)
{
	struct weft_node_stats stats;

	weft_node_describe(node, &stats);
	return stats.violations;
}

/* Message number sequence of so many bytes; returns how many violations the node has counted after it. */
static uint64_t say(uint32_t sequence, size_t len_bytes)
{
	static const char data[256];

	CU_ASSERT_TRUE(
		STRANGER_UNTIL(&stranger, stranger_say(&stranger, WEFT_CLASS_NORMAL,
						       weft__meta(WEFT__DATA, 0, 0, sequence), data, len_bytes)));
	for (unsigned int i = 0; i < 3; i++)
		stranger_turn(&stranger);
	return violations_of(stranger.node);
}

static void a_message_longer_than_the_channel_takes_is_a_violation(void)
{
	set_up(limits(16, 10000, 100), count);
	CU_ASSERT_EQUAL(say(0, 100), 0);
	CU_ASSERT_EQUAL(say(1, 101), 1);
	CU_ASSERT_EQUAL(got, 1);
	stranger_close(&stranger);
}

static void more_bytes_than_credit_was_given_for_are_a_violation(void)
{
	set_up(limits(16, 1000, 1000), NULL);
	for (uint32_t i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(say(i, 200), 0);
	CU_ASSERT_EQUAL(say(5, 1), 1);
	stranger_close(&stranger);
}

static void one_message_may_exceed_the_window_while_nothing_is_held(void)
{
	set_up(limits(16, 100, 1000), count);
	for (uint32_t i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(say(i, 200), 0);
	CU_ASSERT_EQUAL(got, 20);
	stranger_close(&stranger);
	set_up(limits(16, 100, 1000), NULL);
	CU_ASSERT_EQUAL(say(0, 200), 0);
	CU_ASSERT_EQUAL(say(1, 1), 1);
	stranger_close(&stranger);
}

static void what_was_allowed_before_the_channel_was_opened_anew_may_still_come(void)
{
	struct weft_channel_opts small = limits(2, 200, 100);
	unsigned int credits;

	set_up(limits(100, 20000, 1000), count);
	weft_channel_close(&channel);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__LANE_RESET] == 1));
	credits = stranger.heard[WEFT__CREDIT];
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(stranger.node, "test", &small, &channel), 0);
	weft_channel_handle(channel, count, NULL);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__CREDIT] > credits));
	for (uint32_t i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(say(i, 200), 0);
	CU_ASSERT_EQUAL(got, 100);
	/* From there on it is the new window that counts; one more turn than it allows is enough. */
	weft_channel_handle(channel, NULL, NULL);
	CU_ASSERT_EQUAL(weft_recv_post(stranger.worker, channel, NULL, 0, 1, UINT64_MAX, NULL, NULL, NULL), 0);
	CU_ASSERT_EQUAL(say(100, 1), 0);
	CU_ASSERT_EQUAL(say(101, 1), 0);
	CU_ASSERT_EQUAL(say(102, 1), 1);
	stranger_close(&stranger);
}

/* ---- those who keep to it ---- */

static void reopen_far(struct pair *pair, struct weft_channel_opts opts)
{
	weft_channel_close(&pair->far_channel);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair->far, "test", &opts, &pair->far_channel), 0);
	weft_channel_handle(pair->far_channel, count, NULL);
}

static void a_sender_on_its_way_survives_a_smaller_window(void)
{
	struct pair pair;
	unsigned int sent = 0, before;

	got = 0;
	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, count, NULL);
	pair_connect(&pair);
	while (weft_send(pair.sender, "x", 1) == 0)
		sent++;
	CU_ASSERT_TRUE(sent > 10);
	reopen_far(&pair, limits(2, 2, 1));
	before = got;
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got == before + sent));
	for (unsigned int i = 0; i < 100; i++)
		CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, weft_send(pair.sender, "x", 1) == 0));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got == before + sent + 100));
	CU_ASSERT_EQUAL(violations_of(pair.far), 0);
	CU_ASSERT_EQUAL(pair.events[WEFT_SENDER_LOST], 0);
	pair_close(&pair);
}

static int ended_with;

static void note_end(struct weft_op *op, int status, void *user)
{
	(void)op, (void)user;
	ended_with = status;
}

static void a_message_that_only_the_peer_finds_too_long_is_refused(void)
{
	struct weft_send_opts how = {.size = sizeof how, .completion = WEFT_SENT, .done = note_end};
	struct weft_loan *loan;
	struct pair pair;
	char *data = calloc(1, 100000);

	got = 0;
	pair_open(&pair, NULL);
	reopen_far(&pair, limits(16, 1000, 50000));
	pair_connect(&pair);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_send(pair.sender, data, 50000) == 0));
	CU_ASSERT_EQUAL(weft_send(pair.sender, data, 50001), -WEFT_EMSGSIZE);
	CU_ASSERT_EQUAL(weft_sendv(pair.sender, &(struct iovec){data, 50001}, 1, &how), -WEFT_EMSGSIZE);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_loan_get(pair.near_worker, 50001, &loan) == 0));
	CU_ASSERT_EQUAL(weft_send_loan(pair.sender, loan, NULL), -WEFT_EMSGSIZE);
	/* Small ones are looked at too. */
	reopen_far(&pair, limits(16, 1000, 5));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_send(pair.sender, "123456", 6) == -WEFT_EMSGSIZE));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_send(pair.sender, "12345", 5) == 0 && got == 2));
	CU_ASSERT_EQUAL(violations_of(pair.far), 0);
	pair_close(&pair);
	free(data);
}

static void what_was_taken_before_the_limit_was_known_ends_too_long(void)
{
	struct weft_channel_opts latest = limits(16, 1000, 1000);
	struct weft_send_opts how = {.size = sizeof how, .completion = WEFT_SENT, .done = note_end};
	struct pair pair;
	char data[600] = {0};

	ended_with = got = 0;
	latest.delivery = WEFT_LATEST;
	pair_open(&pair, &latest);
	reopen_far(&pair, limits(16, 1000, 500));
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.near_worker, pair.near_channel, weft_node_name(pair.far), NULL,
					       &pair.sender),
			      0);
	CU_ASSERT_EQUAL(weft_send_with(pair.sender, data, 600, &how), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, ended_with == -WEFT_EMSGSIZE));
	CU_ASSERT_EQUAL(weft_send(pair.sender, data, 500), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got == 1));
	CU_ASSERT_EQUAL(violations_of(pair.far), 0);
	pair_close(&pair);
}

/* ---- windows that cannot be ---- */

static int try_window(struct pair *pair, unsigned int window_messages, size_t window_bytes)
{
	struct weft_channel_opts opts = limits(window_messages, window_bytes, 100);
	struct weft_channel *tried = NULL;
	int rc = weft_channel_open(pair->near, "tried", &opts, &tried);

	weft_channel_close(&tried);
	return rc;
}

static void a_window_beyond_its_limit_is_refused_with_the_limit(void)
{
	const size_t most = (size_t)64 << 30;
	struct pair pair;

	pair_open(&pair, NULL);
	CU_ASSERT_EQUAL(try_window(&pair, 1, 1), 0);
	CU_ASSERT_EQUAL(try_window(&pair, 1u << 20, most), 0);
	CU_ASSERT_EQUAL(try_window(&pair, 16, most + 1), -WEFT_EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "window_bytes is 68719476737, allowed is 1 to 68719476736"));
	CU_ASSERT_EQUAL(try_window(&pair, 16, SIZE_MAX), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(try_window(&pair, 16, 0), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(try_window(&pair, (1u << 20) + 1, 1), -WEFT_EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "window_messages is 1048577, allowed is 1 to 1048576"));
	CU_ASSERT_EQUAL(try_window(&pair, 0, 1), -WEFT_EINVAL);
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_message_longer_than_the_channel_takes_is_a_violation),
		SUITE_CASE(more_bytes_than_credit_was_given_for_are_a_violation),
		SUITE_CASE(one_message_may_exceed_the_window_while_nothing_is_held),
		SUITE_CASE(what_was_allowed_before_the_channel_was_opened_anew_may_still_come),
		SUITE_CASE(a_sender_on_its_way_survives_a_smaller_window),
		SUITE_CASE(a_message_that_only_the_peer_finds_too_long_is_refused),
		SUITE_CASE(what_was_taken_before_the_limit_was_known_ends_too_long),
		SUITE_CASE(a_window_beyond_its_limit_is_refused_with_the_limit),
	};

	return suite_main("credit", cases, SUITE_COUNT(cases), argc, argv);
}

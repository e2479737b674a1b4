/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves what a sender is told of a peer that leaves, is not there, or closes its channel and opens it again, and that
 * leaving loses nothing that was sent.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <string.h>

/* Messages are numbers, from 0 on. */
static void count(struct weft_rx *rx, void *user)
{
	unsigned int *got = user, number;

	CU_ASSERT_EQUAL_FATAL(rx->len_bytes, sizeof number);
	memcpy(&number, rx->data, sizeof number);
	CU_ASSERT_EQUAL(number, *got);
	++*got;
}

static void open_counting(struct pair *pair, unsigned int *got)
{
	*got = 0;
	pair_open(pair, NULL);
	weft_channel_handle(pair->far_channel, count, got);
	pair_connect(pair);
}

static void a_peer_that_leaves_ends_the_sender(void)
{
	unsigned int got;
	struct pair pair;

	open_counting(&pair, &got);
	weft_node_close(&pair.far);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, pair.events[WEFT_SENDER_LOST] == 1));
	CU_ASSERT_EQUAL(pair.cause, -WEFT_ECLOSED);
	CU_ASSERT_EQUAL(weft_send(pair.sender, "", 0), -WEFT_ECLOSED);
	pair_close(&pair);
}

static void a_peer_that_is_not_there_fails_the_sender(void)
{
	struct weft_sender *sender;
	struct pair pair;

	pair_open(&pair, NULL);
	CU_ASSERT_EQUAL(weft_sender_open(pair.near_worker, pair.near_channel, "nobody", NULL, &sender), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_sender_status(sender) != -WEFT_EAGAIN));
	CU_ASSERT_EQUAL(weft_sender_status(sender), -WEFT_ECONNREFUSED);
	pair_close(&pair);
}

static void what_was_sent_before_leaving_still_arrives(void)
{
	unsigned int got;
	struct pair pair;

	open_counting(&pair, &got);
	for (unsigned int i = 0; i < 20; i++) {
		CU_ASSERT_EQUAL(weft_send(pair.sender, &i, sizeof i), 0);
	}
	weft_node_close(&pair.near);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got == 20));
	pair_close(&pair);
}

struct ends {
	struct weft_call *call;
	int request_status, send_status;
	unsigned int requests, sends;
};

static void answer_later(struct weft_rx *rx, void *user)
{
	struct ends *ends = user;

	CU_ASSERT_EQUAL(weft_rx_defer(rx, &ends->call), 0);
}

static void on_reply(struct weft_rx *reply, int status, void *user)
{
	struct ends *ends = user;

	CU_ASSERT_PTR_NULL(reply);
	ends->request_status = status;
	ends->requests++;
}

static void on_sent(struct weft_op *op, int status, void *user)
{
	struct ends *ends = user;

	(void)op;
	ends->send_status = status;
	ends->sends++;
}

/* More than once, so that there is a reset when another is due, and a credit before it. */
static void reopen(struct pair *pair, unsigned int times, unsigned int *got)
{
	while (times--) {
		weft_channel_close(&pair->far_channel);
		CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair->far, "test", NULL, &pair->far_channel), 0);
		*got = 0;
		weft_channel_handle(pair->far_channel, count, got);
	}
}

static void a_channel_closed_and_opened_again_in_one_turn_ends_what_was_under_way(void)
{
	for (unsigned int times = 1; times <= 3; times++) {
		struct weft_send_opts how = {.size = sizeof how, .completion = WEFT_DELIVERED, .done = on_sent};
		struct ends ends = {0};
		unsigned int got = 0, zero = 0;
		struct pair pair;

		pair_open(&pair, NULL);
		weft_channel_handle(pair.far_channel, answer_later, &ends);
		pair_connect(&pair);
		how.user = &ends;
		CU_ASSERT_EQUAL(weft_request(pair.sender, "?", 1, WEFT_NEVER, on_reply, &ends, NULL), 0);
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, ends.call != NULL));
		weft_channel_handle(pair.far_channel, NULL, NULL);
		CU_ASSERT_EQUAL(weft_send_with(pair.sender, "!", 1, &how), 0);
		for (unsigned int i = 0; i < 100; i++)
			pair_turn(&pair);
		reopen(&pair, times, &got);
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, ends.requests && ends.sends));
		CU_ASSERT_EQUAL(ends.request_status, -WEFT_EPEERRESET);
		CU_ASSERT_EQUAL(ends.send_status, -WEFT_EPEERRESET);
		/* And then it goes on. */
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_sender_status(pair.sender) == 0));
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, pair.events[WEFT_SENDER_READY] == 2));
		CU_ASSERT_EQUAL(pair.events[WEFT_SENDER_WAITING], 1);
		CU_ASSERT_EQUAL(weft_send(pair.sender, &zero, sizeof zero), 0);
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got == 1));
		CU_ASSERT_EQUAL(weft_call_reply(ends.call, 0, "late", 4), 0);
		for (unsigned int i = 0; i < 100; i++)
			pair_turn(&pair);
		CU_ASSERT_EQUAL(ends.requests, 1);
		pair_close(&pair);
	}
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_peer_that_leaves_ends_the_sender),
		SUITE_CASE(a_peer_that_is_not_there_fails_the_sender),
		SUITE_CASE(what_was_sent_before_leaving_still_arrives),
		SUITE_CASE(a_channel_closed_and_opened_again_in_one_turn_ends_what_was_under_way),
	};

	return suite_main("sender", cases, SUITE_COUNT(cases), argc, argv);
}

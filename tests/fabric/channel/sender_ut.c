/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves what a sender is told of a peer that leaves or is not there, and that leaving loses nothing that was sent.
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

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_peer_that_leaves_ends_the_sender),
		SUITE_CASE(a_peer_that_is_not_there_fails_the_sender),
		SUITE_CASE(what_was_sent_before_leaving_still_arrives),
	};

	return suite_main("sender", cases, SUITE_COUNT(cases), argc, argv);
}

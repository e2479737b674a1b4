/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that latest-only channels deliver the newest message as soon as there is room, never an older one after a newer,
 * and that whatever is not sent is reported and counted.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <string.h>
#include <weft/random.h>

struct inbox {
	unsigned int count;
	uint64_t last, tag, immediate;
	bool rising;
};

static void take(struct weft_rx *rx, void *user)
{
	struct inbox *inbox = user;
	uint64_t value;

	memcpy(&value, rx->data, sizeof value);
	inbox->rising &= value > inbox->last;
	inbox->last = value;
	inbox->tag = rx->tag;
	inbox->immediate = rx->immediate;
	inbox->count++;
}

static void open_as(struct pair *pair, struct inbox *inbox, enum weft_delivery delivery, unsigned int window)
{
	struct weft_channel_opts opts;

	*inbox = (struct inbox){.rising = true};
	weft_channel_opts_init(&opts, sizeof opts);
	opts.delivery = delivery;
	opts.window_messages = window;
	pair_open(pair, &opts);
	weft_channel_handle(pair->far_channel, take, inbox);
}

static uint64_t dropped_by(struct weft_node *node)
{
	struct weft_node_stats stats;

	weft_node_describe(node, &stats);
	return stats.dropped;
}

static uint64_t sent_by(struct weft_node *node)
{
	struct weft_node_stats stats;

	weft_node_describe(node, &stats);
	return stats.sent_messages;
}

static void only_the_newest_of_those_that_waited_arrives(void)
{
	struct inbox inbox;
	struct pair pair;

	open_as(&pair, &inbox, WEFT_LATEST, 1);
	pair_connect(&pair);
	for (uint64_t i = 1; i <= 100; i++)
		CU_ASSERT_EQUAL(weft_send(pair.sender, &i, sizeof i), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, inbox.last == 100));
	CU_ASSERT_EQUAL(inbox.count, 2); /* the first, for which there was room, and the last */
	CU_ASSERT_EQUAL(dropped_by(pair.near), 98);
	pair_close(&pair);
}

static void what_is_sent_before_the_peer_is_there_waits_for_it(void)
{
	struct inbox inbox;
	struct pair pair;

	open_as(&pair, &inbox, WEFT_LATEST, 8);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.near_worker, pair.near_channel, weft_node_name(pair.far), NULL,
					       &pair.sender),
			      0);
	for (uint64_t i = 1; i <= 3; i++)
		CU_ASSERT_EQUAL(weft_send(pair.sender, &i, sizeof i), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, inbox.count == 1));
	CU_ASSERT_EQUAL(inbox.last, 3);
	pair_close(&pair);
}

static void what_both_sides_send_before_they_are_there_survives_that_they_connect_at_once(void)
{
	struct inbox near_inbox, far_inbox;
	struct weft_sender *back;
	struct pair pair;

	for (uint64_t round = 1; round <= 20; round++) {
		open_as(&pair, &far_inbox, WEFT_LATEST, 8);
		near_inbox = (struct inbox){.rising = true};
		weft_channel_handle(pair.near_channel, take, &near_inbox);
		CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.near_worker, pair.near_channel, weft_node_name(pair.far),
						       NULL, &pair.sender),
				      0);
		CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.far_worker, pair.far_channel, weft_node_name(pair.near),
						       NULL, &back),
				      0);
		CU_ASSERT_EQUAL(weft_send(pair.sender, &round, sizeof round), 0);
		CU_ASSERT_EQUAL(weft_send(back, &round, sizeof round), 0);
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, near_inbox.last == round && far_inbox.last == round));
		CU_ASSERT_EQUAL(dropped_by(pair.near) + dropped_by(pair.far), 0);
		pair_close(&pair);
	}
}

static void an_older_message_never_follows_a_newer_one(void)
{
	struct weft_random random;
	struct inbox inbox;
	struct pair pair;
	uint64_t value;

	weft_random_seed(&random, 1);
	open_as(&pair, &inbox, WEFT_LATEST, 4);
	pair_connect(&pair);
	for (value = 1; value <= 50000; value++) {
		CU_ASSERT_EQUAL_FATAL(weft_send(pair.sender, &value, sizeof value), 0);
		switch (weft_random_below(&random, 6)) {
		case 0:
			weft_worker_poll(pair.near_worker);
			break;
		case 1:
			weft_worker_poll(pair.far_worker);
			break;
		default:
			break;
		}
	}
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, inbox.last == value - 1));
	CU_ASSERT_TRUE(inbox.rising);
	CU_ASSERT_EQUAL(inbox.count + dropped_by(pair.near), value - 1);
	pair_close(&pair);
}

static void on_done(struct weft_op *op, int status, void *user)
{
	(void)op;
	*(int *)user = status;
}

/* A window of one that message 1 uses. Faults may refuse it; then it is tried with others. */
static void open_full(struct pair *pair, struct inbox *inbox)
{
	uint64_t first = 1;

	for (;;) {
		open_as(pair, inbox, WEFT_LATEST, 1);
		pair_connect(pair);
		CU_ASSERT_EQUAL(weft_send(pair->sender, &first, sizeof first), 0);
		if (sent_by(pair->near) == 1)
			return;
		pair_close(pair);
	}
}

static void a_replaced_message_is_reported_and_the_header_of_the_newest_travels(void)
{
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	int results[2] = {1, 1};
	struct inbox inbox;
	struct pair pair;

	open_full(&pair, &inbox);
	how.has_header = true;
	how.completion = WEFT_DELIVERED;
	how.done = on_done;
	for (uint64_t i = 2; i <= 3; i++) {
		how.tag = 10 + i;
		how.immediate = 20 + i;
		how.user = &results[i - 2];
		CU_ASSERT_EQUAL(weft_send_with(pair.sender, &i, sizeof i, &how), 0);
	}
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, results[0] != 1 && results[1] != 1));
	CU_ASSERT_EQUAL(results[0], -WEFT_ECANCELED);
	CU_ASSERT_EQUAL(results[1], 0);
	CU_ASSERT_EQUAL(inbox.count, 2);
	CU_ASSERT_EQUAL(inbox.last, 3);
	CU_ASSERT_EQUAL(inbox.tag, 13);
	CU_ASSERT_EQUAL(inbox.immediate, 23);
	pair_close(&pair);
}

static void a_message_that_waits_can_be_cancelled(void)
{
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	uint64_t second = 2;
	struct inbox inbox;
	struct weft_op *op;
	struct pair pair;
	int result = 1;

	open_full(&pair, &inbox);
	how.completion = WEFT_SENT;
	how.done = on_done;
	how.user = &result;
	how.op = &op;
	CU_ASSERT_EQUAL(weft_send_with(pair.sender, &second, sizeof second, &how), 0);
	weft_op_cancel(op);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, result == -WEFT_ECANCELED && inbox.count == 1));
	CU_ASSERT_EQUAL(inbox.last, 1);
	pair_close(&pair);
}

static struct weft_loan *filled_loan(struct pair *pair, uint64_t value)
{
	struct weft_loan *loan = NULL;

	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(pair, weft_loan_get(pair->near_worker, 100000, &loan) == 0));
	memcpy(weft_loan_data(loan), &value, sizeof value);
	return loan;
}

static void loans_are_kept_as_they_are_and_come_home(void)
{
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	struct weft_node_stats stats;
	int results[4] = {1, 1, 1, 1};
	struct inbox inbox;
	struct pair pair;

	open_as(&pair, &inbox, WEFT_LATEST, 1);
	pair_connect(&pair);
	how.completion = WEFT_SENT;
	how.done = on_done;
	for (unsigned int i = 0; i < 4; i++) {
		how.user = &results[i];
		CU_ASSERT_EQUAL(weft_send_loan(pair.sender, filled_loan(&pair, i + 1), &how), 0);
	}
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, inbox.last == 4 && results[3] == 0));
	for (unsigned int i = 0; i < 3; i++) /* home, or replaced by the next */
		CU_ASSERT_TRUE(results[i] == 0 || results[i] == -WEFT_ECANCELED);
	weft_node_describe(pair.near, &stats);
	CU_ASSERT_EQUAL(stats.copied_messages, 0);
	CU_ASSERT_EQUAL(stats.loans_out, 0);
	pair_close(&pair);
}

static void best_effort_drops_what_finds_no_room_and_says_so(void)
{
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	struct inbox inbox;
	struct pair pair;
	int result = 1;

	open_as(&pair, &inbox, WEFT_BEST_EFFORT, 4);
	pair_connect(&pair);
	for (uint64_t i = 1; i <= 10; i++)
		CU_ASSERT_EQUAL(weft_send(pair.sender, &i, sizeof i), 0);
	how.completion = WEFT_DELIVERED;
	how.done = on_done;
	how.user = &result;
	CU_ASSERT_EQUAL(weft_send_with(pair.sender, "12345678", 8, &how), 0);
	CU_ASSERT_EQUAL(weft_send_loan(pair.sender, filled_loan(&pair, 12), NULL), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, result != 1));
	CU_ASSERT_EQUAL(result, -WEFT_ECANCELED);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, inbox.count + dropped_by(pair.near) == 12));
	CU_ASSERT_TRUE(inbox.rising);
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(only_the_newest_of_those_that_waited_arrives),
		SUITE_CASE(what_is_sent_before_the_peer_is_there_waits_for_it),
		SUITE_CASE(what_both_sides_send_before_they_are_there_survives_that_they_connect_at_once),
		SUITE_CASE(an_older_message_never_follows_a_newer_one),
		SUITE_CASE(a_replaced_message_is_reported_and_the_header_of_the_newest_travels),
		SUITE_CASE(a_message_that_waits_can_be_cancelled),
		SUITE_CASE(loans_are_kept_as_they_are_and_come_home),
		SUITE_CASE(best_effort_drops_what_finds_no_room_and_says_so),
	};

	return suite_main("latest", cases, SUITE_COUNT(cases), argc, argv);
}

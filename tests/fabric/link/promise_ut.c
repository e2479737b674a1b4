/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that senders whose messages nobody receives meet back-pressure, on however many lanes and whatever the receiver
 * does, and never lose their link by it; that all they sent comes in order once it is received; and that one lane that is
 * full leaves room for others.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>

#define LANES 8u
#define LOANS 2048u
#define SHARE 1024u /* of the loans: what one link alone may have, two thirds of what is not set apart */
#define FIRST 16u   /* what a lane is told of at first, while much is left */
#define OTHERS 255u /* links that have none: each is left one */
#define NOBODY UINT64_C(999)

static unsigned int sent[LANES], got[LANES];

/* Message number sent[lane] of a lane; its tag is the lane. */
static int send_on(struct pair *pair, uint64_t lane)
{
	struct weft_send_opts how = {
		.size = sizeof how, .has_header = true, .tag = lane, .immediate = sent[lane], .partition_key = lane};
	int rc = weft_send_with(pair->sender, NULL, 0, &how);

	CU_ASSERT_TRUE(rc == 0 || rc == -WEFT_EAGAIN);
	sent[lane] += rc == 0;
	return rc;
}

static void note(struct weft_op *op, int status, const struct weft_received *received, void *user)
{
	(void)op, (void)user;
	if (status == -WEFT_ECLOSED)
		return;
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(received->immediate, got[received->tag]);
	got[received->tag]++;
}

static void receive(struct pair *pair, uint64_t tag)
{
	CU_ASSERT_EQUAL(weft_recv_post(pair->far_worker, pair->far_channel, NULL, 0, tag, UINT64_MAX, note, NULL, NULL),
			0);
}

static void handle(struct weft_rx *rx, void *user)
{
	(void)user;
	CU_ASSERT_EQUAL(rx->immediate, got[rx->tag]);
	got[rx->tag]++;
}

static void set_up(struct pair *pair)
{
	struct weft_channel_opts opts;

	for (unsigned int i = 0; i < LANES; i++)
		sent[i] = got[i] = 0;
	weft_channel_opts_init(&opts, sizeof opts);
	opts.lanes = LANES;
	pair_open(pair, &opts);
}

/* Sends on lanes from first on in turn until none takes any more, also after a while. */
static void fill(struct pair *pair, unsigned int first)
{
	for (unsigned int vain = 0; vain < 1000; vain++) {
		for (unsigned int lane = first; lane < LANES; lane++)
			if (send_on(pair, lane) == 0)
				vain = 0;
		pair_turn(pair);
	}
}

static void check_whole(struct pair *pair)
{
	struct weft_node_stats stats;

	weft_node_describe(pair->far, &stats);
	CU_ASSERT_EQUAL(stats.violations, 0);
	CU_ASSERT_EQUAL(weft_sender_status(pair->sender), 0);
	CU_ASSERT_EQUAL(pair->events[WEFT_SENDER_LOST], 0);
}

static unsigned int sum(const unsigned int counts[LANES])
{
	unsigned int all = 0;

	for (unsigned int i = 0; i < LANES; i++)
		all += counts[i];
	return all;
}

/* Receives all that was sent, and is sent meanwhile. */
static void receive_all(struct pair *pair)
{
	for (unsigned int lane = 0; lane < LANES; lane++)
		for (unsigned int i = got[lane]; i < sent[lane]; i++)
			receive(pair, lane);
	CU_ASSERT_TRUE(PAIR_UNTIL(pair, sum(got) == sum(sent)));
}

static void lanes_that_nobody_receives_meet_back_pressure_and_lose_nothing(void)
{
	struct pair pair;

	set_up(&pair);
	receive(&pair, NOBODY);
	pair_connect(&pair);
	for (unsigned int round = 0; round < 3; round++) {
		unsigned int before = sum(sent);

		fill(&pair, 0);
		check_whole(&pair);
		CU_ASSERT_EQUAL(sum(sent) - before, SHARE);
		for (unsigned int lane = 0; lane < LANES; lane++)
			CU_ASSERT_TRUE(sent[lane] > got[lane]);
		receive_all(&pair);
		check_whole(&pair);
	}
	pair_close(&pair);
}

static void a_full_lane_leaves_room_for_the_others(void)
{
	struct pair pair;

	set_up(&pair);
	receive(&pair, NOBODY);
	pair_connect(&pair);
	fill(&pair, LANES - 1);
	/* The others were told of some at first, which are kept for them. */
	CU_ASSERT_EQUAL(sent[LANES - 1], SHARE - (LANES - 1) * FIRST);
	for (unsigned int i = 0; i < 500; i++)
		for (unsigned int lane = 0; lane < LANES - 1; lane++) {
			CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, send_on(&pair, lane) == 0));
			receive(&pair, lane);
			CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, got[lane] == sent[lane]));
		}
	receive_all(&pair);
	check_whole(&pair);
	pair_close(&pair);
}

/* Another channel at both ends, with a sender, and a receive that nothing fits. */
static struct weft_sender *open_another(struct pair *pair, const char *name)
{
	struct weft_channel *near_channel, *far_channel;
	struct weft_sender *sender;

	CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair->near, name, NULL, &near_channel), 0);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair->far, name, NULL, &far_channel), 0);
	CU_ASSERT_EQUAL(weft_recv_post(pair->far_worker, far_channel, NULL, 0, NOBODY, UINT64_MAX, NULL, NULL, NULL),
			0);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair->near_worker, near_channel, weft_node_name(pair->far), NULL,
					       &sender),
			      0);
	CU_ASSERT_TRUE(PAIR_UNTIL(pair, weft_sender_status(sender) == 0));
	return sender;
}

static void a_lane_for_which_nothing_is_left_gets_credit_when_there_is_some(void)
{
	static struct weft_loan *loans[LOANS];
	struct weft_sender *poor[3];
	unsigned int count = 0;
	struct pair pair;

	set_up(&pair);
	receive(&pair, NOBODY);
	pair_connect(&pair);
	fill(&pair, 0);
	/* The application takes all that was not promised; the runner makes memory for that. */
	for (unsigned int vain = 0; vain < 1000; vain++) {
		while (count < LOANS && weft_loan_get(pair.far_worker, 1, &loans[count]) == 0) {
			count++;
			vain = 0;
		}
		pair_turn(&pair);
	}
	CU_ASSERT_EQUAL(sum(sent), SHARE);
	CU_ASSERT_EQUAL(count, LOANS - SHARE - OTHERS);
	for (unsigned int i = 0; i < 3; i++) {
		poor[i] = open_another(&pair, (const char[]){'p', (char)('0' + i), 0});
		CU_ASSERT_EQUAL(weft_send(poor[i], "x", 1), -WEFT_EAGAIN);
	}
	for (unsigned int i = 0; i < count; i++)
		weft_loan_release(loans[i]);
	/* Its link has its share; but a lane that has nothing gets one, and no more before that has been received. */
	for (unsigned int i = 0; i < 3; i++)
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_send(poor[i], "x", 1) == 0));
	for (unsigned int turn = 0; turn < 1000; turn++) {
		pair_turn(&pair);
		CU_ASSERT_EQUAL(weft_send(poor[turn % 3], "x", 1), -WEFT_EAGAIN);
	}
	receive_all(&pair);
	check_whole(&pair);
	pair_close(&pair);
}

static void a_handler_that_comes_and_goes_changes_nothing_for_the_sender(void)
{
	struct pair pair;

	set_up(&pair);
	weft_channel_handle(pair.far_channel, handle, NULL);
	pair_connect(&pair);
	for (unsigned int round = 0; round < 5; round++) {
		for (unsigned int i = 0; i < 2000; i++)
			CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, send_on(&pair, i % 2) == 0));
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, sum(got) == sum(sent)));
		/* Of the credit of one lane for which there was a handler all may wait. */
		weft_channel_handle(pair.far_channel, NULL, NULL);
		receive(&pair, NOBODY);
		for (unsigned int i = 0; i < 1000; i++) {
			(void)send_on(&pair, 0);
			pair_turn(&pair);
		}
		check_whole(&pair);
		CU_ASSERT_TRUE(sent[0] > got[0]);
		weft_channel_handle(pair.far_channel, handle, NULL);
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, sum(got) == sum(sent)));
		check_whole(&pair);
	}
	pair_close(&pair);
}

static void a_handler_that_goes_leaves_the_application_its_loans(void)
{
	struct weft_loan *loan;
	struct pair pair;

	set_up(&pair);
	weft_channel_handle(pair.far_channel, handle, NULL);
	pair_connect(&pair); /* each lane is told of its whole window, and sends nothing */
	receive(&pair, NOBODY);
	weft_channel_handle(pair.far_channel, NULL, NULL);
	for (unsigned int i = 0; i < 100; i++)
		pair_turn(&pair);
	for (unsigned int i = 0; i < 100; i++) {
		CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, weft_loan_get(pair.far_worker, 1, &loan) == 0));
		weft_loan_release(loan);
	}
	check_whole(&pair);
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(lanes_that_nobody_receives_meet_back_pressure_and_lose_nothing),
		SUITE_CASE(a_full_lane_leaves_room_for_the_others),
		SUITE_CASE(a_lane_for_which_nothing_is_left_gets_credit_when_there_is_some),
		SUITE_CASE(a_handler_that_comes_and_goes_changes_nothing_for_the_sender),
		SUITE_CASE(a_handler_that_goes_leaves_the_application_its_loans),
	};

	return suite_main("promise", cases, SUITE_COUNT(cases), argc, argv);
}

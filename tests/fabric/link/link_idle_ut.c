/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that links which nothing uses are closed, that the next send opens them without a loss, that nothing pending is
 * ever cut off, and that there is a limit to links and channels.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define IDLE_NS UINT64_C(2000000)

static unsigned int links_of(struct weft_node *node)
{
	struct weft_node_stats stats;

	weft_node_describe(node, &stats);
	return stats.links;
}

static void count(struct weft_rx *rx, void *user)
{
	(void)rx;
	++*(unsigned int *)user;
}

static void open_idle(struct pair *pair, unsigned int *count_far)
{
	pair_open_idle(pair, NULL, IDLE_NS);
	weft_channel_handle(pair->far_channel, count, count_far);
	pair_connect(pair);
}

static bool both_closed(struct pair *pair)
{
	return PAIR_UNTIL(pair, links_of(pair->near) == 0 && links_of(pair->far) == 0);
}

static bool send_when_taken(struct pair *pair, struct weft_sender *sender, const void *data, size_t len_bytes)
{
	int rc = -WEFT_EAGAIN;

	(void)PAIR_UNTIL(pair, (rc = weft_send(sender, data, len_bytes)) != -WEFT_EAGAIN);
	return rc == 0;
}

static void a_link_without_traffic_is_closed_and_opened_by_the_next_send(void)
{
	unsigned int got = 0;
	struct pair pair;

	open_idle(&pair, &got);
	for (unsigned int round = 0; round < 20; round++) {
		CU_ASSERT_TRUE_FATAL(send_when_taken(&pair, pair.sender, "again", 5));
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got == round + 1));
		CU_ASSERT_TRUE_FATAL(both_closed(&pair));
		CU_ASSERT_EQUAL(weft_sender_status(pair.sender), 0);
	}
	/* Of all this the application has heard nothing but that it may send again. */
	CU_ASSERT_EQUAL(pair.events[WEFT_SENDER_READY], 1);
	CU_ASSERT_EQUAL(pair.events[WEFT_SENDER_LOST], 0);
	CU_ASSERT_TRUE(pair.events[WEFT_SENDER_WRITABLE] >= 19);
	pair_close(&pair);
}

static void both_sides_may_wake_a_link_at_once(void)
{
	unsigned int near_got = 0, far_got = 0;
	struct weft_sender *back;
	struct pair pair;

	open_idle(&pair, &far_got);
	weft_channel_handle(pair.near_channel, count, &near_got);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.far_worker, pair.far_channel, weft_node_name(pair.near), NULL,
					       &back),
			      0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, !weft_sender_status(back)));
	for (unsigned int round = 1; round <= 20; round++) {
		CU_ASSERT_TRUE_FATAL(both_closed(&pair));
		weft_send(pair.sender, "", 0); /* says try again, and wakes */
		for (unsigned int i = 0; i < round * round; i++)
			weft_worker_poll(pair.near_worker);
		CU_ASSERT_TRUE_FATAL(send_when_taken(&pair, back, "back", 4));
		CU_ASSERT_TRUE_FATAL(send_when_taken(&pair, pair.sender, "there", 5));
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, near_got == round && far_got == round));
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, links_of(pair.near) <= 1 && links_of(pair.far) <= 1));
	}
	CU_ASSERT_EQUAL(pair.events[WEFT_SENDER_LOST] + pair.events[WEFT_SENDER_FAILED], 0);
	pair_close(&pair);
}

/* Sends now and then, so that questions, answers and messages cross in every way. */
static void nothing_is_lost_when_traffic_and_closing_cross(void)
{
	unsigned int near_got = 0, far_got = 0, near_sent = 0, far_sent = 0;
	struct weft_sender *back;
	struct pair pair;

	pair_open_idle(&pair, NULL, 1); /* at every look, which is each millisecond */
	weft_channel_handle(pair.near_channel, count, &near_got);
	weft_channel_handle(pair.far_channel, count, &far_got);
	pair_connect(&pair);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.far_worker, pair.far_channel, weft_node_name(pair.near), NULL,
					       &back),
			      0);
	for (unsigned int turn = 0; near_sent + far_sent < 20000; turn++) {
		near_sent += turn % 7 < 3 && weft_send(pair.sender, "x", 1) == 0;
		far_sent += turn % 5 < 2 && weft_send(back, "y", 1) == 0;
		pair_turn(&pair);
		if (turn % 512 == 0) { /* a pause, longer than a look is away */
			uint64_t until_ns = weft_clock_now(weft_clock_real()) + 1200000;

			while (weft_clock_now(weft_clock_real()) < until_ns)
				pair_turn(&pair);
		}
	}
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, near_got == far_sent && far_got == near_sent));
	CU_ASSERT_EQUAL(pair.events[WEFT_SENDER_LOST] + pair.events[WEFT_SENDER_FAILED], 0);
	pair_close(&pair);
}

static struct weft_loan *kept;

static void keep(struct weft_rx *rx, void *user)
{
	CU_ASSERT_EQUAL(weft_rx_keep(rx, &kept), 0);
	++*(unsigned int *)user;
}

/* Turns for longer than the link may be idle. */
static void turn_for_long(struct pair *pair)
{
	uint64_t until_ns = weft_clock_now(weft_clock_real()) + 10 * IDLE_NS;

	while (weft_clock_now(weft_clock_real()) < until_ns)
		pair_turn(pair);
}

static void a_link_with_a_loan_out_stays_until_it_is_home(void)
{
	static char data[50000] = "borrowed";
	unsigned int got = 0;
	struct pair pair;

	pair_open_idle(&pair, NULL, IDLE_NS);
	weft_channel_handle(pair.far_channel, keep, &got);
	pair_connect(&pair);
	CU_ASSERT_TRUE(send_when_taken(&pair, pair.sender, data, sizeof data));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got == 1));
	turn_for_long(&pair);
	CU_ASSERT_EQUAL(links_of(pair.near), 1);
	CU_ASSERT_EQUAL(strcmp(weft_loan_data(kept), "borrowed"), 0);
	weft_loan_release(kept);
	CU_ASSERT_TRUE(both_closed(&pair));
	pair_close(&pair);
}

static struct weft_call *call;

static void defer(struct weft_rx *rx, void *user)
{
	(void)user;
	CU_ASSERT_EQUAL(weft_rx_defer(rx, &call), 0);
}

static void on_reply(struct weft_rx *reply, int status, void *user)
{
	(void)reply;
	*(int *)user = status;
}

static void a_link_with_a_request_in_flight_stays(void)
{
	struct pair pair;
	int status = 1;

	pair_open_idle(&pair, NULL, IDLE_NS);
	weft_channel_handle(pair.far_channel, defer, NULL);
	pair_connect(&pair);
	call = NULL;
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_request(pair.sender, "?", 1, WEFT_NEVER, on_reply, &status, NULL) == 0));
	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, call != NULL));
	turn_for_long(&pair);
	CU_ASSERT_EQUAL(status, 1);
	CU_ASSERT_EQUAL(weft_call_reply(call, 0, "!", 1), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, status == 0));
	CU_ASSERT_TRUE(both_closed(&pair));
	pair_close(&pair);
}

static void a_peer_that_went_while_the_link_was_closed_is_found_out_by_the_next_send(void)
{
	unsigned int got = 0;
	struct pair pair;

	open_idle(&pair, &got);
	CU_ASSERT_TRUE_FATAL(both_closed(&pair));
	weft_node_close(&pair.far);
	CU_ASSERT_EQUAL(weft_send(pair.sender, "", 0), -WEFT_EAGAIN);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, pair.events[WEFT_SENDER_LOST] == 1));
	CU_ASSERT_EQUAL(pair.cause, -WEFT_ECONNREFUSED);
	CU_ASSERT_EQUAL(weft_sender_status(pair.sender), -WEFT_ECONNREFUSED);
	pair_close(&pair);
}

static void a_peer_that_came_back_as_another_is_told_as_a_loss(void)
{
	struct weft_node_opts opts;
	unsigned int got = 0;
	struct pair pair;
	char name[65];

	open_idle(&pair, &got);
	CU_ASSERT_TRUE_FATAL(both_closed(&pair));
	strcpy(name, weft_node_name(pair.far));
	weft_node_close(&pair.far);
	weft_node_opts_init(&opts, sizeof opts);
	opts.name = name;
	opts.worker_count = 0;
	CU_ASSERT_EQUAL_FATAL(weft_node_open(&opts, &pair.far), 0);
	pair.far_worker = weft_node_worker(pair.far, 0);
	CU_ASSERT_EQUAL(weft_send(pair.sender, "", 0), -WEFT_EAGAIN);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, pair.events[WEFT_SENDER_LOST] == 1));
	CU_ASSERT_EQUAL(pair.cause, -WEFT_EPEERRESET);
	pair_close(&pair);
}

static void a_sender_that_tried_before_it_was_ready_keeps_no_link_open(void)
{
	struct weft_sender *eager;
	unsigned int got = 0;
	struct pair pair;

	open_idle(&pair, &got);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.near_worker, pair.near_channel, weft_node_name(pair.far), NULL,
					       &eager),
			      0);
	CU_ASSERT_EQUAL(weft_send(eager, "", 0), -WEFT_EAGAIN);
	CU_ASSERT_TRUE(send_when_taken(&pair, eager, "", 0));
	CU_ASSERT_TRUE(both_closed(&pair));
	CU_ASSERT_EQUAL(got, 1);
	pair_close(&pair);
}

static void beyond_its_links_a_worker_closes_the_least_used_or_refuses(void)
{
	struct weft_sender *senders[2] = {NULL};
	struct weft_node_opts opts;
	struct weft_node *third;
	unsigned int got = 0;
	struct pair pair;
	char name[48];
	int rc = 0;

	pair_open_limited(&pair, 1, 2);
	weft_channel_handle(pair.far_channel, count, &got);
	snprintf(name, sizeof name, "test-%d-third", (int)getpid());
	weft_node_opts_init(&opts, sizeof opts);
	opts.name = name;
	CU_ASSERT_EQUAL_FATAL(weft_node_open(&opts, &third), 0);
	/* One that is still being made is in use. */
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.near_worker, pair.near_channel, weft_node_name(pair.far), NULL,
					       &senders[0]),
			      0);
	CU_ASSERT_EQUAL(weft_sender_open(pair.near_worker, pair.near_channel, name, NULL, &senders[1]), -WEFT_ENOSPC);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "links_max"));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_sender_status(senders[0]) == 0));
	/* One that is idle makes room. */
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, (rc = weft_sender_open(pair.near_worker, pair.near_channel, name, NULL,
								&senders[1])) != -WEFT_EAGAIN));
	CU_ASSERT_EQUAL(rc, 0);
	CU_ASSERT_EQUAL(weft_sender_status(senders[0]), 0);
	pair_close(&pair);
	weft_node_close(&third);
}

static void a_node_has_no_more_channels_than_it_may(void)
{
	struct weft_channel *second, *third;
	struct pair pair;

	pair_open_limited(&pair, 1, 2);
	CU_ASSERT_EQUAL(weft_channel_open(pair.near, "second", NULL, &second), 0);
	CU_ASSERT_EQUAL(weft_channel_open(pair.near, "third", NULL, &third), -WEFT_ENOSPC);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "channels_max"));
	weft_channel_close(&second);
	CU_ASSERT_EQUAL(weft_channel_open(pair.near, "third", NULL, &third), 0);
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_link_without_traffic_is_closed_and_opened_by_the_next_send),
		SUITE_CASE(both_sides_may_wake_a_link_at_once),
		SUITE_CASE(nothing_is_lost_when_traffic_and_closing_cross),
		SUITE_CASE(a_link_with_a_loan_out_stays_until_it_is_home),
		SUITE_CASE(a_link_with_a_request_in_flight_stays),
		SUITE_CASE(a_peer_that_went_while_the_link_was_closed_is_found_out_by_the_next_send),
		SUITE_CASE(a_peer_that_came_back_as_another_is_told_as_a_loss),
		SUITE_CASE(a_sender_that_tried_before_it_was_ready_keeps_no_link_open),
		SUITE_CASE(beyond_its_links_a_worker_closes_the_least_used_or_refuses),
		SUITE_CASE(a_node_has_no_more_channels_than_it_may),
	};

	return suite_main("idle", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a peer which breaks off the closing of an idle link, at any of its steps, or sends its frames in any order
 * and count, neither keeps a sender waiting for ever nor takes memory away that is still in use.
 */
#include "stranger.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/random.h>

static struct stranger stranger;
static struct weft_channel *channel;
static struct weft_sender *sender;
static unsigned int links_max; /* 0: the default */
static unsigned int events[8];
static int cause;

static void on_event(struct weft_sender *from, enum weft_sender_event event, int why, void *user)
{
	(void)from, (void)user;
	events[event]++;
	cause = why;
}

static void ignore(struct weft_rx *rx, void *user)
{
	(void)rx, (void)user;
}

/* A node with a channel, a stranger with a lane to it, and a sender to the stranger that is ready. */
static void set_up(uint64_t link_idle_ns, weft_rx_fn *handler)
{
	struct weft_sender_opts opts = {.size = sizeof opts, .on_event = on_event};
	struct weft_node_opts node_opts;

	memset(events, 0, sizeof events);
	weft_node_opts_init(&node_opts, sizeof node_opts);
	node_opts.link_idle_ns = link_idle_ns;
	node_opts.links_max = links_max ? links_max : node_opts.links_max;
	stranger_open(&stranger, &node_opts);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(stranger.node, "test", NULL, &channel), 0);
	weft_channel_handle(channel, handler, NULL);
	stranger_open_lane(&stranger, 0, "test");
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(stranger.worker, channel, stranger.name, &opts, &sender), 0);
	CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__LANE_OPEN] == 1));
	stranger_grant(&stranger, stranger.last[WEFT__LANE_OPEN]);
	CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(&stranger, weft_sender_status(sender) == 0));
	/* So it has no more to say. */
	for (unsigned int i = 0; i < 10; i++)
		stranger_turn(&stranger);
}

static void tear_down(void)
{
	stranger_close(&stranger);
}

/* The stranger asks, and the node agrees. */
static void agree(uint32_t round)
{
	unsigned int before = stranger.heard[WEFT__IDLE_YES];

	stranger_idle_both(&stranger, WEFT__IDLE_ASK, round);
	CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__IDLE_YES] == before + WEFT_CLASS_COUNT));
}

static void a_question_that_nobody_answers_is_taken_back(void)
{
	set_up(300000000, ignore); /* longer than it takes to set up */
	CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__IDLE_ASK] == WEFT_CLASS_COUNT));
	CU_ASSERT_EQUAL(weft_send(sender, "x", 1), -WEFT_EAGAIN);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, events[WEFT_SENDER_WRITABLE] == 1));
	CU_ASSERT_EQUAL(weft_send(sender, "x", 1), 0);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__DATA] == 1));
	CU_ASSERT_EQUAL(stranger.heard[WEFT__IDLE_OFF], 1);
	/* An answer that comes after all that is none. */
	stranger_idle_both(&stranger, WEFT__IDLE_YES, weft__meta_sequence(stranger.last[WEFT__IDLE_ASK]));
	for (unsigned int i = 0; i < 100; i++)
		stranger_turn(&stranger);
	CU_ASSERT_EQUAL(stranger.heard[WEFT__IDLE_CLOSE], 0);
	CU_ASSERT_EQUAL(events[WEFT_SENDER_LOST], 0);
	tear_down();
}

static void who_asks_and_says_no_more_is_left(void)
{
	set_up(0, ignore);
	agree(1);
	CU_ASSERT_EQUAL(weft_send(sender, "x", 1), -WEFT_EAGAIN);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger.end->downs == 1));
	CU_ASSERT_EQUAL(stranger.heard[WEFT__IDLE_CLOSE], 1);
	CU_ASSERT_EQUAL(stranger.end->reason, WEFT_DOWN_CLOSED);
	/* The sender wants the peer again, which cannot be connected to. */
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, events[WEFT_SENDER_LOST] == 1));
	tear_down();
}

static void what_was_called_off_in_one_class_is_off_in_the_other(void)
{
	set_up(0, ignore);
	CU_ASSERT_TRUE(stranger_idle(&stranger, WEFT__IDLE_ASK, WEFT_CLASS_EXPRESS, 1));
	CU_ASSERT_TRUE(stranger_idle(&stranger, WEFT__IDLE_OFF, WEFT_CLASS_EXPRESS, 1));
	for (unsigned int i = 0; i < 10; i++)
		stranger_turn(&stranger);
	CU_ASSERT_TRUE(stranger_idle(&stranger, WEFT__IDLE_ASK, WEFT_CLASS_NORMAL, 1));
	for (unsigned int i = 0; i < 10; i++)
		stranger_turn(&stranger);
	CU_ASSERT_EQUAL(stranger.heard[WEFT__IDLE_YES], 0);
	CU_ASSERT_EQUAL(weft_send(sender, "x", 1), 0);
	/* The next question is another. */
	agree(2);
	tear_down();
}

static struct weft_loan *kept;

static void keep(struct weft_rx *rx, void *user)
{
	(void)user;
	CU_ASSERT_EQUAL(weft_rx_keep(rx, &kept), 0);
}

static void a_loan_lent_after_the_question_stays_readable(void)
{
	struct weft_tx_frame frame = {.meta = weft__meta(WEFT__DATA, 0, 0, 0), .loan_len_bytes = 100000};

	kept = NULL;
	set_up(0, keep);
	CU_ASSERT_EQUAL_FATAL(weft_pool_get(stranger.end->pool, frame.loan_len_bytes, &frame.loan), 0);
	memset(frame.loan->data, 'k', frame.loan_len_bytes);
	/* The segment is shared before, since the node waits for no more than a moment. */
	stranger.side.driver->share(stranger.end->path, frame.loan->segment_id);
	for (unsigned int i = 0; i < 1000; i++)
		stranger_turn(&stranger);
	agree(1);
	CU_ASSERT_TRUE(side_lend(stranger.end->path, &frame));
	CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(&stranger, kept != NULL));
	CU_ASSERT_TRUE(stranger_idle(&stranger, WEFT__IDLE_CLOSE, WEFT_CLASS_EXPRESS, 1));
	for (unsigned int i = 0; i < 10; i++)
		stranger_turn(&stranger);
	stranger_leave(&stranger);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, events[WEFT_SENDER_LOST] == 1));
	CU_ASSERT_EQUAL(((const char *)weft_loan_data(kept))[frame.loan_len_bytes - 1], 'k');
	weft_loan_release(kept);
	tear_down();
}

static struct weft_call *call;

static void defer(struct weft_rx *rx, void *user)
{
	(void)user;
	CU_ASSERT_EQUAL(weft_rx_defer(rx, &call), 0);
}

static void a_request_after_the_question_is_answered_in_vain(void)
{
	uint64_t id = 7;

	call = NULL;
	set_up(0, defer);
	agree(1);
	CU_ASSERT_TRUE(stranger_say(&stranger, WEFT_CLASS_NORMAL, weft__meta(WEFT__REQUEST, 0, 0, 0), &id, sizeof id));
	CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(&stranger, call != NULL));
	CU_ASSERT_TRUE(stranger_idle(&stranger, WEFT__IDLE_CLOSE, WEFT_CLASS_EXPRESS, 1));
	for (unsigned int i = 0; i < 10; i++)
		stranger_turn(&stranger);
	stranger_leave(&stranger);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, events[WEFT_SENDER_LOST] == 1));
	CU_ASSERT_EQUAL(weft_call_reply(call, 0, "!", 1), -WEFT_EPEERRESET);
	tear_down();
}

static void who_asks_and_takes_it_back_does_not_keep_other_links_open(void)
{
	struct weft_sender *third;
	struct stranger other;

	links_max = 2;
	set_up(0, ignore);
	links_max = 0;
	stranger_join(&other, &stranger, "other");
	agree(1);
	/* All links are taken; the one that it asked for may stay after all, so the other is asked. */
	CU_ASSERT_EQUAL(weft_sender_open(stranger.worker, channel, "third", NULL, &third), -WEFT_EAGAIN);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&other, other.heard[WEFT__IDLE_ASK] == WEFT_CLASS_COUNT));
	CU_ASSERT_TRUE(stranger_idle(&stranger, WEFT__IDLE_OFF, WEFT_CLASS_EXPRESS, 1));
	stranger_idle_both(&other, WEFT__IDLE_YES, weft__meta_sequence(other.last[WEFT__IDLE_ASK]));
	CU_ASSERT_TRUE(STRANGER_UNTIL(&other, other.heard[WEFT__IDLE_CLOSE] == 1));
	CU_ASSERT_EQUAL(weft_sender_open(stranger.worker, channel, "third", NULL, &third), 0);
	stranger_part(&other);
	tear_down();
}

/* ---- at random ---- */

static uint64_t seed_of_run(void)
{
	const char *text = getenv("WEFT_TEST_SEED");

	return text ? strtoull(text, NULL, 0) : weft_clock_now(weft_clock_real());
}

/* Mostly the kinds and rounds that mean something. */
static void say_something(struct weft_random *random, uint32_t *sequence)
{
	uint32_t asked = weft__meta_sequence(stranger.last[WEFT__IDLE_ASK]);
	uint32_t round = weft_random_below(random, 4) ? (uint32_t)weft_random_below(random, 3) + asked : 1;
	enum weft_class class_ = (enum weft_class)weft_random_below(random, WEFT_CLASS_COUNT);
	unsigned int kind = WEFT__IDLE_ASK + (unsigned int)weft_random_below(random, 5);

	if (weft_random_below(random, 4) == 0)
		*sequence += stranger_say(&stranger, WEFT_CLASS_NORMAL, weft__meta(WEFT__DATA, 0, 0, *sequence), "?",
					  1);
	else if (weft_random_below(random, 3) == 0) /* in both classes: more likely to be heard */
		for (unsigned int i = 0; i < WEFT_CLASS_COUNT; i++)
			stranger_idle(&stranger, (enum weft__kind)kind, (enum weft_class)i, round);
	else
		stranger_idle(&stranger, (enum weft__kind)kind, class_, round);
}

static void any_order_and_count_of_its_frames_is_survived(void)
{
	uint64_t seed = seed_of_run();
	struct weft_random random;

	weft_random_seed(&random, seed);
	for (unsigned int round = 0; round < 16; round++) {
		unsigned int failures = CU_get_number_of_failures();
		uint32_t sequence = 0;

		set_up(weft_random_below(&random, 2) ? 1 : 0, ignore);
		for (unsigned int step = 0; step < 300 && stranger.end->path; step++) {
			if (weft_random_below(&random, 3))
				say_something(&random, &sequence);
			if (weft_random_below(&random, 3))
				weft_worker_poll(stranger.worker);
			if (weft_random_below(&random, 3))
				sides_turn();
			if (weft_random_below(&random, 8) == 0)
				weft_send(sender, "x", 1);
		}
		if (weft_random_below(&random, 2))
			stranger_leave(&stranger);
		/* Whatever was said: a message is taken, or the sender is told that the peer is lost. */
		CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, weft_send(sender, "x", 1) != -WEFT_EAGAIN));
		tear_down();
		if (CU_get_number_of_failures() > failures) {
			fprintf(stderr, "  round %u of WEFT_TEST_SEED=%llu\n", round, (unsigned long long)seed);
			break;
		}
	}
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_question_that_nobody_answers_is_taken_back),
		SUITE_CASE(who_asks_and_says_no_more_is_left),
		SUITE_CASE(what_was_called_off_in_one_class_is_off_in_the_other),
		SUITE_CASE(a_loan_lent_after_the_question_stays_readable),
		SUITE_CASE(a_request_after_the_question_is_answered_in_vain),
		SUITE_CASE(who_asks_and_takes_it_back_does_not_keep_other_links_open),
		SUITE_CASE(any_order_and_count_of_its_frames_is_survived),
	};

	return suite_main("idle, hostile", cases, SUITE_COUNT(cases), argc, argv);
}

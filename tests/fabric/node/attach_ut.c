/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that attached workers come and go without harm to what they sent, and that a worker that does not look into its
 * mailbox holds up nobody else.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <pthread.h>

static void count(struct weft_rx *rx, void *user)
{
	(void)rx;
	++*(unsigned int *)user;
}

static uint64_t violations_of(struct weft_node *node)
{
	struct weft_node_stats stats;

	weft_node_describe(node, &stats);
	return stats.violations;
}

static void what_an_attached_worker_sent_arrives_after_it_has_gone(void)
{
	struct weft_worker *worker;
	struct weft_sender *sender;
	unsigned int got = 0;
	struct pair pair;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, count, &got);
	for (unsigned int i = 1; i <= 40; i++) {
		CU_ASSERT_EQUAL_FATAL(weft_attach(pair.near, "thread", &worker), 0);
		CU_ASSERT_EQUAL_FATAL(weft_sender_open(worker, pair.near_channel, weft_node_name(pair.far), NULL,
						       &sender),
				      0);
		CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, (weft_worker_poll(worker), weft_sender_status(sender) == 0)));
		/* Nobody reads them before the next one is there, which must not get the same memory. */
		for (unsigned int j = 0; j < 3; j++)
			CU_ASSERT_EQUAL(weft_send(sender, "last words", 10), 0);
		weft_detach(pair.near, &worker);
	}
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got == 120));
	CU_ASSERT_EQUAL(violations_of(pair.far), 0);
	pair_close(&pair);
}

static void a_full_mailbox_of_a_worker_does_not_hold_the_runner(void)
{
	struct weft_worker *worker;
	unsigned int got = 0;
	struct pair pair;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, count, &got);
	pair_fill_mailbox(pair.far_worker);
	/* Its runner has a path for it, and cannot tell; it still does what others ask of it. */
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.near_worker, pair.near_channel, weft_node_name(pair.far), NULL,
					       &pair.sender),
			      0);
	for (unsigned int i = 0; i < 20; i++) {
		CU_ASSERT_EQUAL_FATAL(weft_attach(pair.far, "thread", &worker), 0);
		weft_worker_poll(pair.near_worker);
		weft_detach(pair.far, &worker);
	}
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_sender_status(pair.sender) == 0));
	CU_ASSERT_EQUAL(weft_send(pair.sender, "x", 1), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got == 1));
	pair_close(&pair);
}

static void memory_for_a_worker_that_does_not_look_is_told_later(void)
{
	struct weft_worker *worker, *other;
	struct weft_loan *loan;
	struct pair pair;

	pair_open(&pair, NULL);
	CU_ASSERT_EQUAL_FATAL(weft_attach(pair.near, "thread", &worker), 0);
	pair_fill_mailbox(worker);
	CU_ASSERT_EQUAL(weft_loan_get(worker, (size_t)4 << 20, &loan), -WEFT_EAGAIN);
	/* The runner has the memory and cannot tell; it still does what others ask of it. */
	for (unsigned int i = 0; i < 20; i++) {
		CU_ASSERT_EQUAL_FATAL(weft_attach(pair.near, "other", &other), 0);
		weft_detach(pair.near, &other);
	}
	CU_ASSERT_TRUE(
		PAIR_UNTIL(&pair, (weft_worker_poll(worker), weft_loan_get(worker, (size_t)4 << 20, &loan) == 0)));
	weft_loan_release(loan);
	weft_detach(pair.near, &worker);
	pair_close(&pair);
}

static void a_worker_is_detached_although_the_runner_has_something_to_tell_it(void)
{
	struct weft_worker *worker;
	struct weft_sender *sender;
	struct weft_loan *loan;
	struct pair pair;

	for (unsigned int i = 0; i < 10; i++) {
		pair_open_faults(&pair, NULL, "fail=connect:1", NULL);
		CU_ASSERT_EQUAL_FATAL(weft_attach(pair.near, "thread", &worker), 0);
		pair_fill_mailbox(worker);
		CU_ASSERT_EQUAL(weft_loan_get(worker, (size_t)4 << 20, &loan), -WEFT_EAGAIN);
		CU_ASSERT_EQUAL(weft_sender_open(worker, pair.near_channel, weft_node_name(pair.far), NULL, &sender),
				0);
		weft_detach(pair.near, &worker);
		pair_close(&pair);
	}
}

static pthread_t ended_on;
static unsigned int ends;

static void note_thread(struct weft_op *op, int status, const struct weft_received *received, void *user)
{
	(void)op, (void)received, (void)user;
	CU_ASSERT_EQUAL(status, -WEFT_ECLOSED);
	ended_on = pthread_self();
	ends++;
}

static void note_reply(struct weft_rx *reply, int status, void *user)
{
	(void)user;
	CU_ASSERT_PTR_NULL(reply);
	note_thread(NULL, status, NULL, NULL);
}

static void what_ends_by_detaching_is_told_on_the_owners_thread(void)
{
	struct weft_worker *worker;
	struct weft_sender *sender;
	unsigned int got = 0;
	struct pair pair;
	char buffer;

	ends = 0;
	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, count, &got);
	CU_ASSERT_EQUAL_FATAL(weft_attach(pair.near, "thread", &worker), 0);
	CU_ASSERT_EQUAL(weft_recv_post(worker, pair.near_channel, &buffer, 1, 0, 0, note_thread, NULL, NULL), 0);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(worker, pair.near_channel, weft_node_name(pair.far), NULL, &sender), 0);
	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, (weft_worker_poll(worker), weft_sender_status(sender) == 0)));
	CU_ASSERT_EQUAL(weft_request(sender, "?", 1, WEFT_NEVER, note_reply, NULL, NULL), 0);
	weft_detach(pair.near, &worker);
	CU_ASSERT_EQUAL(ends, 2);
	CU_ASSERT_TRUE(pthread_equal(ended_on, pthread_self()));
	pair_close(&pair);
}

static void a_connect_that_failed_is_told_later(void)
{
	struct pair pair;

	pair_open_faults(&pair, NULL, "fail=connect:1", NULL);
	pair_fill_mailbox(pair.near_worker);
	CU_ASSERT_EQUAL(weft_sender_open(pair.near_worker, pair.near_channel, weft_node_name(pair.far), NULL,
					 &pair.sender),
			0);
	for (unsigned int i = 0; i < 20; i++) {
		struct weft_worker *other;

		CU_ASSERT_EQUAL_FATAL(weft_attach(pair.near, "other", &other), 0);
		weft_detach(pair.near, &other);
	}
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_sender_status(pair.sender) == -WEFT_EIO));
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(what_an_attached_worker_sent_arrives_after_it_has_gone),
		SUITE_CASE(a_full_mailbox_of_a_worker_does_not_hold_the_runner),
		SUITE_CASE(memory_for_a_worker_that_does_not_look_is_told_later),
		SUITE_CASE(a_worker_is_detached_although_the_runner_has_something_to_tell_it),
		SUITE_CASE(a_connect_that_failed_is_told_later),
		SUITE_CASE(what_ends_by_detaching_is_told_on_the_owners_thread),
	};

	return suite_main("attach", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that every constructor of the fabric fails cleanly, whichever call for memory or descriptors it is that
 * fails: the error is said, nothing stays behind, and the next attempt succeeds. What the runner does for a caller is
 * among it.
 */
#include "fabric/pair.h"
#include "fault.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MANY 3000u

static bool is_lack(int error)
{
	return error == -WEFT_ENOMEM || error == -WEFT_EMFILE || error == -WEFT_ENOSPC || error == -WEFT_EIO ||
	       error == -WEFT_EPERM || error == -WEFT_EAGAIN;
}

static void check_error(int rc, bool struck)
{
	bool right = rc == 0 || (struck && is_lack(rc));

	if (!right)
		printf("\n\tafter %s: %s ", fault_name(), weft_error_name(rc));
	CU_ASSERT_TRUE(right);
	CU_ASSERT_TRUE(rc == 0 || weft_last_error()[0]);
}

static int open_node(struct weft_node **node, unsigned int worker_count)
{
	struct weft_node_opts opts;
	char name[48];

	snprintf(name, sizeof name, "faults-%d", (int)getpid());
	weft_node_opts_init(&opts, sizeof opts);
	opts.name = name;
	opts.worker_count = worker_count;
	return weft_node_open(&opts, node);
}

/* What is made once in a process is made before anything is counted. */
static void warm_up(void)
{
	struct weft_node *node = NULL;

	CU_ASSERT_EQUAL_FATAL(open_node(&node, 1), 0);
	weft_node_close(&node);
}

static void open_with_faults(unsigned int worker_count)
{
	unsigned int skip = 0;
	bool struck = true;

	warm_up();
	for (; struck && skip < MANY; skip++) {
		unsigned long kept = fault_count_kept();
		struct weft_node *node = NULL;
		int rc;

		fault_arm(skip);
		rc = open_node(&node, worker_count);
		struck = fault_disarm();
		check_error(rc, struck);
		CU_ASSERT_EQUAL(rc == 0, node != NULL);
		weft_node_close(&node);
		CU_ASSERT_TRUE(fault_keeps_only(kept));
	}
	CU_ASSERT_TRUE(skip > 20);
}

static void a_node_that_cannot_be_opened_leaves_nothing(void)
{
	open_with_faults(0);
}

static void a_node_whose_workers_cannot_be_started_leaves_nothing(void)
{
	open_with_faults(2);
}

/* Descriptors are counted out one by one. */
static void a_node_without_descriptors_leaves_nothing(void)
{
	struct rlimit before, few;
	int rc = -1, next_fd = dup(0);

	close(next_fd);
	warm_up();
	getrlimit(RLIMIT_NOFILE, &before);
	for (int left = 0; rc < 0 && left < 100; left++) {
		unsigned long kept = fault_count_kept();
		struct weft_node *node = NULL;

		few = (struct rlimit){(rlim_t)(next_fd + left), before.rlim_max};
		CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &few), 0);
		rc = open_node(&node, 1);
		CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
		if (rc < 0 && rc != -WEFT_EMFILE)
			printf("\n\twith %d: %s: %s ", left, weft_error_name(rc), weft_last_error());
		CU_ASSERT_TRUE(rc == 0 || rc == -WEFT_EMFILE);
		weft_node_close(&node);
		CU_ASSERT_TRUE(fault_keeps_only(kept));
	}
	CU_ASSERT_EQUAL(rc, 0);
}

static void ignore(struct weft_rx *rx, void *user)
{
	(void)rx;
	++*(unsigned int *)user;
}

static void a_channel_that_cannot_be_opened_leaves_nothing(void)
{
	struct pair pair;
	unsigned int skip = 0;
	bool struck = true;

	pair_open(&pair, NULL);
	for (; struck && skip < MANY; skip++) {
		struct weft_channel *channel = NULL;
		int rc;

		fault_arm(skip);
		rc = weft_channel_open(pair.near, "another", NULL, &channel);
		struck = fault_disarm();
		check_error(rc, struck);
		CU_ASSERT_EQUAL(rc == 0, channel != NULL);
		if (channel)
			weft_channel_close(&channel);
	}
	CU_ASSERT_TRUE(skip > 1);
	pair_close(&pair);
}

static void count_lost(struct weft_sender *sender, enum weft_sender_event event, int cause, void *user)
{
	(void)sender;
	(void)cause;
	*(unsigned int *)user += event == WEFT_SENDER_LOST;
}

/* Sends until something arrives; a message is sent again only if the sender was told that the peer was lost. */
static bool arrives(struct pair *pair, const unsigned int *got, const unsigned int *lost)
{
	unsigned int before = *got, lost_before;

	do {
		lost_before = *lost;
		if (!PAIR_UNTIL(pair, weft_sender_status(pair->sender) == 0) || weft_send(pair->sender, "x", 1) < 0 ||
		    !PAIR_UNTIL(pair, *got > before || *lost > lost_before))
			return false;
	} while (*got == before);
	return true;
}

/* The sender, its link and its path: whatever fails is said, or made up for by itself. */
static void a_sender_that_cannot_be_opened_leaves_nothing(void)
{
	struct weft_sender_opts opts;
	unsigned int skip = 0, got = 0, lost = 0;
	bool struck = true;

	weft_sender_opts_init(&opts, sizeof opts);
	opts.wait_for_peer = true;
	opts.on_event = count_lost;
	opts.user = &lost;
	for (; struck && skip < MANY; skip++) {
		struct pair pair;
		int rc;

		pair_open(&pair, NULL);
		weft_channel_handle(pair.far_channel, ignore, &got);
		fault_arm_everywhere(skip);
		rc = weft_sender_open(pair.near_worker, pair.near_channel, weft_node_name(pair.far), &opts,
				      &pair.sender);
		if (rc == 0)
			CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_sender_status(pair.sender) == 0));
		struck = fault_disarm();
		check_error(rc, struck);
		if (rc < 0)
			CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.near_worker, pair.near_channel,
							       weft_node_name(pair.far), &opts, &pair.sender),
					      0);
		if (!arrives(&pair, &got, &lost)) {
			printf("\n\tafter %u, %s: nothing came, sender %d ", skip, fault_name(),
			       weft_sender_status(pair.sender));
			CU_FAIL("silence");
		}
		pair_close(&pair);
	}
	CU_ASSERT_TRUE(skip > 2);
}

static void count_reply(struct weft_rx *reply, int status, void *user)
{
	(void)reply;
	*(int *)user = status;
}

static void answer(struct weft_rx *rx, void *user)
{
	unsigned int *lacks = user;

	if (rx->is_request && weft_reply(rx, "yes", 3) == -WEFT_EAGAIN)
		++*lacks;
}

static void count_done(struct weft_op *op, int status, void *user)
{
	(void)op;
	(void)status;
	++*(unsigned int *)user;
}

/* One of each kind of sending, the first on its link: what fails says so and sends nothing, what does not arrives. */
static void sending_without_memory_says_so(void)
{
	static char big[100000];
	unsigned int skip = 0, lacks = 0;
	bool struck = true;

	for (; struck && skip < MANY; skip++) {
		struct iovec iov[40];
		struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
		unsigned int dones = 0;
		int status = 1, rc_request, rc_copy, rc_iov;
		struct pair pair;

		for (unsigned int i = 0; i < 40; i++)
			iov[i] = (struct iovec){big + i * 100, 100};
		how.done = count_done;
		how.user = &dones;
		pair_open(&pair, NULL);
		weft_channel_handle(pair.far_channel, answer, &lacks);
		pair_connect(&pair);
		fault_arm_everywhere(skip);
		rc_request = weft_request(pair.sender, "?", 1, WEFT_NEVER, count_reply, &status, NULL);
		rc_iov = weft_sendv(pair.sender, iov, 40, &how);
		rc_copy = weft_send(pair.sender, big, sizeof big);
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, (rc_request < 0 || status <= 0) && dones == (rc_iov == 0)));
		struck = fault_disarm();
		check_error(rc_request, struck);
		check_error(rc_iov, struck);
		CU_ASSERT_TRUE(rc_copy == 0 || is_lack(rc_copy));
		pair_close(&pair);
	}
	CU_ASSERT_TRUE(skip > 1);
}

static void a_thread_that_cannot_be_attached_leaves_nothing(void)
{
	struct weft_node *node = NULL;
	unsigned int skip = 0;
	bool struck = true;

	CU_ASSERT_EQUAL_FATAL(open_node(&node, 1), 0);
	for (; struck && skip < MANY; skip++) {
		struct weft_worker *worker = NULL;
		int rc;

		fault_arm_everywhere(skip);
		rc = weft_attach(node, "thread", &worker);
		struck = fault_disarm();
		check_error(rc, struck);
		CU_ASSERT_EQUAL(rc == 0, worker != NULL);
		weft_detach(node, &worker);
	}
	weft_node_close(&node);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_node_that_cannot_be_opened_leaves_nothing),
		SUITE_CASE(a_node_whose_workers_cannot_be_started_leaves_nothing),
		SUITE_CASE(a_node_without_descriptors_leaves_nothing),
		SUITE_CASE(a_channel_that_cannot_be_opened_leaves_nothing),
		SUITE_CASE(a_sender_that_cannot_be_opened_leaves_nothing),
		SUITE_CASE(sending_without_memory_says_so),
		SUITE_CASE(a_thread_that_cannot_be_attached_leaves_nothing),
	};

	return suite_main("fabric faults", cases, SUITE_COUNT(cases), argc, argv);
}

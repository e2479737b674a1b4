/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a forked child cannot use, hang on or harm its parent's node, and may have one of its own.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void count(struct weft_rx *rx, void *user)
{
	(void)rx;
	++*(unsigned int *)user;
}

static void received(struct weft_op *op, int status, const struct weft_received *message, void *user)
{
	(void)op;
	(void)status;
	(void)message;
	(void)user;
}

#define CHILD_NEEDS(condition)                     \
	do {                                       \
		if (!(condition))                  \
			_exit(__LINE__ % 250 + 1); \
	} while (0)

/* Each call of the child that is told; a wrong answer is its exit status. */
static void call_what_returns_a_code(struct pair *pair)
{
	struct weft_channel *channel = NULL;
	struct weft_worker *worker = NULL;
	struct weft_sender *sender = NULL;
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	struct iovec iov = {"x", 1};
	char buffer[8];

	CHILD_NEEDS(weft_channel_open(pair->near, "other", NULL, &channel) == -WEFT_EFORK);
	CHILD_NEEDS(strstr(weft_last_error(), weft_node_name(pair->near)));
	CHILD_NEEDS(weft_attach(pair->near, "thread", &worker) == -WEFT_EFORK);
	CHILD_NEEDS(weft_sender_open(pair->near_worker, pair->near_channel, "peer", NULL, &sender) == -WEFT_EFORK);
	CHILD_NEEDS(weft_sender_wait(pair->sender, WEFT_NEVER) == -WEFT_EFORK);
	CHILD_NEEDS(weft_sender_status(pair->sender) == -WEFT_EFORK);
	CHILD_NEEDS(weft_sendv(pair->sender, &iov, 1, &how) == -WEFT_EFORK);
	CHILD_NEEDS(weft_recv_post(pair->near_worker, pair->near_channel, buffer, sizeof buffer, 0, 0, received, NULL,
				   NULL) == -WEFT_EFORK);
	CHILD_NEEDS(weft_node_run(pair->near) == -WEFT_EFORK);
}

static void call_what_does_nothing(struct pair *pair)
{
	struct weft_node_stats stats;

	weft_node_describe(pair->near, &stats);
	CHILD_NEEDS(stats.sent_messages == 0);
	weft_channel_handle(pair->near_channel, count, NULL);
	weft_node_stop(pair->near);
	weft_sender_close(&pair->sender);
	CHILD_NEEDS(!pair->sender);
	weft_channel_close(&pair->near_channel);
	weft_detach(pair->near, &pair->near_worker);
	CHILD_NEEDS(!pair->near_worker);
	weft_node_close(&pair->near);
	weft_node_close(&pair->far);
	CHILD_NEEDS(!pair->near && !pair->far);
}

static void open_one_of_its_own(void)
{
#ifndef __SANITIZE_THREAD__ /* which starts no threads in the child of a process with many */
	struct weft_node_opts opts;
	struct weft_node *node;
	char name[48];

	snprintf(name, sizeof name, "child-%d", (int)getpid());
	weft_node_opts_init(&opts, sizeof opts);
	opts.name = name;
	CHILD_NEEDS(weft_node_open(&opts, &node) == 0);
	weft_node_close(&node);
#endif
}

static void a_child_is_told_and_the_parent_notices_nothing(void)
{
	unsigned int got = 0;
	struct pair pair;
	int status;
	pid_t child;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, count, &got);
	pair_connect(&pair);
	CU_ASSERT_EQUAL(weft_send(pair.sender, "before", 6), 0);
	fflush(stdout);
	child = fork();
	if (child == 0) {
		call_what_returns_a_code(&pair);
		call_what_does_nothing(&pair);
		open_one_of_its_own();
		_exit(0);
	}
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(weft_send(pair.sender, "after", 5), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got == 2));
	CU_ASSERT_EQUAL(pair.events[WEFT_SENDER_LOST], 0);
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_child_is_told_and_the_parent_notices_nothing),
	};

	return suite_main("fork", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a node that has run out of descriptors still serves those that it knows, and accepts new peers as soon as
 * it can.
 */
#include "fork.h"
#include "patience.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/weft.h>

static unsigned int heard;

static void on_message(struct weft_rx *rx, void *user)
{
	(void)rx;
	(void)user;
	heard++;
}

/* A process of its own that says hello once it may, and waits until that was delivered. */
static void say_hello(int may_fd, const char *to)
{
	struct weft_sender_opts opts;
	struct weft_node_opts node_opts;
	struct weft_worker *worker;
	struct weft_channel *channel;
	struct weft_sender *sender;
	struct weft_node *node;
	char byte;

	weft_sender_opts_init(&opts, sizeof opts);
	opts.wait_for_peer = true;
	weft_node_opts_init(&node_opts, sizeof node_opts);
	node_opts.worker_count = 0;
	if (read(may_fd, &byte, 1) != 1 || weft_node_open(&node_opts, &node) < 0)
		_exit(1);
	worker = weft_node_worker(node, 0);
	if (weft_channel_open(node, "c", NULL, &channel) < 0 ||
	    weft_sender_open(worker, channel, to, &opts, &sender) < 0)
		_exit(1);
	while (weft_sender_status(sender) == -WEFT_EAGAIN)
		weft_worker_turn(worker, WEFT_NEVER);
	if (weft_send(sender, "hello", 5) < 0)
		_exit(1);
	weft_node_close(&node);
	_exit(0);
}

static void turn_for(struct weft_worker *worker, uint64_t span_ns)
{
	uint64_t end_ns = weft_clock_now(weft_clock_real()) + span_ns;

	while (!heard && weft_clock_now(weft_clock_real()) < end_ns)
		weft_worker_turn(worker, end_ns);
}

static void a_peer_that_came_while_descriptors_lacked_is_accepted_later(void)
{
	struct rlimit before, none;
	struct weft_node_opts opts;
	struct weft_worker *worker;
	struct weft_channel *channel;
	struct weft_node *node;
	char name[64];
	int may[2], status, next_fd;
	pid_t child;

	snprintf(name, sizeof name, "descriptors-%d", (int)getpid());
	CU_ASSERT_EQUAL_FATAL(pipe(may), 0);
	child = fork_alone();
	if (child == 0)
		say_hello(may[0], name);
	weft_node_opts_init(&opts, sizeof opts);
	opts.name = name;
	opts.worker_count = 0;
	CU_ASSERT_EQUAL_FATAL(weft_node_open(&opts, &node), 0);
	worker = weft_node_worker(node, 0);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(node, "c", NULL, &channel), 0);
	weft_channel_handle(channel, on_message, NULL);

	next_fd = dup(may[0]);
	close(next_fd);
	getrlimit(RLIMIT_NOFILE, &before);
	none = (struct rlimit){(rlim_t)next_fd, before.rlim_max};
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &none), 0);
	CU_ASSERT_EQUAL(write(may[1], "x", 1), 1);
	turn_for(worker, 300000000);
	CU_ASSERT_EQUAL(heard, 0);

	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
	CU_ASSERT_TRUE(PATIENCE_UNTIL(weft_worker_turn(worker, patience_end_ns()), heard == 1));
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(status, 0);
	weft_node_close(&node);
	close(may[0]);
	close(may[1]);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_peer_that_came_while_descriptors_lacked_is_accepted_later),
	};

	return suite_main("descriptors", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves what becomes of a sender whose peer refuses the connection: it fails with whatever the peer said, once; but where
 * that was "try again" it is tried again, and the sender is as one that is not ready yet.
 */
#include "stranger.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weft/errors.h>

static struct stranger stranger; /* it is only connected to */
static struct weft_channel *channel;
static struct weft_sender *sender;
static unsigned int failures;

static void on_event(struct weft_sender *of, enum weft_sender_event event, int cause, void *user)
{
	(void)of, (void)cause, (void)user;
	failures += event == WEFT_SENDER_FAILED;
}

static void set_up(int refuse_with)
{
	struct weft_sender_opts opts = {.size = sizeof opts, .on_event = on_event};
	struct weft_node_opts node_opts;
	char name[48];

	memset(&stranger, 0, sizeof stranger);
	failures = 0;
	snprintf(name, sizeof name, "test-%d-node", (int)getpid());
	weft_node_opts_init(&node_opts, sizeof node_opts);
	node_opts.name = name;
	node_opts.worker_count = 0;
	CU_ASSERT_EQUAL_FATAL(weft_node_open(&node_opts, &stranger.node), 0);
	stranger.worker = weft_node_worker(stranger.node, 0);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(stranger.node, "test", NULL, &channel), 0);
	side_driver = weft_driver_find("shm");
	side_open(&stranger.side, "refuses", 1, 0);
	stranger.side.refuse_with = refuse_with;
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(stranger.worker, channel, stranger.side.name, &opts, &sender), 0);
}

static void a_sender_fails_with_what_the_peer_said(void)
{
	static const int codes[] = {-WEFT_ENOENT, -WEFT_ENOSPC, -1999, INT_MIN};

	for (unsigned int i = 0; i < sizeof codes / sizeof *codes; i++) {
		set_up(codes[i]);
		CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, failures == 1));
		CU_ASSERT_EQUAL(weft_sender_status(sender), codes[i]);
		CU_ASSERT_EQUAL(stranger.side.asked, 1);
		stranger_close(&stranger);
	}
}

static void a_peer_that_says_try_again_is_tried_again(void)
{
	set_up(-WEFT_EAGAIN);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger.side.asked == 3));
	CU_ASSERT_EQUAL(weft_sender_status(sender), -WEFT_EAGAIN);
	CU_ASSERT_EQUAL(failures, 0);
	stranger.side.refuse_with = -WEFT_ENOENT;
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, failures == 1));
	CU_ASSERT_EQUAL(weft_sender_status(sender), -WEFT_ENOENT);
	stranger_close(&stranger);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_sender_fails_with_what_the_peer_said),
		SUITE_CASE(a_peer_that_says_try_again_is_tried_again),
	};

	return suite_main("refused", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fixture of the fabric's tests.
 */
#include "pair.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct weft_node *open_node(const struct weft_node_opts *base, const char *which)
{
	struct weft_node_opts opts = *base;
	struct weft_node *node = NULL;
	char name[48];

	snprintf(name, sizeof name, "test-%d-%s", (int)getpid(), which);
	opts.name = name;
	opts.worker_count = 0;
	CU_ASSERT_EQUAL_FATAL(weft_node_open(&opts, &node), 0);
	return node;
}

static char near_dir[] = "/tmp/weft-test-XXXXXX", far_dir[] = "/tmp/weft-test-XXXXXX";

static void remove_dirs(void)
{
	(void)rmdir(near_dir);
	(void)rmdir(far_dir);
}

/* Over a network, as if they were on two machines: each has a directory of its own, so that they do not meet here. */
static void open_apart(struct pair *pair, const char *net, const struct weft_node_opts *near_base,
		       const struct weft_node_opts *far_base)
{
	struct weft_node_opts near_opts = *near_base, far_opts = *far_base;
	char listen[64], address[128], peers[256];
	static bool made;

	if (!made)
		CU_ASSERT_TRUE_FATAL(mkdtemp(near_dir) && mkdtemp(far_dir) && atexit(remove_dirs) == 0);
	made = true;
	snprintf(listen, sizeof listen, "%s:127.0.0.1:0", net);
	far_opts.listen = listen;
	far_opts.runtime_dir = far_dir;
	near_opts.runtime_dir = near_dir;
	pair->far = open_node(&far_opts, "far");
	CU_ASSERT_EQUAL_FATAL(weft_node_address(pair->far, 0, address, sizeof address), 0);
	snprintf(peers, sizeof peers, "%s=%s", weft_node_name(pair->far), address);
	near_opts.peers = peers;
	pair->near = open_node(&near_opts, "near");
}

bool pair_is_apart(void)
{
	return getenv("PAIR_NET") != NULL;
}

static void open_both(struct pair *pair, const struct weft_channel_opts *opts, const struct weft_node_opts *near_opts,
		      const struct weft_node_opts *far_opts)
{
	const char *net = getenv("PAIR_NET");

	memset(pair, 0, sizeof *pair);
	if (net) {
		open_apart(pair, net, near_opts, far_opts);
	} else {
		pair->near = open_node(near_opts, "near");
		pair->far = open_node(far_opts, "far");
	}
	pair->near_worker = weft_node_worker(pair->near, 0);
	pair->far_worker = weft_node_worker(pair->far, 0);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair->near, "test", opts, &pair->near_channel), 0);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair->far, "test", opts, &pair->far_channel), 0);
}

static void open_with(struct pair *pair, const struct weft_channel_opts *opts, const struct weft_node_opts *node_opts)
{
	open_both(pair, opts, node_opts, node_opts);
}

void pair_open_faults(struct pair *pair, const struct weft_channel_opts *opts, const char *near_faults,
		      const char *far_faults)
{
	struct weft_node_opts near_opts, far_opts;

	weft_node_opts_init(&near_opts, sizeof near_opts);
	near_opts.driver = "fault+shm";
	far_opts = near_opts;
	near_opts.faults = near_faults ? near_faults : "";
	far_opts.faults = far_faults ? far_faults : "";
	open_both(pair, opts, &near_opts, &far_opts);
}

void pair_open(struct pair *pair, const struct weft_channel_opts *opts)
{
	struct weft_node_opts node_opts;

	weft_node_opts_init(&node_opts, sizeof node_opts);
	open_with(pair, opts, &node_opts);
}

void pair_open_idle(struct pair *pair, const struct weft_channel_opts *opts, uint64_t idle_ns)
{
	struct weft_node_opts node_opts;

	weft_node_opts_init(&node_opts, sizeof node_opts);
	node_opts.link_idle_ns = idle_ns;
	open_with(pair, opts, &node_opts);
}

void pair_open_limited(struct pair *pair, unsigned int links_max, unsigned int channels_max)
{
	struct weft_node_opts node_opts;

	weft_node_opts_init(&node_opts, sizeof node_opts);
	node_opts.links_max = links_max;
	node_opts.channels_max = channels_max;
	open_with(pair, NULL, &node_opts);
}

void pair_open_memory(struct pair *pair, const struct weft_channel_opts *opts, size_t memory_max_bytes)
{
	struct weft_node_opts node_opts;

	weft_node_opts_init(&node_opts, sizeof node_opts);
	node_opts.memory_max_bytes = memory_max_bytes;
	open_with(pair, opts, &node_opts);
}

int pair_try(struct weft_node_opts *opts)
{
	struct weft_node *node = NULL;
	char name[48];
	int rc;

	snprintf(name, sizeof name, "try-%d", (int)getpid());
	opts->name = name;
	opts->worker_count = 0;
	rc = weft_node_open(opts, &node);
	CU_ASSERT_EQUAL(rc == 0, node != NULL);
	weft_node_close(&node);
	opts->name = NULL;
	return rc;
}

static void nothing(struct weft_worker *worker, const struct weft_message *message)
{
	(void)worker;
	(void)message;
}

void pair_fill_mailbox(struct weft_worker *worker)
{
	struct weft_message message = {.run = nothing};

	while (weft_worker_post(worker, &message) == 0)
		;
}

static void on_event(struct weft_sender *sender, enum weft_sender_event event, int cause, void *user)
{
	struct pair *pair = user;

	(void)sender;
	pair->events[event]++;
	pair->cause = cause;
}

void pair_connect(struct pair *pair)
{
	struct weft_sender_opts opts = {.size = sizeof opts, .on_event = on_event, .user = pair};

	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair->near_worker, pair->near_channel, weft_node_name(pair->far), &opts,
					       &pair->sender),
			      0);
	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(pair, weft_sender_status(pair->sender) == 0));
}

void pair_turn(struct pair *pair)
{
	if (pair->near)
		weft_worker_poll(pair->near_worker);
	if (pair->far)
		weft_worker_poll(pair->far_worker);
}

void pair_close(struct pair *pair)
{
	weft_node_close(&pair->near);
	weft_node_close(&pair->far);
}

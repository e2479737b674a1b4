/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves what a node does with the addresses that it is given: which it opens, which it refuses and why, and what it says
 * of who answers at one. Each node has a runtime directory of its own, so that none meets another but over the network.
 */
#include "patience.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/log.h>
#include <weft/weft.h>

#define NODES_MAX 3

static char directories[NODES_MAX][32];
static unsigned int count;

static void begin(struct weft_node_opts *opts, const char *name)
{
	char *directory = directories[count++];

	strcpy(directory, "/tmp/weft-networks-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
	weft_node_opts_init(opts, sizeof *opts);
	opts->name = name;
	opts->runtime_dir = directory;
}

static void tear_down(void)
{
	while (count)
		CU_ASSERT_EQUAL(rmdir(directories[--count]), 0);
}

static void ignore(struct weft_rx *rx, void *user)
{
	(void)rx;
	(void)user;
}

/* A node that turns by itself, and where it is reached. */
static struct weft_node *open_far(const char *name, const char *listen, char address[128])
{
	struct weft_channel *channel;
	struct weft_node_opts opts;
	struct weft_node *node;

	begin(&opts, name);
	opts.listen = listen;
	CU_ASSERT_EQUAL_FATAL(weft_node_open(&opts, &node), 0);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(node, "test", NULL, &channel), 0);
	weft_channel_handle(channel, ignore, NULL);
	CU_ASSERT_EQUAL_FATAL(weft_node_address(node, 0, address, 128), 0);
	return node;
}

/* One that the test turns. */
static struct weft_node *open_near(const char *peers, struct weft_channel **channel)
{
	struct weft_node_opts opts;
	struct weft_node *node;

	begin(&opts, "near");
	opts.worker_count = 0;
	opts.peers = peers;
	CU_ASSERT_EQUAL_FATAL(weft_node_open(&opts, &node), 0);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(node, "test", NULL, channel), 0);
	return node;
}

static void a_stranger_at_the_address_of_a_peer_is_named(void)
{
	char address[128], peers[160];
	struct weft_node *far = open_far("stranger", "udp:127.0.0.1:0", address), *near;
	struct weft_channel *channel;
	struct weft_sender *sender;
	struct weft_worker *worker;

	snprintf(peers, sizeof peers, "friend=%s", address);
	near = open_near(peers, &channel);
	worker = weft_node_worker(near, 0);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(worker, channel, "friend", NULL, &sender), 0);
	CU_ASSERT_PTR_NULL(weft_sender_stranger(sender));
	CU_ASSERT_EQUAL(weft_sender_wait(sender, patience_end_ns()), -WEFT_EUNREACHABLE);
	CU_ASSERT_STRING_EQUAL(weft_last_error(), "no sender to \"friend\": \"stranger\" answers at its address");
	CU_ASSERT_STRING_EQUAL(weft_sender_stranger(sender), "stranger");
	weft_node_close(&near);
	weft_node_close(&far);
	tear_down();
}

static void ready(struct weft_worker *worker, struct weft_channel *channel, const char *peer)
{
	struct weft_sender *sender;

	CU_ASSERT_EQUAL_FATAL(weft_sender_open(worker, channel, peer, NULL, &sender), 0);
	CU_ASSERT_EQUAL(weft_sender_wait(sender, patience_end_ns()), 0);
}

static void one_node_reaches_peers_of_both_families(void)
{
	char first[128], second[128], peers[280];
	struct weft_node *six = open_far("six", "udp:[::1]:0", first);
	struct weft_node *four = open_far("four", "udp:127.0.0.1:0", second), *near;
	struct weft_channel *channel;

	snprintf(peers, sizeof peers, "six=%s,four=%s", first, second);
	near = open_near(peers, &channel);
	ready(weft_node_worker(near, 0), channel, "six");
	ready(weft_node_worker(near, 0), channel, "four");
	weft_node_close(&near);
	weft_node_close(&four);
	weft_node_close(&six);
	tear_down();
}

static void a_peer_may_have_an_address_of_each_family(void)
{
	char address[128], peers[160];
	struct weft_node *far = open_far("far", "udp:127.0.0.1:0", address), *near;
	struct weft_channel *channel;

	snprintf(peers, sizeof peers, "far=udp:[::1]:9+%s", address);
	near = open_near(peers, &channel);
	ready(weft_node_worker(near, 0), channel, "far");
	weft_node_close(&near);
	weft_node_close(&far);
	tear_down();
}

static void a_node_that_listens_everywhere_answers_from_where_it_was_asked(void)
{
	static const char *const hosts[] = {"127.0.0.1", "127.0.0.2", "[::1]"};

	for (unsigned int i = 0; i < 3; i++) {
		char address[128], peers[160];
		struct weft_node *far, *near;
		struct weft_channel *channel;

		setenv("WEFT_SECURITY", "none", 1);
		far = open_far("far", "udp::0", address);
		unsetenv("WEFT_SECURITY");
		snprintf(peers, sizeof peers, "far=udp:%s%s", hosts[i], strrchr(address, ':'));
		near = open_near(peers, &channel);
		ready(weft_node_worker(near, 0), channel, "far");
		weft_node_close(&near);
		weft_node_close(&far);
		tear_down();
	}
}

static void a_peer_to_which_nothing_can_be_sent_is_refused(void)
{
	static const char *const texts[] = {"far=udp:127.0.0.1:0", "far=udp::7000", "far=udp:[::1]:0",
					    "far=udp:0.0.0.0:7000", "far=udp:127.0.0.1:9+udp:[::]:7000"};
	struct weft_node_opts opts;
	struct weft_node *node = NULL;

	for (unsigned int i = 0; i < sizeof texts / sizeof *texts; i++) {
		begin(&opts, "near");
		opts.peers = texts[i];
		opts.security = "none";
		CU_ASSERT_EQUAL(weft_node_open(&opts, &node), -WEFT_EINVAL);
		CU_ASSERT_PTR_NULL(node);
		CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "nothing can be sent to far at udp:"));
		CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "name its host and the port"));
		tear_down();
	}
}

static unsigned int links_of(struct weft_node *node)
{
	struct weft_node_stats stats;

	weft_node_describe(node, &stats);
	return (unsigned int)stats.links;
}

static unsigned int looked_here;

static void count_looks(enum weft_log_level level, const char *component, const char *line, void *user)
{
	(void)level, (void)user;
	looked_here += strcmp(component, "link") == 0 && strstr(line, "peer far error WEFT_ECONNREFUSED") != NULL;
}

/* It is elsewhere both times, and looked for here each time. */
static void after_its_rest_a_link_looks_for_its_peer_on_this_machine_first(void)
{
	struct weft_node *far, *near;
	struct weft_channel *channel;
	struct weft_sender *sender;
	struct weft_worker *worker;
	struct weft_node_opts opts;
	char address[128], peers[160];

	far = open_far("far", "udp:127.0.0.1:0", address);
	snprintf(peers, sizeof peers, "far=%s", address);
	begin(&opts, "near");
	opts.worker_count = 0;
	opts.peers = peers;
	opts.link_idle_ns = 20000000;
	looked_here = 0;
	weft_log_set_sink(count_looks, WEFT_LOG_DEBUG, NULL);
	CU_ASSERT_EQUAL_FATAL(weft_node_open(&opts, &near), 0);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(near, "test", NULL, &channel), 0);
	worker = weft_node_worker(near, 0);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(worker, channel, "far", NULL, &sender), 0);
	CU_ASSERT_EQUAL(weft_sender_wait(sender, patience_end_ns()), 0);
	CU_ASSERT_EQUAL(looked_here, 1);
	CU_ASSERT_TRUE(PATIENCE_UNTIL(weft_worker_poll(worker), links_of(near) == 0));
	CU_ASSERT_TRUE(PATIENCE_UNTIL(weft_worker_poll(worker), weft_send(sender, "x", 1) == 0));
	CU_ASSERT_EQUAL(looked_here, 2);
	weft_node_close(&near);
	weft_node_close(&far);
	weft_log_set_sink(NULL, WEFT_LOG_WARN, NULL);
	tear_down();
}

static int open_listening(const char *listen, struct weft_node **node)
{
	struct weft_node_opts opts;

	begin(&opts, "near");
	opts.worker_count = 0;
	opts.listen = listen;
	return weft_node_open(&opts, node);
}

static void none_is_no_address_whatever_the_environment_says(void)
{
	static const char *const texts[] = {"none", ""};
	struct weft_node *node;
	char address[128];

	for (unsigned int i = 0; i < 2; i++) {
		setenv("WEFT_LISTEN", "udp:127.0.0.1:0", 1);
		CU_ASSERT_EQUAL_FATAL(open_listening(texts[i], &node), 0);
		CU_ASSERT_EQUAL(weft_node_address(node, 0, address, sizeof address), -WEFT_ENOENT);
		weft_node_close(&node);
		setenv("WEFT_LISTEN", texts[i], 1);
		CU_ASSERT_EQUAL_FATAL(open_listening(NULL, &node), 0);
		CU_ASSERT_EQUAL(weft_node_address(node, 0, address, sizeof address), -WEFT_ENOENT);
		weft_node_close(&node);
		unsetenv("WEFT_LISTEN");
		tear_down();
	}
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_stranger_at_the_address_of_a_peer_is_named),
		SUITE_CASE(one_node_reaches_peers_of_both_families),
		SUITE_CASE(a_peer_may_have_an_address_of_each_family),
		SUITE_CASE(a_node_that_listens_everywhere_answers_from_where_it_was_asked),
		SUITE_CASE(a_peer_to_which_nothing_can_be_sent_is_refused),
		SUITE_CASE(after_its_rest_a_link_looks_for_its_peer_on_this_machine_first),
		SUITE_CASE(none_is_no_address_whatever_the_environment_says),
	};

	return suite_main("networks of a node", cases, SUITE_COUNT(cases), argc, argv);
}

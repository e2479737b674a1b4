/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a receiver hears who sends to its channel, and whether one that ends has left or died, once each, and after
 * all that it had sent.
 */
#include "fabric/pair.h"
#include "fork.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct watch {
	unsigned int events[3];
	unsigned int messages, messages_at_end;
	uint64_t incarnation;
	int64_t pid;
	unsigned int role;
	int cause;
	char name[65];
};

static void on_peer(enum weft_peer_event event, const struct weft_peer *peer, void *user)
{
	struct watch *watch = user;

	watch->events[event]++;
	watch->incarnation = peer->incarnation;
	watch->pid = peer->pid;
	watch->role = peer->role;
	watch->cause = peer->cause;
	snprintf(watch->name, sizeof watch->name, "%s", peer->name);
	if (event != WEFT_PEER_CAME)
		watch->messages_at_end = watch->messages;
}

static void count(struct weft_rx *rx, void *user)
{
	(void)rx;
	((struct watch *)user)->messages++;
}

static void open_watched(struct pair *pair, struct watch *watch, unsigned int lanes)
{
	struct weft_channel_opts opts;

	memset(watch, 0, sizeof *watch);
	weft_channel_opts_init(&opts, sizeof opts);
	opts.lanes = lanes;
	pair_open(pair, &opts);
	weft_channel_on_peer(pair->far_channel, on_peer, watch);
	weft_channel_handle(pair->far_channel, count, watch);
	pair_connect(pair);
}

static void send_some(struct pair *pair, unsigned int how_many)
{
	while (how_many--)
		CU_ASSERT_EQUAL(weft_send(pair->sender, "text", 4), 0);
}

static void a_closed_sender_has_left_after_its_messages(void)
{
	struct watch watch;
	struct pair pair;

	open_watched(&pair, &watch, 1);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, watch.events[WEFT_PEER_CAME] == 1));
	CU_ASSERT_STRING_EQUAL(watch.name, weft_node_name(pair.near));
	CU_ASSERT_EQUAL(watch.incarnation, weft_node_incarnation(pair.near));
	CU_ASSERT_EQUAL(watch.pid, getpid());
	send_some(&pair, 20);
	weft_sender_close(&pair.sender);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, watch.events[WEFT_PEER_LEFT] == 1));
	CU_ASSERT_EQUAL(watch.messages_at_end, 20);
	CU_ASSERT_EQUAL(watch.cause, 0);
	pair_close(&pair);
	CU_ASSERT_EQUAL(watch.events[WEFT_PEER_LEFT] + watch.events[WEFT_PEER_LOST], 1);
}

static void a_peer_with_many_lanes_and_senders_comes_and_leaves_once(void)
{
	struct weft_sender *second;
	struct watch watch;
	struct pair pair;

	open_watched(&pair, &watch, 8);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.near_worker, pair.near_channel, weft_node_name(pair.far), NULL,
					       &second),
			      0);
	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, weft_sender_status(second) == 0));
	weft_sender_close(&pair.sender);
	for (unsigned int i = 0; i < 1000; i++)
		pair_turn(&pair);
	CU_ASSERT_EQUAL(watch.events[WEFT_PEER_CAME], 1);
	CU_ASSERT_EQUAL(watch.events[WEFT_PEER_LEFT], 0);
	weft_sender_close(&second);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, watch.events[WEFT_PEER_LEFT] == 1));
	CU_ASSERT_EQUAL(watch.events[WEFT_PEER_CAME], 1);
	pair_close(&pair);
}

static void a_closed_node_has_left(void)
{
	struct watch watch;
	struct pair pair;

	open_watched(&pair, &watch, 2);
	send_some(&pair, 5);
	weft_node_close(&pair.near);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, watch.events[WEFT_PEER_LEFT] == 1));
	CU_ASSERT_EQUAL(watch.cause, -WEFT_ECLOSED);
	CU_ASSERT_EQUAL(watch.messages_at_end, 5);
	CU_ASSERT_EQUAL(watch.events[WEFT_PEER_LOST], 0);
	pair_close(&pair);
}

static void who_was_there_before_the_watch_is_told_as_having_come(void)
{
	struct watch watch = {.messages = 0};
	struct pair pair;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, count, &watch);
	pair_connect(&pair);
	weft_channel_on_peer(pair.far_channel, on_peer, &watch);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, watch.events[WEFT_PEER_CAME] == 1));
	weft_channel_on_peer(pair.far_channel, NULL, NULL);
	weft_sender_close(&pair.sender);
	for (unsigned int i = 0; i < 1000; i++)
		pair_turn(&pair);
	CU_ASSERT_EQUAL(watch.events[WEFT_PEER_LEFT], 0);
	pair_close(&pair);
}

static void the_link_of_a_watched_peer_is_not_closed_for_being_idle(void)
{
	struct watch watch = {.messages = 0};
	struct weft_node_stats stats;
	struct pair pair;
	uint64_t until_ns;

	pair_open_idle(&pair, NULL, 1000000);
	weft_channel_on_peer(pair.far_channel, on_peer, &watch);
	weft_channel_handle(pair.far_channel, count, &watch);
	pair_connect(&pair);
	until_ns = weft_clock_now(weft_clock_real()) + 20000000;
	while (weft_clock_now(weft_clock_real()) < until_ns)
		pair_turn(&pair);
	weft_node_describe(pair.near, &stats);
	CU_ASSERT_EQUAL(stats.links, 1);
	CU_ASSERT_EQUAL(watch.events[WEFT_PEER_CAME], 1);
	CU_ASSERT_EQUAL(watch.events[WEFT_PEER_LEFT], 0);
	pair_close(&pair);
}

/* A process that sends to the node until it is killed. */
static void run_victim(const char *peer)
{
	struct weft_sender_opts sender_opts = {.size = sizeof sender_opts, .wait_for_peer = true};
	struct weft_node_opts opts;
	struct weft_channel *channel;
	struct weft_sender *sender;
	struct weft_node *node;
	struct weft_worker *worker;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	weft_node_opts_init(&opts, sizeof opts);
	opts.worker_count = 0;
	if (weft_node_open(&opts, &node) < 0 || weft_channel_open(node, "test", NULL, &channel) < 0)
		_exit(1);
	worker = weft_node_worker(node, 0);
	if (weft_sender_open(worker, channel, peer, &sender_opts, &sender) < 0)
		_exit(1);
	for (;;) {
		weft_send(sender, "text", 4);
		weft_worker_turn(worker, WEFT_NEVER);
	}
}

static void a_killed_peer_is_lost(void)
{
	struct watch watch = {.messages = 0};
	struct weft_node_opts opts;
	struct pair pair = {0};
	int killed = 0, status;
	char name[48];
	pid_t victim;

	snprintf(name, sizeof name, "watcher-%d", (int)getpid());
	fflush(stdout);
	victim = fork_alone();
	if (victim == 0)
		run_victim(name);
	weft_node_opts_init(&opts, sizeof opts);
	opts.name = name;
	opts.worker_count = 0;
	CU_ASSERT_EQUAL_FATAL(weft_node_open(&opts, &pair.far), 0);
	pair.far_worker = weft_node_worker(pair.far, 0);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair.far, "test", NULL, &pair.far_channel), 0);
	weft_channel_on_peer(pair.far_channel, on_peer, &watch);
	weft_channel_handle(pair.far_channel, count, &watch);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, watch.messages > 0));
	CU_ASSERT_EQUAL(watch.pid, victim);
	killed = kill(victim, SIGKILL);
	CU_ASSERT_EQUAL(killed, 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, watch.events[WEFT_PEER_LOST] == 1));
	CU_ASSERT_EQUAL(watch.cause, -WEFT_EPEERRESET);
	CU_ASSERT_EQUAL(watch.events[WEFT_PEER_LEFT], 0);
	CU_ASSERT_EQUAL(waitpid(victim, &status, 0), victim);
	pair_close(&pair);
}

static void a_receiver_hears_as_what_its_peer_opened_its_node(void)
{
	static const unsigned int roles[] = {WEFT_NODE_LEAF, WEFT_NODE_MEMBER, WEFT_NODE_LEAF | WEFT_NODE_MEMBER};
	struct weft_node_opts opts;
	struct weft_sender *sender;
	struct watch watch;
	struct pair pair;
	char name[48];

	for (unsigned int i = 0; i < 3; i++) {
		memset(&watch, 0, sizeof watch);
		pair_open(&pair, NULL);
		weft_channel_on_peer(pair.far_channel, on_peer, &watch);
		weft_node_close(&pair.near);
		snprintf(name, sizeof name, "test-%d-role", (int)getpid());
		weft_node_opts_init(&opts, sizeof opts);
		opts.name = name;
		opts.worker_count = 0;
		opts.role = roles[i];
		CU_ASSERT_EQUAL_FATAL(weft_node_open(&opts, &pair.near), 0);
		pair.near_worker = weft_node_worker(pair.near, 0);
		CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair.near, "test", NULL, &pair.near_channel), 0);
		CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.near_worker, pair.near_channel, weft_node_name(pair.far),
						       NULL, &sender),
				      0);
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, watch.events[WEFT_PEER_CAME] == 1));
		CU_ASSERT_EQUAL(watch.role, roles[i]);
		pair_close(&pair);
	}
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_killed_peer_is_lost), /* first, while this process has one thread */
		SUITE_CASE(a_closed_sender_has_left_after_its_messages),
		SUITE_CASE(a_peer_with_many_lanes_and_senders_comes_and_leaves_once),
		SUITE_CASE(a_closed_node_has_left),
		SUITE_CASE(who_was_there_before_the_watch_is_told_as_having_come),
		SUITE_CASE(the_link_of_a_watched_peer_is_not_closed_for_being_idle),
		SUITE_CASE(a_receiver_hears_as_what_its_peer_opened_its_node),
	};

	return suite_main("peers", cases, SUITE_COUNT(cases), argc, argv);
}

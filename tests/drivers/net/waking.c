/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers in threads of their own that sleep, and are woken by packets: two ends pass one packet there and back.
 */
#include "conformance.h"
#include "node.h"

#include <CUnit/Basic.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define ROUNDS 200u
#define SIDES 2u

static struct node nodes[SIDES];

struct player {
	struct node_port *port;
	struct weft_worker *worker;
	struct weft_net_route *to;
	struct weft_poller poller;
	pthread_t thread;
	unsigned int rounds, refused;
};
static struct player players[SIDES];

/* Answers each packet; what loses none needs no second try. */
static unsigned int play(void *user)
{
	struct player *player = user;
	struct weft_net_rx packets[8];
	unsigned int count = player->port->port->rx(player->port->port, packets, 8);

	for (unsigned int i = 0; i < count; i++) {
		player->rounds++;
		if (player->rounds <= ROUNDS)
			player->refused += !node_send(player->to, 1, player->rounds, 200);
		if (player->rounds >= ROUNDS)
			weft_worker_stop(player->worker);
	}
	return count;
}

static void arm(void *user)
{
	struct player *player = user;

	node_driver->arm(player->port->port, true);
}

static void disarm(void *user)
{
	struct player *player = user;

	node_driver->arm(player->port->port, false);
}

static void *run(void *user)
{
	struct player *player = user;

	weft_worker_take(player->worker);
	weft_worker_add_poller(player->worker, &player->poller);
	if (player == &players[0])
		player->refused += !node_send(player->to, 1, 0, 200);
	weft_worker_run(player->worker);
	weft_worker_remove_poller(player->worker, &player->poller);
	return NULL;
}

static void open_player(unsigned int i)
{
	struct player *player = &players[i];
	struct weft_worker_opts opts;

	memset(player, 0, sizeof *player);
	node_open(&nodes[i], 0, NULL);
	/* In place of its worker: one that sleeps at once, and is woken by nothing else for a while. */
	weft_worker_close(&nodes[i].worker);
	weft_worker_opts_init(&opts, sizeof opts);
	opts.idle = WEFT_IDLE_BLOCK;
	opts.backstop_ns = UINT64_C(20000000000);
	CU_ASSERT_EQUAL_FATAL(weft_worker_open(&opts, &nodes[i].worker), 0);
	player->worker = nodes[i].worker;
	player->port = node_port(&nodes[i], 1);
	player->poller = (struct weft_poller){.poll = play, .arm = arm, .disarm = disarm, .user = player};
}

static void packets_wake_a_sleeping_worker(void)
{
	for (unsigned int i = 0; i < SIDES; i++)
		open_player(i);
	for (unsigned int i = 0; i < SIDES; i++)
		players[i].to = node_route(players[i].port, &nodes[1 - i]);
	for (unsigned int i = 0; i < SIDES; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&players[i].thread, NULL, run, &players[i]), 0);
	for (unsigned int i = 0; i < SIDES; i++)
		pthread_join(players[i].thread, NULL);
	for (unsigned int i = 0; i < SIDES; i++) {
		CU_ASSERT_EQUAL(players[i].rounds, ROUNDS);
		CU_ASSERT_EQUAL(players[i].refused, 0);
		CU_ASSERT_TRUE(node_stats(players[i].port).wakes > 0);
		CU_ASSERT_TRUE(node_stats(players[i].port).wakes <= ROUNDS + 1);
		node_driver->route_close(&players[i].to);
	}
	for (unsigned int i = 0; i < SIDES; i++)
		node_close(&nodes[i]);
}

const struct net_case net_waking[] = {
	NET_CASE(packets_wake_a_sleeping_worker, WEFT_NET_WAKES),
	NET_CASES_END,
};

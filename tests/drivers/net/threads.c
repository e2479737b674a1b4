/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports of one net in threads of their own, each talking to a port of another one, all at once. A simulated network is one
 * thread's.
 */
#include "conformance.h"
#include "node.h"

#include <CUnit/Basic.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#define PORTS 3u
#define TALKERS (2 * PORTS)
#define PACKETS 2000u
#define WINDOW 8u

static struct node nodes[2];
static _Atomic unsigned int finished;

struct talker {
	struct node_port *port;
	struct weft_net_route *to;
	uint32_t sent, got;
	bool wrong;
	pthread_t thread;
};
static struct talker talkers[TALKERS];

static void receive(struct talker *talker)
{
	struct weft_net_rx packets[16];
	unsigned int count = talker->port->port->rx(talker->port->port, packets, 16);

	for (unsigned int i = 0; i < count; i++) {
		const unsigned char *bytes = packets[i].data;

		talker->wrong |= packets[i].len_bytes != 100 + talker->port->index || bytes[1] != talker->port->index;
		talker->got++;
	}
	if (talker->port->port->reap_due)
		talker->port->port->reap(talker->port->port);
}

/* A few under way at a time, so that nothing is lost for lack of room; until all have got all. */
static void *talk(void *user)
{
	struct talker *talker = user;
	unsigned int index = talker->port->index;
	uint64_t end_ns = patience_end_ns();

	while (atomic_load_explicit(&finished, memory_order_relaxed) < TALKERS &&
	       weft_clock_now(weft_clock_real()) < end_ns) {
		bool done = talker->sent == PACKETS && talker->got == PACKETS;

		if (talker->sent < PACKETS && talker->sent < talker->got + WINDOW)
			talker->sent += node_send(talker->to, index, talker->sent, 100 + index);
		receive(talker);
		if (!done && talker->sent == PACKETS && talker->got == PACKETS)
			atomic_fetch_add_explicit(&finished, 1, memory_order_relaxed);
		sched_yield();
	}
	return NULL;
}

static void ports_of_one_net_work_in_threads_of_their_own(void)
{
	static const unsigned int indices[PORTS] = {1, 2, 3};

	if (node_sim)
		return;
	atomic_store_explicit(&finished, 0, memory_order_relaxed);
	memset(talkers, 0, sizeof talkers);
	for (unsigned int i = 0; i < 2; i++)
		node_open(&nodes[i], PORTS, indices);
	for (unsigned int i = 0; i < TALKERS; i++) {
		talkers[i].port = &nodes[i / PORTS].ports[i % PORTS];
		talkers[i].to = node_route(talkers[i].port, &nodes[1 - i / PORTS]);
	}
	for (unsigned int i = 0; i < TALKERS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&talkers[i].thread, NULL, talk, &talkers[i]), 0);
	for (unsigned int i = 0; i < TALKERS; i++)
		pthread_join(talkers[i].thread, NULL);
	for (unsigned int i = 0; i < TALKERS; i++) {
		CU_ASSERT_EQUAL(talkers[i].got, PACKETS);
		CU_ASSERT_FALSE(talkers[i].wrong);
		CU_ASSERT_EQUAL(node_stats(talkers[i].port).rx_dropped, 0);
		node_driver->route_close(&talkers[i].to);
	}
	for (unsigned int i = 0; i < 2; i++)
		node_close(&nodes[i]);
}

const struct net_case net_threads[] = {
	NET_CASE(ports_of_one_net_work_in_threads_of_their_own, 0),
	NET_CASES_END,
};

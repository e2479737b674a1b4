/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves when packets arrive: by the spread of delays, by what the line carries, and by what waits for it.
 */
#include "node.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#define SENT 4001u
#define LEN 1000u
#define START_NS UINT64_C(1000000)

static struct node near, far;
static struct node_port *const there = &far.ports[0];
static struct weft_net_route *way;
static uint64_t delays_ns[SENT];
static uint8_t marks[SENT];
static uint64_t sent_ns;

static void note(struct node_port *port, const struct weft_net_rx *packet, uint32_t number)
{
	(void)port;
	if (number < SENT) {
		delays_ns[number] = weft_clock_now(node_clock) - sent_ns;
		marks[number] = packet->ecn;
	}
}

static void open_both(const struct weft_sim_link *link)
{
	node_sim_open(5, link);
	node_open(&near, 1, (unsigned int[]){1});
	node_open(&far, 1, (unsigned int[]){1});
	there->on_packet = note;
	way = node_route(&near.ports[0], &far);
	sent_ns = START_NS;
}

static void close_both(void)
{
	node_driver->route_close(&way);
	node_close(&near);
	node_close(&far);
	node_sim_close();
}

static void drain(void)
{
	while (weft_sim_next_ns(node_sim) != WEFT_NEVER)
		nodes_turn();
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The delays of packets that are alone on their way, from the shortest to the longest. */
static void measure(enum weft_sim_delay delay, uint64_t delay_ns, uint64_t spread_ns)
{
	struct weft_sim_link link = {.delay = delay, .delay_ns = delay_ns, .spread_ns = spread_ns, .payload_max = LEN};

	open_both(&link);
	for (uint32_t i = 0; i < SENT; i++) {
		sent_ns = weft_clock_now(node_clock);
		CU_ASSERT_TRUE(node_send(way, 1, i, LEN));
		drain();
	}
	CU_ASSERT_EQUAL(there->got, SENT);
	qsort(delays_ns, SENT, sizeof *delays_ns, by_size);
	close_both();
}

static bool between(uint64_t value, uint64_t low, uint64_t high)
{
	return value >= low && value <= high;
}

static void constant_is_constant(void)
{
	measure(WEFT_SIM_CONSTANT, 7000, 500);
	CU_ASSERT_EQUAL(delays_ns[0], 7000);
	CU_ASSERT_EQUAL(delays_ns[SENT - 1], 7000);
}

static void uniform_spreads_evenly(void)
{
	measure(WEFT_SIM_UNIFORM, 7000, 1000);
	for (unsigned int i = 0; i <= 10; i++)
		CU_ASSERT_TRUE(between(delays_ns[(SENT - 1) * i / 10], 7000 + i * 100 - (i ? 40 : 0),
				       7000 + i * 100 + (i < 10 ? 40 : 0)));
}

static void normal_is_around_the_middle(void)
{
	unsigned int near_it = 0;

	measure(WEFT_SIM_NORMAL, 7000, 1000);
	CU_ASSERT_TRUE(delays_ns[0] >= 5000 && delays_ns[SENT - 1] <= 9000);
	CU_ASSERT_TRUE(between(delays_ns[SENT / 2], 6950, 7050));
	for (unsigned int i = 0; i < SENT; i++)
		near_it += between(delays_ns[i], 6000, 8000);
	CU_ASSERT_TRUE(near_it > SENT * 9 / 10 && near_it < SENT);
	/* It is cut off where time would run backwards. */
	measure(WEFT_SIM_NORMAL, 100, 1000);
	CU_ASSERT_EQUAL(delays_ns[0], 0);
}

static void heavy_has_a_long_tail(void)
{
	unsigned int beyond[3] = {0, 0, 0};

	measure(WEFT_SIM_HEAVY, 7000, 1000);
	for (unsigned int i = 0; i < SENT; i++) {
		beyond[0] += delays_ns[i] > 8000;
		beyond[1] += delays_ns[i] > 7000 + 10 * 1000;
		beyond[2] += delays_ns[i] > 7000 + 100 * 1000;
	}
	CU_ASSERT_TRUE(delays_ns[0] >= 7000 && delays_ns[SENT - 1] <= 7000 + 1000 * 1000);
	CU_ASSERT_TRUE(between(beyond[0], SENT * 45 / 100, SENT * 55 / 100));
	CU_ASSERT_TRUE(between(beyond[1], SENT * 6 / 100, SENT * 12 / 100));
	CU_ASSERT_TRUE(between(beyond[2], SENT * 4 / 1000, SENT * 17 / 1000));
}

/* 8 us for 1000 bytes. */
static const struct weft_sim_link gigabit = {.delay_ns = 5000, .bits_per_second = 1000000000, .payload_max = 1472};

static void a_line_sends_one_packet_after_the_other(void)
{
	open_both(&gigabit);
	for (uint32_t i = 0; i < 100; i++)
		CU_ASSERT_TRUE(node_send(way, 1, i, LEN));
	drain();
	for (uint32_t i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(delays_ns[i], 5000 + (i + 1) * 8000);
	/* What comes when it is idle waits for nothing. */
	sent_ns = weft_clock_now(node_clock);
	CU_ASSERT_TRUE(node_send(way, 1, 0, LEN));
	drain();
	CU_ASSERT_EQUAL(delays_ns[0], 5000 + 8000);
	close_both();
}

static void what_finds_the_queue_full_is_lost(void)
{
	struct weft_sim_link link = gigabit;
	struct weft_sim_stats stats;

	link.queue_bytes = 10 * LEN;
	open_both(&link);
	for (uint32_t i = 0; i < 100; i++)
		CU_ASSERT_TRUE(node_send(way, 1, i, LEN));
	drain();
	weft_sim_describe(node_sim, &stats);
	CU_ASSERT_EQUAL(there->got, 10);
	CU_ASSERT_EQUAL(stats.queue_full, 90);
	/* Half of the time for half of it: then there is room again. */
	there->got = 0;
	for (uint32_t i = 0; i < 10; i++)
		CU_ASSERT_TRUE(node_send(way, 1, i, LEN));
	weft_clock_virtual_set(node_clock, weft_clock_now(node_clock) + 5 * 8000);
	for (uint32_t i = 0; i < 10; i++)
		CU_ASSERT_TRUE(node_send(way, 1, i, LEN));
	drain();
	CU_ASSERT_EQUAL(there->got, 15);
	close_both();
}

static void a_packet_longer_than_the_queue_passes_when_the_line_is_idle(void)
{
	struct weft_sim_link link = gigabit;

	link.queue_bytes = 10;
	open_both(&link);
	CU_ASSERT_TRUE(node_send(way, 1, 0, LEN));
	CU_ASSERT_TRUE(node_send(way, 1, 1, LEN));
	drain();
	CU_ASSERT_EQUAL(there->got, 1);
	close_both();
}

static void long_queues_mark_what_may_be_marked(void)
{
	static const uint8_t sent[] = {WEFT_ECN_ECT0, WEFT_ECN_ECT1, WEFT_ECN_NONE, WEFT_ECN_CE};
	struct weft_sim_link link = gigabit;
	struct weft_sim_stats stats;
	unsigned char bytes[LEN];

	link.mark_bytes = 10 * LEN;
	open_both(&link);
	for (uint32_t i = 0; i < 20; i++) {
		struct weft_net_tx packet = {.route = way, .piece_count = 1, .ecn = sent[i % 4]};

		packet.pieces[0] = (struct weft_net_piece){node_packet(bytes, LEN, 1, i), LEN, NULL};
		CU_ASSERT_EQUAL(way->port->tx(way->port, &packet, 1), 1);
	}
	drain();
	for (uint32_t i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(marks[i], i > 10 && i % 4 < 2 ? WEFT_ECN_CE : sent[i % 4]);
	weft_sim_describe(node_sim, &stats);
	CU_ASSERT_EQUAL(stats.marked, 4);
	close_both();
}

static void time_stands_still_until_the_clock_is_moved(void)
{
	struct weft_net_rx packet;

	open_both(&gigabit);
	CU_ASSERT_EQUAL(weft_sim_next_ns(node_sim), WEFT_NEVER);
	CU_ASSERT_TRUE(node_send(way, 1, 0, LEN));
	CU_ASSERT_EQUAL(weft_sim_next_ns(node_sim), START_NS + 13000);
	weft_clock_virtual_set(node_clock, START_NS + 12999);
	CU_ASSERT_EQUAL(there->port->rx(there->port, &packet, 1), 0);
	weft_clock_virtual_set(node_clock, START_NS + 13000);
	CU_ASSERT_EQUAL(there->port->rx(there->port, &packet, 0), 0);
	CU_ASSERT_EQUAL(weft_sim_next_ns(node_sim), 0); /* it waits to be received */
	CU_ASSERT_EQUAL(there->port->rx(there->port, &packet, 1), 1);
	CU_ASSERT_EQUAL(weft_sim_next_ns(node_sim), WEFT_NEVER);
	close_both();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(constant_is_constant),
		SUITE_CASE(uniform_spreads_evenly),
		SUITE_CASE(normal_is_around_the_middle),
		SUITE_CASE(heavy_has_a_long_tail),
		SUITE_CASE(a_line_sends_one_packet_after_the_other),
		SUITE_CASE(what_finds_the_queue_full_is_lost),
		SUITE_CASE(a_packet_longer_than_the_queue_passes_when_the_line_is_idle),
		SUITE_CASE(long_queues_mark_what_may_be_marked),
		SUITE_CASE(time_stands_still_until_the_clock_is_moved),
	};

	return suite_main("time in the simulated network", cases, SUITE_COUNT(cases), argc, argv);
}

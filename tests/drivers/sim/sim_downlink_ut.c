/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that what many hosts send to one at once waits at the line to it, is marked or lost there when too much does, and
 * leaves it no faster than the line is.
 */
#include "node.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <string.h>

#define SENDERS 8u
#define EACH 100u
#define LEN 1250u /* bytes: a microsecond of the line */
#define DELAY_NS 10000u
#define LINE_NS 1000u

static struct node senders[SENDERS], receiver;
static unsigned int marked;

static void note(struct node_port *port, const struct weft_net_rx *packet, uint32_t number)
{
	(void)port, (void)number;
	marked += packet->ecn == WEFT_ECN_CE;
}

static void set_up(const struct weft_sim_line *line)
{
	struct weft_sim_link link = {.delay_ns = DELAY_NS, .payload_max = 1472};

	marked = 0;
	node_sim_open(3, &link);
	node_open(&receiver, 1, (unsigned int[]){1});
	receiver.ports[0].on_packet = note;
	for (unsigned int i = 0; i < SENDERS; i++)
		node_open(&senders[i], 1, (unsigned int[]){1});
	if (line)
		CU_ASSERT_EQUAL_FATAL(weft_sim_set_downlink(node_sim, (const char *)receiver.address.bytes, line), 0);
}

static void tear_down(void)
{
	node_close(&receiver);
	for (unsigned int i = 0; i < SENDERS; i++)
		node_close(&senders[i]);
	node_sim_close();
}

/* Every other packet may be marked. */
static void send_one(struct weft_net_route *way, uint32_t number)
{
	struct weft_net_tx packet = {.route = way, .piece_count = 1, .ecn = number % 2 ? WEFT_ECN_ECT0 : WEFT_ECN_NONE};
	unsigned char bytes[LEN];

	packet.pieces[0] = (struct weft_net_piece){node_packet(bytes, LEN, 1, number), LEN, NULL};
	CU_ASSERT_EQUAL(way->port->tx(way->port, &packet, 1), 1);
}

/* Each sends all it has at once; returns when the last has come, from then on. */
static uint64_t burst(void)
{
	uint64_t start_ns = weft_clock_now(node_clock);

	for (unsigned int i = 0; i < SENDERS; i++) {
		struct weft_net_route *way = node_route(&senders[i].ports[0], &receiver);

		for (uint32_t number = 0; number < EACH; number++)
			send_one(way, i * EACH + number);
		node_driver->route_close(&way);
	}
	while (weft_sim_next_ns(node_sim) != WEFT_NEVER)
		nodes_turn();
	return weft_clock_now(node_clock) - start_ns;
}

static uint64_t waiting(double percent)
{
	return weft_sim_downlink_waiting(node_sim, (const char *)receiver.address.bytes, percent);
}

static struct weft_sim_stats stats(void)
{
	struct weft_sim_stats all;

	weft_sim_describe(node_sim, &all);
	return all;
}

static void without_a_line_each_link_is_alone(void)
{
	set_up(NULL);
	CU_ASSERT_EQUAL(burst(), DELAY_NS);
	CU_ASSERT_EQUAL(receiver.ports[0].got, SENDERS * EACH);
	CU_ASSERT_EQUAL(waiting(100), 0);
	tear_down();
}

static void what_many_send_at_once_goes_one_after_the_other(void)
{
	struct weft_sim_line line = {.bits_per_second = UINT64_C(10000000000)};

	set_up(&line);
	CU_ASSERT_EQUAL(burst(), DELAY_NS + (uint64_t)SENDERS * EACH * LINE_NS);
	CU_ASSERT_EQUAL(receiver.ports[0].got, SENDERS * EACH);
	CU_ASSERT_EQUAL(receiver.ports[0].wrong, 0);
	CU_ASSERT_EQUAL(waiting(100), (SENDERS * EACH - 1) * LEN);
	CU_ASSERT_EQUAL(waiting(0), 0);
	CU_ASSERT_TRUE(waiting(50) > SENDERS * EACH * LEN * 45 / 100 && waiting(50) < SENDERS * EACH * LEN * 55 / 100);
	tear_down();
}

static void what_finds_no_room_at_the_line_is_lost(void)
{
	struct weft_sim_line line = {.bits_per_second = UINT64_C(10000000000), .queue_bytes = 10 * LEN};

	set_up(&line);
	burst();
	CU_ASSERT_EQUAL(receiver.ports[0].got, 10);
	CU_ASSERT_EQUAL(stats().queue_full, SENDERS * EACH - 10);
	CU_ASSERT_EQUAL(stats().under_way, 0);
	CU_ASSERT_EQUAL(stats().sent, stats().delivered + stats().queue_full);
	tear_down();
}

static void what_waits_for_long_at_the_line_is_marked(void)
{
	struct weft_sim_line line = {.bits_per_second = UINT64_C(10000000000), .mark_bytes = 99 * LEN};

	set_up(&line);
	burst();
	CU_ASSERT_EQUAL(receiver.ports[0].got, SENDERS * EACH);
	CU_ASSERT_EQUAL(marked, (SENDERS * EACH - 100) / 2);
	CU_ASSERT_EQUAL(stats().marked, marked);
	tear_down();
}

static void who_is_no_host_has_no_line(void)
{
	struct weft_sim_line line = {.bits_per_second = 1};

	set_up(NULL);
	CU_ASSERT_EQUAL(weft_sim_set_downlink(node_sim, "no host", &line), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(weft_sim_downlink_waiting(node_sim, "no host", 50), 0);
	tear_down();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(without_a_line_each_link_is_alone),
		SUITE_CASE(what_many_send_at_once_goes_one_after_the_other),
		SUITE_CASE(what_finds_no_room_at_the_line_is_lost),
		SUITE_CASE(what_waits_for_long_at_the_line_is_marked),
		SUITE_CASE(who_is_no_host_has_no_line),
	};

	return suite_main("sim downlink", cases, SUITE_COUNT(cases), argc, argv);
}

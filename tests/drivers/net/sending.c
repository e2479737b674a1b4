/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets arrive as they were sent: out of pieces, of any length, one by one and in bursts.
 */
#include "conformance.h"
#include "node.h"

#include <CUnit/Basic.h>
#include <string.h>

#define BURST 200u
#define PART 70u

static struct node near, far;
static struct node_port *const here = &near.ports[0], *const there = &far.ports[0];
static struct weft_net_route *way;

static void open_both(void)
{
	node_open(&near, 1, (unsigned int[]){1});
	node_open(&far, 1, (unsigned int[]){2});
	way = node_route(here, &far);
}

static void close_both(void)
{
	CU_ASSERT_EQUAL(here->wrong + there->wrong, 0);
	node_driver->route_close(&way);
	CU_ASSERT_PTR_NULL(way);
	node_close(&near);
	node_close(&far);
}

static void a_packet_arrives_as_it_was_gathered(void)
{
	static const uint32_t cuts[][3] = {{100, 0, 0}, {2, 98, 0}, {2, 1, 97}, {6, 64, 30}, {50, 0, 50}, {2, 0, 0}};
	unsigned char bytes[100];

	open_both();
	for (uint32_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
		uint32_t len = cuts[i][0] + cuts[i][1] + cuts[i][2], at = 0;
		struct weft_net_tx packet = {.route = way, .piece_count = 3};

		node_packet(bytes, len, 2, 1000 + i);
		for (unsigned int j = 0; j < 3; at += cuts[i][j++])
			packet.pieces[j] = (struct weft_net_piece){bytes + at, cuts[i][j], NULL};
		CU_ASSERT_EQUAL(here->port->tx(here->port, &packet, 1), 1);
		CU_ASSERT_TRUE(NODES_UNTIL(there->got == i + 1));
		CU_ASSERT_EQUAL(there->last_len_bytes, len);
		CU_ASSERT_TRUE(len < NODE_HEAD || there->last == 1000 + i);
		CU_ASSERT_EQUAL(memcmp(&there->last_from, &near.address, sizeof near.address), 0);
	}
	close_both();
}

static void answers_go_to_where_a_packet_came_from(void)
{
	struct weft_net_route *back = NULL;

	open_both();
	CU_ASSERT_TRUE(node_send(way, 2, 5, 50));
	CU_ASSERT_TRUE(NODES_UNTIL(there->got == 1));
	CU_ASSERT_EQUAL_FATAL(node_driver->route_open(there->port, &there->last_from, &back), 0);
	CU_ASSERT_TRUE(node_send(back, 1, 6, 60));
	CU_ASSERT_TRUE(NODES_UNTIL(here->got == 1));
	CU_ASSERT_EQUAL(here->last, 6);
	node_driver->route_close(&back);
	close_both();
}

static void every_length_passes_up_to_payload_max(void)
{
	static const uint32_t lens[] = {6, 7, 8, 9, 63, 64, 65, 255, 256, 1000, 1024, 1199, 1200, 1201};
	uint32_t sent = 0;

	open_both();
	CU_ASSERT_TRUE(way->payload_max >= 1200 && way->payload_max <= WEFT_NET_PAYLOAD_MAX);
	for (unsigned int i = 0; i < sizeof lens / sizeof *lens; i++) {
		CU_ASSERT_TRUE(node_send(way, 2, i, lens[i]));
		sent++;
		CU_ASSERT_TRUE(NODES_UNTIL(there->got == sent));
		CU_ASSERT_EQUAL(there->last_len_bytes, lens[i]);
	}
	for (uint32_t less = 0; less < 3; less++) {
		CU_ASSERT_TRUE(node_send(way, 2, less, way->payload_max - less));
		sent++;
		CU_ASSERT_TRUE(NODES_UNTIL(there->got == sent));
		CU_ASSERT_EQUAL(there->last_len_bytes, way->payload_max - less);
	}
	CU_ASSERT_EQUAL(node_stats(here).tx_dropped, 0);
	close_both();
}

static void what_is_too_long_is_taken_and_lost_and_counted(void)
{
	open_both();
	CU_ASSERT_TRUE(node_send(way, 2, 1, way->payload_max + 1));
	CU_ASSERT_TRUE(node_send(way, 2, 2, 66000));
	CU_ASSERT_TRUE(node_send(way, 2, 3, 100));
	CU_ASSERT_TRUE(NODES_UNTIL(there->got == 1));
	CU_ASSERT_EQUAL(there->last, 3);
	CU_ASSERT_EQUAL(node_stats(here).tx_dropped, 2);
	CU_ASSERT_EQUAL(node_stats(here).tx_packets, 1);
	close_both();
}

/* ---- bursts ---- */

static unsigned char burst_bytes[BURST][1200];
static struct weft_net_tx burst[BURST];
static uint64_t burst_total;

static void lay_out_burst(uint32_t (*len_of)(uint32_t))
{
	burst_total = 0;
	for (uint32_t i = 0; i < BURST; i++) {
		burst[i] = (struct weft_net_tx){.route = way, .piece_count = 2};
		node_packet(burst_bytes[i], len_of(i), 2, i);
		burst[i].pieces[0] = (struct weft_net_piece){burst_bytes[i], 4, NULL};
		burst[i].pieces[1] = (struct weft_net_piece){burst_bytes[i] + 4, len_of(i) - 4, NULL};
		burst_total += len_of(i);
	}
}

static uint32_t seen[BURST];

static void note(struct node_port *port, const struct weft_net_rx *packet, uint32_t number)
{
	(void)packet;
	if (number < BURST)
		seen[number]++;
	else
		port->wrong++;
}

/* In parts that fit into the smallest buffer of a socket, each of them more than one call of the system. */
static unsigned int send_part(unsigned int sent)
{
	return here->port->tx(here->port, burst + sent, BURST - sent < PART ? BURST - sent : PART);
}

static void send_burst(void)
{
	unsigned int sent = 0;

	memset(seen, 0, sizeof seen);
	there->on_packet = note;
	there->got = 0;
	CU_ASSERT_TRUE(NODES_UNTIL((sent += send_part(sent)) == BURST && there->got == BURST));
	for (unsigned int i = 0; i < BURST; i++)
		CU_ASSERT_EQUAL(seen[i], 1);
}

static uint32_t all_long(uint32_t i)
{
	(void)i;
	return 1200;
}

static uint32_t all_odd(uint32_t i)
{
	(void)i;
	return 13;
}

static uint32_t runs(uint32_t i)
{
	return i % 10 == 9 ? 77 : i % 20 < 10 ? 777 : 1001;
}

static uint32_t growing(uint32_t i)
{
	return NODE_HEAD + i * 5;
}

static void a_burst_arrives_whole(void)
{
	uint32_t (*const shapes[])(uint32_t) = {all_long, all_odd, runs, growing};
	struct weft_net_stats sent, got;
	uint64_t total = 0;

	open_both();
	for (unsigned int i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		lay_out_burst(shapes[i]);
		send_burst();
		total += burst_total;
	}
	sent = node_stats(here);
	got = node_stats(there);
	CU_ASSERT_EQUAL(sent.tx_packets, BURST * sizeof shapes / sizeof *shapes);
	CU_ASSERT_EQUAL(got.rx_packets, sent.tx_packets);
	CU_ASSERT_EQUAL(sent.tx_bytes, total);
	CU_ASSERT_EQUAL(got.rx_bytes, total);
	CU_ASSERT_EQUAL(sent.tx_dropped + got.rx_dropped, 0);
	CU_ASSERT_TRUE(sent.copied_bytes >= (sent.copies ? total : 0));
	close_both();
}

/* Nobody receives: the port fills up, or what is between them drops, and in the end it goes on. */
static void what_is_not_taken_is_counted_and_goes_later(void)
{
	uint64_t taken = 0, fulls = 0;

	open_both();
	lay_out_burst(all_long);
	there->deaf = true;
	for (unsigned int i = 0; i < 50; i++) {
		unsigned int count = here->port->tx(here->port, burst, BURST);

		taken += count;
		fulls += count < BURST;
	}
	CU_ASSERT_EQUAL(node_stats(here).tx_packets, taken);
	CU_ASSERT_EQUAL(node_stats(here).tx_full, fulls);
	CU_ASSERT_EQUAL(node_stats(here).tx_dropped, 0);
	there->deaf = false;
	CU_ASSERT_TRUE(NODES_UNTIL(node_send(way, 2, 4242, 100) && there->last == 4242));
	close_both();
}

/* What is handed up stays readable until the next rx, also if rx was not asked for all of it. */
static void packets_can_be_taken_one_by_one(void)
{
	struct weft_net_rx packet;
	uint32_t got = 0, number;

	open_both();
	lay_out_burst(all_long);
	there->deaf = true;
	CU_ASSERT_TRUE(here->port->tx(here->port, burst, 32) == 32);
	while (got < 32 && NODES_UNTIL(there->port->rx(there->port, &packet, 1) == 1)) {
		memcpy(&number, (const char *)packet.data + 2, sizeof number);
		CU_ASSERT_TRUE(number < 32 && packet.len_bytes == 1200 &&
			       memcmp(packet.data, burst_bytes[number], 1200) == 0);
		got++;
	}
	CU_ASSERT_EQUAL(got, 32);
	CU_ASSERT_EQUAL(there->port->rx(there->port, &packet, 1), 0);
	close_both();
}

static void marks_of_congestion_arrive(void)
{
	static const uint8_t marks[] = {WEFT_ECN_ECT0, WEFT_ECN_ECT1, WEFT_ECN_NONE, WEFT_ECN_CE};
	unsigned char bytes[100];

	open_both();
	for (uint32_t i = 0; i < sizeof marks; i++) {
		struct weft_net_tx packet = {.route = way, .piece_count = 1, .ecn = marks[i]};

		packet.pieces[0] = (struct weft_net_piece){node_packet(bytes, 100, 2, i), 100, NULL};
		CU_ASSERT_EQUAL(here->port->tx(here->port, &packet, 1), 1);
		CU_ASSERT_TRUE(NODES_UNTIL(there->got == i + 1));
		CU_ASSERT_EQUAL(there->last_ecn, marks[i]);
	}
	close_both();
}

static void marks_stay_with_their_packets_in_a_burst(void)
{
	open_both();
	lay_out_burst(all_long);
	for (unsigned int i = 0; i < 8; i++)
		burst[i].ecn = i < 4 ? WEFT_ECN_ECT0 : WEFT_ECN_ECT1;
	there->deaf = true;
	CU_ASSERT_EQUAL(here->port->tx(here->port, burst, 8), 8);
	for (unsigned int i = 0; i < 8; i++) {
		struct weft_net_rx packet;

		CU_ASSERT_TRUE_FATAL(NODES_UNTIL(there->port->rx(there->port, &packet, 1) == 1));
		CU_ASSERT_EQUAL(packet.ecn, i < 4 ? WEFT_ECN_ECT0 : WEFT_ECN_ECT1);
	}
	close_both();
}

const struct net_case net_sending[] = {
	NET_CASE(a_packet_arrives_as_it_was_gathered, 0),
	NET_CASE(answers_go_to_where_a_packet_came_from, 0),
	NET_CASE(every_length_passes_up_to_payload_max, 0),
	NET_CASE(what_is_too_long_is_taken_and_lost_and_counted, 0),
	NET_CASE(a_burst_arrives_whole, 0),
	NET_CASE(what_is_not_taken_is_counted_and_goes_later, 0),
	NET_CASE(packets_can_be_taken_one_by_one, 0),
	NET_CASE(marks_of_congestion_arrive, WEFT_NET_ECN),
	NET_CASE(marks_stay_with_their_packets_in_a_burst, WEFT_NET_ECN),
	NET_CASES_END,
};

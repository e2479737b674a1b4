/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that each fault of a link happens as often as its parameters say, and does what it says; and that every packet is
 * accounted for.
 */
#include "node.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <math.h>
#include <string.h>

#define SENT 10000u
#define LEN 64u

static struct node near, far;
static struct node_port *const there = &far.ports[0];
static struct weft_net_route *way;
static struct weft_sim_stats stats;

static struct {
	unsigned int times[SENT];
	unsigned int backwards, changed, flipped_bits, single_bits;
	uint32_t last;
} seen;

/* Counts by the number in the packet, which may be what was changed. */
static void note(struct node_port *port, const struct weft_net_rx *packet, uint32_t number)
{
	unsigned char expected[LEN];
	unsigned int bits = 0;

	memcpy(&number, (const char *)packet->data + 2, sizeof number);
	number = number < SENT ? number : seen.last;
	node_packet(expected, LEN, port->index, number);
	for (unsigned int i = 0; i < LEN; i++)
		bits += (unsigned int)__builtin_popcount(((const unsigned char *)packet->data)[i] ^ expected[i]);
	seen.changed += bits > 0;
	seen.flipped_bits += bits;
	seen.single_bits += bits == 1;
	seen.times[number]++;
	seen.backwards += number < seen.last;
	seen.last = number;
}

static void check_sum(void)
{
	weft_sim_describe(node_sim, &stats);
	CU_ASSERT_EQUAL(stats.sent + stats.duplicated, stats.delivered + stats.lost + stats.too_long +
							       stats.queue_full + stats.cut + stats.nobody +
							       stats.under_way);
}

/* Sends packets, one each span, and waits for all that comes. */
static void carry(const struct weft_sim_link *link, uint64_t span_ns)
{
	memset(&seen, 0, sizeof seen);
	node_sim_open(11, link);
	node_open(&near, 1, (unsigned int[]){1});
	node_open(&far, 1, (unsigned int[]){1});
	there->on_packet = note;
	way = node_route(&near.ports[0], &far);
	for (uint32_t i = 0; i < SENT; i++) {
		CU_ASSERT_TRUE(node_send(way, 1, i, LEN));
		if (!span_ns)
			continue;
		weft_clock_virtual_set(node_clock, weft_clock_now(node_clock) + span_ns);
		while (weft_sim_next_ns(node_sim) <= weft_clock_now(node_clock))
			nodes_turn();
	}
	while (weft_sim_next_ns(node_sim) != WEFT_NEVER)
		nodes_turn();
	check_sum();
	CU_ASSERT_EQUAL(stats.sent, SENT);
	CU_ASSERT_EQUAL(stats.under_way, 0);
	CU_ASSERT_EQUAL(stats.delivered, there->got);
	node_driver->route_close(&way);
	node_close(&near);
	node_close(&far);
	node_sim_close();
}

static struct weft_sim_link plain(void)
{
	return (struct weft_sim_link){.delay_ns = 10000, .payload_max = 1472};
}

static unsigned int count_that_came(unsigned int times)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < SENT; i++)
		count += seen.times[i] == times;
	return count;
}

/* Within six times the spread of a binomial distribution. */
static bool about(double count, double probability)
{
	return fabs(count - SENT * probability) <= 6 * sqrt(SENT * probability * (1 - probability));
}

static void without_faults_all_come_once_and_in_order(void)
{
	struct weft_sim_link link = plain();

	carry(&link, 100);
	CU_ASSERT_EQUAL(count_that_came(1), SENT);
	CU_ASSERT_EQUAL(seen.backwards + seen.flipped_bits, 0);
}

static void some_are_lost(void)
{
	struct weft_sim_link link = plain();

	link.loss = 0.1;
	carry(&link, 100);
	CU_ASSERT_TRUE(about(count_that_came(0), 0.1));
	CU_ASSERT_EQUAL(count_that_came(0) + count_that_came(1), SENT);
	CU_ASSERT_EQUAL(stats.lost, count_that_came(0));
	CU_ASSERT_EQUAL(seen.backwards, 0);
}

static void all_are_lost_if_that_is_certain(void)
{
	struct weft_sim_link link = plain();

	link.loss = 1;
	carry(&link, 100);
	CU_ASSERT_EQUAL(stats.lost, SENT);
}

static void some_come_twice(void)
{
	struct weft_sim_link link = plain();

	link.duplicate = 0.05;
	carry(&link, 100);
	CU_ASSERT_TRUE(about(count_that_came(2), 0.05));
	CU_ASSERT_EQUAL(count_that_came(1) + count_that_came(2), SENT);
	CU_ASSERT_EQUAL(stats.duplicated, count_that_came(2));
}

/* A bit of the steering bytes sends a packet to nobody; one of the number may make another packet of it. */
static void some_are_changed_in_one_bit(void)
{
	struct weft_sim_link link = plain();

	link.corrupt = 0.2;
	carry(&link, 100);
	CU_ASSERT_TRUE(about((double)stats.corrupted, 0.2));
	CU_ASSERT_TRUE(stats.nobody > 0 && stats.nobody < stats.corrupted / 16);
	CU_ASSERT_TRUE(seen.changed <= stats.corrupted - stats.nobody);
	CU_ASSERT_TRUE(seen.changed > (stats.corrupted - stats.nobody) * 9 / 10);
	CU_ASSERT_TRUE(seen.single_bits > seen.changed * 9 / 10);
	CU_ASSERT_EQUAL(stats.delivered + stats.nobody, SENT);
}

static void some_are_overtaken_and_the_others_keep_their_order(void)
{
	struct weft_sim_link link = plain();

	link.reorder = 0.02;
	link.reorder_ns = 1000;
	carry(&link, 100);
	CU_ASSERT_TRUE(about((double)stats.reordered, 0.02));
	CU_ASSERT_EQUAL(count_that_came(1), SENT);
	/* One in ten of them waits for less than the next one needs. */
	CU_ASSERT_TRUE(seen.backwards > stats.reordered * 8 / 10 && seen.backwards <= stats.reordered);
}

static void jitter_alone_overtakes_nothing(void)
{
	static const enum weft_sim_delay ways[] = {WEFT_SIM_UNIFORM, WEFT_SIM_NORMAL, WEFT_SIM_HEAVY};

	for (unsigned int i = 0; i < SUITE_COUNT(ways); i++) {
		struct weft_sim_link link = plain();

		link.delay = ways[i];
		link.spread_ns = 5000;
		carry(&link, 100);
		CU_ASSERT_EQUAL(count_that_came(1), SENT);
		CU_ASSERT_EQUAL(seen.backwards, 0);
	}
}

static void all_at_once_adds_up(void)
{
	struct weft_sim_link link = plain();

	link.delay = WEFT_SIM_HEAVY;
	link.spread_ns = 3000;
	link.loss = link.duplicate = link.corrupt = link.reorder = 0.1;
	link.reorder_ns = 50000;
	link.bits_per_second = 10000000000;
	link.queue_bytes = 10000;
	carry(&link, 50);
	CU_ASSERT_TRUE(stats.lost && stats.duplicated && stats.corrupted && stats.reordered && stats.queue_full);
}

static void what_is_out_of_range_is_refused(void)
{
	struct weft_sim_link links[8];

	node_sim_open(1, NULL);
	for (unsigned int i = 0; i < 8; i++)
		links[i] = plain();
	links[0].loss = -0.1;
	links[1].duplicate = 1.1;
	links[2].corrupt = nan("");
	links[3].reorder = INFINITY;
	links[4].delay = (enum weft_sim_delay)17;
	links[5].spread_ns = UINT64_MAX;
	links[6].payload_max = 1;
	links[7].payload_max = 65001;
	for (unsigned int i = 0; i < 8; i++) {
		CU_ASSERT_EQUAL(weft_sim_set_link(node_sim, "a", "b", &links[i]), -WEFT_EINVAL);
		CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "simulated link"));
	}
	links[0].loss = 0;
	CU_ASSERT_EQUAL(weft_sim_set_link(node_sim, "a", "b c", &links[0]), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(weft_sim_set_link(node_sim, "", "b", &links[0]), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(weft_sim_set_link(node_sim, "a", "b", &links[0]), 0);
	node_sim_close();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(without_faults_all_come_once_and_in_order),
		SUITE_CASE(some_are_lost),
		SUITE_CASE(all_are_lost_if_that_is_certain),
		SUITE_CASE(some_come_twice),
		SUITE_CASE(some_are_changed_in_one_bit),
		SUITE_CASE(some_are_overtaken_and_the_others_keep_their_order),
		SUITE_CASE(jitter_alone_overtakes_nothing),
		SUITE_CASE(all_at_once_adds_up),
		SUITE_CASE(what_is_out_of_range_is_refused),
	};

	return suite_main("links of the simulated network", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that each fault over a network happens as often as it shall and is what it says, the same again with the same
 * seed; over UDP on this machine, which by itself loses nothing that is received in time.
 */
#include "fault.h"
#include "node.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#define SENT 2000u
#define LEN 64u

static struct node near, far;
static struct node_port *const here = &near.ports[0], *const there = &far.ports[0];
static struct weft_net_route *way;

static struct {
	uint8_t times[SENT];
	uint32_t order[2 * SENT];
	unsigned int count, changed, flipped_bits;
} seen;

/* The number comes thrice, so that one bit does not hide which packet it was. */
static uint32_t voted(const unsigned char *bytes)
{
	uint32_t a, b, c;

	memcpy(&a, bytes + 2, 4);
	memcpy(&b, bytes + 10, 4);
	memcpy(&c, bytes + 20, 4);
	return (a & b) | (a & c) | (b & c);
}

static void fill(unsigned char *bytes, uint32_t number)
{
	node_packet(bytes, LEN, 1, number);
	memcpy(bytes + 10, &number, 4);
	memcpy(bytes + 20, &number, 4);
}

static void note(struct node_port *port, const struct weft_net_rx *packet, uint32_t number)
{
	unsigned char expected[LEN];
	unsigned int bits = 0;

	number = packet->len_bytes == LEN ? voted(packet->data) : SENT;
	if (number >= SENT || seen.count == 2 * SENT || (uintptr_t)packet->data % 8) {
		port->node->ports[0].wrong = UINT32_MAX;
		return;
	}
	fill(expected, number);
	for (unsigned int i = 0; i < LEN; i++)
		bits += (unsigned int)__builtin_popcount(((const unsigned char *)packet->data)[i] ^ expected[i]);
	seen.times[number]++;
	seen.order[seen.count++] = number;
	seen.changed += bits != 0;
	seen.flipped_bits += bits;
}

static void open_both(const char *near_faults, const char *far_faults)
{
	memset(&seen, 0, sizeof seen);
	node_faults = near_faults;
	node_open(&near, 1, (unsigned int[]){1});
	node_faults = far_faults;
	node_open(&far, 1, (unsigned int[]){1});
	node_faults = NULL;
	there->on_packet = note;
	way = node_route(here, &far);
}

static void close_both(void)
{
	node_driver->route_close(&way);
	node_close(&near);
	node_close(&far);
}

static bool send_number(uint32_t number)
{
	unsigned char bytes[LEN];
	struct weft_net_tx packet = {.route = way, .piece_count = 1};

	fill(bytes, number);
	packet.pieces[0] = (struct weft_net_piece){bytes, LEN, NULL};
	return here->port->tx(here->port, &packet, 1) == 1;
}

/* Sends all, and waits until all that comes has come; tells what the port below saw. */
static struct weft_net_stats carry(const char *far_faults)
{
	struct weft_net_stats stats;
	uint64_t expected = 0;

	open_both(NULL, far_faults);
	for (uint32_t i = 0; i < SENT; i++) {
		CU_ASSERT_TRUE(send_number(i));
		CU_ASSERT_TRUE(NODES_UNTIL(node_stats(there).rx_dropped + node_stats(there).rx_packets > expected));
		expected = i; /* one may be held */
	}
	for (uint64_t end_ns = weft_clock_now(weft_clock_real()) + 5000000; weft_clock_now(weft_clock_real()) < end_ns;)
		nodes_turn();
	CU_ASSERT_NOT_EQUAL(there->wrong, UINT32_MAX);
	stats = node_stats(there);
	CU_ASSERT_EQUAL(stats.rx_packets, there->got);
	CU_ASSERT_EQUAL(stats.rx_bytes, there->got * LEN);
	close_both();
	return stats;
}

static unsigned int count_that_came(unsigned int times)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < SENT; i++)
		count += seen.times[i] == times;
	return count;
}

/* How many came after one that was sent later. */
static unsigned int count_overtaken(void)
{
	unsigned int count = 0;
	uint32_t latest = 0;

	for (unsigned int i = 0; i < seen.count; i++) {
		count += seen.order[i] < latest;
		latest = seen.order[i] > latest ? seen.order[i] : latest;
	}
	return count;
}

static bool about_one_in_ten(unsigned int count)
{
	return count > SENT / 10 - 80 && count < SENT / 10 + 80;
}

static void without_faults_all_come_once_and_in_order(void)
{
	struct weft_net_stats stats = carry("seed=1");

	CU_ASSERT_EQUAL(count_that_came(1), SENT);
	CU_ASSERT_EQUAL(count_overtaken() + seen.changed, 0);
	CU_ASSERT_EQUAL(stats.rx_dropped, 0);
}

static void some_are_lost_and_counted(void)
{
	struct weft_net_stats stats = carry("seed=2,drop=0.1");

	CU_ASSERT_TRUE(about_one_in_ten(count_that_came(0)));
	CU_ASSERT_EQUAL(count_that_came(0) + count_that_came(1), SENT);
	CU_ASSERT_EQUAL(stats.rx_dropped, count_that_came(0));
	CU_ASSERT_EQUAL(count_overtaken() + seen.changed, 0);
}

static void some_come_twice(void)
{
	carry("seed=3,duplicate=0.1");
	CU_ASSERT_TRUE(about_one_in_ten(count_that_came(2)));
	CU_ASSERT_EQUAL(count_that_came(1) + count_that_came(2), SENT);
	CU_ASSERT_EQUAL(seen.changed, 0);
}

static void some_are_changed_in_one_bit(void)
{
	carry("seed=4,corrupt=0.1");
	CU_ASSERT_EQUAL(count_that_came(1), SENT);
	CU_ASSERT_TRUE(about_one_in_ten(seen.changed));
	CU_ASSERT_EQUAL(seen.flipped_bits, seen.changed);
}

/* How many that were sent after the i-th that came have come before it. */
static unsigned int overtakers_of(unsigned int i)
{
	unsigned int count = 0;

	for (unsigned int j = i > 100 ? i - 100 : 0; j < i; j++)
		count += seen.order[j] > seen.order[i];
	return count;
}

/* With a burst that comes as one, others are there to overtake. */
static void overtaken(const char *faults, unsigned int expected_by)
{
	open_both(NULL, faults);
	for (uint32_t i = 0; i < SENT; i += 20) {
		for (uint32_t j = 0; j < 20; j++)
			CU_ASSERT_TRUE(send_number(i + j));
		CU_ASSERT_TRUE(NODES_UNTIL(node_stats(there).copies == i + 20)); /* at the port below */
	}
	CU_ASSERT_TRUE(NODES_UNTIL(there->got == SENT));
	CU_ASSERT_EQUAL(count_that_came(1), SENT);
	CU_ASSERT_TRUE(about_one_in_ten(count_overtaken()));
	for (unsigned int i = 0; i < seen.count; i++)
		CU_ASSERT_TRUE(overtakers_of(i) <= expected_by);
	close_both();
}

static void some_are_overtaken_by_as_many_as_was_said(void)
{
	overtaken("seed=5,reorder=0.1,reorder_by=1,delay_us=300000", 1);
	overtaken("seed=5,reorder=0.1,reorder_by=3,delay_us=300000", 3);
}

static void the_last_one_waits_for_no_others(void)
{
	open_both(NULL, "seed=5,reorder=1,reorder_by=5,delay_us=2000");
	CU_ASSERT_TRUE(send_number(0));
	CU_ASSERT_TRUE(NODES_UNTIL(there->got == 1));
	close_both();
}

static void a_late_one_is_overtaken_and_comes(void)
{
	open_both(NULL, "seed=6,delay=0.1,delay_us=3000");
	for (uint32_t i = 0; i < SENT; i++) {
		CU_ASSERT_TRUE(send_number(i));
		nodes_turn();
	}
	CU_ASSERT_TRUE(NODES_UNTIL(there->got == SENT));
	CU_ASSERT_EQUAL(count_that_came(1), SENT);
	CU_ASSERT_TRUE(count_overtaken() > 0);
	close_both();
}

/* A worker that sleeps until then hands it up in time, though nothing else wakes it. */
static void a_late_one_wakes_the_worker(void)
{
	open_both(NULL, "seed=6,delay=1,delay_us=200000");
	CU_ASSERT_TRUE(send_number(0));
	CU_ASSERT_TRUE(NODES_UNTIL(weft_worker_next_ns(far.worker) < weft_worker_now(far.worker) + 210000000));
	CU_ASSERT_EQUAL(there->got, 0);
	CU_ASSERT_TRUE(NODES_UNTIL(there->got == 1));
	close_both();
}

static void some_are_refused_and_go_when_they_are_tried_again(void)
{
	unsigned int tries = 0;

	open_both("seed=7,again=0.3", NULL);
	for (uint32_t i = 0; i < SENT; i++)
		do
			nodes_turn();
		while (tries++, !send_number(i));
	CU_ASSERT_TRUE(NODES_UNTIL(there->got == SENT));
	CU_ASSERT_EQUAL(count_that_came(1), SENT);
	CU_ASSERT_EQUAL(node_stats(here).tx_full, tries - SENT);
	CU_ASSERT_TRUE(tries > SENT * 13 / 10 && tries < SENT * 16 / 10);
	close_both();
}

static void a_burst_stops_before_the_one_that_is_refused(void)
{
	static unsigned char bytes[50][LEN];
	struct weft_net_tx burst[50];

	open_both("again_at=41", NULL);
	for (uint32_t i = 0; i < 50; i++) {
		fill(bytes[i], i);
		burst[i] = (struct weft_net_tx){.route = way, .piece_count = 1};
		burst[i].pieces[0] = (struct weft_net_piece){bytes[i], LEN, NULL};
	}
	CU_ASSERT_EQUAL(here->port->tx(here->port, burst, 50), 40);
	CU_ASSERT_EQUAL(here->port->tx(here->port, burst + 40, 10), 10);
	CU_ASSERT_TRUE(NODES_UNTIL(there->got == 50));
	close_both();
}

static void all_at_once_is_the_same_with_the_same_seed(void)
{
	static const char *const faults = "seed=8,drop=0.1,duplicate=0.1,corrupt=0.1";
	uint8_t times[SENT];
	unsigned int bits;

	carry(faults);
	memcpy(times, seen.times, sizeof times);
	bits = seen.flipped_bits;
	carry(faults);
	CU_ASSERT_EQUAL(memcmp(times, seen.times, sizeof times), 0);
	CU_ASSERT_EQUAL(seen.flipped_bits, bits);
	carry("seed=9,drop=0.1,duplicate=0.1,corrupt=0.1");
	CU_ASSERT_NOT_EQUAL(memcmp(times, seen.times, sizeof times), 0);
}

static void ends_close_while_packets_wait(void)
{
	open_both(NULL, "delay=0.5,delay_us=10000000,duplicate=0.5,corrupt=0.5");
	for (uint32_t i = 0; i < 100; i++)
		CU_ASSERT_TRUE(send_number(i));
	CU_ASSERT_TRUE(NODES_UNTIL(there->got > 10));
	close_both();
}

static void without_memory_packets_are_lost_and_counted(void)
{
	open_both(NULL, "duplicate=1,corrupt=1");
	CU_ASSERT_TRUE(send_number(0));
	fault_arm(0);
	CU_ASSERT_TRUE(NODES_UNTIL(node_stats(there).rx_dropped == 1));
	CU_ASSERT_TRUE(fault_disarm());
	CU_ASSERT_EQUAL(there->got, 0);
	close_both();
}

/* ---- what is refused ---- */

static int open_with(const char *faults)
{
	struct weft_net *net = NULL;
	struct weft_net_opts opts;
	int rc;

	weft_net_opts_init(&opts, sizeof opts);
	opts.faults = faults;
	rc = weft_net_open(node_driver, &opts, &net);
	if (net)
		node_driver->close(&net);
	return rc;
}

static void what_needs_paths_is_refused(void)
{
	static const char *const texts[] = {"cut=5", "fail=accept", "fail=share:3"};

	for (unsigned int i = 0; i < SUITE_COUNT(texts); i++) {
		CU_ASSERT_EQUAL(open_with(texts[i]), -WEFT_EINVAL);
		CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "drivers with paths"));
	}
	CU_ASSERT_EQUAL(open_with("droop=0.1"), -WEFT_EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "\"drop\""));
	CU_ASSERT_EQUAL(open_with(""), 0);
}

static void operations_fail_when_they_shall(void)
{
	struct weft_net_port_opts port_opts;
	struct weft_net_port *port = NULL;

	CU_ASSERT_EQUAL(open_with("fail=device_open"), -WEFT_EIO);
	open_both("fail=port_open:2,fail=connect:2", NULL);
	weft_net_port_opts_init(&port_opts, sizeof port_opts);
	port_opts.worker = near.worker;
	port_opts.index = 2;
	CU_ASSERT_EQUAL(weft_net_port_open(node_driver, near.net, &port_opts, &port), -WEFT_EIO);
	CU_ASSERT_EQUAL(weft_net_port_open(node_driver, near.net, &port_opts, &port), 0);
	node_driver->port_close(&port);
	node_driver->route_close(&way);
	CU_ASSERT_EQUAL(node_driver->route_open(here->port, &far.address, &way), -WEFT_EIO);
	way = node_route(here, &far);
	close_both();
}

static void one_driver_below_has_one_table(void)
{
	CU_ASSERT_PTR_EQUAL(weft_net_driver_find("fault+udp"), node_driver);
	CU_ASSERT_STRING_EQUAL(node_driver->name, "fault+udp");
	CU_ASSERT_PTR_NULL(weft_net_driver_find("fault+nothing"));
	CU_ASSERT_PTR_NULL(weft_net_driver_find("fault+fault+udp"));
	CU_ASSERT_PTR_NULL(weft_net_driver_find("fault+"));
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(without_faults_all_come_once_and_in_order),
		SUITE_CASE(some_are_lost_and_counted),
		SUITE_CASE(some_come_twice),
		SUITE_CASE(some_are_changed_in_one_bit),
		SUITE_CASE(some_are_overtaken_by_as_many_as_was_said),
		SUITE_CASE(the_last_one_waits_for_no_others),
		SUITE_CASE(a_late_one_is_overtaken_and_comes),
		SUITE_CASE(a_late_one_wakes_the_worker),
		SUITE_CASE(some_are_refused_and_go_when_they_are_tried_again),
		SUITE_CASE(a_burst_stops_before_the_one_that_is_refused),
		SUITE_CASE(all_at_once_is_the_same_with_the_same_seed),
		SUITE_CASE(ends_close_while_packets_wait),
		SUITE_CASE(without_memory_packets_are_lost_and_counted),
		SUITE_CASE(what_needs_paths_is_refused),
		SUITE_CASE(operations_fail_when_they_shall),
		SUITE_CASE(one_driver_below_has_one_table),
	};

	if (!node_use("fault+udp"))
		return weft_fail(NULL);
	return suite_main("faults on a network", cases, SUITE_COUNT(cases), argc, argv);
}

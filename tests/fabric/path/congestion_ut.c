/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves what all controls share, that no control is a fixed window, and that CUBIC grows and steps back as RFC 9438 says:
 * by numbers worked out by hand, round trip by round trip.
 */
#include "path/congestion.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <math.h>

#define PACKET 1000u
#define MS UINT64_C(1000000)
#define US UINT64_C(1000)

static struct weft__congestion congestion;
static uint64_t now_ns;

static uint64_t window(void)
{
	return congestion.at.window_bytes;
}

static void begin(uint64_t window_bytes)
{
	now_ns = 1000 * MS;
	weft__congestion_init(&congestion, &weft__congestion_cubic, PACKET);
	if (window_bytes)
		congestion.at.window_bytes = window_bytes;
}

/* All of a full window, sent a round trip ago, arrives in packets. */
static void round_trip(uint64_t rtt_ns)
{
	uint64_t flying = window(), sent_ns = now_ns;

	now_ns += rtt_ns;
	for (uint64_t left = flying; left >= PACKET; left -= PACKET)
		congestion.control->acked(&congestion, now_ns, sent_ns, PACKET, (uint32_t)flying, rtt_ns);
}

/* Something that was sent just now is lost. */
static void lose(void)
{
	now_ns++;
	congestion.control->congested(&congestion, now_ns, now_ns);
}

static bool near(double value, double right, double share)
{
	return fabs(value - right) <= share * right;
}

static void no_control_is_a_fixed_window(void)
{
	weft__congestion_init(&congestion, &weft__congestion_none, PACKET);
	CU_ASSERT_EQUAL(window(), WEFT__CONGESTION_NONE_BYTES);
	round_trip(MS);
	lose();
	congestion.control->undo(&congestion);
	congestion.control->collapsed(&congestion);
	CU_ASSERT_EQUAL(window(), WEFT__CONGESTION_NONE_BYTES);
	CU_ASSERT_EQUAL(weft__congestion_pace(&congestion, MS), 0);
}

static void the_first_window_is_64_kib_or_two_packets(void)
{
	begin(0);
	CU_ASSERT_EQUAL(window(), 65536);
	weft__congestion_init(&congestion, &weft__congestion_cubic, 65000);
	CU_ASSERT_EQUAL(window(), 130000);
}

static void slow_start_doubles_in_a_round_trip(void)
{
	begin(64 * PACKET);
	round_trip(MS);
	CU_ASSERT_EQUAL(window(), 128 * PACKET);
	round_trip(MS);
	CU_ASSERT_EQUAL(window(), 256 * PACKET);
}

static void a_window_ends_at_its_limit(void)
{
	begin(WEFT__CONGESTION_MAX_BYTES - PACKET);
	round_trip(MS);
	CU_ASSERT_TRUE(window() <= WEFT__CONGESTION_MAX_BYTES);
	lose();
	congestion.at.window_bytes = WEFT__CONGESTION_MAX_BYTES - PACKET;
	for (int i = 0; i < 5; i++)
		round_trip(MS);
	CU_ASSERT_EQUAL(window(), WEFT__CONGESTION_MAX_BYTES);
}

static void congestion_counts_once_in_a_round_trip(void)
{
	uint64_t sent_ns;

	begin(100 * PACKET);
	sent_ns = now_ns - 1;
	lose();
	CU_ASSERT_EQUAL(window(), 70 * PACKET);
	congestion.control->congested(&congestion, now_ns + MS, sent_ns);
	CU_ASSERT_EQUAL(window(), 70 * PACKET);
	/* What was sent before does not make it grow again. */
	congestion.control->acked(&congestion, now_ns + MS, sent_ns, PACKET, 70 * PACKET, MS);
	CU_ASSERT_EQUAL(window(), 70 * PACKET);
	congestion.control->congested(&congestion, now_ns + 2 * MS, now_ns + MS);
	CU_ASSERT_EQUAL(window(), 49 * PACKET);
}

static void two_packets_may_always_be_under_way(void)
{
	begin(10 * PACKET);
	for (int i = 0; i < 20; i++)
		lose();
	CU_ASSERT_EQUAL(window(), 2 * PACKET);
	round_trip(MS);
	CU_ASSERT_TRUE(window() > 2 * PACKET);
}

static void a_window_that_was_not_full_does_not_grow(void)
{
	begin(100 * PACKET);
	congestion.control->acked(&congestion, now_ns, now_ns, PACKET, 49 * PACKET, MS);
	CU_ASSERT_EQUAL(window(), 100 * PACKET);
	congestion.control->acked(&congestion, now_ns, now_ns, PACKET, 50 * PACKET, MS);
	CU_ASSERT_EQUAL(window(), 101 * PACKET);
	begin(1000 * PACKET);
	lose();
	for (int i = 0; i < 1000; i++)
		congestion.control->acked(&congestion, now_ns, now_ns, PACKET, 500 * PACKET, MS);
	CU_ASSERT_EQUAL(window(), 700 * PACKET);
	for (int i = 0; i < 1000; i++)
		congestion.control->acked(&congestion, now_ns, now_ns, PACKET, 700 * PACKET, MS);
	CU_ASSERT_TRUE(window() > 700 * PACKET);
}

/* K = cbrt(300 / 0.4) = 9.09 s; the curve is as far above the plateau after 2 K as it was below at first. */
static void the_window_returns_to_where_it_was_congested_and_lingers(void)
{
	begin(1000 * PACKET);
	lose();
	CU_ASSERT_EQUAL(window(), 700 * PACKET);
	for (int i = 0; i < 45; i++)
		round_trip(100 * MS);
	CU_ASSERT_TRUE(near((double)window(), 962.5 * PACKET, 0.02)); /* 4.5 s: 1000 - 0.4 * 4.54^3 */
	for (int i = 0; i < 46; i++)
		round_trip(100 * MS);
	CU_ASSERT_TRUE(near((double)window(), 1000 * PACKET, 0.005));
	for (int i = 0; i < 91; i++)
		round_trip(100 * MS);
	CU_ASSERT_TRUE(near((double)window(), 1300 * PACKET, 0.02));
}

static void time_without_anything_to_say_does_not_count(void)
{
	begin(1000 * PACKET);
	lose();
	for (int i = 0; i < 45; i++)
		round_trip(100 * MS);
	now_ns += 3600 * 1000 * MS;
	congestion.control->acked(&congestion, now_ns, now_ns - MS, PACKET, PACKET, 100 * MS);
	for (int i = 0; i < 46; i++)
		round_trip(100 * MS);
	CU_ASSERT_TRUE(near((double)window(), 1000 * PACKET, 0.005));
}

/* Reno's line: 3 * 0.3 / 1.7 = 0.529 packets a round trip up to where it was congested, then one. */
static void with_short_round_trips_it_grows_as_reno_would(void)
{
	begin(200 * PACKET);
	lose();
	for (int i = 0; i < 50; i++)
		round_trip(100 * US);
	CU_ASSERT_TRUE(near((double)window() - 140 * PACKET, 26.5 * PACKET, 0.05));
	for (int i = 0; i < 64; i++)
		round_trip(100 * US);
	CU_ASSERT_TRUE(near((double)window(), 200 * PACKET, 0.01));
	for (int i = 0; i < 50; i++)
		round_trip(100 * US);
	CU_ASSERT_TRUE(near((double)window() - 200 * PACKET, 50 * PACKET, 0.06));
}

static void growth_in_pieces_of_less_than_a_byte_adds_up(void)
{
	begin(100000 * PACKET);
	lose();
	for (int i = 0; i < 10; i++)
		round_trip(100 * US);
	CU_ASSERT_TRUE(near((double)window() - 70000 * PACKET, 5.3 * PACKET, 0.1));
}

static void congested_again_before_it_came_back_it_leaves_room(void)
{
	begin(1000 * PACKET);
	lose();
	CU_ASSERT_EQUAL(congestion.at.window_max_bytes, 1000.0 * PACKET);
	lose();
	CU_ASSERT_TRUE(near(congestion.at.window_max_bytes, 700 * 0.85 * PACKET, 0.001));
	congestion.at.window_bytes = 800 * PACKET;
	lose();
	CU_ASSERT_EQUAL(congestion.at.window_max_bytes, 800.0 * PACKET);
}

static void undo_is_as_if_nothing_had_been_lost(void)
{
	uint64_t sent_ns;

	begin(100 * PACKET);
	sent_ns = now_ns;
	lose();
	congestion.control->undo(&congestion);
	CU_ASSERT_EQUAL(window(), 100 * PACKET);
	round_trip(MS);
	CU_ASSERT_EQUAL(window(), 200 * PACKET); /* in slow start again */
	congestion.control->undo(&congestion);   /* nothing is left to be undone */
	CU_ASSERT_EQUAL(window(), 200 * PACKET);
	/* A true loss of what was sent in that time counts. */
	congestion.control->congested(&congestion, now_ns, sent_ns);
	CU_ASSERT_EQUAL(window(), 140 * PACKET);
}

static void undo_never_takes_away(void)
{
	begin(100 * PACKET);
	lose();
	congestion.at.window_bytes = 150 * PACKET;
	congestion.control->undo(&congestion);
	CU_ASSERT_EQUAL(window(), 150 * PACKET);
}

static void a_collapse_begins_anew_up_to_where_it_was_congested(void)
{
	begin(100 * PACKET);
	lose();
	congestion.control->collapsed(&congestion);
	CU_ASSERT_EQUAL(window(), 2 * PACKET);
	congestion.control->undo(&congestion);
	CU_ASSERT_EQUAL(window(), 2 * PACKET);
	for (int i = 0; i < 5; i++)
		round_trip(MS);
	CU_ASSERT_EQUAL(window(), 64 * PACKET);
	round_trip(MS);
	CU_ASSERT_TRUE(window() >= 70 * PACKET && window() < 80 * PACKET);
}

static void the_pace_fills_the_window_once_a_round_trip_and_a_quarter(void)
{
	begin(100 * PACKET);
	CU_ASSERT_EQUAL(weft__congestion_pace(&congestion, MS), 0); /* never congested */
	lose();
	CU_ASSERT_EQUAL(weft__congestion_pace(&congestion, MS), 70u * PACKET * 1000 * 5 / 4);
	CU_ASSERT_EQUAL(weft__congestion_pace(&congestion, 0), 0);
	congestion.at.window_bytes = WEFT__CONGESTION_MAX_BYTES;
	CU_ASSERT_EQUAL(weft__congestion_pace(&congestion, 1), WEFT__CONGESTION_MAX_BYTES * 1250000000u);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(no_control_is_a_fixed_window),
		SUITE_CASE(the_first_window_is_64_kib_or_two_packets),
		SUITE_CASE(slow_start_doubles_in_a_round_trip),
		SUITE_CASE(a_window_ends_at_its_limit),
		SUITE_CASE(congestion_counts_once_in_a_round_trip),
		SUITE_CASE(two_packets_may_always_be_under_way),
		SUITE_CASE(a_window_that_was_not_full_does_not_grow),
		SUITE_CASE(the_window_returns_to_where_it_was_congested_and_lingers),
		SUITE_CASE(time_without_anything_to_say_does_not_count),
		SUITE_CASE(with_short_round_trips_it_grows_as_reno_would),
		SUITE_CASE(growth_in_pieces_of_less_than_a_byte_adds_up),
		SUITE_CASE(congested_again_before_it_came_back_it_leaves_room),
		SUITE_CASE(undo_is_as_if_nothing_had_been_lost),
		SUITE_CASE(undo_never_takes_away),
		SUITE_CASE(a_collapse_begins_anew_up_to_where_it_was_congested),
		SUITE_CASE(the_pace_fills_the_window_once_a_round_trip_and_a_quarter),
	};

	return suite_main("congestion", cases, SUITE_COUNT(cases), argc, argv);
}

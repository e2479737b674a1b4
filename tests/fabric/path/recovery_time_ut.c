/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves with numbers worked out by hand what recovery makes of time: how long round trips take, when silence means loss,
 * when it asks for a probe, and that time in which nobody looked does not count.
 */
#include "sender.h"
#include "suite.h"

#include <CUnit/Basic.h>

static void time_tells_of_a_loss_if_a_later_one_has_arrived(void)
{
	uint64_t sent_ns, number;

	sender_begin_with_rtt(80 * MS);
	sent_ns = sender.now_ns;
	number = sender_send(2);
	sender.now_ns += 80 * MS;
	sender_ack(number + 1);
	CU_ASSERT_EQUAL(sender.lost_count, 0);
	CU_ASSERT_EQUAL(weft__recovery_deadline(&sender.recovery), sent_ns + 90 * MS);
	sender.now_ns = sent_ns + 90 * MS - 1;
	CU_ASSERT_EQUAL(sender_due(), WEFT__DUE_NOTHING);
	CU_ASSERT_EQUAL(sender.lost_count, 0);
	sender.now_ns++;
	CU_ASSERT_EQUAL(sender_due(), WEFT__DUE_NOTHING);
	CU_ASSERT_EQUAL(sender.lost_of[number], 1);
	CU_ASSERT_EQUAL(weft__recovery_deadline(&sender.recovery), UINT64_MAX);
}

static void time_in_which_nobody_looked_does_not_count(void)
{
	uint64_t sent_ns, number;

	sender_begin_with_rtt(80 * MS);
	sent_ns = sender.now_ns;
	number = sender_send(2);
	sender.now_ns += 80 * MS;
	sender_ack(number + 1);
	sender.now_ns += 1000 * MS;
	CU_ASSERT_EQUAL(weft__recovery_due(&sender.recovery, sender.now_ns, sent_ns + 89 * MS), WEFT__DUE_NOTHING);
	CU_ASSERT_EQUAL(sender.lost_count, 0);
	CU_ASSERT_EQUAL(weft__recovery_due(&sender.recovery, sender.now_ns, sent_ns + 90 * MS), WEFT__DUE_NOTHING);
	CU_ASSERT_EQUAL(sender.lost_count, 1);
	/* Nor does it before a probe. */
	sent_ns = sender.now_ns;
	sender_send(1);
	sender.now_ns += 1000 * MS;
	CU_ASSERT_EQUAL(weft__recovery_due(&sender.recovery, sender.now_ns, sent_ns + 1), WEFT__DUE_NOTHING);
	CU_ASSERT_EQUAL(weft__recovery_due(&sender.recovery, sender.now_ns, sender.now_ns), WEFT__DUE_PROBE);
}

/* The other one may lie in our own queue still. */
static void an_acknowledgement_tells_of_no_loss_by_time(void)
{
	uint64_t number;

	sender_begin_with_rtt(10 * MS);
	number = sender_send(1);
	sender.now_ns += 490 * MS;
	sender_send(1);
	sender.now_ns += 10 * MS;
	sender_ack(number + 1);
	CU_ASSERT_EQUAL(sender.lost_count, 0);
	sender_ack(number);
	CU_ASSERT_EQUAL(sender.acked_count, 2);
}

static void round_trips_are_measured_without_what_the_peer_waited(void)
{
	struct weft__ack late = {.range_count = 1, .delay_ns = 400 * US, .ranges = {{1, 1}}};

	sender_begin();
	CU_ASSERT_EQUAL(sender.recovery.smoothed_rtt_ns, 5 * MS);
	CU_ASSERT_EQUAL(sender.recovery.rtt_variance_ns, 2500 * US);
	sender_send(1);
	sender.now_ns += 8 * MS;
	sender_ack(0);
	CU_ASSERT_EQUAL(sender.recovery.smoothed_rtt_ns, 8 * MS);
	CU_ASSERT_EQUAL(sender.recovery.rtt_variance_ns, 4 * MS);
	CU_ASSERT_EQUAL(sender.recovery.min_rtt_ns, 8 * MS);
	sender_send(1);
	sender.now_ns += 16400 * US;
	weft__recovery_acknowledged(&sender.recovery, sender.now_ns, &late);
	CU_ASSERT_EQUAL(sender.recovery.latest_rtt_ns, 16400 * US);
	CU_ASSERT_EQUAL(sender.recovery.smoothed_rtt_ns, 9 * MS);
	CU_ASSERT_EQUAL(sender.recovery.rtt_variance_ns, 5 * MS); /* (3 * 4 + 8) / 4 */
	/* Nobody may claim to have waited longer than the driver allows, nor longer than the shortest round trip. */
	late.ranges[0].first = late.ranges[0].last = sender_send(1);
	late.delay_ns = UINT64_MAX;
	sender.now_ns += 17500 * US;
	weft__recovery_acknowledged(&sender.recovery, sender.now_ns, &late);
	CU_ASSERT_EQUAL(sender.recovery.smoothed_rtt_ns, 10 * MS); /* (7 * 9 + 17) / 8 */
	late.ranges[0].first = late.ranges[0].last = sender_send(1);
	sender.now_ns += 8 * MS;
	weft__recovery_acknowledged(&sender.recovery, sender.now_ns, &late);
	CU_ASSERT_EQUAL(sender.recovery.smoothed_rtt_ns, 9750 * US);
	CU_ASSERT_EQUAL(sender.recovery.min_rtt_ns, 8 * MS);
}

static void only_news_of_the_largest_number_measures(void)
{
	sender_begin();
	sender_send(2);
	sender.now_ns += 8 * MS;
	sender_ack(1);
	sender.now_ns += 8 * MS;
	sender_ack_range(0, 1);
	CU_ASSERT_EQUAL(sender.recovery.latest_rtt_ns, 8 * MS);
}

static void silence_asks_for_probes_that_double_up_to_a_second(void)
{
	uint64_t wait_ns;

	sender_begin_with_rtt(80 * MS);
	sender_send(1);
	wait_ns = weft__recovery_deadline(&sender.recovery) - sender.now_ns;
	CU_ASSERT_EQUAL(wait_ns,
			sender.recovery.smoothed_rtt_ns + 1 * MS + 500 * US); /* the variance is next to nothing */
	for (unsigned int probes = 0; probes < 8; probes++) {
		uint64_t deadline_ns = weft__recovery_deadline(&sender.recovery);

		CU_ASSERT_EQUAL(deadline_ns - sender.now_ns,
				wait_ns << probes < 1000 * MS ? wait_ns << probes : 1000 * MS);
		sender.now_ns = deadline_ns - 1;
		CU_ASSERT_EQUAL(sender_due(), WEFT__DUE_NOTHING);
		sender.now_ns = deadline_ns;
		CU_ASSERT_EQUAL(sender_due(), WEFT__DUE_PROBE);
		CU_ASSERT_EQUAL(sender_due(), WEFT__DUE_NOTHING); /* also if the caller has nothing to send */
	}
	CU_ASSERT_EQUAL(sender.recovery.probe_packets, 8);
	CU_ASSERT_EQUAL(sender.lost_count, 0);
	sender_ack(sender.recovery.next_number - 1);
	CU_ASSERT_EQUAL(sender.recovery.probes, 0);
	CU_ASSERT_EQUAL(weft__recovery_deadline(&sender.recovery), UINT64_MAX);
}

static void no_probe_goes_sooner_than_the_drivers_floor(void)
{
	sender_begin_with_rtt(20 * US);
	sender_send(1);
	CU_ASSERT_EQUAL(weft__recovery_probe_ns(&sender.recovery), 5 * MS);
	CU_ASSERT_EQUAL(weft__recovery_deadline(&sender.recovery), sender.now_ns + 5 * MS);
}

/* Sends one packet and waits for so many probes, each of them a packet, in vain; returns the first one's number. */
static uint64_t talk_to_nobody(unsigned int probes)
{
	uint64_t first = sender_send(1);

	while (probes--) {
		sender.now_ns = weft__recovery_deadline(&sender.recovery);
		CU_ASSERT_EQUAL(sender_due(), WEFT__DUE_PROBE);
		sender_send(1);
	}
	return first;
}

static void when_nothing_comes_through_for_long_the_window_collapses(void)
{
	sender_begin_with_rtt(10 * MS);
	CU_ASSERT_TRUE(sender_window() >= 65536);
	talk_to_nobody(6);
	sender.now_ns += 10 * MS;
	sender_ack(sender.recovery.next_number - 1);
	sender_due();
	CU_ASSERT_EQUAL(sender.lost_count, 6);
	CU_ASSERT_EQUAL(sender_window(), 2 * PACKET);
}

static void one_that_comes_through_prevents_the_collapse(void)
{
	struct weft__ack ack = {.range_count = 4};
	uint64_t first;

	sender_begin_with_rtt(10 * MS);
	first = talk_to_nobody(6);
	for (unsigned int i = 0; i < 4; i++)
		ack.ranges[i].first = ack.ranges[i].last = first + (uint64_t[]){6, 5, 3, 1}[i];
	sender.now_ns += 10 * MS;
	CU_ASSERT_EQUAL(weft__recovery_acknowledged(&sender.recovery, sender.now_ns, &ack), 0);
	sender_due();
	CU_ASSERT_EQUAL(sender.lost_count, 3);
	CU_ASSERT_TRUE(sender_window() > 2 * PACKET);
}

static void before_a_round_trip_was_measured_nothing_collapses(void)
{
	sender_begin();
	talk_to_nobody(6);
	sender.now_ns += 10 * MS;
	sender_ack(sender.recovery.next_number - 1);
	CU_ASSERT_TRUE(sender.lost_count > 0);
	CU_ASSERT_TRUE(sender_window() > 2 * PACKET);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(time_tells_of_a_loss_if_a_later_one_has_arrived),
		SUITE_CASE(time_in_which_nobody_looked_does_not_count),
		SUITE_CASE(an_acknowledgement_tells_of_no_loss_by_time),
		SUITE_CASE(round_trips_are_measured_without_what_the_peer_waited),
		SUITE_CASE(only_news_of_the_largest_number_measures),
		SUITE_CASE(silence_asks_for_probes_that_double_up_to_a_second),
		SUITE_CASE(no_probe_goes_sooner_than_the_drivers_floor),
		SUITE_CASE(when_nothing_comes_through_for_long_the_window_collapses),
		SUITE_CASE(one_that_comes_through_prevents_the_collapse),
		SUITE_CASE(before_a_round_trip_was_measured_nothing_collapses),
	};
	int status = suite_main("recovery_time", cases, SUITE_COUNT(cases), argc, argv);

	sender_end();
	return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves, packet by packet, what recovery makes of acknowledgements: what has arrived, what is lost, what came late, what
 * was marked, and what cannot be. recovery_time_ut.c has what time tells, recovery_model_ut.c everything at random.
 */
#include "fault.h"
#include "sender.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <string.h>
#include <weft/errors.h>

static void a_packet_arrives_once(void)
{
	sender_begin();
	CU_ASSERT_EQUAL(sender_send(3), 0);
	CU_ASSERT_EQUAL(sender.recovery.flying_count, 3);
	CU_ASSERT_EQUAL(sender.recovery.flying_bytes, 3 * PACKET);
	CU_ASSERT_EQUAL(sender_ack_range(0, 1), 0);
	CU_ASSERT_EQUAL(sender.acked_count, 2);
	CU_ASSERT_EQUAL(sender_ack_range(0, 2), 0);
	CU_ASSERT_EQUAL(sender_ack_range(0, 2), 0);
	CU_ASSERT_EQUAL(sender.acked_count, 3);
	CU_ASSERT_EQUAL(sender.acked_of[0] + sender.acked_of[1] + sender.acked_of[2], 3);
	CU_ASSERT_EQUAL(sender.lost_count, 0);
	CU_ASSERT_EQUAL(sender.recovery.flying_count, 0);
	CU_ASSERT_EQUAL(sender.recovery.flying_bytes, 0);
	CU_ASSERT_EQUAL(weft__recovery_deadline(&sender.recovery), UINT64_MAX);
}

static void all_ranges_of_an_acknowledgement_count(void)
{
	struct weft__ack ack = {.range_count = 3, .ranges = {{8, 9}, {5, 6}, {1, 2}}};

	sender_begin();
	sender_send(10);
	CU_ASSERT_EQUAL(weft__recovery_acknowledged(&sender.recovery, sender.now_ns, &ack), 0);
	CU_ASSERT_EQUAL(sender.acked_count, 6);
	CU_ASSERT_EQUAL(sender.acked_of[1] + sender.acked_of[2] + sender.acked_of[5] + sender.acked_of[6], 4);
	CU_ASSERT_EQUAL(sender.lost_of[0] + sender.lost_of[3] + sender.lost_of[4], 3);
	CU_ASSERT_EQUAL(sender.recovery.flying_count, 1); /* 7 may be late */
}

static void what_carries_no_parcel_waits_for_nothing(void)
{
	sender_begin();
	CU_ASSERT_EQUAL(weft__recovery_sent(&sender.recovery, sender.now_ns, PACKET, NULL), 0);
	CU_ASSERT_EQUAL(weft__recovery_sent(&sender.recovery, sender.now_ns, PACKET, NULL), 1);
	CU_ASSERT_EQUAL(sender.recovery.flying_count, 0);
	CU_ASSERT_EQUAL(weft__recovery_deadline(&sender.recovery), UINT64_MAX);
	CU_ASSERT_EQUAL(sender_ack(0), 0);
	CU_ASSERT_EQUAL(sender_send(1), 2);
	CU_ASSERT_EQUAL(sender_ack_range(0, 2), 0);
	CU_ASSERT_EQUAL(sender.acked_count, 1);
}

static void impossible_acknowledgements_are_refused_and_change_nothing(void)
{
	struct weft__ack bad[] = {
		{.range_count = 0},
		{.range_count = WEFT__ACK_RANGES_MAX + 1},
		{.range_count = 1, .ranges = {{0, 10}}},                /* never sent */
		{.range_count = 1, .ranges = {{0, UINT64_MAX}}},        /* nor that */
		{.range_count = 1, .ranges = {{5, 4}}},                 /* reversed */
		{.range_count = 2, .ranges = {{4, 6}, {1, 4}}},         /* overlapping */
		{.range_count = 2, .ranges = {{1, 2}, {4, 6}}},         /* oldest first */
		{.range_count = 2, .ranges = {{4, 6}, {4, 6}}},         /* twice */
		{.range_count = 3, .ranges = {{8, 9}, {4, 6}, {3, 2}}}, /* the last one */
		{.range_count = 2, .ranges = {{0, 0}, {UINT64_MAX, UINT64_MAX}}},
	};
	struct weft__recovery before;

	sender_begin();
	sender_send(10);
	memcpy(&before, &sender.recovery, sizeof before);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		CU_ASSERT_EQUAL(weft__recovery_acknowledged(&sender.recovery, sender.now_ns, &bad[i]), -WEFT_EPROTO);
		CU_ASSERT_EQUAL(memcmp(&before, &sender.recovery, sizeof before), 0);
	}
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "never sent"));
	CU_ASSERT_EQUAL(sender.acked_count + sender.lost_count + sender.undone_count, 0);
	CU_ASSERT_EQUAL(sender_ack_range(0, 9), 0);
	CU_ASSERT_EQUAL(sender.acked_count, 10);
}

static void three_later_ones_tell_of_a_loss(void)
{
	uint64_t first;

	sender_begin_with_queue();
	first = sender_send(12);
	sender.now_ns += MS;
	sender_ack(first + 1);
	sender_ack(first + 2);
	CU_ASSERT_EQUAL(sender.lost_count, 0);
	sender_ack(first + 3);
	CU_ASSERT_EQUAL(sender.lost_count, 1);
	CU_ASSERT_EQUAL(sender.lost_of[first], 1);
	CU_ASSERT_EQUAL(sender.recovery.flying_count, 8);
	CU_ASSERT_EQUAL(sender.recovery.lost_packets, 1);
	CU_ASSERT_TRUE(sender_window() < 65536);
}

static void a_loss_where_no_queue_stands_is_no_congestion(void)
{
	uint64_t first;

	sender_begin_with_rtt(MS);
	first = sender_send(12);
	sender.now_ns += MS;
	sender_ack_range(first + 1, first + 3);
	CU_ASSERT_EQUAL(sender.lost_of[first], 1);
	CU_ASSERT_EQUAL(sender.recovery.chance_packets, 1);
	CU_ASSERT_TRUE(sender_window() >= 65536);
	/* And when it has come after all, nothing is to be undone. */
	sender_ack(first);
	CU_ASSERT_EQUAL(sender.undone_of[first], 1);
	CU_ASSERT_TRUE(sender_window() >= 65536);
}

static void many_losses_are_congestion_whatever_is_seen_of_a_queue(void)
{
	sender_begin_with_rtt(MS);
	for (unsigned int i = 0; i < 30; i++) {
		uint64_t first = sender_send(4);

		sender.now_ns += MS;
		sender_ack_range(first + 1, first + 3);
	}
	CU_ASSERT_EQUAL(sender.lost_count, 30);
	CU_ASSERT_TRUE(sender.recovery.chance_packets < 20);
	CU_ASSERT_TRUE(sender_window() < 65536 / 2);
}

static void the_oldest_that_flies_is_what_probes_carry(void)
{
	uint64_t number;

	sender_begin();
	CU_ASSERT_PTR_NULL(weft__recovery_oldest(&sender.recovery));
	number = sender_send(3);
	CU_ASSERT_EQUAL((uintptr_t)weft__recovery_oldest(&sender.recovery), number + 1);
	sender_ack(number);
	CU_ASSERT_EQUAL((uintptr_t)weft__recovery_oldest(&sender.recovery), number + 2);
	sender_ack(number + 2);
	CU_ASSERT_EQUAL((uintptr_t)weft__recovery_oldest(&sender.recovery), number + 2);
	sender_ack(number + 1);
	CU_ASSERT_PTR_NULL(weft__recovery_oldest(&sender.recovery));
}

static void what_was_late_and_not_lost_is_undone(void)
{
	uint64_t first;

	sender_begin_with_queue();
	first = sender_send(12);
	sender.now_ns += MS;
	sender_ack_range(first + 1, first + 3);
	CU_ASSERT_EQUAL(sender.lost_of[first], 1);
	CU_ASSERT_TRUE(sender_window() < 65536);
	CU_ASSERT_EQUAL(sender.recovery.reorder_max, 3);
	sender_ack_range(first, first + 3);
	CU_ASSERT_EQUAL(sender.undone_of[first], 1);
	CU_ASSERT_EQUAL(sender.acked_of[first], 0);
	CU_ASSERT_EQUAL(sender.recovery.undone_packets, 1);
	CU_ASSERT_EQUAL(sender.recovery.reorder_max, 4);
	CU_ASSERT_TRUE(sender_window() >= 65536);
	sender_ack_range(first, first + 11);
	CU_ASSERT_EQUAL(sender.undone_count, 1);
	CU_ASSERT_EQUAL(sender.recovery.flying_count, 0);
	/* So much disorder is no loss from now on. */
	first = sender_send(5);
	sender_ack_range(first + 1, first + 3);
	CU_ASSERT_EQUAL(sender.lost_count, 1);
	sender_ack(first + 4);
	CU_ASSERT_EQUAL(sender.lost_count, 2);
}

static void disorder_is_allowed_for_up_to_64_packets(void)
{
	sender_begin();
	sender_send(101);
	sender_ack_range(1, 50);
	sender_ack_range(0, 50);
	CU_ASSERT_EQUAL(sender.recovery.reorder_max, 51);
	sender_ack_range(52, 52 + 48);
	CU_ASSERT_EQUAL(sender.lost_count, 1);
	sender.now_ns = weft__recovery_deadline(&sender.recovery);
	sender_due();
	CU_ASSERT_EQUAL(sender.lost_count, 2);
	sender_send(50);
	sender_ack_range(101, 150);
	sender_ack(51);
	CU_ASSERT_EQUAL(sender.undone_count, 2);
	CU_ASSERT_EQUAL(sender.recovery.reorder_max, 64);
}

static void one_true_loss_keeps_the_window_small(void)
{
	uint64_t small, first;

	sender_begin_with_queue();
	first = sender_send(14);
	sender.now_ns += MS;
	sender_ack_range(first + 2, first + 5);
	CU_ASSERT_EQUAL(sender.lost_count, 2);
	small = sender_window();
	CU_ASSERT_TRUE(small < 65536);
	sender_ack(first);
	CU_ASSERT_EQUAL(sender.undone_count, 1);
	CU_ASSERT_EQUAL(sender_window(), small);
	sender_ack(first + 1);
	CU_ASSERT_TRUE(sender_window() >= 65536);
}

static int ack_marked(uint64_t number, uint64_t ce_count)
{
	struct weft__ack marked = {.range_count = 1,
				   .ranges = {{number, number}},
				   .has_ecn = true,
				   .ce_count = ce_count};

	return weft__recovery_acknowledged(&sender.recovery, sender.now_ns, &marked);
}

static void marks_of_congestion_count_once_a_round_trip(void)
{
	uint64_t small, number;

	sender_begin();
	sender_send(3);
	sender.now_ns += MS;
	ack_marked(0, 0);
	CU_ASSERT_TRUE(sender_window() >= 65536);
	ack_marked(1, 1);
	small = sender_window();
	CU_ASSERT_TRUE(small < 65536);
	ack_marked(2, 2); /* went before it was known */
	CU_ASSERT_EQUAL(sender_window(), small);
	number = sender_send(3);
	sender.now_ns += MS;
	ack_marked(number, 2); /* no new mark */
	CU_ASSERT_TRUE(sender_window() >= small);
	ack_marked(number + 1, 3);
	CU_ASSERT_TRUE(sender_window() < small);
	small = sender_window();
	ack_marked(number + 2, 1); /* came late */
	CU_ASSERT_TRUE(sender_window() >= small);
}

static void where_routers_marked_nothing_is_undone(void)
{
	uint64_t small;

	sender_begin();
	sender_send(5);
	sender.now_ns += MS;
	sender_ack_range(1, 3);
	CU_ASSERT_EQUAL(sender.lost_count, 1);
	ack_marked(4, 1);
	small = sender_window();
	sender_ack(0);
	CU_ASSERT_EQUAL(sender.undone_count, 1);
	CU_ASSERT_EQUAL(sender_window(), small);
}

static void the_room_is_what_the_window_leaves(void)
{
	sender_begin();
	CU_ASSERT_EQUAL(weft__recovery_room(&sender.recovery), 65536);
	sender_send(60);
	CU_ASSERT_EQUAL(weft__recovery_room(&sender.recovery), 5536);
	sender_send(10);
	CU_ASSERT_EQUAL(weft__recovery_room(&sender.recovery), 0);
}

static void without_memory_there_is_no_room(void)
{
	bool failed;

	sender_begin();
	fault_arm(0);
	CU_ASSERT_EQUAL(weft__recovery_room(&sender.recovery), 0);
	failed = fault_disarm();
	CU_ASSERT_TRUE(failed);
	CU_ASSERT_EQUAL(weft__recovery_room(&sender.recovery), 65536);
	sender_send(32);
	fault_arm(0);
	CU_ASSERT_EQUAL(weft__recovery_room(&sender.recovery), 65536 - 32 * PACKET);
	weft__recovery_sent(&sender.recovery, sender.now_ns, 1, (void *)(uintptr_t)(sender.recovery.next_number + 1));
	CU_ASSERT_EQUAL(weft__recovery_room(&sender.recovery), 0);
	fault_disarm();
	CU_ASSERT_TRUE(weft__recovery_room(&sender.recovery) > 0);
	sender_ack_range(0, 32);
	CU_ASSERT_EQUAL(sender.acked_count, 33);
}

static void where_no_more_can_be_remembered_a_probe_gives_up_the_oldest(void)
{
	sender_begin();
	sender.recovery.congestion.at.window_bytes = WEFT__CONGESTION_MAX_BYTES;
	while (weft__recovery_room(&sender.recovery))
		sender_send(1);
	CU_ASSERT_TRUE(sender.recovery.flying_count > WEFT__SENT_MAX - WEFT__RECOVERY_BURST);
	sender_send(WEFT__SENT_MAX - sender.recovery.flying_count);
	CU_ASSERT_EQUAL(sender.recovery.flying_count, WEFT__SENT_MAX);
	CU_ASSERT_EQUAL(sender.lost_count, 0);
	sender_send(1);
	CU_ASSERT_EQUAL(sender.lost_of[0], 1);
	CU_ASSERT_EQUAL(sender.lost_count, 1);
	CU_ASSERT_EQUAL(sender.recovery.flying_count, WEFT__SENT_MAX);
	sender_ack_range(0, sender.recovery.next_number - 1);
	CU_ASSERT_EQUAL(sender.acked_count, WEFT__SENT_MAX);
	CU_ASSERT_EQUAL(sender.recovery.flying_bytes, 0);
}

static void dropping_forgets_without_a_word(void)
{
	sender_begin();
	sender_send(100);
	weft__recovery_drop(&sender.recovery);
	CU_ASSERT_EQUAL(sender.acked_count + sender.lost_count + sender.undone_count, 0);
	CU_ASSERT_EQUAL(sender.recovery.flying_count + sender.recovery.flying_bytes, 0);
	CU_ASSERT_PTR_NULL(weft__recovery_oldest(&sender.recovery));
	CU_ASSERT_EQUAL(weft__recovery_deadline(&sender.recovery), UINT64_MAX);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_packet_arrives_once),
		SUITE_CASE(all_ranges_of_an_acknowledgement_count),
		SUITE_CASE(what_carries_no_parcel_waits_for_nothing),
		SUITE_CASE(impossible_acknowledgements_are_refused_and_change_nothing),
		SUITE_CASE(three_later_ones_tell_of_a_loss),
		SUITE_CASE(a_loss_where_no_queue_stands_is_no_congestion),
		SUITE_CASE(many_losses_are_congestion_whatever_is_seen_of_a_queue),
		SUITE_CASE(the_oldest_that_flies_is_what_probes_carry),
		SUITE_CASE(what_was_late_and_not_lost_is_undone),
		SUITE_CASE(disorder_is_allowed_for_up_to_64_packets),
		SUITE_CASE(one_true_loss_keeps_the_window_small),
		SUITE_CASE(marks_of_congestion_count_once_a_round_trip),
		SUITE_CASE(where_routers_marked_nothing_is_undone),
		SUITE_CASE(the_room_is_what_the_window_leaves),
		SUITE_CASE(without_memory_there_is_no_room),
		SUITE_CASE(where_no_more_can_be_remembered_a_probe_gives_up_the_oldest),
		SUITE_CASE(dropping_forgets_without_a_word),
	};
	int status = suite_main("recovery", cases, SUITE_COUNT(cases), argc, argv);

	sender_end();
	return status;
}

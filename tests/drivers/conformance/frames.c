/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small data: every size, whole and in order; bursts; full rings; what is held back; waking a sleeper.
 */
#include "conformance.h"
#include "side.h"

#include <CUnit/Basic.h>
#include <poll.h>
#include <string.h>
#include <weft/random.h>

#define SMALL_MAX 4096u

static struct side near, far;
static struct side_end *const here = &near.ends[0], *const there = &far.ends[0];

static void join(void)
{
	side_open(&near, "near", 1, 0);
	side_open(&far, "far", 1, 0);
	side_join(here, there);
}

static void part(void)
{
	CU_ASSERT_EQUAL(here->downs + there->downs, 0);
	CU_ASSERT_EQUAL(side_stats(here).violations + side_stats(there).violations, 0);
	side_close(&near);
	side_close(&far);
}

/* Frames come with their number as the low half of meta and their length above it. */
static void check_frame(struct side_end *end, const struct weft_rx_frame *frame)
{
	uint32_t len = (uint32_t)(frame->meta >> 32);

	end->wrong += frame->path != end->path || (uint32_t)frame->meta != end->got || frame->len_bytes != len ||
		      frame->loan_data || !side_holds(frame->data, len, end->got);
	end->got++;
}

/* The sizes that are tried: all that the driver takes, within reason. */
static uint32_t small_max(void)
{
	return here->port->inline_max < SMALL_MAX ? here->port->inline_max : SMALL_MAX;
}

static uint64_t meta_of(uint32_t number, uint32_t len)
{
	return number | (uint64_t)len << 32;
}

static int send_number(struct side_end *end, enum weft_class class_, uint32_t number, uint32_t len, unsigned int flags)
{
	unsigned char bytes[SMALL_MAX];

	side_fill(bytes, len, number);
	return end->port->send(end->path, class_, meta_of(number, len), bytes, len, flags);
}

static void every_size_arrives_as_sent_by_send(void)
{
	join();
	there->on_frame = check_frame;
	for (uint32_t len = 0; len <= small_max(); len++) {
		CU_ASSERT_EQUAL(send_number(here, len % WEFT_CLASS_COUNT, len, len, 0), 0);
		CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(there->got == len + 1));
	}
	CU_ASSERT_EQUAL(there->wrong, 0);
	part();
}

static void every_size_arrives_as_sent_in_two_pieces(void)
{
	unsigned char bytes[SMALL_MAX];

	join();
	there->on_frame = check_frame;
	for (uint32_t len = 0; len <= small_max(); len++) {
		struct weft_tx_frame frame = {.meta = meta_of(len, len),
					      .head = bytes,
					      .head_len_bytes = len * 3 / 7,
					      .data = bytes + len * 3 / 7,
					      .data_len_bytes = len - len * 3 / 7};

		side_fill(bytes, len, len);
		CU_ASSERT_EQUAL(here->port->tx(here->path, len % WEFT_CLASS_COUNT, &frame, 1, 0, NULL), 1);
		memset(bytes, 0xee, sizeof bytes); /* borrowed until tx returned, no longer */
		CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(there->got == len + 1));
	}
	CU_ASSERT_EQUAL(there->wrong, 0);
	part();
}

static void nothing_at_all_is_a_message_too(void)
{
	struct weft_tx_frame frames[3] = {{.meta = 0}, {.meta = 1}, {.meta = 2}};

	join();
	there->on_frame = check_frame;
	CU_ASSERT_EQUAL(here->port->tx(here->path, WEFT_CLASS_NORMAL, frames, 3, 0, NULL), 3);
	CU_ASSERT_EQUAL(here->port->send(here->path, WEFT_CLASS_NORMAL, 3, NULL, 0, 0), 0);
	CU_ASSERT_TRUE(SIDES_UNTIL(there->got == 4));
	CU_ASSERT_EQUAL(there->wrong, 0);
	part();
}

static void each_class_keeps_its_order_and_express_comes_first(void)
{
	struct weft_rx_frame frames[64];
	unsigned int count = 0, seen[WEFT_CLASS_COUNT] = {0};

	join();
	for (uint32_t i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(send_number(here, WEFT_CLASS_NORMAL, 1000 + i, 4, 0), 0);
	for (uint32_t i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(send_number(here, WEFT_CLASS_EXPRESS, i, 4, 0), 0);
	while (seen[0] + seen[1] < 16) {
		CU_ASSERT_TRUE_FATAL(SIDES_UNTIL((count = there->port->rx(there->port, frames, 64)) > 0));
		for (unsigned int i = 0; i < count; i++) {
			uint32_t number = (uint32_t)frames[i].meta;
			enum weft_class class_ = number >= 1000 ? WEFT_CLASS_NORMAL : WEFT_CLASS_EXPRESS;

			CU_ASSERT_EQUAL(number % 1000, seen[class_]);
			CU_ASSERT_TRUE(class_ == WEFT_CLASS_EXPRESS || seen[WEFT_CLASS_EXPRESS] == 8 ||
				       !(side_driver->caps & WEFT_DRIVER_LOCAL));
			seen[class_]++;
		}
	}
	CU_ASSERT_EQUAL(seen[WEFT_CLASS_EXPRESS], 8);
	CU_ASSERT_EQUAL(seen[WEFT_CLASS_NORMAL], 8);
	part();
}

/* Sends bursts of random sizes until the driver takes fewer; returns the number of the next. */
static uint32_t send_until_full(struct weft_random *random, uint32_t number, enum weft_class class_, int *why)
{
	static unsigned char bytes[64][SMALL_MAX];
	struct weft_tx_frame frames[64];
	unsigned int count, taken;

	do {
		count = 1 + (unsigned int)weft_random_below(random, 64);
		for (unsigned int i = 0; i < count; i++) {
			uint32_t len = (uint32_t)weft_random_below(random, small_max() + 1);

			side_fill(bytes[i], len, number + i);
			frames[i] = (struct weft_tx_frame){.meta = meta_of(number + i, len),
							   .data = bytes[i],
							   .data_len_bytes = len};
		}
		taken = here->port->tx(here->path, class_, frames, count, 0, why);
		number += taken;
	} while (taken == count);
	return number;
}

static void a_full_path_takes_fewer_and_goes_on_when_there_is_room(void)
{
	struct weft_rx_frame frames[64];
	struct weft_random random;
	uint32_t number;

	weft_random_seed(&random, 1);
	for (unsigned int class_ = 0; class_ < WEFT_CLASS_COUNT; class_++) {
		join();
		number = 0;
		for (unsigned int round = 0; round < 200; round++) {
			int why = 0;

			number = send_until_full(&random, number, class_, &why);
			CU_ASSERT_EQUAL(why, -WEFT_EAGAIN);
			if (round == 0 && side_driver->caps & WEFT_DRIVER_SHARES) /* else memory may have come */
				CU_ASSERT_EQUAL(send_number(here, class_, number, small_max(), 0), -WEFT_EAGAIN);
			for (unsigned int i = 0; i < 1 + weft_random_below(&random, 5); i++) {
				unsigned int max = 1 + (unsigned int)weft_random_below(&random, 32);
				unsigned int count = there->port->rx(there->port, frames, max);

				CU_ASSERT_TRUE_FATAL(count <= max);
				for (unsigned int j = 0; j < count; j++)
					check_frame(there, &frames[j]);
			}
		}
		there->on_frame = check_frame;
		CU_ASSERT_TRUE(SIDES_UNTIL(there->got == number));
		CU_ASSERT_TRUE(number > 200);
		CU_ASSERT_EQUAL(there->wrong, 0);
		CU_ASSERT_TRUE(side_stats(here).full >= 200);
		CU_ASSERT_EQUAL(side_stats(here).tx_frames, number);
		CU_ASSERT_EQUAL(side_stats(there).rx_frames, number);
		part();
	}
}

static void what_is_held_back_goes_out_with_flush(void)
{
	join();
	for (uint32_t i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(send_number(here, WEFT_CLASS_NORMAL, i, 8, WEFT_TX_MORE), 0);
	CU_ASSERT_TRUE(here->port->flush_due);
	here->port->flush(here->port);
	CU_ASSERT_FALSE(here->port->flush_due);
	there->on_frame = check_frame;
	CU_ASSERT_TRUE(SIDES_UNTIL(there->got == 10));
	CU_ASSERT_EQUAL(there->wrong, 0);
	part();
}

static void what_is_held_back_goes_out_with_the_next_that_is_not(void)
{
	join();
	there->on_frame = check_frame;
	for (uint32_t round = 0, number = 0; round < 100; round++) {
		for (uint32_t i = 0; i < round % 7; i++)
			CU_ASSERT_EQUAL(send_number(here, WEFT_CLASS_NORMAL, number++, 100, WEFT_TX_MORE), 0);
		CU_ASSERT_EQUAL(send_number(here, WEFT_CLASS_NORMAL, number++, 8, 0), 0);
		CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(there->got == number));
	}
	CU_ASSERT_EQUAL(there->wrong, 0);
	part();
}

static void held_back_frames_of_a_full_path_do_not_block_it(void)
{
	uint32_t number = 0;

	join();
	while (send_number(here, WEFT_CLASS_NORMAL, number, 40, WEFT_TX_MORE) == 0)
		number++;
	there->on_frame = check_frame;
	CU_ASSERT_TRUE(SIDES_UNTIL(there->got == number));
	CU_ASSERT_EQUAL(send_number(here, WEFT_CLASS_NORMAL, number, 40, 0), 0);
	CU_ASSERT_TRUE(SIDES_UNTIL(there->got == number + 1));
	CU_ASSERT_EQUAL(there->wrong, 0);
	part();
}

static void both_ways_at_once(void)
{
	uint32_t sent[2] = {0, 0};

	join();
	here->on_frame = there->on_frame = check_frame;
	for (unsigned int turn = 0; turn < 3000; turn++) {
		sent[0] += send_number(here, WEFT_CLASS_NORMAL, sent[0], turn % 200, 0) == 0;
		sent[1] += send_number(there, WEFT_CLASS_NORMAL, sent[1], turn % 77, 0) == 0;
		if (turn % 5 == 0)
			sides_turn();
	}
	CU_ASSERT_TRUE(SIDES_UNTIL(there->got == sent[0] && here->got == sent[1]));
	CU_ASSERT_TRUE(sent[0] > 600 && sent[1] > 600);
	CU_ASSERT_EQUAL(here->wrong + there->wrong, 0);
	part();
}

static void data_stays_until_the_next_rx(void)
{
	struct weft_rx_frame frames[64];
	unsigned int count = 0;

	join();
	for (uint32_t i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(send_number(here, WEFT_CLASS_NORMAL, i, 50, 0), 0);
	CU_ASSERT_TRUE_FATAL(SIDES_UNTIL((count = there->port->rx(there->port, frames, 5)) > 0));
	for (uint32_t i = 5; i < 10; i++)
		CU_ASSERT_EQUAL(send_number(here, WEFT_CLASS_NORMAL, i, 50, 0), 0);
	sides_turn(); /* without rx on the far side */
	for (unsigned int i = 0; i < count; i++)
		check_frame(there, &frames[i]);
	there->on_frame = check_frame;
	CU_ASSERT_TRUE(SIDES_UNTIL(there->got == 10));
	CU_ASSERT_EQUAL(there->wrong, 0);
	part();
}

static void a_sleeper_is_woken_by_what_comes(void)
{
	join();
	there->on_frame = check_frame;
	for (uint32_t i = 0; i < 20; i++) {
		struct pollfd woken = {.fd = weft_worker_fd(there->worker), .events = POLLIN};

		while (!weft_worker_arm(there->worker))
			sides_turn();
		CU_ASSERT_EQUAL(send_number(here, i % WEFT_CLASS_COUNT, i, 30, 0), 0);
		CU_ASSERT_EQUAL(poll(&woken, 1, 20000), 1);
		weft_worker_disarm(there->worker);
		CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(there->got == i + 1));
	}
	CU_ASSERT_EQUAL(there->wrong, 0);
	if (side_driver->caps & WEFT_DRIVER_LOCAL)
		CU_ASSERT_TRUE(side_stats(here).bells_rung >= 20);
	part();
}

const struct conformance_case conformance_frames[] = {
	CONFORMANCE_CASE(every_size_arrives_as_sent_by_send, WEFT_DRIVER_RELIABLE),
	CONFORMANCE_CASE(every_size_arrives_as_sent_in_two_pieces, WEFT_DRIVER_RELIABLE),
	CONFORMANCE_CASE(nothing_at_all_is_a_message_too, WEFT_DRIVER_RELIABLE),
	CONFORMANCE_CASE(each_class_keeps_its_order_and_express_comes_first, WEFT_DRIVER_RELIABLE),
	CONFORMANCE_CASE(a_full_path_takes_fewer_and_goes_on_when_there_is_room, WEFT_DRIVER_RELIABLE),
	CONFORMANCE_CASE(what_is_held_back_goes_out_with_flush, WEFT_DRIVER_RELIABLE),
	CONFORMANCE_CASE(what_is_held_back_goes_out_with_the_next_that_is_not, WEFT_DRIVER_RELIABLE),
	CONFORMANCE_CASE(held_back_frames_of_a_full_path_do_not_block_it, WEFT_DRIVER_RELIABLE),
	CONFORMANCE_CASE(both_ways_at_once, WEFT_DRIVER_RELIABLE),
	CONFORMANCE_CASE(data_stays_until_the_next_rx, WEFT_DRIVER_RELIABLE),
	CONFORMANCE_CASE(a_sleeper_is_woken_by_what_comes, WEFT_DRIVER_RELIABLE | WEFT_DRIVER_WAKES),
	CONFORMANCE_END,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves the ring on its own, both ends in one thread: messages of all sizes arrive whole and in order, also where the
 * positions begin anew after 2^32, and whatever their bytes look like; nothing arrives that was not sent; and a
 * consumer that claims to have read what was never written is found out.
 */
#include "shm/ring.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <weft/random.h>

#define UNITS 256u
#define MESSAGES (UNITS / SHM_LINE_UNITS)

static struct shm_unit units[UNITS];
static struct shm_head head;
static struct shm_stage stage;
static struct shm_tx tx;
static struct shm_rx rx;
static struct weft_random random_;

/* As after many laps of messages of one line, at position start. */
static void set_up(uint32_t start)
{
	memset(units, 0, sizeof units);
	for (uint32_t i = 0; i < UNITS; i += SHM_LINE_UNITS)
		atomic_store_explicit(&units[(start - UNITS + i) % UNITS].start,
				      shm_start(start - UNITS + i, SHM_INLINE, SHM_LINE_UNITS, 48),
				      memory_order_relaxed);
	atomic_store_explicit(&head.position, start, memory_order_relaxed);
	tx = (struct shm_tx){.units = units,
			     .peer_head = &head,
			     .mask = UNITS - 1,
			     .ahead = 32,
			     .tail = start,
			     .head = start,
			     .limit = start};
	rx = (struct shm_rx){.units = units, .own_head = &head, .mask = UNITS - 1, .head = start, .published = start};
	stage.tx = &tx;
	stage.count = 0;
}

enum content { ZEROS, IMITATION };

static void fill(unsigned char *to, uint32_t len_bytes, enum content content, uint32_t position)
{
	memset(to, 0, len_bytes);
	if (content == IMITATION) /* each unit that continues it looks like the sequence of some lap */
		for (uint32_t i = 1, at = 0; at + 4 <= len_bytes; i++, at += SHM_UNIT_BYTES) {
			uint32_t sequence = position + i + 1 + UNITS * (uint32_t)weft_random_below(&random_, 3);

			memcpy(to + at, &sequence, sizeof sequence);
		}
}

/* Each message on its own, or several together as they come. */
enum manner { ALONE, STAGED };

/* Sends one; false when there is no room. */
static bool send_one(const unsigned char *data, uint32_t len_bytes, uint64_t meta, enum manner manner)
{
	if (manner == ALONE) {
		uint32_t end = shm_tx_end(tx.tail, len_bytes);

		if (!shm_tx_within(&tx, end))
			shm_tx_relimit(&tx, end);
		if (shm_tx_within(&tx, end)) {
			shm_copy(shm_tx_begin(&tx, end), data, len_bytes);
			shm_tx_finish(&tx, end, SHM_INLINE, meta, len_bytes);
			return true;
		}
	}
	if (!shm_stage_fits(&stage, &tx, shm_units_for(len_bytes)))
		return false;
	memcpy(shm_stage_data(&stage), data, len_bytes);
	shm_stage_add(&stage, &tx, SHM_INLINE, meta, len_bytes);
	if (manner == ALONE || weft_random_below(&random_, 4) == 0)
		shm_stage_publish(&stage);
	return true;
}

/* Reads one and compares; leaves the header's look to the caller. */
static bool read_one(uint64_t meta, const unsigned char *sent, uint32_t len_bytes)
{
	uint64_t start = shm_rx_start(&rx);
	unsigned char got[SHM_INLINE_MAX + 16];

	if (!shm_rx_ready(&rx, start) || shm_start_kind(start) != SHM_INLINE || shm_start_len(start) != len_bytes ||
	    units[rx.head & rx.mask].meta != meta)
		return false;
	shm_rx_read(&rx, rx.head & rx.mask, got, shm_units_for(len_bytes) - 1);
	rx.head += shm_start_units(start);
	return memcmp(got, sent, len_bytes) == 0;
}

/* Sends up to a ringful of messages of lens[] at random, then reads all. Returns false at the first wrong byte. */
static bool run_round(const uint32_t *lens, unsigned int len_count, enum content content, enum manner manner)
{
	static unsigned char sent[UNITS][SHM_INLINE_MAX];
	uint32_t sent_lens[UNITS], count = 0, limit = 1 + (uint32_t)weft_random_below(&random_, UNITS);

	shm_tx_look(&tx);
	for (; count < limit; count++) {
		sent_lens[count] = lens[weft_random_below(&random_, len_count)];
		fill(sent[count], sent_lens[count], content, tx.tail + stage.count);
		if (!send_one(sent[count], sent_lens[count], count, manner))
			break;
	}
	shm_stage_publish(&stage);
	for (uint32_t i = 0; i < count; i++)
		if (!read_one(i, sent[i], sent_lens[i]))
			return false;
	shm_rx_publish(&rx);
	return !shm_rx_ready(&rx, shm_rx_start(&rx)) && rx.head == tx.tail && count > 0;
}

static void cross(const uint32_t *lens, unsigned int len_count, enum content content)
{
	unsigned int wrong = 0;

	for (uint32_t start = UINT32_MAX - 1203; start < UINT32_MAX - 691; start += SHM_LINE_UNITS) {
		set_up(start);
		for (unsigned int round = 0; round < 40; round++)
			wrong += !run_round(lens, len_count, content, round % 2 ? ALONE : STAGED);
	}
	CU_ASSERT_EQUAL(wrong, 0);
}

static void zeros_of_mixed_sizes_cross_the_end_of_the_count(void)
{
	static const uint32_t lens[] = {40, 240};

	cross(lens, 2, ZEROS);
	cross(lens + 1, 1, ZEROS);
}

static void payloads_that_imitate_sequences_are_never_taken_for_messages(void)
{
	static const uint32_t lens[] = {0, 1, 16, 47, 48, 49, 64, 112, 113, 176, 177, 240};

	cross(lens, 12, IMITATION);
}

static void nothing_is_seen_of_what_is_staged_until_all_of_it_is(void)
{
	static const unsigned char data[64] = {1};

	set_up(UNITS * 7);
	for (unsigned int i = 0; i < 3; i++) {
		memcpy(shm_stage_data(&stage), data, sizeof data);
		shm_stage_add(&stage, &tx, SHM_INLINE, i, sizeof data);
		CU_ASSERT_FALSE(shm_rx_ready(&rx, shm_rx_start(&rx)));
	}
	shm_stage_publish(&stage);
	for (unsigned int i = 0; i < 3; i++)
		CU_ASSERT_TRUE(read_one(i, data, sizeof data));
	/* 3 times 5 units, and one that fills the line */
	CU_ASSERT_EQUAL(rx.head, UNITS * 7 + 16);
	CU_ASSERT_EQUAL(tx.tail, rx.head);
}

static void fill_ring(void)
{
	while (send_one(NULL, 0, 0, ALONE))
		;
}

static void a_head_that_cannot_be_is_found_out(void)
{
	set_up(UINT32_MAX - 43);
	fill_ring();
	CU_ASSERT_EQUAL(shm_tx_room(&tx, 1), 0);
	atomic_store_explicit(&head.position, tx.tail + 1, memory_order_relaxed);
	CU_ASSERT_EQUAL(shm_tx_room(&tx, 1), -1);
	set_up(8);
	fill_ring();
	atomic_store_explicit(&head.position, 7, memory_order_relaxed);
	CU_ASSERT_EQUAL(shm_tx_room(&tx, 1), -1);
}

/* A limit that stayed where it was would lie ahead again once 2^31 units were published together. */
static void after_a_burst_nothing_goes_straight_into_the_ring_without_a_look(void)
{
	unsigned char data[16] = {0};

	set_up(0);
	CU_ASSERT_TRUE(send_one(data, sizeof data, 0, ALONE));
	CU_ASSERT_TRUE(shm_tx_within(&tx, tx.tail + SHM_LINE_UNITS));
	stage.tx = &tx;
	memcpy(shm_stage_data(&stage), data, sizeof data);
	shm_stage_add(&stage, &tx, SHM_INLINE, 1, sizeof data);
	shm_stage_publish(&stage);
	CU_ASSERT_EQUAL(tx.limit, tx.tail);
	CU_ASSERT_FALSE(shm_tx_within(&tx, tx.tail + SHM_LINE_UNITS));
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(zeros_of_mixed_sizes_cross_the_end_of_the_count),
		SUITE_CASE(payloads_that_imitate_sequences_are_never_taken_for_messages),
		SUITE_CASE(nothing_is_seen_of_what_is_staged_until_all_of_it_is),
		SUITE_CASE(after_a_burst_nothing_goes_straight_into_the_ring_without_a_look),
		SUITE_CASE(a_head_that_cannot_be_is_found_out),
	};

	weft_random_seed(&random_, 1);
	return suite_main("shm ring", cases, SUITE_COUNT(cases), argc, argv);
}

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

#define SLOTS 64u

static struct shm_slot slots[SLOTS];
static struct shm_head head;
static struct shm_tx tx;
static struct shm_rx rx;
static struct weft_random random_;

/* As after many laps of messages of one slot, at position start. */
static void set_up(uint32_t start)
{
	memset(slots, 0, sizeof slots);
	for (uint32_t i = 0; i < SLOTS; i++)
		atomic_store_explicit(&slots[(start - SLOTS + i) % SLOTS].sequence, start - SLOTS + i + 1, memory_order_relaxed);
	atomic_store_explicit(&head.position, start, memory_order_relaxed);
	tx = (struct shm_tx){.slots = slots, .peer_head = &head, .mask = SLOTS - 1, .tail = start, .head = start};
	rx = (struct shm_rx){.slots = slots, .own_head = &head, .mask = SLOTS - 1, .head = start, .published = start};
}

/* What message number of len_bytes holds. */
enum content { ZEROS, IMITATION };

static void fill(unsigned char *to, uint32_t len_bytes, enum content content, uint32_t position)
{
	memset(to, 0, len_bytes);
	if (content == IMITATION) /* each slot that continues it looks like the sequence of some lap */
		for (uint32_t i = 1, at = SHM_SLOT_INLINE; at + 4 <= len_bytes; i++, at += SHM_SLOT_BYTES) {
			uint32_t sequence = position + i + 1 + SLOTS * (uint32_t)weft_random_below(&random_, 3);

			memcpy(to + at, &sequence, sizeof sequence);
		}
}

/* Sends up to a ringful of messages of lens[] at random, then reads all. Returns false at the first wrong byte. */
static bool run_round(const uint32_t *lens, unsigned int len_count, enum content content)
{
	static unsigned char sent[SLOTS][SHM_INLINE_MAX];
	uint32_t sent_lens[SLOTS], count = 0, limit = 1 + (uint32_t)weft_random_below(&random_, SLOTS);

	for (; count < limit; count++) {
		uint32_t len = lens[weft_random_below(&random_, len_count)], slot_count = shm_slots_for(len);

		if (shm_tx_room(&tx, slot_count) != 1)
			break;
		fill(sent[count], len, content, tx.tail);
		sent_lens[count] = len;
		shm_tx_write(&tx, NULL, 0, sent[count], len);
		shm_tx_commit(&tx, SHM_INLINE, len, count, slot_count, false);
	}
	for (uint32_t i = 0; i < count; i++) {
		const struct shm_slot *slot = shm_rx_slot(&rx);
		unsigned char got[SHM_INLINE_MAX + 16];

		if (!shm_rx_ready(&rx) || slot->meta != i || slot->kind_len != (SHM_INLINE | sent_lens[i] << 8))
			return false;
		memcpy(got, slot->data, SHM_SLOT_INLINE);
		rx.head += shm_rx_read_rest(&rx, got, shm_slots_for(sent_lens[i]));
		if (memcmp(got, sent[i], sent_lens[i]) != 0)
			return false;
	}
	shm_rx_publish(&rx);
	return !shm_rx_ready(&rx) && rx.head == tx.tail;
}

static void cross(const uint32_t *lens, unsigned int len_count, enum content content)
{
	unsigned int wrong = 0;

	for (uint32_t start = UINT32_MAX - 300; start < UINT32_MAX - 172; start++) {
		set_up(start);
		for (unsigned int round = 0; round < 40; round++)
			wrong += !run_round(lens, len_count, content);
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
	static const uint32_t lens[] = {0, 1, 48, 49, 112, 113, 176, 177, 240};

	cross(lens, 9, IMITATION);
}

static void a_head_that_cannot_be_is_found_out(void)
{
	set_up(UINT32_MAX - 10);
	while (shm_tx_room(&tx, 1) == 1)
		shm_tx_commit(&tx, SHM_INLINE, 0, 0, 1, false);
	atomic_store_explicit(&head.position, tx.tail + 1, memory_order_relaxed);
	CU_ASSERT_EQUAL(shm_tx_room(&tx, 1), -1);
	set_up(7);
	while (shm_tx_room(&tx, 1) == 1)
		shm_tx_commit(&tx, SHM_INLINE, 0, 0, 1, false);
	atomic_store_explicit(&head.position, 6, memory_order_relaxed);
	CU_ASSERT_EQUAL(shm_tx_room(&tx, 1), -1);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(zeros_of_mixed_sizes_cross_the_end_of_the_count),
		SUITE_CASE(payloads_that_imitate_sequences_are_never_taken_for_messages),
		SUITE_CASE(a_head_that_cannot_be_is_found_out),
	};

	weft_random_seed(&random_, 1);
	return suite_main("shm ring", cases, SUITE_COUNT(cases), argc, argv);
}

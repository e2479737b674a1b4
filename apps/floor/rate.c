/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One way through a ring of one-line slots, as fast as it goes: with a shared tail published every so many messages, or
 * with a sequence number in each slot. The consumer gives room back each quarter of the ring.
 */
#include "pair_private.h"

#include <weft/clock.h>
#include <weft/errors.h>

#define SLOTS 1024u
#define BURST_MAX 256u
#define WORDS 8u
#define QUARTER (SLOTS / 4)

/* A look at an empty slot takes the line away from its writer; looking less often lets it finish. */
static inline void relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#endif
}

struct line {
	_Alignas(FLOOR_LINE) uint64_t words[WORDS];
};

struct marked {
	_Alignas(FLOOR_LINE) _Atomic uint64_t sequence;
	uint64_t words[WORDS - 1];
};

struct ring {
	_Alignas(FLOOR_LINE) _Atomic uint64_t tail; /* written by the producer */
	_Alignas(FLOOR_LINE) _Atomic uint64_t head; /* written by the consumer */
	_Alignas(FLOOR_LINE) uint64_t messages;
	uint64_t warmup;
	unsigned int burst;
	_Alignas(FLOOR_LINE) uint64_t start_ticks; /* the consumer's, as the last of the warm-up arrives */
	uint64_t end_ticks, sum;
	union {
		struct line lines[SLOTS];
		struct marked marked[SLOTS];
	};
};

/* Spins until `sequence` has a free slot; head is the caller's copy of the consumer's index. */
static inline void wait_room(struct ring *ring, uint64_t sequence, uint64_t *head)
{
	while (sequence - *head >= SLOTS) {
		/* Pairs with the release in give_room. */
		*head = atomic_load_explicit(&ring->head, memory_order_acquire);
	}
}

static inline void give_room(struct ring *ring, uint64_t taken)
{
	/* Pairs with the acquire in wait_room. */
	if (taken % QUARTER == 0)
		atomic_store_explicit(&ring->head, taken, memory_order_release);
}

static void tail_sender(void *shared)
{
	struct ring *ring = shared;
	uint64_t head = 0, total = ring->warmup + ring->messages, burst = ring->burst, left = burst;

	for (uint64_t i = 0; i < total; i++) {
		uint64_t *words = ring->lines[i % SLOTS].words;

		if (i - head >= SLOTS) {
			/* Full: what is written has to be seen, or both would wait. Pairs with tail_receiver. */
			atomic_store_explicit(&ring->tail, i, memory_order_release);
			left = burst;
			wait_room(ring, i, &head);
		}
		for (unsigned int w = 0; w < WORDS; w++)
			words[w] = i + w;
		if (--left)
			continue;
		/* Pairs with the acquire in tail_receiver. */
		atomic_store_explicit(&ring->tail, i + 1, memory_order_release);
		left = burst;
	}
	/* Pairs with the acquire in tail_receiver. */
	atomic_store_explicit(&ring->tail, total, memory_order_release);
}

static void tail_receiver(void *shared)
{
	struct ring *ring = shared;
	uint64_t tail = 0, sum = 0, warmup = ring->warmup, total = warmup + ring->messages;

	for (uint64_t i = 0; i < total; i++) {
		const uint64_t *words = ring->lines[i % SLOTS].words;

		/* Pairs with the releases in tail_sender. */
		while (i == tail && i == (tail = atomic_load_explicit(&ring->tail, memory_order_acquire)))
			relax();
		for (unsigned int w = 0; w < WORDS; w++)
			sum += words[w];
		give_room(ring, i + 1);
		if (i + 1 == warmup)
			ring->start_ticks = weft_clock_ticks();
	}
	ring->end_ticks = weft_clock_ticks();
	ring->sum = sum;
}

static void marked_sender(void *shared)
{
	struct ring *ring = shared;
	uint64_t head = 0, total = ring->warmup + ring->messages;

	for (uint64_t i = 0; i < total; i++) {
		struct marked *slot = &ring->marked[i % SLOTS];

		wait_room(ring, i, &head);
		for (unsigned int w = 0; w < WORDS - 1; w++)
			slot->words[w] = i + w;
		/* Pairs with the acquire in marked_receiver. */
		atomic_store_explicit(&slot->sequence, i + 1, memory_order_release);
	}
}

static void marked_receiver(void *shared)
{
	struct ring *ring = shared;
	uint64_t sum = 0, warmup = ring->warmup, total = warmup + ring->messages;

	for (uint64_t i = 0; i < total; i++) {
		struct marked *slot = &ring->marked[i % SLOTS];

		/* Pairs with the release in marked_sender. */
		while (atomic_load_explicit(&slot->sequence, memory_order_acquire) != i + 1)
			relax();
		for (unsigned int w = 0; w < WORDS - 1; w++)
			sum += slot->words[w];
		give_room(ring, i + 1);
		if (i + 1 == warmup)
			ring->start_ticks = weft_clock_ticks();
	}
	ring->end_ticks = weft_clock_ticks();
	ring->sum = sum;
}

static uint64_t sum_expected(uint64_t total, uint64_t words)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < total; i++)
		sum += words * i + words * (words - 1) / 2;
	return sum;
}

int floor_rate(const struct floor_opts *opts, unsigned int burst, struct floor_rate *out)
{
	struct floor_opts checked;
	struct ring *ring;
	void *shared;
	uint64_t words = burst ? WORDS : WORDS - 1;
	int err = floor__opts_check(opts, false, 5000000, &checked);

	if (err)
		return err;
	if (burst > BURST_MAX)
		return weft_set_error(WEFT_EINVAL, "floor rate with bursts of %u: use 0 to %u", burst, BURST_MAX);
	if ((err = floor__shared_map(sizeof *ring, &shared)))
		return err;
	ring = shared;
	ring->messages = checked.iterations;
	ring->warmup = checked.warmup ? checked.warmup : 1;
	ring->burst = burst;
	err = floor__pair_run(&checked, burst ? tail_sender : marked_sender, burst ? tail_receiver : marked_receiver,
			      shared);
	if (!err && ring->sum != sum_expected(ring->warmup + ring->messages, words))
		err = weft_set_error(WEFT_EIO, "the floor's ring read other bytes than were written");
	if (!err) {
		out->messages = ring->messages;
		out->seconds = weft_clock_ticks_to_ns(ring->end_ticks - ring->start_ticks) / 1e9;
		out->messages_per_second = (double)out->messages / out->seconds;
		out->bytes_per_second = out->messages_per_second * (double)(words * sizeof(uint64_t));
	}
	floor__shared_unmap(shared, sizeof *ring);
	return err;
}

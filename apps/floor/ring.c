/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Round trips between two spinning processes over a ring of 64 slots each way.
 *
 * A ring slot is as many lines as the message needs: the sequence number first, the payload behind it. The producer
 * writes the payload and then the sequence number with release; the consumer spins on that number alone.
 */
#include "pair_private.h"
#include "timing.h"

#include <weft/errors.h>

#include <string.h>

#define SLOTS 64u
#define PAYLOAD_MAX 4096u

struct slot {
	_Atomic uint64_t sequence;
	uint64_t words[];
};

struct pingpong {
	uint64_t rounds; /* warm-up and counted */
	uint64_t warmup;
	size_t words;  /* payload, in 8 bytes */
	size_t stride; /* of a slot, in bytes */
	uint64_t sum;  /* of what the sender read; makes the reads real, and is checked */
	uint64_t sum_expected;
	unsigned char *there, *back; /* rings */
	uint32_t *spans;
	uint64_t span_count;
};

static inline struct slot *slot_at(unsigned char *ring, size_t stride, uint64_t sequence)
{
	return (struct slot *)(ring + (sequence % SLOTS) * stride);
}

static inline void slot_send(struct slot *slot, size_t words, uint64_t sequence)
{
	for (size_t i = 0; i < words; i++)
		slot->words[i] = sequence + i;
	/* Pairs with the acquire in slot_receive. */
	atomic_store_explicit(&slot->sequence, sequence, memory_order_release);
}

static inline uint64_t slot_receive(struct slot *slot, size_t words, uint64_t sequence)
{
	uint64_t sum = 0;

	/* Pairs with the release in slot_send. */
	while (atomic_load_explicit(&slot->sequence, memory_order_acquire) != sequence)
		;
	for (size_t i = 0; i < words; i++)
		sum += slot->words[i];
	return sum;
}

static void ring_sender(void *shared)
{
	struct pingpong *p = shared;
	struct floor_timing timing;
	size_t words = p->words, stride = p->stride;
	uint64_t sum = 0, warmup = p->warmup, rounds = p->rounds;

	/* A page that is touched for the first time in this process would count as a slow round trip, one in 1024. */
	memset(p->spans, 1, p->span_count * sizeof *p->spans);
	floor_timing_start(&timing, p->spans);
	for (uint64_t i = 1; i <= rounds; i++) {
		slot_send(slot_at(p->there, stride, i), words, i);
		sum += slot_receive(slot_at(p->back, stride, i), words, i);
		floor_timing_mark(&timing);
		if (i == warmup)
			floor_timing_start(&timing, p->spans);
	}
	p->sum = sum;
}

static void ring_receiver(void *shared)
{
	struct pingpong *p = shared;
	size_t words = p->words, stride = p->stride;
	uint64_t sum = 0, expected = 0, rounds = p->rounds;

	for (uint64_t i = 1; i <= rounds; i++) {
		sum += slot_receive(slot_at(p->there, stride, i), words, i);
		slot_send(slot_at(p->back, stride, i), words, i);
	}
	for (uint64_t i = 1; i <= rounds; i++)
		expected += words * i + words * (words - 1) / 2;
	/* The receiver's own sum is checked here, the sender's by the parent. */
	p->sum_expected = sum == expected ? expected : ~expected;
}

/* Lays rings and spans out behind the header, each on pages of its own, and runs the pair. */
static int pingpong_run(const struct floor_opts *opts, size_t payload_bytes, struct weft_histogram *histogram,
			struct floor_latency *out)
{
	size_t stride = (sizeof(struct slot) + payload_bytes + FLOOR_LINE - 1) / FLOOR_LINE * FLOOR_LINE;
	size_t ring_bytes = (SLOTS * stride + 4095) / 4096 * 4096;
	uint64_t spans = opts->iterations > opts->warmup ? opts->iterations : opts->warmup;
	size_t bytes = 4096 + 2 * ring_bytes + spans * sizeof(uint32_t);
	void *shared;
	struct pingpong *p;
	int err = floor__shared_map(bytes, &shared);

	if (err)
		return err;
	p = shared;
	*p = (struct pingpong){.rounds = opts->iterations + opts->warmup, .warmup = opts->warmup, .stride = stride};
	p->words = payload_bytes / sizeof(uint64_t);
	p->there = (unsigned char *)shared + 4096;
	p->back = p->there + ring_bytes;
	p->spans = (uint32_t *)(p->back + ring_bytes);
	p->span_count = spans;
	err = floor__pair_run(opts, ring_sender, ring_receiver, shared);
	if (!err && p->sum != p->sum_expected)
		err = weft_set_error(WEFT_EIO, "the floor's ping-pong read other bytes than were written");
	if (!err)
		err = floor_timing_finish(p->spans, opts->iterations, histogram, out);
	floor__shared_unmap(shared, bytes);
	return err;
}

int floor_ring_pingpong(const struct floor_opts *opts, size_t payload_bytes, struct weft_histogram *histogram,
			struct floor_latency *out)
{
	struct floor_opts checked;
	int err = floor__opts_check(opts, false, 200000, &checked);

	if (err)
		return err;
	if (payload_bytes < 8 || payload_bytes > PAYLOAD_MAX || payload_bytes % 8)
		return weft_set_error(WEFT_EINVAL, "floor ping-pong of %zu bytes: use a multiple of 8 from 8 to %u",
				      payload_bytes, PAYLOAD_MAX);
	return pingpong_run(&checked, payload_bytes, histogram, out);
}

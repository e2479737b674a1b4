/* SPDX-License-Identifier: Apache-2.0 */
#include "channel.h"

#include <stdio.h>
#include <stdlib.h>

#define ITEMS 16384u
#define US UINT64_C(1000)
#define MS UINT64_C(1000000)

/* What is on its way in one direction: a heap by time, then by order. */
struct way {
	struct item {
		uint64_t at_ns, order;
		unsigned int slot;
	} heap[ITEMS];
	unsigned int count;
	uint64_t order;
	unsigned int free_slots[ITEMS];
};

static struct {
	struct channel_opts opts;
	struct weft_random random;
	uint64_t free_at_ns; /* the narrow place */
	uint64_t dark_until_ns;
	struct way there, back;
	struct channel_datagram datagrams[ITEMS];
	struct weft__ack acks[ITEMS];
} channel;

static bool happens(double probability)
{
	return weft_random_unit(&channel.random) < probability;
}

static uint64_t below(uint64_t bound)
{
	return weft_random_below(&channel.random, bound);
}

void channel_opts_random(struct channel_opts *opts, uint64_t seed)
{
	weft_random_seed(&channel.random, ~seed);
	*opts = (struct channel_opts){
		.delay_ns = 10 * US << below(11),
		.bytes_per_us = happens(0.5) ? 1 + (uint32_t)below(100) : 0,
		.queue_bytes = 20000 + (uint32_t)below(100000),
		.loses = happens(0.7) ? weft_random_unit(&channel.random) * 0.3 : 0,
		.doubles = happens(0.5) ? 0.1 : 0,
		.marks = happens(0.3) ? 0.02 : 0,
		.dark = happens(0.3) ? 0.001 : 0,
		.stand_still = happens(0.3) ? 0.01 : 0,
	};
	opts->jitter_ns = happens(0.5) ? below(3 * opts->delay_ns) : 0;
}

static void way_init(struct way *way)
{
	way->count = 0;
	way->order = 0;
	for (unsigned int i = 0; i < ITEMS; i++)
		way->free_slots[i] = i;
}

void channel_init(const struct channel_opts *opts, uint64_t seed)
{
	channel.opts = *opts;
	weft_random_seed(&channel.random, seed);
	channel.free_at_ns = channel.dark_until_ns = 0;
	way_init(&channel.there);
	way_init(&channel.back);
}

static bool is_before(const struct item *one, const struct item *other)
{
	return one->at_ns != other->at_ns ? one->at_ns < other->at_ns : one->order < other->order;
}

static void swap(struct item *one, struct item *other)
{
	struct item kept = *one;

	*one = *other;
	*other = kept;
}

/* Puts something on its way; returns the slot for it. */
static unsigned int push(struct way *way, uint64_t at_ns)
{
	unsigned int i = way->count, slot;

	if (i == ITEMS) {
		fprintf(stderr, "channel: more than %u under way\n", ITEMS);
		abort();
	}
	slot = way->free_slots[i];
	way->heap[way->count++] = (struct item){.at_ns = at_ns, .order = way->order++, .slot = slot};
	for (; i && is_before(&way->heap[i], &way->heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&way->heap[i], &way->heap[(i - 1) / 2]);
	return slot;
}

/* Takes the first that has come by now; false: none. */
static bool pop(struct way *way, uint64_t now_ns, unsigned int *slot)
{
	unsigned int i = 0, child;

	if (!way->count || way->heap[0].at_ns > now_ns)
		return false;
	*slot = way->heap[0].slot;
	way->heap[0] = way->heap[--way->count];
	way->free_slots[way->count] = *slot;
	while ((child = 2 * i + 1) < way->count) {
		if (child + 1 < way->count && is_before(&way->heap[child + 1], &way->heap[child]))
			child++;
		if (!is_before(&way->heap[child], &way->heap[i]))
			break;
		swap(&way->heap[child], &way->heap[i]);
		i = child;
	}
	return true;
}

static bool gets_lost(uint64_t now_ns)
{
	if (happens(channel.opts.dark))
		channel.dark_until_ns = now_ns + below(200 * MS);
	return now_ns < channel.dark_until_ns || happens(channel.opts.loses);
}

static uint64_t flight_ns(void)
{
	return channel.opts.delay_ns + (channel.opts.jitter_ns ? below(channel.opts.jitter_ns) : 0);
}

/* Through the narrow place: when it is behind it; 0: there was no room before it. */
static uint64_t squeeze(uint64_t now_ns, uint32_t len_bytes)
{
	uint64_t wait_ns = channel.free_at_ns > now_ns ? channel.free_at_ns - now_ns : 0;

	if (!channel.opts.bytes_per_us)
		return now_ns;
	if (channel.opts.queue_bytes && wait_ns * channel.opts.bytes_per_us / US > channel.opts.queue_bytes)
		return 0;
	return channel.free_at_ns = now_ns + wait_ns + len_bytes * US / channel.opts.bytes_per_us;
}

void channel_send(uint64_t now_ns, uint32_t len_bytes, struct channel_datagram datagram)
{
	uint64_t through_ns = squeeze(now_ns, len_bytes);

	if (!through_ns || gets_lost(now_ns))
		return;
	datagram.is_marked = happens(channel.opts.marks);
	for (unsigned int copies = 1 + happens(channel.opts.doubles); copies; copies--)
		channel.datagrams[push(&channel.there, through_ns + flight_ns())] = datagram;
}

void channel_acknowledge(uint64_t now_ns, const struct weft__ack *ack)
{
	if (gets_lost(now_ns))
		return;
	for (unsigned int copies = 1 + happens(channel.opts.doubles); copies; copies--)
		channel.acks[push(&channel.back, now_ns + flight_ns())] = *ack;
}

bool channel_next_datagram(uint64_t now_ns, struct channel_datagram *out)
{
	unsigned int slot;

	if (!pop(&channel.there, now_ns, &slot))
		return false;
	*out = channel.datagrams[slot];
	return true;
}

bool channel_next_ack(uint64_t now_ns, struct weft__ack *out)
{
	unsigned int slot;

	if (!pop(&channel.back, now_ns, &slot))
		return false;
	*out = channel.acks[slot];
	return true;
}

uint64_t channel_next_datagram_ns(void)
{
	return channel.there.count ? channel.there.heap[0].at_ns : UINT64_MAX;
}

uint64_t channel_next_ack_ns(void)
{
	return channel.back.count ? channel.back.heap[0].at_ns : UINT64_MAX;
}

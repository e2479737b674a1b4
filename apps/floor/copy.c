/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast one core copies memory, and how fast two pass buffers on that one fills and the other reads, without a copy.
 */
#include "pair_private.h"

#include <weft/clock.h>
#include <weft/errors.h>

#include <string.h>

#define BUFFERS_MAX 64u
#define BYTES_MAX ((size_t)1 << 30)
#define MOVED_BYTES ((uint64_t)2 << 30)
#define HEADER_BYTES 4096u

struct copy {
	_Alignas(FLOOR_LINE) _Atomic uint64_t filled; /* buffers handed over; written by the sender */
	_Alignas(FLOOR_LINE) _Atomic uint64_t taken;  /* buffers read; written by the receiver */
	_Alignas(FLOOR_LINE) uint64_t iterations;
	uint64_t warmup;
	size_t bytes;
	unsigned int buffers;
	uint64_t start_ticks, end_ticks;
	uint64_t sum;
};
_Static_assert(sizeof(struct copy) <= HEADER_BYTES, "buffers start behind the header");

static uint64_t *buffer_at(struct copy *copy, uint64_t index)
{
	return (uint64_t *)((unsigned char *)copy + HEADER_BYTES + index % copy->buffers * copy->bytes);
}

static void copier(void *shared)
{
	struct copy *copy = shared;
	uint64_t total = copy->warmup + copy->iterations;

	memset(buffer_at(copy, 0), 1, copy->bytes);
	copy->start_ticks = weft_clock_ticks();
	for (uint64_t i = 0; i < total; i++) {
		memcpy(buffer_at(copy, 1), buffer_at(copy, 0), copy->bytes);
		/* The copy has to happen each time. */
		__asm__ volatile("" ::: "memory");
		if (i + 1 == copy->warmup)
			copy->start_ticks = weft_clock_ticks();
	}
	copy->end_ticks = weft_clock_ticks();
}

static void filler(void *shared)
{
	struct copy *copy = shared;
	uint64_t total = copy->warmup + copy->iterations;
	size_t words = copy->bytes / sizeof(uint64_t);

	for (uint64_t i = 0; i < total; i++) {
		uint64_t *buffer = buffer_at(copy, i);

		/* Pairs with the release in reader. */
		while (i - atomic_load_explicit(&copy->taken, memory_order_acquire) >= copy->buffers)
			;
		for (size_t w = 0; w < words; w++)
			buffer[w] = i + w;
		/* Pairs with the acquire in reader. */
		atomic_store_explicit(&copy->filled, i + 1, memory_order_release);
	}
}

static void reader(void *shared)
{
	struct copy *copy = shared;
	uint64_t sum = 0, total = copy->warmup + copy->iterations;
	size_t words = copy->bytes / sizeof(uint64_t);

	for (uint64_t i = 0; i < total; i++) {
		const uint64_t *buffer = buffer_at(copy, i);

		/* Pairs with the release in filler. */
		while (atomic_load_explicit(&copy->filled, memory_order_acquire) <= i)
			;
		for (size_t w = 0; w < words; w++)
			sum += buffer[w];
		/* Pairs with the acquire in filler. */
		atomic_store_explicit(&copy->taken, i + 1, memory_order_release);
		if (i + 1 == copy->warmup)
			copy->start_ticks = weft_clock_ticks();
	}
	copy->end_ticks = weft_clock_ticks();
	copy->sum = sum;
}

static uint64_t sum_expected(const struct copy *copy)
{
	uint64_t sum = 0, words = copy->bytes / sizeof(uint64_t);

	for (uint64_t i = 0; i < copy->warmup + copy->iterations; i++)
		sum += words * i + words * (words - 1) / 2;
	return sum;
}

static void rate_of(const struct copy *copy, struct floor_rate *out)
{
	out->messages = copy->iterations;
	out->seconds = weft_clock_ticks_to_ns(copy->end_ticks - copy->start_ticks) / 1e9;
	out->messages_per_second = (double)out->messages / out->seconds;
	out->bytes_per_second = out->messages_per_second * (double)copy->bytes;
}

static int copy_run(const struct floor_opts *opts, size_t bytes, unsigned int buffers, bool alone,
		    struct floor_rate *out)
{
	size_t mapped = HEADER_BYTES + bytes * buffers;
	struct copy *copy;
	void *shared;
	int err = floor__shared_map(mapped, &shared);

	if (err)
		return err;
	copy = shared;
	copy->iterations = opts->iterations;
	copy->warmup = opts->warmup ? opts->warmup : 1;
	copy->bytes = bytes;
	copy->buffers = buffers;
	err = floor__pair_run(opts, alone ? copier : filler, alone ? NULL : reader, shared);
	if (!err && !alone && copy->sum != sum_expected(copy))
		err = weft_set_error(WEFT_EIO, "the floor's reader read other bytes than were written");
	if (!err)
		rate_of(copy, out);
	floor__shared_unmap(shared, mapped);
	return err;
}

static uint64_t iterations_for(size_t bytes)
{
	uint64_t iterations = MOVED_BYTES / bytes;

	if (iterations < 200)
		return bytes > ((size_t)16 << 20) ? 20 : 200;
	return iterations > 1000000 ? 1000000 : iterations;
}

int floor_memcpy(const struct floor_opts *opts, size_t bytes, struct floor_rate *out)
{
	struct floor_opts checked;
	int err;

	if (bytes < FLOOR_LINE || bytes > BYTES_MAX || bytes % FLOOR_LINE)
		return weft_set_error(WEFT_EINVAL, "floor memcpy of %zu bytes: use a multiple of 64 up to 1 GiB",
				      bytes);
	err = floor__opts_check(opts, false, iterations_for(bytes), &checked);
	return err ? err : copy_run(&checked, bytes, 2, true, out);
}

int floor_handover(const struct floor_opts *opts, size_t bytes, unsigned int buffers, struct floor_rate *out)
{
	struct floor_opts checked;
	int err;

	if (bytes < FLOOR_LINE || bytes > BYTES_MAX || bytes % FLOOR_LINE || !buffers || buffers > BUFFERS_MAX)
		return weft_set_error(WEFT_EINVAL,
				      "floor hand-over of %u buffers of %zu bytes: use 1 to %u of a multiple "
				      "of 64 up to 1 GiB",
				      buffers, bytes, BUFFERS_MAX);
	err = floor__opts_check(opts, false, iterations_for(bytes), &checked);
	return err ? err : copy_run(&checked, bytes, buffers, false, out);
}

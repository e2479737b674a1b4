/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bare ping-pong and the placement probe made of it.
 */
#include "floor.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/clock.h>

#define LINE 64
#define LEN_MAX 4096

/* Instead of a sequence number: the last round trip is over. */
#define LAST UINT64_MAX
/* A ping-pong ends after this time, however few round trips it had; a side that hears nothing for so long is alone. */
#define LIMIT_NS UINT64_C(1000000000)
#define ALONE_NS UINT64_C(10000000000)
/* More looks than any round trip takes while both sides run. */
#define LOOKS_MAX 10000

/* Where the states part, in ns for one line back and forth: sibling threads take 70 to 80, cores that share a cache 110
 * to 140, others 400 and more. */
#define NEAR_BELOW_NS 100.0
#define MID_BELOW_NS 250.0

/* The sequence number stands in the first line with the beginning of the payload, as in any good ring. */
struct slot {
	_Atomic uint64_t sequence;
	unsigned char payload[LEN_MAX];
} __attribute__((aligned(LINE)));

struct shared {
	struct slot ping, pong;
	/* What each side read: checked afterwards, and so that no compiler leaves the reading out. */
	uint64_t ping_sum __attribute__((aligned(LINE)));
	uint64_t pong_sum;
};

int floor_pin(int core)
{
	cpu_set_t set;

	if (core < 0)
		return 0;
	CPU_ZERO(&set);
	CPU_SET((unsigned int)core, &set);
	return sched_setaffinity(0, sizeof set, &set);
}

/* Reads every byte, so that every line moves. */
static uint64_t read_payload(const unsigned char *payload, size_t len_bytes)
{
	uint64_t sum = 0, word;
	size_t at;

	for (at = 0; at + 8 <= len_bytes; at += 8) {
		memcpy(&word, payload + at, 8);
		sum += word;
	}
	for (; at < len_bytes; at++)
		sum += payload[at];
	return sum;
}

static void write_payload(unsigned char *payload, size_t len_bytes, uint64_t sequence)
{
	size_t at;

	for (at = 0; at + 8 <= len_bytes; at += 8)
		memcpy(payload + at, &sequence, 8);
	for (; at < len_bytes; at++)
		payload[at] = (unsigned char)sequence;
}

/* What all messages together sum up to. */
static uint64_t sum_expected(size_t len_bytes, uint64_t iterations)
{
	uint64_t sum = 0;

	for (uint64_t i = 1; i <= iterations; i++)
		sum += i * (len_bytes / 8) + (i & 0xff) * (len_bytes % 8);
	return sum;
}

static void put(struct slot *slot, uint64_t sequence, size_t len_bytes)
{
	write_payload(slot->payload, len_bytes, sequence);
	/* release: pairs with the acquire in await(). */
	atomic_store_explicit(&slot->sequence, sequence, memory_order_release);
}

/* The sequence number after `before`; 0 when none comes. A side that has looked so often that the other cannot be running
 * lets it run: on one core for both, or on a busy one, it would spin its time slice away. */
static uint64_t await(struct slot *slot, uint64_t before, unsigned int looks_max)
{
	uint64_t sequence, now_ns, deadline_ns = 0;
	unsigned int looks = 0;

	/* acquire: pairs with the release in put(). */
	while ((sequence = atomic_load_explicit(&slot->sequence, memory_order_acquire)) == before) {
		if (looks++ < looks_max)
			continue;
		sched_yield();
		now_ns = weft_clock_now(weft_clock_real());
		if (!deadline_ns)
			deadline_ns = now_ns + ALONE_NS;
		else if (now_ns > deadline_ns)
			return 0;
	}
	return sequence;
}

static void answer(struct shared *shared, size_t len_bytes, unsigned int looks_max)
{
	uint64_t sum = 0, sequence = 0;

	while ((sequence = await(&shared->ping, sequence, looks_max)) && sequence != LAST) {
		sum += read_payload(shared->ping.payload, len_bytes);
		put(&shared->pong, sequence, len_bytes);
	}
	shared->ping_sum = sum;
}

/* Gives how many round trips there were: all, or as many as there was time for; 0 if the other side is gone. */
static uint64_t ask(struct shared *shared, size_t len_bytes, unsigned int iterations, unsigned int looks_max,
		    struct weft_histogram *out)
{
	uint64_t limit = (uint64_t)((double)LIMIT_NS / weft_clock_ticks_to_ns(1));
	uint64_t sum = 0, done = 0, start = weft_clock_ticks(), before = start;

	while (done < iterations && before - start < limit) {
		uint64_t now;

		put(&shared->ping, done + 1, len_bytes);
		if (!await(&shared->pong, done, looks_max))
			return 0;
		sum += read_payload(shared->pong.payload, len_bytes);
		now = weft_clock_ticks();
		/* The first tenth, of them or of the time, is for warming up. */
		if (++done > iterations / 10 || now - start > limit / 10)
			weft_histogram_record(out, now - before);
		before = now;
	}
	put(&shared->ping, LAST, 0);
	shared->pong_sum = sum;
	return done;
}

struct conversion {
	struct weft_histogram *out;
};

static void to_ns(uint64_t low, uint64_t high, uint64_t count, void *user)
{
	struct conversion *conversion = user;

	weft_histogram_record_many(conversion->out, (uint64_t)(weft_clock_ticks_to_ns((low + high) / 2) + 0.5), count);
}

/* How often to look before the other side is let run. */
static unsigned int looks_between(int core_a, int core_b, const cpu_set_t *allowed)
{
	bool together = core_a >= 0 ? core_a == core_b : CPU_COUNT(allowed) == 1;

	return together ? 0 : LOOKS_MAX;
}

int floor_pingpong(size_t len_bytes, unsigned int iterations, int core_a, int core_b, struct weft_histogram *out)
{
	struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct conversion conversion = {out};
	struct weft_histogram *ticks;
	unsigned int looks_max;
	cpu_set_t before;
	uint64_t done;
	pid_t child;

	if (shared == MAP_FAILED || len_bytes > LEN_MAX)
		return -1;
	if (weft_histogram_open(&ticks) < 0)
		goto no_histogram;
	weft_clock_real(); /* calibrated before the race */
	CPU_ZERO(&before);
	sched_getaffinity(0, sizeof before, &before);
	looks_max = looks_between(core_a, core_b, &before);
	child = fork();
	if (child < 0)
		goto no_child;
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		floor_pin(core_b);
		answer(shared, len_bytes, looks_max);
		_exit(0);
	}
	floor_pin(core_a);
	done = ask(shared, len_bytes, iterations, looks_max, ticks);
	if (!done)
		kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	sched_setaffinity(0, sizeof before, &before);
	if (!done || shared->ping_sum != sum_expected(len_bytes, done) || shared->pong_sum != shared->ping_sum) {
		errno = EIO;
		goto no_child;
	}
	weft_histogram_each(ticks, to_ns, &conversion);
	weft_histogram_close(&ticks);
	munmap(shared, sizeof *shared);
	return 0;
no_child:
	weft_histogram_close(&ticks);
no_histogram:
	munmap(shared, sizeof *shared);
	return -1;
}

double floor_placement(int core_a, int core_b)
{
	struct weft_histogram *histogram;
	double median = 0;

	if (weft_histogram_open(&histogram) < 0)
		return 0;
	if (floor_pingpong(0, 10000, core_a, core_b, histogram) == 0)
		median = (double)weft_histogram_percentile(histogram, 50);
	weft_histogram_close(&histogram);
	return median;
}

enum floor_state floor_state_of(double line_ns)
{
	return line_ns < NEAR_BELOW_NS ? FLOOR_NEAR : line_ns < MID_BELOW_NS ? FLOOR_MID : FLOOR_FAR;
}

const char *floor_state_name(enum floor_state state)
{
	static const char *const names[] = {"near", "mid", "far"};

	return names[state];
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine itself can do, measured with nothing but shared memory and C11 atomics: the limits that figures of
 * weft and of its peers are judged against. Not part of libweft: a static library for the `weft` command and perf/.
 *
 * Every test forks its processes, pins each to its core, and leaves the caller's own thread, affinity and priority as
 * they are. A test that does not end in time is killed and gives -WEFT_ETIMEDOUT, so nothing here hangs.
 * floor.h has the placement probe and the ping-pong that round trips are held against; this has the other limits.
 * All functions return 0 or a negative code with a sentence in weft_last_error(); out is written only on success.
 * Thread: any, one test at a time (two at once would measure each other).
 */
#ifndef FLOOR_BARE_H
#define FLOOR_BARE_H

#include <weft/histogram.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct floor_opts {
	size_t size;         /* of this struct */
	int receiver_core;   /* answers; default 0 */
	int sender_core;     /* starts, and takes the times; default 1. Equal to receiver_core only for floor_yield */
	uint64_t iterations; /* counted ones; 0 = each test's own default */
	uint64_t warmup;     /* run before and not counted; 0 = a tenth of iterations */
	uint64_t timeout_ns; /* the whole test is killed after this; default 10 s */
};
void floor_opts_init(struct floor_opts *opts, size_t size);

/* All in nanoseconds. Percentiles are within 1.6 %, min, max and mean exact. */
struct floor_latency {
	uint64_t count;
	double min, p50, p90, p99, p999, p9999, max, mean;
};

/*
 * Round trip of a message over two rings of 64 slots: an 8-byte sequence number and the payload of 8 to 4096 bytes
 * (a multiple of 8), which the sender writes and the receiver reads, and answers with another. The best simple thing.
 * Default 200,000 iterations. histogram, which may be NULL, gets each round trip in nanoseconds; borrowed.
 */
int floor_ring_pingpong(const struct floor_opts *opts, size_t payload_bytes, struct weft_histogram *histogram,
			struct floor_latency *out);

struct floor_rate {
	uint64_t messages;
	double seconds, messages_per_second, bytes_per_second;
};
/*
 * One way, 64-byte payloads written and read, in a ring of 1024 slots of one line. The tail is published every `burst`
 * messages (1 to 256); burst 0 puts an 8-byte sequence number into each slot instead, beside 56 bytes of payload.
 * Default 5 million messages.
 */
int floor_rate(const struct floor_opts *opts, unsigned int burst, struct floor_rate *out);

/* One core copies `bytes` from one place to another; both stay where the caches put them. Bytes count once. */
int floor_memcpy(const struct floor_opts *opts, size_t bytes, struct floor_rate *out);
/*
 * The sender writes every word of a buffer of `bytes` (a multiple of 64), hands it over by an 8-byte flag, and the
 * receiver reads every word. `buffers` (1 to 64) of them are in turn: with 1 the two wait for each other, with more
 * they overlap. A message is a buffer. Default iterations move 2 GiB, at least 200 buffers.
 */
int floor_handover(const struct floor_opts *opts, size_t bytes, unsigned int buffers, struct floor_rate *out);

enum floor_wake { FLOOR_WAKE_EVENTFD, FLOOR_WAKE_EPOLL, FLOOR_WAKE_FUTEX };
const char *floor_wake_name(enum floor_wake kind);
/*
 * One way, from before the system call that wakes to the sleeper's first instruction after its own: a blocking read of
 * an eventfd, epoll_wait on one, or a futex. The sleeper has slept for gap_ns (default with 0: 200,000) before, which
 * decides how deeply its core is idle. Both times are read from the same counter. Default 5,000 iterations.
 */
int floor_wake(const struct floor_opts *opts, enum floor_wake kind, uint64_t gap_ns, struct weft_histogram *histogram,
	       struct floor_latency *out);

/*
 * Round trip of one cache line between two processes on receiver_core, each calling sched_yield until it is its turn.
 * sender_core is not used. Default 50,000 iterations.
 */
int floor_yield(const struct floor_opts *opts, struct weft_histogram *histogram, struct floor_latency *out);

#endif

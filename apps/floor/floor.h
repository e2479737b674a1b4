/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's own limit, measured: what two processes can do over shared memory with nothing in between. Figures of
 * weft and of others are quoted as multiples of these, taken in the same run.
 */
#ifndef FLOOR_H
#define FLOOR_H

#include <stddef.h>
#include <stdint.h>
#include <weft/histogram.h>

/*
 * How far apart two cores are at the moment, by the round trip of one cache line. On a virtual machine this changes by
 * itself; a figure without the state it was taken in means nothing.
 */
enum floor_state { FLOOR_NEAR, FLOOR_MID, FLOOR_FAR };

/* Median round trip of one line in ns between the cores (10,000 round trips, about 10 ms); 0 on failure. */
double floor_placement(int core_a, int core_b);
enum floor_state floor_state_of(double line_ns);
const char *floor_state_name(enum floor_state state);

/*
 * Bare ping-pong of len_bytes over two one-slot rings between two processes: the payload is written by one side, read by
 * the other, with an 8-byte sequence number, back and forth. Round trips in ns go to histogram, after a tenth of the
 * iterations as warm-up. Where both cannot run at once it takes longer, and ends after a second with the round trips that
 * it had. cores of -1 are not pinned; both on one core yields between looks. 0 or -1 (errno).
 */
int floor_pingpong(size_t len_bytes, unsigned int iterations, int core_a, int core_b, struct weft_histogram *out);

/* The same over two UDP sockets of 127.0.0.1, of at least 8 bytes: what a message over loopback costs by itself. 0 or -1 (errno). */
int floor_datagram_pingpong(size_t len_bytes, unsigned int iterations, int core_a, int core_b,
			    struct weft_histogram *out);

/* Pins the calling thread; negative: does nothing. 0 or -1 (errno). */
int floor_pin(int core);

#endif

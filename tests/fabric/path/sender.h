/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sender whose clock stands still until a test moves it, and what recovery has told it: for tests that speak of single
 * packets. The parcel of a packet is its number + 1.
 */
#ifndef SENDER_H
#define SENDER_H

#include "path/recovery.h"

#define PACKET 1000u
#define MS UINT64_C(1000000)
#define US UINT64_C(1000)
#define SENDER_PACKETS 20000u

struct sender {
	struct weft__recovery recovery;
	uint64_t now_ns;
	unsigned int acked_count, lost_count, undone_count;
	/* By number: how often each was told. */
	unsigned char acked_of[SENDER_PACKETS], lost_of[SENDER_PACKETS], undone_of[SENDER_PACKETS];
};

extern struct sender sender;

/* Begins anew, with CUBIC and the constants of udp. */
void sender_begin(void);
/* And on a path whose round trip takes that long, always. */
void sender_begin_with_rtt(uint64_t rtt_ns);
/* And on one with a queue that stands: what is under way has been waiting there nearly all of its time. */
void sender_begin_with_queue(void);
void sender_end(void);

uint64_t sender_window(void);
/* Sends packets now; returns the first one's number. */
uint64_t sender_send(unsigned int count);
/* The peer acknowledges some. */
int sender_ack_range(uint64_t first, uint64_t last);
int sender_ack(uint64_t number);
/* Time has come, and the port was looked at. */
enum weft__recovery_due sender_due(void);

#endif

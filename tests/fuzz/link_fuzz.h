/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the link fuzzer share: the application on this side, and the peer on the other.
 */
#ifndef LINK_FUZZ_H
#define LINK_FUZZ_H

#include "node/node_private.h"

#define FUZZ_INCARNATION UINT64_C(1000)
#define FUZZ_CHANNELS 2u
#define FUZZ_IDS 4u

struct mock_path;

/* The bytes that say what happens; zeros when they are used up. */
struct fuzz_input {
	const uint8_t *at, *end;
};

struct fuzz_station {
	struct weft_node *node;
	struct weft__station *station;
	struct weft_channel *channels[FUZZ_CHANNELS];
	uint64_t ids[FUZZ_IDS]; /* of the last requests that were sent */
};
extern struct fuzz_station fuzz;

uint8_t fuzz_byte(struct fuzz_input *in);
/* One turn of runner and worker, so much later. */
void fuzz_turn(uint64_t later_ns);

/* ---- link_fuzz_peer.c: steps of the peer ---- */
/* One frame of any kind, some in a row, and what a peer with manners would say. */
void fuzz_say(struct fuzz_input *in);
void fuzz_say_burst(struct fuzz_input *in);
void fuzz_say_right(struct fuzz_input *in);
/* Remembers what can be answered. */
void fuzz_on_sent(const struct mock_path *path, const struct weft_tx_frame *frame);

/* ---- link_fuzz_application.c: steps of the application ---- */
void fuzz_application_begin(struct fuzz_input *in);
/* Closes everything; what is pending ends in the turns to come, at the latest with the paths. */
void fuzz_application_end(void);
/* Nothing is pending any more. */
void fuzz_application_check(void);
/* Senders and what goes over them. */
void fuzz_send(struct fuzz_input *in);
/* Handlers, hooks, posted receives, what is kept. */
void fuzz_receive(struct fuzz_input *in);

#endif

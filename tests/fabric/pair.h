/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two nodes in one process, each with a worker that the test turns, joined over shared memory; one channel with a sender
 * from the first to the second.
 */
#ifndef PAIR_H
#define PAIR_H

#include "patience.h"

#include <weft/weft.h>

struct pair {
	struct weft_node *near, *far;
	struct weft_worker *near_worker, *far_worker;
	struct weft_channel *near_channel, *far_channel;
	struct weft_sender *sender; /* near to far; NULL until pair_connect */
	unsigned int events[8];     /* of the sender, by weft_sender_event */
	int cause;                  /* of its last event */
};

/* Opens nodes and channels (opts NULL: the defaults). The test's names are unlike those of other processes. */
void pair_open(struct pair *pair, const struct weft_channel_opts *opts);
/* The same with links that are closed after idle_ns without traffic, or with limits for links and channels. */
void pair_open_idle(struct pair *pair, const struct weft_channel_opts *opts, uint64_t idle_ns);
void pair_open_limited(struct pair *pair, unsigned int links_max, unsigned int channels_max);
/* The same over fault+shm, with faults on either side (NULL: none). */
void pair_open_faults(struct pair *pair, const struct weft_channel_opts *opts, const char *near_faults,
		      const char *far_faults);
/* The same with nodes that may have so much memory. */
void pair_open_memory(struct pair *pair, const struct weft_channel_opts *opts, size_t memory_max_bytes);
/* What opening a node says to these options, which get a name and no workers of its own; it is closed again. */
int pair_try(struct weft_node_opts *opts);
/* Posts messages that do nothing until it takes no more. */
void pair_fill_mailbox(struct weft_worker *worker);
/* Opens the sender and waits until it is ready; far must have somewhere to deliver to. */
void pair_connect(struct pair *pair);
void pair_close(struct pair *pair);
/* Whether they are joined over a network (environment PAIR_NET): then what is lent is free again when it has arrived. */
bool pair_is_apart(void);
/* One turn of each worker that is open. */
void pair_turn(struct pair *pair);

/* Turns both until the condition holds. */
#define PAIR_UNTIL(pair, condition) PATIENCE_UNTIL(pair_turn(pair), condition)

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer that says whatever the test wants: the bare driver, connected to a node as if it were one, without any of the
 * fabric's manners.
 */
#ifndef STRANGER_H
#define STRANGER_H

#include "drivers/conformance/side.h"
#include "patience.h"
#include "wire/meta.h"

#include <weft/weft.h>

#define STRANGER_KINDS 32
#define STRANGER_LANES 64

struct stranger {
	struct side side;
	struct side_end *end;
	struct weft_node *node; /* whom it talks to, on the node's only worker */
	struct weft_worker *worker;
	char name[48];
	unsigned int heard[STRANGER_KINDS]; /* frames by weft__kind */
	uint64_t last[STRANGER_KINDS];      /* the meta of the last such frame */
	uint32_t limits[STRANGER_LANES];    /* of each lane: how many messages it has credit for */
};

/* Opens a node with such options (its name and workers are the fixture's), and the stranger, and connects to it. */
void stranger_open(struct stranger *stranger, struct weft_node_opts *opts);
void stranger_close(struct stranger *stranger);
/* Another one, called which, connects to the same node; close it before the first. */
void stranger_join(struct stranger *stranger, const struct stranger *first, const char *which);
void stranger_part(struct stranger *stranger);
/* Of a crowd whose first one is open: those from first to before end join, and each opens so many lanes on "test". */
void stranger_crowd_join(struct stranger *crowd, unsigned int first, unsigned int end, unsigned int lanes_each);
/* All count of them part, and nobody broke the protocol. */
void stranger_crowd_end(struct stranger *crowd, unsigned int count);
/* Connects (once more). */
void stranger_connect(struct stranger *stranger);
/* Closes its path in good order. */
void stranger_leave(struct stranger *stranger);
void stranger_turn(struct stranger *stranger);

/* Says something in a class; false when the ring is full or the path is gone. */
bool stranger_say(struct stranger *stranger, enum weft_class class_, uint64_t meta, const void *data, size_t len_bytes);
/* A frame of idle.c, in one class and in both. */
bool stranger_idle(struct stranger *stranger, enum weft__kind kind, enum weft_class class_, uint32_t round);
void stranger_idle_both(struct stranger *stranger, enum weft__kind kind, uint32_t round);
/* Opens a lane to a channel of the node. */
void stranger_open_lane(struct stranger *stranger, uint16_t id, const char *channel);
/* Grants much credit on a lane that the node has opened. */
void stranger_grant(struct stranger *stranger, uint64_t lane_open_meta);

/* What the node says of itself. */
struct weft_node_stats stranger_node_stats(const struct stranger *stranger);

/* Turns both until the condition holds. */
#define STRANGER_UNTIL(stranger, condition) PATIENCE_UNTIL(stranger_turn(stranger), condition)

#endif

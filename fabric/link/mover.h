/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of links that outlive their path: move.c, resume.c.
 */
#ifndef MOVER_H
#define MOVER_H

#include "link/link.h"
#include "link/retain.h"

/* What a lane has sent and its receiver has not confirmed. */
struct weft__kept {
	struct weft_list link; /* of the mover, when the lane has been closed */
	struct weft__retained retained;
	uint32_t generation;
	uint16_t id;
	uint8_t class_;
	bool closes; /* as soon as all of it has been sent again, so is its close */
};

struct weft__mover {
	bool connects;            /* it is ours to find another path */
	uint8_t at_way, best_way; /* that the link is on, and that it has been on */
	uint8_t tried, probed;    /* ways: since it broke; and of the better ones */
	uint64_t again_ns, back_ns;
	uint64_t arrived_ns;     /* when it last was on a path again */
	struct weft_timer over;  /* the peer cannot be reached */
	struct weft_timer again; /* the next try: of any way, or of a better one */
	/* the exchange: what is said and heard on the path that is new */
	bool under_way;
	bool told, heard, granted; /* our list; the peer's; that it has ours */
	bool grants;               /* that we have the peer's is to be told */
	bool anew;                 /* what the peer lacks is being sent */
	uint8_t told_count;        /* lanes that were looked at for our list */
	uint64_t has;              /* bits: our lanes that the peer has */
	struct weft__resume_lane theirs[WEFT__LINK_LANES];
	struct weft_list leaving; /* struct weft__kept of lanes that have been closed */
	uint64_t closed;          /* bits: of the peer's lanes, those whose end it is to be told of */
	uint32_t closed_generation[WEFT__LINK_LANES];
};

/* NULL without memory. */
struct weft__kept *weft__kept_new(void);
/* Sets it to NULL; NULL is as good. */
void weft__kept_free(struct weft__kept **kept);

/* The exchange begins on the link's path. */
void weft__resume_begin(struct weft__link *link);
/* Says that there is no such link here. */
void weft__resume_refuse(struct weft_path *path);
/* All that the peer lacked has been sent again. */
void weft__move_arrived(struct weft__link *link);

#endif

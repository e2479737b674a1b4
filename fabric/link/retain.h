/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a lane has sent and its receiver has not confirmed, where paths may change: small messages as copies, lent ones
 * with a reference to their buffer. As much as the lane's credit allows for, since nothing beyond is sent; in buffers of
 * the station's pool.
 */
#ifndef RETAIN_H
#define RETAIN_H

#include <weft/driver.h>

struct weft__station;

/* One lane's. */
struct weft__retained {
	struct weft_list pieces;            /* oldest first */
	struct weft__retained_piece *again; /* where the sending anew stands; NULL: nothing is to be sent anew */
	uint32_t again_at;
};

void weft__retained_init(struct weft__retained *retained);
/* Whether this frame can be retained, so that weft__retain does not fail: 0, or -WEFT_EAGAIN, -WEFT_ENOMEM. */
int weft__retain_room(struct weft__station *station, struct weft__retained *retained,
		      const struct weft_tx_frame *frame);
/* Keeps a frame that the driver has taken; there is room. */
void weft__retain(struct weft__retained *retained, const struct weft_tx_frame *frame);
/* The receiver has all messages before this one. */
void weft__retained_confirm(struct weft__retained *retained, uint32_t sequence);
void weft__retained_drop(struct weft__retained *retained);
static inline bool weft__retained_any(const struct weft__retained *retained)
{
	return !weft_list_empty(&retained->pieces);
}

/* ---- sending anew ---- */

/* From the first one on. */
void weft__retained_rewind(struct weft__retained *retained);
/* The next frame that is to be sent anew, until weft__retained_sent; false: there is none. */
bool weft__retained_next(const struct weft__retained *retained, struct weft_tx_frame *out);
void weft__retained_sent(struct weft__retained *retained);

#endif

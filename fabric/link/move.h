/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links that outlive their path. When it breaks while the peer lives, whoever made it looks for another way to the same
 * incarnation; both say what they have of each other's lanes (WEFT__RESUME), and each sends again what the other lacks.
 * Messages arrive once and in order, as if nothing had been; requests that the peer had already end with
 * -WEFT_EPEERRESET, as their answers may be lost. Later the link goes back to the best way that it has had.
 *
 *   who connected                       the other
 *   hello: WEFT__RESUMES          ->
 *                                 <-    RESUME what I have of your lanes
 *   RESUME what I have of yours   ->
 *                                 <-    RESUME_DONE
 *   RESUME_DONE                   ->    and from then on each sends, first what the other lacks
 *
 * Nothing is sent before the peer is known to have heard the whole list, as frames of different lanes may overtake each
 * other. Only links whose maker knows a way over a network do so; they keep what is not confirmed (retain.h).
 */
#ifndef MOVE_H
#define MOVE_H

#include "link/link.h"

/* Whether who connects to this peer knows a way over a network. Thread: any. */
bool weft__move_knows_ways(const struct weft_node *node, const char *peer_node);
/* The link is up, and its path may be exchanged; connects: it is ours to find another. -WEFT_ENOMEM. */
int weft__move_begin(struct weft__link *link, bool connects);
/* The link ends, or rests: nothing of it is kept any more. */
void weft__move_end(struct weft__link *link);

/* A lane on such a link keeps what is not confirmed. -WEFT_ENOMEM. */
int weft__move_lane_open(struct weft__tx_lane *lane);
/* The lane is closed: what is not confirmed is kept until the peer says that it has closed it, too. */
void weft__move_lane_close(struct weft__tx_lane *lane);
/* The peer has closed one of its lanes, which it is to be told. */
void weft__move_peer_closed(struct weft__link *link, uint16_t id, uint32_t generation);

/* ---- events of the driver; false, or NULL: it is none of a link that goes on ---- */

/* The path is down: true if the link goes on without it. */
bool weft__move_path_down(struct weft__link *link, const struct weft_path *path, enum weft_down_reason reason);
/* The link's own connect has brought another path. */
bool weft__move_connected(struct weft__link *link, struct weft_path *path);
bool weft__move_connect_failed(struct weft__link *link);
/* The peer goes on by this path with a link that it thinks it has: true, also if there is none. */
bool weft__move_accepted(struct weft__station *station, struct weft_path *path, const struct weft__hello *hello);
/* The peer begins anew: a link that waits for it has waited in vain. */
void weft__move_outdated(struct weft__station *station, const struct weft_path *path, const struct weft__hello *hello);

/* ---- in a turn ---- */

/* What the peer says about it: WEFT__RESUME, WEFT__RESUME_DONE, WEFT__LANE_CLOSED. */
void weft__move_receive(struct weft__link *link, const struct weft_rx_frame *frame);
enum weft__move_flush { WEFT__MOVE_NO_ROOM, WEFT__MOVE_WAITS, WEFT__MOVE_GOES_ON };
/* Sends what is due; nothing else may be sent before it says that it goes on. */
enum weft__move_flush weft__move_flush(struct weft__link *link);
/* Whether the link is between two paths, or has yet to send again what the peer lacks. */
bool weft__move_under_way(const struct weft__link *link);

#endif

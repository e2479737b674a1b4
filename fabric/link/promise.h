/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Credit for messages that may have to wait. A lane whose channel has a handler is given credit for all of its window:
 * what comes is gone at once. Where receives are posted, or a place hook is asked, a message may find no taker, and then
 * takes one of the worker's loans; so credit is a promise there, and no more is promised than there are loans.
 */
#ifndef PROMISE_H
#define PROMISE_H

#include "link/link.h"
#include "node/node_private.h"

/* How many messages more its sender may be told of. Promises them. */
uint32_t weft__promise_credit(struct weft__rx_lane *lane);
/* Whether its sender has used so much of what it was told that it is to be told more, and can be. */
bool weft__promise_is_due(struct weft__rx_lane *lane);
/* A message has come. */
void weft__promise_used(struct weft__rx_lane *lane);
/* The lane has got, or lost, its channel, or that its handler. */
void weft__promise_review(struct weft__rx_lane *lane);
/* Whether one that has come may wait: false only where more was promised than there is, since a handler was taken away. */
bool weft__promise_is_kept(const struct weft__rx_lane *lane);
/* The link's messages that wait have become more or fewer. */
void weft__promise_recount(struct weft__link *link);
/* Something came free, of the loans or of a link's share: lanes that have got nothing are to be looked at again. */
static inline void weft__promises_may_feed(struct weft__station *station)
{
	station->feed_left = station->starved_count;
}
/* Looks at some of those: they are told, as far as there is something now. Returns how many. As long as feed_left is not 0
 * it is to be called again. */
unsigned int weft__promises_feed(struct weft__station *station);

#endif

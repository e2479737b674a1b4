/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting a link: the worker asks, the runner does, and what fails is tried again for those who wait.
 * All of it is the worker's.
 */
#ifndef LINK_CONNECT_H
#define LINK_CONNECT_H

#include "link/link.h"

void weft__link_connect_init(struct weft__link *link);
/* Asks the runner to connect it. -WEFT_EAGAIN: the runner has too much to do. */
int weft__link_connect(struct weft__link *link);
/* Tries again in a while: each time in twice as long, until it has been up. */
void weft__link_connect_later(struct weft__link *link);
/* The outcome of its connect is there. */
void weft__link_connect_came(struct weft__link *link);
/* It is up. */
void weft__link_connect_done(struct weft__link *link);
/* The connection has failed or the link has ended: the peer's own is welcome again. */
void weft__link_connect_over(struct weft__link *link);

#endif

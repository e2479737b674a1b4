/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that we began and that are under way or stand, as the runner knows them: when two nodes connect to each
 * other at the same moment, one of the two is enough. The node with the larger incarnation decides: it refuses the
 * other's with -WEFT_EBUSY while it has one of its own, and drops its own where it had accepted the other's before. The
 * other node takes what it is left with.
 */
#ifndef CONNECTING_H
#define CONNECTING_H

#include "node/node_private.h"

/* One connection. Made and freed by the runner; the worker only says that it has come to an end. */
struct weft__connecting;

/* Notes that station connects to peer ("NODE" or "NODE/WORKER"). NULL without memory: both connections then stay. */
struct weft__connecting *weft__connecting_begin(struct weft__station *station, const char *peer);
/* It has failed or ended; harmless with NULL. Thread: any, once. */
void weft__connecting_end(struct weft__connecting *connecting);
/* Whether the station has such a connection to that peer. */
bool weft__connecting_to(struct weft__station *station, const char *peer);
/* Frees what is left; the runner does not run any more. */
void weft__connecting_drop(struct weft_node *node);

#endif

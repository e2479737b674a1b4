/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections under way, as the runner knows them: when two nodes connect to each other at the same moment, one of the
 * two is enough. The one that was begun by the node with the larger incarnation stays; that node refuses the other's
 * with -WEFT_EBUSY, and the other takes the one that comes to it.
 */
#ifndef CONNECTING_H
#define CONNECTING_H

#include "node/node_private.h"

/* One connection under way. Made and freed by the runner; the worker only says that it has come to an end. */
struct weft__connecting;

/* Notes that station connects to peer ("NODE" or "NODE/WORKER"). NULL without memory: both connections then stay. */
struct weft__connecting *weft__connecting_begin(struct weft__station *station, const char *peer);
/* The outcome has come; harmless with NULL. Thread: any, once. */
void weft__connecting_end(struct weft__connecting *connecting);
/* Whether the station is just connecting to that peer. */
bool weft__connecting_to(struct weft__station *station, const char *peer);
/* Frees what is left; the runner does not run any more. */
void weft__connecting_drop(struct weft_node *node);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the runner tells a station's worker. A full mailbox is no reason to wait: its owner may be waiting for the runner,
 * in weft_detach. What finds no room is noted, and told after a while.
 */
#ifndef MAIL_H
#define MAIL_H

#include <weft/worker.h>

struct weft_node;
struct weft__station;

/* One message, with room of its own: whoever it is about holds it, and sends no other before it has arrived. */
struct weft__mail {
	struct weft_list link; /* the node's list of those that found no room */
	struct weft__station *station;
	struct weft_message message;
};

void weft__mail_init(struct weft__mail *mail);
/* Fill in message first. Thread: runner. */
void weft__mail_send(struct weft__station *station, struct weft__mail *mail);

/* For the node: as it is opened, and before its runner is closed. */
void weft__mails_init(struct weft_node *node);
void weft__mails_stop(struct weft_node *node);
/* The station is being closed: nothing is told to it any more. Thread: runner, or it does not run. */
void weft__mails_drop(struct weft__station *station);

#endif

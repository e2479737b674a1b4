/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who sends to a channel: one note when the first lane of a link finds it, one when the last has gone. Notes are told
 * in the worker's turn, in order, after the messages that came before them.
 */
#include "channel/channel_private.h"

#include <stdlib.h>
#include <string.h>

struct weft__note {
	struct weft_list link; /* its view's list */
	enum weft_peer_event event;
	struct weft_peer peer;
	char name[WEFT_NAME_MAX + 1];
};

struct weft__note *weft__note_new(void)
{
	return calloc(1, sizeof(struct weft__note)); /* once a lane */
}

/* Whether another lane of the link is open on the same view. */
static bool is_alone(const struct weft__rx_lane *lane)
{
	for (unsigned int i = 0; i < WEFT__LINK_LANES; i++) {
		const struct weft__rx_lane *other = lane->link->rx_lanes[i];

		if (other && other != lane && other->view == lane->view)
			return false;
	}
	return true;
}

static void queue(struct weft__note *note, const struct weft__rx_lane *lane, enum weft_peer_event event, int cause)
{
	const struct weft__link *link = lane->link;

	note->event = event;
	memcpy(note->name, link->peer_node, sizeof note->name);
	note->peer = (struct weft_peer){
		.name = note->name,
		.incarnation = link->peer_incarnation,
		.pid = link->path ? link->path->peer.pid : 0,
		.uid = link->path ? link->path->peer.uid : UINT32_MAX,
		.role = link->peer_role,
		.cause = cause,
		.channel = lane->view->channel,
		.worker = link->station->worker,
	};
	weft_list_push_back(&lane->view->notes, &note->link);
	link->station->views_due = true;
}

void weft__peer_came(struct weft__rx_lane *lane)
{
	struct weft__note *note;

	if (!lane->view->calls.on_peer || !is_alone(lane))
		return;
	note = weft__note_new();
	if (note)
		queue(note, lane, WEFT_PEER_CAME, 0);
	else
		weft__node_degrade(lane->link->station->node, 0, "no memory to tell that %s sends to channel %s",
				   lane->link->peer, lane->view->channel->name);
}

void weft__peer_gone(struct weft__rx_lane *lane, int cause)
{
	struct weft__note *note = lane->last_note;
	bool left = cause == 0 || cause == -WEFT_ECLOSED;

	lane->last_note = NULL;
	if (lane->view && lane->view->calls.on_peer && is_alone(lane))
		queue(note, lane, left ? WEFT_PEER_LEFT : WEFT_PEER_LOST, cause);
	else
		free(note);
}

void weft__peers_watch(struct weft__view *view)
{
	weft__notes_drop(view);
	if (!view->calls.on_peer)
		return;
	/* Once for each link: for the first of its lanes. */
	WEFT_LIST_FOR_EACH(at, &view->lanes) {
		struct weft__rx_lane *lane = WEFT_CONTAINER_OF(at, struct weft__rx_lane, in_view);
		struct weft__note *note;
		unsigned int first = 0;

		while (!lane->link->rx_lanes[first] || lane->link->rx_lanes[first]->view != view)
			first++;
		if (lane->link->rx_lanes[first] == lane && (note = weft__note_new()))
			queue(note, lane, WEFT_PEER_CAME, 0);
	}
}

unsigned int weft__notes_run(struct weft__view *view, unsigned int max)
{
	unsigned int count = 0;

	while (count < max && !weft_list_empty(&view->notes)) {
		struct weft__note *note = WEFT_CONTAINER_OF(weft_list_pop_front(&view->notes), struct weft__note, link);

		view->calls.on_peer(note->event, &note->peer, view->calls.on_peer_user);
		free(note);
		count++;
	}
	return count;
}

void weft__notes_drop(struct weft__view *view)
{
	while (!weft_list_empty(&view->notes))
		free(WEFT_CONTAINER_OF(weft_list_pop_front(&view->notes), struct weft__note, link));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A channel as one worker sees it: where its messages go, and the lanes that peers opened on it.
 */
#include "channel/channel_private.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct weft__view *weft__view_find(struct weft__station *station, const char *name)
{
	WEFT_LIST_FOR_EACH(at, &station->views) {
		struct weft__view *view = WEFT_CONTAINER_OF(at, struct weft__view, in_station);

		if (strcmp(view->channel->name, name) == 0)
			return view;
	}
	return NULL;
}

bool weft__view_receives(const struct weft__view *view)
{
	return view->calls.handler || view->calls.place || view->posts;
}

/* Lanes that were opened before there was such a channel here. */
static void attach_waiting(struct weft__view *view)
{
	WEFT_LIST_FOR_EACH(at, &view->station->links) {
		struct weft__link *link = WEFT_CONTAINER_OF(at, struct weft__link, in_station);

		for (unsigned int i = 0; i < WEFT__LINK_LANES && link->state == WEFT__LINK_UP; i++) {
			struct weft__rx_lane *lane = link->rx_lanes[i];

			if (lane && !lane->view && strcmp(lane->terms.channel, view->channel->name) == 0)
				weft__rx_lane_attach(lane, view);
		}
	}
}

int weft__view_new(struct weft__station *station, struct weft_channel *channel)
{
	struct weft__view *view = calloc(1, sizeof *view);

	if (!view)
		return weft_set_error(WEFT_ENOMEM, "no memory for channel \"%s\"", channel->name);
	view->channel = channel;
	view->station = station;
	weft_list_init(&view->arrival.link);
	weft_list_init(&view->leaving.link);
	weft_list_init(&view->in_station);
	weft_list_init(&view->lanes);
	weft_list_init(&view->notes);
	weft_list_init(&view->posted);
	weft_list_init(&view->unexpected);
	weft_list_init(&view->senders);
	atomic_fetch_add_explicit(&channel->refs, 1, memory_order_relaxed);
	channel->views[station->index] = view;
	return 0;
}

void weft__view_arrive(struct weft__station *station, struct weft__errand *arrival)
{
	struct weft__view *view = WEFT_CONTAINER_OF(arrival, struct weft__view, arrival);

	view->here = true;
	weft_list_push_back(&station->views, &view->in_station);
	attach_waiting(view);
}

void weft__view_receiving(struct weft__view *view)
{
	if (view->posts)
		return;
	view->posts = true;
	WEFT_LIST_FOR_EACH(at, &view->lanes)
		weft__rx_lane_credit(WEFT_CONTAINER_OF(at, struct weft__rx_lane, in_view), true);
}

/* Ends all that is open on it. */
static void empty(struct weft__view *view)
{
	struct weft__view *next;

	while (!weft_list_empty(&view->senders)) {
		struct weft_sender *sender = WEFT_CONTAINER_OF(view->senders.next, struct weft_sender, in_view);

		weft_sender_close(&sender);
	}
	view->calls.on_peer = NULL;
	weft__notes_drop(view);
	weft__placing_drop(view);
	while (!weft_list_empty(&view->lanes))
		weft__rx_lane_detach(WEFT_CONTAINER_OF(view->lanes.next, struct weft__rx_lane, in_view));
	while (!weft_list_empty(&view->unexpected))
		weft__loan_free(WEFT_CONTAINER_OF(view->unexpected.next, struct weft_loan, link));
	while (!weft_list_empty(&view->posted))
		weft__op_finish(WEFT_CONTAINER_OF(view->posted.next, struct weft_op, link), -WEFT_ECLOSED);
	/* Their callbacks must come before the channel's memory goes. */
	weft__ops_run_finished(view->station, WEFT__OPS);
	weft_list_remove(&view->in_station);
	/* Opened again here, while another thread's close was on its way. */
	next = weft__view_find(view->station, view->channel->name);
	if (next)
		attach_waiting(next);
}

void weft__view_drop(struct weft__view *view)
{
	if (view->here)
		empty(view);
	else
		weft__errand_withdraw(view->station, &view->arrival);
	view->channel->views[view->station->index] = NULL;
	weft__channel_unref(view->channel);
	free(view);
}

void weft__view_leave(struct weft__station *station, struct weft__errand *leaving)
{
	(void)station;
	weft__view_drop(WEFT_CONTAINER_OF(leaving, struct weft__view, leaving));
}

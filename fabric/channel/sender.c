/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Senders: opened, made ready, lost, and the events about that, which are delivered in the worker's turn.
 */
#include "channel/channel_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void weft_sender_opts_init(struct weft_sender_opts *opts, size_t size)
{
	memset(opts, 0, size);
	opts->size = size;
}

static void init_lists(struct weft_sender *sender)
{
	weft_list_init(&sender->in_link);
	weft_list_init(&sender->in_events);
	weft_list_init(&sender->in_blocked);
	weft_list_init(&sender->in_requesters);
	for (unsigned int i = 0; i < WEFT_CHANNEL_LANES_MAX; i++) {
		weft_list_init(&sender->lanes[i].unacked);
		weft_list_init(&sender->lanes[i].dirty);
		weft_list_init(&sender->lanes[i].staged);
		weft_list_init(&sender->lanes[i].in_staged);
	}
}

/* Joins the link to the peer and takes lanes on it. */
static int join_link(struct weft_sender *sender)
{
	struct weft__link *link;
	int rc = weft__link_to(sender->station, sender->peer, &link);

	for (unsigned int i = 0; rc == 0 && i < sender->lane_count; i++) {
		sender->lanes[i].sender = sender;
		sender->lanes[i].class_ = sender->class_;
		rc = weft__tx_lane_open(link, &sender->lanes[i]);
	}
	if (rc < 0) {
		for (unsigned int i = 0; i < sender->lane_count; i++)
			weft__tx_lane_close(&sender->lanes[i], -WEFT_ECLOSED);
		return rc;
	}
	sender->link = link;
	sender->status = -WEFT_EAGAIN;
	weft_list_push_back(&link->senders, &sender->in_link);
	return 0;
}

int weft_sender_open(struct weft_worker *worker, struct weft_channel *channel, const char *peer,
		     const struct weft_sender_opts *opts, struct weft_sender **out)
{
	struct weft__station *station = weft__station_of(worker);
	struct weft__view *view = weft__view_of(station, channel);
	struct weft_sender *sender;
	int rc = weft__node_fork_check(station->node);

	if (rc < 0)
		return rc;
	if (opts && opts->size != sizeof *opts)
		return weft_set_error(WEFT_EINVAL, "sender options of %zu bytes: call weft_sender_opts_init",
				      opts->size);
	if (!peer || strlen(peer) >= sizeof sender->peer)
		return weft_set_error(WEFT_EINVAL, "a peer's name is NODE or NODE/WORKER, each at most %d bytes",
				      WEFT_NAME_MAX);
	if (!view)
		return weft_set_error(WEFT_EINVAL, "channel \"%s\" has not reached this worker: give it a turn first",
				      channel->name);
	sender = calloc(1, sizeof *sender);
	if (!sender)
		return weft_set_error(WEFT_ENOMEM, "no memory for a sender to \"%s\"", peer);
	sender->station = station;
	sender->view = view;
	if (opts)
		sender->opts = *opts;
	strcpy(sender->peer, peer);
	sender->lane_count = channel->opts.lanes;
	sender->lane0 = &sender->lanes[0];
	sender->class_ = weft__class_of(channel->opts.priority);
	sender->delivery = (uint8_t)channel->opts.delivery;
	sender->max_message_bytes = channel->opts.max_message_bytes;
	init_lists(sender);
	rc = join_link(sender);
	if (rc < 0) {
		free(sender);
		return rc;
	}
	weft_list_push_back(&view->senders, &sender->in_view);
	*out = sender;
	return 0;
}

void weft_sender_close(struct weft_sender **sender_ptr)
{
	struct weft_sender *sender = *sender_ptr;

	if (!sender)
		return;
	*sender_ptr = NULL;
	if (weft__node_forked(sender->station->node))
		return;
	weft__requests_end(sender, -WEFT_ECLOSED);
	for (unsigned int i = 0; i < sender->lane_count; i++)
		weft__tx_lane_close(&sender->lanes[i], -WEFT_ECLOSED);
	/* The callbacks of what just ended still know the sender's user; nothing refers to the sender itself. */
	weft_list_remove(&sender->in_link);
	weft_list_remove(&sender->in_view);
	weft_list_remove(&sender->in_events);
	weft_list_remove(&sender->in_blocked);
	weft_list_remove(&sender->in_requesters);
	if (sender->link && sender->link->state == WEFT__LINK_DORMANT && weft_list_empty(&sender->link->senders))
		weft__link_end(sender->link, -WEFT_ECLOSED); /* nobody is left who could wake it */
	free(sender->requests);
	free(sender);
}

int weft_sender_wait(struct weft_sender *sender, uint64_t deadline_ns)
{
	struct weft_worker *worker = sender->station->worker;
	int rc = weft__node_fork_check(sender->station->node);

	if (rc < 0)
		return rc;
	while (sender->status == -WEFT_EAGAIN) {
		if (sender->parked)
			weft__link_wake(sender->link);
		if (weft_clock_now(weft_worker_clock(worker)) >= deadline_ns)
			return weft_set_error(WEFT_ETIMEDOUT, "\"%s\" has not opened channel \"%s\" in time",
					      sender->peer, sender->view->channel->name);
		weft_worker_turn(worker, deadline_ns);
	}
	if (sender->status < 0 && *sender->stranger)
		weft_set_error(sender->status, "no sender to \"%s\": \"%s\" answers at its address", sender->peer,
			       sender->stranger);
	else if (sender->status < 0)
		weft_set_error(sender->status, "no sender to \"%s\": %s", sender->peer,
			       weft_error_text(sender->status));
	return sender->status;
}

int weft_sender_status(const struct weft_sender *sender)
{
	if (weft__node_forked(sender->station->node))
		return -WEFT_EFORK;
	/* Closed for being idle is as good as ready: a send opens it. */
	if (sender->parked && (sender->link->state == WEFT__LINK_DORMANT || sender->link->state == WEFT__LINK_UP))
		return 0;
	return sender->status;
}

const char *weft_sender_stranger(const struct weft_sender *sender)
{
	return *sender->stranger ? sender->stranger : NULL;
}

const char *weft_sender_peer(const struct weft_sender *sender)
{
	return sender->peer;
}

void *weft_sender_user(const struct weft_sender *sender)
{
	return sender->opts.user;
}

/* ---- what happens to it ---- */

void weft__sender_event(struct weft_sender *sender, enum weft_sender_event event, int cause)
{
	unsigned int at = 0;

	while (at < sender->event_count && sender->events[at] != event)
		at++;
	if (at < sender->event_count) { /* the later one counts, or the order would be wrong */
		sender->event_count--;
		memmove(&sender->events[at], &sender->events[at + 1], sender->event_count - at);
	}
	sender->events[sender->event_count++] = (uint8_t)event;
	sender->causes[event] = cause;
	if (event == WEFT_SENDER_WRITABLE)
		sender->wants_writable = false;
	if (weft_list_empty(&sender->in_events))
		weft_list_push_back(&sender->station->events, &sender->in_events);
}

/* Whether the peer has granted credit on each lane. */
static bool lanes_open(const struct weft_sender *sender)
{
	for (unsigned int i = 0; i < sender->lane_count; i++)
		if (!sender->lanes[i].opened)
			return false;
	return true;
}

static void find_quick_max(struct weft_sender *sender)
{
	sender->quick_max = sender->max_message_bytes < sender->inline_max ? (uint32_t)sender->max_message_bytes
									   : sender->inline_max;
}

void weft__sender_limit(struct weft_sender *sender, uint64_t max_message_bytes)
{
	uint64_t ours = sender->view->channel->opts.max_message_bytes;

	sender->max_message_bytes = ours < max_message_bytes ? ours : max_message_bytes;
	find_quick_max(sender);
}

void weft__sender_ready(struct weft_sender *sender)
{
	struct weft__link *link = sender->link;

	if (!link || link->state != WEFT__LINK_UP)
		return;
	sender->path = link->path;
	sender->inline_max = link->path->port->inline_max;
	find_quick_max(sender);
	if (!lanes_open(sender)) {
		weft__link_busy(link);
		return;
	}
	if (sender->status == 0)
		return;
	if (sender->parked) { /* of which the application knows nothing */
		weft__sender_unpark(sender);
		return;
	}
	sender->status = 0;
	*sender->stranger = 0;
	sender->quick = sender->delivery == WEFT_RELIABLE;
	weft__sender_event(sender, WEFT_SENDER_READY, 0);
	if (sender->wants_writable)
		weft__sender_event(sender, WEFT_SENDER_WRITABLE, 0);
}

void weft__sender_park(struct weft_sender *sender)
{
	if (sender->status < 0)
		return;
	sender->parked = true;
	sender->quick = false;
	sender->status = -WEFT_EAGAIN;
}

void weft__sender_unpark(struct weft_sender *sender)
{
	if (!sender->parked || !lanes_open(sender)) /* credit will say when */
		return;
	sender->parked = false;
	sender->status = 0;
	sender->quick = sender->delivery == WEFT_RELIABLE;
	if (sender->wants_writable)
		weft__sender_event(sender, WEFT_SENDER_WRITABLE, 0);
}

void weft__sender_move(struct weft_sender *sender, struct weft__link *to)
{
	int rc = 0;

	weft_list_remove(&sender->in_link);
	sender->link = to;
	weft_list_push_back(&to->senders, &sender->in_link);
	for (unsigned int i = 0; i < sender->lane_count && rc == 0; i++)
		rc = weft__tx_lane_move(&sender->lanes[i], to);
	if (rc < 0)
		weft__sender_lost(sender, rc);
	else
		weft__sender_ready(sender);
}

void weft__sender_lost(struct weft_sender *sender, int cause)
{
	bool was_up = sender->path != NULL || sender->parked;

	weft__requests_end(sender, cause);
	for (unsigned int i = 0; i < sender->lane_count; i++)
		weft__tx_lane_close(&sender->lanes[i], cause);
	weft_list_remove(&sender->in_link);
	weft_list_remove(&sender->in_blocked);
	sender->link = NULL;
	sender->path = NULL;
	sender->quick = false;
	sender->parked = false;
	sender->wants_writable = false;
	sender->status = sender->opts.wait_for_peer ? -WEFT_EAGAIN : cause;
	weft__sender_event(sender, was_up ? WEFT_SENDER_LOST : WEFT_SENDER_FAILED, cause);
}

/* A number that each message sent changes; never 0. */
static uint64_t sequence_of(const struct weft_sender *sender)
{
	uint64_t sum = 1;

	for (unsigned int i = 0; i < sender->lane_count; i++)
		sum += sender->lanes[i].next_sequence;
	return sum;
}

int weft__sender_again(struct weft_sender *sender, bool by_driver)
{
	struct weft__station *station = sender->station;

	station->stats.again++;
	sender->wants_writable = true;
	if (by_driver && weft_list_empty(&sender->in_blocked)) {
		struct weft_list *blocked = &station->blocked[sender->view->channel->opts.priority];

		/* Who was told to try again and found all room taken by others comes first the next time. */
		if (sender->woken_sequence && sender->woken_sequence == sequence_of(sender))
			weft_list_push_front(blocked, &sender->in_blocked);
		else
			weft_list_push_back(blocked, &sender->in_blocked);
		weft__station_retry_soon(station);
	}
	return -WEFT_EAGAIN;
}

/* Waits for its peer again. What lacks for that may be there in a moment. */
static void rejoin(struct weft_sender *sender)
{
	if (join_link(sender) == 0)
		return;
	weft_list_push_back(&sender->station->blocked[sender->view->channel->opts.priority], &sender->in_blocked);
	weft__station_retry_soon(sender->station);
}

void weft__sender_unblock(struct weft_sender *sender)
{
	weft_list_remove(&sender->in_blocked);
	if (!sender->link && sender->opts.wait_for_peer) {
		rejoin(sender);
		return;
	}
	sender->woken_sequence = sequence_of(sender);
	if (sender->wants_writable && sender->status == 0)
		weft__sender_event(sender, WEFT_SENDER_WRITABLE, 0);
}

static void run_event(struct weft_sender *sender)
{
	enum weft_sender_event event = (enum weft_sender_event)sender->events[0];

	/* One at a time: its callback may close the sender. */
	weft_list_remove(&sender->in_events);
	memmove(&sender->events[0], &sender->events[1], --sender->event_count);
	if (sender->event_count)
		weft_list_push_back(&sender->station->events, &sender->in_events);
	if (event >= WEFT_SENDER_LOST && !sender->link && sender->opts.wait_for_peer)
		rejoin(sender);
	if (sender->opts.on_event)
		sender->opts.on_event(sender, event, sender->causes[event], sender->opts.user);
}

unsigned int weft__senders_run_events(struct weft__station *station, unsigned int max)
{
	unsigned int count = 0;

	while (count < max && !weft_list_empty(&station->events)) {
		run_event(WEFT_CONTAINER_OF(station->events.next, struct weft_sender, in_events));
		count++;
	}
	return count;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that came in: each is checked against what the peer may send, then handed to its channel or lane.
 */
#include "channel/channel_private.h"
#include "link/link.h"
#include "link/promise.h"
#include "wire/meta.h"

#include <stdlib.h>
#include <string.h>

/* ---- lanes that the peer opened ---- */

uint32_t weft__rx_lane_delivered(const struct weft__rx_lane *lane)
{
	if (weft_list_empty(&lane->unexpected))
		return lane->next_sequence;
	return WEFT_CONTAINER_OF(lane->unexpected.next, struct weft_loan, in_lane)->sequence;
}

/* What was to be told before is of no interest any more, but for a reset. */
static void tell(struct weft__rx_lane *lane, uint8_t what)
{
	lane->to_tell = what;
	if (weft_list_empty(&lane->dirty))
		weft_list_push_back(&lane->link->rx_dirty, &lane->dirty);
	weft__link_busy(lane->link);
}

/* Without a handler it depends on what can be promised: so it is looked at each time, but for bytes. */
static __attribute__((noinline)) void credit_due(struct weft__rx_lane *lane, bool in_any_case)
{
	if (in_any_case || lane->view->calls.handler || weft__promise_is_due(lane))
		tell(lane, WEFT__CREDIT);
}

void weft__rx_lane_credit(struct weft__rx_lane *lane, bool now)
{
	/* What was given back; negative differences wrap, so they are looked at as such. */
	uint32_t messages = lane->next_sequence - lane->held_messages;
	uint64_t bytes = lane->received_bytes - lane->held_bytes;

	if (__builtin_expect(now || (int32_t)(messages - lane->credit_sequence) >= 0 ||
				     (int64_t)(bytes - lane->credit_bytes) >= 0,
			     0) &&
	    lane->view)
		credit_due(lane, now || (int64_t)(bytes - lane->credit_bytes) >= 0);
}

void weft__rx_lane_attach(struct weft__rx_lane *lane, struct weft__view *view)
{
	uint64_t ours = view->channel->opts.max_message_bytes, theirs = lane->terms.max_message_bytes;
	uint64_t max_message_bytes = ours < theirs ? ours : theirs;

	if (max_message_bytes > lane->max_message_bytes)
		lane->max_message_bytes = max_message_bytes;
	lane->view = view;
	lane->origin = (struct weft__rx_origin){lane->link->peer_node, lane->link->peer_incarnation, view->channel,
						lane->link->station->worker};
	weft_list_push_back(&view->lanes, &lane->in_view);
	weft__promise_review(lane);
	if (weft__view_receives(view))
		tell(lane, WEFT__CREDIT);
	else
		tell(lane, WEFT__LANE_WAITING);
	weft__peer_came(lane);
}

void weft__rx_lane_detach(struct weft__rx_lane *lane)
{
	while (!weft_list_empty(&lane->unexpected))
		weft__loan_free(WEFT_CONTAINER_OF(lane->unexpected.next, struct weft_loan, in_lane));
	weft_list_remove(&lane->in_view);
	lane->view = NULL;
	weft__promise_review(lane);
	lane->reset_due = true;
	tell(lane, 0);
}

void weft__rx_lane_free(struct weft__rx_lane *lane, int cause)
{
	struct weft__link *link = lane->link;

	/* What has come stays for whoever will take it, though its sender is gone. */
	while (!weft_list_empty(&lane->unexpected)) {
		struct weft_loan *loan = WEFT_CONTAINER_OF(weft_list_pop_front(&lane->unexpected), struct weft_loan,
							   in_lane);

		loan->lane = NULL;
		link->waiting_closed += loan->waits;
		weft_list_push_back(loan->waits ? &link->station->orphans : &link->station->kept, &loan->in_lane);
	}
	weft__loans_forget_lane(link->station, lane);
	weft_list_remove(&lane->in_view);
	weft__peer_gone(lane, cause);
	lane->view = NULL;
	weft__promise_review(lane);
	weft_list_remove(&lane->dirty);
	link->rx_lanes[lane->id] = NULL;
	free(lane);
}

static void lane_open(struct weft__link *link, const struct weft_rx_frame *frame)
{
	uint16_t id = weft__meta_lane(frame->meta);
	struct weft__rx_lane *lane;
	struct weft__view *view;

	if (id >= WEFT__LINK_LANES || link->rx_lanes[id]) {
		weft__link_violation(link, "a lane opened twice or out of range");
		return;
	}
	lane = calloc(1, sizeof *lane); /* once a lane, never for a message */
	if (!lane || !(lane->last_note = weft__note_new())) {
		free(lane);
		weft__link_violation(link, "no memory for its lane");
		return;
	}
	if (weft__lane_terms_decode(frame->data, frame->len_bytes, &lane->terms) < 0) {
		free(lane->last_note);
		free(lane);
		weft__link_violation(link, "malformed terms of a lane");
		return;
	}
	lane->id = id;
	lane->generation = weft__meta_sequence(frame->meta);
	lane->link = link;
	weft_list_init(&lane->unexpected);
	weft_list_init(&lane->starved);
	weft_list_init(&lane->in_view);
	weft_list_init(&lane->dirty);
	link->rx_lanes[id] = lane;
	view = weft__view_find(link->station, lane->terms.channel);
	if (view)
		weft__rx_lane_attach(lane, view);
	else
		tell(lane, WEFT__LANE_WAITING);
}

static void lane_close(struct weft__link *link, const struct weft_rx_frame *frame)
{
	uint16_t id = weft__meta_lane(frame->meta);

	if (id >= WEFT__LINK_LANES || !link->rx_lanes[id])
		weft__link_violation(link, "a lane closed that was not open");
	else
		weft__rx_lane_free(link->rx_lanes[id], 0);
}

/* ---- messages ---- */

static void drop(const struct weft_rx_frame *frame)
{
	if (frame->loan_data)
		frame->path->port->release(frame->path, frame->loan_id);
}

/* Takes the parts of the head that flags and kind say, and leaves the payload in rx. */
static inline bool parse_head(struct weft_rx *rx, const struct weft_rx_frame *frame, unsigned int flags,
			      bool has_request_id)
{
	const char *at = frame->data;
	size_t left = frame->len_bytes;

	rx->has_header = flags & WEFT__HAS_HEADER;
	rx->is_request = has_request_id;
	rx->tag = rx->immediate = 0;
	if (__builtin_expect(rx->has_header, 0)) {
		if (left < WEFT__HEADER_BYTES)
			return false;
		memcpy(&rx->tag, at, 8);
		memcpy(&rx->immediate, at + 8, 8);
		at += WEFT__HEADER_BYTES;
		left -= WEFT__HEADER_BYTES;
	}
	if (has_request_id) {
		if (left < WEFT__REQUEST_ID_BYTES)
			return false;
		memcpy(&rx->reserved[WEFT__RX_REQUEST_ID], at, 8);
		at += WEFT__REQUEST_ID_BYTES;
		left -= WEFT__REQUEST_ID_BYTES;
	}
	if (frame->loan_data) {
		rx->data = frame->loan_data;
		rx->len_bytes = frame->loan_len_bytes;
		return left == 0;
	}
	rx->data = at;
	rx->len_bytes = left;
	return true;
}

_Static_assert(offsetof(struct weft_rx, worker) - offsetof(struct weft_rx, peer) ==
		       offsetof(struct weft__rx_origin, worker),
	       "the origin stands in weft_rx as it stands in the lane");

/* To the handler at once, if nobody has a say before it. */
static inline void deliver(struct weft__rx_lane *lane, struct weft_rx *rx, const struct weft_rx_frame *frame)
{
	struct weft__link *link = lane->link;
	struct weft__view *view = lane->view;

	memcpy((void *)&rx->peer, &lane->origin, sizeof lane->origin);
	rx->reserved[WEFT__RX_LANE] = (uintptr_t)lane;
	rx->reserved[WEFT__RX_FRAME] = (uintptr_t)frame;
	rx->reserved[WEFT__RX_STATE] = 0;
	rx->reserved[WEFT__RX_LINK] = (uintptr_t)link;
	rx->reserved[WEFT__RX_LOAN] = 0;
	if (__builtin_expect(view->calls.handler && !view->calls.place && weft_list_empty(&view->posted), 1))
		view->calls.handler(rx, view->calls.handler_user);
	else
		weft__deliver(lane, rx, frame);
	if (frame->loan_data && !(rx->reserved[WEFT__RX_STATE] & WEFT__RX_BORROWED))
		frame->path->port->release(frame->path, frame->loan_id);
}

/* Whether the message is within the bytes of its credit, or the one that may exceed them. */
static inline bool bytes_allowed(const struct weft__rx_lane *lane, size_t len_bytes)
{
	return __builtin_expect(lane->received_bytes + len_bytes <= lane->limit_bytes, 1) ||
	       (lane->any_size && lane->any_sequence == lane->next_sequence);
}

static inline __attribute__((always_inline)) void receive_message(struct weft__link *link,
								  const struct weft_rx_frame *frame, bool is_request)
{
	uint16_t id = weft__meta_lane(frame->meta);
	struct weft__rx_lane *lane = id < WEFT__LINK_LANES ? link->rx_lanes[id] : NULL;
	unsigned int flags = weft__meta_flags(frame->meta);
	struct weft_rx rx;

	if (__builtin_expect(!lane || weft__meta_sequence(frame->meta) != lane->next_sequence ||
				     (int32_t)(lane->limit_sequence - lane->next_sequence) <= 0 ||
				     !parse_head(&rx, frame, flags, is_request) ||
				     rx.len_bytes > lane->max_message_bytes || !bytes_allowed(lane, rx.len_bytes),
			     0)) {
		drop(frame);
		weft__link_violation(link, "a message out of sequence, beyond its credit, too long or malformed");
		return;
	}
	lane->next_sequence++;
	lane->received_bytes += rx.len_bytes;
	link->station->stats.received_messages++;
	link->station->stats.received_bytes += rx.len_bytes;
	if (__builtin_expect(!lane->view, 0)) {
		drop(frame); /* sent before the sender could know that the channel was closed */
		return;
	}
	deliver(lane, &rx, frame);
	if (link->state == WEFT__LINK_UP)
		weft__rx_lane_credit(lane, flags & WEFT__ACK_NOW);
}

static __attribute__((noinline)) void receive_request(struct weft__link *link, const struct weft_rx_frame *frame)
{
	receive_message(link, frame, true);
}

/* Whatever is no message. */
static __attribute__((noinline)) void receive_other(struct weft__link *link, const struct weft_rx_frame *frame)
{
	unsigned int kind = weft__meta_kind(frame->meta);

	if (frame->loan_data) {
		drop(frame);
		weft__link_violation(link, "control with a loan");
		return;
	}
	switch (kind) {
	case WEFT__LANE_OPEN:
		lane_open(link, frame);
		break;
	case WEFT__LANE_CLOSE:
		lane_close(link, frame);
		break;
	case WEFT__LANE_WAITING:
		weft__tx_waiting(link, frame);
		break;
	case WEFT__LANE_RESET:
		weft__tx_reset(link, frame);
		break;
	case WEFT__CREDIT:
		weft__tx_credit(link, frame);
		break;
	case WEFT__IDLE_ASK:
	case WEFT__IDLE_YES:
	case WEFT__IDLE_NO:
	case WEFT__IDLE_OFF:
	case WEFT__IDLE_CLOSE:
		weft__idle_receive(link, frame);
		break;
	default:
		weft__link_violation(link, "a frame of unknown kind");
	}
}

void weft__link_receive(struct weft__link *link, const struct weft_rx_frame *frame)
{
	unsigned int kind = weft__meta_kind(frame->meta);

	if (__builtin_expect(kind == WEFT__DATA, 1))
		receive_message(link, frame, false);
	else if (kind == WEFT__REQUEST)
		receive_request(link, frame);
	else if (kind == WEFT__REPLY)
		weft__request_reply(link, frame);
	else
		receive_other(link, frame);
}

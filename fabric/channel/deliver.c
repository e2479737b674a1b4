/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a frame to the application: a place hook is asked first, then posted receives, then the handler; what nothing
 * takes waits in the order of its arrival, inside its sender's window.
 */
#include "channel/channel_private.h"
#include "link/promise.h"

#include <string.h>

static bool tag_fits(const struct weft_op *op, uint64_t tag)
{
	return (tag & op->as.posted.mask) == (op->as.posted.tag & op->as.posted.mask);
}

static struct weft_op *find_posted(struct weft__view *view, uint64_t tag)
{
	WEFT_LIST_FOR_EACH(at, &view->posted) {
		struct weft_op *op = WEFT_CONTAINER_OF(at, struct weft_op, link);

		if (tag_fits(op, tag))
			return op;
	}
	return NULL;
}

static struct weft_received received_of(const struct weft_rx *rx, void *buffer)
{
	return (struct weft_received){
		.data = buffer,
		.len_bytes = rx->len_bytes,
		.tag = rx->tag,
		.immediate = rx->immediate,
		.peer = rx->peer,
		.peer_incarnation = rx->peer_incarnation,
	};
}

/* Copies a message to where it belongs and tells; len_bytes is the room there. */
static void copy_to(struct weft__station *station, const struct weft_rx *rx, void *buffer, size_t len_bytes,
		    struct weft_op *op, weft_recv_fn *done, void *user)
{
	struct weft_received received = received_of(rx, buffer);
	size_t copied = rx->len_bytes < len_bytes ? rx->len_bytes : len_bytes;

	if (copied) /* else there may be no buffer */
		memcpy(buffer, rx->data, copied);
	station->stats.copied_messages++;
	station->stats.copied_bytes += copied;
	if (done)
		done(op, copied < rx->len_bytes ? -WEFT_ETRUNCATED : 0, &received, user);
}

/* Copies a large message in pieces, in the turns to come, if it may stay where it is until then. */
static bool place_later(struct weft_op *op, struct weft__rx_lane *lane, struct weft_rx *rx,
			const struct weft_rx_frame *frame)
{
	struct weft_loan *loan;

	if (!frame->loan_data || !weft__is_large(rx->len_bytes) || !weft__loans_spare(op->station) ||
	    !(loan = weft__message_hold(lane, rx, frame)))
		return false;
	weft__placing_begin(op, loan);
	return true;
}

static void complete_posted(struct weft_op *op, struct weft__rx_lane *lane, struct weft_rx *rx,
			    const struct weft_rx_frame *frame)
{
	weft_list_remove(&op->link);
	if (place_later(op, lane, rx, frame))
		return;
	copy_to(op->station, rx, op->as.posted.buffer, op->as.posted.len_bytes, op, op->as.posted.done, op->user);
	weft__op_put(op);
}

/* As place_later, for where the hook said. */
static bool place_hooked_later(struct weft__rx_lane *lane, struct weft_rx *rx, const struct weft_rx_frame *frame,
			       const struct weft_placement *placement)
{
	struct weft_op *op;

	if (!frame->loan_data || !weft__is_large(rx->len_bytes) ||
	    !(op = weft__op_get(lane->link->station, WEFT__OP_PLACING)))
		return false;
	op->user = placement->user;
	op->as.posted.view = lane->view;
	op->as.posted.buffer = placement->buffer;
	op->as.posted.len_bytes = rx->len_bytes;
	op->as.posted.done = placement->done;
	op->as.posted.stream = placement->stream;
	op->as.posted.by_hook = true;
	if (place_later(op, lane, rx, frame))
		return true;
	weft__op_put(op);
	return false;
}

/* Puts all of the message where the hook said. */
static void place_now(struct weft__view *view, const struct weft_rx *rx, const struct weft_placement *placement)
{
	struct weft_received received;

	if (!placement->stream) {
		copy_to(view->station, rx, placement->buffer, rx->len_bytes, NULL, placement->done, placement->user);
		return;
	}
	weft__stream_now(rx, placement->stream, placement->user);
	received = received_of(rx, NULL);
	if (placement->done)
		placement->done(NULL, 0, &received, placement->user);
}

/* True when the hook has dealt with the message. */
static bool place(struct weft__rx_lane *lane, struct weft_rx *rx, const struct weft_rx_frame *frame)
{
	struct weft__view *view = lane->view;
	struct weft_placement placement = {0};
	int rc = view->calls.place(rx, rx->len_bytes, &placement, view->calls.place_user);

	if (rc == -WEFT_EAGAIN)
		return false;
	if (rc == 0 && !place_hooked_later(lane, rx, frame, &placement))
		place_now(view, rx, &placement);
	return true;
}

struct weft_loan *weft__message_hold(struct weft__rx_lane *lane, struct weft_rx *rx, const struct weft_rx_frame *frame)
{
	struct weft_loan *loan;

	if (weft__loan_of_frame(lane->link, lane, rx, frame, &loan) < 0)
		return NULL;
	rx->reserved[WEFT__RX_STATE] |= WEFT__RX_KEPT;
	loan->tag = rx->tag;
	loan->immediate = rx->immediate;
	loan->has_header = rx->has_header;
	loan->is_request = rx->is_request;
	loan->request_id = rx->reserved[WEFT__RX_REQUEST_ID];
	loan->sequence = lane->next_sequence - 1;
	loan->ack_now = weft__meta_flags(frame->meta) & WEFT__ACK_NOW;
	loan->peer_incarnation = rx->peer_incarnation;
	memcpy(loan->peer, lane->link->peer_node, sizeof loan->peer);
	weft_list_remove(&loan->in_lane);
	weft_list_push_back(&lane->unexpected, &loan->in_lane);
	return loan;
}

void weft__deliver(struct weft__rx_lane *lane, struct weft_rx *rx, const struct weft_rx_frame *frame)
{
	struct weft__view *view = lane->view;
	bool promised = !view->calls.handler;
	struct weft_op *op;

	if (promised)
		weft__promise_used(lane);
	if (view->calls.place && place(lane, rx, frame)) {
		if (promised && !(rx->reserved[WEFT__RX_STATE] & WEFT__RX_KEPT)) /* a loan, which it did not take */
			weft__promises_may_feed(view->station);
		return;
	}
	if (!weft_list_empty(&view->posted) && (op = find_posted(view, rx->tag))) {
		if (promised)
			weft__promises_may_feed(view->station);
		complete_posted(op, lane, rx, frame);
		return;
	}
	if (view->calls.handler)
		view->calls.handler(rx, view->calls.handler_user);
	else
		weft__wait_for_taker(lane, rx, frame);
}

/* ---- messages that came before their receive ---- */

void weft__rx_of_loan(struct weft__view *view, struct weft_loan *loan, struct weft_rx *out)
{
	struct weft__rx_lane *lane = loan->lane;

	*out = (struct weft_rx){
		.data = loan->data,
		.len_bytes = loan->len_bytes,
		.tag = loan->tag,
		.immediate = loan->immediate,
		.has_header = loan->has_header,
		.is_request = loan->is_request,
		.peer = loan->peer,
		.peer_incarnation = loan->peer_incarnation,
		.channel = view->channel,
		.worker = loan->station->worker,
	};
	out->reserved[WEFT__RX_REQUEST_ID] = loan->request_id;
	out->reserved[WEFT__RX_LANE] = (uintptr_t)lane;
	out->reserved[WEFT__RX_LINK] = lane ? (uintptr_t)lane->link : 0;
	out->reserved[WEFT__RX_LOAN] = (uintptr_t)loan;
}

/* Takes a waiting message out of the queues; its window stays used until it is freed. */
static void unqueue(struct weft_loan *loan)
{
	weft__waiting_taken(loan);
	weft_list_remove(&loan->link);
	weft_list_remove(&loan->in_lane);
	weft_list_push_back(&loan->station->kept, &loan->in_lane);
}

static struct weft_loan *find_unexpected(struct weft__view *view, const struct weft_op *op)
{
	WEFT_LIST_FOR_EACH(at, &view->unexpected) {
		struct weft_loan *loan = WEFT_CONTAINER_OF(at, struct weft_loan, link);

		if (tag_fits(op, loan->tag))
			return loan;
	}
	return NULL;
}

/* The callback of a posted receive: with the message that waited for it, or with why there is none. */
static void end_posted(struct weft_op *op)
{
	struct weft_loan *loan = op->as.posted.loan;
	struct weft_received nothing = {.data = op->as.posted.buffer};
	struct weft_rx rx;

	if (!loan) {
		if (op->as.posted.done)
			op->as.posted.done(op, op->status, &nothing, op->user);
		return;
	}
	weft__rx_of_loan(op->as.posted.view, loan, &rx);
	copy_to(op->station, &rx, op->as.posted.buffer, op->as.posted.len_bytes, op, op->as.posted.done, op->user);
	weft_loan_release(loan);
}

/* The message is there: the callback comes in the next turn, or when it has been copied. */
static void finish_waiting(struct weft_op *op)
{
	unqueue(op->as.posted.loan);
	weft__op_finish(op, 0);
}

static void start_waiting(struct weft_op *op)
{
	weft__waiting_taken(op->as.posted.loan);
	weft_list_remove(&op->as.posted.loan->link);
	weft__placing_begin(op, op->as.posted.loan);
}

int weft_recv_post(struct weft_worker *worker, struct weft_channel *channel, void *buffer, size_t len_bytes,
		   uint64_t wanted_tag, uint64_t mask, weft_recv_fn *done, void *user, struct weft_op **out)
{
	struct weft__station *station = weft__station_of(worker);
	struct weft__view *view = weft__view_of(station, channel);
	struct weft_op *op;
	int rc = weft__node_fork_check(station->node);

	if (rc < 0)
		return rc;
	if (!view || (!buffer && len_bytes))
		return weft_set_error(WEFT_EINVAL, "no such channel on this worker, or no buffer");
	op = weft__op_get(station, WEFT__OP_POSTED);
	if (!op)
		return weft_set_error(WEFT_ENOMEM, "all %u operations of this worker are in use", WEFT__OPS);
	op->end = end_posted;
	op->user = user;
	op->as.posted.view = view;
	op->as.posted.buffer = buffer;
	op->as.posted.len_bytes = len_bytes;
	op->as.posted.tag = wanted_tag;
	op->as.posted.mask = mask;
	op->as.posted.done = done;
	op->as.posted.stream = NULL;
	op->as.posted.by_hook = false;
	op->as.posted.loan = find_unexpected(view, op);
	if (!op->as.posted.loan)
		weft_list_push_back(&view->posted, &op->link);
	else if (weft__is_large(op->as.posted.loan->len_bytes))
		start_waiting(op);
	else
		finish_waiting(op);
	weft__view_receiving(view);
	if (out)
		*out = op;
	return 0;
}

unsigned int weft__view_run_unexpected(struct weft__view *view, unsigned int max)
{
	unsigned int count = 0;

	while (view->calls.handler && count < max && !weft_list_empty(&view->unexpected)) {
		struct weft_loan *loan = WEFT_CONTAINER_OF(view->unexpected.next, struct weft_loan, link);
		struct weft_rx rx;

		weft__rx_of_loan(view, loan, &rx);
		unqueue(loan);
		view->calls.handler(&rx, view->calls.handler_user);
		weft_loan_release(loan);
		count++;
	}
	return count;
}

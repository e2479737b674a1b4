/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requester's side: a table of requests in flight for each sender. A request's id is its slot and a generation
 * that its station uses again only 2^32 requests later, so that a late reply finds nobody.
 */
#include "channel/channel_private.h"

#include <stdlib.h>
#include <string.h>

#define SWEEP_NS UINT64_C(1000000)
#define NO_SLOT UINT32_MAX

static int make_table(struct weft_sender *sender)
{
	uint32_t window = sender->view->channel->opts.request_window;

	sender->requests = calloc(window, sizeof *sender->requests);
	if (!sender->requests)
		return weft_set_error(WEFT_ENOMEM, "no memory for %u requests in flight", window);
	for (uint32_t i = 0; i < window; i++)
		sender->requests[i].next_free = i + 1 < window ? i + 1 : NO_SLOT;
	sender->request_free = 0;
	return 0;
}

/* A slot and an operation for a request, or NULL when the window or the table of operations is used up. */
static struct weft_op *take_slot(struct weft_sender *sender)
{
	uint32_t slot = sender->request_free;
	struct weft_op *op;

	if (slot == NO_SLOT || !(op = weft__op_get(sender->station, WEFT__OP_REQUEST)))
		return NULL;
	sender->request_free = sender->requests[slot].next_free;
	sender->requests[slot].op = op;
	sender->requests[slot].generation = ++sender->station->request_generation;
	op->as.request.sender = sender;
	op->as.request.slot = slot;
	op->as.request.generation = sender->requests[slot].generation;
	if (!sender->requests_out++)
		weft_list_push_back(&sender->station->requesters, &sender->in_requesters);
	return op;
}

/* The request no longer waits: a reply that still comes finds nobody. */
static void free_slot(struct weft_op *op)
{
	struct weft_sender *sender = op->as.request.sender;
	uint32_t slot = op->as.request.slot;

	sender->requests[slot].op = NULL;
	sender->requests[slot].next_free = sender->request_free;
	sender->request_free = slot;
	if (!--sender->requests_out)
		weft_list_remove(&sender->in_requesters);
}

static void end_request(struct weft_op *op)
{
	op->as.request.on_reply(NULL, op->status, op->user);
}

static void finish(struct weft_op *op, int status)
{
	free_slot(op);
	weft__op_finish(op, status);
	if (op->as.request.sender->wants_writable)
		weft__sender_event(op->as.request.sender, WEFT_SENDER_WRITABLE, 0);
}

static int send_request(struct weft_sender *sender, struct weft__tx_lane *lane, struct weft_op *op, const void *data,
			size_t len_bytes, unsigned int tx_flags)
{
	uint64_t id = (uint64_t)op->as.request.generation << 32 | op->as.request.slot;
	struct weft__station *station = sender->station;
	struct weft_buf *buf;
	int rc;

	if (sizeof id + len_bytes <= sender->inline_max) {
		struct weft_tx_frame frame = {
			.meta = weft__meta(WEFT__REQUEST, 0, lane->id, lane->next_sequence),
			.head = &id,
			.head_len_bytes = sizeof id,
			.data = data,
			.data_len_bytes = (uint32_t)len_bytes,
		};

		if (!weft__tx_one(sender->path, (enum weft_class)sender->class_, &frame, tx_flags, NULL))
			return weft__sender_again(sender, true);
		lane->next_sequence++;
		lane->sent_bytes += len_bytes;
		station->stats.sent_messages++;
		station->stats.sent_bytes += len_bytes;
		return 0;
	}
	rc = weft_pool_get(station->pool, len_bytes, &buf);
	if (rc == -WEFT_EAGAIN)
		rc = weft__station_grow(station, len_bytes);
	if (rc < 0)
		return rc == -WEFT_EAGAIN ? weft__sender_again(sender, true) : rc;
	memcpy(buf->data, data, len_bytes);
	rc = weft__send_buf(sender, lane, WEFT__REQUEST, 0, (const unsigned char *)&id, sizeof id, buf, 0, len_bytes,
			    NULL);
	weft_buf_put(buf);
	return rc;
}

static inline __attribute__((always_inline)) int request(struct weft_sender *sender, const void *data, size_t len_bytes,
							 uint64_t deadline_ns, weft_reply_fn *on_reply, void *user,
							 struct weft_op **out, unsigned int tx_flags)
{
	struct weft__station *station = sender->station;
	struct weft__tx_lane *lane = sender->lane0;
	struct weft_op *op;
	int rc;

	if (!on_reply)
		return weft_set_error(WEFT_EINVAL, "a request needs on_reply");
	if (!sender->requests && (rc = make_table(sender)) < 0)
		return rc;
	rc = weft__check_lane(sender, lane, len_bytes);
	if (rc < 0)
		return rc;
	op = take_slot(sender);
	if (!op)
		return weft__sender_again(sender, false);
	op->end = end_request;
	op->user = user;
	op->as.request.on_reply = on_reply;
	op->as.request.deadline_ns = deadline_ns;
	rc = send_request(sender, lane, op, data, len_bytes, tx_flags);
	if (rc < 0) {
		free_slot(op);
		weft__op_put(op);
		return rc;
	}
	if (deadline_ns != WEFT_NEVER && !weft_timer_is_set(&station->sweep))
		weft_timer_set(station->worker, &station->sweep, weft_worker_now(station->worker) + SWEEP_NS);
	if (out)
		*out = op;
	return 0;
}

int weft_request(struct weft_sender *sender, const void *data, size_t len_bytes, uint64_t deadline_ns,
		 weft_reply_fn *on_reply, void *user, struct weft_op **out)
{
	return request(sender, data, len_bytes, deadline_ns, on_reply, user, out, 0);
}

int weft_request_more(struct weft_sender *sender, const void *data, size_t len_bytes, uint64_t deadline_ns,
		      weft_reply_fn *on_reply, void *user, struct weft_op **out)
{
	return request(sender, data, len_bytes, deadline_ns, on_reply, user, out, WEFT_TX_MORE);
}

/* ---- how requests end ---- */

/* The operation that a reply answers, or NULL if it does not wait any more. */
static struct weft_op *waiting(struct weft__link *link, const struct weft_rx_frame *frame, uint64_t id)
{
	uint16_t lane_id = weft__meta_lane(frame->meta);
	struct weft__tx_lane *lane = lane_id < WEFT__LINK_LANES ? link->tx_lanes[lane_id] : NULL;
	struct weft_sender *sender = lane ? lane->sender : NULL;
	uint32_t slot = (uint32_t)id;

	if (!sender || !sender->requests || slot >= sender->view->channel->opts.request_window ||
	    !sender->requests[slot].op || sender->requests[slot].generation != (uint32_t)(id >> 32))
		return NULL;
	return sender->requests[slot].op;
}

static void answer(struct weft__link *link, struct weft_op *op, const struct weft_rx_frame *frame, const char *data,
		   size_t len_bytes)
{
	weft_reply_fn *on_reply = op->as.request.on_reply;
	struct weft_sender *sender = op->as.request.sender;
	void *user = op->user;
	struct weft_rx rx;

	/* Field by field: to clear all of it first takes longer than all the rest here. */
	rx.data = frame->loan_data ? frame->loan_data : data;
	rx.len_bytes = frame->loan_data ? frame->loan_len_bytes : len_bytes;
	rx.tag = rx.immediate = 0;
	rx.has_header = rx.is_request = false;
	rx.peer = link->peer_node;
	rx.peer_incarnation = link->peer_incarnation;
	rx.channel = sender->view->channel;
	rx.worker = sender->station->worker;
	rx.reserved[WEFT__RX_REQUEST_ID] = 0;
	rx.reserved[WEFT__RX_LANE] = rx.reserved[WEFT__RX_STATE] = rx.reserved[WEFT__RX_LOAN] = 0;
	rx.reserved[WEFT__RX_FRAME] = (uintptr_t)frame;
	rx.reserved[WEFT__RX_LINK] = (uintptr_t)link;
	free_slot(op);
	weft__op_put(op);
	if (sender->wants_writable)
		weft__sender_event(sender, WEFT_SENDER_WRITABLE, 0);
	on_reply(&rx, 0, user);
	if (frame->loan_data && !(rx.reserved[WEFT__RX_STATE] & WEFT__RX_BORROWED))
		frame->path->port->release(frame->path, frame->loan_id);
}

void weft__request_reply(struct weft__link *link, const struct weft_rx_frame *frame)
{
	bool is_error = weft__meta_flags(frame->meta) & WEFT__IS_ERROR;
	struct weft_op *op;
	int32_t status;
	uint64_t id;

	if (frame->len_bytes < sizeof id || (is_error && frame->len_bytes != sizeof id + sizeof status)) {
		if (frame->loan_data)
			frame->path->port->release(frame->path, frame->loan_id);
		weft__link_violation(link, "malformed reply");
		return;
	}
	memcpy(&id, frame->data, sizeof id);
	op = waiting(link, frame, id);
	if (!op) {
		if (frame->loan_data)
			frame->path->port->release(frame->path, frame->loan_id);
		return; /* too late: it ended by deadline, cancel or close */
	}
	if (is_error) {
		memcpy(&status, (const char *)frame->data + sizeof id, sizeof status);
		finish(op, status < 0 ? status : -WEFT_EPROTO);
		return;
	}
	answer(link, op, frame, (const char *)frame->data + sizeof id, frame->len_bytes - sizeof id);
}

void weft__request_cancel(struct weft_op *op)
{
	finish(op, -WEFT_ECANCELED);
}

void weft__requests_end(struct weft_sender *sender, int status)
{
	uint32_t window = sender->view->channel->opts.request_window;

	for (uint32_t i = 0; sender->requests_out && i < window; i++)
		if (sender->requests[i].op) {
			struct weft_op *op = sender->requests[i].op;

			free_slot(op);
			weft__op_finish(op, status);
		}
}

/* Ends what is past its deadline; true when requests with a deadline remain. */
static bool sweep_sender(struct weft_sender *sender, uint64_t now_ns)
{
	uint32_t window = sender->view->channel->opts.request_window;
	uint32_t left = sender->requests_out;
	bool remain = false;

	for (uint32_t i = 0; left && i < window; i++) {
		struct weft_op *op = sender->requests[i].op;

		if (!op)
			continue;
		left--;
		if (op->as.request.deadline_ns <= now_ns)
			finish(op, -WEFT_ETIMEDOUT);
		else if (op->as.request.deadline_ns != WEFT_NEVER)
			remain = true;
	}
	return remain;
}

void weft__requests_sweep(struct weft_timer *timer, void *user)
{
	struct weft__station *station = user;
	uint64_t now_ns = weft_worker_now(station->worker);
	bool remain = false;

	WEFT_LIST_FOR_EACH(at, &station->requesters)
		remain |= sweep_sender(WEFT_CONTAINER_OF(at, struct weft_sender, in_requesters), now_ns);
	if (remain)
		weft_timer_set(station->worker, timer, now_ns + SWEEP_NS);
}

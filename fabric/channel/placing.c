/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large messages on their way to a posted buffer, or to where a place hook said: they stay lent, and are copied, or
 * handed to the hook's stream where they lie, in pieces between other work, each in turn.
 */
#include "channel/channel_private.h"

#include <string.h>

#define LARGE_BYTES ((size_t)64 * 1024)
#define PIECE_BYTES ((size_t)16 * 1024)

bool weft__is_large(size_t len_bytes)
{
	return len_bytes > LARGE_BYTES;
}

static size_t wanted(const struct weft_op *op)
{
	size_t len_bytes = op->as.posted.loan->len_bytes;

	return len_bytes < op->as.posted.len_bytes ? len_bytes : op->as.posted.len_bytes;
}

static void end_placing(struct weft_op *op)
{
	struct weft_loan *loan = op->as.posted.loan;
	struct weft_received received = {.data = op->as.posted.buffer};
	int status = op->status;
	struct weft_rx rx;

	if (status == 0) {
		weft__rx_of_loan(op->as.posted.view, loan, &rx);
		received.len_bytes = rx.len_bytes;
		received.tag = rx.tag;
		received.immediate = rx.immediate;
		received.peer = rx.peer;
		received.peer_incarnation = rx.peer_incarnation;
		status = wanted(op) < rx.len_bytes ? -WEFT_ETRUNCATED : 0;
	}
	if (op->as.posted.done)
		op->as.posted.done(op->as.posted.by_hook ? NULL : op, status, &received, op->user);
	weft_loan_release(loan);
}

void weft__placing_begin(struct weft_op *op, struct weft_loan *loan)
{
	op->kind = WEFT__OP_PLACING;
	op->end = end_placing;
	op->as.posted.loan = loan;
	op->as.posted.taken_bytes = 0;
	weft_list_push_back(&op->station->placing, &op->link);
}

/* The next piece to where it belongs. */
static size_t take_piece(struct weft_op *op, size_t max_bytes)
{
	size_t at = op->as.posted.taken_bytes, left = wanted(op) - at;
	size_t len_bytes = left < max_bytes ? left : max_bytes;
	const char *from = (const char *)op->as.posted.loan->data + at;

	op->as.posted.taken_bytes += len_bytes;
	if (op->as.posted.stream) {
		op->as.posted.stream(from, len_bytes, at, op->user);
	} else {
		memcpy((char *)op->as.posted.buffer + at, from, len_bytes);
		op->station->stats.copied_bytes += len_bytes;
	}
	return len_bytes;
}

void weft__stream_now(const struct weft_rx *rx, weft_stream_fn *stream, void *user)
{
	size_t len_bytes;

	for (size_t at = 0; at < rx->len_bytes; at += len_bytes) {
		len_bytes = rx->len_bytes - at < LARGE_BYTES ? rx->len_bytes - at : LARGE_BYTES;
		stream((const char *)rx->data + at, len_bytes, at, user);
	}
}

unsigned int weft__placing_run(struct weft__station *station, size_t budget_bytes)
{
	while (budget_bytes && !weft_list_empty(&station->placing)) {
		struct weft_op *op = WEFT_CONTAINER_OF(weft_list_pop_front(&station->placing), struct weft_op, link);

		budget_bytes -= take_piece(op, budget_bytes < PIECE_BYTES ? budget_bytes : PIECE_BYTES);
		if (op->as.posted.taken_bytes < wanted(op)) {
			weft_list_push_back(&station->placing, &op->link);
			continue;
		}
		station->stats.copied_messages += !op->as.posted.stream;
		weft__op_finish(op, 0);
	}
	return 1;
}

void weft__placing_drop(struct weft__view *view)
{
	WEFT_LIST_FOR_EACH(at, &view->station->placing) {
		struct weft_op *op = WEFT_CONTAINER_OF(at, struct weft_op, link);

		if (op->as.posted.view == view)
			weft__op_finish(op, -WEFT_ECLOSED);
	}
	weft__ops_run_finished(view->station, WEFT__OPS); /* which gives their messages back */
}

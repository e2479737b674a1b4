/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What deliveries other than reliable do when there is no room: best effort drops the message; latest-only keeps it in
 * place of the one before, and sends it as soon as credit and driver allow.
 */
#include "channel/channel_private.h"

#include <string.h>

/* An operation that reports on the message, if one is wanted: 0, -WEFT_EAGAIN. */
static int make_op(struct weft__tx_lane *lane, const struct weft_send_opts *how, struct weft_op **out)
{
	struct weft_op *op;

	*out = NULL;
	if (how->completion == WEFT_ACCEPTED)
		return 0;
	op = weft__op_get(lane->sender->station, WEFT__OP_LATEST);
	if (!op)
		return -WEFT_EAGAIN;
	weft_list_init(&op->link);
	op->done = how->done;
	op->user = how->user;
	op->lane = lane;
	if (how->op)
		*how->op = op;
	*out = op;
	return 0;
}

static int drop_message(struct weft__tx_lane *lane, const struct weft_send_opts *how)
{
	struct weft_op *op;
	int rc = make_op(lane, how, &op);

	if (rc < 0)
		return rc;
	lane->sender->station->stats.dropped++;
	if (op)
		weft__op_finish(op, -WEFT_ECANCELED);
	return 0;
}

void weft__latest_drop(struct weft__tx_lane *lane, int status)
{
	struct weft__latest *latest = &lane->latest;

	if (!latest->buf)
		return;
	weft_buf_put(latest->buf);
	latest->buf = NULL;
	if (lane->link)
		lane->link->latest_count--;
	lane->sender->station->stats.dropped++;
	if (latest->op)
		weft__op_finish(latest->op, status);
}

static int keep_latest(struct weft__tx_lane *lane, const void *data, size_t len_bytes, struct weft_buf *loan,
		       const struct weft_send_opts *how)
{
	struct weft__station *station = lane->sender->station;
	struct weft_buf *buf = loan;
	struct weft_op *op;
	int rc = 0;

	if (loan)
		weft_buf_ref(loan);
	else
		rc = weft_pool_get(station->pool, len_bytes ? len_bytes : 1, &buf);
	if (rc == -WEFT_EAGAIN)
		rc = weft__station_grow(station, len_bytes);
	if (rc < 0)
		return rc == -WEFT_EAGAIN ? weft__sender_again(lane->sender, true) : rc;
	rc = make_op(lane, how, &op);
	if (rc < 0) {
		weft_buf_put(buf);
		return rc;
	}
	if (!loan)
		memcpy(buf->data, data, len_bytes);
	weft__latest_drop(lane, -WEFT_ECANCELED);
	lane->latest = (struct weft__latest){
		.buf = buf,
		.len_bytes = len_bytes,
		.tag = how->tag,
		.immediate = how->immediate,
		.has_header = how->has_header,
		.is_loan = loan,
		.completion = how->completion,
		.op = op,
	};
	lane->link->latest_count++;
	weft__link_busy(lane->link);
	return 0;
}

int weft__send_unreliable(struct weft_sender *sender, struct weft__tx_lane *lane, const void *data, size_t len_bytes,
			  struct weft_buf *loan, const struct weft_send_opts *how)
{
	if (sender->delivery == WEFT_LATEST) /* also before the peer is there */
		return lane->link ? keep_latest(lane, data, len_bytes, loan, how) : -WEFT_EAGAIN;
	return sender->status < 0 ? -WEFT_EAGAIN : drop_message(lane, how);
}

/* The message has been taken by the driver: what its operation waits for now. */
static void sent(struct weft__tx_lane *lane, uint32_t sequence, bool lent)
{
	struct weft_op *op = lane->latest.op;

	if (op && lane->latest.completion == WEFT_DELIVERED) {
		op->kind = WEFT__OP_UNACKED;
		op->as.unacked.sequence = sequence;
		weft_list_push_back(&lane->unacked, &op->link);
	} else if (op && lent) {
		op->kind = WEFT__OP_LENT;
		lane->sender->station->cookies_out++;
	} else if (op) {
		weft__op_finish(op, 0);
	}
	weft_buf_put(lane->latest.buf);
	lane->latest.buf = NULL;
	lane->link->latest_count--;
}

/* False when the driver has no room. Without credit nothing is to be done: credit comes back here. */
static bool push(struct weft__tx_lane *lane)
{
	const struct weft__latest *latest = &lane->latest;
	struct weft_sender *sender = lane->sender;
	unsigned int flags = (latest->has_header ? WEFT__HAS_HEADER : 0) |
			     (latest->completion == WEFT_DELIVERED ? WEFT__ACK_NOW : 0);
	bool lent = latest->is_loan && latest->op && latest->completion == WEFT_SENT;
	uint32_t sequence = lane->next_sequence, head_len;
	unsigned char head[WEFT__HEAD_MAX];
	int rc;

	if (sender->status < 0)
		return true;
	if (latest->len_bytes > sender->max_message_bytes) { /* the peer's limit was not known when it was taken */
		weft__latest_drop(lane, -WEFT_EMSGSIZE);
		return true;
	}
	if (lane->staged_count || !weft__lane_has_credit(lane, latest->len_bytes))
		return true;
	head_len = weft__head_make(head, latest->has_header, latest->tag, latest->immediate);
	if (!latest->is_loan && head_len + latest->len_bytes <= sender->inline_max)
		rc = weft__send_inline(sender, lane, flags, head, head_len, latest->buf->data, latest->len_bytes, 0);
	else
		rc = weft__send_buf(sender, lane, WEFT__DATA, flags, head, head_len, latest->buf, 0, latest->len_bytes,
				    lent ? latest->op : NULL);
	if (rc < 0)
		return false;
	if (!latest->is_loan) {
		sender->station->stats.copied_messages++;
		sender->station->stats.copied_bytes += latest->len_bytes;
	}
	sent(lane, sequence, lent);
	return true;
}

bool weft__latest_flush(struct weft__link *link)
{
	bool room = true;

	for (unsigned int i = 0; i < WEFT__LINK_LANES; i++)
		if (link->tx_lanes[i] && link->tx_lanes[i]->latest.buf)
			room = push(link->tx_lanes[i]) && room;
	return room;
}

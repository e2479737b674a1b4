/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handing over loans, and what deliveries other than reliable do when there is no room.
 */
#include "channel/channel_private.h"

#include <string.h>

/* A received loan belongs to another process: it is sent on as a copy. */
static int send_received(struct weft_sender *sender, struct weft_loan *loan, const struct weft_send_opts *how)
{
	int rc = weft_send_with(sender, loan->data, loan->len_bytes, how);

	if (rc != -WEFT_EAGAIN)
		weft_loan_release(loan);
	return rc;
}

static int lend(struct weft_sender *sender, struct weft__tx_lane *lane, struct weft_loan *loan,
		const struct weft_send_opts *how)
{
	struct weft__station *station = sender->station;
	unsigned int flags = (how->has_header ? WEFT__HAS_HEADER : 0) |
			     (how->completion == WEFT_DELIVERED ? WEFT__ACK_NOW : 0);
	unsigned char head[WEFT__HEAD_MAX];
	uint32_t head_len = weft__head_make(head, how->has_header, how->tag, how->immediate);
	uint32_t sequence = lane->next_sequence;
	struct weft_op *op = NULL;
	int rc;

	if (how->completion != WEFT_ACCEPTED) {
		op = weft__op_get(station, how->completion == WEFT_SENT ? WEFT__OP_LENT : WEFT__OP_UNACKED);
		if (!op)
			return weft__sender_again(sender, true);
		op->done = how->done;
		op->user = how->user;
		op->lane = lane;
	}
	rc = weft__send_buf(sender, lane, WEFT__DATA, flags, head, head_len, loan->buf, 0, loan->len_bytes,
			    op && op->kind == WEFT__OP_LENT ? op : NULL);
	if (rc < 0) {
		if (op)
			weft__op_put(op);
		return rc;
	}
	if (!op)
		return 0;
	if (how->op)
		*how->op = op;
	if (op->kind == WEFT__OP_LENT) {
		station->cookies_out++;
	} else {
		op->as.unacked.sequence = sequence;
		weft_list_push_back(&lane->unacked, &op->link);
	}
	return 0;
}

int weft_send_loan(struct weft_sender *sender, struct weft_loan *loan, const struct weft_send_opts *how)
{
	static const struct weft_send_opts plain = WEFT_SEND_OPTS_INIT;
	struct weft__tx_lane *lane;
	int rc;

	if (!how)
		how = &plain;
	if (!loan->buf || !loan->len_bytes)
		return send_received(sender, loan, how);
	lane = &sender->lanes[how->partition_key % sender->lane_count];
	rc = weft__check_lane(sender, lane, loan->len_bytes);
	if (rc == 0)
		rc = lend(sender, lane, loan, how);
	if (rc == -WEFT_EAGAIN && sender->delivery == WEFT_BEST_EFFORT)
		rc = 0; /* dropped */
	if (rc != -WEFT_EAGAIN)
		weft_loan_release(loan);
	return rc;
}

/* WEFT_LATEST: keeps a copy for when there is room, in place of the one before. */
static int keep_latest(struct weft_sender *sender, struct weft__tx_lane *lane, const void *data, size_t len_bytes)
{
	struct weft_buf *buf;
	int rc = weft_pool_get(sender->station->pool, len_bytes ? len_bytes : 1, &buf);

	if (rc < 0) {
		weft__station_grow(sender->station);
		return rc;
	}
	memcpy(buf->data, data, len_bytes);
	if (lane->latest)
		weft_buf_put(lane->latest);
	lane->latest = buf;
	lane->latest_len_bytes = len_bytes;
	return 0;
}

int weft__send_unreliable(struct weft_sender *sender, struct weft__tx_lane *lane, const void *data, size_t len_bytes,
			  const struct weft_send_opts *how)
{
	if (sender->status < 0 || how->completion != WEFT_ACCEPTED)
		return -WEFT_EAGAIN;
	if (sender->delivery == WEFT_LATEST && !how->has_header)
		return keep_latest(sender, lane, data, len_bytes);
	return 0; /* best effort: dropped, and counted as an "again" */
}

void weft__sender_push_latest(struct weft_sender *sender)
{
	for (unsigned int i = 0; i < sender->lane_count; i++) {
		struct weft__tx_lane *lane = &sender->lanes[i];
		struct weft_buf *buf = lane->latest;

		if (!buf || sender->status < 0 || !weft__lane_has_credit(lane, lane->latest_len_bytes))
			continue;
		if (weft__send_buf(sender, lane, WEFT__DATA, 0, NULL, 0, buf, 0, lane->latest_len_bytes, NULL) == 0) {
			weft_buf_put(buf);
			lane->latest = NULL;
		}
	}
}

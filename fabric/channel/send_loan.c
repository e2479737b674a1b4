/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Handing over loans.
 */
#include "channel/channel_private.h"

#include <string.h>

/* A received loan belongs to another process: it is sent on as a copy. So is one of no bytes, which has nothing to lend. */
static int send_as_copy(struct weft_sender *sender, struct weft_loan *loan, const struct weft_send_opts *how)
{
	struct weft_send_opts plain = *how;
	int rc;

	if (!loan->len_bytes)
		plain.flags &= ~(unsigned int)WEFT_ZERO_COPY;
	rc = weft_send_with(sender, loan->data, loan->len_bytes, &plain);

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
	rc = weft__check_how(how);
	if (rc < 0) {
		weft_loan_release(loan);
		return rc;
	}
	if (!loan->buf || !loan->len_bytes)
		return send_as_copy(sender, loan, how);
	lane = &sender->lanes[how->partition_key % sender->lane_count];
	rc = weft__check_lane(sender, lane, loan->len_bytes);
	if (rc == 0)
		rc = lend(sender, lane, loan, how);
	if (rc == 0)
		weft__latest_drop(lane, -WEFT_ECANCELED);
	else if (rc == -WEFT_EAGAIN && sender->delivery != WEFT_RELIABLE)
		rc = weft__send_unreliable(sender, lane, NULL, loan->len_bytes, loan->buf, how);
	if (rc != -WEFT_EAGAIN)
		weft_loan_release(loan);
	return rc;
}

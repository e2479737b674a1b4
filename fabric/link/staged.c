/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Staged sends: foreign memory that is copied into one buffer in pieces, between other work, and then lent as a whole.
 * Priorities are served in order; within one, lanes take turns.
 */
#include "channel/channel_private.h"

#include <string.h>

#define QUANTUM_BYTES 16384u

/* Keeps a copy of the iovecs beyond the first, 8 in an operation, so that nothing is allocated: 0, -WEFT_EAGAIN. */
static int keep_more(struct weft_op *op, const struct iovec *iov, unsigned int iov_count)
{
	if (iov_count > (size_t)op->station->free_op_count * WEFT__MORE_IOVECS)
		return -WEFT_EAGAIN;
	while (iov_count) {
		unsigned int count = iov_count < WEFT__MORE_IOVECS ? iov_count : WEFT__MORE_IOVECS;
		struct weft_op *more = weft__op_get(op->station, WEFT__OP_IOVECS);

		memcpy(more->as.iovecs.iov, iov, count * sizeof *iov);
		more->as.iovecs.count = count;
		weft_list_push_back(&op->as.staged.more, &more->link);
		iov += count;
		iov_count -= count;
	}
	return 0;
}

static int keep_iovecs(struct weft_op *op, const struct iovec *iov, unsigned int iov_count)
{
	unsigned int count = iov_count < WEFT__STAGED_IOVECS ? iov_count : WEFT__STAGED_IOVECS;

	memcpy(op->as.staged.first, iov, count * sizeof *iov);
	op->as.staged.iov = op->as.staged.first;
	op->as.staged.iov_count = count;
	op->as.staged.iov_at = 0;
	weft_list_init(&op->as.staged.more);
	return keep_more(op, iov + count, iov_count - count);
}

/* The next iovec; the room of those before it is free again. */
static void next_iovec(struct weft_op *op)
{
	struct weft_list *more = &op->as.staged.more;
	struct weft_op *at;

	op->as.staged.iov_offset = 0;
	if (++op->as.staged.iov_at < op->as.staged.iov_count || weft_list_empty(more))
		return;
	if (op->as.staged.iov != op->as.staged.first)
		weft__op_put(WEFT_CONTAINER_OF(more->next, struct weft_op, link));
	if (weft_list_empty(more))
		return;
	at = WEFT_CONTAINER_OF(more->next, struct weft_op, link);
	op->as.staged.iov = at->as.iovecs.iov;
	op->as.staged.iov_count = at->as.iovecs.count;
	op->as.staged.iov_at = 0;
}

static int check_iovecs(const struct iovec *iov, unsigned int iov_count, size_t *len_bytes)
{
	*len_bytes = 0;
	if (iov_count > WEFT_IOV_MAX)
		return weft_set_error(WEFT_EINVAL, "%u iovecs: at most %d, put some together", iov_count, WEFT_IOV_MAX);
	for (unsigned int i = 0; i < iov_count; i++)
		if (__builtin_add_overflow(*len_bytes, iov[i].iov_len, len_bytes))
			return weft_set_error(WEFT_EMSGSIZE, "the iovecs add up to more than memory can hold");
	return 0;
}

int weft_sendv(struct weft_sender *sender, const struct iovec *iov, unsigned int iov_count,
	       const struct weft_send_opts *how)
{
	struct weft__tx_lane *lane;
	struct weft_op *op;
	size_t len_bytes;
	int rc = weft__node_fork_check(sender->station->node);

	if (rc < 0)
		return rc;
	if (!how || !how->done || !iov_count)
		return weft_set_error(WEFT_EINVAL, "weft_sendv needs iovecs, and how->done to say when they are free");
	rc = weft__check_how(how);
	if (rc < 0)
		return rc;
	rc = check_iovecs(iov, iov_count, &len_bytes);
	if (rc < 0)
		return rc;
	if (how->flags & WEFT_ZERO_COPY)
		return weft__would_copy(sender, len_bytes);
	if (sender->status < 0)
		return weft__sender_refuse(sender);
	if (len_bytes > sender->max_message_bytes)
		return weft__too_long(sender, len_bytes);
	lane = &sender->lanes[how->partition_key % sender->lane_count];
	if (lane->staged_count >= 16)
		return weft__sender_again(sender, true);
	op = weft__op_get(sender->station, WEFT__OP_STAGED);
	if (!op)
		return weft__sender_again(sender, true);
	if (keep_iovecs(op, iov, iov_count) < 0) {
		weft__op_put(op);
		return weft__sender_again(sender, true);
	}
	op->as.staged.iov_offset = op->as.staged.copied_bytes = 0;
	op->as.staged.len_bytes = len_bytes;
	op->as.staged.buf = NULL;
	op->as.staged.has_header = how->has_header;
	op->as.staged.tag = how->tag;
	op->as.staged.immediate = how->immediate;
	op->as.staged.completion = how->completion;
	op->done = how->done;
	op->user = how->user;
	op->lane = lane;
	lane->staged_count++;
	weft_list_push_back(&lane->staged, &op->link);
	if (weft_list_empty(&lane->in_staged))
		weft_list_push_back(&sender->link->staged[sender->view->channel->opts.priority], &lane->in_staged);
	weft__link_busy(sender->link);
	if (how->op)
		*how->op = op;
	return 0;
}

/* Copies one piece; returns its length. */
static size_t copy_piece(struct weft_op *op, size_t max_bytes)
{
	const struct iovec *iov = &op->as.staged.iov[op->as.staged.iov_at];
	size_t left = iov->iov_len - op->as.staged.iov_offset;
	size_t len_bytes = left < max_bytes ? left : max_bytes;

	memcpy(op->as.staged.buf->data + op->as.staged.copied_bytes,
	       (const char *)iov->iov_base + op->as.staged.iov_offset, len_bytes);
	op->as.staged.copied_bytes += len_bytes;
	op->as.staged.iov_offset += len_bytes;
	if (op->as.staged.iov_offset == iov->iov_len)
		next_iovec(op);
	return len_bytes;
}

/* Lends the copy; what is small, or nothing at all, goes as it is. */
static int send_copy(struct weft_op *op, unsigned int flags)
{
	struct weft__tx_lane *lane = op->lane;
	size_t len_bytes = op->as.staged.len_bytes;
	unsigned char head[WEFT__HEAD_MAX];
	uint32_t head_len = weft__head_make(head, op->as.staged.has_header, op->as.staged.tag, op->as.staged.immediate);

	if (head_len + len_bytes <= lane->sender->inline_max)
		return weft__send_inline(lane->sender, lane, flags, head, head_len, op->as.staged.buf->data, len_bytes,
					 0);
	return weft__send_buf(lane->sender, lane, WEFT__DATA, flags, head, head_len, op->as.staged.buf, 0, len_bytes,
			      NULL);
}

/* The copy is whole: sends it. False when it has to wait. */
static bool send_whole(struct weft_op *op)
{
	struct weft__tx_lane *lane = op->lane;
	struct weft__station *station = op->station;
	bool ack = op->as.staged.completion == WEFT_DELIVERED;
	unsigned int flags = (op->as.staged.has_header ? WEFT__HAS_HEADER : 0) | (ack ? WEFT__ACK_NOW : 0);
	uint32_t sequence = lane->next_sequence;

	if (!weft__lane_has_credit(lane, op->as.staged.len_bytes) || send_copy(op, flags) < 0)
		return false;
	station->stats.copied_messages++;
	station->stats.copied_bytes += op->as.staged.len_bytes;
	weft__op_finish(op, 0);
	if (ack) { /* not finished yet: it waits for delivery instead */
		weft_list_remove(&op->link);
		op->kind = WEFT__OP_UNACKED;
		op->as.unacked.sequence = sequence;
		weft_list_push_back(&lane->unacked, &op->link);
	}
	return true;
}

enum progress { STUCK, WENT_ON, ENDED };

/* The buffer that all of it is copied to: 0, -WEFT_EAGAIN, -WEFT_ENOMEM. */
static int get_buffer(struct weft_op *op)
{
	size_t len_bytes = op->as.staged.len_bytes ? op->as.staged.len_bytes : 1;
	int rc;

	if (op->as.staged.buf)
		return 0;
	rc = weft_pool_get(op->station->pool, len_bytes, &op->as.staged.buf);
	if (rc < 0)
		op->as.staged.buf = NULL;
	return rc == -WEFT_EAGAIN ? weft__station_grow(op->station, len_bytes) : rc;
}

/* Works on the oldest operation of its lane, at most *max_bytes, which it lowers. */
static enum progress step(struct weft_op *op, size_t *max_bytes)
{
	int rc = op->as.staged.len_bytes > op->lane->sender->max_message_bytes ? -WEFT_EMSGSIZE : get_buffer(op);

	if (rc == -WEFT_EAGAIN)
		return STUCK;
	if (rc < 0) {
		weft__op_finish(op, rc);
		return ENDED;
	}
	while (op->as.staged.iov_at < op->as.staged.iov_count && *max_bytes)
		*max_bytes -= copy_piece(op, *max_bytes);
	if (op->as.staged.iov_at < op->as.staged.iov_count)
		return WENT_ON;
	return send_whole(op) ? ENDED : STUCK;
}

/* A lane's turn: it copies what its deficit allows. False when it could do nothing at all. */
static bool serve_lane(struct weft__tx_lane *lane, size_t *budget_bytes)
{
	size_t may = lane->deficit_bytes < *budget_bytes ? lane->deficit_bytes : *budget_bytes, left = may;
	bool any = false;

	while (!weft_list_empty(&lane->staged)) {
		enum progress progress = step(WEFT_CONTAINER_OF(lane->staged.next, struct weft_op, link), &left);

		any |= progress == ENDED;
		if (progress != ENDED || !left)
			break;
	}
	if (lane->staged_count) /* else its turn is over, and nothing is left of it */
		lane->deficit_bytes -= (uint32_t)(may - left);
	*budget_bytes -= may - left;
	return any || left < may;
}

/*
 * Deficit round robin (Shreedhar and Varghese 1995): each lane in turn may copy QUANTUM_BYTES, whatever the sizes of its
 * messages are. One whose turn the budget cut short goes on where it was.
 */
static void serve(struct weft_list *lanes, size_t *budget_bytes)
{
	const struct weft_list *stuck_since = NULL; /* nothing has gone on since this one's turn */

	while (!weft_list_empty(lanes) && *budget_bytes) {
		struct weft__tx_lane *lane = WEFT_CONTAINER_OF(lanes->next, struct weft__tx_lane, in_staged);

		if (stuck_since == &lane->in_staged)
			break;
		if (!lane->deficit_bytes)
			lane->deficit_bytes = QUANTUM_BYTES;
		if (serve_lane(lane, budget_bytes)) {
			stuck_since = NULL;
		} else {
			lane->deficit_bytes = 0; /* what waits saves nothing up */
			stuck_since = stuck_since ? stuck_since : &lane->in_staged;
		}
		if (!lane->deficit_bytes && !weft_list_empty(&lane->staged)) {
			weft_list_remove(&lane->in_staged);
			weft_list_push_back(lanes, &lane->in_staged);
		}
	}
}

bool weft__staged_flush(struct weft__link *link, size_t *budget_bytes)
{
	bool empty = true;

	for (unsigned int priority = 0; priority < WEFT_PRIORITY_COUNT; priority++) {
		serve(&link->staged[priority], budget_bytes);
		empty = empty && weft_list_empty(&link->staged[priority]);
	}
	return empty;
}

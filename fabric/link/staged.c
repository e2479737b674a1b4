/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Staged sends: foreign memory that is copied into one buffer in pieces, between other work, and then lent as a whole.
 * Priorities are served in order; within one, operations take turns piece by piece.
 */
#include "channel/channel_private.h"

#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES ((size_t)16 * 1024)
/* While the worker has other messages too, each waits for such a small piece at the most, and the copying takes longer. */
#define PIECE_BESIDE_BYTES ((size_t)2 * 1024)
#define BESIDE_FLUSHES 64u

int weft_sendv(struct weft_sender *sender, const struct iovec *iov, unsigned int iov_count,
	       const struct weft_send_opts *how)
{
	struct weft__tx_lane *lane;
	struct weft_op *op;
	size_t len_bytes = 0;

	if (!how || !how->done || !iov_count)
		return weft_set_error(WEFT_EINVAL, "weft_sendv needs iovecs, and how->done to say when they are free");
	for (unsigned int i = 0; i < iov_count; i++)
		if (__builtin_add_overflow(len_bytes, iov[i].iov_len, &len_bytes))
			return weft_set_error(WEFT_EMSGSIZE, "the iovecs add up to more than memory can hold");
	if (sender->status < 0)
		return weft__sender_refuse(sender);
	if (len_bytes > sender->max_message_bytes)
		return weft_set_error(WEFT_EMSGSIZE, "%zu bytes to \"%s\", the channel's max_message_bytes is %zu",
				      len_bytes, sender->peer, (size_t)sender->max_message_bytes);
	lane = &sender->lanes[how->partition_key % sender->lane_count];
	if (lane->staged_count >= 16)
		return weft__sender_again(sender, true);
	op = weft__op_get(sender->station, WEFT__OP_STAGED);
	if (!op)
		return weft__sender_again(sender, true);
	op->as.staged.iov = op->as.staged.iov_storage;
	if (iov_count > sizeof op->as.staged.iov_storage / sizeof *iov) {
		op->as.staged.iov = malloc(iov_count * sizeof *iov);
		if (!op->as.staged.iov) {
			weft__op_put(op);
			return weft_set_error(WEFT_ENOMEM, "no memory for %u iovecs", iov_count);
		}
	}
	memcpy(op->as.staged.iov, iov, iov_count * sizeof *iov);
	op->as.staged.iov_count = iov_count;
	op->as.staged.iov_at = 0;
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
	weft_list_push_back(&sender->link->staged[sender->view->channel->opts.priority], &op->link);
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
	if (op->as.staged.iov_offset == iov->iov_len) {
		op->as.staged.iov_at++;
		op->as.staged.iov_offset = 0;
	}
	return len_bytes;
}

/* The copy is whole: lends it. False when it has to wait. */
static bool send_whole(struct weft_op *op)
{
	struct weft__tx_lane *lane = op->lane;
	struct weft__station *station = op->station;
	bool ack = op->as.staged.completion == WEFT_DELIVERED;
	unsigned int flags = (op->as.staged.has_header ? WEFT__HAS_HEADER : 0) | (ack ? WEFT__ACK_NOW : 0);
	unsigned char head[WEFT__HEAD_MAX];
	uint32_t head_len = weft__head_make(head, op->as.staged.has_header, op->as.staged.tag, op->as.staged.immediate);
	uint32_t sequence = lane->next_sequence;

	if (!weft__lane_has_credit(lane, op->as.staged.len_bytes) ||
	    weft__send_buf(lane->sender, lane, WEFT__DATA, flags, head, head_len, op->as.staged.buf, 0,
			   op->as.staged.len_bytes, NULL) < 0)
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

/* How much of each operation may be copied in one go: little while small messages come and go. */
static size_t piece_bytes(struct weft__link *link)
{
	const struct weft_node_stats *stats = &link->station->stats;
	/* Those that are lent are the bulk itself. */
	uint64_t messages = stats->received_messages + stats->sent_messages - stats->lent_messages;

	if (messages != link->messages_seen) {
		link->messages_seen = messages;
		link->beside_flushes = BESIDE_FLUSHES;
	}
	if (!link->beside_flushes)
		return PIECE_BYTES;
	link->beside_flushes--;
	return PIECE_BESIDE_BYTES;
}

/* Works on the oldest operation of its lane; false when it cannot go on now. */
static bool step(struct weft_op *op, size_t piece, size_t *budget_bytes)
{
	if (!op->as.staged.buf &&
	    weft_pool_get(op->station->pool, op->as.staged.len_bytes ? op->as.staged.len_bytes : 1,
			  &op->as.staged.buf) < 0) {
		op->as.staged.buf = NULL;
		weft__station_grow(op->station);
		return false;
	}
	while (piece && op->as.staged.iov_at < op->as.staged.iov_count && *budget_bytes) {
		size_t copied = copy_piece(op, piece < *budget_bytes ? piece : *budget_bytes);

		piece -= copied;
		*budget_bytes -= copied;
	}
	return op->as.staged.iov_at < op->as.staged.iov_count || send_whole(op);
}

/* Whether an older operation of the same lane stands before this one. */
static bool is_first_of_lane(const struct weft_list *list, const struct weft_op *op)
{
	WEFT_LIST_FOR_EACH(at, (struct weft_list *)(uintptr_t)list) {
		const struct weft_op *other = WEFT_CONTAINER_OF(at, struct weft_op, link);

		if (other->lane == op->lane)
			return other == op;
	}
	return false;
}

bool weft__staged_flush(struct weft__link *link, size_t budget_bytes)
{
	size_t piece = piece_bytes(link);
	bool empty = true;

	for (unsigned int priority = 0; priority < WEFT_PRIORITY_COUNT; priority++) {
		struct weft_list *list = &link->staged[priority];

		WEFT_LIST_FOR_EACH(at, list) {
			struct weft_op *op = WEFT_CONTAINER_OF(at, struct weft_op, link);

			if (!budget_bytes)
				return false;
			if (is_first_of_lane(list, op))
				step(op, piece, &budget_bytes);
		}
		empty = empty && weft_list_empty(list);
	}
	return empty;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pending operations: their table, and the callbacks that end them.
 */
#include "channel/op.h"

#include "channel/channel_private.h"

static void end_send(struct weft_op *op)
{
	if (op->done)
		op->done(op, op->status, op->user);
}

struct weft_op *weft__op_get(struct weft__station *station, enum weft__op_kind kind)
{
	struct weft_list *link = weft_list_pop_front(&station->free_ops);
	struct weft_op *op;

	if (!link)
		return NULL;
	station->free_op_count--;
	op = WEFT_CONTAINER_OF(link, struct weft_op, link);
	op->kind = kind;
	op->station = station;
	op->status = 0;
	op->end = end_send;
	op->done = NULL;
	op->lane = NULL;
	return op;
}

void weft__op_put(struct weft_op *op)
{
	weft_list_remove(&op->link);
	op->kind = WEFT__OP_FREE;
	/* Last in, first out: its lines are the likeliest to be cached. */
	weft_list_push_front(&op->station->free_ops, &op->link);
	op->station->free_op_count++;
}

static void release_staged(struct weft_op *op)
{
	struct weft__tx_lane *lane = op->lane;

	weft_list_remove(&op->link);
	if (!--lane->staged_count) {
		weft_list_remove(&lane->in_staged);
		lane->deficit_bytes = 0;
	}
	if (op->as.staged.buf)
		weft_buf_put(op->as.staged.buf);
	while (!weft_list_empty(&op->as.staged.more))
		weft__op_put(WEFT_CONTAINER_OF(op->as.staged.more.next, struct weft_op, link));
}

void weft__op_finish(struct weft_op *op, int status)
{
	if (op->kind == WEFT__OP_STAGED)
		release_staged(op);
	weft_list_remove(&op->link);
	op->status = status;
	op->kind = WEFT__OP_FINISHED;
	weft_list_push_back(&op->station->finished, &op->link);
}

unsigned int weft__ops_run_finished(struct weft__station *station, unsigned int max)
{
	unsigned int count = 0;

	while (count < max && !weft_list_empty(&station->finished)) {
		struct weft_op *op = WEFT_CONTAINER_OF(station->finished.next, struct weft_op, link);

		weft_list_remove(&op->link);
		op->end(op);
		weft__op_put(op);
		count++;
	}
	return count;
}

void weft_op_cancel(struct weft_op *op)
{
	if (weft__node_forked(op->station->node))
		return;
	switch (op->kind) {
	case WEFT__OP_STAGED:
	case WEFT__OP_POSTED:
	case WEFT__OP_PLACING:
		weft__op_finish(op, -WEFT_ECANCELED);
		break;
	case WEFT__OP_LATEST:
		weft__latest_drop(op->lane, -WEFT_ECANCELED);
		break;
	case WEFT__OP_REQUEST:
		weft__request_cancel(op);
		break;
	default:
		break; /* too late: it will end by itself */
	}
}

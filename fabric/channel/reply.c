/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers: how they go out, and those that find the ring full and wait for room.
 */
#include "channel/channel_private.h"

#include <string.h>

#define REPLIES_HELD_MAX 15u

/* Whether what is handled next is another request over the same path. */
static bool another_request_is_here(const struct weft__station *station, const struct weft_path *path)
{
	const struct weft_rx_frame *next = &station->frames[station->frame_next];

	return station->frame_next < station->frame_count && next->path == path &&
	       weft__meta_kind(next->meta) == WEFT__REQUEST;
}

/* An answer that is not urgent waits for the next, if that is certain to come at once: what goes out together takes fewer
 * lines and trips. */
static unsigned int tx_flags(const struct weft__reply_to *to)
{
	struct weft__station *station = to->link->station;

	if (to->class_ == WEFT_CLASS_EXPRESS || station->replies_held == REPLIES_HELD_MAX ||
	    !another_request_is_here(station, to->link->path)) {
		station->replies_held = 0;
		return 0;
	}
	station->replies_held++;
	station->replies_staged = true;
	return WEFT_TX_MORE;
}

static bool tx_small(const struct weft__reply_to *to, bool is_error, const void *data, size_t len_bytes)
{
	struct weft_tx_frame frame = {
		.meta = weft__meta(WEFT__REPLY, is_error ? WEFT__IS_ERROR : 0, to->lane, 0),
		.head = &to->request_id,
		.head_len_bytes = sizeof to->request_id,
		.data = data,
		.data_len_bytes = (uint32_t)len_bytes,
	};

	return weft__tx_one(to->link->path, (enum weft_class)to->class_, &frame, tx_flags(to), NULL);
}

static bool tx_lent(const struct weft__reply_to *to, struct weft_buf *buf, size_t offset_bytes, size_t len_bytes)
{
	struct weft_tx_frame frame = {
		.meta = weft__meta(WEFT__REPLY, weft__short_flag(to->link->station), to->lane, 0),
		.head = &to->request_id,
		.head_len_bytes = sizeof to->request_id,
		.loan = buf,
		.loan_offset_bytes = offset_bytes,
		.loan_len_bytes = len_bytes,
	};
	int why = -WEFT_EAGAIN;

	if (weft__tx_one(to->link->path, (enum weft_class)to->class_, &frame, 0, &why))
		return true;
	if (why == -WEFT_ENXIO)
		to->link->path->port->driver->share(to->link->path, buf->segment_id);
	return false;
}

static bool is_small(const struct weft__link *link, size_t len_bytes)
{
	return sizeof(uint64_t) + len_bytes <= link->path->port->inline_max;
}

/* Sends what an operation holds; false when there is no room yet. */
static bool tx_held(struct weft__link *link, struct weft_op *op)
{
	struct weft__reply_to to = {link, op->as.reply.request_id, op->as.reply.lane, op->as.reply.class_};

	if (is_small(link, op->as.reply.len_bytes))
		return tx_small(&to, op->as.reply.is_error, op->as.reply.buf->data, op->as.reply.len_bytes);
	return tx_lent(&to, op->as.reply.buf, 0, op->as.reply.len_bytes);
}

static void drop_held(struct weft_op *op)
{
	weft_buf_put(op->as.reply.buf);
	weft__op_put(op);
}

static struct weft_op *pop_held(struct weft__link *link, struct weft_op *op)
{
	weft_list_remove(&op->link);
	link->station->holding -= !--link->replies_count;
	link->lane_replies[op->as.reply.lane]--;
	return op;
}

bool weft__may_have_more(unsigned int has, unsigned int free_count, unsigned int served)
{
	unsigned int firsts = served < WEFT__LINK_FIRSTS ? WEFT__LINK_FIRSTS - served : 0;

	return has ? has < free_count && firsts < free_count : free_count > 0;
}

/* Of the operations, for answers to a requester that does not read. */
static bool may_hold(const struct weft__link *link)
{
	return weft__may_have_more(link->replies_count, link->station->free_op_count, link->station->holding);
}

/* Whether earlier answers of its class wait for room. */
static bool others_wait(const struct weft__reply_to *to)
{
	WEFT_LIST_FOR_EACH(at, &to->link->replies)
		if (WEFT_CONTAINER_OF(at, struct weft_op, link)->as.reply.class_ == to->class_)
			return true;
	return false;
}

/* Takes the reference to buf: sends it now or when there is room. */
static int send_buf(const struct weft__reply_to *to, struct weft_buf *buf, size_t len_bytes, bool is_error)
{
	struct weft_op *op = may_hold(to->link) ? weft__op_get(to->link->station, WEFT__OP_REPLY) : NULL;

	if (!op) {
		weft_buf_put(buf);
		return -WEFT_EAGAIN;
	}
	op->as.reply.buf = buf;
	op->as.reply.len_bytes = len_bytes;
	op->as.reply.request_id = to->request_id;
	op->as.reply.lane = to->lane;
	op->as.reply.class_ = to->class_;
	op->as.reply.is_error = is_error;
	if (!others_wait(to) && tx_held(to->link, op)) {
		drop_held(op);
		return 0;
	}
	weft_list_push_back(&to->link->replies, &op->link);
	to->link->station->holding += !to->link->replies_count++;
	to->link->lane_replies[to->lane]++;
	weft__link_busy(to->link);
	return 0;
}

/* There is no room right now, or the answer is too long for that. */
static __attribute__((noinline)) int reply_by_buffer(const struct weft__reply_to *to, bool is_error, const void *data,
						     size_t len_bytes)
{
	struct weft__station *station = to->link->station;
	struct weft_buf *buf;
	int rc = weft_pool_get(station->pool, len_bytes ? len_bytes : 1, &buf);

	if (rc == -WEFT_EAGAIN)
		rc = weft__station_grow(station, len_bytes);
	if (rc < 0)
		return rc;
	memcpy(buf->data, data, len_bytes);
	station->stats.copied_messages++;
	station->stats.copied_bytes += len_bytes;
	return send_buf(to, buf, len_bytes, is_error);
}

static inline int reply_copy(const struct weft__reply_to *to, bool is_error, const void *data, size_t len_bytes)
{
	if (is_small(to->link, len_bytes) && !others_wait(to) && tx_small(to, is_error, data, len_bytes))
		return 0;
	return reply_by_buffer(to, is_error, data, len_bytes);
}

int weft__reply_copy(const struct weft__reply_to *to, bool is_error, const void *data, size_t len_bytes)
{
	return reply_copy(to, is_error, data, len_bytes);
}

bool weft__replies_flush(struct weft__link *link)
{
	bool full[WEFT_CLASS_COUNT] = {false};

	WEFT_LIST_FOR_EACH(at, &link->replies) {
		struct weft_op *op = WEFT_CONTAINER_OF(at, struct weft_op, link);

		if (full[op->as.reply.class_])
			continue;
		if (tx_held(link, op))
			drop_held(pop_held(link, op));
		else
			full[op->as.reply.class_] = true;
	}
	return weft_list_empty(&link->replies);
}

void weft__replies_drop(struct weft__link *link)
{
	while (!weft_list_empty(&link->replies))
		drop_held(pop_held(link, WEFT_CONTAINER_OF(link->replies.next, struct weft_op, link)));
}

/* ---- the application's side ---- */

static inline int reply_to(struct weft_rx *rx, struct weft__reply_to *to)
{
	struct weft__link *link = (struct weft__link *)(uintptr_t)rx->reserved[WEFT__RX_LINK];
	struct weft__rx_lane *lane = (struct weft__rx_lane *)(uintptr_t)rx->reserved[WEFT__RX_LANE];

	if (!rx->is_request || rx->reserved[WEFT__RX_STATE] & WEFT__RX_ANSWERED)
		return weft_set_error(WEFT_EINVAL, "this message is no request, or was answered already");
	rx->reserved[WEFT__RX_STATE] |= WEFT__RX_ANSWERED;
	if (!link || !link->path) /* or its path broke, and whoever asked does not wait for the answer any more */
		return weft_set_error(WEFT_EPEERRESET, "\"%s\", which asked, is gone", rx->peer);
	*to = (struct weft__reply_to){link, rx->reserved[WEFT__RX_REQUEST_ID], lane->id,
				      weft__class_of((enum weft_priority)lane->terms.priority)};
	return 0;
}

int weft__reply_to(struct weft_rx *rx, struct weft__reply_to *to)
{
	return reply_to(rx, to);
}

int weft__answered(struct weft_rx *rx, int rc)
{
	if (rc < 0)
		rx->reserved[WEFT__RX_STATE] &= ~(uint64_t)WEFT__RX_ANSWERED;
	return rc;
}

int weft_reply(struct weft_rx *rx, const void *data, size_t len_bytes)
{
	struct weft__reply_to to;
	int rc = reply_to(rx, &to);

	return rc < 0 ? rc : weft__answered(rx, reply_copy(&to, false, data, len_bytes));
}

int weft_reply_error(struct weft_rx *rx, int status)
{
	int32_t code = status;
	struct weft__reply_to to = {0};
	int rc = weft__reply_to(rx, &to);

	return rc < 0 ? rc : weft__answered(rx, weft__reply_copy(&to, true, &code, sizeof code));
}

int weft_reply_loan(struct weft_rx *rx, struct weft_loan *loan)
{
	struct weft__reply_to to = {0};
	int rc = weft__reply_to(rx, &to);

	if (rc < 0)
		return rc;
	if (!loan->buf || !loan->len_bytes) {
		rc = weft__reply_copy(&to, false, loan->data, loan->len_bytes);
	} else {
		weft_buf_ref(loan->buf);
		rc = send_buf(&to, loan->buf, loan->len_bytes, false);
	}
	if (rc == 0)
		weft_loan_release(loan);
	return weft__answered(rx, rc);
}

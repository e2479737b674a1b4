/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending one message: small ones go straight into the ring, larger ones into a buffer that is lent.
 */
#include "channel/channel_private.h"

#include <string.h>

uint32_t weft__head_make(unsigned char head[24], bool has_header, uint64_t tag, uint64_t immediate)
{
	if (!has_header)
		return 0;
	memcpy(head, &tag, 8);
	memcpy(head + 8, &immediate, 8);
	return WEFT__HEADER_BYTES;
}

static inline void count_sent(struct weft__tx_lane *lane, size_t len_bytes)
{
	struct weft_node_stats *stats = &lane->link->station->stats;

	lane->next_sequence++;
	lane->sent_bytes += len_bytes;
	stats->sent_messages++;
	stats->sent_bytes += len_bytes;
}

/* Why the driver took nothing: a segment that is not shared yet is shared now; the rest passes by itself. */
static int refused(struct weft_sender *sender, int why, uint32_t segment_id)
{
	if (why == -WEFT_ENXIO)
		sender->path->port->driver->share(sender->path, segment_id);
	return weft__sender_again(sender, true);
}

int weft__send_buf(struct weft_sender *sender, struct weft__tx_lane *lane, enum weft__kind kind, unsigned int flags,
		   const unsigned char *head, uint32_t head_len_bytes, struct weft_buf *buf, size_t offset_bytes,
		   size_t len_bytes, struct weft_op *op)
{
	struct weft_tx_frame frame = {
		.meta = weft__meta(kind, flags | weft__short_flag(sender->station), lane->id, lane->next_sequence),
		.head = head,
		.head_len_bytes = head_len_bytes,
		.loan = buf,
		.loan_offset_bytes = offset_bytes,
		.loan_len_bytes = len_bytes,
		.cookie = (uintptr_t)op,
	};
	int why = -WEFT_EAGAIN;

	if (!weft__tx_one(sender->path, (enum weft_class)sender->class_, &frame, 0, &why))
		return refused(sender, why, buf->segment_id);
	count_sent(lane, len_bytes);
	sender->station->stats.lent_messages++;
	sender->station->stats.lent_bytes += len_bytes;
	return 0;
}

/* The message fits into slots: one frame, no memory. */
int weft__send_inline(struct weft_sender *sender, struct weft__tx_lane *lane, unsigned int meta_flags,
		      const unsigned char *head, uint32_t head_len_bytes, const void *data, size_t len_bytes,
		      unsigned int tx_flags)
{
	struct weft_tx_frame frame = {
		.meta = weft__meta(WEFT__DATA, meta_flags, lane->id, lane->next_sequence),
		.head = head,
		.head_len_bytes = head_len_bytes,
		.data = data,
		.data_len_bytes = (uint32_t)len_bytes,
	};

	if (!weft__tx_one(sender->path, (enum weft_class)sender->class_, &frame, tx_flags, NULL))
		return weft__sender_again(sender, true);
	count_sent(lane, len_bytes);
	return 0;
}

/* Whether nothing stands in the way of small data on the first lane. */
static inline bool is_quick(const struct weft_sender *sender, const struct weft__tx_lane *lane, size_t len_bytes)
{
	return __builtin_expect(sender->quick && len_bytes <= sender->quick_max && !lane->staged_count &&
					weft__lane_has_credit(lane, len_bytes),
				1);
}

static inline int send_quick(struct weft_sender *sender, struct weft__tx_lane *lane, const void *data, size_t len_bytes,
			     unsigned int tx_flags)
{
	struct weft_path *path = sender->path;

	if (__builtin_expect(path->port->send(path, (enum weft_class)sender->class_,
					      weft__meta(WEFT__DATA, 0, lane->id, lane->next_sequence), data,
					      (uint32_t)len_bytes, tx_flags) < 0,
			     0))
		return weft__sender_again(sender, true);
	count_sent(lane, len_bytes);
	return 0;
}

/* One copy into a buffer of ours, which is then lent. */
static int send_copied(struct weft_sender *sender, struct weft__tx_lane *lane, unsigned int meta_flags,
		       const unsigned char *head, uint32_t head_len_bytes, const void *data, size_t len_bytes)
{
	struct weft__station *station = sender->station;
	struct weft_buf *buf;
	int rc = weft_pool_get(station->pool, len_bytes, &buf);

	if (rc == -WEFT_EAGAIN)
		rc = weft__station_grow(station, len_bytes);
	if (rc < 0)
		return rc == -WEFT_EAGAIN ? weft__sender_again(sender, true) : rc;
	memcpy(buf->data, data, len_bytes);
	rc = weft__send_buf(sender, lane, WEFT__DATA, meta_flags, head, head_len_bytes, buf, 0, len_bytes, NULL);
	weft_buf_put(buf); /* the borrower has a reference of its own */
	if (rc == 0) {
		station->stats.copied_messages++;
		station->stats.copied_bytes += len_bytes;
	}
	return rc;
}

int weft__sender_refuse(struct weft_sender *sender)
{
	if (sender->parked)
		weft__link_wake(sender->link);
	if (sender->status == -WEFT_EAGAIN)
		return weft__sender_again(sender, false);
	return weft_set_error(sender->status, "\"%s\" cannot be sent to any more: %s", sender->peer,
			      weft_error_text(sender->status));
}

int weft__check_how(const struct weft_send_opts *how)
{
	if (__builtin_expect(how->size == sizeof *how, 1))
		return 0;
	return weft_set_error(WEFT_EINVAL, "send options of %zu bytes: begin with WEFT_SEND_OPTS_INIT", how->size);
}

int weft__too_long(const struct weft_sender *sender, size_t len_bytes)
{
	const struct weft_channel *channel = sender->view->channel;

	return weft_set_error(WEFT_EMSGSIZE, "%zu bytes to \"%s\", max_message_bytes of channel \"%s\" is %zu%s",
			      len_bytes, sender->peer, channel->name, (size_t)sender->max_message_bytes,
			      sender->max_message_bytes < channel->opts.max_message_bytes ? " there" : "");
}

/* Whether the lane takes a message now: 0, or why not. */
int weft__lane_refuses(struct weft_sender *sender, const struct weft__tx_lane *lane, size_t len_bytes)
{
	if (sender->status < 0)
		return weft__sender_refuse(sender);
	if (len_bytes > sender->max_message_bytes)
		return weft__too_long(sender, len_bytes);
	if (lane->staged_count)
		return weft__sender_again(sender, true);
	if (!weft__lane_has_credit(lane, len_bytes))
		return weft__sender_again(sender, false);
	return 0;
}

int weft_send(struct weft_sender *sender, const void *data, size_t len_bytes)
{
	struct weft__tx_lane *lane = sender->lane0;

	if (is_quick(sender, lane, len_bytes))
		return send_quick(sender, lane, data, len_bytes, 0);
	return weft_send_with(sender, data, len_bytes, NULL);
}

int weft_send_more(struct weft_sender *sender, const void *data, size_t len_bytes)
{
	struct weft__tx_lane *lane = sender->lane0;

	if (is_quick(sender, lane, len_bytes))
		return send_quick(sender, lane, data, len_bytes, WEFT_TX_MORE);
	return weft_send_with(sender, data, len_bytes,
			      &(struct weft_send_opts){.size = sizeof(struct weft_send_opts), .flags = WEFT_MORE});
}

void weft_sender_flush(struct weft_sender *sender)
{
	if (sender->path)
		sender->path->port->flush(sender->path->port);
}

/* A copy with everything: an op is made first, so that nothing is sent that cannot be reported on. */
static int send_reporting(struct weft_sender *sender, struct weft__tx_lane *lane, const void *data, size_t len_bytes,
			  const struct weft_send_opts *how)
{
	unsigned int meta_flags = how->has_header ? WEFT__HAS_HEADER : 0;
	struct weft_op *op = NULL;
	unsigned char head[WEFT__HEAD_MAX];
	uint32_t head_len = weft__head_make(head, how->has_header, how->tag, how->immediate);
	int rc;

	if (how->completion != WEFT_ACCEPTED) {
		op = weft__op_get(sender->station, WEFT__OP_UNACKED);
		if (!op)
			return weft__sender_again(sender, true);
		op->done = how->done;
		op->user = how->user;
		op->lane = lane;
		op->as.unacked.sequence = lane->next_sequence;
	}
	if (how->completion == WEFT_DELIVERED)
		meta_flags |= WEFT__ACK_NOW;
	if (head_len + len_bytes <= sender->inline_max)
		rc = weft__send_inline(sender, lane, meta_flags, head, head_len, data, len_bytes,
				       how->flags & WEFT_MORE ? WEFT_TX_MORE : 0);
	else
		rc = send_copied(sender, lane, meta_flags, head, head_len, data, len_bytes);
	if (!op)
		return rc;
	if (rc < 0) {
		weft__op_put(op);
		return rc;
	}
	if (how->op)
		*how->op = op;
	if (how->completion == WEFT_DELIVERED)
		weft_list_push_back(&lane->unacked, &op->link);
	else
		weft__op_finish(op, 0); /* it was copied: the memory is free already */
	return 0;
}

int weft__would_copy(const struct weft_sender *sender, size_t len_bytes)
{
	return weft_set_error(WEFT_EDEGRADED,
			      "%zu bytes to \"%s\" would be copied, and WEFT_ZERO_COPY is set: fill a loan of "
			      "weft_loan_get in place, and send that",
			      len_bytes, sender->peer);
}

/* Not inlined: the quick sends end in it, and shall not save registers for it. */
__attribute__((noinline)) int weft_send_with(struct weft_sender *sender, const void *data, size_t len_bytes,
					     const struct weft_send_opts *how)
{
	static const struct weft_send_opts plain = WEFT_SEND_OPTS_INIT;
	struct weft__tx_lane *lane;
	int rc;

	if (!how)
		how = &plain;
	rc = weft__check_how(how);
	if (rc < 0)
		return rc;
	lane = &sender->lanes[how->partition_key % sender->lane_count];
	if (how->flags & WEFT_ZERO_COPY)
		return weft__would_copy(sender, len_bytes);
	if (how->flags & WEFT_INJECT && sender->inline_max && len_bytes > weft_inject_max(sender))
		return weft_set_error(WEFT_EMSGSIZE, "%zu bytes to inject, the limit is %zu", len_bytes,
				      weft_inject_max(sender));
	rc = weft__check_lane(sender, lane, len_bytes);
	if (rc == 0)
		rc = send_reporting(sender, lane, data, len_bytes, how);
	if (rc == -WEFT_EAGAIN && sender->delivery != WEFT_RELIABLE)
		return weft__send_unreliable(sender, lane, data, len_bytes, NULL, how);
	if (rc == 0)
		weft__latest_drop(lane, -WEFT_ECANCELED); /* an older one is not to come after it */
	return rc;
}

size_t weft_inject_max(const struct weft_sender *sender)
{
	return sender->inline_max ? sender->inline_max - WEFT__HEADER_BYTES : 0;
}

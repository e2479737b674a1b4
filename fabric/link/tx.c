/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lanes that we send on: their numbers, the credit that the peer grants, and what waits for delivery.
 */
#include "channel/channel_private.h"
#include "link/link.h"
#include "wire/meta.h"

#include <weft/errors.h>

void weft__tx_lane_renew(struct weft__tx_lane *lane)
{
	struct weft__link *link = lane->link;

	lane->generation = ++link->next_generation;
	lane->opened = lane->told = false;
	lane->next_sequence = lane->limit_sequence = lane->delivered_sequence = 0;
	lane->sent_bytes = lane->limit_bytes = 0;
	weft_list_remove(&lane->dirty);
	weft_list_push_back(&link->tx_dirty, &lane->dirty);
	weft__link_busy(link);
}

int weft__tx_lane_open(struct weft__link *link, struct weft__tx_lane *lane)
{
	for (uint16_t id = 0; id < WEFT__LINK_LANES; id++) {
		uint64_t bit = UINT64_C(1) << id;

		if (link->tx_lanes[id] || (link->close_lanes[0] | link->close_lanes[1]) & bit)
			continue;
		link->tx_lanes[id] = lane;
		lane->id = id;
		lane->link = link;
		weft__tx_lane_renew(lane);
		return 0;
	}
	return weft_set_error(WEFT_ENOSPC, "all %d lanes to \"%s\" are in use: close senders, or use fewer lanes",
			      WEFT__LINK_LANES, link->peer);
}

static void end_staged(struct weft__tx_lane *lane, int status)
{
	while (!weft_list_empty(&lane->staged))
		weft__op_finish(WEFT_CONTAINER_OF(lane->staged.next, struct weft_op, link), status);
}

void weft__tx_lane_close(struct weft__tx_lane *lane, int status)
{
	struct weft__link *link = lane->link;

	if (!link)
		return;
	if (lane->staged_count)
		end_staged(lane, status);
	while (!weft_list_empty(&lane->unacked))
		weft__op_finish(WEFT_CONTAINER_OF(lane->unacked.next, struct weft_op, link), status);
	weft__latest_drop(lane, status);
	weft_list_remove(&lane->dirty);
	link->tx_lanes[lane->id] = NULL;
	if (lane->told && link->state == WEFT__LINK_UP) {
		link->close_lanes[lane->class_] |= UINT64_C(1) << lane->id;
		weft__link_busy(link);
	}
	lane->link = NULL;
}

int weft__tx_lane_move(struct weft__tx_lane *lane, struct weft__link *to)
{
	struct weft__latest latest = lane->latest;
	int rc;

	if (latest.buf)
		lane->link->latest_count--;
	lane->latest.buf = NULL;
	weft__tx_lane_close(lane, -WEFT_ECLOSED);
	rc = weft__tx_lane_open(to, lane);
	lane->latest = latest;
	if (rc < 0)
		weft__latest_drop(lane, rc);
	else if (latest.buf)
		to->latest_count++;
	return rc;
}

/* The lane that a control frame speaks of; NULL if it is an earlier holder of that number, or nonsense. */
static struct weft__tx_lane *lane_of(struct weft__link *link, const struct weft_rx_frame *frame)
{
	uint16_t id = weft__meta_lane(frame->meta);
	struct weft__tx_lane *lane;

	if (id >= WEFT__LINK_LANES) {
		weft__link_violation(link, "control for a lane that cannot be");
		return NULL;
	}
	lane = link->tx_lanes[id];
	return lane && lane->generation == weft__meta_sequence(frame->meta) ? lane : NULL;
}

static void delivered(struct weft__tx_lane *lane, uint32_t sequence)
{
	lane->delivered_sequence = sequence;
	WEFT_LIST_FOR_EACH(at, &lane->unacked) {
		struct weft_op *op = WEFT_CONTAINER_OF(at, struct weft_op, link);

		if ((int32_t)(sequence - op->as.unacked.sequence) <= 0)
			break;
		weft__op_finish(op, 0);
	}
}

void weft__tx_credit(struct weft__link *link, const struct weft_rx_frame *frame)
{
	struct weft__tx_lane *lane = lane_of(link, frame);
	struct weft__credit credit;

	if (!lane)
		return;
	if (weft__credit_decode(frame->data, frame->len_bytes, &credit) < 0 ||
	    (int32_t)(lane->next_sequence - credit.delivered_sequence) < 0 ||
	    (int32_t)(credit.delivered_sequence - lane->delivered_sequence) < 0) {
		weft__link_violation(link, "credit for messages that were never sent");
		return;
	}
	lane->limit_sequence = credit.limit_sequence;
	lane->limit_bytes = credit.limit_bytes;
	lane->any_size = weft__meta_flags(frame->meta) & WEFT__ANY_SIZE;
	weft__sender_limit(lane->sender, credit.max_message_bytes);
	delivered(lane, credit.delivered_sequence);
	if (!lane->opened) {
		lane->opened = true;
		weft__sender_ready(lane->sender);
	} else if (lane->sender->wants_writable) {
		weft__sender_event(lane->sender, WEFT_SENDER_WRITABLE, 0);
	}
	if (lane->latest.buf || lane->staged_count)
		weft__link_busy(link);
}

static void stop_lane(struct weft__tx_lane *lane, int cause)
{
	lane->opened = false;
	lane->limit_sequence = lane->next_sequence;
	lane->sender->quick = false;
	lane->sender->parked = false;
	lane->sender->status = -WEFT_EAGAIN;
	weft__sender_event(lane->sender, WEFT_SENDER_WAITING, cause);
}

void weft__tx_waiting(struct weft__link *link, const struct weft_rx_frame *frame)
{
	struct weft__tx_lane *lane = lane_of(link, frame);

	if (lane)
		stop_lane(lane, -WEFT_ENOCHANNEL);
}

void weft__tx_reset(struct weft__link *link, const struct weft_rx_frame *frame)
{
	struct weft__tx_lane *lane = lane_of(link, frame);

	if (!lane)
		return;
	/* What was on its way was dropped, or not: nobody knows. */
	while (!weft_list_empty(&lane->unacked))
		weft__op_finish(WEFT_CONTAINER_OF(lane->unacked.next, struct weft_op, link), -WEFT_EPEERRESET);
	weft__requests_end(lane->sender, -WEFT_EPEERRESET);
	stop_lane(lane, -WEFT_ECLOSED);
}

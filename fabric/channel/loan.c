/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loans: pool buffers that the application fills and hands over, and received messages that it keeps.
 */
#include "channel/channel_private.h"
#include "link/promise.h"

#include <stdlib.h>
#include <string.h>
#include <weft/assert.h>

#define SPARED_BYTES ((size_t)64 * 1024)

struct weft_loan *weft__loan_alloc(struct weft__station *station)
{
	struct weft_list *link = weft_list_pop_front(&station->free_loans);
	struct weft_loan *loan;

	if (!link)
		return NULL;
	station->free_loan_count--;
	loan = WEFT_CONTAINER_OF(link, struct weft_loan, link);
	loan->holds = 1;
	loan->waits = false;
	loan->buf = NULL;
	loan->from = NULL;
	loan->lane = NULL;
	loan->ack_now = false;
	return loan;
}

/* Its window goes back to the sender of the message. */
static void give_window_back(struct weft_loan *loan)
{
	struct weft__rx_lane *lane = loan->lane;

	lane->held_messages--;
	lane->held_bytes -= loan->len_bytes;
	loan->lane = NULL;
	weft__rx_lane_credit(lane, loan->ack_now);
}

void weft__loan_free(struct weft_loan *loan)
{
	struct weft__station *station = loan->station;

	if (loan->waits)
		weft__waiting_taken(loan);
	weft_list_remove(&loan->link);
	weft_list_remove(&loan->in_lane);
	if (loan->lane)
		give_window_back(loan); /* off its lane's list: what is told counts it as delivered */
	if (loan->buf) {
		weft_buf_put(loan->buf);
	} else if (loan->from) {
		loan->from->kept--;
		loan->from->kept_bytes -= loan->len_bytes;
		if (loan->from->state == WEFT__LINK_UP)
			loan->from->path->port->release(loan->from->path, loan->loan_id);
		station->reap_due |= loan->from->state == WEFT__LINK_DOWN;
	}
	weft_list_push_front(&station->free_loans, &loan->link);
	station->free_loan_count++;
	weft__promises_may_feed(station);
}

void weft__loans_forget_lane(struct weft__station *station, const struct weft__rx_lane *lane)
{
	if (!lane->held_messages)
		return;
	WEFT_LIST_FOR_EACH(at, &station->kept) {
		struct weft_loan *loan = WEFT_CONTAINER_OF(at, struct weft_loan, in_lane);

		if (loan->lane == lane)
			loan->lane = NULL;
	}
}

int weft_loan_get(struct weft_worker *worker, size_t len_bytes, struct weft_loan **out)
{
	struct weft__station *station = weft__station_of(worker);
	struct weft_loan *loan;
	struct weft_buf *buf;
	int rc;

	if (!weft__loans_spare(station))
		return -WEFT_EAGAIN;
	rc = weft_pool_get(station->pool, len_bytes, &buf);
	if (rc < 0)
		return rc == -WEFT_EAGAIN ? weft__station_grow(station, len_bytes) : rc;
	loan = weft__loan_alloc(station);
	if (!loan) {
		weft_buf_put(buf);
		return -WEFT_EAGAIN;
	}
	loan->buf = buf;
	loan->data = loan->buf->data;
	loan->len_bytes = len_bytes;
	*out = loan;
	return 0;
}

void *weft_loan_data(struct weft_loan *loan)
{
	return loan->data;
}

size_t weft_loan_len(const struct weft_loan *loan)
{
	return loan->len_bytes;
}

void weft_loan_trim(struct weft_loan *loan, size_t len_bytes)
{
	if (len_bytes < loan->len_bytes && loan->buf && !loan->lane)
		loan->len_bytes = len_bytes;
}

void weft_loan_share(struct weft_loan *loan)
{
	loan->holds++;
}

void weft_loan_release(struct weft_loan *loan)
{
	if (--loan->holds == 0)
		weft__loan_free(loan);
}

static void copy_message(struct weft_loan *loan, const struct weft_rx *rx, void *data)
{
	struct weft_node_stats *stats = &loan->station->stats;

	memcpy(data, rx->data, rx->len_bytes);
	loan->data = data;
	stats->copied_messages++;
	stats->copied_bytes += rx->len_bytes;
}

int weft__loan_places_make(struct weft__station *station)
{
	size_t inline_max = 1;

	for (unsigned int i = 0; i < station->node->rail_count; i++)
		if (station->ports[i]->inline_max > inline_max)
			inline_max = station->ports[i]->inline_max;
	station->place_bytes = (inline_max + WEFT_CACHE_LINE - 1) / WEFT_CACHE_LINE * WEFT_CACHE_LINE;
	/* Not touched: what is never used takes no memory. */
	station->places = aligned_alloc(WEFT_CACHE_LINE, WEFT__LOANS * station->place_bytes);
	return station->places ? 0 : weft_set_error(WEFT_ENOMEM, "no memory for messages that are kept");
}

/* A message of the ring, which is gone after the callback: to where there is always room for it. */
static void copy_small(struct weft_loan *loan, const struct weft_rx *rx)
{
	const struct weft__station *station = loan->station;

	WEFT_ASSERT(rx->len_bytes <= station->place_bytes);
	copy_message(loan, rx, station->places + (size_t)(loan - station->loans) * station->place_bytes);
}

/*
 * A lent message is copied, although it could stay where it is, if its sender runs out of memory, and we do not. False:
 * it stays.
 */
static bool copy_lent(struct weft_loan *loan, const struct weft_rx *rx, const struct weft_rx_frame *frame)
{
	struct weft_pool *pool = loan->station->pool;

	if (!(weft__meta_flags(frame->meta) & WEFT__SHORT) || frame->loan_len_bytes > SPARED_BYTES ||
	    weft_pool_is_low(pool) || weft_pool_get(pool, rx->len_bytes ? rx->len_bytes : 1, &loan->buf) < 0)
		return false;
	copy_message(loan, rx, loan->buf->data);
	return true;
}

static void borrow_message(struct weft_loan *loan, struct weft__link *link, struct weft_rx *rx,
			   const struct weft_rx_frame *frame)
{
	loan->data = (void *)(uintptr_t)frame->loan_data;
	loan->loan_id = frame->loan_id;
	loan->from = link;
	link->kept++;
	link->kept_bytes += rx->len_bytes;
	rx->reserved[WEFT__RX_STATE] |= WEFT__RX_BORROWED;
}

int weft__loan_of_frame(struct weft__link *link, struct weft__rx_lane *lane, struct weft_rx *rx,
			const struct weft_rx_frame *frame, struct weft_loan **out)
{
	struct weft_loan *loan = weft__loan_alloc(link->station);

	if (!loan)
		return -WEFT_EAGAIN;
	if (!frame->loan_data)
		copy_small(loan, rx);
	else if (!copy_lent(loan, rx, frame))
		borrow_message(loan, link, rx, frame);
	loan->len_bytes = rx->len_bytes;
	loan->lane = lane;
	if (lane) {
		lane->held_messages++;
		lane->held_bytes += rx->len_bytes;
	}
	weft_list_push_back(&link->station->kept, &loan->in_lane);
	*out = loan;
	return 0;
}

int weft_rx_keep(struct weft_rx *rx, struct weft_loan **out)
{
	struct weft__rx_lane *lane = (struct weft__rx_lane *)(uintptr_t)rx->reserved[WEFT__RX_LANE];
	struct weft__link *link = (struct weft__link *)(uintptr_t)rx->reserved[WEFT__RX_LINK];
	const struct weft_rx_frame *frame = (const struct weft_rx_frame *)(uintptr_t)rx->reserved[WEFT__RX_FRAME];
	struct weft_loan *held = (struct weft_loan *)(uintptr_t)rx->reserved[WEFT__RX_LOAN];
	int rc;

	if (rx->reserved[WEFT__RX_STATE] & WEFT__RX_KEPT)
		return weft_set_error(WEFT_EINVAL, "the message was kept already");
	if (held) {
		weft_loan_share(held);
		*out = held;
	} else if (!weft__loans_spare(link->station)) {
		return -WEFT_EAGAIN;
	} else {
		rc = weft__loan_of_frame(link, lane, rx, frame, out);
		if (rc < 0)
			return rc;
	}
	rx->reserved[WEFT__RX_STATE] |= WEFT__RX_KEPT;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a link sends at the end of a turn: its own lanes' control first, then replies that had to wait, then what it says
 * of the peer's lanes, then staged copies.
 * Whatever the driver does not take stays marked and is tried again; nothing here is allocated.
 */
#include "channel/channel_private.h"
#include "link/link.h"
#include "link/promise.h"
#include "wire/meta.h"

#include <string.h>

void weft__link_busy(struct weft__link *link)
{
	if (weft_list_empty(&link->in_busy))
		weft_list_push_back(&link->station->busy_links, &link->in_busy);
}

bool weft__link_control(struct weft__link *link, enum weft_class class_, uint64_t meta, const void *data,
			size_t len_bytes)
{
	struct weft_tx_frame frame = {.meta = meta, .data = data, .data_len_bytes = (uint32_t)len_bytes};

	return link->path->port->tx(link->path, class_, &frame, 1, 0, NULL) == 1;
}

static bool send_open(struct weft__link *link, struct weft__tx_lane *lane)
{
	const struct weft_channel *channel = lane->sender->view->channel;
	struct weft__lane_terms terms = {
		.delivery = (uint8_t)channel->opts.delivery,
		.priority = (uint8_t)channel->opts.priority,
		.max_message_bytes = channel->opts.max_message_bytes,
	};
	unsigned char bytes[WEFT__LANE_OPEN_MAX];

	memcpy(terms.channel, channel->name, sizeof terms.channel);
	/* In the class of the lane's data: a close of the number's earlier holder must come first. */
	return weft__link_control(link, lane->class_, weft__meta(WEFT__LANE_OPEN, 0, lane->id, lane->generation), bytes,
				  weft__lane_terms_encode(&terms, bytes));
}

static bool flush_opens(struct weft__link *link)
{
	WEFT_LIST_FOR_EACH(at, &link->tx_dirty) {
		struct weft__tx_lane *lane = WEFT_CONTAINER_OF(at, struct weft__tx_lane, dirty);

		if (!send_open(link, lane))
			return false;
		lane->told = true;
		weft_list_remove(at);
	}
	return true;
}

static bool flush_closes(struct weft__link *link)
{
	for (unsigned int class_ = 0; class_ < WEFT_CLASS_COUNT; class_++)
		while (link->close_lanes[class_]) {
			uint16_t id = (uint16_t)__builtin_ctzll(link->close_lanes[class_]);

			if (!weft__link_control(link, class_, weft__meta(WEFT__LANE_CLOSE, 0, id, 0), NULL, 0))
				return false;
			link->close_lanes[class_] &= link->close_lanes[class_] - 1;
		}
	return true;
}

/*
 * How much may be given back before the sender is told: a quarter of the window, so that a sender that had all of
 * it waits for no more than that. But what it knows of must be enough for the longest message, or it would wait for
 * ever for what we do not tell.
 */
static uint64_t untold_bytes_max(const struct weft__rx_lane *lane)
{
	uint64_t window = lane->view->channel->opts.window_bytes;
	uint64_t spare = window > lane->max_message_bytes ? window - lane->max_message_bytes : 0;

	return spare < window / 4 ? spare : window / 4;
}

/* What the peer has been told once it may use, also when the channel has been opened anew with smaller limits since. */
static void note_told(struct weft__rx_lane *lane, const struct weft__credit *credit)
{
	if ((int32_t)(credit->limit_sequence - lane->limit_sequence) > 0)
		lane->limit_sequence = credit->limit_sequence;
	if (credit->limit_bytes > lane->limit_bytes)
		lane->limit_bytes = credit->limit_bytes;
}

static bool send_credit(struct weft__rx_lane *lane)
{
	const struct weft_channel_opts *opts = &lane->view->channel->opts;
	bool handled = lane->view->calls.handler;
	uint32_t more = handled ? opts->window_messages - lane->held_messages : weft__promise_credit(lane);
	struct weft__credit credit = {
		.delivered_sequence = weft__rx_lane_delivered(lane),
		.limit_sequence = lane->next_sequence + more,
		.limit_bytes = lane->received_bytes + opts->window_bytes - lane->held_bytes,
		.max_message_bytes = opts->max_message_bytes,
	};
	bool any_size = !lane->held_messages;
	unsigned char bytes[WEFT__CREDIT_BYTES];

	weft__credit_encode(&credit, bytes);
	if (!weft__link_control(lane->link, WEFT_CLASS_EXPRESS,
				weft__meta(WEFT__CREDIT, any_size ? WEFT__ANY_SIZE : 0, lane->id, lane->generation),
				bytes, sizeof bytes))
		return false;
	note_told(lane, &credit);
	lane->any_size = any_size;
	lane->any_sequence = lane->next_sequence;
	/* So with messages: a quarter of the window is told in one go. Without a handler, see credit_due() of rx.c. */
	lane->credit_sequence = lane->next_sequence - lane->held_messages;
	if (handled)
		lane->credit_sequence += (opts->window_messages + 3) / 4;
	lane->credit_bytes = credit.limit_bytes - opts->window_bytes + untold_bytes_max(lane);
	return true;
}

static bool send_of_lane(struct weft__rx_lane *lane, enum weft__kind kind)
{
	return weft__link_control(lane->link, WEFT_CLASS_EXPRESS, weft__meta(kind, 0, lane->id, lane->generation), NULL,
				  0);
}

/* Tells what is to be told of a lane, as far as there is room. */
static bool flush_lane(struct weft__rx_lane *lane)
{
	if (lane->reset_due && !send_of_lane(lane, WEFT__LANE_RESET))
		return false;
	lane->reset_due = false;
	/* Who does not take its answers may not ask more: the link stays busy with them. */
	if (lane->link->lane_replies[lane->id] && lane->to_tell == WEFT__CREDIT)
		return true;
	if (lane->to_tell == WEFT__CREDIT ? !send_credit(lane)
					  : lane->to_tell && !send_of_lane(lane, (enum weft__kind)lane->to_tell))
		return false;
	lane->to_tell = 0;
	weft_list_remove(&lane->dirty);
	return true;
}

static bool flush_credits(struct weft__link *link)
{
	WEFT_LIST_FOR_EACH(at, &link->rx_dirty)
		if (!flush_lane(WEFT_CONTAINER_OF(at, struct weft__rx_lane, dirty)))
			return false;
	return true;
}

bool weft__link_flush(struct weft__link *link, size_t *budget_bytes)
{
	bool replied, staged;

	if (link->state != WEFT__LINK_UP)
		return true;
	if (__builtin_expect(link->idle || link->idle_classes, 0)) {
		if (!weft__idle_flush(link))
			return false;
		/* What else there is to send waits until the link is awake, which is a matter of one answer. */
		if (link->state != WEFT__LINK_UP || link->idle)
			return true;
	}
	if (!flush_closes(link) || !flush_opens(link))
		return false;
	replied = weft__replies_flush(link);
	if (!flush_credits(link))
		return false;
	staged = weft__staged_flush(link, budget_bytes);
	return (!link->latest_count || weft__latest_flush(link)) && staged && replied;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages that nothing takes yet: each waits as a loan, which was promised to it when its sender got credit for it. What
 * senders that are gone have left behind has a limit too.
 */
#include "channel/channel_private.h"
#include "link/promise.h"

#include <weft/log.h>

#define LEFT_MAX (WEFT__LOANS / 2)

void weft__wait_for_taker(struct weft__rx_lane *lane, struct weft_rx *rx, const struct weft_rx_frame *frame)
{
	struct weft_loan *loan = weft__promise_is_kept(lane) ? weft__message_hold(lane, rx, frame) : NULL;

	/* It was within its credit, and cannot be lost without ending the link. */
	if (!loan) {
		weft_log(WEFT_LOG_WARN, "link",
			 "peer %s messages wait and no loan is free for one more, since channel %s lost its handler "
			 "action closed",
			 lane->link->peer, lane->view->channel->name);
		weft__link_end(lane->link, -WEFT_ENOSPC);
		return;
	}
	loan->waits = true;
	loan->waits_of = lane->link;
	lane->link->waiting++;
	weft__promise_recount(lane->link);
	weft_list_push_back(&lane->view->unexpected, &loan->link);
}

void weft__waiting_taken(struct weft_loan *loan)
{
	if (loan->waits_of) {
		loan->waits_of->waiting--;
		loan->waits_of->waiting_closed -= !loan->lane;
		weft__promise_recount(loan->waits_of);
		weft__promises_may_feed(loan->station);
	} else {
		loan->station->left_count--;
	}
	loan->waits = false;
	if (!loan->lane) { /* no orphan any more */
		weft_list_remove(&loan->in_lane);
		weft_list_push_back(&loan->station->kept, &loan->in_lane);
	}
}

void weft__waiting_left(struct weft__link *link)
{
	struct weft__station *station = link->station;
	unsigned int dropped = 0;

	if (!link->waiting)
		return;
	WEFT_LIST_FOR_EACH(at, &station->orphans) {
		struct weft_loan *loan = WEFT_CONTAINER_OF(at, struct weft_loan, in_lane);

		if (loan->waits_of != link)
			continue;
		link->waiting--;
		loan->waits_of = NULL;
		station->left_count++;
		if (station->left_count > LEFT_MAX) { /* what comes before it stays whole */
			weft__loan_free(loan);
			dropped++;
		}
	}
	weft__promise_recount(link);
	if (dropped)
		weft_log(WEFT_LOG_WARN, "link",
			 "peer %s is gone messages %u action dropped: nothing received them, and %u of "
			 "such wait already",
			 link->peer, dropped, LEFT_MAX);
}

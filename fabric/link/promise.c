/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Promises: what a lane is told grows with what it uses, as far as its link's share allows, and the less is left the less
 * at a time. What is set apart is shared by nobody: of it each link that has nothing gets one, which nothing else takes, so
 * that whatever others are told and do not use, it gets on; a little is for lanes that have nothing, so that one whose
 * messages nobody receives holds up no other; and the rest is the application's.
 */
#include "link/promise.h"

#include "channel/channel_private.h"

#define STEP_FIRST 16u /* messages, at open; doubled each time that half of it has been used */
#define STEP_MAX 256u  /* which is enough for a stream, and what lanes without traffic keep from others */
#define MODEST 4u      /* what a lane is told of while others of its link have nothing */
#define APART ((long)WEFT__LOANS / 4)
#define SHARED (WEFT__LOANS - APART)
#define APPLICATION ((long)192) /* of what is apart: it is the application's at the least */
#define LEFT_MAX \
	((unsigned int)WEFT__LINK_LANES) /* whoever leaves more behind in lanes that it closes gets none for a lane */
#define FED_A_TURN 32

void weft__promise_recount(struct weft__link *link)
{
	bool served = link->waiting || link->promised;

	link->station->served += (unsigned int)served - (unsigned int)link->served;
	link->served = served;
}

static void set_promised(struct weft__rx_lane *lane, uint32_t count)
{
	lane->link->promised += count - lane->promised;
	lane->link->station->promised += count - lane->promised;
	lane->promised = count;
	weft__promise_recount(lane->link);
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Of the window. */
static uint32_t unused(const struct weft__rx_lane *lane)
{
	uint32_t window = lane->view->channel->opts.window_messages;

	return window > lane->held_messages ? window - lane->held_messages : 0;
}

/* Of what is for all links. */
static long shared_left(const struct weft__station *station)
{
	long left = (long)station->free_loan_count - station->promised - APART;

	return left > 0 ? left : 0;
}

/*
 * How many more the link may have, waiting or promised, so that it has no more than twice as many as are left then
 * (Choudhury and Hahne 1998): one alone gets two thirds of what is not set apart, many get less each.
 */
static uint32_t share_left(const struct weft__link *link)
{
	long more = (2 * shared_left(link->station) - (long)(link->waiting + link->promised)) / 3;

	return more > 0 ? (uint32_t)more : 0;
}

/* What the lane may have at the least, out of what is set apart. */
static uint32_t least(const struct weft__rx_lane *lane)
{
	const struct weft__link *link = lane->link;
	const struct weft__station *station = link->station;
	long left = (long)station->free_loan_count - station->promised;

	if (!link->served)
		return left > 0;
	return !lane->promised && !lane->held_messages && link->waiting_closed < LEFT_MAX &&
	       left > weft__loans_of_links(station) + APPLICATION;
}

/* A step in times when so much is left: so lanes that are told and send nothing leave something for those after them. */
static uint32_t scaled(const struct weft__rx_lane *lane, uint32_t step)
{
	return smaller(step, 1 + (uint32_t)(step * shared_left(lane->link->station) / SHARED));
}

/* What could be promised to it altogether, up to a step; while others of its link have nothing, no more than they will get. */
static uint32_t could_have(const struct weft__rx_lane *lane, uint32_t step)
{
	uint32_t wanted = smaller(unused(lane), lane->link->starved_count ? MODEST : scaled(lane, step)), more, floor;

	if (wanted <= lane->promised)
		return lane->promised;
	more = share_left(lane->link);
	floor = least(lane);
	return lane->promised + smaller(wanted - lane->promised, more > floor ? more : floor);
}

/* Its sender can do nothing, and there is nothing to tell: it is looked at again. */
static void starve(struct weft__rx_lane *lane)
{
	if (lane->promised || !unused(lane) || !weft_list_empty(&lane->starved))
		return;
	lane->link->starved_count++;
	lane->link->station->starved_count++;
	weft_list_push_back(&lane->link->station->starved, &lane->starved);
}

static void starve_no_more(struct weft__rx_lane *lane)
{
	struct weft__station *station = lane->link->station;

	if (weft_list_empty(&lane->starved))
		return;
	lane->link->starved_count--;
	weft_list_remove(&lane->starved);
	if (station->feed_left > --station->starved_count)
		station->feed_left = station->starved_count;
}

uint32_t weft__promise_credit(struct weft__rx_lane *lane)
{
	if (!lane->step)
		lane->step = STEP_FIRST;
	set_promised(lane, could_have(lane, lane->step));
	starve(lane);
	return lane->promised;
}

bool weft__promise_is_due(struct weft__rx_lane *lane)
{
	uint32_t step = smaller(lane->step * 2, smaller(STEP_MAX, lane->view->channel->opts.window_messages)), more;

	if (lane->promised > scaled(lane, lane->step) / 2 || !weft__view_receives(lane->view))
		return false;
	more = could_have(lane, step) - lane->promised;
	if (more && (!lane->promised || more >= scaled(lane, step) / 4)) {
		lane->step = step;
		return true;
	}
	starve(lane);
	return false;
}

void weft__promise_used(struct weft__rx_lane *lane)
{
	if (lane->promised)
		set_promised(lane, lane->promised - 1);
}

void weft__promise_review(struct weft__rx_lane *lane)
{
	int32_t told = (int32_t)(lane->limit_sequence - lane->next_sequence);
	bool may_wait = lane->view && !lane->view->calls.handler;

	if (lane->promised)
		weft__promises_may_feed(lane->link->station);
	set_promised(lane, 0);
	/* With a handler it was told of its whole window. What is beyond its share now must not be anybody else's lack. */
	if (may_wait && told > 0) {
		uint32_t more = share_left(lane->link), floor = least(lane);

		set_promised(lane, smaller((uint32_t)told, more > floor ? more : floor));
	}
	if (!may_wait)
		starve_no_more(lane);
}

bool weft__promise_is_kept(const struct weft__rx_lane *lane)
{
	const struct weft__station *station = lane->link->station;

	return station->free_loan_count > station->promised || lane->link->waiting < 2 * station->free_loan_count;
}

/* Whoever gets nothing is at the end of the list again, behind those that are still to be looked at. */
unsigned int weft__promises_feed(struct weft__station *station)
{
	unsigned int fed = 0;

	for (unsigned int i = 0; i < FED_A_TURN && station->feed_left; i++) {
		struct weft_list *first = station->starved.next;
		struct weft__rx_lane *lane = WEFT_CONTAINER_OF(first, struct weft__rx_lane, starved);

		station->feed_left--;
		starve_no_more(lane);
		if (weft__promise_is_due(lane)) {
			weft__rx_lane_credit(lane, true);
			fed++;
		}
	}
	return fed;
}

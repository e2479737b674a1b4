/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both sides of a link say on a path that is new to it, and what is sent again.
 */
#include "channel/channel_private.h"
#include "link/move.h"
#include "link/mover.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is kept ---- */

struct weft__kept *weft__kept_new(void)
{
	struct weft__kept *kept = calloc(1, sizeof *kept);

	if (!kept)
		return NULL;
	weft_list_init(&kept->link);
	weft__retained_init(&kept->retained);
	return kept;
}

void weft__kept_free(struct weft__kept **kept)
{
	if (!*kept)
		return;
	weft_list_remove(&(*kept)->link);
	weft__retained_drop(&(*kept)->retained);
	free(*kept);
	*kept = NULL;
}

int weft__move_lane_open(struct weft__tx_lane *lane)
{
	if (!lane->link->mover || lane->kept)
		return 0;
	lane->kept = weft__kept_new(); /* once a lane, never for a message */
	return lane->kept ? 0 : weft_set_error(WEFT_ENOMEM, "no memory for a lane to \"%s\"", lane->link->peer);
}

void weft__move_lane_close(struct weft__tx_lane *lane)
{
	struct weft__kept *kept = lane->kept;
	struct weft__link *link = lane->link;

	lane->kept = NULL;
	if (!kept)
		return;
	if (!link->mover || !lane->told || (link->state != WEFT__LINK_UP && link->state != WEFT__LINK_MOVING)) {
		weft__kept_free(&kept);
		return;
	}
	kept->id = lane->id;
	kept->generation = lane->generation;
	kept->class_ = lane->class_;
	/* While the peer is being sent again what it lacks, that comes first. */
	kept->closes = link->mover->anew && kept->retained.again;
	if (kept->closes)
		link->close_lanes[lane->class_] &= ~(UINT64_C(1) << lane->id);
	weft_list_push_back(&link->mover->leaving, &kept->link);
}

static struct weft__kept *leaving(struct weft__mover *mover, uint16_t id, uint32_t generation)
{
	WEFT_LIST_FOR_EACH(at, &mover->leaving) {
		struct weft__kept *kept = WEFT_CONTAINER_OF(at, struct weft__kept, link);

		if (kept->id == id && kept->generation == generation)
			return kept;
	}
	return NULL;
}

/* The peer has closed that one, and so those that had its number before. */
static void forget_leaving(struct weft__mover *mover, uint16_t id, uint32_t generation)
{
	WEFT_LIST_FOR_EACH(at, &mover->leaving) {
		struct weft__kept *kept = WEFT_CONTAINER_OF(at, struct weft__kept, link);

		if (kept->id == id && (int32_t)(kept->generation - generation) <= 0)
			weft__kept_free(&kept);
	}
}

void weft__move_peer_closed(struct weft__link *link, uint16_t id, uint32_t generation)
{
	if (!link->mover)
		return;
	link->mover->closed |= UINT64_C(1) << id;
	link->mover->closed_generation[id] = generation;
	weft__link_busy(link);
}

/* ---- the exchange ---- */

void weft__resume_begin(struct weft__link *link)
{
	struct weft__mover *mover = link->mover;

	mover->under_way = true;
	mover->told = mover->heard = mover->granted = mover->grants = mover->anew = false;
	mover->told_count = 0;
	mover->has = 0;
	weft__link_busy(link);
}

bool weft__move_under_way(const struct weft__link *link)
{
	return link->mover && (link->state == WEFT__LINK_MOVING || link->mover->under_way || link->mover->anew);
}

static bool say_list(struct weft_path *path, const struct weft__resume *resume)
{
	unsigned char bytes[WEFT__RESUME_MAX];
	struct weft_tx_frame frame = {.meta = weft__meta(WEFT__RESUME, 0, 0, 0),
				      .data = bytes,
				      .data_len_bytes = (uint32_t)weft__resume_encode(resume, bytes)};

	return path->port->tx(path, WEFT_CLASS_EXPRESS, &frame, 1, 0, NULL) == 1;
}

void weft__resume_refuse(struct weft_path *path)
{
	(void)say_list(path, &(struct weft__resume){.unknown = true}); /* else it learns that the path was closed */
}

/* The next part of our list; false: no room. */
static bool tell_list(struct weft__link *link)
{
	struct weft__mover *mover = link->mover;
	struct weft__resume resume = {0};
	unsigned int id = mover->told_count;

	for (; id < WEFT__LINK_LANES && resume.count < WEFT__RESUME_LANES; id++)
		if (link->rx_lanes[id])
			resume.lanes[resume.count++] = (struct weft__resume_lane){(uint16_t)id,
										  link->rx_lanes[id]->generation,
										  link->rx_lanes[id]->next_sequence};
	resume.more = id < WEFT__LINK_LANES;
	if (!say_list(link->path, &resume))
		return false;
	mover->told_count = (uint8_t)id;
	mover->told = !resume.more;
	return true;
}

static void hear_list(struct weft__link *link, const struct weft_rx_frame *frame)
{
	struct weft__mover *mover = link->mover;
	struct weft__resume resume;

	if (mover->heard || weft__resume_decode(frame->data, frame->len_bytes, &resume) < 0) {
		weft__link_violation(link, "a malformed list of lanes, or a second one");
		return;
	}
	if (resume.unknown) {
		weft__link_end(link, -WEFT_EPEERRESET);
		return;
	}
	for (unsigned int i = 0; i < resume.count; i++) {
		uint16_t id = resume.lanes[i].id;

		if (id >= WEFT__LINK_LANES || mover->has & UINT64_C(1) << id) {
			weft__link_violation(link, "a list of lanes that cannot be");
			return;
		}
		mover->has |= UINT64_C(1) << id;
		mover->theirs[id] = resume.lanes[i];
	}
	mover->heard = mover->grants = !resume.more;
}

void weft__move_receive(struct weft__link *link, const struct weft_rx_frame *frame)
{
	struct weft__mover *mover = link->mover;
	uint16_t id = weft__meta_lane(frame->meta);

	if (mover && weft__meta_kind(frame->meta) == WEFT__LANE_CLOSED) {
		forget_leaving(mover, id, weft__meta_sequence(frame->meta));
		return;
	}
	if (!mover || !mover->under_way) {
		weft__link_violation(link, "it goes on where nothing was broken");
		return;
	}
	if (weft__meta_kind(frame->meta) == WEFT__RESUME)
		hear_list(link, frame);
	else
		mover->granted = true;
	if (link->state == WEFT__LINK_UP)
		weft__link_busy(link);
}

/* ---- what the peer lacks ---- */

static bool peer_has(const struct weft__mover *mover, uint16_t id, uint32_t generation)
{
	return mover->has & UINT64_C(1) << id && mover->theirs[id].generation == generation;
}

/* A lane that is open: the peer has it up to some message, or has never heard of it. False: it lies. */
static bool resume_lane(struct weft__link *link, struct weft__tx_lane *lane)
{
	struct weft__mover *mover = link->mover;
	uint32_t next = mover->theirs[lane->id].next_sequence;

	if (!peer_has(mover, lane->id, lane->generation)) {
		if (lane->opened)
			return false;
		if (mover->has & UINT64_C(1) << lane->id &&
		    !leaving(mover, lane->id, mover->theirs[lane->id].generation))
			link->close_lanes[lane->class_] |= UINT64_C(1) << lane->id;
		lane->told = false;
		weft_list_remove(&lane->dirty);
		weft_list_push_back(&link->tx_dirty, &lane->dirty);
		return true;
	}
	if ((int32_t)(lane->next_sequence - next) < 0 || (int32_t)(next - lane->delivered_sequence) < 0)
		return false;
	weft__retained_confirm(&lane->kept->retained, next);
	weft__retained_rewind(&lane->kept->retained);
	weft__requests_resume(lane, next);
	return true;
}

static void resume_leaving(struct weft__mover *mover)
{
	WEFT_LIST_FOR_EACH(at, &mover->leaving) {
		struct weft__kept *kept = WEFT_CONTAINER_OF(at, struct weft__kept, link);

		if (!peer_has(mover, kept->id, kept->generation)) {
			weft__kept_free(&kept); /* it has all of it, and has closed it; or has never heard of it */
			continue;
		}
		weft__retained_confirm(&kept->retained, mover->theirs[kept->id].next_sequence);
		weft__retained_rewind(&kept->retained);
		kept->closes = true;
	}
}

static void resume(struct weft__link *link)
{
	struct weft__mover *mover = link->mover;

	mover->under_way = false;
	mover->anew = true;
	memset(link->close_lanes, 0, sizeof link->close_lanes);
	resume_leaving(mover);
	for (uint16_t id = 0; id < WEFT__LINK_LANES; id++) {
		if (link->tx_lanes[id] && !resume_lane(link, link->tx_lanes[id])) {
			weft__link_violation(link, "it has what was never sent, or has not what it confirmed");
			return;
		}
		if (!link->tx_lanes[id] && mover->has & UINT64_C(1) << id &&
		    !leaving(mover, id, mover->theirs[id].generation))
			link->close_lanes[WEFT_CLASS_EXPRESS] |= UINT64_C(1) << id;
		if (link->rx_lanes[id])
			weft__rx_lane_tell_again(link->rx_lanes[id]);
	}
}

/* Small data that this driver takes only as a loan. */
static bool send_lent(struct weft__link *link, enum weft_class class_, struct weft_tx_frame *frame)
{
	struct weft_pool *pool = link->station->pool;
	struct weft_tx_frame lent = *frame;
	struct weft_buf *buf;
	int why = 0;
	bool taken;

	if (weft_pool_get(pool, frame->data_len_bytes, &buf) < 0) {
		(void)weft__station_grow(link->station, frame->data_len_bytes);
		return false;
	}
	memcpy(buf->data, frame->data, frame->data_len_bytes);
	lent.data = NULL;
	lent.data_len_bytes = 0;
	lent.loan = buf;
	lent.loan_offset_bytes = 0;
	lent.loan_len_bytes = frame->data_len_bytes;
	taken = link->path->port->tx(link->path, class_, &lent, 1, 0, &why) == 1;
	if (!taken && why == -WEFT_ENXIO)
		link->path->port->driver->share(link->path, buf->segment_id);
	weft_buf_put(buf);
	return taken;
}

/* All that is kept of one lane; false: no room. */
static bool send_again(struct weft__link *link, enum weft_class class_, struct weft__retained *retained)
{
	const struct weft_port *port = link->path->port;
	struct weft_tx_frame frame;
	int why = 0;

	while (weft__retained_next(retained, &frame)) {
		bool fits = frame.loan || frame.head_len_bytes + frame.data_len_bytes <= port->inline_max;

		if (fits ? port->tx(link->path, class_, &frame, 1, 0, &why) != 1 : !send_lent(link, class_, &frame)) {
			if (why == -WEFT_ENXIO && frame.loan)
				port->driver->share(link->path, frame.loan->segment_id);
			return false;
		}
		weft__retained_sent(retained);
	}
	return true;
}

/* First of lanes that are closed then: their numbers may have been given again. */
static bool send_all_again(struct weft__link *link)
{
	WEFT_LIST_FOR_EACH(at, &link->mover->leaving) {
		struct weft__kept *kept = WEFT_CONTAINER_OF(at, struct weft__kept, link);

		if (!kept->closes)
			continue;
		if (!send_again(link, (enum weft_class)kept->class_, &kept->retained) ||
		    !weft__link_control(link, (enum weft_class)kept->class_,
					weft__meta(WEFT__LANE_CLOSE, 0, kept->id, 0), NULL, 0))
			return false;
		kept->closes = false;
	}
	for (unsigned int id = 0; id < WEFT__LINK_LANES; id++) {
		struct weft__tx_lane *lane = link->tx_lanes[id];

		if (lane && !send_again(link, (enum weft_class)lane->class_, &lane->kept->retained))
			return false;
	}
	return true;
}

/* ---- in a turn ---- */

static bool tell_closed(struct weft__link *link)
{
	struct weft__mover *mover = link->mover;

	while (mover->closed) {
		uint16_t id = (uint16_t)__builtin_ctzll(mover->closed);

		if (!weft__link_control(link, WEFT_CLASS_EXPRESS,
					weft__meta(WEFT__LANE_CLOSED, 0, id, mover->closed_generation[id]), NULL, 0))
			return false;
		mover->closed &= mover->closed - 1;
	}
	return true;
}

static enum weft__move_flush exchange(struct weft__link *link)
{
	struct weft__mover *mover = link->mover;

	while (!mover->told)
		if (!tell_list(link))
			return WEFT__MOVE_NO_ROOM;
	if (mover->grants) {
		if (!weft__link_control(link, WEFT_CLASS_EXPRESS, weft__meta(WEFT__RESUME_DONE, 0, 0, 0), NULL, 0))
			return WEFT__MOVE_NO_ROOM;
		mover->grants = false;
	}
	if (!mover->heard || !mover->granted)
		return WEFT__MOVE_WAITS;
	resume(link);
	return WEFT__MOVE_GOES_ON;
}

enum weft__move_flush weft__move_flush(struct weft__link *link)
{
	struct weft__mover *mover = link->mover;
	enum weft__move_flush outcome = WEFT__MOVE_GOES_ON;

	if (mover->under_way)
		outcome = exchange(link);
	if (outcome != WEFT__MOVE_GOES_ON)
		return outcome;
	if (link->state != WEFT__LINK_UP)
		return WEFT__MOVE_WAITS;
	if (mover->anew) {
		if (!send_all_again(link))
			return WEFT__MOVE_NO_ROOM;
		mover->anew = false;
		weft__move_arrived(link);
		WEFT_LIST_FOR_EACH(at, &link->senders)
			weft__sender_ready(WEFT_CONTAINER_OF(at, struct weft_sender, in_link));
	}
	return tell_closed(link) ? WEFT__MOVE_GOES_ON : WEFT__MOVE_NO_ROOM;
}

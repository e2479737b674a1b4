/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From one path to another: when, by which way, and until when it is tried. What is said then, see resume.c.
 */
#include "link/move.h"

#include "channel/channel_private.h"
#include "link/connect.h"
#include "link/mover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/log.h>

/* A peer that cannot be reached for so long has lost the link. */
#define MOVE_MAX_NS UINT64_C(10000000000)
#define AGAIN_FIRST_NS UINT64_C(1000000)
#define AGAIN_MAX_NS UINT64_C(100000000)
#define BACK_FIRST_NS UINT64_C(250000000)
#define BACK_MAX_NS UINT64_C(16000000000)
#define LEFT_MAX 4u                   /* paths that are kept open until the peer has left them, too */
#define CALM_NS UINT64_C(60000000000) /* a path that stood for so long is trusted again */

bool weft__move_knows_ways(const struct weft_node *node, const char *peer_node)
{
	unsigned int rail;
	const char *to;

	return weft__way_to(node, peer_node, 1, &rail, &to);
}

static unsigned int way_count(const struct weft__link *link)
{
	unsigned int rail, count = 1;
	const char *to;

	while (weft__way_to(link->station->node, link->peer_node, count, &rail, &to))
		count++;
	return count;
}

static void set_timer(struct weft__link *link, struct weft_timer *timer, uint64_t wait_ns)
{
	struct weft_worker *worker = link->station->worker;

	weft_timer_set(worker, timer, weft_worker_now(worker) + wait_ns);
}

/* ---- which way ---- */

static void connect_by(struct weft__link *link, unsigned int way)
{
	link->way = (uint8_t)way;
	if (weft__link_connect(link) < 0) /* the runner has much to do */
		set_timer(link, &link->mover->again, AGAIN_FIRST_NS);
}

/* All others in the order of preference from the one that broke on, then that one once more. */
static void try_next(struct weft__link *link)
{
	struct weft__mover *mover = link->mover;
	unsigned int count = way_count(link);

	if (mover->tried == count) {
		mover->tried = 0;
		set_timer(link, &mover->again, mover->again_ns);
		mover->again_ns = mover->again_ns * 2 < AGAIN_MAX_NS ? mover->again_ns * 2 : AGAIN_MAX_NS;
		return;
	}
	mover->tried++;
	connect_by(link, (mover->at_way + mover->tried) % count);
}

/* The better ones, best first. */
static void try_better(struct weft__link *link)
{
	struct weft__mover *mover = link->mover;

	if (mover->probed < mover->at_way) {
		connect_by(link, mover->probed++);
		return;
	}
	link->way = mover->at_way;
	mover->probed = mover->best_way;
	mover->back_ns = mover->back_ns * 2 < BACK_MAX_NS ? mover->back_ns * 2 : BACK_MAX_NS;
	set_timer(link, &mover->again, mover->back_ns);
}

static void on_again(struct weft_timer *timer, void *user)
{
	struct weft__link *link = user;

	(void)timer;
	if (link->connect_out)
		return; /* its outcome goes on */
	if (link->state == WEFT__LINK_MOVING)
		try_next(link);
	else if (link->state == WEFT__LINK_UP && !weft__move_under_way(link))
		try_better(link);
}

static void on_over(struct weft_timer *timer, void *user)
{
	struct weft__link *link = user;

	(void)timer;
	weft_log(WEFT_LOG_WARN, "link", "peer %s not reached again within_ms %llu action its senders are lost",
		 link->peer, (unsigned long long)(MOVE_MAX_NS / 1000000));
	link->station->stats.peers_lost++;
	weft__link_end(link, -WEFT_EPEERRESET);
}

/* ---- its life ---- */

int weft__move_begin(struct weft__link *link, bool connects)
{
	struct weft__mover *mover = calloc(1, sizeof *mover);

	if (!mover)
		return weft_set_error(WEFT_ENOMEM, "no memory for a link to \"%s\"", link->peer);
	mover->connects = connects;
	mover->at_way = mover->best_way = mover->probed = link->way;
	weft_list_init(&mover->leaving);
	weft_timer_init(&mover->over, on_over, link);
	weft_timer_init(&mover->again, on_again, link);
	link->mover = mover;
	for (unsigned int i = 0; i < WEFT__LINK_LANES; i++)
		if (link->tx_lanes[i] && weft__move_lane_open(link->tx_lanes[i]) < 0)
			return -WEFT_ENOMEM;
	return 0;
}

/* The paths that it has left may be closed: until now the peer would have taken that for its end. */
static void let_go_of_paths(struct weft__link *link)
{
	WEFT_LIST_FOR_EACH(at, &link->station->links) {
		struct weft__link *left = WEFT_CONTAINER_OF(at, struct weft__link, in_station);

		if (left->left_by != link)
			continue;
		left->left_by = NULL;
		link->station->reap_due = true;
	}
}

void weft__move_end(struct weft__link *link)
{
	struct weft__mover *mover = link->mover;

	if (!mover)
		return;
	link->mover = NULL;
	weft_timer_cancel(link->station->worker, &mover->over);
	weft_timer_cancel(link->station->worker, &mover->again);
	for (unsigned int i = 0; i < WEFT__LINK_LANES; i++)
		if (link->tx_lanes[i])
			weft__kept_free(&link->tx_lanes[i]->kept);
	while (!weft_list_empty(&mover->leaving)) {
		struct weft__kept *kept = WEFT_CONTAINER_OF(weft_list_pop_front(&mover->leaving), struct weft__kept,
							    link);

		weft__kept_free(&kept);
	}
	let_go_of_paths(link);
	free(mover);
}

/* ---- breaking ---- */

/* Who comes again and again, and never to an end, has no more than so many. */
static bool has_left_many(const struct weft__link *link)
{
	unsigned int count = 0;

	WEFT_LIST_FOR_EACH(at, &link->station->links)
		count += WEFT_CONTAINER_OF(at, struct weft__link, in_station)->left_by == link;
	return count >= LEFT_MAX;
}

/* Leaves the path, and waits for another: true. False without memory: then the link has ended. */
static bool leave_path(struct weft__link *link)
{
	if (has_left_many(link))
		let_go_of_paths(link);
	if (!weft__link_leave_path(link)) {
		weft__link_end(link, -WEFT_EPEERRESET);
		return false;
	}
	set_timer(link, &link->mover->over, MOVE_MAX_NS);
	return true;
}

static bool is_broken(const struct weft_path *path, enum weft_down_reason reason)
{
	/* On this machine a death is a fact, elsewhere it is a guess. */
	return reason == WEFT_DOWN_BROKEN ||
	       (reason == WEFT_DOWN_DIED && !(path->port->driver->caps & WEFT_DRIVER_LOCAL));
}

bool weft__move_path_down(struct weft__link *link, const struct weft_path *path, enum weft_down_reason reason)
{
	struct weft__mover *mover = link->mover;

	uint64_t now_ns = weft_worker_now(link->station->worker);

	if (!mover || link->state != WEFT__LINK_UP || link->closing || !is_broken(path, reason))
		return false;
	if (now_ns - mover->arrived_ns > CALM_NS)
		mover->back_ns = 0;
	weft_log(WEFT_LOG_WARN, "link", "peer %s path broken driver %s action %s", link->peer, path->port->driver->name,
		 mover->connects ? "the next way to it is tried" : "it is awaited");
	if (!leave_path(link) || !mover->connects)
		return true;
	mover->tried = 0;
	mover->again_ns = AGAIN_FIRST_NS;
	weft_timer_cancel(link->station->worker, &mover->again);
	if (!link->connect_out)
		try_next(link);
	return true;
}

/* ---- another path ---- */

/* The link has it. */
static void take_path(struct weft__link *link, struct weft_path *path)
{
	struct weft__mover *mover = link->mover;

	weft__link_take_path(link, path);
	weft__link_connect_over(link);
	weft_timer_cancel(link->station->worker, &mover->again);
	set_timer(link, &mover->over, MOVE_MAX_NS);
	weft__resume_begin(link);
}

bool weft__move_connected(struct weft__link *link, struct weft_path *path)
{
	struct weft__mover *mover = link->mover;

	if (!mover || (link->state != WEFT__LINK_MOVING && link->state != WEFT__LINK_UP))
		return false;
	if (path->peer.incarnation != link->peer_incarnation) {
		weft__link_end(link, -WEFT_EPEERRESET);
		path->port->driver->disconnect(path);
		return true;
	}
	if (link->state == WEFT__LINK_UP && (weft__move_under_way(link) || link->idle != WEFT__AWAKE)) {
		link->way = mover->at_way;
		path->port->driver->disconnect(path);
		return true;
	}
	if (link->state == WEFT__LINK_UP && !leave_path(link)) {
		path->port->driver->disconnect(path);
		return true;
	}
	mover->at_way = link->way;
	take_path(link, path);
	return true;
}

bool weft__move_connect_failed(struct weft__link *link)
{
	if (!link->mover || (link->state != WEFT__LINK_MOVING && link->state != WEFT__LINK_UP))
		return false;
	if (link->state == WEFT__LINK_MOVING)
		try_next(link);
	else
		try_better(link);
	return true;
}

static bool is_of(const struct weft__link *link, const struct weft__hello *hello)
{
	return link->mover && (link->state == WEFT__LINK_MOVING || link->state == WEFT__LINK_UP) &&
	       strcmp(link->peer_node, hello->node) == 0 && strcmp(link->peer_worker, hello->worker) == 0 &&
	       link->peer_index == hello->from_index;
}

bool weft__move_accepted(struct weft__station *station, struct weft_path *path, const struct weft__hello *hello)
{
	if (!(hello->flags & WEFT__RESUMES))
		return false;
	WEFT_LIST_FOR_EACH(at, &station->links) {
		struct weft__link *link = WEFT_CONTAINER_OF(at, struct weft__link, in_station);

		if (!is_of(link, hello) || link->mover->connects || link->closing ||
		    link->peer_incarnation != path->peer.incarnation || !weft__link_same_user(link, &path->peer) ||
		    link->token != hello->token)
			continue;
		if (link->state == WEFT__LINK_UP && !leave_path(link))
			break;
		take_path(link, path);
		return true;
	}
	weft__resume_refuse(path);
	path->port->driver->disconnect(path);
	return true;
}

void weft__move_outdated(struct weft__station *station, const struct weft_path *path, const struct weft__hello *hello)
{
	WEFT_LIST_FOR_EACH(at, &station->links) {
		struct weft__link *link = WEFT_CONTAINER_OF(at, struct weft__link, in_station);

		if (is_of(link, hello) && link->state == WEFT__LINK_MOVING && weft__link_same_user(link, &path->peer))
			weft__link_end(link, -WEFT_EPEERRESET);
	}
}

void weft__move_arrived(struct weft__link *link)
{
	struct weft__mover *mover = link->mover;

	weft_timer_cancel(link->station->worker, &mover->over);
	mover->arrived_ns = weft_worker_now(link->station->worker);
	let_go_of_paths(link);
	weft_log(WEFT_LOG_INFO, "link", "peer %s goes on driver %s", link->peer, link->path->port->driver->name);
	if (!mover->connects)
		return;
	if (mover->at_way <= mover->best_way) {
		mover->best_way = mover->at_way;
		return;
	}
	mover->probed = mover->best_way;
	if (mover->back_ns < BACK_FIRST_NS)
		mover->back_ns = BACK_FIRST_NS;
	set_timer(link, &mover->again, mover->back_ns);
}

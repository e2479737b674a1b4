/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a link: made when the first sender needs it or a peer asks, built by the runner, ended by either side's
 * close, death or misbehaviour.
 */
#include "link/link.h"

#include "channel/channel_private.h"
#include "link/connect.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/log.h>

static struct weft__link *link_new(struct weft__station *station)
{
	struct weft__link *link = calloc(1, sizeof *link);

	if (!link)
		return NULL;
	link->station = station;
	weft__link_connect_init(link);
	weft_timer_init(&link->patience, weft__idle_overdue, link);
	weft_list_init(&link->in_busy);
	weft_list_init(&link->senders);
	weft_list_init(&link->tx_dirty);
	weft_list_init(&link->rx_dirty);
	weft_list_init(&link->replies);
	for (unsigned int i = 0; i < WEFT_PRIORITY_COUNT; i++)
		weft_list_init(&link->staged[i]);
	weft_list_push_back(&station->links, &link->in_station);
	return link;
}

static void link_free(struct weft__link *link)
{
	weft__link_connect_over(link);
	weft_timer_cancel(link->station->worker, &link->retry);
	weft_timer_cancel(link->station->worker, &link->patience);
	weft_list_remove(&link->in_station);
	weft_list_remove(&link->in_busy);
	free(link);
}

/* Splits "NODE" or "NODE/WORKER" into a link's fields. */
static int link_name(struct weft__link *link, const char *peer)
{
	const char *slash = strchr(peer, '/');
	size_t node_len = slash ? (size_t)(slash - peer) : strlen(peer);

	if (node_len > WEFT_NAME_MAX || strlen(peer) >= sizeof link->peer)
		goto bad;
	memcpy(link->peer_node, peer, node_len);
	strcpy(link->peer, peer);
	if (!weft__name_valid(link->peer_node) || (slash && !weft__name_valid(slash + 1)))
		goto bad;
	if (slash)
		strcpy(link->peer_worker, slash + 1);
	return 0;
bad:
	return weft_set_error(
		WEFT_EINVAL,
		"\"%s\" names no peer: it is NODE or NODE/WORKER, each 1 to %d of [A-Za-z0-9._-], the first no dot",
		peer, WEFT_NAME_MAX);
}

static bool link_serves(const struct weft__link *link, const char *peer)
{
	return !link->closing && link->state != WEFT__LINK_DOWN && strcmp(link->peer, peer) == 0;
}

/* It only says whether there is news: no order is needed. */
void weft__link_full(struct weft__station *station, const char *peer)
{
	if (!atomic_load_explicit(&station->full_told, memory_order_relaxed) &&
	    !atomic_exchange_explicit(&station->full_told, true, memory_order_relaxed))
		weft_log(
			WEFT_LOG_WARN, "link",
			"peer %s refused links %u action raise links_max or close senders; others are refused silently until "
			"there is room",
			peer, station->node->opts.links_max);
}

void weft__link_room(struct weft__station *station)
{
	if (atomic_load_explicit(&station->full_told, memory_order_relaxed))
		atomic_store_explicit(&station->full_told, false, memory_order_relaxed);
}

/* Whether one more link is allowed. */
static int check_count(struct weft__station *station, const char *peer)
{
	unsigned int max = station->node->opts.links_max, count = 0;

	WEFT_LIST_FOR_EACH(at, &station->links) {
		const struct weft__link *link = WEFT_CONTAINER_OF(at, struct weft__link, in_station);

		count += link->state == WEFT__LINK_UP || link->state == WEFT__LINK_CONNECTING;
	}
	if (count < max) {
		weft__link_room(station);
		return 0;
	}
	if (weft__idle_close_one(station))
		return weft_set_error(WEFT_EAGAIN,
				      "no link to \"%s\" yet: all links_max %u are taken, and the least used one "
				      "is being closed; try again",
				      peer, max);
	weft__link_full(station, peer);
	return weft_set_error(WEFT_ENOSPC,
			      "no link to \"%s\": all links_max %u of the worker are in use; raise links_max, "
			      "or close senders",
			      peer, max);
}

int weft__link_to(struct weft__station *station, const char *peer, struct weft__link **out)
{
	struct weft__link *link;
	int rc;

	WEFT_LIST_FOR_EACH(at, &station->links) {
		link = WEFT_CONTAINER_OF(at, struct weft__link, in_station);
		if (link_serves(link, peer)) {
			weft__link_wake(link);
			*out = link;
			return 0;
		}
	}
	rc = check_count(station, peer);
	if (rc < 0)
		return rc;
	link = link_new(station);
	if (!link)
		return weft_set_error(WEFT_ENOMEM, "no memory for a link to \"%s\"", peer);
	rc = link_name(link, peer);
	if (rc == 0 && (rc = weft__link_connect(link)) < 0)
		weft_set_error(-rc, "the runner has too much to do to connect to \"%s\"; try again", peer);
	if (rc < 0) {
		link_free(link);
		return rc;
	}
	*out = link;
	return 0;
}

/* ---- events of the driver ---- */

/* Whether this is the user whom the link had as its peer, if it had one. */
static bool same_user(const struct weft__link *link, const struct weft_peer_identity *peer)
{
	return !link->peer_incarnation || link->peer_uid == peer->uid;
}

struct weft__link *weft__link_up_like(const struct weft__link *like)
{
	WEFT_LIST_FOR_EACH(at, &like->station->links) {
		struct weft__link *link = WEFT_CONTAINER_OF(at, struct weft__link, in_station);

		if (link->state == WEFT__LINK_UP && link_serves(link, like->peer) && same_user(like, &link->path->peer))
			return link;
	}
	return NULL;
}

/* For a path that the peer made: the link that gave way to it, or a new one. */
static struct weft__link *link_for_incoming(struct weft__station *station, const struct weft_path *path,
					    const struct weft__hello *hello)
{
	char peer[sizeof((struct weft__link *)0)->peer];
	struct weft__link *link;

	snprintf(peer, sizeof peer, hello->worker[0] ? "%s/%s" : "%s", hello->node, hello->worker);
	WEFT_LIST_FOR_EACH(at, &station->links) {
		link = WEFT_CONTAINER_OF(at, struct weft__link, in_station);
		if ((link->state == WEFT__LINK_RETRYING || link->state == WEFT__LINK_DORMANT) && !link->connect_out &&
		    link_serves(link, peer) && same_user(link, &path->peer)) {
			weft_timer_cancel(station->worker, &link->retry);
			return link;
		}
	}
	link = link_new(station);
	if (!link)
		return NULL;
	strcpy(link->peer_node, hello->node);
	strcpy(link->peer_worker, hello->worker);
	strcpy(link->peer, peer);
	return link;
}

void weft__link_merge(struct weft__link *from, struct weft__link *to)
{
	WEFT_LIST_FOR_EACH(at, &from->senders)
		weft__sender_move(WEFT_CONTAINER_OF(at, struct weft_sender, in_link), to);
	weft__link_end(from, -WEFT_ECLOSED);
	weft__link_wake(to); /* which may be about to rest */
}

static void count_up(struct weft__station *station, int change)
{
	/* The runner looks at it. */
	__atomic_store_n(&station->stats.links, station->stats.links + (uint32_t)change, __ATOMIC_RELAXED);
}

static void say_stranger(struct weft__link *link, const char *node)
{
	WEFT_LIST_FOR_EACH(at, &link->senders)
		strcpy(WEFT_CONTAINER_OF(at, struct weft_sender, in_link)->stranger, node);
}

void weft__link_path_up(void *port_user, struct weft_path *path, const struct weft_hello *theirs, void *request)
{
	struct weft__station *station = port_user;
	struct weft__link *link = request, *other;
	struct weft__hello hello;

	if (link)
		weft__link_connect_came(link);
	if (link && link->state == WEFT__LINK_DOWN) {
		weft__link_connect_over(link);
		path->port->driver->disconnect(path);
		return;
	}
	if (weft__hello_decode(theirs, &hello) < 0) {
		station->stats.violations++;
		if (link)
			weft__link_connect_failed(port_user, link, -WEFT_EPROTO, "malformed hello");
		path->port->driver->disconnect(path);
		return;
	}
	if (link && strcmp(hello.node, link->peer_node) != 0) {
		say_stranger(link, hello.node);
		weft__link_connect_failed(port_user, link, -WEFT_EUNREACHABLE, "another node answers there");
		path->port->driver->disconnect(path);
		return;
	}
	if (link && !same_user(link, &path->peer)) {
		weft__link_connect_failed(port_user, link, -WEFT_EACCES, "another user has the name now");
		path->port->driver->disconnect(path);
		return;
	}
	/* The peer's connection was accepted before ours was begun: that one stays. The peer may have taken ours meanwhile. */
	if (link && station->node->incarnation > path->peer.incarnation && (other = weft__link_up_like(link)) &&
	    same_user(other, &path->peer)) {
		weft__link_merge(link, other);
		(void)weft__idle_say_close(path, 0);
		path->port->driver->disconnect(path);
		return;
	}
	if (!link) {
		link = link_for_incoming(station, path, &hello);
		if (!link) {
			path->port->driver->disconnect(path);
			return;
		}
	}
	link->path = path;
	link->peer_role = hello.role;
	path->user = link;
	link->state = WEFT__LINK_UP;
	weft__link_connect_done(link);
	count_up(station, 1);
	weft__idle_watch(link);
	if (link->peer_incarnation && link->peer_incarnation != path->peer.incarnation)
		weft__idle_lose_parked(link);
	link->peer_incarnation = path->peer.incarnation;
	link->peer_uid = path->peer.uid;
	weft__asker_join(link);
	if (link->closing)
		weft__link_end(link, -WEFT_ECLOSED);
	WEFT_LIST_FOR_EACH(at, &link->senders)
		weft__sender_ready(WEFT_CONTAINER_OF(at, struct weft_sender, in_link));
}

static int cause_of(enum weft_down_reason reason)
{
	return reason == WEFT_DOWN_CLOSED      ? -WEFT_ECLOSED
	       : reason == WEFT_DOWN_VIOLATION ? -WEFT_EPROTO
					       : -WEFT_EPEERRESET;
}

void weft__link_path_down(void *port_user, struct weft_path *path, enum weft_down_reason reason)
{
	struct weft__link *link = path->user;
	struct weft__station *station = port_user;

	if (!link) {
		path->port->driver->disconnect(path);
		return;
	}
	/* It may have ended in this very turn, before the path did. */
	if (reason == WEFT_DOWN_CLOSED && link->state == WEFT__LINK_UP && link->idle == WEFT__IDLE_CLOSING &&
	    weft__idle_may_rest(link)) {
		weft__link_rest(link);
		return;
	}
	if (reason != WEFT_DOWN_CLOSED)
		station->stats.peers_lost++;
	if (reason == WEFT_DOWN_VIOLATION)
		station->stats.violations++;
	weft__link_end(link, cause_of(reason));
}

void weft__link_violation(struct weft__link *link, const char *what)
{
	link->station->stats.violations++;
	weft_log(WEFT_LOG_WARN, "link", "peer %s violation %s action closed", link->peer, what);
	weft__link_end(link, -WEFT_EPROTO);
}

/* ---- the end ---- */

static void drop_rx_lanes(struct weft__link *link, int cause)
{
	for (unsigned int i = 0; i < WEFT__LINK_LANES; i++) {
		struct weft__rx_lane *lane = link->rx_lanes[i];

		if (lane)
			weft__rx_lane_free(lane, cause);
	}
}

void weft__link_end(struct weft__link *link, int cause)
{
	struct weft__station *station = link->station;

	if (link->state == WEFT__LINK_DOWN)
		return;
	if (link->state == WEFT__LINK_UP)
		count_up(station, -1);
	link->state = WEFT__LINK_DOWN;
	link->closing = true;
	if (!link->connect_out)
		weft__link_connect_over(link);
	station->reap_due = true;
	drop_rx_lanes(link, cause);
	weft__waiting_left(link);
	weft__replies_drop(link);
	weft__asker_leave(link);
	while (!weft_list_empty(&link->senders))
		weft__sender_lost(WEFT_CONTAINER_OF(link->senders.next, struct weft_sender, in_link), cause);
}

void weft__link_rest(struct weft__link *link)
{
	struct weft__station *station = link->station;
	struct weft__link *other;
	bool wake = weft__idle_is_wanted(link);

	drop_rx_lanes(link, -WEFT_ECLOSED); /* nobody watches them, or the link would have stayed */
	weft__link_connect_over(link);
	weft__asker_leave(link);
	link->way = 0; /* who is looked for again is looked for on this machine first */
	link->path->port->driver->disconnect(link->path);
	link->path = NULL;
	link->idle = WEFT__AWAKE;
	weft_timer_cancel(station->worker, &link->patience);
	link->wake_wanted = false;
	link->idle_classes = 0;
	memset(link->close_lanes, 0, sizeof link->close_lanes);
	count_up(station, -1);
	link->state = WEFT__LINK_DORMANT;
	weft_log(WEFT_LOG_DEBUG, "link", "peer %s idle action closed until the next send", link->peer);
	WEFT_LIST_FOR_EACH(at, &link->senders) {
		struct weft_sender *sender = WEFT_CONTAINER_OF(at, struct weft_sender, in_link);

		sender->path = NULL;
		for (unsigned int i = 0; i < sender->lane_count; i++)
			weft__tx_lane_renew(&sender->lanes[i]);
	}
	if (weft_list_empty(&link->senders))
		weft__link_end(link, -WEFT_ECLOSED);
	else if ((other = weft__link_up_like(link)))
		weft__link_merge(link, other); /* the peer has come back before we were through */
	else if (wake)
		weft__link_wake(link);
}

void weft__link_wake(struct weft__link *link)
{
	if (link->state == WEFT__LINK_UP)
		link->wake_wanted |= link->idle != WEFT__AWAKE;
	if (link->state != WEFT__LINK_DORMANT)
		return;
	link->state = WEFT__LINK_CONNECTING;
	if (weft__link_connect(link) < 0)
		weft__link_connect_later(link); /* the runner has much to do */
}

/* Between turns' callbacks: nothing refers to a dead link any more but what the application keeps. */
bool weft__link_reap(struct weft__link *link)
{
	if (link->state != WEFT__LINK_DOWN || link->kept || link->connect_out || !weft_list_empty(&link->senders))
		return false;
	if (link->path)
		link->path->port->driver->disconnect(link->path);
	link_free(link);
	return true;
}

void weft__link_forget(struct weft__link *link)
{
	link_free(link);
}

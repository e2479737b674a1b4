/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attached workers: one more station for a thread that the application has already. Its port is opened and closed on
 * the runner, which is running.
 */
#include "node/node_private.h"

#include "channel/channel_private.h"

#include <string.h>
#include <weft/topology.h>

struct attach {
	struct weft_node *node;
	const char *name;
	int numa;
	struct weft__station *station;
};

static int open_station(void *argument)
{
	struct attach *attach = argument;
	struct weft_worker_opts opts;

	weft_worker_opts_init(&opts, sizeof opts);
	opts.name = attach->name;
	opts.idle = attach->node->opts.idle;
	return weft__station_open(attach->node, attach->name, attach->numa, &opts, &attach->station);
}

static int close_station(void *argument)
{
	struct attach *attach = argument;

	weft_worker_take(attach->station->worker); /* its thread waits for us */
	weft__station_close(&attach->station);
	return 0;
}

/* The channel as the other workers have it, with what was said of it before this one came. */
static int add_view(struct weft__station *station, struct weft_channel *channel)
{
	struct weft__view *view;
	int rc = weft__view_new(station, channel);

	if (rc < 0)
		return rc;
	view = channel->views[station->index];
	weft__view_arrive(station, &view->arrival);
	view->calls = channel->calls;
	return 0;
}

/* Puts the station where peers find it; gives it the channels that there are. */
static int enlist(struct weft_node *node, struct weft__station *station)
{
	unsigned int slot = WEFT__STATIONS_MAX;
	int rc = 0;

	pthread_mutex_lock(&node->lock);
	for (unsigned int i = node->base_count; i < WEFT__STATIONS_MAX; i++) {
		if (!node->stations[i] && !(node->leaving & UINT64_C(1) << i))
			slot = i < slot ? i : slot;
		else if (node->stations[i] && strcmp(node->stations[i]->name, station->name) == 0)
			rc = weft_set_error(WEFT_EADDRINUSE, "a thread is attached as \"%s\" already", station->name);
	}
	if (rc == 0 && slot == WEFT__STATIONS_MAX)
		rc = weft_set_error(WEFT_ENOSPC, "a node has at most %d workers", WEFT__STATIONS_MAX);
	station->index = slot;
	WEFT_LIST_FOR_EACH(at, &node->channels)
		if (rc == 0)
			rc = add_view(station, WEFT_CONTAINER_OF(at, struct weft_channel, in_node));
	if (rc == 0)
		node->stations[slot] = station;
	else
		weft__station_end(station); /* while nobody else can have its place; nothing is open on it yet */
	pthread_mutex_unlock(&node->lock);
	return rc;
}

int weft_attach(struct weft_node *node, const char *name, struct weft_worker **out)
{
	struct attach attach = {.node = node, .name = name, .numa = node->binds ? weft_topology_numa_here() : -1};
	int rc;

	if (!name || !weft__name_valid(name))
		return weft_set_error(WEFT_EINVAL, "name \"%s\": a worker's name is 1 to %d of [A-Za-z0-9._-]",
				      name ? name : "", WEFT_NAME_MAX);
	rc = weft__node_fork_check(node);
	if (rc == 0)
		rc = weft__runner_call(node, open_station, &attach);
	if (rc < 0)
		return rc;
	attach.station->attached = true;
	weft_worker_take(attach.station->worker);
	rc = enlist(node, attach.station);
	if (rc < 0) {
		weft__runner_call(node, close_station, &attach);
		return rc;
	}
	*out = attach.station->worker;
	return 0;
}

void weft_detach(struct weft_node *node, struct weft_worker **worker)
{
	struct attach attach = {.node = node};
	uint64_t leaving = 0;

	if (!*worker)
		return;
	attach.station = weft__station_of(*worker);
	*worker = NULL;
	if (weft__node_forked(node))
		return;
	pthread_mutex_lock(&node->lock);
	for (unsigned int i = node->base_count; i < WEFT__STATIONS_MAX; i++)
		if (node->stations[i] == attach.station) {
			node->stations[i] = NULL;
			leaving = UINT64_C(1) << i;
		}
	node->leaving |= leaving; /* until channels know it no more */
	pthread_mutex_unlock(&node->lock);
	weft__station_end(attach.station); /* here, since callbacks are the owner's */
	weft__runner_call(node, close_station, &attach);
	pthread_mutex_lock(&node->lock);
	node->leaving &= ~leaving;
	pthread_mutex_unlock(&node->lock);
}

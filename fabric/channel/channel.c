/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels of a node: opened once for all its workers, each of which learns of it on its own thread.
 */
#include "channel/channel_private.h"
#include "link/promise.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define MAX_MESSAGE_LIMIT ((size_t)1 << 30)
#define WINDOW_MESSAGES_LIMIT (1u << 20)

void weft_channel_opts_init(struct weft_channel_opts *opts, size_t size)
{
	memset(opts, 0, size);
	*opts = (struct weft_channel_opts){
		.size = size,
		.delivery = WEFT_RELIABLE,
		.priority = WEFT_PRIORITY_NORMAL,
		.lanes = 1,
		.max_message_bytes = (size_t)1 << 20,
		.window_messages = 1024,
		.window_bytes = (size_t)4 << 20,
		.request_window = 1024,
	};
}

static int check_opts(const struct weft_channel_opts *opts, const char *name)
{
	if (!name || !weft__name_valid(name))
		return weft_set_error(WEFT_EINVAL, "\"%s\" is no channel name: 1 to %d of [A-Za-z0-9._-]",
				      name ? name : "", WEFT_NAME_MAX);
	if (opts->size != sizeof *opts)
		return weft_set_error(WEFT_EINVAL, "channel options of %zu bytes: call weft_channel_opts_init",
				      opts->size);
	if ((unsigned int)opts->delivery > WEFT_LATEST || (unsigned int)opts->priority >= WEFT_PRIORITY_COUNT)
		return weft_set_error(WEFT_EINVAL, "channel \"%s\": unknown delivery or priority", name);
	if (opts->lanes < 1 || opts->lanes > WEFT_CHANNEL_LANES_MAX)
		return weft_set_error(WEFT_EINVAL, "channel \"%s\": lanes is %u, allowed is 1 to %d", name, opts->lanes,
				      WEFT_CHANNEL_LANES_MAX);
	if (opts->max_message_bytes < 1 || opts->max_message_bytes > MAX_MESSAGE_LIMIT)
		return weft_set_error(WEFT_EINVAL, "channel \"%s\": max_message_bytes is %zu, allowed is 1 to %zu",
				      name, opts->max_message_bytes, MAX_MESSAGE_LIMIT);
	if (opts->window_messages < 1 || opts->window_messages > WINDOW_MESSAGES_LIMIT)
		return weft_set_error(WEFT_EINVAL, "channel \"%s\": window_messages is %u, allowed is 1 to %u", name,
				      opts->window_messages, WINDOW_MESSAGES_LIMIT);
	if (opts->window_bytes < 1 || opts->window_bytes > WEFT_PATH_MEMORY_MAX_BYTES)
		return weft_set_error(
			WEFT_EINVAL,
			"channel \"%s\": window_bytes is %zu, allowed is 1 to %zu, which is all that a peer "
			"may lend",
			name, opts->window_bytes, (size_t)WEFT_PATH_MEMORY_MAX_BYTES);
	if (!opts->request_window || opts->request_window > 1u << 16 ||
	    (opts->request_window & (opts->request_window - 1)))
		return weft_set_error(WEFT_EINVAL,
				      "channel \"%s\": request_window is %u, must be a power of two up to %u", name,
				      opts->request_window, 1u << 16);
	return 0;
}

static struct weft_channel *find(struct weft_node *node, const char *name)
{
	WEFT_LIST_FOR_EACH(at, &node->channels) {
		struct weft_channel *channel = WEFT_CONTAINER_OF(at, struct weft_channel, in_node);

		if (strcmp(channel->name, name) == 0)
			return channel;
	}
	return NULL;
}

/* A view for each worker, which learns of it. All or none. */
static int add_views(struct weft_node *node, struct weft_channel *channel)
{
	int rc = 0;

	for (unsigned int i = 0; rc == 0 && i < WEFT__STATIONS_MAX; i++)
		if (node->stations[i])
			rc = weft__view_new(node->stations[i], channel);
	for (unsigned int i = 0; i < WEFT__STATIONS_MAX; i++) {
		struct weft__view *view = channel->views[i];

		if (view && rc < 0)
			weft__view_drop(view);
		else if (view)
			weft__errand_send(view->station, &view->arrival, weft__view_arrive);
	}
	return rc;
}

/* Makes it one of the node's, under the node's lock. */
static int enrol(struct weft_node *node, struct weft_channel *channel)
{
	int rc;

	if (find(node, channel->name))
		return weft_set_error(WEFT_EEXIST, "channel \"%s\" is open already on node \"%s\"", channel->name,
				      node->name);
	if (node->channel_count >= node->opts.channels_max)
		return weft_set_error(WEFT_ENOSPC,
				      "channel \"%s\": all channels_max %u of node \"%s\" are open; close some, "
				      "or raise it",
				      channel->name, node->opts.channels_max, node->name);
	rc = add_views(node, channel);
	if (rc < 0)
		return rc;
	node->channel_count++;
	weft_list_push_back(&node->channels, &channel->in_node);
	return 0;
}

int weft_channel_open(struct weft_node *node, const char *name, const struct weft_channel_opts *opts,
		      struct weft_channel **out)
{
	struct weft_channel_opts defaults;
	struct weft_channel *channel;
	int rc;

	weft_channel_opts_init(&defaults, sizeof defaults);
	rc = weft__node_fork_check(node);
	if (rc == 0)
		rc = check_opts(opts ? opts : &defaults, name);
	if (rc < 0)
		return rc;
	channel = calloc(1, sizeof *channel);
	if (!channel)
		return weft_set_error(WEFT_ENOMEM, "no memory for channel \"%s\"", name);
	channel->node = node;
	channel->opts = opts ? *opts : defaults;
	strcpy(channel->name, name);
	atomic_init(&channel->refs, 1);
	pthread_mutex_lock(&node->lock);
	rc = enrol(node, channel);
	pthread_mutex_unlock(&node->lock);
	if (rc < 0)
		weft__channel_unref(channel);
	else
		*out = channel;
	return rc;
}

void weft__channel_unref(struct weft_channel *channel)
{
	/* acq_rel: the last one must see what the others did; pairs with the same line on other threads. */
	if (atomic_fetch_sub_explicit(&channel->refs, 1, memory_order_acq_rel) == 1)
		free(channel);
}

void weft_channel_close(struct weft_channel **channel_ptr)
{
	struct weft_channel *channel = *channel_ptr;
	struct weft__view *own[WEFT__STATIONS_MAX];
	unsigned int own_count = 0;
	struct weft_node *node;

	if (!channel)
		return;
	*channel_ptr = NULL;
	node = channel->node;
	if (weft__node_forked(node))
		return;
	pthread_mutex_lock(&node->lock);
	weft_list_remove(&channel->in_node);
	node->channel_count--;
	for (unsigned int i = 0; i < WEFT__STATIONS_MAX; i++) {
		struct weft__view *view = node->stations[i] ? channel->views[i] : NULL;

		if (view && weft_worker_is_owner(view->station->worker))
			own[own_count++] = view;
		else if (view)
			weft__errand_send(view->station, &view->leaving, weft__view_leave);
	}
	pthread_mutex_unlock(&node->lock);
	/* Here callbacks come, which may use the node: without its lock. */
	for (unsigned int i = 0; i < own_count; i++)
		weft__view_drop(own[i]);
	weft__channel_unref(channel);
}

/* ---- where messages go ---- */

struct setting {
	enum weft__setting what;
	uint64_t number; /* of the channel's settings */
	weft_rx_fn *handler;
	weft_place_fn *place;
	weft_peer_fn *on_peer;
	void *user;
};

/* On its way to the workers: an errand for each. */
struct set_handler {
	struct weft_channel *channel;
	struct setting setting;
	_Atomic unsigned int refs;
	struct set_errand {
		struct weft__errand errand;
		struct set_handler *set;
	} errands[WEFT__STATIONS_MAX];
};

static void tell_lanes(struct weft__view *view)
{
	WEFT_LIST_FOR_EACH(at, &view->lanes)
		weft__rx_lane_credit(WEFT_CONTAINER_OF(at, struct weft__rx_lane, in_view), true);
}

static void set_unref(struct set_handler *set)
{
	/* acq_rel: the last one frees; pairs with the same line on other threads. */
	if (atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) == 1) {
		weft__channel_unref(set->channel);
		free(set);
	}
}

static void put(struct weft__calls *calls, const struct setting *set)
{
	switch (set->what) {
	case WEFT__SET_HANDLER:
		calls->handler = set->handler;
		calls->handler_user = set->user;
		break;
	case WEFT__SET_PLACE:
		calls->place = set->place;
		calls->place_user = set->user;
		break;
	case WEFT__SET_ON_PEER:
		calls->on_peer = set->on_peer;
		calls->on_peer_user = set->user;
		break;
	}
}

/* For workers that are attached later. Numbers it. */
static void remember(struct weft_channel *channel, struct setting *set)
{
	set->number = ++channel->settings;
	put(&channel->calls, set);
}

static void apply(struct weft__view *view, const struct setting *set)
{
	view->settings[set->what] = set->number;
	put(&view->calls, set);
	if (set->what == WEFT__SET_ON_PEER)
		weft__peers_watch(view);
	if (set->what == WEFT__SET_HANDLER)
		WEFT_LIST_FOR_EACH(at, &view->lanes)
			weft__promise_review(WEFT_CONTAINER_OF(at, struct weft__rx_lane, in_view));
}

static void apply_handler(struct weft__station *station, struct weft__errand *errand)
{
	struct set_handler *set = WEFT_CONTAINER_OF(errand, struct set_errand, errand)->set;
	struct weft__view *view = set->channel->views[station->index];

	/* The worker's own settings come at once: before it has heard of the channel, and before those of other threads
	 * that are older. */
	if (view && view->settings[set->setting.what] < set->setting.number) {
		apply(view, &set->setting);
		station->views_due |= view->calls.handler && !weft_list_empty(&view->unexpected);
		if (set->setting.what != WEFT__SET_ON_PEER && weft__view_receives(view))
			tell_lanes(view);
	}
	set_unref(set);
}

static void set_on_all(struct weft_channel *channel, const struct setting *setting)
{
	struct weft_node *node = channel->node;
	struct set_handler *set;

	if (weft__node_forked(node))
		return;
	set = malloc(sizeof *set);
	if (!set) {
		weft__node_degrade(node, 0, "no memory to set the handler of channel %s", channel->name);
		return;
	}
	set->setting = *setting;
	set->channel = channel;
	atomic_init(&set->refs, 1);
	atomic_fetch_add_explicit(&channel->refs, 1, memory_order_relaxed);
	pthread_mutex_lock(&node->lock);
	remember(channel, &set->setting);
	for (unsigned int i = 0; i < WEFT__STATIONS_MAX; i++)
		if (node->stations[i]) {
			atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
			set->errands[i].set = set;
			weft__errand_send(node->stations[i], &set->errands[i].errand, apply_handler);
		}
	pthread_mutex_unlock(&node->lock);
	set_unref(set);
}

void weft_channel_handle(struct weft_channel *channel, weft_rx_fn *handler, void *user)
{
	set_on_all(channel, &(struct setting){.what = WEFT__SET_HANDLER, .handler = handler, .user = user});
}

void weft_channel_place(struct weft_channel *channel, weft_place_fn *hook, void *user)
{
	set_on_all(channel, &(struct setting){.what = WEFT__SET_PLACE, .place = hook, .user = user});
}

void weft_channel_on_peer(struct weft_channel *channel, weft_peer_fn *on_peer, void *user)
{
	set_on_all(channel, &(struct setting){.what = WEFT__SET_ON_PEER, .on_peer = on_peer, .user = user});
}

const char *weft_channel_name(const struct weft_channel *channel)
{
	return channel->name;
}

void *weft_channel_user(const struct weft_channel *channel)
{
	return channel->opts.user;
}

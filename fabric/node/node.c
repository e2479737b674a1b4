/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening and closing a node: memory, runner, device, workers, in that order, and back.
 */
#include "node/node_private.h"

#include "channel/channel_private.h"
#include "link/connecting.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <weft/log.h>
#include <weft/random.h>
#include <weft/version.h>

#define GRACE_NS UINT64_C(1000000000)

void weft__node_degrade(struct weft_node *node, unsigned int require, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	weft_log(WEFT_LOG_WARN, "node", "degraded %s", text);
	pthread_mutex_lock(&node->degraded_lock);
	node->lacking |= require;
	if (node->degraded_count < sizeof node->degraded / sizeof *node->degraded) {
		node->degraded[node->degraded_count] = strdup(text);
		node->degraded_require[node->degraded_count] = require;
		if (node->degraded[node->degraded_count])
			node->degraded_count++;
	}
	pthread_mutex_unlock(&node->degraded_lock);
}

const char *weft_node_degraded(const struct weft_node *node, unsigned int index)
{
	return index < node->degraded_count ? node->degraded[index] : NULL;
}

unsigned int weft_node_degraded_require(const struct weft_node *node, unsigned int index)
{
	return index < node->degraded_count ? node->degraded_require[index] : 0;
}

/* ---- events of the device ---- */

static struct weft__station *choose_station(struct weft_node *node, const struct weft__hello *hello)
{
	for (unsigned int i = 0; hello->target[0] && i < WEFT__STATIONS_MAX; i++)
		if (node->stations[i] && strcmp(node->stations[i]->name, hello->target) == 0)
			return node->stations[i];
	return hello->target[0] ? NULL : node->stations[hello->spread % node->base_count];
}

#define ASK_ROOM_NS UINT64_C(10000000) /* a worker is not asked more often, however many are refused */

static void close_one(struct weft_worker *worker, const struct weft_message *message)
{
	(void)message;
	weft__idle_close_one(weft__station_of(worker));
}

/* All links of the worker are taken: the least used may make room for when the peer tries again. */
static void make_room(struct weft__station *station, const char *peer)
{
	struct weft_message message = {.run = close_one};
	uint64_t now_ns = weft_clock_now(weft_worker_clock(station->node->runner));

	weft__link_full(station, peer);
	if (now_ns - station->room_asked_ns < ASK_ROOM_NS)
		return;
	if (weft_worker_post(station->worker, &message) == 0) /* full: then the next one that is refused asks for it */
		station->room_asked_ns = now_ns;
}

static int accept_path(void *device_user, const struct weft_peer_identity *peer, const struct weft_hello *theirs,
		       struct weft_hello *mine, struct weft_port **port)
{
	const struct weft__rail *rail = device_user;
	struct weft_node *node = rail->node;
	struct weft__hello hello, answer = {0};
	struct weft__station *station;
	int rc = weft__hello_decode(theirs, &hello);

	char name[2 * WEFT_NAME_MAX + 2];

	if (rc < 0)
		return rc;
	snprintf(name, sizeof name, hello.worker[0] ? "%s/%s" : "%s", hello.node, hello.worker);
	pthread_mutex_lock(&node->lock);
	station = choose_station(node, &hello);
	if (!station) {
		rc = -WEFT_ENOENT;
	} else if (node->incarnation > peer->incarnation && weft__connecting_to(station, name)) {
		rc = -WEFT_EBUSY; /* ours will do for both */
	} else if (__atomic_load_n(&station->stats.links, __ATOMIC_RELAXED) >= node->opts.links_max) {
		rc = -WEFT_ENOSPC;
		make_room(station, name);
	} else {
		weft__link_room(station);
		answer.role = (uint8_t)node->opts.role;
		strcpy(answer.node, node->name);
		strcpy(answer.worker, station->name);
		weft__hello_encode(&answer, mine);
		*port = station->ports[rail - node->rails];
	}
	pthread_mutex_unlock(&node->lock);
	return rc;
}

const struct weft_device_events weft__rail_events = {
	.accept = accept_path,
	.path_up = weft__link_path_up,
	.connect_failed = weft__link_connect_failed,
	.path_down = weft__link_path_down,
	.more_memory = weft__station_more_memory,
};

/* ---- opening ---- */

static int open_runner(struct weft_node *node)
{
	struct weft_worker_opts opts;

	weft_worker_opts_init(&opts, sizeof opts);
	opts.name = "weft-runner";
	opts.idle = WEFT_IDLE_BLOCK;
	return weft_worker_open(&opts, &node->runner);
}

static int open_stations(struct weft_node *node)
{
	struct weft_worker_opts opts;
	int rc = 0;

	weft_worker_opts_init(&opts, sizeof opts);
	opts.idle = node->opts.idle;
	node->own_count = node->opts.worker_count;
	node->base_count = node->own_count ? node->own_count : 1;
	for (unsigned int i = 0; rc == 0 && i < node->base_count; i++) {
		rc = weft__station_open(node, "", node->threads[i].numa, &opts, &node->stations[i]);
		if (rc == 0)
			node->stations[i]->index = i;
	}
	return rc;
}

static const struct weft__thread *thread_of(const struct weft__station *station)
{
	unsigned int i = 0;

	while (station->node->stations[i] != station)
		i++;
	return &station->node->threads[i];
}

static void *run_worker(void *argument)
{
	struct weft__station *station = argument;

	weft__thread_pin(station->node, thread_of(station));
	weft_worker_take(station->worker);
	/* release: pairs with the acquire in start_workers(). */
	atomic_store_explicit(&station->owned, true, memory_order_release);
	weft_worker_run(station->worker);
	return NULL;
}

static int start_workers(struct weft_node *node)
{
	int rc = 0;

	for (unsigned int i = 0; rc == 0 && i < node->own_count; i++)
		rc = weft__thread_start(&node->threads[i], run_worker, node->stations[i]);
	/* Until a thread owns its worker, calls on it would run on the caller's.
	 * acquire: pairs with the release in run_worker(). */
	for (unsigned int i = 0; rc == 0 && i < node->own_count; i++)
		while (!atomic_load_explicit(&node->stations[i]->owned, memory_order_acquire))
			sched_yield();
	return rc;
}

int weft_node_open(const struct weft_node_opts *opts, struct weft_node **out)
{
	struct weft_node *node = calloc(1, sizeof *node);
	int rc;

	if (!node)
		return weft_set_error(WEFT_ENOMEM, "no memory for a node");
	node->stop_fd = -1;
	pthread_mutex_init(&node->lock, NULL);
	pthread_mutex_init(&node->degraded_lock, NULL);
	weft_list_init(&node->channels);
	weft_list_init(&node->connecting);
	weft__mails_init(node);
	rc = weft__node_opts_take(node, opts);
	if (rc == 0)
		rc = weft_random_system(&node->incarnation);
	if (rc == 0 && (node->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
		rc = weft_set_error(weft_error_from_errno(errno), "no descriptor for the node: %s", strerror(errno));
	if (rc == 0)
		rc = weft__node_plan(node);
	if (rc == 0)
		rc = weft__node_open_memory(node);
	if (rc == 0)
		rc = open_runner(node);
	if (rc == 0)
		rc = weft__rails_open(node, opts);
	if (rc == 0)
		rc = open_stations(node);
	if (rc == 0)
		rc = weft__node_check_required(node);
	if (rc == 0)
		rc = weft__runner_start(node);
	if (rc == 0)
		rc = start_workers(node);
	if (rc < 0) {
		weft_node_close(&node);
		return rc;
	}
	*out = node;
	return 0;
}

/* ---- closing ---- */

static void stop_workers(struct weft_node *node)
{
	for (unsigned int i = 0; i < node->own_count; i++) {
		if (!node->threads[i].started)
			continue;
		weft_worker_stop(node->stations[i]->worker);
		weft__thread_join(&node->threads[i]);
	}
}

/* Gives what was accepted a chance to leave. The worker's thread is the caller, or has ended. */
static void drain(struct weft__station *station)
{
	uint64_t end_ns = weft_clock_now(weft_clock_real()) + GRACE_NS;

	while (!weft_list_empty(&station->busy_links) && weft_clock_now(weft_clock_real()) < end_ns)
		weft_worker_poll(station->worker);
}

void weft_node_close(struct weft_node **node_ptr)
{
	struct weft_node *node = *node_ptr;

	if (!node)
		return;
	*node_ptr = NULL;
	if (node->runner && weft__node_forked(node))
		return;
	stop_workers(node);
	for (unsigned int i = 0; i < WEFT__STATIONS_MAX; i++)
		if (node->stations[i]) {
			weft_worker_take(node->stations[i]->worker);
			if (node->runner_thread.started)
				drain(node->stations[i]);
		}
	weft__runner_stop(node);
	if (node->runner)
		weft_worker_take(node->runner);
	/* What the runner had posted is taken, so that nothing of it is lost in a mailbox. */
	for (unsigned int i = 0; i < WEFT__STATIONS_MAX; i++)
		for (unsigned int turns = 0;
		     node->stations[i] && turns < 64 && weft_worker_poll(node->stations[i]->worker);)
			turns++;
	for (unsigned int i = WEFT__STATIONS_MAX; i-- > 0;)
		if (node->stations[i])
			weft__station_close(&node->stations[i]);
	while (!weft_list_empty(&node->channels)) {
		struct weft_channel *channel = WEFT_CONTAINER_OF(node->channels.next, struct weft_channel, in_node);

		weft_list_remove(&channel->in_node);
		weft__channel_unref(channel);
	}
	weft__rails_close(node);
	weft__connecting_drop(node);
	if (node->runner) {
		weft__mails_stop(node);
		weft_worker_close(&node->runner);
	}
	if (node->arena)
		weft_arena_close(&node->arena);
	if (node->stop_fd >= 0)
		close(node->stop_fd);
	for (unsigned int i = 0; i < node->degraded_count; i++)
		free(node->degraded[i]);
	weft__node_opts_drop(node);
	pthread_mutex_destroy(&node->lock);
	pthread_mutex_destroy(&node->degraded_lock);
	free(node);
}

/* ---- small answers ---- */

const char *weft_version(void)
{
#define TEXT_OF(number) #number
#define DOTTED(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)
	return DOTTED(WEFT_VERSION_MAJOR, WEFT_VERSION_MINOR, WEFT_VERSION_PATCH);
#undef DOTTED
#undef TEXT_OF
}

struct weft_worker *weft_node_worker(struct weft_node *node, unsigned int index)
{
	return index < node->base_count ? node->stations[index]->worker : NULL;
}

const char *weft_node_name(const struct weft_node *node)
{
	return node->name;
}

void *weft_node_user(const struct weft_node *node)
{
	return node->opts.user;
}

uint64_t weft_node_incarnation(const struct weft_node *node)
{
	return node->incarnation;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports of paths over datagrams: their tables, and what they do each turn besides receiving.
 */
#include "path/device.h"
#include "path/path_private.h"

#include <stdlib.h>
#include <weft/errors.h>

static void init_lists(struct weft__path_port *port)
{
	struct weft_list *lists[] = {&port->paths,        &port->parting,       &port->dirty,     &port->ended,
				     &port->free_parcels, &port->free_outgoing, &port->free_held, &port->free_incoming,
				     &port->free_windows, &port->spent,         &port->receiving};

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		weft_list_init(lists[i]);
}

/* Tables are made once and touched when they are used: what is never used costs no memory. */
static int make_tables(struct weft__path_port *port)
{
	port->slots = calloc(WEFT__PORT_SLOTS, sizeof(struct weft__path *));
	port->slots_taken = calloc(WEFT__SLOT_WORDS, sizeof(_Atomic uint64_t));
	port->homes = calloc((size_t)2 * WEFT__PORT_OUTGOING, sizeof *port->homes);
	port->parcels = calloc(WEFT__PORT_PARCELS, sizeof *port->parcels);
	port->outgoing = calloc(WEFT__PORT_OUTGOING, sizeof *port->outgoing);
	port->incoming = calloc(WEFT__PORT_INCOMING, sizeof *port->incoming);
	port->windows = calloc(WEFT__PORT_WINDOWS, sizeof *port->windows);
	port->sources = calloc(WEFT__SOURCES, sizeof *port->sources);
	port->held = calloc(WEFT__PORT_HELD, sizeof *port->held);
	port->buckets = calloc(WEFT__HELD_BUCKETS, sizeof *port->buckets);
	if (!port->slots || !port->slots_taken || !port->homes || !port->parcels || !port->outgoing ||
	    !port->incoming || !port->windows || !port->sources || !port->held || !port->buckets)
		return weft_set_error(WEFT_ENOMEM, "no memory for the tables of a network's port");
	for (unsigned int i = 0; i < WEFT__PORT_PARCELS; i++)
		weft_list_push_back(&port->free_parcels, &port->parcels[i].link);
	for (unsigned int i = 0; i < WEFT__PORT_OUTGOING; i++)
		weft_list_push_back(&port->free_outgoing, &port->outgoing[i].link);
	for (unsigned int i = 0; i < WEFT__PORT_INCOMING; i++)
		weft_list_push_back(&port->free_incoming, &port->incoming[i].link);
	for (unsigned int i = 0; i < WEFT__PORT_WINDOWS; i++)
		weft_list_push_back(&port->free_windows, &port->windows[i].link);
	for (unsigned int i = 0; i < WEFT__HELD_BUCKETS; i++)
		weft_list_init(&port->buckets[i]);
	return 0;
}

/* A free index of the net's, from 1 on. With the lock. */
static int take_index(struct weft__path_device *device, struct weft__path_port *port)
{
	for (unsigned int i = 1; i < WEFT_NET_PORTS_MAX; i++)
		if (!device->ports[i]) {
			device->ports[i] = port;
			port->index = i;
			return 0;
		}
	return weft_set_error(WEFT_ENOSPC, "all %u ports of a network are in use", WEFT_NET_PORTS_MAX - 1);
}

void weft__path_flush(struct weft_port *base)
{
	struct weft__path_port *port = weft__port_of(base);
	struct weft_list due;
	struct weft_list *first;

	weft_list_init(&due);
	while ((first = weft_list_pop_front(&port->dirty)))
		weft_list_push_back(&due, first);
	while ((first = weft_list_pop_front(&due))) {
		struct weft__path *path = WEFT_CONTAINER_OF(first, struct weft__path, in_dirty);
		bool sent = weft__path_transmit(path);

		if (path->ack_at_once)
			weft__path_acknowledge(path);
		if (!sent)
			weft__path_dirty(path); /* if it has not become so meanwhile */
	}
	base->flush_due = !weft_list_empty(&port->dirty);
}

static unsigned int reap(struct weft_port *base, uint64_t *cookies, unsigned int max)
{
	struct weft__path_port *port = weft__port_of(base);
	unsigned int count = 0;

	weft__path_see_to_control(port);
	while (count < max && port->home_count) {
		cookies[count++] = port->homes[port->home_first];
		port->home_first = (port->home_first + 1) % (2 * WEFT__PORT_OUTGOING);
		port->home_count--;
	}
	return count;
}

static void tables_free(struct weft__path_port *port)
{
	free(port->slots);
	free(port->slots_taken);
	free(port->homes);
	free(port->parcels);
	free(port->outgoing);
	free(port->incoming);
	free(port->windows);
	free(port->sources);
	free(port->held);
	free(port->buckets);
	free(port);
}

static unsigned int nothing(void *user)
{
	(void)user;
	return 0;
}

/* One that cannot be armed is all that it takes. */
static void poll_by_timer(struct weft__path_port *port)
{
	if (weft__device_wakes(port->device))
		return;
	port->timed.poll = nothing;
	weft_worker_add_poller(port->worker, &port->timed);
}

int weft__path_port_open(struct weft_device *base, const struct weft_port_opts *opts, struct weft_port **out)
{
	struct weft__path_device *device = (struct weft__path_device *)(void *)base;
	struct weft__path_port *port = calloc(1, sizeof *port);
	struct weft_net_port_opts net_opts;
	int rc;

	if (!port)
		return weft_set_error(WEFT_ENOMEM, "no memory for a network's port");
	port->base = (struct weft_port){.send = weft__path_send,
					.tx = weft__path_tx,
					.rx = weft__path_rx,
					.release = weft__incoming_release,
					.reap = reap,
					.flush = weft__path_flush,
					.user = opts->user,
					.inline_max = WEFT__INLINE_MAX,
					.loan_head_max = WEFT__HEAD_BESIDE_MAX,
					.max_burst = WEFT__NET_BURST};
	port->device = device;
	port->stream_of = weft__path_streams_of(device->opts.driver);
	port->worker = opts->worker;
	port->pool = opts->pool;
	port->loan_quota_bytes = opts->loan_quota_bytes;
	weft__budget_init(port);
	weft_timer_init(&port->slow_look, weft__grants_look_for_slow, port);
	init_lists(port);
	rc = make_tables(port);
	pthread_mutex_lock(&device->lock);
	if (rc == 0)
		rc = take_index(device, port);
	pthread_mutex_unlock(&device->lock);
	if (rc == 0) {
		weft_net_port_opts_init(&net_opts, sizeof net_opts);
		net_opts.worker = opts->worker;
		net_opts.pool = opts->pool;
		net_opts.index = port->index;
		rc = weft_net_port_open(device->driver, device->net, &net_opts, &port->net);
	}
	if (rc < 0) {
		pthread_mutex_lock(&device->lock);
		if (port->index)
			device->ports[port->index] = NULL;
		pthread_mutex_unlock(&device->lock);
		tables_free(port);
		return rc;
	}
	poll_by_timer(port);
	*out = &port->base;
	return 0;
}

/* Peers are owed what was accepted, and a farewell; they have a moment to take it, of which all ports that close have a part. */
static void part_all(struct weft__path_port *port)
{
	struct weft_clock *clock = weft_worker_clock(port->worker);
	uint64_t until_ns = weft__device_part_until(port->device, weft_clock_now(clock));
	struct weft_rx_frame frame;

	WEFT_LIST_FOR_EACH(at, &port->paths)
		weft__path_disconnect(&WEFT_CONTAINER_OF(at, struct weft__path, in_port)->base);
	/* Where time stands still, there is nothing to wait for. */
	while (!weft_list_empty(&port->parting) && !weft_clock_is_virtual(clock) && weft_clock_now(clock) < until_ns) {
		(void)weft_worker_poll(port->worker);
		(void)weft__path_rx(&port->base, &frame, 1);
		weft__path_flush(&port->base);
	}
	WEFT_LIST_FOR_EACH(at, &port->parting) {
		struct weft__path *path = WEFT_CONTAINER_OF(at, struct weft__path, in_port);

		if (!path->farewells)
			weft__path_say_close(path, 0);
		weft__path_free(path);
	}
}

void weft__path_port_close(struct weft_port **out)
{
	struct weft__path_port *port = weft__port_of(*out);
	struct weft__path_device *device = port->device;

	*out = NULL;
	weft__handshake_drop(device, port);
	weft__errands_drop(device, port);
	weft_list_init(&port->ended);
	part_all(port);
	if (port->timed.poll)
		weft_worker_remove_poller(port->worker, &port->timed);
	weft_timer_cancel(port->worker, &port->slow_look);
	while (!weft_list_empty(&port->spent))
		weft__held_free(port, WEFT_CONTAINER_OF(port->spent.next, struct weft__held, link));
	if (port->packet_copy)
		weft_buf_put(port->packet_copy);
	device->driver->port_close(&port->net);
	pthread_mutex_lock(&device->lock);
	device->ports[port->index] = NULL;
	pthread_mutex_unlock(&device->lock);
	tables_free(port);
}

void weft__path_wants_memory(struct weft__path_port *port, size_t len_bytes)
{
	const struct weft_device_events *events = port->device->opts.events;

	if (events->more_memory)
		events->more_memory(port->base.user, len_bytes);
}

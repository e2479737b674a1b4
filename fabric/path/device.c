/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices and ports of paths over datagrams, and the drivers made of them.
 */
#include "path/device.h"

#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>
#include <weft/hash.h>

#define ERRAND_AGAIN_NS UINT64_C(1000000)
#define CLOSE_NS UINT64_C(300000000)
#define SLOT_WORDS (WEFT__PORT_SLOTS / 64)

/* ---- slots ---- */

int weft__device_slot_take(struct weft__path_device *device, struct weft__path_port *port, uint32_t *id)
{
	for (unsigned int word = 0; word < SLOT_WORDS; word++) {
		/* Only this thread takes: what looks free is. */
		uint64_t taken = atomic_load_explicit(&port->slots_taken[word], memory_order_relaxed);
		unsigned int bit;

		if (taken == UINT64_MAX)
			continue;
		bit = (unsigned int)__builtin_ctzll(~taken);
		/* Acquire: pairs with the release of slot_free, so that the one before has gone. */
		atomic_fetch_or_explicit(&port->slots_taken[word], UINT64_C(1) << bit, memory_order_acquire);
		*id = (uint32_t)(weft_random_next(&device->random) << 16) | (word * 64 + bit);
		if (!*id) /* which is nobody's name */
			*id = UINT32_C(1) << 31;
		return 0;
	}
	return -WEFT_ENOSPC;
}

void weft__device_slot_free(struct weft__path_port *port, uint32_t id)
{
	uint32_t slot = id % WEFT__PORT_SLOTS;

	/* Release: pairs with the acquire of slot_take. */
	atomic_fetch_and_explicit(&port->slots_taken[slot / 64], ~(UINT64_C(1) << slot % 64), memory_order_release);
}

/* ---- errands ---- */

static void errand_on_worker(struct weft_worker *worker, const struct weft_message *message)
{
	struct weft__errand *errand = message->with.pointers[0];
	struct weft__path_device *device = errand->port->device;

	(void)worker;
	pthread_mutex_lock(&device->lock);
	weft_list_remove(&errand->link);
	pthread_mutex_unlock(&device->lock);
	errand->run(errand);
}

/* Posts what has not been posted; false: some worker's mailbox is full. With the lock. */
static bool post_errands(struct weft__path_device *device)
{
	bool all = true;

	WEFT_LIST_FOR_EACH(at, &device->errands) {
		struct weft__errand *errand = WEFT_CONTAINER_OF(at, struct weft__errand, link);
		struct weft_message message = {.run = errand_on_worker, .with.pointers = {errand}};

		if (errand->posted)
			continue;
		/* It may be run and gone before post returns, but for the lock. */
		errand->posted = true;
		if (weft_worker_post(errand->port->worker, &message) < 0) {
			errand->posted = false;
			all = false;
		}
	}
	return all;
}

static void post_again(struct weft_timer *timer, void *user)
{
	struct weft__path_device *device = user;
	bool all;

	pthread_mutex_lock(&device->lock);
	all = post_errands(device);
	pthread_mutex_unlock(&device->lock);
	if (!all)
		weft_timer_set(device->opts.runner, timer,
			       weft_clock_now(weft_worker_clock(device->opts.runner)) + ERRAND_AGAIN_NS);
}

void weft__errand_run(struct weft__path_device *device, struct weft__errand *errand)
{
	errand->posted = false;
	pthread_mutex_lock(&device->lock);
	weft_list_push_back(&device->errands, &errand->link);
	pthread_mutex_unlock(&device->lock);
	post_again(&device->errand_timer, device);
}

static void drop_errands(struct weft__path_device *device, struct weft__path_port *port)
{
	pthread_mutex_lock(&device->lock);
	WEFT_LIST_FOR_EACH(at, &device->errands) {
		struct weft__errand *errand = WEFT_CONTAINER_OF(at, struct weft__errand, link);

		if (errand->port != port)
			continue;
		weft_list_remove(at);
		errand->drop(errand);
	}
	pthread_mutex_unlock(&device->lock);
}

/* ---- devices ---- */

struct over {
	struct weft_driver driver;
	const struct weft_net_driver *net;
};

static void door_arm(void *user)
{
	struct weft__path_device *device = user;

	device->driver->arm(device->door, true);
}

static void door_disarm(void *user)
{
	struct weft__path_device *device = user;

	device->driver->arm(device->door, false);
}

static int open_net(struct weft__path_device *device)
{
	struct weft_net_opts net_opts;
	struct weft_net_port_opts door_opts;
	int rc;

	weft_net_opts_init(&net_opts, sizeof net_opts);
	net_opts.address = device->opts.address;
	net_opts.runner = device->opts.runner;
	net_opts.arena = device->opts.arena;
	net_opts.clock = weft_worker_clock(device->opts.runner);
	net_opts.faults = device->opts.faults;
	rc = weft_net_open(device->driver, &net_opts, &device->net);
	if (rc < 0)
		return rc;
	weft_net_port_opts_init(&door_opts, sizeof door_opts);
	door_opts.worker = device->opts.runner;
	return weft_net_port_open(device->driver, device->net, &door_opts, &device->door);
}

static void device_close(struct weft_device **out)
{
	struct weft__path_device *device = (struct weft__path_device *)(void *)*out;

	*out = NULL;
	weft__handshake_drop(device, NULL);
	weft_timer_cancel(device->opts.runner, &device->errand_timer);
	if (device->poller.poll)
		weft_worker_remove_poller(device->opts.runner, &device->poller);
	if (device->door)
		device->driver->port_close(&device->door);
	if (device->net)
		device->driver->close(&device->net);
	pthread_mutex_destroy(&device->lock);
	free((char *)(uintptr_t)device->opts.name);
	free(device->accepted);
	free(device);
}

static int device_open(const struct weft_device_opts *opts, struct weft_device **out)
{
	struct weft__path_device *device = calloc(1, sizeof *device);
	struct weft_device *opened = (struct weft_device *)(void *)device;
	uint64_t seed;
	int rc;

	if (!device)
		return weft_set_error(WEFT_ENOMEM, "no memory for a network");
	device->opts = *opts;
	device->driver = WEFT_CONTAINER_OF(opts->driver, struct over, driver)->net;
	pthread_mutex_init(&device->lock, NULL);
	weft_list_init(&device->knocks);
	weft_list_init(&device->errands);
	weft_timer_init(&device->errand_timer, post_again, device);
	device->opts.name = opts->name ? strdup(opts->name) : NULL;
	device->accepted = calloc(WEFT__EMBRYOS_MAX, sizeof *device->accepted);
	rc = device->accepted && (device->opts.name || !opts->name)
		     ? 0
		     : weft_set_error(WEFT_ENOMEM, "no memory for a network");
	for (unsigned int i = 0; rc == 0 && i < 2; i++)
		rc = weft_random_system(&device->cookie_key[i]);
	if (rc == 0 && (rc = weft_random_system(&seed)) == 0)
		weft_random_seed(&device->random, seed);
	if (rc == 0)
		rc = open_net(device);
	if (rc < 0) {
		device_close(&opened);
		return rc;
	}
	device->poller = (struct weft_poller){.poll = weft__handshake_poll,
					      .arm = door_arm,
					      .disarm = door_disarm,
					      .user = device};
	weft_worker_add_poller(opts->runner, &device->poller);
	*out = opened;
	return 0;
}

/* ---- ports ---- */

static void init_lists(struct weft__path_port *port)
{
	struct weft_list *lists[] = {&port->paths,        &port->parting,       &port->dirty,     &port->ended,
				     &port->free_parcels, &port->free_outgoing, &port->free_held, &port->free_incoming,
				     &port->free_windows, &port->spent,         &port->wants};

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		weft_list_init(lists[i]);
}

/* Tables are made once and touched when they are used: what is never used costs no memory. */
static int make_tables(struct weft__path_port *port)
{
	port->slots = calloc(WEFT__PORT_SLOTS, sizeof(struct weft__path *));
	port->slots_taken = calloc(SLOT_WORDS, sizeof(_Atomic uint64_t));
	port->homes = calloc((size_t)2 * WEFT__PORT_OUTGOING, sizeof *port->homes);
	port->parcels = calloc(WEFT__PORT_PARCELS, sizeof *port->parcels);
	port->outgoing = calloc(WEFT__PORT_OUTGOING, sizeof *port->outgoing);
	port->incoming = calloc(WEFT__PORT_INCOMING, sizeof *port->incoming);
	port->windows = calloc(WEFT__PORT_WINDOWS, sizeof *port->windows);
	port->held = calloc(WEFT__PORT_HELD, sizeof *port->held);
	port->buckets = calloc(WEFT__HELD_BUCKETS, sizeof *port->buckets);
	if (!port->slots || !port->slots_taken || !port->homes || !port->parcels || !port->outgoing ||
	    !port->incoming || !port->windows || !port->held || !port->buckets)
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

static void flush(struct weft_port *base)
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
			weft_list_push_back(&port->dirty, &path->in_dirty);
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
	free(port->held);
	free(port->buckets);
	free(port);
}

static int port_open(struct weft_device *base, const struct weft_port_opts *opts, struct weft_port **out)
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
					.flush = flush,
					.user = opts->user,
					.inline_max = WEFT__INLINE_MAX,
					.loan_head_max = WEFT__HEAD_BESIDE_MAX,
					.max_burst = WEFT__NET_BURST};
	port->device = device;
	port->worker = opts->worker;
	port->pool = opts->pool;
	port->loan_quota_bytes = opts->loan_quota_bytes;
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
	*out = &port->base;
	return 0;
}

/* Peers are owed what was accepted, and a farewell; they have a moment to take it. */
static void part_all(struct weft__path_port *port)
{
	struct weft_clock *clock = weft_worker_clock(port->worker);
	uint64_t until_ns = weft_clock_now(clock) + CLOSE_NS;
	struct weft_rx_frame frame;

	WEFT_LIST_FOR_EACH(at, &port->paths)
		weft__path_disconnect(&WEFT_CONTAINER_OF(at, struct weft__path, in_port)->base);
	/* Where time stands still, there is nothing to wait for. */
	while (!weft_list_empty(&port->parting) && !weft_clock_is_virtual(clock) && weft_clock_now(clock) < until_ns) {
		(void)weft_worker_poll(port->worker);
		(void)weft__path_rx(&port->base, &frame, 1);
		flush(&port->base);
		if (port->net->reap_due)
			port->net->reap(port->net);
	}
	WEFT_LIST_FOR_EACH(at, &port->parting) {
		struct weft__path *path = WEFT_CONTAINER_OF(at, struct weft__path, in_port);

		if (!path->farewells)
			weft__path_say_close(path, 0);
		weft__path_free(path);
	}
}

static void port_close(struct weft_port **out)
{
	struct weft__path_port *port = weft__port_of(*out);
	struct weft__path_device *device = port->device;

	*out = NULL;
	weft__handshake_drop(device, port);
	drop_errands(device, port);
	weft_list_init(&port->ended);
	part_all(port);
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

/* ---- the table ---- */

static void arm(struct weft_port *base, bool on)
{
	struct weft__path_port *port = weft__port_of(base);

	port->device->driver->arm(port->net, on);
}

static void describe(struct weft_port *base, struct weft_driver_stats *out)
{
	*out = weft__port_of(base)->stats;
}

void weft__path_describe(struct weft_port *base, struct weft__path_stats *out)
{
	*out = weft__port_of(base)->path_stats;
}

static int share(struct weft_path *path, uint32_t segment_id)
{
	(void)path;
	(void)segment_id; /* nothing is shared: bytes are sent */
	return 0;
}

static void address(const struct weft_device *base, char *text)
{
	const struct weft__path_device *device = (const struct weft__path_device *)(const void *)base;
	struct weft_net_address own;

	device->driver->address(device->net, &own);
	device->driver->address_write(&own, text);
}

#define OVERS_MAX 64
static struct over overs[OVERS_MAX];
static unsigned int over_count;
static pthread_mutex_t overs_lock = PTHREAD_MUTEX_INITIALIZER;

static void over_fill(struct over *over, const struct weft_net_driver *net)
{
	over->net = net;
	over->driver = (struct weft_driver){
		.size = sizeof over->driver,
		.name = net->name,
		.caps = WEFT_DRIVER_RELIABLE | WEFT_DRIVER_LOANS |
			(net->caps & WEFT_NET_WAKES ? WEFT_DRIVER_WAKES : 0) |
			(net->caps & WEFT_NET_FAULTS ? WEFT_DRIVER_FAULTS : 0),
		.device_open = device_open,
		.device_close = device_close,
		.port_open = port_open,
		.port_close = port_close,
		.connect = weft__handshake_connect,
		.disconnect = weft__path_disconnect,
		.share = share,
		.arm = arm,
		.describe = describe,
		.address = address,
		.copies = net->copies,
	};
}

const struct weft_driver *weft__path_driver_over(const struct weft_net_driver *net)
{
	struct over *over = NULL;

	pthread_mutex_lock(&overs_lock);
	for (unsigned int i = 0; i < over_count && !over; i++)
		if (overs[i].net == net)
			over = &overs[i];
	if (!over && over_count < OVERS_MAX) {
		over = &overs[over_count++];
		over_fill(over, net);
	}
	pthread_mutex_unlock(&overs_lock);
	if (!over) {
		weft_set_error(WEFT_ENOSPC, "more than %d kinds of network", OVERS_MAX);
		return NULL;
	}
	return &over->driver;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices of paths over datagrams: the address, the door, the slots of ports, and errands to workers.
 */
#include "path/device.h"

#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>
#include <weft/hash.h>
#include <weft/random.h>

#define ERRAND_AGAIN_NS UINT64_C(1000000)
#define PART_NS UINT64_C(300000000)
#define PART_TOGETHER_NS UINT64_C(1000000000)

/* ---- slots ---- */

int weft__device_slot_take(struct weft__path_device *device, struct weft__path *path)
{
	struct weft__path_port *port = weft__path_port(path);
	uint64_t drawn;

	/* Only this thread takes: there may be fewer by now. */
	if (atomic_load_explicit(&path->source->paths, memory_order_relaxed) >= WEFT__SOURCE_PATHS)
		return -WEFT_ENOSPC;
	drawn = weft_siphash(device->id_key, &device->id_count, sizeof device->id_count);
	device->id_count++;
	for (unsigned int i = 0; i < WEFT__SLOT_WORDS; i++) {
		unsigned int word = (unsigned int)(drawn + i) % WEFT__SLOT_WORDS;
		/* What looks free is. */
		uint64_t taken = atomic_load_explicit(&port->slots_taken[word], memory_order_relaxed);
		unsigned int bit;

		if (taken == UINT64_MAX)
			continue;
		bit = (unsigned int)__builtin_ctzll(~taken);
		/* Acquire: pairs with the release of slot_free, so that the one before has gone. */
		atomic_fetch_or_explicit(&port->slots_taken[word], UINT64_C(1) << bit, memory_order_acquire);
		atomic_fetch_add_explicit(&path->source->paths, 1, memory_order_relaxed);
		path->id = drawn / WEFT__PORT_SLOTS * WEFT__PORT_SLOTS | (word * 64 + bit);
		if (!path->id) /* which is nobody's name */
			path->id = UINT64_C(1) << 63;
		return 0;
	}
	return -WEFT_ENOSPC;
}

void weft__device_slot_free(const struct weft__path *path)
{
	struct weft__path_port *port = weft__path_port(path);
	unsigned int slot = (unsigned int)(path->id % WEFT__PORT_SLOTS);

	atomic_fetch_sub_explicit(&path->source->paths, 1, memory_order_relaxed);
	/* Release: pairs with the acquire of slot_take. */
	atomic_fetch_and_explicit(&port->slots_taken[slot / 64], ~(UINT64_C(1) << slot % 64), memory_order_release);
}

/* ---- parting ---- */

uint64_t weft__device_part_until(struct weft__path_device *device, uint64_t now_ns)
{
	uint64_t end_ns;

	pthread_mutex_lock(&device->lock);
	if (now_ns - device->parting_ns >= PART_TOGETHER_NS)
		device->parting_ns = now_ns;
	end_ns = device->parting_ns + PART_NS;
	pthread_mutex_unlock(&device->lock);
	return now_ns < end_ns ? now_ns + (end_ns - now_ns) / 2 : now_ns;
}

/* ---- errands ---- */

/* The oldest posted one of the port; NULL: it was dropped, when the port began to close. */
static struct weft__errand *take_posted(struct weft__path_device *device, const struct weft__path_port *port)
{
	struct weft__errand *taken = NULL;

	pthread_mutex_lock(&device->lock);
	WEFT_LIST_FOR_EACH(at, &device->errands) {
		struct weft__errand *errand = WEFT_CONTAINER_OF(at, struct weft__errand, link);

		if (errand->port == port && errand->posted && !taken)
			taken = errand;
	}
	if (taken)
		weft_list_remove(&taken->link);
	pthread_mutex_unlock(&device->lock);
	return taken;
}

/* There is a message for each errand, which names the port only: the errand may be gone by now. */
static void errand_on_worker(struct weft_worker *worker, const struct weft_message *message)
{
	struct weft__path_port *port = message->with.pointers[0];
	struct weft__errand *errand = take_posted(port->device, port);

	(void)worker;
	if (errand)
		errand->run(errand);
}

/* Posts what has not been posted; false: some worker's mailbox is full. With the lock. */
static bool post_errands(struct weft__path_device *device)
{
	bool all = true;

	WEFT_LIST_FOR_EACH(at, &device->errands) {
		struct weft__errand *errand = WEFT_CONTAINER_OF(at, struct weft__errand, link);
		struct weft_message message = {.run = errand_on_worker, .with.pointers = {errand->port}};

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

void weft__errands_drop(struct weft__path_device *device, struct weft__path_port *port)
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

bool weft__device_wakes(const struct weft__path_device *device)
{
	/* Who lives on a virtual clock does not sleep. */
	return (device->driver->caps & WEFT_NET_WAKES) || weft_clock_is_virtual(weft_worker_clock(device->opts.runner));
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

void weft__path_device_close(struct weft_device **out)
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

int weft__path_device_open(const struct weft_device_opts *opts, struct weft_device **out)
{
	struct weft__path_device *device = calloc(1, sizeof *device);
	struct weft_device *opened = (struct weft_device *)(void *)device;
	int rc;

	if (!device)
		return weft_set_error(WEFT_ENOMEM, "no memory for a network");
	device->opts = *opts;
	device->driver = weft__path_net_of(opts->driver);
	pthread_mutex_init(&device->lock, NULL);
	weft_list_init(&device->knocks);
	weft_list_init(&device->errands);
	weft_timer_init(&device->errand_timer, post_again, device);
	device->opts.name = opts->name ? strdup(opts->name) : NULL;
	device->accepted = weft__accepted_new();
	rc = device->accepted && (device->opts.name || !opts->name)
		     ? 0
		     : weft_set_error(WEFT_ENOMEM, "no memory for a network");
	for (unsigned int i = 0; rc == 0 && i < 2; i++) {
		rc = weft_random_system(&device->cookie_key[i]);
		if (rc == 0)
			rc = weft_random_system(&device->id_key[i]);
	}
	if (rc == 0)
		rc = open_net(device);
	if (rc < 0) {
		weft__path_device_close(&opened);
		return rc;
	}
	device->poller = (struct weft_poller){.poll = weft__handshake_poll,
					      .arm = weft__device_wakes(device) ? door_arm : NULL,
					      .disarm = weft__device_wakes(device) ? door_disarm : NULL,
					      .user = device};
	weft_worker_add_poller(opts->runner, &device->poller);
	*out = opened;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables, one for each driver below, and devices.
 */
#include "fault/fault.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <weft/errors.h>
#include <weft/log.h>

struct composed {
	struct weft_driver driver;
	const struct weft_driver *below;
	struct composed *next;
	char name[64];
};

static const char *const op_names[FAULT_OP_COUNT] = {"opening the device", "opening a port", "connecting", "accepting",
						     "sharing memory"};

int weft__fault_strikes(const struct fault_spec *spec, _Atomic uint64_t calls[], enum fault_op op)
{
	uint64_t at = spec->fail_at[op], call;

	if (!at)
		return 0;
	call = atomic_fetch_add_explicit(&calls[op], 1, memory_order_relaxed) + 1;
	if (at != FAULT_EACH && at != call)
		return 0;
	return weft_set_error(WEFT_EIO, "%s failed (call %llu), as the faults say", op_names[op],
			      (unsigned long long)call);
}

/* ---- devices ---- */

static int on_accept(void *device_user, const struct weft_peer_identity *peer, const struct weft_hello *theirs,
		     struct weft_hello *mine, struct weft_port **port)
{
	struct fault_device *device = device_user;
	int rc = weft__fault_strikes(&device->spec, device->calls, FAULT_ACCEPT);

	if (rc == 0)
		rc = device->events->accept(device->user, peer, theirs, mine, port);
	if (rc == 0)
		*port = weft__fault_port_of(*port)->below;
	return rc;
}

static const struct weft_device_events events_of_below = {
	.accept = on_accept,
	.path_up = weft__fault_path_up,
	.connect_failed = weft__fault_connect_failed,
	.path_down = weft__fault_path_down,
};

static int read_spec(struct fault_device *device, const char *text)
{
	const char *loses;
	int rc = weft__fault_spec_parse(text, &device->spec);

	if (rc < 0)
		return rc;
	loses = weft__fault_spec_loses(&device->spec);
	if (loses && device->driver_below->caps & WEFT_DRIVER_RELIABLE)
		return weft_set_error(WEFT_EINVAL,
				      "faults: %s is for datagram drivers; %s is reliable, and what it takes arrives "
				      "or the path breaks: use again, delay or cut",
				      loses, device->driver_below->name);
	if (device->spec.reorder)
		return weft_set_error(WEFT_EINVAL, "faults: reorder is for networks, as in fault+udp, not for %s",
				      device->driver_below->name);
	if (!device->spec.has_seed)
		rc = weft_random_system(&device->spec.seed);
	return rc;
}

static int device_open(const struct weft_device_opts *opts, struct weft_device **out)
{
	struct fault_device *device = calloc(1, sizeof *device);
	struct weft_device_opts below = *opts;
	int rc;

	if (!device)
		return weft_set_error(WEFT_ENOMEM, "no memory for a device");
	device->driver = opts->driver;
	device->driver_below = WEFT_CONTAINER_OF(opts->driver, struct composed, driver)->below;
	device->events = opts->events;
	device->user = opts->user;
	rc = read_spec(device, opts->faults);
	if (rc == 0)
		rc = weft__fault_strikes(&device->spec, device->calls, FAULT_DEVICE_OPEN);
	below.events = &events_of_below;
	below.user = device;
	below.faults = NULL;
	if (rc == 0)
		rc = weft_device_open(device->driver_below, &below, &device->below);
	if (rc < 0) {
		free(device);
		return rc;
	}
	if (opts->faults && *opts->faults)
		weft_log(WEFT_LOG_INFO, "fault", "device %s over %s faults %s seed %llu", opts->name ? opts->name : "-",
			 device->driver_below->name, opts->faults, (unsigned long long)device->spec.seed);
	*out = (struct weft_device *)(void *)device;
	return 0;
}

static void device_close(struct weft_device **out)
{
	struct fault_device *device = (struct fault_device *)(void *)*out;

	device->driver_below->device_close(&device->below);
	free(device);
	*out = NULL;
}

/* ---- tables ---- */

static struct composed *compose(const struct weft_driver *below)
{
	struct composed *made = calloc(1, sizeof *made);

	if (!made)
		return NULL;
	snprintf(made->name, sizeof made->name, FAULT_PREFIX "%s", below->name);
	made->below = below;
	made->driver = (struct weft_driver){
		.size = sizeof made->driver,
		.name = made->name,
		.caps = below->caps | WEFT_DRIVER_FAULTS,
		.device_open = device_open,
		.device_close = device_close,
		.port_open = weft__fault_port_open,
		.port_close = weft__fault_port_close,
		.connect = weft__fault_connect,
		.disconnect = weft__fault_disconnect,
		.share = weft__fault_share,
		.arm = weft__fault_arm,
		.describe = weft__fault_describe,
		.copies = below->copies,
	};
	return made;
}

const struct weft_driver *weft__fault_over(const struct weft_driver *below)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static struct composed *all;
	struct composed *at;

	pthread_mutex_lock(&lock);
	for (at = all; at && at->below != below; at = at->next)
		;
	if (!at && (at = compose(below))) {
		at->next = all;
		all = at;
	}
	pthread_mutex_unlock(&lock);
	if (!at)
		weft_set_error(WEFT_ENOMEM, "no memory for driver " FAULT_PREFIX "%s", below->name);
	return at ? &at->driver : NULL;
}

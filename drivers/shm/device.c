/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices and ports of shared memory: opened, closed, described.
 */
#include "shm/shm.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/errors.h>

static void device_close(struct weft_device **out)
{
	struct shm_device *device = (struct shm_device *)(void *)*out;

	shm_attach_cancel(device, NULL);
	shm_rendezvous_close(device);
	shm_mail_drop(device, NULL);
	WEFT_LIST_FOR_EACH(at, &device->paths) {
		struct shm_path *path = WEFT_CONTAINER_OF(at, struct shm_path, in_device);

		shm_control_stop(path);
		shm_path_free(path);
	}
	shm_watch_close(device);
	free(device->name);
	free(device->runtime_dir);
	free(device->allowed_uids);
	free(device);
	*out = NULL;
}

static int copy_opts(struct shm_device *device, const struct weft_device_opts *opts)
{
	device->opts = *opts;
	device->name = opts->name ? strdup(opts->name) : NULL;
	device->runtime_dir = opts->runtime_dir ? strdup(opts->runtime_dir) : NULL;
	device->allowed_uids = calloc(opts->allowed_uid_count + 1, sizeof *device->allowed_uids);
	if ((opts->name && !device->name) || (opts->runtime_dir && !device->runtime_dir) || !device->allowed_uids)
		return weft_set_error(WEFT_ENOMEM, "no memory for a device");
	if (opts->allowed_uid_count)
		memcpy(device->allowed_uids, opts->allowed_uids, opts->allowed_uid_count * sizeof *opts->allowed_uids);
	return 0;
}

static int device_open(const struct weft_device_opts *opts, struct weft_device **out)
{
	struct shm_device *device = calloc(1, sizeof *device);
	struct weft_device *base = (struct weft_device *)(void *)device;
	int rc;

	if (!device)
		return weft_set_error(WEFT_ENOMEM, "no memory for a device");
	device->listen_fd = -1;
	device->enough_said_to = -1;
	weft_list_init(&device->attaches);
	weft_list_init(&device->put_offs);
	weft_list_init(&device->ports);
	weft_list_init(&device->paths);
	shm_mail_init(device);
	shm_watch_init(device);
	rc = copy_opts(device, opts);
	if (rc == 0 && device->name)
		rc = shm_rendezvous_listen(device);
	if (rc < 0) {
		device_close(&base);
		return rc;
	}
	*out = base;
	return 0;
}

static void port_free(struct shm_port *port)
{
	if (port->armed_carving.base)
		weft_arena_uncarve(port->device->opts.arena, &port->armed_carving);
	weft_list_remove(&port->in_device);
	free(port->home);
	free(port);
}

static int port_open(struct weft_device *base, const struct weft_port_opts *opts, struct weft_port **out)
{
	struct shm_device *device = (struct shm_device *)(void *)base;
	struct shm_port *port = aligned_alloc(64, (sizeof *port + 63) & ~(size_t)63);
	int rc;

	if (!port)
		return weft_set_error(WEFT_ENOMEM, "no memory for a port");
	memset(port, 0, sizeof *port);
	port->base = (struct weft_port){
		.send = shm_port_send,
		.tx = shm_port_tx,
		.rx = shm_port_rx,
		.release = shm_port_release,
		.reap = shm_port_reap,
		.flush = shm_port_flush,
		.user = opts->user,
		.inline_max = SHM_INLINE_MAX,
		.loan_head_max = SHM_LOAN_HEAD_MAX,
		.max_burst = 32,
	};
	port->device = device;
	port->worker = opts->worker;
	port->pool = opts->pool;
	port->loan_quota_bytes = opts->loan_quota_bytes;
	port->slots = opts->cold_slots;
	port->hot_slots = opts->hot_slots;
	weft_list_init(&port->busy);
	weft_list_init(&port->quiet);
	weft_list_init(&port->dirty);
	weft_list_init(&port->paths);
	weft_list_init(&port->outbox);
	weft_list_init(&port->doomed);
	weft_list_init(&port->debtors);
	weft_list_push_back(&device->ports, &port->in_device);
	port->home = malloc(SHM_HOME_MAX * sizeof *port->home);
	rc = port->home ? weft_arena_carve(device->opts.arena, sizeof(struct shm_armed), &port->armed_carving)
			: weft_set_error(WEFT_ENOMEM, "no memory for a port");
	if (rc < 0) {
		port_free(port);
		return rc;
	}
	port->armed = port->armed_carving.base;
	*out = &port->base;
	return 0;
}

/*
 * The runner is the caller or does not run, and the worker's thread is quiet. Loans are forgotten, not reused: their pool
 * ends with the port, and its segments stay as they are until the arena goes. Rings of peers that still live are kept,
 * since their memory would be another path's next.
 */
static void port_close(struct weft_port **out)
{
	struct shm_port *port = WEFT_CONTAINER_OF(*out, struct shm_port, base);
	struct shm_device *device = port->device;

	shm_attach_cancel(device, port);
	shm_mail_drop(device, port);
	WEFT_LIST_FOR_EACH(at, &device->paths) {
		struct shm_path *path = WEFT_CONTAINER_OF(at, struct shm_path, in_device);

		if (path->port != port)
			continue;
		if (path->bell_watch.ready)
			weft_worker_remove_fd(port->worker, &path->bell_watch);
		if (path->lent)
			shm_loans_home(path);
		shm_debtor_leave(path);
		shm_path_leave_port(path);
		shm_control_linger(path);
	}
	port_free(port);
	*out = NULL;
}

static void describe(struct weft_port *base, struct weft_driver_stats *out)
{
	struct shm_port *port = WEFT_CONTAINER_OF(base, struct shm_port, base);
	const uint64_t *from = (const uint64_t *)&port->stats;
	uint64_t *to = (uint64_t *)out;
	uint32_t quiet = __atomic_load_n(&port->quiet_count, __ATOMIC_RELAXED);

	/* Word by word, as another thread writes them: see decision 0013. */
	_Static_assert(sizeof *out % sizeof *to == 0, "whole words");
	for (size_t i = 0; i < sizeof *out / sizeof *to; i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	/* What is not lent is copied once into the ring, or once out of it. */
	out->copies = out->tx_frames - out->tx_loans + out->rx_frames - out->rx_loans;
	out->copied_bytes = out->tx_inline_bytes + out->rx_inline_bytes;
	out->hot_paths = out->paths > quiet ? out->paths - quiet : 0;
}

const struct weft_driver weft__shm_driver = {
	.size = sizeof(struct weft_driver),
	.name = "shm",
	.caps = WEFT_DRIVER_RELIABLE | WEFT_DRIVER_LOANS | WEFT_DRIVER_WAKES | WEFT_DRIVER_LOCAL | WEFT_DRIVER_SHARES,
	.device_open = device_open,
	.device_close = device_close,
	.port_open = port_open,
	.port_close = port_close,
	.connect = shm_attach_connect,
	.disconnect = shm_path_disconnect,
	.share = shm_path_share,
	.arm = shm_port_arm,
	.describe = describe,
	.copies = "none of what is lent; small messages into the ring, and out of it for the reader",
};

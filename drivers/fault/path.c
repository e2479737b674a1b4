/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths: each stands before one of the driver below, and ends when that one does or when it is cut.
 */
#include "fault/fault.h"

#include <stdlib.h>
#include <weft/errors.h>
#include <weft/hash.h>
#include <weft/log.h>

void weft__fault_flush_due(struct fault_port *port)
{
	port->base.flush_due = port->below->flush_due || !weft_list_empty(&port->due);
}

/* ---- up ---- */

static struct fault_path *path_new(struct fault_port *port, struct weft_path *below)
{
	struct fault_path *path = calloc(1, sizeof *path);

	if (!path)
		return NULL;
	path->base.port = &port->base;
	path->base.peer = below->peer;
	path->below = below;
	path->port = port;
	path->seed = weft_hash_u64(port->device->spec.seed ^
				   weft_hash_u64((uint64_t)port->number << 32 | ++port->path_number));
	weft_random_seed(&path->random, path->seed);
	weft_list_init(&path->held);
	weft_list_init(&path->in_holding);
	weft_list_init(&path->in_due);
	weft_list_push_back(&port->paths, &path->in_port);
	below->user = path;
	return path;
}

void weft__fault_path_up(void *port_user, struct weft_path *below, const struct weft_hello *theirs, void *request)
{
	struct fault_port *port = port_user;
	const struct weft_device_events *events = port->device->events;
	struct fault_path *path = path_new(port, below);

	if (path) {
		events->path_up(port->base.user, &path->base, theirs, request);
	} else {
		port->device->driver_below->disconnect(below);
		if (request)
			events->connect_failed(port->base.user, request, -WEFT_ENOMEM, "no memory for a path");
	}
	weft__fault_flush_due(port);
}

void weft__fault_connect_failed(void *port_user, void *request, int error, const char *why)
{
	struct fault_port *port = port_user;

	port->device->events->connect_failed(port->base.user, request, error, why);
}

/* ---- down ---- */

static void end(struct fault_path *path, enum weft_down_reason reason)
{
	path->down = true;
	path->reason = reason;
	weft_list_push_back(&path->port->due, &path->in_due);
	path->port->base.flush_due = true;
}

void weft__fault_path_down(void *port_user, struct weft_path *below, enum weft_down_reason reason)
{
	struct fault_path *path = below->user;

	if (!path) /* there was no memory for it */
		((struct fault_port *)port_user)->device->driver_below->disconnect(below);
	else if (!path->down)
		end(path, reason);
}

void weft__fault_cut(struct fault_path *path)
{
	if (path->cut)
		return;
	path->cut = true;
	weft__fault_held_drop(path);
	weft_log(WEFT_LOG_WARN, "fault", "path cut frames %llu seed %llu", (unsigned long long)path->frames,
		 (unsigned long long)path->port->device->spec.seed);
	if (!path->down)
		end(path, WEFT_DOWN_BROKEN);
}

void weft__fault_count(struct fault_path *path)
{
	if (++path->frames == path->port->device->spec.cut)
		weft__fault_cut(path);
}

void weft__fault_tell(struct fault_port *port)
{
	WEFT_LIST_FOR_EACH(at, &port->due) {
		struct fault_path *path = WEFT_CONTAINER_OF(at, struct fault_path, in_due);

		if (!weft_list_empty(&path->held))
			continue; /* what came before the end is handed up before it */
		weft_list_remove(at);
		port->device->events->path_down(port->base.user, &path->base, path->reason);
	}
}

void weft__fault_path_free(struct fault_path *path)
{
	weft__fault_held_drop(path);
	weft_list_remove(&path->in_due);
	weft_list_remove(&path->in_port);
	path->below->user = NULL;
	free(path);
}

void weft__fault_disconnect(struct weft_path *base)
{
	struct fault_path *path = weft__fault_path_of(base);
	struct fault_port *port = path->port;
	struct weft_path *below = path->below;

	weft__fault_path_free(path);
	port->device->driver_below->disconnect(below);
	weft__fault_flush_due(port);
}

/* ---- memory ---- */

int weft__fault_share(struct weft_path *base, uint32_t segment_id)
{
	struct fault_path *path = weft__fault_path_of(base);
	int rc = weft__fault_strikes(&path->port->device->spec, path->port->device->calls, FAULT_SHARE);

	return rc < 0 ? rc : path->port->device->driver_below->share(path->below, segment_id);
}

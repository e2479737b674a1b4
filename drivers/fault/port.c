/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ports: each stands before one of the driver below.
 */
#include "fault/fault.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <weft/errors.h>

/* That the worker turns is enough: rx looks at what is due. */
static void woken(struct weft_timer *timer, void *user)
{
	(void)timer;
	(void)user;
}

static void init(struct fault_port *port, struct fault_device *device, const struct weft_port_opts *opts)
{
	port->device = device;
	port->worker = opts->worker;
	port->number = atomic_fetch_add_explicit(&device->port_count, 1, memory_order_relaxed);
	weft_list_init(&port->paths);
	weft_list_init(&port->holding);
	weft_list_init(&port->due);
	weft_list_init(&port->spent);
	weft_timer_init(&port->wake, woken, port);
}

int weft__fault_port_open(struct weft_device *base, const struct weft_port_opts *opts, struct weft_port **out)
{
	struct fault_device *device = (struct fault_device *)(void *)base;
	struct weft_port_opts below = *opts;
	struct fault_port *port;
	int rc = weft__fault_strikes(&device->spec, device->calls, FAULT_PORT_OPEN);

	if (rc < 0)
		return rc;
	port = calloc(1, sizeof *port);
	if (!port)
		return weft_set_error(WEFT_ENOMEM, "no memory for a port");
	init(port, device, opts);
	below.user = port;
	rc = weft_port_open(device->driver_below, device->below, &below, &port->below);
	if (rc < 0) {
		free(port);
		return rc;
	}
	port->base = (struct weft_port){
		.send = weft__fault_send,
		.tx = weft__fault_tx,
		.rx = weft__fault_rx,
		.release = weft__fault_release,
		.reap = weft__fault_reap,
		.flush = weft__fault_flush,
		.user = opts->user,
		.inline_max = port->below->inline_max,
		.loan_head_max = port->below->loan_head_max,
		.max_burst = port->below->max_burst,
	};
	*out = &port->base;
	return 0;
}

void weft__fault_port_close(struct weft_port **out)
{
	struct fault_port *port = weft__fault_port_of(*out);

	weft_timer_cancel(port->worker, &port->wake);
	WEFT_LIST_FOR_EACH(at, &port->paths)
		weft__fault_path_free(WEFT_CONTAINER_OF(at, struct fault_path, in_port));
	weft__fault_spent_free(port);
	port->device->driver_below->port_close(&port->below);
	free(port);
	*out = NULL;
}

int weft__fault_connect(struct weft_port *base, const char *to, const struct weft_hello *mine, void *request)
{
	struct fault_port *port = weft__fault_port_of(base);
	int rc = weft__fault_strikes(&port->device->spec, port->device->calls, FAULT_CONNECT);

	return rc < 0 ? rc : port->device->driver_below->connect(port->below, to, mine, request);
}

void weft__fault_arm(struct weft_port *base, bool on)
{
	struct fault_port *port = weft__fault_port_of(base);

	port->device->driver_below->arm(port->below, on);
}

void weft__fault_describe(struct weft_port *base, struct weft_driver_stats *out)
{
	struct fault_port *port = weft__fault_port_of(base);

	port->device->driver_below->describe(port->below, out);
	out->full += port->refused;
}

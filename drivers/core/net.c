/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drivers of datagrams by name, and how nets and ports of them are opened: the driver does it, and what it leaves out of a
 * port is filled in.
 */
#include "core/core.h"

#include "fault/fault_net.h"

#include <string.h>
#include <weft/errors.h>

/* Tables of before it was added end sooner. */
#define HAS(driver, function) ((driver)->size > offsetof(struct weft_net_driver, function) && (driver)->function)

extern const struct weft_net_driver weft__udp_driver;

/* An explicit list: no driver registers itself. */
static const struct weft_net_driver *const built_in[] = {&weft__udp_driver};

const struct weft_net_driver *weft_net_driver_at(unsigned int i)
{
	return i < sizeof built_in / sizeof *built_in ? built_in[i] : NULL;
}

static const char *name_at(unsigned int i)
{
	return weft_net_driver_at(i) ? weft_net_driver_at(i)->name : NULL;
}

static const struct weft__module_kind kind = {
	.what = "driver of datagrams",
	.symbol = "weft_net_driver_module",
	.abi = WEFT_NET_DRIVER_ABI,
	.least_bytes = offsetof(struct weft_net_driver, open),
	.complete = weft__net_driver_complete,
	.built_in = name_at,
};

static const struct weft_net_driver *find_plain(const char *name)
{
	for (unsigned int i = 0; weft_net_driver_at(i); i++)
		if (strcmp(weft_net_driver_at(i)->name, name) == 0)
			return weft_net_driver_at(i);
	return weft__module_find(&kind, name);
}

const struct weft_net_driver *weft_net_driver_find(const char *name)
{
	const struct weft_net_driver *below;

	if (strncmp(name, FAULT_PREFIX, strlen(FAULT_PREFIX)) != 0)
		return find_plain(name);
	below = find_plain(name + strlen(FAULT_PREFIX));
	return below ? weft__fault_net_over(below) : NULL;
}

void weft_net_opts_init(struct weft_net_opts *opts, size_t size)
{
	memset(opts, 0, size);
	opts->size = size;
}

void weft_net_port_opts_init(struct weft_net_port_opts *opts, size_t size)
{
	memset(opts, 0, size);
	opts->size = size;
}

int weft_net_open(const struct weft_net_driver *driver, const struct weft_net_opts *opts, struct weft_net **out)
{
	struct weft_net_opts full = *opts;

	full.driver = driver;
	if (opts->faults && !(driver->caps & WEFT_NET_FAULTS))
		return weft_set_error(WEFT_EINVAL,
				      "faults \"%.200s\" for driver %s, which makes none: use driver fault+%s",
				      opts->faults, driver->name, driver->name);
	return driver->open(&full, out);
}

bool weft_net_is_host(const struct weft_net_driver *driver, const struct weft_net_address *address)
{
	return !HAS(driver, is_host) || driver->is_host(address);
}

void weft_net_route_from(struct weft_net_route *route, const struct weft_net_address *own)
{
	const struct weft_net_driver *driver = route->port->driver;

	if (own->len_bytes && HAS(driver, route_from))
		driver->route_from(route, own);
}

int weft_net_port_open(const struct weft_net_driver *driver, struct weft_net *net,
		       const struct weft_net_port_opts *opts, struct weft_net_port **out)
{
	struct weft_net_port *port = NULL;
	int rc;

	if (opts->index >= WEFT_NET_PORTS_MAX)
		return weft_set_error(WEFT_EINVAL, "a net has no port %u: they count from 0 to %u", opts->index,
				      WEFT_NET_PORTS_MAX - 1);
	rc = driver->port_open(net, opts, &port);
	if (rc < 0)
		return rc;
	port->driver = driver;
	port->net = net;
	port->index = opts->index;
	port->user = opts->user;
	weft__net_port_complete(port);
	*out = port;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a driver of datagrams does not have: functions that say so or do nothing, as in complete.c.
 */
#include "core/core.h"

#include <string.h>
#include <weft/errors.h>

/* ---- of a table ---- */

static int no_open(const struct weft_net_opts *opts, struct weft_net **out)
{
	(void)out;
	return weft_set_error(WEFT_ENOTSUP, "driver %s has no nets", opts->driver->name);
}

static void no_close(struct weft_net **net)
{
	*net = NULL;
}

static void no_address(const struct weft_net *net, struct weft_net_address *out)
{
	(void)net;
	memset(out, 0, sizeof *out);
}

static int no_port_open(struct weft_net *net, const struct weft_net_port_opts *opts, struct weft_net_port **out)
{
	(void)net;
	(void)opts;
	(void)out;
	return weft_set_error(WEFT_ENOTSUP, "the driver has no ports");
}

static void no_port_close(struct weft_net_port **port)
{
	*port = NULL;
}

static int no_address_read(const char *text, struct weft_net_address *out)
{
	(void)out;
	return weft_set_error(WEFT_EINVAL, "\"%.80s\" is no address: the driver has none", text);
}

static void no_address_write(const struct weft_net_address *address, char *text)
{
	(void)address;
	strcpy(text, "?");
}

static bool no_is_loopback(const struct weft_net_address *address)
{
	(void)address;
	return false;
}

static int no_route_open(struct weft_net_port *port, const struct weft_net_address *to, struct weft_net_route **out)
{
	(void)to;
	(void)out;
	return weft_set_error(WEFT_ENOTSUP, "driver %s has no way to anybody", port->driver->name);
}

static void no_route_close(struct weft_net_route **route)
{
	*route = NULL;
}

static void no_arm(struct weft_net_port *port, bool on)
{
	(void)port;
	(void)on;
}

static void no_describe(struct weft_net_port *port, struct weft_net_stats *out)
{
	(void)port;
	memset(out, 0, sizeof *out);
}

static const char *no_degraded(const struct weft_net *net, unsigned int i)
{
	(void)net;
	(void)i;
	return NULL;
}

#define FILL(of, function)                              \
	do {                                            \
		if (!(of)->function)                    \
			(of)->function = no_##function; \
	} while (0)

void weft__net_driver_complete(const void *table, void *out)
{
	const struct weft_net_driver *from = table;
	struct weft_net_driver full = {0};

	memcpy(&full, from, from->size < sizeof full ? from->size : sizeof full);
	full.size = sizeof full;
	/* What it cannot do without. */
	if (!full.arm)
		full.caps &= ~(uint32_t)WEFT_NET_WAKES;
	if (!full.copies)
		full.copies = "it does not say what it copies";
	FILL(&full, open);
	FILL(&full, close);
	FILL(&full, address);
	FILL(&full, port_open);
	FILL(&full, port_close);
	FILL(&full, address_read);
	FILL(&full, address_write);
	FILL(&full, is_loopback);
	FILL(&full, route_open);
	FILL(&full, route_close);
	FILL(&full, arm);
	FILL(&full, describe);
	FILL(&full, degraded);
	memcpy(out, &full, sizeof full);
}

/* ---- of a port ---- */

static unsigned int no_tx(struct weft_net_port *port, const struct weft_net_tx *packets, unsigned int count)
{
	(void)port;
	(void)packets;
	(void)count;
	return 0;
}

static unsigned int no_rx(struct weft_net_port *port, struct weft_net_rx *packets, unsigned int max)
{
	(void)port;
	(void)packets;
	(void)max;
	return 0;
}

static void no_reap(struct weft_net_port *port)
{
	port->reap_due = false;
}

void weft__net_port_complete(struct weft_net_port *port)
{
	FILL(port, tx);
	FILL(port, rx);
	FILL(port, reap);
}

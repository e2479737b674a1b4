/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults over drivers of datagrams: the tables, one for each driver below, and nets.
 */
#include "fault/fault_net.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <weft/errors.h>
#include <weft/log.h>

struct composed {
	struct weft_net_driver driver;
	const struct weft_net_driver *below;
	struct composed *next;
	char name[64];
};

static struct fault_net *net_of(const struct weft_net *base)
{
	return (struct fault_net *)(void *)base;
}

/* ---- nets ---- */

static int read_spec(struct fault_net *net, const char *text)
{
	const char *needs_paths;
	int rc = weft__fault_spec_parse(text, &net->spec);

	if (rc < 0)
		return rc;
	needs_paths = weft__fault_spec_needs_paths(&net->spec);
	if (needs_paths)
		return weft_set_error(
			WEFT_EINVAL,
			"faults: %s is for drivers with paths, as in fault+shm; %s has only packets: use drop",
			needs_paths, net->below_driver->name);
	return net->spec.has_seed ? 0 : weft_random_system(&net->spec.seed);
}

static void tell(const struct fault_net *net, const char *faults)
{
	struct weft_net_address address;
	char text[WEFT_NET_TEXT_MAX];

	if (!faults || !*faults)
		return;
	net->below_driver->address(net->below, &address);
	net->below_driver->address_write(&address, text);
	weft_log(WEFT_LOG_INFO, "fault", "net %s over %s faults %s seed %llu", text, net->below_driver->name, faults,
		 (unsigned long long)net->spec.seed);
}

static int net_open(const struct weft_net_opts *opts, struct weft_net **out)
{
	struct fault_net *net = calloc(1, sizeof *net);
	struct weft_net_opts below = *opts;
	int rc;

	if (!net)
		return weft_set_error(WEFT_ENOMEM, "no memory for a net");
	net->below_driver = WEFT_CONTAINER_OF(opts->driver, struct composed, driver)->below;
	below.faults = NULL;
	rc = read_spec(net, opts->faults);
	if (rc == 0)
		rc = weft__fault_strikes(&net->spec, net->calls, FAULT_DEVICE_OPEN);
	if (rc == 0)
		rc = weft_net_open(net->below_driver, &below, &net->below);
	if (rc < 0) {
		free(net);
		return rc;
	}
	tell(net, opts->faults);
	*out = (struct weft_net *)(void *)net;
	return 0;
}

static void net_close(struct weft_net **out)
{
	struct fault_net *net = net_of(*out);

	net->below_driver->close(&net->below);
	free(net);
	*out = NULL;
}

static void net_address(const struct weft_net *base, struct weft_net_address *out)
{
	net_of(base)->below_driver->address(net_of(base)->below, out);
}

static const char *net_degraded(const struct weft_net *base, unsigned int i)
{
	return net_of(base)->below_driver->degraded(net_of(base)->below, i);
}

/* ---- tables ---- */

static struct composed *compose(const struct weft_net_driver *below)
{
	struct composed *made = calloc(1, sizeof *made);

	if (!made)
		return NULL;
	snprintf(made->name, sizeof made->name, FAULT_PREFIX "%s", below->name);
	made->below = below;
	made->driver = (struct weft_net_driver){
		.size = sizeof made->driver,
		.name = made->name,
		.caps = below->caps | WEFT_NET_FAULTS,
		.timing = below->timing,
		.open = net_open,
		.close = net_close,
		.address = net_address,
		.port_open = weft__fault_net_port_open,
		.port_close = weft__fault_net_port_close,
		.address_read = below->address_read,
		.address_write = below->address_write,
		.is_loopback = below->is_loopback,
		.host = below->host,
		.route_open = weft__fault_net_route_open,
		.route_close = weft__fault_net_route_close,
		.arm = weft__fault_net_arm,
		.describe = weft__fault_net_describe,
		.degraded = net_degraded,
		.copies = below->copies,
		.route_from = weft__fault_net_route_from,
		.is_host = below->is_host,
	};
	return made;
}

const struct weft_net_driver *weft__fault_net_over(const struct weft_net_driver *below)
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

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The drivers that net drivers are made into.
 */
#include "path/device.h"
#include "path/path_private.h"

#include <weft/errors.h>

struct over {
	struct weft_driver driver;
	const struct weft_net_driver *net;
	weft__stream_fn *stream_of;
};

const struct weft_net_driver *weft__path_net_of(const struct weft_driver *driver)
{
	return WEFT_CONTAINER_OF(driver, struct over, driver)->net;
}

weft__stream_fn *weft__path_streams_of(const struct weft_driver *driver)
{
	return WEFT_CONTAINER_OF(driver, struct over, driver)->stream_of;
}

static uint8_t by_class(uint64_t meta, enum weft_class class_)
{
	(void)meta;
	return (uint8_t)class_;
}

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

const char *weft__path_degraded(const struct weft_device *base, unsigned int i)
{
	const struct weft__path_device *device = (const struct weft__path_device *)(const void *)base;

	return device->driver->degraded ? device->driver->degraded(device->net, i) : NULL;
}

#define OVERS_MAX 64
static struct over overs[OVERS_MAX];
static unsigned int over_count;
static pthread_mutex_t overs_lock = PTHREAD_MUTEX_INITIALIZER;

static void over_fill(struct over *over, const struct weft_net_driver *net, weft__stream_fn *stream_of)
{
	over->net = net;
	over->stream_of = stream_of;
	over->driver = (struct weft_driver){
		.size = sizeof over->driver,
		.name = net->name,
		.caps = WEFT_DRIVER_RELIABLE | WEFT_DRIVER_LOANS |
			(net->caps & WEFT_NET_WAKES ? WEFT_DRIVER_WAKES : 0) |
			(net->caps & WEFT_NET_FAULTS ? WEFT_DRIVER_FAULTS : 0),
		.device_open = weft__path_device_open,
		.device_close = weft__path_device_close,
		.port_open = weft__path_port_open,
		.port_close = weft__path_port_close,
		.connect = weft__handshake_connect,
		.disconnect = weft__path_disconnect,
		.share = share,
		.arm = arm,
		.describe = describe,
		.address = address,
		.copies = net->copies,
	};
}

const struct weft_driver *weft__path_driver_over(const struct weft_net_driver *net, weft__stream_fn *stream_of)
{
	struct over *over = NULL;

	if (!stream_of)
		stream_of = by_class;

	pthread_mutex_lock(&overs_lock);
	for (unsigned int i = 0; i < over_count && !over; i++)
		if (overs[i].net == net && overs[i].stream_of == stream_of)
			over = &overs[i];
	if (!over && over_count < OVERS_MAX) {
		over = &overs[over_count++];
		over_fill(over, net, stream_of);
	}
	pthread_mutex_unlock(&overs_lock);
	if (!over) {
		weft_set_error(WEFT_ENOSPC, "more than %d kinds of network", OVERS_MAX);
		return NULL;
	}
	return &over->driver;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How devices and ports are opened: the driver does it, and what it leaves out is filled in.
 */
#include "core/core.h"

#include <string.h>
#include <weft/errors.h>

int weft_device_open(const struct weft_driver *driver, const struct weft_device_opts *opts, struct weft_device **out)
{
	struct weft_device_opts full = *opts;

	full.driver = driver;
	if (opts->faults && !(driver->caps & WEFT_DRIVER_FAULTS))
		return weft_set_error(WEFT_EINVAL,
				      "faults \"%.200s\" for driver %s, which makes none: use driver fault+%s",
				      opts->faults, driver->name, driver->name);
	return driver->device_open(&full, out);
}

int weft_port_open(const struct weft_driver *driver, struct weft_device *device, const struct weft_port_opts *opts,
		   struct weft_port **out)
{
	struct weft_port *port = NULL;
	int rc = driver->port_open(device, opts, &port);

	if (rc < 0)
		return rc;
	port->driver = driver;
	port->device = device;
	weft__port_complete(port);
	*out = port;
	return 0;
}

void weft_device_address(const struct weft_driver *driver, const struct weft_device *device, char *text)
{
	*text = 0;
	if (driver->size > offsetof(struct weft_driver, address) && driver->address)
		driver->address(device, text);
}

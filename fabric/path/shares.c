/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has how much of a port's tables, by machine.
 */
#include "path/device.h"

#include <weft/hash.h>

const unsigned int weft__table_size[WEFT__TABLES] = {
	[WEFT__TABLE_PARCELS] = WEFT__PORT_PARCELS,   [WEFT__TABLE_OUTGOING] = WEFT__PORT_OUTGOING,
	[WEFT__TABLE_INCOMING] = WEFT__PORT_INCOMING, [WEFT__TABLE_WINDOWS] = WEFT__PORT_WINDOWS,
	[WEFT__TABLE_HELD] = WEFT__PORT_HELD,
};

unsigned int weft__source_index(const struct weft__path_device *device, const struct weft_net_address *address)
{
	struct weft_net_address host = *address;

	if (device->driver->host)
		device->driver->host(address, &host);
	return (unsigned int)(weft_siphash(device->cookie_key, &host, sizeof host) % WEFT__SOURCES);
}

struct weft__source *weft__source_of(struct weft__path_port *port, const struct weft_net_address *address)
{
	return &port->sources[weft__source_index(port->device, address)];
}

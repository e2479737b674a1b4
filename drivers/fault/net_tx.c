/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending packets: refused now and then, else as the driver below does it.
 */
#include "fault/fault_net.h"

#define AT_ONCE 32u

static bool refused(struct fault_net_port *port)
{
	port->tries++;
	return port->tries == port->net->spec.again_at || weft__fault_net_draw(port, port->net->spec.again);
}

static struct fault_net_route *route_of(const struct weft_net_tx *packet)
{
	return WEFT_CONTAINER_OF(packet->route, struct fault_net_route, base);
}

/* Sends some of them, before the first that is refused. Returns how many were taken, and whether that is all for now. */
static unsigned int send_some(struct fault_net_port *port, const struct weft_net_tx *packets, unsigned int count,
			      bool *full)
{
	struct weft_net_tx below[AT_ONCE];
	unsigned int offered = 0, taken = 0;

	while (offered < count && offered < AT_ONCE && !(*full = refused(port))) {
		below[offered] = packets[offered];
		below[offered].route = route_of(&packets[offered])->below;
		offered++;
	}
	port->refused += *full;
	if (offered)
		taken = port->below->tx(port->below, below, offered);
	for (unsigned int i = 0; i < taken; i++)
		packets[i].route->payload_max = below[i].route->payload_max;
	*full = *full || taken < offered;
	return taken;
}

unsigned int weft__fault_net_tx(struct weft_net_port *base, const struct weft_net_tx *packets, unsigned int count)
{
	struct fault_net_port *port = weft__fault_net_port_of(base);
	unsigned int taken = 0;
	bool full = false;

	while (taken < count && !full)
		taken += send_some(port, packets + taken, count - taken, &full);
	base->reap_due = port->below->reap_due;
	return taken;
}

void weft__fault_net_reap(struct weft_net_port *base)
{
	struct fault_net_port *port = weft__fault_net_port_of(base);

	port->below->reap(port->below);
	base->reap_due = port->below->reap_due;
}

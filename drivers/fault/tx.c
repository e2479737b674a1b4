/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending: refused now and then, else as the driver below does it.
 */
#include "fault/fault.h"

#include <weft/errors.h>

static bool refused(struct fault_path *path)
{
	const struct fault_spec *spec = &path->port->device->spec;

	if (path->cut)
		return true;
	path->tries++;
	return path->tries == spec->again_at || weft__fault_draw(path, spec->again);
}

int weft__fault_send(struct weft_path *base, enum weft_class class_, uint64_t meta, const void *data,
		     uint32_t len_bytes, unsigned int flags)
{
	struct fault_path *path = weft__fault_path_of(base);
	int rc = -WEFT_EAGAIN;

	if (refused(path))
		path->port->refused++;
	else if ((rc = path->port->below->send(path->below, class_, meta, data, len_bytes, flags)) == 0)
		weft__fault_count(path);
	weft__fault_flush_due(path->port);
	return rc;
}

/* How many frames of a burst are offered below: those before the first that is refused, and none beyond a cut. */
static unsigned int offered(struct fault_path *path, unsigned int count)
{
	uint64_t cut = path->port->device->spec.cut, left = cut ? cut - path->frames : UINT64_MAX;
	unsigned int i = 0;

	while (i < count && i < left && !refused(path))
		i++;
	return i;
}

unsigned int weft__fault_tx(struct weft_path *base, enum weft_class class_, const struct weft_tx_frame *frames,
			    unsigned int count, unsigned int flags, int *why)
{
	struct fault_path *path = weft__fault_path_of(base);
	struct weft_port *below = path->port->below;
	unsigned int may = offered(path, count), taken = 0;

	if (may)
		taken = below->tx(path->below, class_, frames, may, flags, why);
	for (unsigned int i = 0; i < taken; i++)
		weft__fault_count(path);
	if (taken == may && may < count) {
		path->port->refused++;
		if (why)
			*why = -WEFT_EAGAIN;
	}
	weft__fault_flush_due(path->port);
	return taken;
}

void weft__fault_release(struct weft_path *base, uint32_t loan_id)
{
	struct fault_path *path = weft__fault_path_of(base);

	path->port->below->release(path->below, loan_id);
	weft__fault_flush_due(path->port);
}

unsigned int weft__fault_reap(struct weft_port *base, uint64_t *cookies, unsigned int max)
{
	struct weft_port *below = weft__fault_port_of(base)->below;

	return below->reap(below, cookies, max);
}

void weft__fault_flush(struct weft_port *base)
{
	struct fault_port *port = weft__fault_port_of(base);

	weft__fault_tell(port);
	if (port->below->flush_due)
		port->below->flush(port->below);
	weft__fault_flush_due(port);
}

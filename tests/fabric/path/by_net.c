/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The drivers over networks, for the conformance suite of drivers.
 */
#include "conformance.h"
#include "path/path.h"

const struct weft_driver *conformance_driver(const char *name)
{
	const struct weft_net_driver *net = weft_net_driver_find(name);

	return net ? weft__path_driver_over(net, NULL) : NULL;
}

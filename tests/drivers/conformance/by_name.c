/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The drivers that this layer knows.
 */
#include "conformance.h"

const struct weft_driver *conformance_driver(const char *name)
{
	return weft_driver_find(name);
}

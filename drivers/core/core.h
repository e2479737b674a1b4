/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this folder share.
 */
#ifndef CORE_H
#define CORE_H

#include <weft/driver.h>

#define WEFT__DRIVER_NAME_MAX 32

/* A copy of a driver's table, whatever its size, in which no function is missing. */
void weft__driver_complete(const struct weft_driver *table, struct weft_driver *out);
/* The same for the functions of a port that a driver has opened. */
void weft__port_complete(struct weft_port *port);

/* The driver in libweft-NAME.so; NULL when there is none or it does not fit, having said why. Borrowed for ever. The name
 * has been checked. Thread: any. */
const struct weft_driver *weft__module_driver(const char *name);

#endif

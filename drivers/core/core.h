/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this folder share.
 */
#ifndef CORE_H
#define CORE_H

#include <weft/driver.h>
#include <weft/net.h>

#define WEFT__DRIVER_NAME_MAX 32

/* A kind of tables that modules hold. */
struct weft__module_kind {
	const char *what;   /* one of them, for people */
	const char *symbol; /* by which a module exports it */
	uint32_t abi;
	size_t least_bytes; /* of a table: up to its name and what it can do */
	/* A copy in which no function is missing, whatever the size of the table. */
	void (*complete)(const void *table, void *out);
	/* The name of the i-th that needs no module; NULL past the end. */
	const char *(*built_in)(unsigned int i);
};

/* The table of that kind in libweft-NAME.so; NULL when there is none or it does not fit, having said why. Borrowed for
 * ever. Thread: any. */
const void *weft__module_find(const struct weft__module_kind *kind, const char *name);

/* Copies of drivers' tables, as weft__module_kind wants them; and the same for the functions of a port that a driver has
 * opened. */
void weft__driver_complete(const void *table, void *out);
void weft__port_complete(struct weft_port *port);
void weft__net_driver_complete(const void *table, void *out);
void weft__net_port_complete(struct weft_net_port *port);

#endif

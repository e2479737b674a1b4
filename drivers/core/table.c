/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drivers by name, and the options that every driver shares.
 */
#include "core/core.h"

#include "fault/fault.h"

#include <string.h>

extern const struct weft_driver weft__shm_driver;

/* An explicit list: no driver registers itself. */
static const struct weft_driver *const built_in[] = {&weft__shm_driver};

const struct weft_driver *weft_driver_at(unsigned int i)
{
	return i < sizeof built_in / sizeof *built_in ? built_in[i] : NULL;
}

static const char *name_at(unsigned int i)
{
	return weft_driver_at(i) ? weft_driver_at(i)->name : NULL;
}

static const struct weft__module_kind kind = {
	.what = "driver",
	.symbol = "weft_driver_module",
	.abi = WEFT_DRIVER_ABI,
	.least_bytes = offsetof(struct weft_driver, device_open),
	.complete = weft__driver_complete,
	.built_in = name_at,
};

static const struct weft_driver *find_plain(const char *name)
{
	for (unsigned int i = 0; weft_driver_at(i); i++)
		if (strcmp(weft_driver_at(i)->name, name) == 0)
			return weft_driver_at(i);
	return weft__module_find(&kind, name);
}

const struct weft_driver *weft_driver_find(const char *name)
{
	const struct weft_driver *below;

	if (strncmp(name, FAULT_PREFIX, strlen(FAULT_PREFIX)) != 0)
		return find_plain(name);
	below = find_plain(name + strlen(FAULT_PREFIX));
	return below ? weft__fault_over(below) : NULL;
}

void weft_device_opts_init(struct weft_device_opts *opts, size_t size)
{
	memset(opts, 0, size);
	opts->size = size;
}

void weft_port_opts_init(struct weft_port_opts *opts, size_t size)
{
	memset(opts, 0, size);
	opts->size = size;
	opts->cold_slots = 64;
	opts->hot_slots = 1024;
}

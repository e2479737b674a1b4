/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drivers by name, and the options that every driver shares.
 */
#include "core/core.h"

#include "fault/fault.h"

#include <string.h>
#include <weft/errors.h>

extern const struct weft_driver weft__shm_driver;

/* An explicit list: no driver registers itself. */
static const struct weft_driver *const built_in[] = {&weft__shm_driver};

const struct weft_driver *weft_driver_at(unsigned int i)
{
	return i < sizeof built_in / sizeof *built_in ? built_in[i] : NULL;
}

/* A name becomes part of a file's name: nothing in it may lead anywhere else. */
static bool name_valid(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return len > 0 && len <= WEFT__DRIVER_NAME_MAX && !name[len];
}

static const struct weft_driver *find_plain(const char *name)
{
	for (unsigned int i = 0; weft_driver_at(i); i++)
		if (strcmp(weft_driver_at(i)->name, name) == 0)
			return weft_driver_at(i);
	if (name_valid(name))
		return weft__module_driver(name);
	weft_set_error(WEFT_ENODEV, "\"%.80s\" names no driver: a name is 1 to %d of [a-z0-9_-], or %s and such a name",
		       name, WEFT__DRIVER_NAME_MAX, FAULT_PREFIX);
	return NULL;
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

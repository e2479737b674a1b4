/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The drivers that are built in, and the options that every driver shares.
 */
#include <weft/driver.h>
#include <weft/errors.h>

#include <string.h>

extern const struct weft_driver weft__shm_driver;

/* An explicit list: no driver registers itself. */
static const struct weft_driver *const built_in[] = {&weft__shm_driver};

const struct weft_driver *weft_driver_at(unsigned int i)
{
	return i < sizeof built_in / sizeof *built_in ? built_in[i] : NULL;
}

const struct weft_driver *weft_driver_find(const char *name)
{
	for (unsigned int i = 0; weft_driver_at(i); i++)
		if (strcmp(weft_driver_at(i)->name, name) == 0)
			return weft_driver_at(i);
	weft_set_error(WEFT_ENODEV, "there is no driver \"%s\"", name);
	return NULL;
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

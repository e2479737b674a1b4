/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a driver does not have: functions that say so or do nothing, so that nobody who calls a driver looks for NULL.
 */
#include "core/core.h"

#include <string.h>
#include <weft/errors.h>

/* ---- of a table ---- */

static int no_device_open(const struct weft_device_opts *opts, struct weft_device **out)
{
	(void)out;
	return weft_set_error(WEFT_ENOTSUP, "driver %s has no devices", opts->driver->name);
}

static void no_device_close(struct weft_device **device)
{
	*device = NULL;
}

static int no_port_open(struct weft_device *device, const struct weft_port_opts *opts, struct weft_port **out)
{
	(void)device;
	(void)opts;
	(void)out;
	return weft_set_error(WEFT_ENOTSUP, "the driver has no ports");
}

static void no_port_close(struct weft_port **port)
{
	*port = NULL;
}

static int no_connect(struct weft_port *port, const char *to, const struct weft_hello *mine, void *request)
{
	(void)mine;
	(void)request;
	return weft_set_error(WEFT_ENOTSUP, "driver %s cannot connect to \"%s\", nor to anybody", port->driver->name,
			      to);
}

static void no_disconnect(struct weft_path *path)
{
	(void)path;
}

static int no_share(struct weft_path *path, uint32_t segment_id)
{
	(void)path;
	(void)segment_id;
	return -WEFT_ENOTSUP;
}

static void no_arm(struct weft_port *port, bool on)
{
	(void)port;
	(void)on;
}

static void no_describe(struct weft_port *port, struct weft_driver_stats *out)
{
	(void)port;
	memset(out, 0, sizeof *out);
}

#define FILL(of, function)                              \
	do {                                            \
		if (!(of)->function)                    \
			(of)->function = no_##function; \
	} while (0)

void weft__driver_complete(const void *table, void *out)
{
	const struct weft_driver *from = table;
	struct weft_driver full = {0};

	memcpy(&full, from, from->size < sizeof full ? from->size : sizeof full);
	full.size = sizeof full;
	/* What it cannot do without these. */
	if (!full.share)
		full.caps &= ~(uint32_t)WEFT_DRIVER_LOANS;
	if (!full.arm)
		full.caps &= ~(uint32_t)WEFT_DRIVER_WAKES;
	if (!full.copies)
		full.copies = "it does not say what it copies";
	FILL(&full, device_open);
	FILL(&full, device_close);
	FILL(&full, port_open);
	FILL(&full, port_close);
	FILL(&full, connect);
	FILL(&full, disconnect);
	FILL(&full, share);
	FILL(&full, arm);
	FILL(&full, describe);
	memcpy(out, &full, sizeof full);
}

/* ---- of a port ---- */

static int no_send(struct weft_path *path, enum weft_class class_, uint64_t meta, const void *data, uint32_t len_bytes,
		   unsigned int flags)
{
	(void)path;
	(void)class_;
	(void)meta;
	(void)data;
	(void)len_bytes;
	(void)flags;
	return -WEFT_ENOTSUP;
}

static unsigned int no_tx(struct weft_path *path, enum weft_class class_, const struct weft_tx_frame *frames,
			  unsigned int count, unsigned int flags, int *why)
{
	(void)path;
	(void)class_;
	(void)frames;
	(void)count;
	(void)flags;
	if (why)
		*why = -WEFT_ENOTSUP;
	return 0;
}

static unsigned int no_rx(struct weft_port *port, struct weft_rx_frame *frames, unsigned int max)
{
	(void)port;
	(void)frames;
	(void)max;
	return 0;
}

static void no_release(struct weft_path *path, uint32_t loan_id)
{
	(void)path;
	(void)loan_id;
}

static unsigned int no_reap(struct weft_port *port, uint64_t *cookies, unsigned int max)
{
	(void)port;
	(void)cookies;
	(void)max;
	return 0;
}

static void no_flush(struct weft_port *port)
{
	port->flush_due = false;
}

void weft__port_complete(struct weft_port *port)
{
	FILL(port, send);
	FILL(port, tx);
	FILL(port, rx);
	FILL(port, release);
	FILL(port, reap);
	FILL(port, flush);
}

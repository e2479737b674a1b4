/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers that say "not now". That is what a peer says that is connecting to us as well, or that lacks something for a moment, and
 * whoever asks again gets on. One that says nothing else must not keep us asking for ever: after a time its word is not
 * taken for what it is any more.
 */
#include "shm/attach.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>
#include <weft/log.h>

_Static_assert(SHM_PUT_OFF_GAP_NS > 2 * SHM_HANDSHAKE_NS, "who asks again within a handshake's time has not paused");

/* What one peer has said to one port, without anything else in between. */
struct shm_put_off {
	struct weft_list link;
	const struct shm_port *port;
	uint64_t since_ns, last_ns;
	bool said;
	char to[SHM_NAME_MAX];
};

static void forget(struct shm_put_off *put_off)
{
	weft_list_remove(&put_off->link);
	free(put_off);
}

static struct shm_put_off *find(const struct shm_port *port, const char *to)
{
	WEFT_LIST_FOR_EACH(at, &port->device->put_offs) {
		struct shm_put_off *put_off = WEFT_CONTAINER_OF(at, struct shm_put_off, link);

		if (put_off->port == port && strcmp(put_off->to, to) == 0)
			return put_off;
	}
	return NULL;
}

/* Those that have not answered for a while. */
static void forget_old(struct shm_device *device, uint64_t now_ns)
{
	WEFT_LIST_FOR_EACH(at, &device->put_offs) {
		struct shm_put_off *put_off = WEFT_CONTAINER_OF(at, struct shm_put_off, link);

		if (now_ns - put_off->last_ns > SHM_PUT_OFF_GAP_NS)
			forget(put_off);
	}
}

static struct shm_put_off *make(const struct shm_port *port, const char *to, uint64_t now_ns)
{
	struct shm_put_off *put_off = calloc(1, sizeof *put_off);

	if (!put_off)
		return NULL;
	put_off->port = port;
	put_off->since_ns = now_ns;
	snprintf(put_off->to, sizeof put_off->to, "%s", to);
	weft_list_push_back(&port->device->put_offs, &put_off->link);
	return put_off;
}

int shm_put_off(const struct shm_port *port, const char *to, int error)
{
	uint64_t now_ns = weft_clock_now(weft_worker_clock(port->device->opts.runner));
	struct shm_put_off *put_off;

	forget_old(port->device, now_ns);
	put_off = find(port, to);
	if (error != -WEFT_EBUSY && error != -WEFT_EAGAIN) {
		if (put_off)
			forget(put_off);
		return error;
	}
	if (!put_off)
		put_off = make(port, to, now_ns);
	if (!put_off)
		return error;
	put_off->last_ns = now_ns;
	if (now_ns - put_off->since_ns < SHM_PUT_OFF_NS)
		return error;
	if (!put_off->said)
		weft_log(
			WEFT_LOG_WARN, "shm",
			"node %s puts us off error %s seconds %u action whoever does not wait for it is told: find out "
			"what it does",
			to, weft_error_name(error), (unsigned int)(SHM_PUT_OFF_NS / 1000000000));
	put_off->said = true;
	return -WEFT_ETIMEDOUT;
}

void shm_put_off_drop(struct shm_device *device, const struct shm_port *port)
{
	WEFT_LIST_FOR_EACH(at, &device->put_offs) {
		struct shm_put_off *put_off = WEFT_CONTAINER_OF(at, struct shm_put_off, link);

		if (!port || put_off->port == port)
			forget(put_off);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver in a module, as small as one can be: datagrams between ports of one process and one thread. A path that has no
 * room loses what is sent. Its table ends before share, as an older one's would, and its ports have no release, reap or
 * flush.
 */
#include <weft/driver.h>
#include <weft/errors.h>

#include <stdlib.h>
#include <string.h>

#define DATA_MAX 256
#define ROOM 64
#define DEVICES 8

struct datagram {
	uint64_t meta;
	uint32_t len_bytes;
	unsigned char bytes[DATA_MAX];
};

struct test_device {
	struct weft_device_opts opts;
	char name[64];
};

struct test_path {
	struct weft_path base;
	struct weft_list in_port;
	struct test_path *other; /* NULL: it is gone */
	struct weft_hello theirs;
	void *request;
	bool up, gone; /* told, or to be told */
	uint32_t head, tail;
	struct datagram ring[ROOM];
};

struct test_port {
	struct weft_port base;
	struct test_device *device;
	struct weft_list paths;
};

static struct test_device *devices[DEVICES];

static struct test_path *path_of(struct weft_path *base)
{
	return WEFT_CONTAINER_OF(base, struct test_path, base);
}

static struct test_port *port_of(struct weft_port *base)
{
	return WEFT_CONTAINER_OF(base, struct test_port, base);
}

static int device_open(const struct weft_device_opts *opts, struct weft_device **out)
{
	struct test_device *device = calloc(1, sizeof *device);
	unsigned int place = 0;

	while (place < DEVICES && devices[place])
		place++;
	if (!device || place == DEVICES) {
		free(device);
		return -WEFT_ENOMEM;
	}
	device->opts = *opts;
	strncpy(device->name, opts->name ? opts->name : "", sizeof device->name - 1);
	devices[place] = device;
	*out = (struct weft_device *)(void *)device;
	return 0;
}

static void device_close(struct weft_device **device)
{
	for (unsigned int i = 0; i < DEVICES; i++)
		if ((void *)devices[i] == (void *)*device)
			devices[i] = NULL;
	free(*device);
	*device = NULL;
}

static void copy(unsigned char *to, const void *from, uint32_t len_bytes)
{
	if (len_bytes)
		memcpy(to, from, len_bytes);
}

static int port_send(struct weft_path *base, enum weft_class class_, uint64_t meta, const void *data,
		     uint32_t len_bytes, unsigned int flags)
{
	struct test_path *to = path_of(base)->other;
	struct datagram *datagram;

	(void)class_;
	(void)flags;
	if (len_bytes > DATA_MAX)
		return -WEFT_EMSGSIZE;
	if (!to || to->head - to->tail == ROOM)
		return 0; /* lost */
	datagram = &to->ring[to->head++ % ROOM];
	datagram->meta = meta;
	datagram->len_bytes = len_bytes;
	copy(datagram->bytes, data, len_bytes);
	return 0;
}

static unsigned int port_tx(struct weft_path *base, enum weft_class class_, const struct weft_tx_frame *frames,
			    unsigned int count, unsigned int flags, int *why)
{
	unsigned char bytes[DATA_MAX];

	for (unsigned int i = 0; i < count; i++) {
		const struct weft_tx_frame *frame = &frames[i];

		if (frame->loan || frame->head_len_bytes + frame->data_len_bytes > DATA_MAX) {
			if (why)
				*why = -WEFT_EMSGSIZE;
			return i;
		}
		copy(bytes, frame->head, frame->head_len_bytes);
		copy(bytes + frame->head_len_bytes, frame->data, frame->data_len_bytes);
		port_send(base, class_, frame->meta, bytes, frame->head_len_bytes + frame->data_len_bytes, flags);
	}
	return count;
}

static unsigned int port_rx(struct weft_port *base, struct weft_rx_frame *frames, unsigned int max)
{
	struct test_port *port = port_of(base);
	const struct weft_device_events *events = port->device->opts.events;
	unsigned int count = 0;

	WEFT_LIST_FOR_EACH(at, &port->paths) {
		struct test_path *path = WEFT_CONTAINER_OF(at, struct test_path, in_port);

		if (!path->up) {
			path->up = true;
			events->path_up(base->user, &path->base, &path->theirs, path->request);
			continue;
		}
		while (count < max && path->head != path->tail) {
			struct datagram *datagram = &path->ring[path->tail++ % ROOM];

			frames[count++] = (struct weft_rx_frame){.path = &path->base,
								 .meta = datagram->meta,
								 .data = datagram->bytes,
								 .len_bytes = datagram->len_bytes};
		}
		if (!path->other && !path->gone && path->head == path->tail) {
			path->gone = true;
			events->path_down(base->user, &path->base, WEFT_DOWN_CLOSED);
		}
	}
	return count;
}

static int port_open(struct weft_device *device, const struct weft_port_opts *opts, struct weft_port **out)
{
	struct test_port *port = calloc(1, sizeof *port);

	if (!port)
		return -WEFT_ENOMEM;
	port->base = (struct weft_port){.send = port_send,
					.tx = port_tx,
					.rx = port_rx,
					.user = opts->user,
					.inline_max = DATA_MAX,
					.max_burst = 32};
	port->device = (struct test_device *)(void *)device;
	weft_list_init(&port->paths);
	*out = &port->base;
	return 0;
}

static void disconnect(struct weft_path *base)
{
	struct test_path *path = path_of(base);

	if (path->other)
		path->other->other = NULL;
	weft_list_remove(&path->in_port);
	free(path);
}

static void port_close(struct weft_port **out)
{
	struct test_port *port = port_of(*out);

	WEFT_LIST_FOR_EACH(at, &port->paths)
		disconnect(&WEFT_CONTAINER_OF(at, struct test_path, in_port)->base);
	free(port);
	*out = NULL;
}

static struct test_path *path_new(struct weft_port *port, const struct test_device *peer,
				  const struct weft_hello *theirs, void *request)
{
	struct test_path *path = calloc(1, sizeof *path);

	if (!path)
		abort(); /* of a test */
	path->base.port = port;
	path->base.peer = (struct weft_peer_identity){.incarnation = peer->opts.incarnation,
						      .pid = -1,
						      .uid = UINT32_MAX};
	path->theirs = *theirs;
	path->request = request;
	weft_list_push_back(&port_of(port)->paths, &path->in_port);
	return path;
}

static int connect_to(struct weft_port *base, const char *to, const struct weft_hello *mine, void *request)
{
	struct test_device *from = port_of(base)->device;
	struct weft_peer_identity identity = {.incarnation = from->opts.incarnation, .pid = -1, .uid = UINT32_MAX};
	struct weft_hello theirs = {0};
	struct weft_port *port = NULL;
	struct test_path *near, *far;
	unsigned int i = 0;
	int rc;

	while (i < DEVICES && !(devices[i] && strcmp(devices[i]->name, to) == 0))
		i++;
	if (i == DEVICES)
		return -WEFT_ECONNREFUSED;
	rc = devices[i]->opts.events->accept(devices[i]->opts.user, &identity, mine, &theirs, &port);
	if (rc < 0)
		return rc;
	far = path_new(port, from, mine, NULL);
	near = path_new(base, devices[i], &theirs, request);
	near->other = far;
	far->other = near;
	return 0;
}

static const struct weft_driver driver = {
	.size = offsetof(struct weft_driver, share),
	.name = "testdrv",
	.caps = WEFT_DRIVER_LOANS | WEFT_DRIVER_WAKES | WEFT_DRIVER_LOCAL, /* the first two it cannot keep */
	.device_open = device_open,
	.device_close = device_close,
	.port_open = port_open,
	.port_close = port_close,
	.connect = connect_to,
	.disconnect = disconnect,
};

WEFT_DRIVER_MODULE(driver);

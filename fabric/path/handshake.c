/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How paths are made, on the runner: who knocks, and who answers.
 */
#include "path/device.h"

#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>
#include <weft/hash.h>

#define GIVE_UP_NS UINT64_C(2000000000)
#define WAIT_MAX_NS UINT64_C(500000000)
#define DOOR_BURST 16u

static uint64_t now_of(const struct weft__path_device *device)
{
	return weft_clock_now(weft_worker_clock(device->opts.runner));
}

static void send_to(struct weft__path_device *device, struct weft_net_route *route,
		    const struct weft__greeting *greeting)
{
	unsigned char packet[WEFT__KNOCK_BYTES];
	struct weft_net_tx tx = {.route = route, .piece_count = 1};

	/* The door of the other side is port 0, too. Should it be full: it is said again, or asked again. */
	tx.pieces[0] = (struct weft_net_piece){.data = packet, .len_bytes = weft__greeting_write(greeting, 0, packet)};
	(void)device->door->tx(device->door, &tx, 1);
}

/* To who knocked, from where he did. */
static void answer(struct weft__path_device *device, const struct weft_net_rx *packet,
		   const struct weft__greeting *greeting)
{
	struct weft_net_route *route;

	if (device->driver->route_open(device->door, &packet->from, &route) < 0)
		return; /* no memory: whoever knocks will knock again */
	weft_net_route_from(route, &packet->to);
	send_to(device, route, greeting);
	device->driver->route_close(&route);
}

/* ---- a path that is to be ---- */

/* NULL: no memory or no place, or its address has all that it may have. */
static struct weft__path *path_new(struct weft__path_device *device, struct weft__path_port *port,
				   const struct weft_net_address *to)
{
	struct weft__path *path = calloc(1, sizeof *path);

	if (!path)
		return NULL;
	path->base.port = &port->base;
	path->to = *to;
	path->source = weft__source_of(port, to);
	path->base.peer.pid = -1;
	path->base.peer.uid = UINT32_MAX;
	path->allowance_bytes = path->allowed_bytes = path->proven_bytes = WEFT__UNSCHEDULED_BYTES;
	weft__ranges_init(&path->came);
	for (unsigned int class_ = 0; class_ < WEFT_CLASS_COUNT; class_++) {
		weft_list_init(&path->waiting[class_]);
		weft_list_init(&path->again[class_]);
		weft_list_init(&path->large[class_]);
		weft_list_init(&path->untold[class_]);
	}
	weft_list_init(&path->in_port);
	weft_list_init(&path->in_dirty);
	weft_list_init(&path->outgoing);
	weft_list_init(&path->incoming);
	weft_list_init(&path->held);
	path->hello = malloc(sizeof *path->hello);
	if (!path->hello || weft__device_slot_take(device, path) < 0) {
		free(path->hello);
		free(path);
		return NULL;
	}
	return path;
}

static void path_forget(struct weft__path *path)
{
	weft__device_slot_free(path);
	free(path->hello);
	free(path);
}

static void know_peer(struct weft__path *path, const struct weft__greeting *greeting)
{
	path->peer_id = greeting->from_path;
	path->peer_steer = greeting->steer;
	path->base.peer.incarnation = greeting->incarnation;
	*path->hello = greeting->hello;
}

/* ---- who knocks ---- */

static void knock_drop(struct weft__errand *errand)
{
	struct weft__knock *knock = WEFT_CONTAINER_OF(errand, struct weft__knock, errand);

	path_forget(knock->path);
	free(knock);
}

/* On the worker: the outcome. */
static void knock_over(struct weft__errand *errand)
{
	struct weft__knock *knock = WEFT_CONTAINER_OF(errand, struct weft__knock, errand);
	struct weft__path_port *port = errand->port;
	int error = knock->error;
	const char *why = knock->why;
	void *request = knock->path->request;

	if (error == 0) {
		error = weft__path_begin(port, knock->path);
		why = error < 0 ? "no way to its address" : NULL;
	}
	if (error < 0) {
		path_forget(knock->path);
		port->device->opts.events->connect_failed(port->base.user, request, error, why);
	}
	free(knock);
}

static void knock_end(struct weft__knock *knock, int error, const char *why)
{
	struct weft__path_device *device = knock->device;

	weft_timer_cancel(device->opts.runner, &knock->timer);
	weft_list_remove(&knock->link);
	device->driver->route_close(&knock->route);
	knock->error = error;
	knock->why = why;
	knock->errand.run = knock_over;
	knock->errand.drop = knock_drop;
	weft__errand_run(device, &knock->errand);
}

static void knock_again(struct weft_timer *timer, void *user)
{
	struct weft__knock *knock = user;
	uint64_t now_ns = now_of(knock->device);

	(void)timer;
	if (now_ns >= knock->give_up_ns) {
		knock_end(knock, -WEFT_EUNREACHABLE, "nobody answers there");
		return;
	}
	send_to(knock->device, knock->route, &knock->greeting);
	weft_timer_set(knock->device->opts.runner, &knock->timer, now_ns + knock->wait_ns);
	knock->wait_ns = knock->wait_ns * 2 < WAIT_MAX_NS ? knock->wait_ns * 2 : WAIT_MAX_NS;
}

int weft__handshake_connect(struct weft_port *base, const char *to, const struct weft_hello *mine, void *request)
{
	struct weft__path_port *port = weft__port_of(base);
	struct weft__path_device *device = port->device;
	struct weft_net_address address;
	struct weft__knock *knock;
	int rc = device->driver->address_read(to, &address);

	if (rc < 0)
		return rc;
	knock = calloc(1, sizeof *knock);
	if (!knock || !(knock->path = path_new(device, port, &address))) {
		free(knock);
		return weft_set_error(
			WEFT_ENOMEM, "no memory, or no place of %u for paths, %u of them to one machine, for one to %s",
			WEFT__PORT_SLOTS, WEFT__SOURCE_PATHS, to);
	}
	rc = device->driver->route_open(device->door, &address, &knock->route);
	if (rc < 0) {
		path_forget(knock->path);
		free(knock);
		return rc;
	}
	knock->device = device;
	knock->errand.port = port;
	knock->path->request = request;
	knock->path->asked = true;
	knock->greeting = (struct weft__greeting){.form = WEFT__FORM_KNOCK,
						  .from_path = knock->path->id,
						  .incarnation = device->opts.incarnation,
						  .steer = (uint16_t)port->index,
						  .hello = *mine};
	knock->wait_ns = device->driver->timing.probe_floor_ns * 4;
	knock->give_up_ns = now_of(device) + GIVE_UP_NS;
	weft_timer_init(&knock->timer, knock_again, knock);
	weft_list_push_back(&device->knocks, &knock->link);
	knock_again(&knock->timer, knock);
	return 0;
}

/* The knock that this answers: the answer comes from where we knocked, and names the path that we drew. */
static struct weft__knock *knock_of(struct weft__path_device *device, const struct weft__greeting *greeting,
				    const struct weft_net_address *from)
{
	WEFT_LIST_FOR_EACH(at, &device->knocks) {
		struct weft__knock *knock = WEFT_CONTAINER_OF(at, struct weft__knock, link);

		if (knock->greeting.from_path == greeting->to_path &&
		    memcmp(&knock->route->to, from, sizeof *from) == 0)
			return knock;
	}
	return NULL;
}

static void answered(struct weft__path_device *device, const struct weft__greeting *greeting,
		     const struct weft_net_address *from)
{
	struct weft__knock *knock = knock_of(device, greeting, from);

	if (!knock)
		return;
	switch (greeting->form) {
	case WEFT__FORM_COOKIE:
		if (knock->greeting.has_cookie &&
		    memcmp(knock->greeting.cookie, greeting->cookie, WEFT__COOKIE_BYTES) == 0)
			return; /* it came twice */
		knock->greeting.has_cookie = greeting->has_cookie;
		memcpy(knock->greeting.cookie, greeting->cookie, WEFT__COOKIE_BYTES);
		send_to(device, knock->route, &knock->greeting);
		break;
	case WEFT__FORM_ACCEPT:
		know_peer(knock->path, greeting);
		knock_end(knock, 0, NULL);
		break;
	case WEFT__FORM_REFUSE:
		knock_end(knock, greeting->code && greeting->code < 4096 ? -(int)greeting->code : -WEFT_EPROTO,
			  "refused by the peer");
		break;
	}
}

/* ---- who answers ---- */

static void cookie_make(const struct weft__path_device *device, const struct weft_net_address *from,
			const struct weft__greeting *knock, uint64_t time_ns, unsigned char cookie[WEFT__COOKIE_BYTES])
{
	unsigned char bytes[sizeof *from + 24];
	uint64_t mac;

	memcpy(bytes, from, sizeof *from);
	memcpy(bytes + sizeof *from, &time_ns, 8);
	memcpy(bytes + sizeof *from + 8, &knock->incarnation, 8);
	memcpy(bytes + sizeof *from + 16, &knock->from_path, 8);
	mac = weft_siphash(device->cookie_key, bytes, sizeof bytes);
	memcpy(cookie, &time_ns, 8);
	memcpy(cookie + 8, &mac, 8);
}

static bool cookie_good(const struct weft__path_device *device, const struct weft_net_address *from,
			const struct weft__greeting *knock)
{
	unsigned char expected[WEFT__COOKIE_BYTES];
	uint64_t time_ns;

	memcpy(&time_ns, knock->cookie, 8);
	cookie_make(device, from, knock, time_ns, expected);
	return knock->has_cookie && now_of(device) - time_ns < WEFT__COOKIE_LIFE_NS &&
	       memcmp(expected, knock->cookie, sizeof expected) == 0;
}

/* On the worker: a path that was accepted. */
struct embryo {
	struct weft__errand errand;
	struct weft__path *path;
};

static void embryo_drop(struct weft__errand *errand)
{
	struct embryo *embryo = WEFT_CONTAINER_OF(errand, struct embryo, errand);

	path_forget(embryo->path);
	free(embryo);
}

static void embryo_begin(struct weft__errand *errand)
{
	struct embryo *embryo = WEFT_CONTAINER_OF(errand, struct embryo, errand);

	if (weft__path_begin(embryo->errand.port, embryo->path) < 0)
		path_forget(embryo->path); /* the peer hears nothing, and gives up */
	free(embryo);
}

static void refuse(struct weft__path_device *device, const struct weft__greeting *knock,
		   const struct weft_net_rx *packet, int code)
{
	struct weft__greeting refusal = {.form = WEFT__FORM_REFUSE,
					 .to_path = knock->from_path,
					 .code = (uint32_t)-code};

	answer(device, packet, &refusal);
}

static void accept_knock(struct weft__path_device *device, const struct weft__greeting *knock,
			 const struct weft_net_rx *packet)
{
	struct weft_peer_identity peer = {.incarnation = knock->incarnation, .pid = -1, .uid = UINT32_MAX};
	struct weft__greeting mine = {.form = WEFT__FORM_ACCEPT,
				      .to_path = knock->from_path,
				      .incarnation = device->opts.incarnation};
	struct weft__path_port *port;
	struct weft_port *base = NULL;
	struct embryo *embryo;
	int rc;

	if (!weft__accepted_room(device, &packet->from))
		return; /* so many at once: it will knock again */
	rc = device->opts.events->accept(device->opts.user, &peer, &knock->hello, &mine.hello, &base);
	if (rc < 0) {
		refuse(device, knock, packet, rc);
		return;
	}
	port = weft__port_of(base);
	embryo = calloc(1, sizeof *embryo);
	if (!embryo || !(embryo->path = path_new(device, port, &packet->from))) {
		free(embryo);
		refuse(device, knock, packet, -WEFT_EAGAIN);
		return;
	}
	embryo->path->own = packet->to;
	know_peer(embryo->path, knock);
	mine.from_path = embryo->path->id;
	mine.steer = (uint16_t)port->index;
	weft__accepted_add(device, knock, &packet->from, &mine);
	embryo->errand.port = port;
	embryo->errand.run = embryo_begin;
	embryo->errand.drop = embryo_drop;
	weft__errand_run(device, &embryo->errand);
	answer(device, packet, &mine);
}

static void knocked(struct weft__path_device *device, const struct weft__greeting *knock,
		    const struct weft_net_rx *packet)
{
	const struct weft__accepted *before;

	if (!device->opts.name || !knock->from_path || !knock->steer || knock->steer >= WEFT_NET_PORTS_MAX)
		return;
	if (!cookie_good(device, &packet->from, knock)) {
		struct weft__greeting cookie = {.form = WEFT__FORM_COOKIE,
						.to_path = knock->from_path,
						.has_cookie = true};

		cookie_make(device, &packet->from, knock, now_of(device), cookie.cookie);
		answer(device, packet, &cookie);
		return;
	}
	before = weft__accepted_find(device, knock, &packet->from);
	if (before)
		answer(device, packet, &before->answer);
	else
		accept_knock(device, knock, packet);
}

/* ---- the door ---- */

unsigned int weft__handshake_poll(void *user)
{
	struct weft__path_device *device = user;
	struct weft_net_rx packets[DOOR_BURST];
	unsigned int count = device->door->rx(device->door, packets, DOOR_BURST);

	for (unsigned int i = 0; i < count; i++) {
		struct weft__greeting greeting;

		if (weft__greeting_read(packets[i].data, packets[i].len_bytes, &greeting) < 0)
			continue;
		if (greeting.form == WEFT__FORM_KNOCK)
			knocked(device, &greeting, &packets[i]);
		else
			answered(device, &greeting, &packets[i].from);
	}
	if (device->door->reap_due)
		device->door->reap(device->door);
	return count;
}

void weft__handshake_drop(struct weft__path_device *device, struct weft__path_port *port)
{
	WEFT_LIST_FOR_EACH(at, &device->knocks) {
		struct weft__knock *knock = WEFT_CONTAINER_OF(at, struct weft__knock, link);

		if (port && knock->errand.port != port)
			continue;
		weft_timer_cancel(device->opts.runner, &knock->timer);
		weft_list_remove(&knock->link);
		device->driver->route_close(&knock->route);
		knock_drop(&knock->errand);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths begin and end, and what their timer does meanwhile.
 */
#include "path/device.h"
#include "path/path_private.h"

#include <stdlib.h>
#include <weft/errors.h>

/* Silence of a peer that owes an acknowledgement, and was asked for it more than once. */
#define DEAD_NS UINT64_C(3000000000)
#define DEAD_PROBES 2u
#define IDLE_PING_NS UINT64_C(1000000000)
/* What was accepted before a farewell is seen to for so long; then the farewell is said so often. */
#define LINGER_NS UINT64_C(1000000000)
#define FAREWELLS 4u

static void on_timer(struct weft_timer *timer, void *user);

static uint64_t now_of(const struct weft__path *path)
{
	return weft_worker_now(weft__path_port(path)->worker);
}

static uint64_t later_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t sooner_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- begin ---- */

static void up(struct weft__path *path)
{
	struct weft__path_port *port = weft__path_port(path);
	struct weft_hello hello = *path->hello;
	void *request = path->request;

	path->state = WEFT__PATH_UP;
	free(path->hello);
	path->hello = NULL;
	port->stats.paths++;
	port->device->opts.events->path_up(port->base.user, &path->base, &hello, request);
}

int weft__path_begin(struct weft__path_port *port, struct weft__path *path)
{
	int rc = port->net->driver->route_open(port->net, &path->to, &path->route);

	if (rc < 0)
		return rc;
	weft_net_route_from(path->route, &path->own);
	weft_timer_init(&path->timer, on_timer, path);
	weft__recovery_init(&path->recovery, &port->net->driver->timing, &weft__congestion_cubic,
			    path->route->payload_max, &weft__parcel_events, path);
	path->heard_ns = path->said_ns = path->asked_ns = weft_worker_now(port->worker);
	port->slots[path->id % WEFT__PORT_SLOTS] = path;
	weft_list_push_back(&port->paths, &path->in_port);
	weft__path_schedule(path);
	up(path);
	/* So that the peer hears at once that its answer has come, and both know how long a round trip takes. */
	if (path->state == WEFT__PATH_UP)
		weft__path_ask(path);
	return 0;
}

/* ---- end ---- */

/* Nothing is sent or put together any more; what the layer above has on loan stays. */
static void stop(struct weft__path *path)
{
	struct weft__path_port *port = weft__path_port(path);

	weft_timer_cancel(port->worker, &path->timer);
	weft_list_remove(&path->in_dirty);
	weft__recovery_drop(&path->recovery);
	weft__parcels_drop(path);
	weft__outgoing_drop(path);
	weft__held_drop(path);
	weft__incoming_drop(path, false);
	if (port->ready_path == path)
		port->ready_path = NULL;
	if (port->packet_path == path)
		port->packet_path = NULL;
}

void weft__path_end(struct weft__path *path, enum weft_down_reason reason)
{
	struct weft__path_port *port = weft__path_port(path);

	if (path->state != WEFT__PATH_UP)
		return;
	stop(path);
	path->state = WEFT__PATH_ENDED;
	path->down_reason = (uint8_t)reason;
	weft_list_push_back(&port->ended, &path->in_dirty);
	port->stats.paths--;
}

void weft__path_violation(struct weft__path *path, const char *what)
{
	char text[WEFT_NET_TEXT_MAX];

	if (path->state == WEFT__PATH_ENDED || path->state == WEFT__PATH_PARTING)
		return;
	weft__path_port(path)->net->driver->address_write(&path->route->to, text);
	weft_log(WEFT_LOG_WARN, "path", "peer at %s broke the protocol: %s action the path is closed", text, what);
	weft__path_port(path)->stats.violations++;
	weft__path_say_close(path, WEFT_EPROTO);
	weft__path_end(path, WEFT_DOWN_VIOLATION);
}

void weft__path_closed_by_peer(struct weft__path *path)
{
	if (path->state == WEFT__PATH_PARTING) {
		weft__path_free(path);
		return;
	}
	if (path->state != WEFT__PATH_UP)
		return;
	weft__path_say_close(path, 0); /* so that it need not say it again */
	weft__path_end(path, WEFT_DOWN_CLOSED);
}

void weft__paths_tell(struct weft__path_port *port)
{
	struct weft_list *first;

	while ((first = weft_list_pop_front(&port->ended))) {
		struct weft__path *path = WEFT_CONTAINER_OF(first, struct weft__path, in_dirty);

		port->device->opts.events->path_down(port->base.user, &path->base, path->down_reason);
	}
}

void weft__path_free(struct weft__path *path)
{
	struct weft__path_port *port = weft__path_port(path);

	stop(path);
	weft__incoming_drop(path, true);
	if (path->state == WEFT__PATH_UP)
		port->stats.paths--;
	port->slots[path->id % WEFT__PORT_SLOTS] = NULL;
	weft__device_slot_free(path);
	weft_list_remove(&path->in_port);
	port->net->driver->route_close(&path->route);
	free(path->hello);
	free(path);
}

static bool is_quiet(const struct weft__path *path)
{
	return !path->owing_count && !path->outgoing_count;
}

void weft__path_disconnect(struct weft_path *base)
{
	struct weft__path *path = weft__path_of(base);
	struct weft__path_port *port = weft__path_port(path);

	weft__incoming_drop(path, true);
	weft__held_drop(path);
	if (path->state == WEFT__PATH_ENDED) {
		weft__path_free(path);
		return;
	}
	port->stats.paths--;
	path->state = WEFT__PATH_PARTING;
	path->base.user = NULL;
	path->asked_ns = now_of(path);
	weft_list_remove(&path->in_port);
	weft_list_push_back(&port->parting, &path->in_port);
	weft__path_part(path);
}

/* What was accepted goes out first. Then farewells, until the peer says the same or that is of no use. */
void weft__path_part(struct weft__path *path)
{
	uint64_t now_ns = now_of(path);

	if (!is_quiet(path) && now_ns - path->asked_ns < LINGER_NS) {
		weft__path_dirty(path);
		weft__path_schedule(path);
		return;
	}
	if (path->farewells++ >= FAREWELLS) {
		weft__path_free(path);
		return;
	}
	weft__path_say_close(path, 0);
	path->part_ns = now_ns + weft__recovery_probe_ns(&path->recovery);
	weft__path_schedule(path);
}

/* ---- the timer ---- */

static uint64_t ack_deadline(const struct weft__path *path)
{
	return path->ack_count ? path->ack_since_ns + path->recovery.timing.ack_delay_ns : UINT64_MAX;
}

static uint64_t keep_deadline(const struct weft__path *path)
{
	if (path->state == WEFT__PATH_PARTING)
		return path->farewells ? path->part_ns : path->asked_ns + LINGER_NS;
	return later_of(path->heard_ns, path->said_ns) + IDLE_PING_NS;
}

void weft__path_schedule(struct weft__path *path)
{
	uint64_t deadline_ns = sooner_of(ack_deadline(path), weft__recovery_deadline(&path->recovery));

	if (path->state == WEFT__PATH_ENDED)
		return;
	if (path->pace_at_ns > now_of(path))
		deadline_ns = sooner_of(deadline_ns, path->pace_at_ns);
	deadline_ns = sooner_of(deadline_ns, keep_deadline(path));
	/* One that is due sooner finds out what is left to wait for. */
	if (!weft_timer_is_set(&path->timer) || path->timer.deadline_ns > deadline_ns)
		weft_timer_set(weft__path_port(path)->worker, &path->timer, deadline_ns);
}

/* Whether the peer has been silent for so long, with us listening, that it is gone. */
static bool is_dead(const struct weft__path *path, uint64_t now_ns)
{
	uint64_t since_ns = later_of(later_of(path->heard_ns, path->asked_ns), weft__path_port(path)->awake_ns);

	return path->recovery.probes >= DEAD_PROBES && now_ns - since_ns > DEAD_NS;
}

static void give_up(struct weft__path *path)
{
	char text[WEFT_NET_TEXT_MAX];

	weft__path_port(path)->net->driver->address_write(&path->route->to, text);
	weft_log(WEFT_LOG_INFO, "path",
		 "peer at %s does not answer since_ms %llu probes %u action the path is given up", text,
		 (unsigned long long)(now_of(path) - path->heard_ns) / 1000000, path->recovery.probes);
	if (path->state == WEFT__PATH_PARTING)
		weft__path_free(path);
	else
		weft__path_end(path, WEFT_DOWN_BROKEN);
}

static void ping(struct weft__path *path)
{
	unsigned char *to = weft__path_say(path, WEFT_CLASS_EXPRESS, WEFT__FRAME_HEAD);

	if (to)
		weft__plain_write(to, WEFT__FRAME_PING, 0);
	path->said_ns = now_of(path);
}

static void on_timer(struct weft_timer *timer, void *user)
{
	struct weft__path *path = user;
	uint64_t now_ns = now_of(path), looked_ns = weft__path_port(path)->looked_ns;

	(void)timer;
	if (now_ns >= weft__recovery_deadline(&path->recovery)) {
		if (weft__recovery_due(&path->recovery, now_ns, looked_ns) == WEFT__DUE_PROBE)
			weft__path_probe(path);
		if (is_dead(path, now_ns)) {
			give_up(path);
			return;
		}
	}
	if (now_ns >= ack_deadline(path))
		weft__path_acknowledge(path);
	if (now_ns >= keep_deadline(path)) {
		if (path->state == WEFT__PATH_PARTING) {
			weft__path_part(path);
			return;
		}
		ping(path);
	}
	if (!weft__path_transmit(path))
		weft__path_dirty(path);
}

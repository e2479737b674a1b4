/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parcels: filled, sent as often as it takes, and gone when one of their packets has arrived.
 */
#include "path/path_private.h"

#include <weft/errors.h>

/* A parcel lies in one buffer of the pool, of 2 or 16 KiB. */
#define SMALL_BUFFER_BYTES 2048u
#define LARGE_BUFFER_BYTES 16384u

uint32_t weft__parcel_room(const struct weft__parcel *parcel)
{
	uint32_t room = parcel->path->route->payload_max - WEFT__PACKET_HEAD - WEFT__ACK_MIN;

	if (room > parcel->buf->capacity_bytes)
		room = (uint32_t)parcel->buf->capacity_bytes;
	return room & ~(WEFT__FRAME_ALIGN - 1);
}

/* What recovery remembers of it outlives it: so its place and how often that was used, instead of a pointer. */
void *weft__parcel_name(const struct weft__parcel *parcel)
{
	size_t index = (size_t)(parcel - weft__path_port(parcel->path)->parcels);

	return (void *)(uintptr_t)((index + 1) << 16 | parcel->generation);
}

struct weft__parcel *weft__parcel_of(struct weft__path_port *port, void *name)
{
	struct weft__parcel *parcel = &port->parcels[((uintptr_t)name >> 16) - 1];

	return parcel->generation == ((uintptr_t)name & 0xffff) && parcel->path ? parcel : NULL;
}

struct weft__parcel *weft__parcel_new(struct weft__path *path, enum weft_class class_, uint32_t room_bytes)
{
	struct weft__path_port *port = weft__path_port(path);
	struct weft__parcel *parcel;
	struct weft_buf *buf;

	if (path->parcel_count >= WEFT__PATH_PARCELS || !weft__share_left(path, WEFT__TABLE_PARCELS))
		return NULL;
	if (weft_pool_get(port->pool, room_bytes, &buf) < 0) {
		weft__path_wants_memory(port, room_bytes);
		return NULL;
	}
	parcel = WEFT_CONTAINER_OF(weft_list_pop_front(&port->free_parcels), struct weft__parcel, link);
	*parcel = (struct weft__parcel){.buf = buf,
					.path = path,
					.class_ = (uint8_t)class_,
					.state = WEFT__PARCEL_OPEN,
					.generation = (uint16_t)(parcel->generation + 1)};
	weft_list_init(&parcel->link);
	path->parcel_count++;
	weft__share_count(port, path->source, WEFT__TABLE_PARCELS, 1);
	return parcel;
}

struct weft__parcel *weft__parcel_open(struct weft__path *path, enum weft_class class_)
{
	bool roomy = path->roomy[class_] && path->route->payload_max > SMALL_BUFFER_BYTES;

	path->roomy[class_] = false;
	path->open[class_] = weft__parcel_new(path, class_, roomy ? LARGE_BUFFER_BYTES : SMALL_BUFFER_BYTES);
	return path->open[class_];
}

void weft__parcel_shut(struct weft__path *path, enum weft_class class_)
{
	struct weft__parcel *parcel = path->open[class_];

	if (!parcel)
		return;
	path->open[class_] = NULL;
	parcel->state = WEFT__PARCEL_WAITING;
	weft_list_push_back(&path->waiting[class_], &parcel->link);
}

static void parcel_free(struct weft__parcel *parcel)
{
	struct weft__path_port *port = weft__path_port(parcel->path);

	if (parcel->buf)
		weft_buf_put(parcel->buf);
	if (parcel->owes && !parcel->arrived)
		parcel->path->owing_count--;
	if (parcel->was_sent && !parcel->arrived)
		parcel->path->message_count -= parcel->messages;
	weft_list_remove(&parcel->link);
	parcel->path->parcel_count--;
	weft__share_count(port, parcel->path->source, WEFT__TABLE_PARCELS, -1);
	parcel->path = NULL;
	weft_list_push_back(&port->free_parcels, &parcel->link);
}

void weft__parcels_drop(struct weft__path *path)
{
	struct weft__path_port *port = weft__path_port(path);

	for (unsigned int i = 0; i < WEFT__PORT_PARCELS && path->parcel_count; i++)
		if (port->parcels[i].path == path)
			parcel_free(&port->parcels[i]);
	path->open[WEFT_CLASS_EXPRESS] = path->open[WEFT_CLASS_NORMAL] = NULL;
}

/* ---- what recovery says ---- */

static void arrived(struct weft__parcel *parcel)
{
	struct weft__outgoing *outgoing = parcel->outgoing;

	if (parcel->arrived)
		return;
	parcel->arrived = true;
	parcel->path->owing_count -= parcel->owes;
	parcel->path->message_count -= parcel->messages;
	if (parcel->state == WEFT__PARCEL_WAITING) {
		weft_list_remove(&parcel->link);
		parcel->state = WEFT__PARCEL_FLYING;
	}
	weft_buf_put(parcel->buf);
	parcel->buf = NULL;
	parcel->outgoing = NULL;
	if (outgoing)
		weft__outgoing_arrived(outgoing, parcel->chunk_len_bytes, parcel->tells);
}

static void on_acked(void *user, void *name)
{
	struct weft__path *path = user;
	struct weft__parcel *parcel = weft__parcel_of(weft__path_port(path), name);

	if (!parcel)
		return;
	parcel->packets--;
	arrived(parcel);
	if (!parcel->packets)
		parcel_free(parcel);
}

static void on_lost(void *user, void *name)
{
	struct weft__path *path = user;
	struct weft__path_port *port = weft__path_port(path);
	struct weft__parcel *parcel = weft__parcel_of(port, name);

	if (!parcel)
		return;
	parcel->packets--;
	if (parcel->packets)
		return; /* another packet with it is under way */
	if (parcel->arrived) {
		parcel_free(parcel);
		return;
	}
	if (parcel->state == WEFT__PARCEL_FLYING) {
		parcel->state = WEFT__PARCEL_WAITING;
		weft_list_push_back(&path->again[parcel->class_], &parcel->link);
		port->path_stats.resent++;
		weft__path_dirty(path);
	}
}

static void on_undone(void *user, void *name)
{
	struct weft__path *path = user;
	struct weft__parcel *parcel = weft__parcel_of(weft__path_port(path), name);

	if (!parcel)
		return;
	arrived(parcel);
	if (!parcel->packets)
		parcel_free(parcel);
}

const struct weft__recovery_events weft__parcel_events = {.acked = on_acked, .lost = on_lost, .undone = on_undone};

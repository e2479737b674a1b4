/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small messages that came before their turn: their packet is copied, and they are found by path, stream and number in
 * one table of the port, so that a path on which nothing is lost has no memory for it.
 */
#include "path/path_private.h"

#include <string.h>
#include <weft/hash.h>

static struct weft_list *bucket_of(struct weft__path *path, uint8_t stream, uint32_t sequence)
{
	uint64_t key = (path->id << 8 | stream) << 24 ^ sequence;

	return &weft__path_port(path)->buckets[weft_hash_u64(key) % WEFT__HELD_BUCKETS];
}

static struct weft__held *find(struct weft__path *path, uint8_t stream, uint32_t sequence)
{
	struct weft_list *bucket = bucket_of(path, stream, sequence);

	WEFT_LIST_FOR_EACH(at, bucket) {
		struct weft__held *held = WEFT_CONTAINER_OF(at, struct weft__held, link);

		if (held->path == path && held->stream == stream && held->sequence == sequence)
			return held;
	}
	return NULL;
}

bool weft__held_has(struct weft__path *path, uint8_t stream, uint32_t sequence)
{
	return path->held_count && find(path, stream, sequence);
}

/* A copy of a packet: it counts for its source while a message of it is held. */
struct copy {
	uint32_t held_count;
	uint32_t counts_bytes;
	_Alignas(8) unsigned char packet[];
};

static struct copy *copy_in(const struct weft_buf *buf)
{
	return (struct copy *)(void *)buf->data;
}

/* The packet that is being read, once for all of its messages. */
static bool copy_packet(struct weft__path *path)
{
	struct weft__path_port *port = weft__path_port(path);
	const struct weft_net_rx *packet = &port->packets[port->packet_at];
	uint32_t len_bytes = (uint32_t)sizeof(struct copy) + packet->len_bytes;
	struct copy *copy;

	if (port->packet_copy)
		return true;
	if (port->loan_quota_bytes && path->source->bytes + len_bytes > 2 * port->loan_quota_bytes)
		return false;
	if (weft_pool_get(port->pool, len_bytes, &port->packet_copy) < 0) {
		port->packet_copy = NULL;
		weft__path_wants_memory(port, len_bytes);
		return false;
	}
	copy = copy_in(port->packet_copy);
	*copy = (struct copy){.counts_bytes = len_bytes};
	memcpy(copy->packet, packet->data, packet->len_bytes);
	return true;
}

static void hold(struct weft_buf *buf, struct weft__source *source)
{
	weft_buf_ref(buf);
	if (!copy_in(buf)->held_count++)
		source->bytes += copy_in(buf)->counts_bytes;
}

static void let_go(struct weft_buf *buf, struct weft__source *source)
{
	if (!--copy_in(buf)->held_count)
		source->bytes -= copy_in(buf)->counts_bytes;
	weft_buf_put(buf);
}

/* There is one: the table's share counts all, also those that are spent. */
static struct weft__held *held_new(struct weft__path_port *port)
{
	struct weft_list *first = weft_list_pop_front(&port->free_held);

	return first ? WEFT_CONTAINER_OF(first, struct weft__held, link) : &port->held[port->held_made++];
}

bool weft__held_keep(struct weft__path *path, const struct weft__frame *frame)
{
	struct weft__path_port *port = weft__path_port(path);
	const struct weft_net_rx *packet = &port->packets[port->packet_at];
	struct weft__held *held;
	struct weft_buf *buf;

	if (path->held_count >= WEFT__PATH_HELD || !weft__share_left(path, WEFT__TABLE_HELD) || !copy_packet(path))
		return false;
	held = held_new(port);
	buf = port->packet_copy;
	hold(buf, path->source);
	*held = (struct weft__held){.path = path,
				    .source = path->source,
				    .buf = buf,
				    .data = copy_in(buf)->packet + (frame->data - (const unsigned char *)packet->data),
				    .meta = frame->meta,
				    .sequence = frame->sequence,
				    .len_bytes = frame->len_bytes,
				    .stream = frame->stream};
	weft_list_push_back(bucket_of(path, frame->stream, frame->sequence), &held->link);
	weft_list_push_back(&path->held, &held->in_path);
	path->held_count++;
	weft__share_count(port, path->source, WEFT__TABLE_HELD, 1);
	path->held_streams[frame->stream / 64] |= UINT64_C(1) << frame->stream % 64;
	port->path_stats.held++;
	return true;
}

struct weft__held *weft__held_take(struct weft__path *path, uint8_t stream, uint32_t sequence)
{
	struct weft__path_port *port = weft__path_port(path);
	struct weft__held *held = path->held_count ? find(path, stream, sequence) : NULL;

	if (!held)
		return NULL;
	weft_list_remove(&held->link);
	weft_list_remove(&held->in_path);
	path->held_count--;
	weft_list_push_back(&port->spent, &held->link);
	return held;
}

void weft__held_free(struct weft__path_port *port, struct weft__held *held)
{
	let_go(held->buf, held->source);
	weft__share_count(port, held->source, WEFT__TABLE_HELD, -1);
	held->path = NULL;
	weft_list_remove(&held->link);
	weft_list_push_back(&port->free_held, &held->link);
}

void weft__held_drop(struct weft__path *path)
{
	WEFT_LIST_FOR_EACH(at, &path->held) {
		struct weft__held *held = WEFT_CONTAINER_OF(at, struct weft__held, in_path);

		weft_list_remove(&held->in_path);
		weft__held_free(weft__path_port(path), held);
	}
	path->held_count = 0;
}

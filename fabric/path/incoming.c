/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large messages on their way in: chunks are copied to wherever they belong in a buffer (room.c).
 */
#include "path/path_private.h"

#include <string.h>
#include <weft/assert.h>
#include <weft/errors.h>

#define WINDOW_BITS (WEFT__WINDOW_BYTES / WEFT__GRAIN_BYTES)

static struct weft__incoming *find(struct weft__path *path, uint8_t stream, uint32_t sequence)
{
	WEFT_LIST_FOR_EACH(at, &path->incoming) {
		struct weft__incoming *incoming = WEFT_CONTAINER_OF(at, struct weft__incoming, link);

		if (!incoming->lent && incoming->stream == stream && incoming->sequence == sequence)
			return incoming;
	}
	return NULL;
}

static struct weft__incoming *begin(struct weft__path *path, const struct weft__frame *frame)
{
	struct weft__path_port *port = weft__path_port(path);
	uint64_t first_bytes = frame->total_bytes < WEFT__UNSCHEDULED_BYTES ? frame->total_bytes
									    : WEFT__UNSCHEDULED_BYTES;
	struct weft__incoming *incoming;

	if (path->incoming_count >= WEFT__PATH_INCOMING || !weft__share_left(path, WEFT__TABLE_INCOMING))
		return NULL;
	incoming = WEFT_CONTAINER_OF(weft_list_pop_front(&port->free_incoming), struct weft__incoming, link);
	*incoming = (struct weft__incoming){.path = path,
					    .total_bytes = frame->total_bytes,
					    .granted_bytes = first_bytes,
					    .number = port->begun++,
					    .sequence = frame->sequence,
					    .stream = frame->stream};
	weft_list_push_back(&path->incoming, &incoming->link);
	path->incoming_count++;
	weft__share_count(port, path->source, WEFT__TABLE_INCOMING, 1);
	weft_list_push_back(&port->receiving, &incoming->in_receiving);
	(void)weft__room_for_all(incoming);
	weft__budget_expect(incoming, first_bytes);
	weft__budget_tell(path);
	port->grants_due |= first_bytes < incoming->total_bytes;
	return incoming;
}

static bool is_whole(const struct weft__incoming *incoming)
{
	return incoming->has_head && incoming->base_bytes >= incoming->total_bytes;
}

/* It is all there, or nobody wants it any more. */
static void settle(struct weft__incoming *incoming)
{
	if (weft_list_empty(&incoming->in_receiving))
		return;
	weft__budget_forget(incoming);
	weft_list_remove(&incoming->in_receiving);
	weft__room_is_whole(incoming);
}

/* Marks the grains of a chunk, and moves the base over what is there without a gap. */
static void mark(struct weft__incoming *incoming, uint64_t offset_bytes, uint32_t len_bytes)
{
	uint64_t *bits = incoming->window->bits;
	uint64_t end = (offset_bytes + len_bytes + WEFT__GRAIN_BYTES - 1) / WEFT__GRAIN_BYTES;
	uint64_t last = (incoming->total_bytes + WEFT__GRAIN_BYTES - 1) / WEFT__GRAIN_BYTES;
	uint64_t base = incoming->base_bytes / WEFT__GRAIN_BYTES, new_grains = 0;

	for (uint64_t at = offset_bytes / WEFT__GRAIN_BYTES; at < end; at++) {
		uint64_t bit = UINT64_C(1) << at % 64;

		if (at < base || bits[at % WINDOW_BITS / 64] & bit)
			continue;
		bits[at % WINDOW_BITS / 64] |= bit;
		new_grains++;
	}
	weft__budget_come(incoming, new_grains * WEFT__GRAIN_BYTES);
	while (base < last && bits[base % WINDOW_BITS / 64] >> base % 64 & 1) {
		bits[base % WINDOW_BITS / 64] &= ~(UINT64_C(1) << base % 64);
		base++;
	}
	incoming->base_bytes = base * WEFT__GRAIN_BYTES;
}

static int take_chunk(struct weft__incoming *incoming, const struct weft__frame *frame)
{
	struct weft__path_port *port = weft__path_port(incoming->path);
	uint64_t end = frame->offset_bytes + frame->len_bytes;

	if (frame->total_bytes != incoming->total_bytes || frame->offset_bytes % WEFT__GRAIN_BYTES ||
	    end < frame->offset_bytes || end > incoming->granted_bytes || !frame->len_bytes ||
	    (frame->len_bytes % WEFT__GRAIN_BYTES && end != incoming->total_bytes)) {
		weft__path_violation(incoming->path, "a chunk beyond its message or its grant, or of half a grain");
		return -WEFT_EPROTO;
	}
	if (end <= incoming->base_bytes)
		return 1; /* it came before */
	if (!weft__room_for_first(incoming))
		return 0;
	memcpy(incoming->buf->data + frame->offset_bytes, frame->data, frame->len_bytes);
	port->stats.copies++;
	port->stats.copied_bytes += frame->len_bytes;
	mark(incoming, frame->offset_bytes, frame->len_bytes);
	port->grants_due = true;
	return 1;
}

static int take_head(struct weft__incoming *incoming, const struct weft__frame *frame)
{
	if (frame->total_bytes != incoming->total_bytes || frame->len_bytes > WEFT__HEAD_BESIDE_MAX) {
		weft__path_violation(incoming->path, "a large message that contradicts itself");
		return -WEFT_EPROTO;
	}
	incoming->has_head = true;
	incoming->meta = frame->meta;
	incoming->head_len_bytes = frame->len_bytes;
	memcpy(incoming->head, frame->data, frame->len_bytes);
	return 1;
}

/* The sender's allowance did not reach as far as we thought: it waits for a word. */
static void want(struct weft__incoming *incoming, const struct weft__frame *frame)
{
	struct weft__path_port *port = weft__path_port(incoming->path);
	uint64_t end = frame->offset_bytes + frame->len_bytes;

	if (frame->kind == WEFT__FRAME_LARGE)
		end = 0;
	if (end >= incoming->told_bytes || incoming->told_bytes > incoming->granted_bytes || incoming->wanted)
		return;
	incoming->wanted = true;
	weft__budget_expect(incoming, end > incoming->come_bytes ? end : incoming->come_bytes);
	port->grants_due = true;
}

int weft__incoming_take(struct weft__path *path, const struct weft__frame *frame)
{
	struct weft__incoming *incoming = find(path, frame->stream, frame->sequence);
	int rc;

	if (frame->total_bytes > WEFT__LARGE_MAX_BYTES) {
		weft__path_violation(path, "a message longer than any may be");
		return -WEFT_EPROTO;
	}
	if (!incoming)
		incoming = begin(path, frame);
	if (!incoming)
		return 0;
	if (is_whole(incoming))
		return 1; /* it came before */
	if (frame->wants)
		want(incoming, frame);
	rc = frame->kind == WEFT__FRAME_CHUNK ? take_chunk(incoming, frame) : take_head(incoming, frame);
	if (rc == 1 && is_whole(incoming)) {
		settle(incoming);
		weft__path_port(path)->grants_due = true;
		path->held_streams[frame->stream / 64] |= UINT64_C(1) << frame->stream % 64;
	}
	return rc;
}

struct weft__incoming *weft__incoming_whole(struct weft__path *path, uint8_t stream, uint32_t sequence)
{
	struct weft__incoming *incoming = find(path, stream, sequence);

	return incoming && is_whole(incoming) ? incoming : NULL;
}

/* ---- to the layer above, and back ---- */

void weft__incoming_lend(struct weft__incoming *incoming, struct weft_rx_frame *frame)
{
	struct weft__path_port *port = weft__path_port(incoming->path);

	incoming->lent = true;
	*frame = (struct weft_rx_frame){
		.path = &incoming->path->base,
		.meta = incoming->meta,
		.data = incoming->head,
		.len_bytes = incoming->head_len_bytes,
		.loan_id = (uint32_t)(incoming - port->incoming),
		.loan_data = incoming->buf->data,
		.loan_len_bytes = incoming->total_bytes,
	};
	port->stats.rx_frames++;
	port->stats.rx_loans++;
}

static void incoming_free(struct weft__incoming *incoming)
{
	struct weft__path *path = incoming->path;
	struct weft__path_port *port = weft__path_port(path);

	settle(incoming);
	weft__room_give_back(incoming);
	path->incoming_count--;
	weft__share_count(port, path->source, WEFT__TABLE_INCOMING, -1);
	incoming->path = NULL;
	weft_list_remove(&incoming->link);
	weft_list_push_back(&port->free_incoming, &incoming->link);
}

void weft__incoming_release(struct weft_path *base, uint32_t loan_id)
{
	struct weft__path *path = weft__path_of(base);
	struct weft__incoming *incoming = &weft__path_port(path)->incoming[loan_id];

	WEFT_ASSERT(loan_id < WEFT__PORT_INCOMING && incoming->path == path && incoming->lent);
	incoming_free(incoming);
}

void weft__incoming_drop(struct weft__path *path, bool all)
{
	WEFT_LIST_FOR_EACH(at, &path->incoming) {
		struct weft__incoming *incoming = WEFT_CONTAINER_OF(at, struct weft__incoming, link);

		if (all || !incoming->lent)
			incoming_free(incoming);
	}
}

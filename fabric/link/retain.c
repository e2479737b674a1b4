/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames one behind the other in buffers of the pool, each buffer freed when all in it is confirmed.
 */
#include "link/retain.h"

#include "node/node_private.h"
#include "wire/meta.h"

#include <string.h>
#include <weft/assert.h>
#include <weft/errors.h>

#define FIRST_PIECE_BYTES 2048u
#define PIECE_BYTES 16384u
#define ALIGN 8u

/* At the head of its own buffer. */
struct weft__retained_piece {
	struct weft_list link;
	struct weft_buf *buf;
	uint32_t first, end; /* entries from first to end, in bytes from here */
};

/* A frame; the bytes of its head and data lie behind it. */
struct entry {
	uint64_t meta;
	struct weft_buf *loan;
	uint64_t loan_offset_bytes, loan_len_bytes;
	uint32_t head_len_bytes, data_len_bytes;
};

static uint32_t entry_bytes(uint32_t head_len_bytes, uint32_t data_len_bytes)
{
	return (uint32_t)(sizeof(struct entry) + head_len_bytes + data_len_bytes + ALIGN - 1) & ~(ALIGN - 1);
}

static struct entry *entry_at(struct weft__retained_piece *piece, uint32_t at)
{
	return (struct entry *)(void *)((char *)piece + at);
}

static struct weft__retained_piece *piece_of(struct weft_list *link)
{
	return WEFT_CONTAINER_OF(link, struct weft__retained_piece, link);
}

static struct weft__retained_piece *last_piece(struct weft__retained *retained)
{
	return weft_list_empty(&retained->pieces) ? NULL : piece_of(retained->pieces.prev);
}

void weft__retained_init(struct weft__retained *retained)
{
	weft_list_init(&retained->pieces);
	retained->again = NULL;
}

int weft__retain_room(struct weft__station *station, struct weft__retained *retained, const struct weft_tx_frame *frame)
{
	uint32_t len_bytes = entry_bytes(frame->head_len_bytes, frame->data_len_bytes);
	struct weft__retained_piece *piece = last_piece(retained);
	uint32_t wanted = piece ? PIECE_BYTES : FIRST_PIECE_BYTES;
	struct weft_buf *buf;
	int rc;

	if (piece && piece->end + len_bytes <= piece->buf->capacity_bytes)
		return 0;
	WEFT_ASSERT(sizeof *piece + len_bytes <= PIECE_BYTES);
	if (sizeof *piece + len_bytes > wanted)
		wanted = PIECE_BYTES;
	rc = weft_pool_get(station->pool, wanted, &buf);
	if (rc == -WEFT_EAGAIN)
		rc = weft__station_grow(station, wanted);
	if (rc < 0)
		return rc;
	piece = (struct weft__retained_piece *)(void *)buf->data;
	piece->buf = buf;
	piece->first = piece->end = (uint32_t)(sizeof *piece + ALIGN - 1) & ~(ALIGN - 1);
	weft_list_init(&piece->link);
	weft_list_push_back(&retained->pieces, &piece->link);
	return 0;
}

void weft__retain(struct weft__retained *retained, const struct weft_tx_frame *frame)
{
	struct weft__retained_piece *piece = last_piece(retained);
	struct entry *entry = entry_at(piece, piece->end);
	char *to = (char *)(entry + 1);

	*entry = (struct entry){
		.meta = frame->meta,
		.loan = frame->loan,
		.loan_offset_bytes = frame->loan_offset_bytes,
		.loan_len_bytes = frame->loan_len_bytes,
		.head_len_bytes = frame->head_len_bytes,
		.data_len_bytes = frame->data_len_bytes,
	};
	if (frame->loan)
		weft_buf_ref(frame->loan);
	if (frame->head_len_bytes)
		memcpy(to, frame->head, frame->head_len_bytes);
	if (frame->data_len_bytes)
		memcpy(to + frame->head_len_bytes, frame->data, frame->data_len_bytes);
	piece->end += entry_bytes(frame->head_len_bytes, frame->data_len_bytes);
}

static void stand_at(struct weft__retained *retained, struct weft_list *link)
{
	retained->again = link == &retained->pieces ? NULL : piece_of(link);
	retained->again_at = retained->again ? retained->again->first : 0;
}

static void piece_free(struct weft__retained *retained, struct weft__retained_piece *piece)
{
	if (retained->again == piece)
		stand_at(retained, piece->link.next);
	weft_list_remove(&piece->link);
	weft_buf_put(piece->buf);
}

/* The first entry of a piece is not needed any more. */
static void drop_first(struct weft__retained_piece *piece)
{
	struct entry *entry = entry_at(piece, piece->first);

	if (entry->loan)
		weft_buf_put(entry->loan);
	piece->first += entry_bytes(entry->head_len_bytes, entry->data_len_bytes);
}

void weft__retained_confirm(struct weft__retained *retained, uint32_t sequence)
{
	while (!weft_list_empty(&retained->pieces)) {
		struct weft__retained_piece *piece = piece_of(retained->pieces.next);

		while (piece->first < piece->end &&
		       (int32_t)(weft__meta_sequence(entry_at(piece, piece->first)->meta) - sequence) < 0)
			drop_first(piece);
		if (retained->again == piece && retained->again_at < piece->first)
			retained->again_at = piece->first;
		if (piece->first < piece->end)
			return;
		piece_free(retained, piece);
	}
}

void weft__retained_drop(struct weft__retained *retained)
{
	while (!weft_list_empty(&retained->pieces)) {
		struct weft__retained_piece *piece = piece_of(retained->pieces.next);

		while (piece->first < piece->end)
			drop_first(piece);
		piece_free(retained, piece);
	}
}

/* ---- sending anew ---- */

void weft__retained_rewind(struct weft__retained *retained)
{
	stand_at(retained, retained->pieces.next);
}

bool weft__retained_next(const struct weft__retained *retained, struct weft_tx_frame *out)
{
	const struct entry *entry;
	const char *bytes;

	if (!retained->again || retained->again_at == retained->again->end)
		return false;
	entry = entry_at(retained->again, retained->again_at);
	bytes = (const char *)(entry + 1);
	*out = (struct weft_tx_frame){
		.meta = entry->meta,
		.head = bytes,
		.data = bytes + entry->head_len_bytes,
		.head_len_bytes = entry->head_len_bytes,
		.data_len_bytes = entry->data_len_bytes,
		.loan = entry->loan,
		.loan_offset_bytes = entry->loan_offset_bytes,
		.loan_len_bytes = entry->loan_len_bytes,
	};
	return true;
}

void weft__retained_sent(struct weft__retained *retained)
{
	struct weft__retained_piece *piece = retained->again;
	const struct entry *entry = entry_at(piece, retained->again_at);

	retained->again_at += entry_bytes(entry->head_len_bytes, entry->data_len_bytes);
	if (retained->again_at == piece->end)
		stand_at(retained, piece->link.next);
}

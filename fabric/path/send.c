/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of the layer above: small ones are copied into parcels, large ones begin to go out.
 */
#include "path/path_private.h"

#include <string.h>
#include <weft/errors.h>

/* Room for a frame in the open parcel of its class, padded; NULL: full. */
static unsigned char *frame_room(struct weft__path *path, enum weft_class class_, uint32_t len_bytes)
{
	struct weft__parcel *parcel = path->open[class_];
	uint32_t padded = weft__frame_padded(len_bytes);
	unsigned char *to;

	if (parcel && parcel->len_bytes + padded > weft__parcel_room(parcel)) {
		path->roomy[class_] = true;
		weft__parcel_shut(path, class_);
		parcel = NULL;
	}
	if (!parcel && !(parcel = weft__parcel_open(path, class_)))
		return NULL;
	to = (unsigned char *)parcel->buf->data + parcel->len_bytes;
	memset(to + padded - WEFT__FRAME_ALIGN, 0, WEFT__FRAME_ALIGN);
	parcel->len_bytes += padded;
	return to;
}

unsigned char *weft__path_say(struct weft__path *path, enum weft_class class_, uint32_t len_bytes)
{
	unsigned char *to = frame_room(path, class_, len_bytes);

	if (to)
		weft__path_dirty(path);
	return to;
}

/* What others follow waits for them, or for the end of the turn, and shares packets with them. */
static void send_soon(struct weft__path *path, unsigned int flags)
{
	if (flags & WEFT_TX_MORE || !weft__path_transmit(path))
		weft__path_dirty(path);
}

/* Puts a small frame in two pieces into a parcel: 0, -WEFT_EAGAIN. */
static int put_message(struct weft__path *path, enum weft_class class_, uint64_t meta, const void *head,
		       uint32_t head_len, const void *data, uint32_t data_len)
{
	struct weft__path_port *port = weft__path_port(path);
	uint8_t stream = port->stream_of(meta, class_);
	unsigned char *to;

	if (path->state != WEFT__PATH_UP ||
	    (stream >= WEFT__STREAM_ALONE && (path->parcel_count || path->outgoing_count)))
		return -WEFT_EAGAIN;
	to = frame_room(path, class_, WEFT__MESSAGE_HEAD + head_len + data_len);
	if (!to) {
		port->stats.full++;
		return -WEFT_EAGAIN;
	}
	weft__parcel_owes(path->open[class_]);
	path->open[class_]->messages++;
	weft__message_write(to, class_, stream, path->tx_next[stream]++, meta, head_len + data_len);
	if (head_len)
		memcpy(to + WEFT__MESSAGE_HEAD, head, head_len);
	if (data_len)
		memcpy(to + WEFT__MESSAGE_HEAD + head_len, data, data_len);
	port->stats.tx_frames++;
	port->stats.tx_inline_bytes += head_len + data_len;
	port->stats.copies++;
	port->stats.copied_bytes += head_len + data_len;
	return 0;
}

int weft__path_send(struct weft_path *base, enum weft_class class_, uint64_t meta, const void *data, uint32_t len_bytes,
		    unsigned int flags)
{
	struct weft__path *path = weft__path_of(base);
	int rc;

	if (len_bytes > WEFT__INLINE_MAX)
		return -WEFT_EMSGSIZE;
	rc = put_message(path, class_, meta, NULL, 0, data, len_bytes);
	if (rc == 0)
		send_soon(path, flags);
	return rc;
}

static int put_frame(struct weft__path *path, enum weft_class class_, const struct weft_tx_frame *frame)
{
	if (frame->loan)
		return weft__outgoing_start(path, class_, frame);
	if ((uint64_t)frame->head_len_bytes + frame->data_len_bytes > WEFT__INLINE_MAX)
		return -WEFT_EMSGSIZE;
	return put_message(path, class_, frame->meta, frame->head, frame->head_len_bytes, frame->data,
			   frame->data_len_bytes);
}

unsigned int weft__path_tx(struct weft_path *base, enum weft_class class_, const struct weft_tx_frame *frames,
			   unsigned int count, unsigned int flags, int *why)
{
	struct weft__path *path = weft__path_of(base);
	unsigned int taken = 0;
	int rc = 0;

	while (taken < count && (rc = put_frame(path, class_, &frames[taken])) == 0)
		taken++;
	if (why)
		*why = rc;
	if (taken)
		send_soon(path, flags);
	return taken;
}

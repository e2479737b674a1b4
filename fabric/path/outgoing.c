/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large messages on their way out. They are sent from the buffer that was lent, chunk by chunk: the first ones at once,
 * as far as the path's allowance goes, the others as the receiver grants them. Within a class they take turns (deficit
 * round robin, Shreedhar and Varghese 1995).
 */
#include "path/path_private.h"

#include <string.h>
#include <weft/errors.h>

#define QUANTUM_BYTES 16384u

static bool has_work(const struct weft__outgoing *outgoing)
{
	return !outgoing->told || outgoing->sent_bytes < outgoing->granted_bytes;
}

/* What goes without being granted, as far as the path's allowance reaches. */
static void take_allowance(struct weft__outgoing *outgoing)
{
	struct weft__path *path = outgoing->path;
	uint32_t left_bytes = path->unscheduled_bytes < path->allowance_bytes
				      ? (path->allowance_bytes - path->unscheduled_bytes) & ~(WEFT__GRAIN_BYTES - 1)
				      : 0;

	outgoing->unscheduled_bytes = outgoing->total_bytes < left_bytes ? (uint32_t)outgoing->total_bytes : left_bytes;
	outgoing->granted_bytes = outgoing->unscheduled_bytes;
	path->unscheduled_bytes += outgoing->unscheduled_bytes;
}

static void join_turns(struct weft__outgoing *outgoing)
{
	if (weft_list_empty(&outgoing->link) && has_work(outgoing)) {
		outgoing->deficit_bytes = 0;
		weft_list_push_back(&outgoing->path->large[outgoing->class_], &outgoing->link);
		weft__path_dirty(outgoing->path);
	}
}

/* The receiver puts so many together at a time: the others wait here for their turn. */
static void begin_next(struct weft__path *path)
{
	for (unsigned int class_ = 0; class_ < WEFT_CLASS_COUNT; class_++)
		while (path->told_count < WEFT__PATH_WINDOWS && !weft_list_empty(&path->untold[class_])) {
			struct weft__outgoing *outgoing = WEFT_CONTAINER_OF(weft_list_pop_front(&path->untold[class_]),
									    struct weft__outgoing, link);

			path->told_count++;
			outgoing->begun = true;
			take_allowance(outgoing);
			join_turns(outgoing);
		}
}

int weft__outgoing_start(struct weft__path *path, enum weft_class class_, const struct weft_tx_frame *frame)
{
	struct weft__path_port *port = weft__path_port(path);
	uint8_t stream = port->stream_of(frame->meta, class_);
	uint64_t total_bytes = frame->loan_len_bytes;
	struct weft__outgoing *outgoing;

	if (frame->head_len_bytes > WEFT__HEAD_BESIDE_MAX)
		return -WEFT_EMSGSIZE;
	if (path->state != WEFT__PATH_UP)
		return -WEFT_EAGAIN;
	if (path->outgoing_count >= WEFT__PATH_OUTGOING || !weft__share_left(path, WEFT__TABLE_OUTGOING) ||
	    port->home_count >= WEFT__PORT_OUTGOING) {
		port->stats.full++;
		return -WEFT_EAGAIN;
	}
	outgoing = WEFT_CONTAINER_OF(weft_list_pop_front(&port->free_outgoing), struct weft__outgoing, link);
	*outgoing = (struct weft__outgoing){
		.path = path,
		.buf = frame->loan,
		.offset_bytes = frame->loan_offset_bytes,
		.total_bytes = total_bytes,
		.cookie = frame->cookie,
		.sequence = path->tx_next[stream]++,
		.stream = stream,
		.class_ = (uint8_t)class_,
		.meta = frame->meta,
		.head_len_bytes = frame->head_len_bytes,
	};
	if (frame->head_len_bytes)
		memcpy(outgoing->head, frame->head, frame->head_len_bytes);
	weft_buf_ref(outgoing->buf);
	weft_list_push_back(&path->untold[class_], &outgoing->link);
	weft_list_push_back(&path->outgoing, &outgoing->in_path);
	path->outgoing_count++;
	weft__share_count(port, path->source, WEFT__TABLE_OUTGOING, 1);
	port->stats.tx_frames++;
	port->stats.tx_loans++;
	port->stats.loan_bytes += total_bytes;
	port->stats.loans_out++;
	begin_next(path);
	return 0;
}

static void outgoing_free(struct weft__outgoing *outgoing)
{
	struct weft__path *path = outgoing->path;
	struct weft__path_port *port = weft__path_port(path);

	weft_buf_put(outgoing->buf);
	if (outgoing->cookie)
		port->homes[(port->home_first + port->home_count++) % (2 * WEFT__PORT_OUTGOING)] = outgoing->cookie;
	path->unscheduled_bytes -= outgoing->unscheduled_bytes;
	path->outgoing_count--;
	weft__share_count(port, path->source, WEFT__TABLE_OUTGOING, -1);
	path->told_count -= outgoing->begun;
	port->stats.loans_out--;
	weft_list_remove(&outgoing->link);
	weft_list_remove(&outgoing->in_path);
	weft_list_push_back(&port->free_outgoing, &outgoing->link);
}

void weft__outgoing_arrived(struct weft__outgoing *outgoing, uint32_t len_bytes, bool head)
{
	struct weft__path *path = outgoing->path;

	outgoing->arrived_bytes += len_bytes;
	outgoing->head_arrived |= head;
	if (!outgoing->head_arrived || outgoing->arrived_bytes != outgoing->total_bytes)
		return;
	outgoing_free(outgoing);
	begin_next(path);
}

void weft__outgoing_granted(struct weft__path *path, const struct weft__frame *frame)
{
	WEFT_LIST_FOR_EACH(at, &path->outgoing) {
		struct weft__outgoing *outgoing = WEFT_CONTAINER_OF(at, struct weft__outgoing, in_path);

		if (outgoing->stream != frame->stream || outgoing->sequence != frame->sequence)
			continue;
		if (frame->offset_bytes > outgoing->total_bytes ||
		    (frame->offset_bytes % WEFT__GRAIN_BYTES && frame->offset_bytes != outgoing->total_bytes)) {
			weft__path_violation(path, "a grant beyond the end of a message, or of half a grain");
			return;
		}
		if (frame->offset_bytes > outgoing->granted_bytes)
			outgoing->granted_bytes = frame->offset_bytes;
		join_turns(outgoing);
		return;
	}
	/* else it has arrived meanwhile: the grant was repeated */
}

void weft__outgoing_allowed(struct weft__path *path, const struct weft__frame *frame)
{
	if (frame->offset_bytes > WEFT__UNSCHEDULED_BYTES) {
		weft__path_violation(path, "an allowance beyond the largest");
		return;
	}
	if ((int32_t)(frame->sequence - path->allow_heard) <= 0)
		return;
	path->allow_heard = frame->sequence;
	path->allowance_bytes = (uint32_t)frame->offset_bytes;
}

bool weft__outgoing_ready(const struct weft__path *path, enum weft_class class_)
{
	return !weft_list_empty(&path->large[class_]);
}

/* How much of it fits behind the heads of a parcel. */
static uint32_t chunk_len(const struct weft__outgoing *outgoing, uint32_t heads_bytes)
{
	uint32_t room = outgoing->path->route->payload_max - WEFT__PACKET_HEAD - WEFT__ACK_MIN - heads_bytes;
	uint64_t left = outgoing->granted_bytes - outgoing->sent_bytes;

	return left <= room ? (uint32_t)left : room & ~(WEFT__GRAIN_BYTES - 1);
}

static void take_turns(struct weft__outgoing *outgoing, uint32_t len_bytes)
{
	outgoing->deficit_bytes = outgoing->deficit_bytes ? outgoing->deficit_bytes : QUANTUM_BYTES;
	outgoing->deficit_bytes = outgoing->deficit_bytes > len_bytes ? outgoing->deficit_bytes - len_bytes : 0;
	if (has_work(outgoing) && outgoing->deficit_bytes)
		return;
	weft_list_remove(&outgoing->link);
	join_turns(outgoing);
}

struct weft__parcel *weft__outgoing_next(struct weft__path *path, enum weft_class class_)
{
	struct weft__outgoing *outgoing = WEFT_CONTAINER_OF(path->large[class_].next, struct weft__outgoing, link);
	uint32_t told_bytes = WEFT__LARGE_HEAD + WEFT__HEAD_BESIDE_MAX;
	struct weft__parcel *parcel = weft__parcel_new(path, class_, told_bytes + WEFT__CHUNK_HEAD);
	uint32_t heads_bytes = outgoing->told ? 0 : weft__frame_padded(WEFT__LARGE_HEAD + outgoing->head_len_bytes);
	uint64_t end_bytes;
	unsigned char *to;
	bool wants;

	if (!parcel)
		return NULL;
	to = (unsigned char *)parcel->buf->data;
	parcel->outgoing = outgoing;
	weft__parcel_owes(parcel);
	if (outgoing->sent_bytes < outgoing->granted_bytes)
		parcel->chunk_len_bytes = chunk_len(outgoing, heads_bytes + WEFT__CHUNK_HEAD);
	end_bytes = outgoing->sent_bytes + parcel->chunk_len_bytes;
	wants = end_bytes == outgoing->granted_bytes && end_bytes < outgoing->total_bytes;
	if (!outgoing->told) {
		weft__large_write(to, class_, outgoing->stream, outgoing->sequence, outgoing->meta,
				  outgoing->total_bytes, outgoing->head_len_bytes, wants && !parcel->chunk_len_bytes);
		memset(to + WEFT__LARGE_HEAD, 0, WEFT__HEAD_BESIDE_MAX);
		memcpy(to + WEFT__LARGE_HEAD, outgoing->head, outgoing->head_len_bytes);
		parcel->len_bytes = heads_bytes;
		parcel->tells = outgoing->told = true;
	}
	if (parcel->chunk_len_bytes) {
		parcel->chunk_offset = outgoing->sent_bytes;
		weft__chunk_write(to + parcel->len_bytes, outgoing->stream, outgoing->sequence, outgoing->total_bytes,
				  parcel->chunk_offset, parcel->chunk_len_bytes, wants);
		parcel->len_bytes += WEFT__CHUNK_HEAD;
		outgoing->sent_bytes = end_bytes;
	}
	take_turns(outgoing, parcel->chunk_len_bytes);
	return parcel;
}

void weft__outgoing_drop(struct weft__path *path)
{
	WEFT_LIST_FOR_EACH(at, &path->outgoing)
		outgoing_free(WEFT_CONTAINER_OF(at, struct weft__outgoing, in_path));
}

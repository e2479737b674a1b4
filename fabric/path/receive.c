/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets in. Small messages whose turn it is go up from where they lie in the packet; what came too early is kept; and
 * a packet of which something found no room is not acknowledged, so that it comes again.
 */
#include "path/path_private.h"

#include <string.h>
#include <weft/errors.h>

/* Nobody who keeps to his window is further ahead than this. */
#define AHEAD_MAX (UINT32_C(1) << 20)
#define ACK_PACKETS 16u
#define GAP_PACKETS 3u /* RFC 9002, section 6.1.1 */
/* A port that was not looked at for so long has not heard its peers, whoever was to blame. A worker that sleeps looks once
 * in a second at the least, for the timers of its paths. */
#define STOOD_STILL_NS UINT64_C(1500000000)

static void hand_up(struct weft__path *path, uint64_t meta, const void *data, uint32_t len_bytes,
		    struct weft_rx_frame *frame)
{
	struct weft__path_port *port = weft__path_port(path);

	*frame = (struct weft_rx_frame){.path = &path->base, .meta = meta, .data = data, .len_bytes = len_bytes};
	port->stats.rx_frames++;
	port->stats.rx_inline_bytes += len_bytes;
}

static void look_for_more(struct weft__path *path, uint8_t stream)
{
	struct weft__path_port *port = weft__path_port(path);

	if (path->held_streams[stream / 64] >> stream % 64 & 1) {
		port->ready_path = path;
		port->ready_stream = stream;
	}
}

/* The next message of the ready stream that is there already; false: there is none. With frame NULL it stays. */
static bool take_ready(struct weft__path_port *port, struct weft_rx_frame *frame)
{
	struct weft__path *path = port->ready_path;
	uint8_t stream = port->ready_stream;
	uint32_t next = path->rx_next[stream];
	struct weft__incoming *incoming = weft__incoming_whole(path, stream, next);
	struct weft__held *held;

	if (!frame && (incoming || weft__held_has(path, stream, next)))
		return true;
	held = incoming ? NULL : weft__held_take(path, stream, next);
	if (incoming)
		weft__incoming_lend(incoming, frame);
	else if (held)
		hand_up(path, held->meta, held->data, held->len_bytes, frame);
	if (incoming || held) {
		path->rx_next[stream]++;
		return true;
	}
	port->ready_path = NULL;
	if (!path->held_count && !path->incoming_count)
		path->held_streams[stream / 64] &= ~(UINT64_C(1) << stream % 64);
	return false;
}

/* ---- frames ---- */

/* How far ahead of its stream's turn a message is; negative: it came before. */
static int32_t ahead(const struct weft__path *path, const struct weft__frame *frame)
{
	return (int32_t)(frame->sequence - path->rx_next[frame->stream]);
}

/* What a frame led to. */
enum outcome {
	TAKEN,   /* nothing to hand up */
	HANDED,  /* one frame for the layer above */
	REFUSED, /* no room: the packet must come again */
	BROKEN,  /* the path has ended over it */
};

static enum outcome take_message(struct weft__path *path, const struct weft__frame *frame, struct weft_rx_frame *up)
{
	int32_t early = ahead(path, frame);

	if (early < 0 || (early && weft__held_has(path, frame->stream, frame->sequence)))
		return TAKEN;
	if (early)
		return weft__held_keep(path, frame) ? TAKEN : REFUSED;
	if (!up)
		return HANDED; /* not yet */
	hand_up(path, frame->meta, frame->data, frame->len_bytes, up);
	path->rx_next[frame->stream]++;
	look_for_more(path, frame->stream);
	return HANDED;
}

static enum outcome take_large(struct weft__path *path, const struct weft__frame *frame)
{
	int32_t early = ahead(path, frame);
	int rc;

	if (early < 0)
		return TAKEN;
	rc = weft__incoming_take(path, frame);
	if (rc < 0)
		return BROKEN;
	if (!early && rc == 1)
		look_for_more(path, frame->stream);
	return rc == 1 ? TAKEN : REFUSED;
}

static enum outcome take_ack(struct weft__path *path, const struct weft__ack *ack)
{
	uint64_t now_ns = weft_worker_now(weft__path_port(path)->worker);

	if (path->state == WEFT__PATH_ENDED)
		return TAKEN;
	if (weft__recovery_acknowledged(&path->recovery, now_ns, ack) < 0) {
		weft__path_violation(path, "an acknowledgement of what was never sent");
		return BROKEN;
	}
	if (path->state == WEFT__PATH_PARTING) {
		if (!path->owing_count && !path->outgoing_count && !path->farewells) {
			weft__path_part(path);
			return BROKEN; /* as far as this packet goes */
		}
	} else {
		path->asked_ns = now_ns;
	}
	weft__path_dirty(path); /* there is room for more */
	return TAKEN;
}

static enum outcome take_frame(struct weft__path *path, const struct weft__frame *frame, const struct weft__ack *ack,
			       struct weft_rx_frame *up)
{
	bool on_stream = frame->kind == WEFT__FRAME_MESSAGE || frame->kind == WEFT__FRAME_LARGE ||
			 frame->kind == WEFT__FRAME_CHUNK;

	weft__path_port(path)->packet_eliciting |= frame->kind != WEFT__FRAME_ACK && frame->kind != WEFT__FRAME_CLOSE;
	if (frame->stream >= WEFT__STREAMS || (on_stream && ahead(path, frame) > (int32_t)AHEAD_MAX)) {
		weft__path_violation(path, "a message far ahead of its turn, or of no stream");
		return BROKEN;
	}
	/* Of one that we leave, or that has ended, only what ends the conversation. */
	if (path->state != WEFT__PATH_UP && frame->kind != WEFT__FRAME_ACK && frame->kind != WEFT__FRAME_CLOSE)
		return TAKEN;
	switch (frame->kind) {
	case WEFT__FRAME_MESSAGE:
		return take_message(path, frame, up);
	case WEFT__FRAME_LARGE:
	case WEFT__FRAME_CHUNK:
		return take_large(path, frame);
	case WEFT__FRAME_GRANT:
		weft__outgoing_granted(path, frame);
		return path->state == WEFT__PATH_UP ? TAKEN : BROKEN;
	case WEFT__FRAME_ALLOW:
		weft__outgoing_allowed(path, frame);
		return path->state == WEFT__PATH_UP ? TAKEN : BROKEN;
	case WEFT__FRAME_ACK:
		return take_ack(path, ack);
	case WEFT__FRAME_CLOSE:
		weft__path_closed_by_peer(path);
		return BROKEN;
	case WEFT__FRAME_PING:
		return TAKEN;
	}
	return BROKEN;
}

/* ---- packets ---- */

static struct weft__path *path_by_id(struct weft__path_port *port, uint64_t id)
{
	struct weft__path *path = port->slots[id % WEFT__PORT_SLOTS];

	return path && path->id == id ? path : NULL;
}

/* Whoever is elsewhere can guess a path's name, but not speak on it. */
static bool is_from_peer(const struct weft__path *path, const struct weft_net_rx *packet)
{
	return memcmp(&packet->from, &path->route->to, sizeof packet->from) == 0;
}

/* The path of a packet that is in order and new; NULL: it is dropped. */
static struct weft__path *packet_begin(struct weft__path_port *port, const struct weft_net_rx *packet)
{
	struct weft__packet_head head;
	struct weft__path *path;

	if (weft__packet_head_read(packet->data, packet->len_bytes, &head) < 0 || head.form != WEFT__FORM_PATH ||
	    !(path = path_by_id(port, head.path)) || !is_from_peer(path, packet) ||
	    !weft__packet_intact(packet->data, packet->len_bytes)) {
		port->path_stats.bad_packets++;
		return NULL;
	}
	port->path_stats.rx_packets++;
	if (!weft__ranges_is_new(&path->came, head.number)) {
		port->path_stats.doubles++;
		path->ack_count += path->came.count != 0; /* our acknowledgement was lost, it seems */
		path->ack_at_once = true;
		weft__path_dirty(path);
		return NULL;
	}
	path->heard_ns = weft_worker_now(port->worker);
	port->packet_number = head.number;
	port->packet_hurries = head.hurry;
	port->packet_refused = port->packet_eliciting = false;
	port->frame_at = WEFT__PACKET_HEAD;
	return path;
}

/* Whether one before the last few is missing: as many after it tell its sender that it was lost. */
static bool follows_a_gap(const struct weft__path *path)
{
	return path->came.count > 1 && path->came.at[0].last - path->came.at[0].first < GAP_PACKETS;
}

/* All of a packet was read. */
static void packet_end(struct weft__path_port *port, struct weft__path *path, const struct weft_net_rx *packet)
{
	uint64_t now_ns = weft_worker_now(port->worker);
	bool in_order;

	if (port->packet_refused) {
		port->path_stats.refused++;
		/* So that the peer hears that we are here, and what has come. */
		path->ack_count += path->came.count != 0;
		path->ack_at_once = true;
		weft__path_dirty(path);
		return;
	}
	in_order = !path->came.count || port->packet_number == path->came.at[0].last + 1;
	if (!path->came.count || port->packet_number > path->came.at[0].last)
		path->largest_seen_ns = now_ns;
	(void)weft__ranges_add(&path->came, port->packet_number);
	path->ce_count += packet->ecn == WEFT_ECN_CE;
	weft__budget_heard(path, packet->len_bytes, packet->ecn == WEFT_ECN_CE);
	if (!port->packet_eliciting)
		return;
	if (!path->ack_count++)
		path->ack_since_ns = now_ns;
	/* Whoever lost something wants to know, and so does he who learns that he was marked, or who waits. */
	path->ack_at_once |= !in_order || follows_a_gap(path) || port->packet_hurries || packet->ecn == WEFT_ECN_CE ||
			     path->ack_count >= ACK_PACKETS;
	weft__path_dirty(path);
}

/* Reads on in the packet at hand: 1 with a frame for the layer above, 0 at its end. */
static int read_on(struct weft__path_port *port, struct weft__path *path, struct weft_rx_frame *up)
{
	const struct weft_net_rx *packet = &port->packets[port->packet_at];
	uint32_t begin = port->frame_at;
	struct weft__frame frame;
	struct weft__ack ack;
	int rc;

	while ((rc = weft__frame_read(packet->data, packet->len_bytes, &port->frame_at, &frame, &ack)) > 0) {
		enum outcome outcome = take_frame(path, &frame, &ack, up);

		if (outcome == HANDED) {
			if (!up)
				port->frame_at = begin;
			return 1;
		}
		if (outcome == BROKEN)
			return 0;
		begin = port->frame_at;
		port->packet_refused |= outcome == REFUSED;
		if (port->ready_path)
			return -1;
	}
	if (rc < 0)
		weft__path_violation(path, "a packet that is whole and makes no sense");
	else
		packet_end(port, path, packet);
	return 0;
}

/* The next frame for the layer above out of the burst at hand; false: it has been read. With up NULL what comes before
 * that frame is seen to, and the frame stays. */
static bool next_frame(struct weft__path_port *port, struct weft_rx_frame *up)
{
	for (;;) {
		struct weft__path *path = port->packet_path;
		int rc;

		if (port->ready_path && take_ready(port, up))
			return true;
		if (!path && port->packet_at < port->packet_count)
			path = port->packet_path = packet_begin(port, &port->packets[port->packet_at]);
		if (!path) {
			if (port->packet_at >= port->packet_count)
				return false;
			port->packet_at++;
			continue;
		}
		rc = read_on(port, path, up);
		if (rc == 1)
			return true;
		if (rc == 0) {
			if (port->packet_copy)
				weft_buf_put(port->packet_copy);
			port->packet_copy = NULL;
			port->packet_path = NULL;
			port->packet_at++;
		}
	}
}

static void look(struct weft__path_port *port)
{
	uint64_t now_ns = weft_worker_now(port->worker);

	if (now_ns - port->looked_ns > STOOD_STILL_NS)
		port->awake_ns = now_ns;
	port->looked_ns = now_ns;
	port->packet_at = 0;
	port->packet_count = port->net->rx(port->net, port->packets, WEFT__NET_BURST);
}

void weft__path_see_to_control(struct weft__path_port *port)
{
	if (port->packet_at >= port->packet_count && !port->ready_path)
		look(port);
	(void)next_frame(port, NULL);
	if (!weft_list_empty(&port->ended))
		weft__paths_tell(port);
}

unsigned int weft__path_rx(struct weft_port *base, struct weft_rx_frame *frames, unsigned int max)
{
	struct weft__path_port *port = weft__port_of(base);
	unsigned int count = 0;

	while (!weft_list_empty(&port->spent))
		weft__held_free(port, WEFT_CONTAINER_OF(port->spent.next, struct weft__held, link));
	if (port->net->reap_due)
		port->net->reap(port->net);
	if (port->packet_at >= port->packet_count && !port->ready_path)
		look(port);
	while (count < max && next_frame(port, &frames[count]))
		count++;
	if (port->grants_due)
		weft__grants_give(port);
	if (!weft_list_empty(&port->ended) && !count)
		weft__paths_tell(port);
	return count;
}

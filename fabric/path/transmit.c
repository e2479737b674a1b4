/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets out: parcels that wait, as far as the congestion window and the pace allow, with what is to be acknowledged
 * riding along.
 */
#include "path/path_private.h"

#include <string.h>

void weft__path_dirty(struct weft__path *path)
{
	struct weft__path_port *port = weft__path_port(path);

	if (weft_list_empty(&path->in_dirty))
		weft_list_push_back(&port->dirty, &path->in_dirty);
	port->base.flush_due = true;
}

/* ---- what next ---- */

static struct weft__parcel *take_waiting(struct weft__path *path, enum weft_class class_)
{
	struct weft_list *first;

	if (weft_list_empty(&path->waiting[class_]) && path->open[class_])
		weft__parcel_shut(path, class_);
	first = weft_list_pop_front(&path->waiting[class_]);
	return first ? WEFT_CONTAINER_OF(first, struct weft__parcel, link) : NULL;
}

/* Small ones and chunks of large ones take turns, so that neither waits for all of the other. */
static struct weft__parcel *take_of_class(struct weft__path *path, enum weft_class class_)
{
	struct weft__parcel *parcel;
	struct weft_list *first = weft_list_pop_front(&path->again[class_]);

	if (first)
		return WEFT_CONTAINER_OF(first, struct weft__parcel, link);
	if (path->large_next && weft__outgoing_ready(path, class_) && (parcel = weft__outgoing_next(path, class_))) {
		path->large_next = false;
		return parcel;
	}
	path->large_next = true;
	parcel = take_waiting(path, class_);
	if (!parcel && weft__outgoing_ready(path, class_))
		parcel = weft__outgoing_next(path, class_);
	return parcel;
}

static struct weft__parcel *take_next(struct weft__path *path)
{
	struct weft__parcel *parcel = take_of_class(path, WEFT_CLASS_EXPRESS);

	return parcel ? parcel : take_of_class(path, WEFT_CLASS_NORMAL);
}

static void put_back(struct weft__parcel *parcel)
{
	parcel->state = WEFT__PARCEL_WAITING;
	weft_list_push_front(&parcel->path->again[parcel->class_], &parcel->link);
}

static bool has_next(const struct weft__path *path)
{
	for (unsigned int class_ = 0; class_ < WEFT_CLASS_COUNT; class_++)
		if (!weft_list_empty(&path->again[class_]) || !weft_list_empty(&path->waiting[class_]) ||
		    path->open[class_] || weft__outgoing_ready(path, class_))
			return true;
	return false;
}

/* ---- one packet ---- */

/* The acknowledgement of what has come; returns its length. */
static uint32_t write_ack(struct weft__path *path, unsigned char *to, uint32_t room_bytes)
{
	struct weft__path_port *port = weft__path_port(path);
	struct weft__ack ack = {
		.delay_ns = weft_worker_now(port->worker) - path->largest_seen_ns,
		.range_count = path->came.count,
		.ce_count = path->ce_count,
		.has_ecn = path->ce_count != 0,
	};

	memcpy(ack.ranges, path->came.at, sizeof ack.ranges);
	return weft__ack_write(to, room_bytes, &ack);
}

static uint32_t parcel_bytes(const struct weft__parcel *parcel)
{
	return WEFT__PACKET_HEAD + WEFT__ACK_MIN + parcel->len_bytes + parcel->chunk_len_bytes;
}

/* The i-th packet of a burst, for a parcel, or for nothing but an acknowledgement; returns its length. To be sealed. */
static uint32_t build(struct weft__path *path, unsigned int i, const struct weft__parcel *parcel, bool ack,
		      struct weft_net_tx *tx)
{
	struct weft__path_port *port = weft__path_port(path);
	unsigned char *to = port->heads[i];
	struct weft__packet_head head = {.steer = path->peer_steer,
					 .form = WEFT__FORM_PATH,
					 .path = path->peer_id,
					 .number = path->recovery.next_number + i};
	uint32_t len_bytes = WEFT__PACKET_HEAD;

	weft__packet_head_write(&head, to);
	if (ack) {
		uint32_t used = parcel ? parcel_bytes(parcel) - WEFT__ACK_MIN : len_bytes;

		len_bytes += write_ack(path, to + len_bytes, path->route->payload_max - used);
	}
	*tx = (struct weft_net_tx){.route = path->route, .piece_count = 1, .ecn = WEFT_ECN_ECT0};
	tx->pieces[0] = (struct weft_net_piece){.data = to, .len_bytes = len_bytes};
	if (parcel) {
		tx->pieces[tx->piece_count++] = (struct weft_net_piece){.data = parcel->buf->data,
									.len_bytes = parcel->len_bytes,
									.buf = parcel->buf};
		len_bytes += parcel->len_bytes;
	}
	if (parcel && parcel->chunk_len_bytes) {
		const struct weft__outgoing *outgoing = parcel->outgoing;

		tx->pieces[tx->piece_count++] = (struct weft_net_piece){.data = outgoing->buf->data +
										outgoing->offset_bytes +
										parcel->chunk_offset,
									.len_bytes = parcel->chunk_len_bytes,
									.buf = outgoing->buf};
		len_bytes += parcel->chunk_len_bytes;
	}
	return len_bytes;
}

/*
 * When the window is full, so that we would wait for a receiver that waits for more to acknowledge, the packet says so; a
 * few times a window, since where acknowledgements come all the time each finds it full.
 */
static bool hurries(struct weft__path *path, uint32_t room, uint32_t len_bytes)
{
	path->unhurried_bytes += len_bytes;
	if (room >= path->route->payload_max || path->unhurried_bytes < path->recovery.congestion.at.window_bytes / 4)
		return false;
	path->unhurried_bytes = 0;
	return true;
}

static void seal(const struct weft_net_tx *tx)
{
	weft__packet_seal((unsigned char *)(uintptr_t)tx->pieces[0].data, tx->pieces, tx->piece_count);
}

static void ack_said(struct weft__path *path)
{
	path->ack_count = 0;
	path->ack_at_once = false;
}

/* A packet has gone out. */
static void sent(struct weft__path *path, struct weft__parcel *parcel, uint32_t len_bytes)
{
	struct weft__path_port *port = weft__path_port(path);
	uint64_t now_ns = weft_worker_now(port->worker);

	port->path_stats.tx_packets++;
	if (parcel) {
		parcel->packets++;
		parcel->state = WEFT__PARCEL_FLYING;
		path->message_count += parcel->was_sent ? 0 : parcel->messages;
		parcel->was_sent = true;
		path->said_ns = now_ns;
		if (!path->recovery.flying_count)
			path->asked_ns = now_ns;
	}
	(void)weft__recovery_sent(&path->recovery, now_ns, len_bytes, parcel ? weft__parcel_name(parcel) : NULL);
}

/* ---- many ---- */

/* Until when the pace holds the path back; 0: it does not. Short bursts pass, and so does whoever sends seldom. */
static bool is_paced(struct weft__path *path, uint64_t now_ns)
{
	return path->pace_at_ns > now_ns;
}

static void pace(struct weft__path *path, uint64_t now_ns, uint32_t len_bytes)
{
	uint64_t rate = weft__congestion_pace(&path->recovery.congestion, path->recovery.smoothed_rtt_ns);
	uint64_t slack_ns = path->recovery.timing.granularity_ns;

	if (!rate)
		return;
	if (path->pace_at_ns + slack_ns < now_ns)
		path->pace_at_ns = now_ns - slack_ns;
	path->pace_at_ns += (uint64_t)len_bytes * 1000000000u / rate;
}

/* What the network may take, and what the receiver is ready to keep should something before it be lost. */
static uint32_t flight_room(struct weft__path *path)
{
	uint32_t room = weft__recovery_room(&path->recovery), flying = path->recovery.flying_bytes;

	if (flying >= WEFT__FLIGHT_BYTES)
		return 0;
	return room < WEFT__FLIGHT_BYTES - flying ? room : WEFT__FLIGHT_BYTES - flying;
}

/* Fills a burst as far as there is room; returns how many packets. */
static unsigned int fill(struct weft__path *path, struct weft_net_tx *burst, struct weft__parcel **parcels,
			 uint32_t *lens)
{
	struct weft__path_port *port = weft__path_port(path);
	uint64_t now_ns = weft_worker_now(port->worker);
	uint32_t room = flight_room(path);
	unsigned int count = 0, messages = path->message_count;

	while (count < WEFT__NET_BURST && !is_paced(path, now_ns)) {
		struct weft__parcel *parcel = take_next(path);

		if (!parcel)
			break;
		messages += parcel->was_sent ? 0 : parcel->messages;
		if (parcel_bytes(parcel) > room || messages > WEFT__PATH_HELD) {
			put_back(parcel);
			break;
		}
		parcels[count] = parcel;
		lens[count] = build(path, count, parcel, !count && path->ack_count, &burst[count]);
		room -= lens[count];
		if (hurries(path, room, lens[count]) || path->asks)
			weft__packet_hurry(port->heads[count]);
		path->asks = false;
		seal(&burst[count]);
		pace(path, now_ns, lens[count]);
		count++;
	}
	return count;
}

bool weft__path_transmit(struct weft__path *path)
{
	struct weft__path_port *port = weft__path_port(path);
	struct weft__parcel *parcels[WEFT__NET_BURST];
	struct weft_net_tx burst[WEFT__NET_BURST];
	uint32_t lens[WEFT__NET_BURST];
	unsigned int count, taken;

	do {
		count = fill(path, burst, parcels, lens);
		taken = count ? port->net->tx(port->net, burst, count) : 0;
		for (unsigned int i = 0; i < taken; i++)
			sent(path, parcels[i], lens[i]);
		if (taken)
			ack_said(path);
		for (unsigned int i = count; i > taken; i--)
			put_back(parcels[i - 1]);
	} while (taken == WEFT__NET_BURST);
	weft__path_schedule(path);
	return taken == count; /* what waits for room or for its time is told when that is there */
}

void weft__path_acknowledge(struct weft__path *path)
{
	struct weft__path_port *port = weft__path_port(path);
	struct weft_net_tx tx;
	uint32_t len_bytes;

	if (!path->ack_count)
		return;
	len_bytes = build(path, 0, NULL, true, &tx);
	seal(&tx);
	if (port->net->tx(port->net, &tx, 1) == 1) {
		sent(path, NULL, len_bytes);
		ack_said(path);
	}
}

void weft__path_probe(struct weft__path *path)
{
	struct weft__path_port *port = weft__path_port(path);
	void *name = weft__recovery_oldest(&path->recovery);
	struct weft__parcel *parcel = name ? weft__parcel_of(port, name) : NULL;
	struct weft_net_tx tx;
	uint32_t len_bytes;

	if (!parcel || !parcel->buf) {
		if (!has_next(path)) {
			unsigned char *to = weft__path_say(path, WEFT_CLASS_EXPRESS, WEFT__FRAME_HEAD);

			if (to)
				weft__plain_write(to, WEFT__FRAME_PING, 0);
		}
		parcel = take_next(path);
		if (!parcel)
			return;
	}
	len_bytes = build(path, 0, parcel, path->ack_count, &tx);
	weft__packet_hurry(port->heads[0]);
	seal(&tx);
	if (port->net->tx(port->net, &tx, 1) == 1) {
		sent(path, parcel, len_bytes);
		ack_said(path);
		port->path_stats.probes++;
	} else if (parcel->state != WEFT__PARCEL_FLYING) {
		put_back(parcel);
	}
}

void weft__path_ask(struct weft__path *path)
{
	unsigned char *to = weft__path_say(path, WEFT_CLASS_EXPRESS, WEFT__FRAME_HEAD);

	if (!to)
		return;
	weft__plain_write(to, WEFT__FRAME_PING, 0);
	path->asks = true;
}

/* A farewell waits for no acknowledgement: the peer answers it by its own, or it is said again. */
void weft__path_say_close(struct weft__path *path, uint32_t reason)
{
	struct weft__path_port *port = weft__path_port(path);
	unsigned char *to = port->heads[0];
	struct weft__packet_head head = {.steer = path->peer_steer,
					 .form = WEFT__FORM_PATH,
					 .path = path->peer_id,
					 .number = path->recovery.next_number};
	struct weft_net_tx tx = {.route = path->route, .piece_count = 1};

	weft__packet_head_write(&head, to);
	weft__plain_write(to + WEFT__PACKET_HEAD, WEFT__FRAME_CLOSE, reason);
	tx.pieces[0] = (struct weft_net_piece){.data = to, .len_bytes = WEFT__PACKET_HEAD + WEFT__FRAME_HEAD};
	weft__packet_seal(to, tx.pieces, 1);
	if (port->net->tx(port->net, &tx, 1) == 1)
		sent(path, NULL, tx.pieces[0].len_bytes);
}

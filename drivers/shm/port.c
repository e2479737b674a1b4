/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot part: sending into own rings, receiving from the peers', and who is looked at how often.
 */
#include "shm/shm.h"

#include <weft/errors.h>

/* ---- sending ---- */

/* The peer sleeps: woken once for each time that it went to sleep. */
static inline void wake_peer(struct shm_path *path)
{
	uint32_t epoch;

	/* The compiler must not move the look before the publish. The processor may, but the sleeper raises its flag and
	 * then runs membarrier before it looks at the rings for the last time: pairs with shm_port_arm(). */
	atomic_signal_fence(memory_order_seq_cst); /* pairs with the membarrier of the peer's worker */
	epoch = atomic_load_explicit(&path->peer_armed->epoch, memory_order_relaxed);
	if (__builtin_expect(epoch & 1, 0) && epoch != path->rung_epoch) {
		path->rung_epoch = epoch;
		shm_ring_bell(path);
	}
}

/* Writes small data; the general way. */
static int put_inline(struct shm_path *path, struct shm_tx *tx, const struct weft_tx_frame *frame, bool more)
{
	uint32_t len = frame->head_len_bytes + frame->data_len_bytes;
	uint32_t count = shm_slots_for(len);
	int room;

	if ((uint64_t)frame->head_len_bytes + frame->data_len_bytes > SHM_INLINE_MAX)
		return -WEFT_EMSGSIZE;
	room = shm_tx_room(tx, count);
	if (room <= 0)
		return room < 0 ? -WEFT_EPROTO : -WEFT_EAGAIN;
	shm_tx_write(tx, frame->head, frame->head_len_bytes, frame->data, frame->data_len_bytes);
	shm_tx_commit(tx, SHM_INLINE, len, frame->meta, count, more);
	path->port->stats.tx_inline_bytes += len;
	return 0;
}

static __attribute__((noinline)) int send_slow(struct shm_path *path, enum weft_class class_, uint64_t meta,
						const void *data, uint32_t len_bytes, unsigned int flags)
{
	struct weft_tx_frame frame = {.meta = meta, .data = data, .data_len_bytes = len_bytes};
	int why = -WEFT_EAGAIN;

	if (shm_port_tx(&path->base, class_, &frame, 1, flags, &why) == 1)
		return 0;
	/* What was held back for more to come goes out now, so that the reader can make room. */
	if (path->tx[class_].held) {
		shm_tx_publish(&path->tx[class_]);
		wake_peer(path);
	}
	return why;
}

/* The same as tx of one frame, for small data that fits right here: no frame to fill, and each thing looked at once. */
int shm_port_send(struct weft_path *base, enum weft_class class_, uint64_t meta, const void *data, uint32_t len_bytes,
		  unsigned int flags)
{
	struct shm_path *path = WEFT_CONTAINER_OF(base, struct shm_path, base);
	struct shm_port *port = path->port;
	struct shm_tx *tx = &path->tx[class_];
	struct shm_slot *slots = tx->slots, *slot;
	uint32_t tail = tx->tail, mask = tx->mask;
	uint32_t count = shm_slots_for(len_bytes);

	if (__builtin_expect(path->state != SHM_PATH_UP || len_bytes > SHM_INLINE_MAX || tail + count - tx->head > mask + 1 ||
				     (tail & mask) + count > mask + 1,
			     0))
		return send_slow(path, class_, meta, data, len_bytes, flags);
	slot = &slots[tail & mask];
	shm_copy(slot->data, data, len_bytes);
	shm_tx_head(slots, mask, tail, count, (uint32_t)SHM_INLINE | len_bytes << 8, meta);
	tx->tail = tail + count;
	if (__builtin_expect(tx->held || flags & WEFT_TX_MORE, 0)) {
		shm_tx_hold(tx, slot, tail);
		if (!(flags & WEFT_TX_MORE))
			shm_tx_publish(tx);
		else if (!path->dirty)
			shm_path_dirty(path);
	} else {
		/* release: pairs with the acquire in shm_rx_ready(); everything written before is visible with it. */
		atomic_store_explicit(&slot->sequence, tail + 1, memory_order_release);
	}
	shm_tx_prefetch(slots, mask, tail + count, count);
	shm_tx_look(tx, tail);
	wake_peer(path);
	port->stats.tx_inline_bytes += len_bytes;
	port->stats.tx_frames++;
	return 0;
}

static int put_loan(struct shm_path *path, struct shm_tx *tx, const struct weft_tx_frame *frame, bool more)
{
	struct shm_loan loan;
	int room, rc;

	if (frame->head_len_bytes > SHM_LOAN_HEAD_MAX)
		return -WEFT_EMSGSIZE;
	room = shm_tx_room(tx, 1);
	if (room <= 0)
		return room < 0 ? -WEFT_EPROTO : -WEFT_EAGAIN;
	rc = shm_loan_book(path, frame, &loan);
	if (rc < 0)
		return rc;
	memcpy(shm_tx_slot(tx)->data, &loan, sizeof loan);
	shm_copy(shm_tx_slot(tx)->data + sizeof loan, frame->head, frame->head_len_bytes);
	shm_tx_commit(tx, SHM_LOAN, frame->head_len_bytes, frame->meta, 1, more);
	return 0;
}

static int put(struct shm_path *path, struct shm_tx *tx, const struct weft_tx_frame *frame, bool more)
{
	return frame->loan ? put_loan(path, tx, frame, more) : put_inline(path, tx, frame, more);
}

unsigned int shm_port_tx(struct weft_path *base, enum weft_class class_, const struct weft_tx_frame *frames,
			 unsigned int count, unsigned int flags, int *why)
{
	struct shm_path *path = WEFT_CONTAINER_OF(base, struct shm_path, base);
	struct shm_tx *tx = &path->tx[class_];
	unsigned int taken = 0;
	int rc = 0;

	if (__builtin_expect(path->state != SHM_PATH_UP, 0)) {
		if (why)
			*why = -WEFT_EAGAIN;
		return 0;
	}
	for (; taken < count; taken++) {
		bool more = flags & WEFT_TX_MORE || taken + 1 < count;

		rc = put(path, tx, &frames[taken], more);
		if (__builtin_expect(rc < 0, 0))
			break;
	}
	path->port->stats.tx_frames += taken;
	if (flags & WEFT_TX_MORE) {
		if (tx->held && !path->dirty)
			shm_path_dirty(path);
	} else {
		if (tx->held)
			shm_tx_publish(tx);
		wake_peer(path);
	}
	if (__builtin_expect(rc < 0, 0)) {
		path->port->stats.full += rc == -WEFT_EAGAIN;
		if (why)
			*why = rc;
		if (rc == -WEFT_EPROTO)
			shm_path_down(path, WEFT_DOWN_VIOLATION);
	}
	return taken;
}

void shm_port_flush(struct weft_port *base)
{
	struct shm_port *port = WEFT_CONTAINER_OF(base, struct shm_port, base);

	WEFT_LIST_FOR_EACH(at, &port->dirty) {
		struct shm_path *path = WEFT_CONTAINER_OF(at, struct shm_path, in_dirty);
		bool done = shm_releases_flush(path);

		for (unsigned int i = 0; i < WEFT_CLASS_COUNT; i++)
			if (path->tx[i].held)
				shm_tx_publish(&path->tx[i]);
		if (path->state == SHM_PATH_UP)
			wake_peer(path);
		if (done) {
			path->dirty = false;
			weft_list_remove(at);
		}
	}
	base->flush_due = !weft_list_empty(&port->dirty);
}

void shm_path_dirty(struct shm_path *path)
{
	path->dirty = true;
	path->port->base.flush_due = true;
	weft_list_push_back(&path->port->dirty, &path->in_dirty);
}

/* ---- receiving ---- */

static bool take_loan(struct shm_path *path, struct shm_rx *rx, const unsigned char *bytes, uint32_t len,
		      struct weft_rx_frame *frame)
{
	struct shm_loan loan;

	if (len > SHM_LOAN_HEAD_MAX)
		return false;
	memcpy(&loan, bytes, sizeof loan);
	frame->data = bytes + sizeof loan;
	rx->head++;
	return shm_loan_check(path, &loan, frame);
}

static bool take_releases(struct shm_path *path, struct shm_rx *rx, const unsigned char *bytes, uint32_t len)
{
	uint32_t ids[SHM_RELEASES_PER_SLOT];

	if (len > sizeof ids || len % 4)
		return false;
	memcpy(ids, bytes, len);
	rx->head++;
	shm_loan_released(path, ids, len / 4);
	return true;
}

/* What is not small data: 1 a frame for the layer above, 0 a message for this driver, -1 nonsense. scratch has the
 * slot's data. */
static __attribute__((noinline)) int take_other(struct shm_path *path, struct shm_rx *rx, uint32_t kind_len,
						 const unsigned char *scratch, struct weft_rx_frame *frame)
{
	if ((kind_len & 0xff) == SHM_LOAN)
		return take_loan(path, rx, scratch, kind_len >> 8, frame) ? 1 : -1;
	if ((kind_len & 0xff) == SHM_RELEASE)
		return take_releases(path, rx, scratch, kind_len >> 8) ? 0 : -1;
	return -1;
}

/* All that one ring has, at most max. Returns the frames. */
static __attribute__((noinline)) unsigned int drain(struct shm_path *path, struct shm_rx *rx,
						     struct weft_rx_frame *frames, unsigned int max)
{
	unsigned char(*scratch)[SHM_SCRATCH_BYTES] = &path->port->scratch[path->port->burst];
	struct weft_rx_frame *frame = frames;
	const struct shm_slot *slot = shm_rx_slot(rx);
	uint64_t bytes = 0;

	/* Bounded by messages, not by frames: releases make none, and a peer could send them for ever. */
	for (unsigned int looks = 0; looks < SHM_DRAIN_MAX; looks++) {
		/* What the peer can still change is read once: the header into locals, the data into scratch, and only
		 * copies are looked at. */
		uint32_t kind_len = __atomic_load_n(&slot->kind_len, __ATOMIC_RELAXED);
		uint32_t len = kind_len >> 8;
		int taken = 1;

		frame->path = &path->base;
		frame->meta = __atomic_load_n(&slot->meta, __ATOMIC_RELAXED);
		frame->len_bytes = len;
		frame->data = scratch;
		frame->loan_data = NULL;
		memcpy(scratch, slot->data, SHM_SLOT_INLINE);
		if (__builtin_expect((kind_len & 0xff) != SHM_INLINE || len > SHM_INLINE_MAX, 0)) {
			taken = take_other(path, rx, kind_len, *scratch, frame);
		} else {
			rx->head += len <= SHM_SLOT_INLINE ? 1 : shm_rx_read_rest(rx, *scratch, shm_slots_for(len));
			bytes += len;
		}
		if (__builtin_expect(taken < 0, 0)) {
			shm_path_down(path, WEFT_DOWN_VIOLATION);
			break;
		}
		frame += taken;
		scratch += taken;
		/* Seldom, for it takes the line from the producer, which never needs the last quarter to go on. */
		if (rx->head - rx->published > rx->mask / 4)
			shm_rx_publish(rx);
		slot = shm_rx_slot(rx);
		if (frame - frames == max || !shm_rx_ready(rx))
			break;
	}
	path->port->stats.rx_inline_bytes += bytes;
	path->port->burst += (unsigned int)(frame - frames);
	return (unsigned int)(frame - frames);
}

/* What a path has, express first; appends to the burst of this turn. */
static inline unsigned int poll_path(struct shm_path *path, struct weft_rx_frame *frames, unsigned int max)
{
	bool express = shm_rx_ready(&path->rx[WEFT_CLASS_EXPRESS]), normal = shm_rx_ready(&path->rx[WEFT_CLASS_NORMAL]);
	unsigned int count = 0;

	if (__builtin_expect(!(express | normal), 1))
		return 0;
	path->empty_looks = 0;
	if (__builtin_expect(express, 0))
		count = drain(path, &path->rx[WEFT_CLASS_EXPRESS], frames, max);
	if (normal && count < max && path->state == SHM_PATH_UP)
		count += drain(path, &path->rx[WEFT_CLASS_NORMAL], frames + count, max - count);
	return count;
}

/* A few of the paths that were quiet, in turn; all of them before sleeping and after. */
static unsigned int poll_quiet(struct shm_port *port, struct weft_rx_frame *frames, unsigned int first, unsigned int max)
{
	bool all = port->look_at_all || port->quiet_count <= SHM_SLICE;
	unsigned int looks = all ? port->quiet_count : SHM_SLICE;
	struct weft_list *at = port->quiet.next;
	unsigned int count = first, got;

	for (; looks && count < max; looks--) {
		struct shm_path *path = WEFT_CONTAINER_OF(at, struct shm_path, in_polled);

		at = at->next;
		got = poll_path(path, frames + count, max - count);
		if (got && path->state == SHM_PATH_UP)
			shm_path_busy(path);
		count += got;
	}
	port->look_at_all = port->look_at_all && looks;
	if (!all) {
		/* The next ones come first the next time: the list's head moves to where this walk ended. */
		weft_list_remove(&port->quiet);
		weft_list_push_back(at, &port->quiet);
	}
	return count - first;
}

void shm_path_busy(struct shm_path *path)
{
	path->empty_looks = 0;
	if (path->busy)
		return;
	path->busy = true;
	path->port->quiet_count--;
	weft_list_remove(&path->in_polled);
	weft_list_push_back(&path->port->busy, &path->in_polled);
}

static void path_quiet(struct shm_path *path)
{
	path->busy = false;
	path->port->quiet_count++;
	weft_list_remove(&path->in_polled);
	weft_list_push_back(&path->port->quiet, &path->in_polled);
}

/* Nothing has come for long, or nothing more will. */
static __attribute__((noinline)) void path_idle(struct shm_path *path)
{
	if (path->ending)
		shm_path_down(path, path->ending_reason);
	else
		path_quiet(path);
}

/* All paths that are busy, once. */
static inline unsigned int poll_busy(struct shm_port *port, struct weft_rx_frame *frames, unsigned int max)
{
	unsigned int count = 0;

	WEFT_LIST_FOR_EACH(at, &port->busy) {
		struct shm_path *path = WEFT_CONTAINER_OF(at, struct shm_path, in_polled);
		unsigned int got = poll_path(path, frames + count, max - count);

		if (!got && __builtin_expect(++path->empty_looks > path->empty_limit, 0))
			path_idle(path);
		count += got;
		if (count < max)
			continue;
		/* The others come first the next time. */
		if (path->state == SHM_PATH_UP) {
			weft_list_remove(at);
			weft_list_push_back(&port->busy, at);
		}
		break;
	}
	return count;
}

unsigned int shm_port_rx(struct weft_port *base, struct weft_rx_frame *frames, unsigned int max)
{
	struct shm_port *port = WEFT_CONTAINER_OF(base, struct shm_port, base);
	unsigned int count = 0;

	max = max < SHM_BURST ? max : SHM_BURST;
	port->burst = 0;
	/* An answer that is on its way is met sooner here than after another whole turn. */
	for (unsigned int looks = 0; looks < SHM_LOOKS && !count; looks++)
		count = poll_busy(port, frames, max);
	if (port->quiet_count && count < max)
		count += poll_quiet(port, frames, count, max);
	if (count)
		port->stats.rx_frames += count;
	return count;
}

void shm_port_arm(struct weft_port *base, bool on)
{
	struct shm_port *port = WEFT_CONTAINER_OF(base, struct shm_port, base);
	uint32_t epoch = atomic_load_explicit(&port->armed->epoch, memory_order_relaxed);

	port->look_at_all = true;
	if ((epoch & 1) != on)
		atomic_store_explicit(&port->armed->epoch, epoch + 1, memory_order_relaxed);
	/* The worker runs membarrier between this and its last look: pairs with wake_peer() of each peer. */
}

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

static inline int put_inline(struct shm_path *path, struct shm_tx *tx, const struct weft_tx_frame *frame, bool more)
{
	uint32_t len = frame->head_len_bytes + frame->data_len_bytes;
	uint32_t count = shm_slots_for(len);
	int room;

	if (__builtin_expect(len > SHM_INLINE_MAX, 0))
		return -WEFT_EMSGSIZE;
	room = shm_tx_room(tx, count);
	if (__builtin_expect(room <= 0, 0))
		return room < 0 ? -WEFT_EPROTO : -WEFT_EAGAIN;
	shm_tx_write(tx, frame->head, frame->head_len_bytes, frame->data, frame->data_len_bytes);
	shm_tx_commit(tx, SHM_INLINE, len, frame->meta, count, more);
	path->port->stats.tx_inline_bytes += len;
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

		rc = __builtin_expect(!frames[taken].loan, 1) ? put_inline(path, tx, &frames[taken], more)
							      : put_loan(path, tx, &frames[taken], more);
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
		path->port->stats.full++;
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
}

void shm_path_dirty(struct shm_path *path)
{
	path->dirty = true;
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

/*
 * Takes the message at the head: 1 a frame for the layer above, 0 one for this driver, -1 nonsense. What the peer can
 * still change is read once: the header into locals, the data into scratch, and only copies are looked at.
 */
static inline int take(struct shm_path *path, struct shm_rx *rx, unsigned char *scratch, struct weft_rx_frame *frame)
{
	const struct shm_slot *slot = &rx->slots[rx->head & rx->mask];
	uint32_t kind_len = __atomic_load_n(&slot->kind_len, __ATOMIC_RELAXED);
	uint32_t len = kind_len >> 8;

	frame->path = &path->base;
	frame->meta = __atomic_load_n(&slot->meta, __ATOMIC_RELAXED);
	frame->len_bytes = len;
	frame->data = scratch;
	frame->loan_data = NULL;
	if (__builtin_expect((kind_len & 0xff) == SHM_INLINE, 1)) {
		uint32_t count = shm_slots_for(len);

		if (len > SHM_INLINE_MAX)
			return -1;
		shm_rx_read(rx, scratch, count);
		rx->head += count;
		path->port->stats.rx_inline_bytes += len;
		return 1;
	}
	memcpy(scratch, slot->data, SHM_SLOT_INLINE);
	if ((kind_len & 0xff) == SHM_LOAN)
		return take_loan(path, rx, scratch, len, frame) ? 1 : -1;
	if ((kind_len & 0xff) == SHM_RELEASE)
		return take_releases(path, rx, scratch, len) ? 0 : -1;
	return -1;
}

/* All that one ring has, at most max. Returns the frames. */
static inline unsigned int drain(struct shm_path *path, struct shm_rx *rx, struct weft_rx_frame *frames,
				 unsigned int first, unsigned int max)
{
	unsigned int count = 0;

	/* Bounded by messages, not by frames: releases make none, and a peer could send them for ever. */
	for (unsigned int looks = 0; looks < SHM_DRAIN_MAX && first + count < max && shm_rx_ready(rx); looks++) {
		int taken = take(path, rx, path->port->scratch[first + count], &frames[first + count]);

		if (__builtin_expect(taken < 0, 0)) {
			shm_path_down(path, WEFT_DOWN_VIOLATION);
			return count;
		}
		count += (unsigned int)taken;
		if (rx->head - rx->published > rx->mask / 4)
			shm_rx_publish(rx);
	}
	if (rx->head != rx->published)
		shm_rx_publish(rx);
	return count;
}

static inline unsigned int poll_path(struct shm_path *path, struct weft_rx_frame *frames, unsigned int first,
				     unsigned int max)
{
	unsigned int count = drain(path, &path->rx[WEFT_CLASS_EXPRESS], frames, first, max);

	if (path->state == SHM_PATH_UP)
		count += drain(path, &path->rx[WEFT_CLASS_NORMAL], frames, first + count, max);
	return count;
}

/* A few of the paths that were quiet, in turn; all of them before sleeping and after. */
static unsigned int poll_quiet(struct shm_port *port, struct weft_rx_frame *frames, unsigned int first, unsigned int max)
{
	unsigned int looks = port->look_at_all || port->quiet_count < SHM_SLICE ? port->quiet_count : SHM_SLICE;
	unsigned int count = 0;

	port->look_at_all = false;
	while (looks-- && first + count < max) {
		struct shm_path *path = WEFT_CONTAINER_OF(port->quiet.next, struct shm_path, in_polled);
		unsigned int got = poll_path(path, frames, first + count, max);

		if (path->state == SHM_PATH_UP) {
			weft_list_remove(&path->in_polled);
			weft_list_push_back(&port->quiet, &path->in_polled);
			if (got)
				shm_path_busy(path);
		}
		count += got;
	}
	return count;
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

unsigned int shm_port_rx(struct weft_port *base, struct weft_rx_frame *frames, unsigned int max)
{
	struct shm_port *port = WEFT_CONTAINER_OF(base, struct shm_port, base);
	unsigned int count = 0;

	max = max < 32 ? max : 32;
	WEFT_LIST_FOR_EACH(at, &port->busy) {
		struct shm_path *path = WEFT_CONTAINER_OF(at, struct shm_path, in_polled);
		unsigned int got = poll_path(path, frames, count, max);

		count += got;
		if (got) {
			path->empty_looks = 0;
		} else if (__builtin_expect(path->ending, 0)) {
			shm_path_down(path, path->ending_reason);
		} else if (++path->empty_looks > SHM_QUIET_TURNS && path->state == SHM_PATH_UP) {
			path_quiet(path);
		}
		if (count >= max) {
			/* The others come first the next time. */
			if (path->state == SHM_PATH_UP) {
				weft_list_remove(at);
				weft_list_push_back(&port->busy, at);
			}
			break;
		}
	}
	if (port->quiet_count && count < max)
		count += poll_quiet(port, frames, count, max);
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

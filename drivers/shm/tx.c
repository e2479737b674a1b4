/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot part of sending: into own rings, straight or by way of the stage.
 */
#include "shm/shm.h"

#include <weft/errors.h>

static __attribute__((noinline)) int wake_sleeper(struct shm_path *path, uint32_t epoch)
{
	if (epoch != path->rung_epoch) {
		path->rung_epoch = epoch;
		shm_ring_bell(path);
	}
	return 0;
}

/* The peer sleeps: woken once for each time that it went to sleep. Returns 0, for whoever ends with it. */
static inline __attribute__((always_inline)) int wake_peer(struct shm_path *path)
{
	uint32_t epoch;

	/* The compiler must not move the look before the publish. The processor may, but the sleeper raises its flag and
	 * then runs membarrier before it looks at the rings for the last time: pairs with shm_port_arm(). */
	atomic_signal_fence(memory_order_seq_cst); /* pairs with the membarrier of the peer's worker */
	epoch = atomic_load_explicit(&path->peer_armed->epoch, memory_order_relaxed);
	return __builtin_expect(epoch & 1, 0) ? wake_sleeper(path, epoch) : 0;
}

/* One message of small data; both counters in one store, for what the store buffer holds bounds a stream. */
static inline void count_inline(struct shm_port *port, uint32_t len_bytes)
{
	typedef uint64_t pair __attribute__((vector_size(16)));
	pair both;

	_Static_assert(offsetof(struct weft_driver_stats, tx_inline_bytes) ==
			       offsetof(struct weft_driver_stats, tx_frames) + 8,
		       "counted together");
	memcpy(&both, &port->stats.tx_frames, sizeof both);
	both += (pair){1, len_bytes};
	memcpy(&port->stats.tx_frames, &both, sizeof both);
}

/* Publishes what is staged, whosever it is. */
static void publish_staged(struct shm_port *port)
{
	struct shm_path *path = port->staging;

	shm_stage_publish(&port->stage);
	wake_peer(path);
}

void shm_port_publish(struct shm_port *port)
{
	if (port->stage.count)
		publish_staged(port);
}

void shm_stage_drop(struct shm_path *path)
{
	for (unsigned int i = 0; i < WEFT_CLASS_COUNT; i++)
		shm_tx_bar(&path->tx[i]);
	if (path->port->staging != path)
		return;
	path->port->stage.count = 0;
	path->port->stage.tx = NULL;
	path->port->staging = NULL;
}

static __attribute__((noinline)) int reserve_slow(struct shm_path *path, struct shm_tx *tx, uint32_t count)
{
	struct shm_port *port = path->port;
	uint32_t all;
	int room;

	if (port->stage.tx != tx || port->stage.count + count > SHM_STAGE_UNITS)
		shm_port_publish(port);
	port->stage.tx = tx;
	port->staging = path;
	shm_tx_bar(tx); /* nothing may overtake what is staged */
	/* With what fills the last line when it is published. */
	all = port->stage.count + count;
	room = shm_tx_room(tx, shm_line_end(tx->tail + all) - tx->tail);
	if (room > 0)
		return 0;
	/* What is held back goes out now, so that the reader can make room. */
	shm_port_publish(port);
	if (tx == &path->tx[WEFT_CLASS_NORMAL])
		shm_hot_full(path);
	return room < 0 ? -WEFT_EPROTO : -WEFT_EAGAIN;
}

static inline int reserve(struct shm_path *path, struct shm_tx *tx, uint32_t len_bytes)
{
	uint32_t count = shm_units_for(len_bytes);

	return __builtin_expect(shm_stage_fits(&path->port->stage, tx, count), 1) ? 0 : reserve_slow(path, tx, count);
}

int shm_stage_reserve(struct shm_path *path, struct shm_tx *tx, uint32_t len_bytes)
{
	return reserve(path, tx, len_bytes);
}

/* Small data, by way of the stage. */
static inline __attribute__((always_inline)) int stage_inline(struct shm_path *path, struct shm_tx *tx, uint64_t meta,
							      const void *head, uint32_t head_len, const void *data,
							      uint32_t data_len)
{
	struct shm_stage *stage = &path->port->stage;
	int rc;

	if (__builtin_expect(head_len > SHM_INLINE_MAX || data_len > SHM_INLINE_MAX - head_len, 0))
		return -WEFT_EMSGSIZE;
	rc = reserve(path, tx, head_len + data_len);
	if (__builtin_expect(rc < 0, 0))
		return rc;
	if (head_len)
		shm_copy(shm_stage_data(stage), head, head_len);
	shm_copy(shm_stage_data(stage) + head_len, data, data_len);
	shm_stage_add(stage, tx, SHM_INLINE, meta, head_len + data_len);
	return 0;
}

static int stage_loan(struct shm_path *path, struct shm_tx *tx, const struct weft_tx_frame *frame)
{
	struct shm_stage *stage = &path->port->stage;
	uint32_t len = sizeof(struct shm_loan) + frame->head_len_bytes;
	struct shm_loan *loan;
	int rc;

	if (frame->head_len_bytes > SHM_LOAN_HEAD_MAX)
		return -WEFT_EMSGSIZE;
	rc = reserve(path, tx, len);
	if (rc < 0)
		return rc;
	loan = (struct shm_loan *)(void *)shm_stage_data(stage);
	rc = shm_loan_book(path, frame, loan);
	if (rc < 0)
		return rc;
	shm_copy((unsigned char *)(loan + 1), frame->head, frame->head_len_bytes);
	shm_stage_add(stage, tx, SHM_LOAN, frame->meta, len);
	return 0;
}

/* The peer lies about where it is: the path is to end. */
static int tx_failed(struct shm_path *path, int rc)
{
	path->port->stats.full += rc == -WEFT_EAGAIN;
	if (rc == -WEFT_EPROTO)
		shm_path_doom(path);
	return rc;
}

/* Small data that is held back, joins what is held back, or crosses a quarter of the ring. */
static __attribute__((noinline)) int send_staged(struct shm_path *path, struct shm_tx *tx, uint64_t meta,
						 const void *data, uint32_t len_bytes, unsigned int flags)
{
	struct shm_port *port = path->port;
	int rc;

	if (path->state != SHM_PATH_UP)
		return -WEFT_EAGAIN;
	rc = stage_inline(path, tx, meta, NULL, 0, data, len_bytes);
	if (__builtin_expect(rc < 0, 0))
		return tx_failed(path, rc);
	count_inline(port, len_bytes);
	if (flags & WEFT_TX_MORE)
		port->base.flush_due = true;
	else
		publish_staged(port);
	return 0;
}

/* Whether a message may go straight into the ring up to end after all: the limit that was known does not say so. */
static __attribute__((noinline)) bool may_go_further(struct shm_path *path, struct shm_tx *tx, uint32_t end)
{
	if (path->port->stage.count || path->state != SHM_PATH_UP)
		return false;
	/* The stage is nobody's: whoever is the first to use it bars this way. */
	path->port->stage.tx = NULL;
	shm_tx_relimit(tx, end);
	return shm_tx_within(tx, end);
}

static inline bool may_go(struct shm_path *path, struct shm_tx *tx, uint32_t end)
{
	return __builtin_expect(shm_tx_within(tx, end), 1) || may_go_further(path, tx, end);
}

/* Small data that ends before the limit, straight into the ring. */
static inline __attribute__((always_inline)) int send_direct(struct shm_path *path, struct shm_tx *tx, uint32_t end,
							     uint64_t meta, const void *data, uint32_t len_bytes)
{
	shm_copy_lines(shm_tx_begin(tx, end), data, len_bytes);
	shm_tx_finish(tx, end, SHM_INLINE, meta, len_bytes);
	count_inline(path->port, len_bytes);
	return wake_peer(path);
}

/* What does not fit right here. */
static __attribute__((noinline)) int send_slow(struct shm_path *path, enum weft_class class_, uint64_t meta,
					       const void *data, uint32_t len_bytes, unsigned int flags)
{
	struct shm_tx *tx = &path->tx[class_];
	uint32_t end;

	if (__builtin_expect(path->hot.state == SHM_HOT_MADE, 0))
		shm_hot_move(path);
	end = shm_tx_end(tx->tail, len_bytes);
	if (flags & WEFT_TX_MORE || len_bytes > SHM_INLINE_MAX || !may_go_further(path, tx, end))
		return send_staged(path, tx, meta, data, len_bytes, flags);
	return send_direct(path, tx, end, meta, data, len_bytes);
}

/* Small data on its own, that fits right here, goes straight into the ring. */
int shm_port_send(struct weft_path *base, enum weft_class class_, uint64_t meta, const void *data, uint32_t len_bytes,
		  unsigned int flags)
{
	struct shm_path *path = WEFT_CONTAINER_OF(base, struct shm_path, base);
	struct shm_tx *tx = &path->tx[class_];
	uint32_t end = shm_tx_end(tx->tail, len_bytes);

	if (__builtin_expect(flags & WEFT_TX_MORE || len_bytes > SHM_INLINE_MAX || !shm_tx_within(tx, end), 0))
		return send_slow(path, class_, meta, data, len_bytes, flags);
	return send_direct(path, tx, end, meta, data, len_bytes);
}

static int stage_frame(struct shm_path *path, struct shm_tx *tx, const struct weft_tx_frame *frame)
{
	int rc;

	if (frame->loan)
		return stage_loan(path, tx, frame);
	rc = stage_inline(path, tx, frame->meta, frame->head, frame->head_len_bytes, frame->data,
			  frame->data_len_bytes);
	if (rc == 0)
		path->port->stats.tx_inline_bytes += frame->head_len_bytes + frame->data_len_bytes;
	return rc;
}

static inline int inline_direct(struct shm_path *path, struct shm_tx *tx, const struct weft_tx_frame *frame)
{
	uint32_t len = frame->head_len_bytes + frame->data_len_bytes, end = shm_tx_end(tx->tail, len);
	unsigned char *to;

	if (frame->head_len_bytes > SHM_INLINE_MAX || frame->data_len_bytes > SHM_INLINE_MAX - frame->head_len_bytes)
		return -WEFT_EMSGSIZE;
	if (!may_go(path, tx, end))
		return 0;
	to = shm_tx_begin(tx, end);
	shm_copy(to, frame->head, frame->head_len_bytes);
	shm_copy(to + frame->head_len_bytes, frame->data, frame->data_len_bytes);
	shm_tx_finish(tx, end, SHM_INLINE, frame->meta, len);
	count_inline(path->port, len);
	return 1;
}

static inline int loan_direct(struct shm_path *path, struct shm_tx *tx, const struct weft_tx_frame *frame)
{
	uint32_t len = (uint32_t)sizeof(struct shm_loan) + frame->head_len_bytes, end = shm_tx_end(tx->tail, len);
	struct shm_loan *loan;
	int rc;

	if (frame->head_len_bytes > SHM_LOAN_HEAD_MAX)
		return -WEFT_EMSGSIZE;
	if (!may_go(path, tx, end))
		return 0;
	/* Filled in its place: a copy would wait for the narrow stores that it is made of. */
	loan = (struct shm_loan *)(void *)shm_tx_begin(tx, end);
	rc = shm_loan_book(path, frame, loan);
	if (rc < 0)
		return rc;
	shm_copy((unsigned char *)(loan + 1), frame->head, frame->head_len_bytes);
	shm_tx_finish(tx, end, SHM_LOAN, frame->meta, len);
	path->port->stats.tx_frames++;
	return 1;
}

/* One frame straight into the ring, if it is as simple as that: 1, 0 if not, or why it cannot be sent. */
static inline int tx_direct(struct shm_path *path, struct shm_tx *tx, const struct weft_tx_frame *frame)
{
	int rc = frame->loan ? loan_direct(path, tx, frame) : inline_direct(path, tx, frame);

	if (rc > 0)
		wake_peer(path);
	return rc;
}

/* Small data with a head of a word, in a burst: so go requests and answers. False: it is not as simple as that. */
static inline bool stage_one(struct shm_path *path, struct shm_tx *tx, const struct weft_tx_frame *frame)
{
	struct shm_stage *stage = &path->port->stage;
	uint32_t data_len = frame->data_len_bytes, len = (uint32_t)sizeof(uint64_t) + data_len;
	unsigned char *to = shm_stage_data(stage);

	if (__builtin_expect(frame->loan || frame->head_len_bytes != sizeof(uint64_t) ||
				     data_len > SHM_INLINE_MAX - sizeof(uint64_t) || path->state != SHM_PATH_UP ||
				     path->hot.state == SHM_HOT_MADE || !shm_stage_fits(stage, tx, shm_units_for(len)),
			     0))
		return false;
	shm_stage_add(stage, tx, SHM_INLINE, frame->meta, len);
	memcpy(to, frame->head, sizeof(uint64_t));
	shm_copy(to + sizeof(uint64_t), frame->data, data_len);
	count_inline(path->port, len);
	return true;
}

/* Whatever it is. */
static __attribute__((noinline)) unsigned int tx_any(struct shm_path *path, enum weft_class class_,
						     const struct weft_tx_frame *frames, unsigned int count,
						     unsigned int flags, int *why)
{
	struct shm_port *port = path->port;
	unsigned int taken = 0;
	int rc = path->state == SHM_PATH_UP ? 0 : -WEFT_EAGAIN;

	if (__builtin_expect(path->hot.state == SHM_HOT_MADE, 0))
		shm_hot_move(path);
	if (count == 1 && rc == 0 && !(flags & WEFT_TX_MORE)) {
		rc = tx_direct(path, &path->tx[class_], frames);
		if (__builtin_expect(rc > 0, 1))
			return 1;
	}
	while (taken < count && rc == 0) {
		rc = stage_frame(path, &path->tx[class_], &frames[taken]);
		taken += rc == 0;
	}
	port->stats.tx_frames += taken;
	if (flags & WEFT_TX_MORE)
		port->base.flush_due = true;
	else
		shm_port_publish(port);
	if (__builtin_expect(rc < 0, 0)) {
		if (why)
			*why = rc;
		if (path->state == SHM_PATH_UP)
			tx_failed(path, rc);
	}
	return taken;
}

unsigned int shm_port_tx(struct weft_path *base, enum weft_class class_, const struct weft_tx_frame *frames,
			 unsigned int count, unsigned int flags, int *why)
{
	struct shm_path *path = WEFT_CONTAINER_OF(base, struct shm_path, base);

	if (count == 1 && (flags & WEFT_TX_MORE || path->port->stage.count) &&
	    stage_one(path, &path->tx[class_], frames)) {
		if (flags & WEFT_TX_MORE)
			path->port->base.flush_due = true;
		else
			publish_staged(path->port);
		return 1;
	}
	return tx_any(path, class_, frames, count, flags, why);
}

void shm_port_flush(struct weft_port *base)
{
	struct shm_port *port = WEFT_CONTAINER_OF(base, struct shm_port, base);

	shm_port_publish(port);
	WEFT_LIST_FOR_EACH(at, &port->dirty) {
		struct shm_path *path = WEFT_CONTAINER_OF(at, struct shm_path, in_dirty);

		if (!shm_releases_flush(path))
			continue;
		path->dirty = false;
		weft_list_remove(at);
	}
	if (__builtin_expect(!weft_list_empty(&port->outbox), 0))
		shm_mail_flush(port);
	base->flush_due = !weft_list_empty(&port->dirty) || !weft_list_empty(&port->outbox);
}

void shm_path_dirty(struct shm_path *path)
{
	path->dirty = true;
	path->port->base.flush_due = true;
	weft_list_push_back(&path->port->dirty, &path->in_dirty);
}

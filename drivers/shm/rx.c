/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hot part of receiving: from the peers' rings, and who is looked at how often.
 */
#include "shm/shm.h"

/* What is not small data, now in scratch: 1 a frame for the layer above, 0 a message for this driver, -1 nonsense. */
static __attribute__((noinline)) int take_other(struct shm_path *path, struct shm_rx *rx, enum shm_kind kind,
						uint32_t len_bytes, const unsigned char *scratch,
						struct weft_rx_frame *frame)
{
	struct shm_loan loan;

	switch (kind) {
	case SHM_LOAN:
		if (len_bytes < sizeof loan || len_bytes > sizeof loan + SHM_LOAN_HEAD_MAX)
			return -1;
		memcpy(&loan, scratch, sizeof loan);
		frame->data = scratch + sizeof loan;
		frame->len_bytes = len_bytes - (uint32_t)sizeof loan;
		return shm_loan_check(path, &loan, frame) ? 1 : -1;
	case SHM_RELEASE:
		if (len_bytes % 4)
			return -1;
		shm_loan_released(path, (const uint32_t *)(const void *)scratch, len_bytes / 4);
		return 0;
	case SHM_MOVE:
		return shm_hot_follow(path, rx, scratch, len_bytes) ? 0 : -1;
	default:
		return -1;
	}
}

/*
 * Takes the message at the head, whose header was seen: 1 a frame, 0 a message for this driver, -1 nonsense. What the peer
 * can still change is read once: the header into locals, the data into scratch, and only copies are looked at.
 */
static inline __attribute__((always_inline)) int take(struct shm_path *path, struct shm_rx *rx, uint64_t start,
						      unsigned char *scratch, struct weft_rx_frame *frame)
{
	uint32_t len = shm_start_len(start), units = shm_start_units(start), data_units = shm_units_for(len) - 1;
	uint32_t index = rx->head & rx->mask;

	frame->path = &path->base;
	frame->meta = __atomic_load_n(&rx->units[index].meta, __ATOMIC_RELAXED);
	frame->len_bytes = len;
	frame->data = scratch;
	frame->loan_data = NULL;
	if (__builtin_expect(len > SHM_INLINE_MAX || !shm_units_fit(units, data_units), 0))
		return -1;
	shm_rx_read(rx, index, scratch, data_units);
	rx->head += units;
	if (__builtin_expect(shm_start_kind(start) != SHM_INLINE, 0))
		return take_other(path, rx, shm_start_kind(start), len, scratch, frame);
	path->port->stats.rx_inline_bytes += len;
	return 1;
}

/* Seldom, for it takes the line from the producer, which never needs the last part of the ring to go on. */
static inline void publish_head(struct shm_rx *rx, uint32_t after)
{
	if (__builtin_expect(rx->head - rx->published > after, 0))
		shm_rx_publish(rx);
}

/* All that one ring has, at most max, from the header that was seen. Returns the frames. */
static __attribute__((noinline)) unsigned int drain(struct shm_path *path, struct shm_rx *rx, uint64_t start,
						    struct weft_rx_frame *frames, unsigned int max)
{
	unsigned char(*scratch)[SHM_SCRATCH_BYTES] = &path->port->scratch[path->port->burst];
	struct weft_rx_frame *frame = frames;

	/* Bounded by messages, not by frames: releases make none, and a peer could send them for ever. */
	for (unsigned int looks = 0; looks < SHM_DRAIN_MAX && frame - frames != max; looks++) {
		int taken;

		shm_rx_together(rx, start);
		shm_rx_fetch(rx);
		taken = take(path, rx, start, *scratch, frame);
		if (__builtin_expect(taken < 0, 0)) {
			shm_path_down(path, WEFT_DOWN_VIOLATION);
			break;
		}
		frame += taken;
		scratch += taken;
		publish_head(rx, rx->mask / 4);
		start = shm_rx_start(rx);
		if (!shm_rx_ready(rx, start))
			break;
	}
	path->port->burst += (unsigned int)(frame - frames);
	return (unsigned int)(frame - frames);
}

/* Both rings of a path, express first. */
static __attribute__((noinline)) unsigned int drain_both(struct shm_path *path, uint64_t express_start,
							 uint64_t normal_start, struct weft_rx_frame *frames,
							 unsigned int max)
{
	struct shm_rx *normal = &path->rx[WEFT_CLASS_NORMAL];
	unsigned int count = drain(path, &path->rx[WEFT_CLASS_EXPRESS], express_start, frames, max);

	if (shm_rx_ready(normal, normal_start) && count < max && path->state == SHM_PATH_UP)
		count += drain(path, normal, normal_start, frames + count, max - count);
	return count;
}

/* One ring, in which mostly a single small message stands: that one takes the straight way. */
static inline __attribute__((always_inline)) unsigned int drain_normal(struct shm_path *path, uint64_t start,
								       struct weft_rx_frame *frames, unsigned int max)
{
	struct shm_rx *rx = &path->rx[WEFT_CLASS_NORMAL];
	struct shm_port *port = path->port;

	if (__builtin_expect(shm_start_kind(start) != SHM_INLINE || shm_start_lines(start) || !max, 0))
		return drain(path, rx, start, frames, max);
	if (__builtin_expect(take(path, rx, start, port->scratch[port->burst], frames) < 0, 0)) {
		shm_path_down(path, WEFT_DOWN_VIOLATION);
		return 0;
	}
	port->burst++;
	/* Rather with the next empty look: an answer to this message would wait in the store buffer behind the line. */
	publish_head(rx, rx->mask / 2);
	start = shm_rx_start(rx);
	return __builtin_expect(shm_rx_ready(rx, start), 0) ? 1 + drain(path, rx, start, frames + 1, max - 1) : 1;
}

/* What a path has; appends to the burst of this turn. */
static inline __attribute__((always_inline)) unsigned int poll_path(struct shm_path *path, struct weft_rx_frame *frames,
								    unsigned int max)
{
	struct shm_rx *express = &path->rx[WEFT_CLASS_EXPRESS], *normal = &path->rx[WEFT_CLASS_NORMAL];
	uint64_t express_start = shm_rx_start(express), normal_start = shm_rx_start(normal);
	bool has_express = shm_rx_ready(express, express_start), has_normal = shm_rx_ready(normal, normal_start);

	if (__builtin_expect(!(has_express | has_normal), 1)) {
		publish_head(normal, normal->mask / 4);
		return 0;
	}
	path->empty_looks = 0;
	if (__builtin_expect(has_express, 0))
		return drain_both(path, express_start, normal_start, frames, max);
	return drain_normal(path, normal_start, frames, max);
}

/* A few of the paths that were quiet, in turn; all of them before sleeping and after. */
static __attribute__((noinline)) unsigned int poll_quiet(struct shm_port *port, struct weft_rx_frame *frames,
							 unsigned int first, unsigned int max)
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

static __attribute__((noinline)) void take_down_doomed(struct shm_port *port)
{
	port->any_doomed = false;
	while (!weft_list_empty(&port->doomed))
		shm_path_down(WEFT_CONTAINER_OF(port->doomed.next, struct shm_path, in_doomed), WEFT_DOWN_VIOLATION);
}

unsigned int shm_port_rx(struct weft_port *base, struct weft_rx_frame *frames, unsigned int max)
{
	struct shm_port *port = WEFT_CONTAINER_OF(base, struct shm_port, base);
	unsigned int count = 0;

	max = max < SHM_BURST ? max : SHM_BURST;
	port->burst = 0;
	if (__builtin_expect(port->any_doomed, 0))
		take_down_doomed(port);
	/* An answer that is on its way is met sooner here than after another whole turn. */
	for (unsigned int looks = 0; looks < SHM_LOOKS && !count; looks++)
		count = poll_busy(port, frames, max);
	/* What has come is not kept waiting for a look at those that are quiet, but for each eighth time. */
	if (port->quiet_count && count < max && (!count || ++port->passed_over == SHM_PASS_OVER)) {
		port->passed_over = 0;
		count += poll_quiet(port, frames, count, max);
	}
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

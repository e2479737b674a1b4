/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths begin with small rings, so that many idle ones cost little. Where the reader falls behind, a small ring makes the
 * two wait for each other: lines go back and forth, and few of them can be on their way. So a producer whose ring has been full
 * often moves to a larger one: the runner makes it, the peer maps its segment as it does for loans, and a message in the old
 * ring, the last one there, says where the next ones stand. Positions go on as if nothing had happened. It stays until the
 * path is closed, for being idle at the latest; a device has a limited number of them, and nobody gets more than are left.
 */
#include "shm/shm.h"

#include <unistd.h>
#include <weft/errors.h>

/* ---- the producer ---- */

void shm_hot_full(struct shm_path *path)
{
	uint32_t tail = path->tx[WEFT_CLASS_NORMAL].tail;

	if (path->hot.state != SHM_COLD || tail == path->hot.full_tail)
		return;
	path->hot.full_tail = tail;
	if (++path->hot.full_count < SHM_HOT_FULLS || path->state != SHM_PATH_UP)
		return;
	path->hot.state = SHM_HOT_ASKED;
	shm_tell_runner(path, SHM_TELL_HEAT);
}

/* Whether the path's process has fewer than are left: one may have half, and the next ones still get some. Ours may have all. */
static bool has_share(const struct shm_path *path)
{
	unsigned int of_one = 0;

	WEFT_LIST_FOR_EACH(at, &path->device->paths) {
		const struct shm_path *other = WEFT_CONTAINER_OF(at, struct shm_path, in_device);

		of_one += other->who == path->who && other->hot.carving.base;
	}
	return path->who == getpid() || of_one < SHM_HOT_RINGS_MAX - path->device->hot_rings;
}

void shm_hot_make_on_runner(struct weft_worker *runner, const struct weft_message *message)
{
	struct shm_path *path = message->with.pointers[0];
	struct shm_device *device = path->device;
	size_t len_bytes = (size_t)path->port->hot_slots * SHM_SLOT_BYTES;

	(void)runner;
	if (len_bytes <= (size_t)path->port->slots * SHM_SLOT_BYTES || device->hot_rings >= SHM_HOT_RINGS_MAX ||
	    !has_share(path) ||
	    weft_arena_carve(device->opts.arena, len_bytes + SHM_SLOT_BYTES, &path->hot.carving) < 0) {
		path->hot.carving.base = NULL;
	} else if (path->hot.carving.segment_id >= SHM_SEGMENTS) {
		weft_arena_uncarve(device->opts.arena, &path->hot.carving); /* it cannot be shared */
		path->hot.carving.base = NULL;
	} else {
		/* pairs of lines, as ever */
		path->hot.skip_bytes = path->hot.carving.offset_bytes % ((size_t)2 * SHM_SLOT_BYTES);
		/* No unit is the message that is awaited at its place: none ends its first lap where the count begins anew. */
		memset((char *)path->hot.carving.base + path->hot.skip_bytes, 0, len_bytes);
		device->hot_rings++;
	}
	shm_tell_worker(path, SHM_TELL_HOT);
}

void shm_hot_made_on_worker(struct weft_worker *worker, const struct weft_message *message)
{
	struct shm_path *path = message->with.pointers[0];

	(void)worker;
	path->hot.state = path->hot.carving.base ? SHM_HOT_MADE : SHM_HOT_REFUSED;
}

/* Whether the count of positions begins anew while units of the larger ring are as they were made. */
static bool wraps_soon(const struct shm_path *path, const struct shm_tx *tx)
{
	return tx->tail + 2 * path->port->hot_slots * SHM_LINE_UNITS < tx->tail;
}

void shm_hot_move(struct shm_path *path)
{
	struct shm_tx *tx = &path->tx[WEFT_CLASS_NORMAL];
	uint32_t segment_id = path->hot.carving.segment_id, end = tx->tail + SHM_LINE_UNITS;
	struct shm_move move = {segment_id, path->port->hot_slots,
				path->hot.carving.offset_bytes + path->hot.skip_bytes};

	if (path->shared[segment_id] != SHM_SHARE_DONE) {
		shm_path_share(&path->base, segment_id);
		return;
	}
	if (path->state != SHM_PATH_UP || path->port->stage.count || wraps_soon(path, tx) ||
	    shm_tx_room(tx, SHM_LINE_UNITS) <= 0)
		return; /* later; what cannot be is found out by whoever sends */
	memcpy(shm_tx_begin(tx, end), &move, sizeof move);
	shm_tx_finish(tx, end, SHM_MOVE, 0, sizeof move);
	shm_tx_ring(tx, (struct shm_unit *)(void *)((char *)path->hot.carving.base + path->hot.skip_bytes),
		    path->port->hot_slots);
	shm_tx_bar(tx);
	path->hot.state = SHM_HOT;
	path->port->stats.hot_rings++;
}

void shm_hot_free(struct shm_path *path)
{
	if (!path->hot.carving.base)
		return;
	weft_arena_uncarve(path->device->opts.arena, &path->hot.carving);
	path->device->hot_rings--;
}

/* ---- the consumer ---- */

bool shm_hot_follow(struct shm_path *path, struct shm_rx *rx, const unsigned char *message, uint32_t len_bytes)
{
	const struct weft_mapping *map;
	struct shm_move move;
	uint64_t end_bytes;

	if (len_bytes != sizeof move)
		return false;
	memcpy(&move, message, sizeof move);
	map = shm_shares_find(path, move.segment_id);
	if (!map || move.slots < SHM_SLOTS_MIN || move.slots > SHM_SLOTS_MAX || move.slots & (move.slots - 1) ||
	    move.offset_bytes % SHM_SLOT_BYTES ||
	    __builtin_add_overflow(move.offset_bytes, (uint64_t)move.slots * SHM_SLOT_BYTES, &end_bytes) ||
	    end_bytes > map->len_bytes)
		return false;
	rx->units = (const struct shm_unit *)(const void *)(map->base + move.offset_bytes);
	rx->mask = move.slots * SHM_LINE_UNITS - 1;
	shm_rx_publish(rx);
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two halves of a path: each side carves rings out of its own memory and makes a bell, hands over the segments and
 * an end of the bell, and maps what it gets.
 */
#include "shm/shm.h"

#include <string.h>
#include <unistd.h>
#include <weft/errors.h>

#define CONTROL_SEGMENT_MAX_BYTES (UINT64_C(1) << 30)

/* ---- ours ---- */

int shm_half_make(struct shm_path *path, struct shm_wire *wire, int fds[SHM_FDS_MAX])
{
	struct shm_port *port = path->port;
	const uint32_t slots[WEFT_CLASS_COUNT] = {SHM_EXPRESS_SLOTS, port->slots};
	const struct weft_segment *rings, *armed, *life;
	char *at;
	size_t skip;
	int rc = weft_arena_carve(path->device->opts.arena, shm_rings_bytes(slots) + SHM_SLOT_BYTES, &path->carving);

	if (rc < 0)
		return rc;
	/* Slots in aligned pairs: processors fetch the second line of a pair along with the first. */
	skip = path->carving.offset_bytes % ((size_t)2 * SHM_SLOT_BYTES);
	at = (char *)path->carving.base + skip;
	memset(at, 0, shm_rings_bytes(slots));
	for (unsigned int i = 0; i < WEFT_CLASS_COUNT; i++) {
		shm_tx_ring(&path->tx[i], (struct shm_unit *)(void *)at, slots[i]);
		at += (size_t)slots[i] * SHM_SLOT_BYTES;
		wire->slots[i] = slots[i];
	}
	for (unsigned int i = 0; i < WEFT_CLASS_COUNT; i++)
		path->rx[i].own_head = (struct shm_head *)(void *)at + i;
	wire->rings = (struct shm_place){path->carving.segment_id, 0, path->carving.offset_bytes + skip};
	wire->armed = (struct shm_place){port->armed_carving.segment_id, 0, port->armed_carving.offset_bytes};
	wire->life = (struct shm_place){port->armed_carving.segment_id, 0, 0};
	(void)shm_watch_join(path, &wire->life); /* without it our death is told later, as is the peer's */
	rings = weft_arena_segment(path->device->opts.arena, path->carving.segment_id);
	armed = weft_arena_segment(path->device->opts.arena, port->armed_carving.segment_id);
	life = weft_arena_segment(path->device->opts.arena, wire->life.segment_id);
	wire->segment_len_bytes[0] = rings->len_bytes;
	wire->segment_len_bytes[1] = armed->len_bytes;
	fds[0] = rings->fd;
	fds[1] = armed->fd;
	fds[2] = life->fd;
	return shm_bell_make(&path->bell, &fds[SHM_SEGMENT_FDS]);
}

int shm_half_send(int fd, const struct shm_wire *wire, const int fds[SHM_FDS_MAX])
{
	int rc = shm_wire_send(fd, wire, fds, SHM_FDS_MAX);

	close(fds[SHM_SEGMENT_FDS]);
	return rc;
}

/* ---- the peer's ---- */

bool shm_half_is(const struct shm_wire *wire, enum shm_message_type type, const int *fds, unsigned int fd_count)
{
	return wire->type == type && fd_count == SHM_FDS_MAX && shm_foreign_is_bell(fds[SHM_SEGMENT_FDS]);
}

static int map_segment(struct shm_path *path, const struct shm_wire *wire, uint32_t segment_id, int fd,
		       const struct weft_mapping **out)
{
	struct weft_mapping *mapping = &path->mappings[path->mapping_count];
	int rc = shm_mapping_open(path, fd, wire->incarnation, segment_id, CONTROL_SEGMENT_MAX_BYTES, mapping);

	if (rc < 0)
		return rc;
	path->mapping_count++;
	*out = mapping;
	return 0;
}

int shm_half_join(struct shm_path *path, const struct shm_wire *wire, const int *fds, unsigned int *fd_count)
{
	const struct weft_mapping *rings, *armed, *life;
	const char *at;
	int rc = map_segment(path, wire, wire->rings.segment_id, fds[0], &rings);

	armed = life = rings;
	if (rc == 0 && wire->armed.segment_id != wire->rings.segment_id)
		rc = map_segment(path, wire, wire->armed.segment_id, fds[1], &armed);
	if (rc == 0 && wire->life.segment_id == wire->armed.segment_id)
		life = armed;
	else if (rc == 0 && wire->life.segment_id != wire->rings.segment_id)
		rc = map_segment(path, wire, wire->life.segment_id, fds[2], &life);
	if (rc < 0)
		return rc;
	if (!shm_wire_fits(wire, rings->len_bytes, armed->len_bytes, life->len_bytes))
		return weft_set_error(WEFT_EPROTO, "the peer's rings lie outside its segment");
	at = rings->base + wire->rings.offset_bytes;
	for (unsigned int i = 0; i < WEFT_CLASS_COUNT; i++) {
		path->rx[i].units = (const struct shm_unit *)(const void *)at;
		path->rx[i].mask = wire->slots[i] * SHM_LINE_UNITS - 1;
		at += (size_t)wire->slots[i] * SHM_SLOT_BYTES;
	}
	for (unsigned int i = 0; i < WEFT_CLASS_COUNT; i++)
		path->tx[i].peer_head = (const struct shm_head *)(const void *)at + i;
	path->peer_armed = (const struct shm_armed *)(const void *)(armed->base + wire->armed.offset_bytes);
	if (wire->life.offset_bytes)
		path->peer_life =
			&((const struct shm_life *)(const void *)(life->base + wire->life.offset_bytes))->word;
	path->ring_fd = fds[--*fd_count];
	return 0;
}

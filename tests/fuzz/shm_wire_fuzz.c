/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever comes over a path's socket: it is refused, or everything that the rest relies on holds. The last 16 bytes of
 * the input are the lengths of the two segments.
 */
#include "fuzz.h"
#include "shm/wire.h"

#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>

static void check_piece(uint64_t offset_bytes, uint64_t align_bytes, uint64_t len_bytes, uint64_t segment_len_bytes)
{
	if (offset_bytes % align_bytes || offset_bytes > segment_len_bytes ||
	    len_bytes > segment_len_bytes - offset_bytes)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	uint64_t lengths[3];
	struct shm_wire wire;
	int rc;

	if (len_bytes < sizeof lengths)
		return 0;
	len_bytes -= sizeof lengths;
	memcpy(lengths, data + len_bytes, sizeof lengths);
	rc = shm_wire_decode(data, len_bytes, &wire);
	if (rc < 0) {
		if (rc != -WEFT_EPROTO && rc != -WEFT_EVERSION)
			abort();
		return 0;
	}
	if (wire.hello_len_bytes > sizeof wire.hello || wire.type < SHM_ATTACH || wire.type > SHM_BYE)
		abort();
	if (wire.type > SHM_ACCEPT)
		return 0;
	for (unsigned int i = 0; i < WEFT_CLASS_COUNT; i++)
		if (wire.slots[i] < SHM_SLOTS_MIN || wire.slots[i] > SHM_SLOTS_MAX ||
		    wire.slots[i] & (wire.slots[i] - 1))
			abort();
	if (shm_wire_fits(&wire, lengths[0], lengths[1], lengths[2])) {
		check_piece(wire.rings.offset_bytes, WEFT_CACHE_LINE, shm_rings_bytes(wire.slots), lengths[0]);
		check_piece(wire.armed.offset_bytes, WEFT_CACHE_LINE, sizeof(struct shm_armed), lengths[1]);
		if (wire.life.offset_bytes)
			check_piece(wire.life.offset_bytes, sizeof(struct shm_life), sizeof(struct shm_life),
				    lengths[2]);
	}
	return 0;
}

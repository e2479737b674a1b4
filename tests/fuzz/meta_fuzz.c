/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The 64 bits of meta that come with each frame: whatever they are, they come apart into fields within their bounds,
 * and together again to the same bits.
 */
#include "fuzz.h"
#include "wire/meta.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	uint64_t meta;

	for (; len_bytes >= sizeof meta; data += sizeof meta, len_bytes -= sizeof meta) {
		unsigned int kind, flags;

		memcpy(&meta, data, sizeof meta);
		kind = weft__meta_kind(meta);
		flags = weft__meta_flags(meta);
		if (kind > 0xff || flags > 0xff)
			abort();
		if (weft__meta((enum weft__kind)kind, flags, weft__meta_lane(meta), weft__meta_sequence(meta)) != meta)
			abort();
	}
	return 0;
}

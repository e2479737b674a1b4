/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Read-only views of other processes' segments. Nothing that comes with the descriptor is believed: seals, size
 * and header are checked, the header in a copy, because its owner can still write it.
 */
#include <weft/errors.h>
#include <weft/segment.h>

#include "mem/map_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* Only memfds have seals: F_GET_SEALS fails on anything else. Sealed, the size cannot change any more. */
static int check_file(int fd, size_t max_len_bytes, size_t *len_bytes)
{
	int seals = fcntl(fd, F_GET_SEALS);
	size_t page_bytes = weft__mem_page_bytes();
	struct stat status;

	if (seals < 0)
		return weft_set_error(WEFT_EPROTO, "descriptor %d from a peer has no seals: %m", fd);
	if ((seals & MEM_SEALS) != MEM_SEALS)
		return weft_set_error(WEFT_EPROTO, "a peer's segment has seals %#x, not all of %#x",
				      (unsigned int)seals, (unsigned int)MEM_SEALS);
	if (fstat(fd, &status))
		return weft_set_error(WEFT_EPROTO, "cannot read the size of a peer's segment: %m");
	if (status.st_size < (off_t)page_bytes || (uint64_t)status.st_size > max_len_bytes ||
	    (size_t)status.st_size % page_bytes)
		return weft_set_error(WEFT_EPROTO, "a peer's segment has %jd bytes: not whole pages up to %zu",
				      (intmax_t)status.st_size, max_len_bytes);
	/* A page that is not there yet would have to be found when it is read, with SIGBUS if there is none. */
	if (status.st_blocks < status.st_size / 512)
		return weft_set_error(WEFT_EPROTO, "a peer's segment of %jd bytes is not populated",
				      (intmax_t)status.st_size);
	*len_bytes = (size_t)status.st_size;
	return 0;
}

static int check_header(const struct weft_segment_header *header, size_t len_bytes, uint64_t incarnation,
			uint32_t segment_id)
{
	if (header->magic != WEFT_SEGMENT_MAGIC)
		return weft_set_error(WEFT_EPROTO, "a peer's segment begins with %#" PRIx64 ", not the magic number",
				      header->magic);
	if (header->layout != WEFT_SEGMENT_LAYOUT)
		return weft_set_error(WEFT_EVERSION, "a peer's segment has layout %" PRIu32 ", known is %d",
				      header->layout, WEFT_SEGMENT_LAYOUT);
	if (header->features)
		return weft_set_error(WEFT_EVERSION, "a peer's segment needs features %#" PRIx32 ", none is known",
				      header->features);
	if (header->len_bytes != len_bytes)
		return weft_set_error(WEFT_EPROTO, "a peer's segment says %" PRIu64 " bytes and has %zu",
				      header->len_bytes, len_bytes);
	if (header->incarnation != incarnation)
		return weft_set_error(WEFT_EPROTO, "a peer's segment is of incarnation %#" PRIx64 ", not %#" PRIx64,
				      header->incarnation, incarnation);
	if (header->segment_id != segment_id)
		return weft_set_error(WEFT_EPROTO, "a peer's segment has number %" PRIu32 ", announced was %" PRIu32,
				      header->segment_id, segment_id);
	return 0;
}

int weft_mapping_open(int fd, uint64_t incarnation, uint32_t segment_id, size_t max_len_bytes, struct weft_mapping *out)
{
	struct weft_segment_header header;
	size_t len_bytes = 0;
	void *base;
	int rc = check_file(fd, max_len_bytes, &len_bytes);

	if (rc)
		return rc;
	base = weft__mem_map(fd, len_bytes, PROT_READ);
	if (!base)
		return weft_set_error(errno == ENOMEM ? WEFT_ENOMEM : WEFT_EPROTO,
				      "cannot map a peer's segment of %zu bytes: %m", len_bytes);
	memcpy(&header, base, sizeof header);
	rc = check_header(&header, len_bytes, incarnation, segment_id);
	if (rc) {
		munmap(base, len_bytes);
		return rc;
	}
	*out = (struct weft_mapping){.base = base, .len_bytes = len_bytes, .segment_id = segment_id};
	return 0;
}

void weft_mapping_close(struct weft_mapping *mapping)
{
	if (mapping->base)
		munmap((void *)mapping->base, mapping->len_bytes);
	*mapping = (struct weft_mapping){0};
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps memfds at addresses that suit huge pages. Not here: what is in them, or whether they can be trusted.
 */
#include "mem/map_private.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

size_t weft__mem_page_bytes(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

/* Replaces part of a reservation that is larger by one huge page, and gives the rest of it back. */
static void *map_aligned(int fd, size_t len_bytes, int protection)
{
	size_t reserved_bytes = len_bytes + MEM_HUGE_BYTES;
	char *reserved = mmap(NULL, reserved_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *base;
	size_t lead;

	if (reserved == MAP_FAILED)
		return MAP_FAILED;
	lead = mem_round_up((uintptr_t)reserved, MEM_HUGE_BYTES) - (uintptr_t)reserved;
	base = mmap(reserved + lead, len_bytes, protection, MAP_SHARED | MAP_FIXED, fd, 0);
	if (base == MAP_FAILED) {
		int saved = errno;

		munmap(reserved, reserved_bytes);
		errno = saved;
		return MAP_FAILED;
	}
	if (lead)
		munmap(reserved, lead);
	if (lead < MEM_HUGE_BYTES)
		munmap(base + len_bytes, MEM_HUGE_BYTES - lead);
	return base;
}

void *weft__mem_map(int fd, size_t len_bytes, int protection)
{
	void *base = len_bytes < MEM_HUGE_BYTES ? mmap(NULL, len_bytes, protection, MAP_SHARED, fd, 0)
						: map_aligned(fd, len_bytes, protection);

	if (base == MAP_FAILED)
		return NULL;
	if (madvise(base, len_bytes, MADV_DONTFORK) || madvise(base, len_bytes, MADV_DONTDUMP)) {
		int saved = errno;

		munmap(base, len_bytes);
		errno = saved;
		return NULL;
	}
	return base;
}

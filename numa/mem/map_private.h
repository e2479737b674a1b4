/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What segments and mappings share: how a memfd is mapped, and sizes.
 */
#ifndef MEM_MAP_PRIVATE_H
#define MEM_MAP_PRIVATE_H

#include <stddef.h>

#define MEM_HUGE_BYTES ((size_t)2 << 20)

/* All of what a segment's memfd must be sealed with. */
#define MEM_SEALS (F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

/* Rounds up to a multiple of step, a power of two; the caller has checked that there is room. */
static inline size_t mem_round_up(size_t len_bytes, size_t step)
{
	return (len_bytes + step - 1) & ~(step - 1);
}

size_t weft__mem_page_bytes(void);

/*
 * Maps all of fd shared, hidden from forked children and core dumps. From 2 MiB on the address is a multiple of
 * 2 MiB, because huge pages can only be mapped whole. NULL with errno.
 */
void *weft__mem_map(int fd, size_t len_bytes, int protection);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the ring of many producers, for those of this layer who look into it on each turn.
 */
#ifndef MPSC_PRIVATE_H
#define MPSC_PRIVATE_H

#include <weft/ring.h>

#include <stdatomic.h>

struct weft__mpsc_cell {
	_Atomic size_t sequence;
	unsigned char element[];
};

struct weft_mpsc {
	/* Constant after open. */
	_Alignas(WEFT_CACHE_LINE) size_t mask;
	size_t element_bytes;
	size_t cell_bytes;
	unsigned char *cells;
	/* The producers' line. */
	_Alignas(WEFT_CACHE_LINE) _Atomic size_t tail;
	/* The consumer's line. */
	_Alignas(WEFT_CACHE_LINE) size_t head;
	struct weft__mpsc_cell *next; /* the one at head */
};

static inline bool weft__mpsc_has(const struct weft_mpsc *ring)
{
	/* pairs with the release in weft_mpsc_push */
	return atomic_load_explicit(&ring->next->sequence, memory_order_acquire) == ring->head + 1;
}

#endif

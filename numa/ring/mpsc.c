/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many producers, one consumer: Vyukov's bounded queue. A cell's sequence equals its index when the cell is free
 * for that index, and the index + 1 when its element is there; taking the element out sets it to index + slot_count.
 */
#include "ring/mpsc_private.h"

#include <weft/errors.h>

#include <stdlib.h>
#include <string.h>

static struct weft__mpsc_cell *cell_at(const struct weft_mpsc *ring, size_t index)
{
	return (struct weft__mpsc_cell *)(void *)(ring->cells + (index & ring->mask) * ring->cell_bytes);
}

int weft_mpsc_open(size_t slot_count, size_t element_bytes, struct weft_mpsc **out)
{
	struct weft_mpsc *ring;
	int rc;

	if (slot_count < 2 || slot_count > (size_t)1 << 30 || (slot_count & (slot_count - 1)) != 0)
		return weft_set_error(WEFT_EINVAL, "ring slots must be a power of two from 2 to 2^30, not %zu",
				      slot_count);
	if (element_bytes == 0 || element_bytes > 4096)
		return weft_set_error(WEFT_EINVAL, "ring elements must have 1 to 4096 bytes, not %zu", element_bytes);
	ring = aligned_alloc(WEFT_CACHE_LINE, sizeof *ring);
	if (ring == NULL)
		return weft_set_error(WEFT_ENOMEM, "no memory for a ring");
	memset(ring, 0, sizeof *ring);
	ring->mask = slot_count - 1;
	ring->element_bytes = element_bytes;
	ring->cell_bytes = (sizeof(struct weft__mpsc_cell) + element_bytes + 7) & ~(size_t)7;
	ring->cells = calloc(slot_count, ring->cell_bytes);
	if (ring->cells == NULL) {
		rc = weft_set_error(WEFT_ENOMEM, "no memory for %zu ring slots of %zu bytes", slot_count,
				    element_bytes);
		goto free_ring;
	}
	for (size_t i = 0; i < slot_count; i++)
		atomic_init(&cell_at(ring, i)->sequence, i);
	atomic_init(&ring->tail, 0);
	ring->next = cell_at(ring, 0);
	*out = ring;
	return 0;

free_ring:
	free(ring);
	return rc;
}

void weft_mpsc_close(struct weft_mpsc **ring)
{
	if (*ring == NULL)
		return;
	free((*ring)->cells);
	free(*ring);
	*ring = NULL;
}

bool weft_mpsc_push(struct weft_mpsc *ring, const void *element)
{
	size_t index = atomic_load_explicit(&ring->tail, memory_order_relaxed);

	for (;;) {
		struct weft__mpsc_cell *cell = cell_at(ring, index);
		/* pairs with the release in weft_mpsc_pop: the element has been read */
		size_t sequence = atomic_load_explicit(&cell->sequence, memory_order_acquire);
		ptrdiff_t ahead = (ptrdiff_t)(sequence - index);

		if (ahead < 0)
			return false;
		if (ahead > 0) {
			index = atomic_load_explicit(&ring->tail, memory_order_relaxed);
			continue;
		}
		if (!atomic_compare_exchange_weak_explicit(&ring->tail, &index, index + 1, memory_order_relaxed,
							   memory_order_relaxed))
			continue;
		memcpy(cell->element, element, ring->element_bytes);
		/* pairs with the acquire in weft_mpsc_pop and weft_mpsc_has: the element is written */
		atomic_store_explicit(&cell->sequence, index + 1, memory_order_release);
		return true;
	}
}

bool weft_mpsc_has(const struct weft_mpsc *ring)
{
	return weft__mpsc_has(ring);
}

bool weft_mpsc_pop(struct weft_mpsc *ring, void *element)
{
	struct weft__mpsc_cell *cell = ring->next;

	if (!weft__mpsc_has(ring))
		return false;
	memcpy(element, cell->element, ring->element_bytes);
	/* pairs with the acquire in weft_mpsc_push */
	atomic_store_explicit(&cell->sequence, ring->head + ring->mask + 1, memory_order_release);
	ring->next = cell_at(ring, ++ring->head);
	return true;
}

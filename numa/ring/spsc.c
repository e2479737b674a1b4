/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One producer, one consumer. Indexes count without wrapping to the slot count, so that head == tail means empty and
 * a difference of slot_count means full. Each side keeps a copy of the other's index and reads the real one only
 * when the copy says there is nothing to do.
 */
#include <weft/errors.h>
#include <weft/ring.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct weft_spsc {
	/* Constant after open. */
	_Alignas(WEFT_CACHE_LINE) size_t mask;
	size_t element_bytes;
	unsigned char *slots;
	/* The producer's line. */
	_Alignas(WEFT_CACHE_LINE) _Atomic size_t tail;
	size_t head_seen;
	/* The consumer's line. */
	_Alignas(WEFT_CACHE_LINE) _Atomic size_t head;
	size_t tail_seen;
};

int weft_spsc_open(size_t slot_count, size_t element_bytes, struct weft_spsc **out)
{
	struct weft_spsc *ring;
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
	ring->slots = calloc(slot_count, element_bytes);
	if (ring->slots == NULL) {
		rc = weft_set_error(WEFT_ENOMEM, "no memory for %zu ring slots of %zu bytes", slot_count,
				    element_bytes);
		goto free_ring;
	}
	atomic_init(&ring->tail, 0);
	atomic_init(&ring->head, 0);
	*out = ring;
	return 0;

free_ring:
	free(ring);
	return rc;
}

void weft_spsc_close(struct weft_spsc **ring)
{
	if (*ring == NULL)
		return;
	free((*ring)->slots);
	free(*ring);
	*ring = NULL;
}

static size_t at_most(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t weft_spsc_push(struct weft_spsc *ring, const void *elements, size_t count)
{
	size_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	size_t slot_count = ring->mask + 1, first;

	if (slot_count - (tail - ring->head_seen) < count)
		/* pairs with the release of head in weft_spsc_pop: the slots have been read */
		ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
	count = at_most(count, slot_count - (tail - ring->head_seen));
	if (count == 0)
		return 0;
	first = at_most(count, slot_count - (tail & ring->mask));
	memcpy(ring->slots + (tail & ring->mask) * ring->element_bytes, elements, first * ring->element_bytes);
	memcpy(ring->slots, (const unsigned char *)elements + first * ring->element_bytes,
	       (count - first) * ring->element_bytes);
	/* pairs with the acquire of tail in weft_spsc_pop and weft_spsc_has: the slots are written */
	atomic_store_explicit(&ring->tail, tail + count, memory_order_release);
	return count;
}

size_t weft_spsc_pop(struct weft_spsc *ring, void *elements, size_t count)
{
	size_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	size_t slot_count = ring->mask + 1, first;

	if (ring->tail_seen - head < count)
		/* pairs with the release of tail in weft_spsc_push */
		ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
	count = at_most(count, ring->tail_seen - head);
	if (count == 0)
		return 0;
	first = at_most(count, slot_count - (head & ring->mask));
	memcpy(elements, ring->slots + (head & ring->mask) * ring->element_bytes, first * ring->element_bytes);
	memcpy((unsigned char *)elements + first * ring->element_bytes, ring->slots,
	       (count - first) * ring->element_bytes);
	/* pairs with the acquire of head in weft_spsc_push */
	atomic_store_explicit(&ring->head, head + count, memory_order_release);
	return count;
}

bool weft_spsc_has(const struct weft_spsc *ring)
{
	/* pairs with the release of tail in weft_spsc_push */
	return atomic_load_explicit(&ring->tail, memory_order_acquire) !=
	       atomic_load_explicit(&ring->head, memory_order_relaxed);
}

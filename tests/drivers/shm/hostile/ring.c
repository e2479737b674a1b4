/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings as an attacker writes and reads them.
 */
#include "hostile.h"
#include "patience.h"

#include <sched.h>
#include <string.h>

#define UNITS (HOSTILE_SLOTS * SHM_LINE_UNITS)

static struct shm_unit *own_unit(struct hostile *h, enum weft_class class_, uint32_t position)
{
	struct shm_unit *units = (struct shm_unit *)(void *)(h->memory + h->attach.rings.offset_bytes);

	return units + (size_t)class_ * UNITS + position % UNITS;
}

/* Where the victim stands in our ring. */
static uint32_t their_head(const struct hostile *h, enum weft_class class_)
{
	const unsigned char *heads = h->theirs + h->accept.rings.offset_bytes +
				     ((size_t)h->accept.slots[0] + h->accept.slots[1]) * SHM_SLOT_BYTES;

	/* acquire: pairs with the release in the victim's shm_rx_publish(). */
	return atomic_load_explicit(&((const struct shm_head *)(const void *)heads)[class_].position,
				    memory_order_acquire);
}

bool hostile_is_full(const struct hostile *h, enum weft_class class_)
{
	return h->tails[class_] - their_head(h, class_) > UNITS - SHM_UNITS_MAX - SHM_LINE_UNITS;
}

bool hostile_put_units(struct hostile *h, enum weft_class class_, unsigned int kind, uint32_t claimed_units,
		       uint32_t claimed_len_bytes, const void *data, size_t data_len_bytes)
{
	uint64_t end_ns = patience_end_ns();
	struct shm_unit *unit = own_unit(h, class_, h->tails[class_]);

	while (hostile_is_full(h, class_)) {
		HOSTILE_EXPECT(weft_clock_now(weft_clock_real()) < end_ns);
		if (hostile_over(h))
			return false;
		sched_yield();
	}
	unit->meta = h->tails[class_];
	memcpy(unit + 1, data, data_len_bytes);
	/* release: pairs with the acquire in the victim's shm_rx_start(). */
	atomic_store_explicit(&unit->start,
			      shm_start(h->tails[class_], (enum shm_kind)kind, claimed_units, claimed_len_bytes),
			      memory_order_release);
	h->tails[class_] += claimed_units;
	return true;
}

bool hostile_put(struct hostile *h, enum weft_class class_, unsigned int kind, uint32_t claimed_len_bytes,
		 const void *data, size_t data_len_bytes)
{
	uint32_t units = claimed_len_bytes <= SHM_INLINE_MAX ? shm_line_end(shm_units_for(claimed_len_bytes))
							     : SHM_LINE_UNITS;

	return hostile_put_units(h, class_, kind, units, claimed_len_bytes, data, data_len_bytes);
}

void hostile_skip(struct hostile *h, enum weft_class class_)
{
	const struct shm_unit *units = (const struct shm_unit *)(const void *)(h->theirs +
									       h->accept.rings.offset_bytes);
	uint32_t mask = h->accept.slots[class_] * SHM_LINE_UNITS - 1, at = h->heads[class_];
	uint64_t start;

	if (class_ == WEFT_CLASS_NORMAL)
		units += (size_t)h->accept.slots[WEFT_CLASS_EXPRESS] * SHM_LINE_UNITS;
	/* acquire: pairs with the release of the victim's shm_tx_finish(). */
	while ((uint32_t)(start = atomic_load_explicit(&units[at & mask].start, memory_order_acquire)) == at + 1)
		at += shm_start_units(start);
	h->heads[class_] = at;
	hostile_set_head(h, class_, at);
}

void hostile_set_head(struct hostile *h, enum weft_class class_, uint32_t position)
{
	unsigned char *heads = h->memory + h->attach.rings.offset_bytes +
			       (size_t)WEFT_CLASS_COUNT * HOSTILE_SLOTS * SHM_SLOT_BYTES;

	/* release: pairs with the acquire in the victim's shm_tx_room(). */
	atomic_store_explicit(&((struct shm_head *)(void *)heads)[class_].position, position, memory_order_release);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings as an attacker writes and reads them.
 */
#include "hostile.h"

#include <sched.h>
#include <string.h>
#include <weft/clock.h>

#define WAIT_NS UINT64_C(20000000000)

static struct shm_slot *own_slot(struct hostile *h, enum weft_class class_, uint32_t position)
{
	struct shm_slot *slots = (struct shm_slot *)(void *)(h->memory + h->attach.rings.offset_bytes);

	return slots + (size_t)class_ * HOSTILE_SLOTS + position % HOSTILE_SLOTS;
}

/* Where the victim stands in our ring. */
static uint32_t their_head(const struct hostile *h, enum weft_class class_)
{
	const unsigned char *heads = h->theirs + h->accept.rings.offset_bytes +
				     ((size_t)h->accept.slots[0] + h->accept.slots[1]) * SHM_SLOT_BYTES;

	/* acquire: pairs with the release in the victim's shm_rx_publish(). */
	return atomic_load_explicit(&((const struct shm_head *)(const void *)heads)[class_].position, memory_order_acquire);
}

bool hostile_is_full(const struct hostile *h, enum weft_class class_)
{
	return h->tails[class_] - their_head(h, class_) >= HOSTILE_SLOTS;
}

bool hostile_put(struct hostile *h, enum weft_class class_, unsigned int kind, uint32_t claimed_len_bytes,
		 const void *data, size_t data_len_bytes)
{
	uint64_t end_ns = weft_clock_now(weft_clock_real()) + WAIT_NS;
	struct shm_slot *slot = own_slot(h, class_, h->tails[class_]);

	while (hostile_is_full(h, class_)) {
		HOSTILE_EXPECT(weft_clock_now(weft_clock_real()) < end_ns);
		if (hostile_over(h))
			return false;
		sched_yield();
	}
	slot->kind_len = kind | claimed_len_bytes << 8;
	slot->meta = h->tails[class_];
	memcpy(slot->data, data, data_len_bytes);
	/* release: pairs with the acquire in the victim's shm_rx_ready(). */
	atomic_store_explicit(&slot->sequence, ++h->tails[class_], memory_order_release);
	return true;
}

void hostile_set_head(struct hostile *h, enum weft_class class_, uint32_t position)
{
	unsigned char *heads = h->memory + h->attach.rings.offset_bytes +
			       (size_t)WEFT_CLASS_COUNT * HOSTILE_SLOTS * SHM_SLOT_BYTES;

	/* release: pairs with the acquire in the victim's shm_tx_room(). */
	atomic_store_explicit(&((struct shm_head *)(void *)heads)[class_].position, position, memory_order_release);
}

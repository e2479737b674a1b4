/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two ends of one ring. The hot path of the driver: everything here is inline.
 *
 * Sequence in the slot (FastForward, Giacomoni 2008): the consumer polls the very line that carries the message, so one
 * line moves. A slot that continues a message holds data, which may look like anything, also like the sequence that the
 * consumer will look for there one lap later. Therefore the producer, before it publishes the message that ends at
 * position p, looks at slot p in its own memory, and turns a first word that equals p + 1 into p
 * (not into 0, which is what the consumer awaits at the position before the count begins anew). Slot p is then either
 * consumed, so that nobody reads it before the message is published, or begins the oldest message that is not consumed,
 * whose sequence differs by the ring's size and is left alone.
 */
#ifndef RING_H
#define RING_H

#include "shm/layout.h"

#include <string.h>

#define SHM_PREFETCH_SLOTS 8

/* The producer's end: private, but for what it points to. */
struct shm_tx {
	struct shm_slot *slots;
	const struct shm_head *peer_head;
	uint32_t mask;
	uint32_t tail;        /* next position to write */
	uint32_t head;        /* the consumer's position as last read */
	uint32_t held_at;     /* first message that is written and not published */
	bool held;
};

/* The consumer's end. */
struct shm_rx {
	const struct shm_slot *slots; /* in the peer's memory */
	struct shm_head *own_head;
	uint32_t mask;
	uint32_t head;      /* next position to read */
	uint32_t published; /* as the producer may see it */
};

static inline uint32_t shm_slots_for(uint32_t len_bytes)
{
	return len_bytes <= SHM_SLOT_INLINE ? 1 : 1 + (len_bytes - SHM_SLOT_INLINE + SHM_SLOT_BYTES - 1) / SHM_SLOT_BYTES;
}

/* Fetches a line to write it. The built-in would only read it, unless the compiler is told of a newer processor; one
 * that does not know the instruction takes it for no operation. */
static inline void shm_prefetch_own(const void *line)
{
#if defined(__x86_64__)
	__asm__ __volatile__("prefetchw %0" : : "m"(*(const char *)line));
#else
	__builtin_prefetch(line, 1, 3);
#endif
}

/* Copies without a call and without reading beyond: pieces of 16, 8, 4, 2 bytes that may overlap. */
static inline __attribute__((always_inline)) void shm_copy(unsigned char *to, const unsigned char *from,
							    uint32_t len_bytes)
{
	if (len_bytes >= 16) {
		const unsigned char *last = from + len_bytes - 16;
		unsigned char *last_to = to + len_bytes - 16;

		for (; from < last; from += 16, to += 16)
			memcpy(to, from, 16);
		memcpy(last_to, last, 16);
	} else if (len_bytes >= 8) {
		memcpy(to, from, 8);
		memcpy(to + len_bytes - 8, from + len_bytes - 8, 8);
	} else if (len_bytes >= 4) {
		memcpy(to, from, 4);
		memcpy(to + len_bytes - 4, from + len_bytes - 4, 4);
	} else if (len_bytes >= 2) {
		memcpy(to, from, 2);
		memcpy(to + len_bytes - 2, from + len_bytes - 2, 2);
	} else if (len_bytes) {
		*to = *from;
	}
}

/* Room for count more slots: 1 yes, 0 no, -1 the consumer claims what cannot be. */
static inline int shm_tx_room(struct shm_tx *tx, uint32_t count)
{
	uint32_t size = tx->mask + 1;

	if (__builtin_expect(tx->tail + count - tx->head <= size, 1))
		return 1;
	/* acquire: pairs with the release in shm_rx_publish(); the slots before it have been read. */
	tx->head = atomic_load_explicit(&tx->peer_head->position, memory_order_acquire);
	if (tx->tail - tx->head > size) {
		tx->head = tx->tail;
		return -1;
	}
	return tx->tail + count - tx->head <= size;
}

/* The slot at the tail, to be filled and then given to shm_tx_commit. */
static inline struct shm_slot *shm_tx_slot(struct shm_tx *tx)
{
	return &tx->slots[tx->tail & tx->mask];
}

/* Writes small data behind a slot's header, also around the ring's end. */
static inline void shm_tx_write(struct shm_tx *tx, const void *head, uint32_t head_len, const void *data,
				uint32_t data_len)
{
	struct shm_slot *slot = shm_tx_slot(tx);
	uint32_t index = tx->tail & tx->mask;
	uint32_t count = shm_slots_for(head_len + data_len);
	unsigned char whole[SHM_INLINE_MAX];
	uint32_t before_end;

	if (__builtin_expect(index + count <= tx->mask + 1, 1)) {
		if (head_len)
			shm_copy(slot->data, head, head_len);
		shm_copy(slot->data + head_len, data, data_len);
		return;
	}
	shm_copy(whole, head, head_len);
	shm_copy(whole + head_len, data, data_len);
	before_end = (tx->mask + 1 - index) * SHM_SLOT_BYTES - 16;
	memcpy(slot->data, whole, before_end);
	memcpy(tx->slots, whole + before_end, head_len + data_len - before_end);
}

static inline void shm_tx_publish(struct shm_tx *tx)
{
	/* release: pairs with the acquire in shm_rx_ready(); everything written before is visible with it. */
	atomic_store_explicit(&tx->slots[tx->held_at & tx->mask].sequence, tx->held_at + 1, memory_order_release);
	tx->held = false;
}

/* The head of the message of count slots at tail, but for its sequence; and the rule about the slot behind it. */
static inline void shm_tx_head(struct shm_slot *slots, uint32_t mask, uint32_t tail, uint32_t count, uint32_t kind_len,
			       uint64_t meta)
{
	struct shm_slot *slot = &slots[tail & mask], *after = &slots[(tail + count) & mask];

	slot->kind_len = kind_len;
	slot->meta = meta;
	if (__builtin_expect(atomic_load_explicit(&after->sequence, memory_order_relaxed) == tail + count + 1, 0))
		atomic_store_explicit(&after->sequence, tail + count, memory_order_relaxed);
}

/* The message at tail is not to be seen yet, or only with those that were held back before it. */
static inline void shm_tx_hold(struct shm_tx *tx, struct shm_slot *slot, uint32_t tail)
{
	if (tx->held) {
		/* Published together with the first that was held back. */
		atomic_store_explicit(&slot->sequence, tail + 1, memory_order_relaxed);
	} else {
		tx->held_at = tail;
		tx->held = true;
	}
}

/* The lines of a later message are made ours while nobody polls them, all at once instead of one by one. */
static inline void shm_tx_prefetch(struct shm_slot *slots, uint32_t mask, uint32_t next, uint32_t count)
{
	shm_prefetch_own(&slots[(next + SHM_PREFETCH_SLOTS) & mask]);
	for (uint32_t i = 1; i < count; i++)
		shm_prefetch_own(&slots[(next + SHM_PREFETCH_SLOTS + i) & mask]);
}

/* Looks where the consumer is each quarter of the ring, when nothing waits for the answer: it would be far away later,
 * when the room that is known of has run out. What cannot be is left for shm_tx_room to find. */
static inline void shm_tx_look(struct shm_tx *tx, uint32_t before)
{
	uint32_t head;

	if (__builtin_expect(!((before ^ tx->tail) & ~(tx->mask >> 2)), 1))
		return;
	/* acquire: pairs with the release in shm_rx_publish(); the slots before it have been read. */
	head = atomic_load_explicit(&tx->peer_head->position, memory_order_acquire);
	if (tx->tail - head <= tx->mask + 1)
		tx->head = head;
}

/* Ends a message of count slots; with more, it is held back with all that follow until shm_tx_publish. */
static inline void shm_tx_commit(struct shm_tx *tx, enum shm_kind kind, uint32_t len_bytes, uint64_t meta,
				 uint32_t count, bool more)
{
	uint32_t tail = tx->tail;

	shm_tx_head(tx->slots, tx->mask, tail, count, (uint32_t)kind | len_bytes << 8, meta);
	shm_tx_hold(tx, &tx->slots[tail & tx->mask], tail);
	tx->tail = tail + count;
	shm_tx_prefetch(tx->slots, tx->mask, tx->tail, count);
	if (!more)
		shm_tx_publish(tx);
}

static inline const struct shm_slot *shm_rx_slot(const struct shm_rx *rx)
{
	return &rx->slots[rx->head & rx->mask];
}

/* Whether a message stands at the head. */
static inline bool shm_rx_ready(const struct shm_rx *rx)
{
	/* acquire: pairs with the release in shm_tx_publish(). */
	return atomic_load_explicit(&shm_rx_slot(rx)->sequence, memory_order_acquire) == rx->head + 1;
}

/* Copies what follows the head's slot of a message of count slots behind the first 48 bytes; to has room for
 * SHM_INLINE_MAX. Returns count. */
static inline uint32_t shm_rx_read_rest(const struct shm_rx *rx, unsigned char *to, uint32_t count)
{
	to += SHM_SLOT_INLINE;
	for (uint32_t i = 1; i < count; i++, to += SHM_SLOT_BYTES)
		memcpy(to, &rx->slots[(rx->head + i) & rx->mask], SHM_SLOT_BYTES);
	return count;
}

static inline void shm_rx_publish(struct shm_rx *rx)
{
	rx->published = rx->head;
	/* release: pairs with the acquire in shm_tx_room(); the slots may be written again. */
	atomic_store_explicit(&rx->own_head->position, rx->head, memory_order_release);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packets that a path has sent and that recovery still knows of: a queue in the order of their numbers, of those only
 * that carry a parcel. Its ring grows from nothing.
 *
 * A position counts packets since the first one, and wraps. Lost packets are remembered while some hundred others
 * follow, to learn of it when they arrive after all.
 */
#ifndef SENT_H
#define SENT_H

#include <stdbool.h>
#include <stdint.h>

#define WEFT__SENT_FIRST 64u
#define WEFT__SENT_MAX 8192u
/* The ring grows to that before lost packets are forgotten. */
#define WEFT__SENT_REMEMBERED 512u

enum weft__sent_state { WEFT__SENT_FLYING, WEFT__SENT_ACKED, WEFT__SENT_LOST };

struct weft__sent {
	uint64_t number, sent_ns;
	void *parcel;
	union {
		uint32_t len_bytes; /* flying */
		uint32_t congested; /* lost: in which time of congestion (recovery.h) */
	};
	uint16_t run;   /* acked: so many from here on are. Others: 1 */
	uint8_t state;  /* enum weft__sent_state */
	bool by_chance; /* lost, and not for congestion */
};

struct weft__sent_queue {
	struct weft__sent *slots;
	uint32_t size;       /* of slots: 0 or a power of 2 */
	uint32_t head, tail; /* positions of the oldest one and behind the newest */
	uint32_t flying;     /* position of the oldest that flies, or tail */
};

static inline struct weft__sent *weft__sent_at(const struct weft__sent_queue *queue, uint32_t position)
{
	return &queue->slots[position & (queue->size - 1)];
}

/* Makes place for so many more: by forgetting what is no longer under way, then by growing. False: there is none. */
bool weft__sent_reserve(struct weft__sent_queue *queue, uint32_t count);
/* Puts one behind all others, for which there must be place. Borrowed, to be filled in. */
struct weft__sent *weft__sent_push(struct weft__sent_queue *queue);
/* The position of the first with that number or a larger one; tail: none. */
uint32_t weft__sent_find(const struct weft__sent_queue *queue, uint64_t number);
/* The oldest that flies; NULL: none. */
struct weft__sent *weft__sent_oldest(const struct weft__sent_queue *queue);
/* Forgets all, and the memory. */
void weft__sent_drop(struct weft__sent_queue *queue);

#endif

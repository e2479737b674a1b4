/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wheel behind a worker's timers. It knows no clock: it is told the time. Ticks are 1.024 us.
 */
#ifndef TIMER_WHEEL_H
#define TIMER_WHEEL_H

#include <weft/worker.h>

#define WEFT__WHEEL_FINE_SLOTS 4096u
#define WEFT__WHEEL_COARSE_SLOTS 256u

struct weft__wheel {
	uint64_t tick;         /* slots up to and including this one have been emptied */
	struct weft_list due;  /* to be fired, in order */
	struct weft_list late; /* set into the past: due from the next turn on */
	struct weft_list far;  /* beyond the last level */
	/* A bit is set when a timer was put into the slot, and cleared when the slot is looked at. */
	uint64_t fine_bits[WEFT__WHEEL_FINE_SLOTS / 64];
	uint64_t coarse_bits[2][WEFT__WHEEL_COARSE_SLOTS / 64];
	struct weft_list fine[WEFT__WHEEL_FINE_SLOTS];
	struct weft_list coarse[2][WEFT__WHEEL_COARSE_SLOTS];
};

/* An empty wheel at now_ns. */
void weft__wheel_init(struct weft__wheel *wheel, uint64_t now_ns);
/* Puts a timer that is on no list where its deadline says. Returns true when it is due already. */
bool weft__wheel_add(struct weft__wheel *wheel, struct weft_timer *timer);
/* Whether no timer is on it. Looks at every slot. */
bool weft__wheel_empty(const struct weft__wheel *wheel);
/* Moves what has become due by now_ns to `due`. */
void weft__wheel_advance(struct weft__wheel *wheel, uint64_t now_ns);
/* Fires at most `limit`; returns how many. */
unsigned int weft__wheel_fire(struct weft__wheel *wheel, unsigned int limit);
/* When advance must be called next: never later than the first deadline needs, maybe earlier. WEFT_NEVER when empty. */
uint64_t weft__wheel_next_ns(const struct weft__wheel *wheel);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hierarchical timer wheel (Varghese and Lauck 1987, scheme 7): 4,096 slots of one tick, 256 of 4,096 ticks, 256
 * of 2^20 ticks, and a list for what lies beyond. A coarse slot is taken apart into finer ones as its time comes.
 *
 * A timer's tick is its deadline rounded up, and a slot is emptied once the clock has reached its tick: never early.
 */
#include "worker/timer_wheel.h"

#define TICK_SHIFT 10u
#define FINE_SHIFT 12u /* ticks of a slot of the first coarse level: all fine slots */
#define LEVEL_SHIFT 8u
/* The far list is gone through each 2^27 ticks, half of what the last level spans. */
#define FAR_SHIFT (FINE_SHIFT + 2 * LEVEL_SHIFT - 1)

/* How far after slot `from` the first set bit of `count` slots in cyclic order is, or count. */
static uint64_t find_set(const uint64_t *bits, unsigned int slots, uint64_t from, uint64_t count)
{
	uint64_t at = 0;

	while (at < count) {
		uint64_t slot = (from + at) & (slots - 1);
		uint64_t word = bits[slot / 64] >> (slot % 64);

		if (word != 0) {
			at += (uint64_t)__builtin_ctzll(word);
			return at < count ? at : count;
		}
		at += 64 - slot % 64;
	}
	return count;
}

static void put(struct weft_list *slots, uint64_t *bits, uint64_t slot, struct weft_timer *timer)
{
	weft_list_push_back(&slots[slot], &timer->link);
	bits[slot / 64] |= UINT64_C(1) << (slot % 64);
}

void weft__wheel_init(struct weft__wheel *wheel, uint64_t now_ns)
{
	wheel->tick = now_ns >> TICK_SHIFT;
	weft_list_init(&wheel->due);
	weft_list_init(&wheel->late);
	weft_list_init(&wheel->far);
	for (unsigned int i = 0; i < WEFT__WHEEL_FINE_SLOTS; i++)
		weft_list_init(&wheel->fine[i]);
	for (unsigned int i = 0; i < WEFT__WHEEL_FINE_SLOTS / 64; i++)
		wheel->fine_bits[i] = 0;
	for (unsigned int level = 0; level < 2; level++) {
		for (unsigned int i = 0; i < WEFT__WHEEL_COARSE_SLOTS; i++)
			weft_list_init(&wheel->coarse[level][i]);
		for (unsigned int i = 0; i < WEFT__WHEEL_COARSE_SLOTS / 64; i++)
			wheel->coarse_bits[level][i] = 0;
	}
}

bool weft__wheel_empty(const struct weft__wheel *wheel)
{
	bool empty = weft_list_empty(&wheel->due) && weft_list_empty(&wheel->late) && weft_list_empty(&wheel->far);

	for (unsigned int i = 0; empty && i < WEFT__WHEEL_FINE_SLOTS; i++)
		empty = weft_list_empty(&wheel->fine[i]);
	for (unsigned int i = 0; empty && i < 2 * WEFT__WHEEL_COARSE_SLOTS; i++)
		empty = weft_list_empty(&wheel->coarse[i / WEFT__WHEEL_COARSE_SLOTS][i % WEFT__WHEEL_COARSE_SLOTS]);
	return empty;
}

/* Where a timer belongs; what is due goes to the end of `due_list`. Returns whether it is due. */
static bool place(struct weft__wheel *wheel, struct weft_timer *timer, struct weft_list *due_list)
{
	uint64_t deadline_ns = timer->deadline_ns;
	uint64_t tick = (deadline_ns >> TICK_SHIFT) + ((deadline_ns & ((1u << TICK_SHIFT) - 1)) != 0);

	if (tick <= wheel->tick) {
		weft_list_push_back(due_list, &timer->link);
		return true;
	}
	if (tick - wheel->tick < WEFT__WHEEL_FINE_SLOTS) {
		put(wheel->fine, wheel->fine_bits, tick & (WEFT__WHEEL_FINE_SLOTS - 1), timer);
		return false;
	}
	for (unsigned int level = 0; level < 2; level++) {
		unsigned int shift = FINE_SHIFT + level * LEVEL_SHIFT;

		if ((tick >> shift) - (wheel->tick >> shift) < WEFT__WHEEL_COARSE_SLOTS) {
			put(wheel->coarse[level], wheel->coarse_bits[level],
			    (tick >> shift) & (WEFT__WHEEL_COARSE_SLOTS - 1), timer);
			return false;
		}
	}
	weft_list_push_back(&wheel->far, &timer->link);
	return false;
}

bool weft__wheel_add(struct weft__wheel *wheel, struct weft_timer *timer)
{
	return place(wheel, timer, &wheel->late);
}

/* Moves all of `from` to the end of `to`. */
static void splice(struct weft_list *to, struct weft_list *from)
{
	if (weft_list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	weft_list_init(from);
}

static void replace_all(struct weft__wheel *wheel, struct weft_list *from)
{
	struct weft_list taken, *link;

	weft_list_init(&taken);
	splice(&taken, from);
	while ((link = weft_list_pop_front(&taken)) != NULL)
		place(wheel, WEFT_CONTAINER_OF(link, struct weft_timer, link), &wheel->due);
}

/* The wheel's tick has just reached the start of a fine round: takes apart the coarse slots that begin there. */
static void cascade(struct weft__wheel *wheel)
{
	uint64_t tick = wheel->tick;

	if ((tick & ((UINT64_C(1) << FAR_SHIFT) - 1)) == 0)
		replace_all(wheel, &wheel->far);
	for (unsigned int level = 2; level-- > 0;) {
		unsigned int shift = FINE_SHIFT + level * LEVEL_SHIFT;
		uint64_t slot = (tick >> shift) & (WEFT__WHEEL_COARSE_SLOTS - 1);

		if ((tick & ((UINT64_C(1) << shift) - 1)) != 0)
			continue;
		wheel->coarse_bits[level][slot / 64] &= ~(UINT64_C(1) << (slot % 64));
		replace_all(wheel, &wheel->coarse[level][slot]);
	}
}

static bool fine_empty(const struct weft__wheel *wheel)
{
	return find_set(wheel->fine_bits, WEFT__WHEEL_FINE_SLOTS, 0, WEFT__WHEEL_FINE_SLOTS) == WEFT__WHEEL_FINE_SLOTS;
}

/* Empties the fine slots after the wheel's tick up to and including `end`: less than a round unless all are empty. */
static void sweep(struct weft__wheel *wheel, uint64_t end)
{
	uint64_t at;

	if (end - wheel->tick >= WEFT__WHEEL_FINE_SLOTS) {
		wheel->tick = end;
		return;
	}
	while ((at = find_set(wheel->fine_bits, WEFT__WHEEL_FINE_SLOTS, wheel->tick + 1, end - wheel->tick)) <
	       end - wheel->tick) {
		uint64_t slot = (wheel->tick + 1 + at) & (WEFT__WHEEL_FINE_SLOTS - 1);

		wheel->tick += 1 + at;
		wheel->fine_bits[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
		splice(&wheel->due, &wheel->fine[slot]);
	}
	wheel->tick = end;
}

/* The start of the next coarse slot after the wheel's tick with something in it, or of the next far round. */
static uint64_t next_coarse(const struct weft__wheel *wheel)
{
	uint64_t next = UINT64_MAX;

	for (unsigned int level = 0; level < 2; level++) {
		unsigned int shift = FINE_SHIFT + level * LEVEL_SHIFT;
		uint64_t from = (wheel->tick >> shift) + 1;
		uint64_t at = find_set(wheel->coarse_bits[level], WEFT__WHEEL_COARSE_SLOTS, from,
				       WEFT__WHEEL_COARSE_SLOTS);

		if (at < WEFT__WHEEL_COARSE_SLOTS && (from + at) << shift < next)
			next = (from + at) << shift;
	}
	if (!weft_list_empty(&wheel->far)) {
		uint64_t round = ((wheel->tick >> FAR_SHIFT) + 1) << FAR_SHIFT;

		if (round < next)
			next = round;
	}
	return next;
}

void weft__wheel_advance(struct weft__wheel *wheel, uint64_t now_ns)
{
	uint64_t end = now_ns >> TICK_SHIFT;

	splice(&wheel->due, &wheel->late);
	while (wheel->tick < end) {
		uint64_t stop = end, coarse;

		if (wheel->tick >> FINE_SHIFT == end >> FINE_SHIFT) {
			sweep(wheel, end);
			return;
		}
		coarse = next_coarse(wheel);
		if (end - wheel->tick >= WEFT__WHEEL_FINE_SLOTS && !fine_empty(wheel))
			stop = wheel->tick + WEFT__WHEEL_FINE_SLOTS - 1;
		if (coarse > stop) {
			sweep(wheel, stop);
			continue;
		}
		sweep(wheel, coarse - 1);
		wheel->tick = coarse;
		cascade(wheel);
		/* The fine slot of this very tick may hold timers from before. */
		wheel->tick = coarse - 1;
		sweep(wheel, coarse);
	}
}

unsigned int weft__wheel_fire(struct weft__wheel *wheel, unsigned int limit)
{
	unsigned int fired = 0;
	struct weft_list *link;

	while (fired < limit && (link = weft_list_pop_front(&wheel->due)) != NULL) {
		struct weft_timer *timer = WEFT_CONTAINER_OF(link, struct weft_timer, link);

		fired++;
		timer->fire(timer, timer->user);
	}
	return fired;
}

uint64_t weft__wheel_next_ns(const struct weft__wheel *wheel)
{
	uint64_t next = next_coarse(wheel), at = 0;

	if (!weft_list_empty(&wheel->due) || !weft_list_empty(&wheel->late))
		return wheel->tick << TICK_SHIFT;
	while (at < WEFT__WHEEL_FINE_SLOTS) {
		uint64_t tick;

		at += find_set(wheel->fine_bits, WEFT__WHEEL_FINE_SLOTS, wheel->tick + 1 + at,
			       WEFT__WHEEL_FINE_SLOTS - at);
		tick = wheel->tick + 1 + at++;
		/* Its timer may have been cancelled since. */
		if (at <= WEFT__WHEEL_FINE_SLOTS &&
		    !weft_list_empty(&wheel->fine[tick & (WEFT__WHEEL_FINE_SLOTS - 1)])) {
			next = tick < next ? tick : next;
			break;
		}
	}
	return next == UINT64_MAX ? WEFT_NEVER : next << TICK_SHIFT;
}

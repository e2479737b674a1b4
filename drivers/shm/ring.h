/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two ends of one ring. The hot path of the driver: everything here is inline.
 *
 * Sequence beside the data (FastForward, Giacomoni 2008): the consumer polls the very line that carries the message, so
 * one line moves. What limits a stream is the producer's store buffer: stores retire in order, each line takes a trip
 * to the consumer's cache and back to become ours, and as many trips overlap as there are lines in the buffer. So
 * messages that are sent together are put together in the stage, then written with nothing between, the polled line last.
 *
 * Data may look like anything, also like the sequence that the consumer will look for at its place one lap later.
 * Therefore the producer, before it publishes what ends at position p, looks at unit p in its own memory, and turns a
 * first word that equals p + 1 into p (not into 0, which is what the consumer awaits at the position before the count
 * begins anew). Unit p is then either consumed, so that nobody reads it before something is published there, or begins
 * the oldest message that is not consumed, whose sequence differs by the ring's size and is left alone.
 */
#ifndef RING_H
#define RING_H

#include "shm/layout.h"

#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#include <xmmintrin.h>
#endif

#define SHM_STAGE_UNITS 256u
#define SHM_AHEAD_MAX 128u
#define SHM_FETCH_UNITS 64u

struct shm_tx;

/* Messages of one ring that wait to be published together. */
struct shm_stage {
	struct shm_tx *tx; /* whose, while there is something in it */
	uint32_t count;    /* units in it */
	uint32_t last;     /* where the last message begins */
	_Alignas(64) struct shm_unit units[SHM_STAGE_UNITS];
};

/* The producer's end: private, but for what it points to. */
struct shm_tx {
	struct shm_unit *units;
	const struct shm_head *peer_head;
	uint32_t mask;
	uint32_t ahead; /* how many units before they are written lines are fetched */
	uint32_t tail;  /* next position to write: where a line begins; what is staged comes there */
	uint32_t head;  /* the consumer's position as last read */
	uint32_t limit; /* messages may go up to here without a look at anything else; see shm_tx_relimit */
};

/* The consumer's end. */
struct shm_rx {
	const struct shm_unit *units; /* in the peer's memory */
	struct shm_head *own_head;
	uint32_t mask;
	uint32_t head;      /* next position to read */
	uint32_t published; /* as the producer may see it */
	/* lines up to fetched are on their way, and those up to the end are there to be fetched */
	uint32_t fetched, fetch_end;
};

/* The ring of a producer: an eighth of it is fetched before it is written, of a large one a little less. */
static inline void shm_tx_ring(struct shm_tx *tx, struct shm_unit *units, uint32_t slots)
{
	tx->units = units;
	tx->mask = slots * SHM_LINE_UNITS - 1;
	tx->ahead = slots * SHM_LINE_UNITS / 8 < SHM_AHEAD_MAX ? slots * SHM_LINE_UNITS / 8 : SHM_AHEAD_MAX;
}

/* Units of a message of len_bytes of data, without what fills its last line. */
static inline uint32_t shm_units_for(uint32_t len_bytes)
{
	return 1 + (len_bytes + SHM_UNIT_BYTES - 1) / SHM_UNIT_BYTES;
}

static inline uint32_t shm_line_end(uint32_t position)
{
	return (position + SHM_LINE_UNITS - 1) & ~(SHM_LINE_UNITS - 1);
}

/* The first 8 bytes of a message's header. */
static inline uint64_t shm_start(uint32_t position, enum shm_kind kind, uint32_t unit_count, uint32_t len_bytes)
{
	return (uint64_t)(position + 1) | (uint64_t)kind << 32 | (uint64_t)unit_count << 40 | (uint64_t)len_bytes << 48;
}

static inline enum shm_kind shm_start_kind(uint64_t start)
{
	return (enum shm_kind)(start >> 32 & 0xff);
}

static inline uint32_t shm_start_units(uint64_t start)
{
	return start >> 40 & 0xff;
}

static inline uint32_t shm_start_len(uint64_t start)
{
	return start >> 48 & 0xff;
}

static inline uint32_t shm_start_lines(uint64_t start)
{
	return (uint32_t)(start >> 56);
}

/* 16 bytes by two loads and one store: what was written just now as words of 8 bytes is forwarded from the store buffer
 * to loads of 8 bytes, but not to one of 16, which would wait until all earlier stores have left. */
static inline __attribute__((always_inline)) void shm_copy_16(unsigned char *to, const unsigned char *from)
{
#if defined(__SSE2__)
	__m128 low = _mm_castsi128_ps(_mm_loadl_epi64((const __m128i *)(const void *)from));

	_mm_storeu_ps((float *)(void *)to, _mm_loadh_pi(low, (const __m64 *)(const void *)(from + 8)));
#else
	memcpy(to, from, 16);
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
			shm_copy_16(to, from);
		shm_copy_16(last_to, last);
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

/* Data of a message, the polled line last: written before the others, it would be taken back by who polls it while they are
 * still on their way, and fetched once more for the header. */
static inline __attribute__((always_inline)) void shm_copy_lines(unsigned char *to, const unsigned char *from,
								 uint32_t len_bytes)
{
	if (len_bytes <= SHM_LINE_DATA) {
		shm_copy(to, from, len_bytes);
		return;
	}
	shm_copy(to + SHM_LINE_DATA, from + SHM_LINE_DATA, len_bytes - SHM_LINE_DATA);
	atomic_signal_fence(memory_order_acq_rel); /* pairs with nothing: the compiler keeps the order of lines */
	for (uint32_t at = 0; at < SHM_LINE_DATA; at += SHM_UNIT_BYTES)
		shm_copy_16(to + at, from + at);
}

/* ---- the producer ---- */

/* Room for count more units: 1 yes, 0 no, -1 the consumer claims what cannot be. */
static inline int shm_tx_room(struct shm_tx *tx, uint32_t count)
{
	uint32_t size = tx->mask + 1;

	if (__builtin_expect(tx->tail + count - tx->head <= size, 1))
		return 1;
	/* acquire: pairs with the release in shm_rx_publish(); the units before it have been read. */
	tx->head = atomic_load_explicit(&tx->peer_head->position, memory_order_acquire);
	if (tx->tail - tx->head > size) {
		tx->head = tx->tail;
		return -1;
	}
	return tx->tail + count - tx->head <= size;
}

/* Nothing goes straight into the ring until shm_tx_relimit. */
static inline void shm_tx_bar(struct shm_tx *tx)
{
	tx->limit = tx->tail;
}

/* Looks where the consumer is. Done each quarter of the ring, when nothing waits for the answer: it would be far away
 * later, when the room that is known of has run out. What cannot be is left for shm_tx_room to find. */
static inline void shm_tx_look(struct shm_tx *tx)
{
	/* acquire: pairs with the release in shm_rx_publish(); the units before it have been read. */
	uint32_t head = atomic_load_explicit(&tx->peer_head->position, memory_order_acquire);

	if (tx->tail - head <= tx->mask + 1)
		tx->head = head;
}

/* Looks, and says how far messages may go, of which the next ends at position end: while there is room, but not beyond that
 * quarter of the ring, so that it is looked again there, and so that no message crosses the ring's end. */
static inline void shm_tx_relimit(struct shm_tx *tx, uint32_t end)
{
	uint32_t size = tx->mask + 1, quarter_end = ((end - 1) | tx->mask >> 2) + 1,
		 ring_end = (tx->tail | tx->mask) + 1;

	shm_tx_look(tx);
	if ((int32_t)(quarter_end - ring_end) > 0)
		quarter_end = ring_end;
	tx->limit = quarter_end - tx->head <= size ? quarter_end : tx->head + size;
}

/* See above: what is published next ends at position end. */
static inline void shm_tx_clear_end(struct shm_tx *tx, uint32_t end)
{
	struct shm_unit *after = &tx->units[end & tx->mask];
	uint64_t start = atomic_load_explicit(&after->start, memory_order_relaxed);

	if (__builtin_expect((uint32_t)start == end + 1, 0))
		atomic_store_explicit(&after->start, start - 1, memory_order_relaxed);
}

/* Begins a message on its own, that ends before the limit; it fills its last line, so that the next one is written where
 * the consumer does not look yet. Returns where its data goes. */
static inline unsigned char *shm_tx_begin(struct shm_tx *tx, uint32_t end)
{
	struct shm_unit *unit = &tx->units[tx->tail & tx->mask];

	shm_tx_clear_end(tx, end);
	return (unsigned char *)(unit + 1);
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

/* The lines of a later message are made ours while nobody polls them: the next one finds them there. */
static inline void shm_tx_prefetch(const struct shm_tx *tx, uint32_t begin, uint32_t end)
{
	for (uint32_t at = begin + tx->ahead; at != end + tx->ahead; at += SHM_LINE_UNITS)
		shm_prefetch_own(&tx->units[at & tx->mask]);
}

/* Publishes it. */
static inline void shm_tx_finish(struct shm_tx *tx, uint32_t end, enum shm_kind kind, uint64_t meta, uint32_t len_bytes)
{
	uint32_t tail = tx->tail, limit = tx->limit;
	struct shm_unit *unit = &tx->units[tail & tx->mask];

	unit->meta = meta;
	/* release: pairs with the acquire in shm_rx_start(); everything written before is visible with it. */
	atomic_store_explicit(&unit->start, shm_start(tail, kind, end - tail, len_bytes), memory_order_release);
	tx->tail = end;
	shm_tx_prefetch(tx, tail, end);
	if (__builtin_expect(end == limit, 0))
		shm_tx_relimit(tx, end + 1);
}

/* Where a message of len_bytes that begins at a line ends. One of several lines leaves the next one a pair of lines, which
 * processors fetch together. */
static inline uint32_t shm_tx_end(uint32_t tail, uint32_t len_bytes)
{
	uint32_t end = shm_line_end(tail + shm_units_for(len_bytes));

	return end - tail > SHM_LINE_UNITS ? (end + 2 * SHM_LINE_UNITS - 1) & ~(2 * SHM_LINE_UNITS - 1) : end;
}

/* Whether a message may take so many units for its data: it leaves no more empty than the end of a line, or of a pair. */
static inline bool shm_units_fit(uint32_t units, uint32_t data_units)
{
	return units - data_units - 1 < (data_units < SHM_LINE_UNITS ? SHM_LINE_UNITS : 2 * SHM_LINE_UNITS);
}

static inline bool shm_tx_within(const struct shm_tx *tx, uint32_t end)
{
	return (int32_t)(tx->limit - end) >= 0;
}

/* Adds a message, whose data is there and that has room in ring and stage, to those that are published together. */
static inline __attribute__((always_inline)) void shm_stage_add(struct shm_stage *stage, const struct shm_tx *tx,
								enum shm_kind kind, uint64_t meta, uint32_t len_bytes)
{
	uint32_t at = stage->count, count = shm_units_for(len_bytes);

	stage->units[at].meta = meta;
	atomic_store_explicit(&stage->units[at].start, shm_start(tx->tail + at, kind, count, len_bytes),
			      memory_order_relaxed);
	stage->count = at + count;
	stage->last = at;
}

/* Where the data of the message goes that is added next. */
static inline unsigned char *shm_stage_data(struct shm_stage *stage)
{
	return (unsigned char *)&stage->units[stage->count + 1];
}

/* Whether a message of count units can be added as things are known to be. */
static inline bool shm_stage_fits(const struct shm_stage *stage, const struct shm_tx *tx, uint32_t count)
{
	uint32_t all = stage->count + count;

	return stage->tx == tx && all <= SHM_STAGE_UNITS && shm_line_end(tx->tail + all) - tx->head <= tx->mask + 1;
}

/* Publishes what is staged, as one: the consumer sees all of it when it sees the first. */
static inline void shm_stage_publish(struct shm_stage *stage)
{
	struct shm_tx *tx = stage->tx;
	uint32_t count = stage->count, begin, end, index, first_part;
	struct shm_unit *unit, *last = &stage->units[stage->last];
	uint64_t start;

	if (!count)
		return;
	begin = tx->tail;
	end = shm_line_end(begin + count);
	shm_tx_clear_end(tx, end);
	/* The last message fills its line. */
	start = atomic_load_explicit(&last->start, memory_order_relaxed);
	atomic_store_explicit(&last->start, start + ((uint64_t)(end - begin - count) << 40), memory_order_relaxed);
	tx->tail = end;
	/* left where it was, the limit would come to lie ahead once more, half a lap of the count later */
	shm_tx_bar(tx);
	index = begin & tx->mask;
	unit = &tx->units[index];
	first_part = tx->mask + 1 - index < count ? tx->mask + 1 - index : count;
	if (count > first_part)
		memcpy(tx->units, stage->units + first_part, (size_t)(count - first_part) * SHM_UNIT_BYTES);
	for (uint32_t i = SHM_LINE_UNITS; i < first_part; i++)
		shm_copy_16((unsigned char *)(unit + i), (const unsigned char *)(stage->units + i));
	atomic_signal_fence(memory_order_acq_rel); /* pairs with nothing: the compiler keeps the order of lines */
	for (uint32_t i = 1; i < SHM_LINE_UNITS && i < first_part; i++)
		shm_copy_16((unsigned char *)(unit + i), (const unsigned char *)(stage->units + i));
	unit->meta = stage->units[0].meta;
	start = atomic_load_explicit(&stage->units[0].start, memory_order_relaxed) |
		(uint64_t)((end - begin) / SHM_LINE_UNITS - 1) << 56;
	/* release: pairs with the acquire in shm_rx_start(); everything written before is visible with it. */
	atomic_store_explicit(&unit->start, start, memory_order_release);
	stage->count = 0;
	if ((begin ^ end) & ~(tx->mask >> 2))
		shm_tx_look(tx);
}

/* ---- the consumer ---- */

/* The first 8 bytes at the head; a message stands there if shm_rx_ready says so of them. */
static inline uint64_t shm_rx_start(const struct shm_rx *rx)
{
	/* acquire: pairs with the release of whoever publishes, shm_tx_finish() or shm_stage_publish(). */
	return atomic_load_explicit(&rx->units[rx->head & rx->mask].start, memory_order_acquire);
}

static inline bool shm_rx_ready(const struct shm_rx *rx, uint64_t start)
{
	return (uint32_t)start == rx->head + 1;
}

/* Copies count units of data behind the header at index, or more of what follows them, at least the first line's: to has
 * room for SHM_LINE_DATA. */
static inline __attribute__((always_inline)) void shm_rx_read(const struct shm_rx *rx, uint32_t index,
							      unsigned char *to, uint32_t count)
{
	const struct shm_unit *units = rx->units;
	uint32_t mask = rx->mask;

	if (__builtin_expect(index + count + SHM_LINE_UNITS <= mask, 1)) {
		const struct shm_unit *from = &units[index + 1];

		memcpy(to, from, SHM_LINE_DATA);
		for (uint32_t i = SHM_LINE_UNITS - 1; i < count; i++)
			memcpy(to + (size_t)i * SHM_UNIT_BYTES, from + i, SHM_UNIT_BYTES);
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		memcpy(to + (size_t)i * SHM_UNIT_BYTES, &units[(index + 1 + i) & mask], SHM_UNIT_BYTES);
}

/* Notes the lines that were published with the message at the head, whose header is start. They are not fetched all at once,
 * for they would be in each other's way. */
static inline void shm_rx_together(struct shm_rx *rx, uint64_t start)
{
	uint32_t lines = shm_start_lines(start);

	if (__builtin_expect(lines != 0, 0)) {
		rx->fetched = (rx->head & ~(SHM_LINE_UNITS - 1)) + SHM_LINE_UNITS;
		rx->fetch_end = rx->fetched + lines * SHM_LINE_UNITS;
	}
}

/* Fetches a little more of them: without it each line is asked for only when the one before has been dealt with. */
static inline void shm_rx_fetch(struct shm_rx *rx)
{
	uint32_t until = rx->head + SHM_FETCH_UNITS;

	if ((int32_t)(until - rx->fetch_end) > 0)
		until = rx->fetch_end;
	for (; (int32_t)(until - rx->fetched) > 0; rx->fetched += SHM_LINE_UNITS)
		__builtin_prefetch(&rx->units[rx->fetched & rx->mask], 0, 3);
}

static inline void shm_rx_publish(struct shm_rx *rx)
{
	rx->published = rx->head;
	/* release: pairs with the acquire in shm_tx_room(); the units may be written again. */
	atomic_store_explicit(&rx->own_head->position, rx->head, memory_order_release);
}

#endif

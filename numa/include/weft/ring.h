/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bounded rings between threads of one process: single producer (spsc) and many producers (mpsc), one consumer each.
 * Elements are copied in and out. Neither allocates after open, locks or spins.
 *
 * spsc: head and tail with cached copies of the other's index (Lamport 1983; FastForward, Giacomoni 2008). Wait-free.
 * mpsc: a sequence number in each cell (Vyukov 2010, bounded queue). A producer that is descheduled between claiming
 * and publishing holds back those behind it, nobody else.
 */
#ifndef WEFT_RING_H
#define WEFT_RING_H

#include <weft/api.h>

WEFT_BEGIN_DECLS

struct weft_spsc;
struct weft_mpsc;

/* slot_count: a power of two, 2 to 2^30; element_bytes: 1 to 4096. Gives. -WEFT_EINVAL, -WEFT_ENOMEM. Thread: any. */
WEFT_API int weft_spsc_open(size_t slot_count, size_t element_bytes, struct weft_spsc **out);
/* Ends the ring with whatever is in it; sets *ring to NULL. Thread: any, when neither side is in a call. */
WEFT_API void weft_spsc_close(struct weft_spsc **ring);
/* Copies up to count elements in, in order; returns how many fitted. Thread: the one producer. */
WEFT_API size_t weft_spsc_push(struct weft_spsc *ring, const void *elements, size_t count);
/* Copies up to count elements out; returns how many there were. Thread: the one consumer. */
WEFT_API size_t weft_spsc_pop(struct weft_spsc *ring, void *elements, size_t count);
/* Whether a pop would find something. Thread: the one consumer. */
WEFT_API bool weft_spsc_has(const struct weft_spsc *ring);

/* As the spsc calls. push takes one element, all or nothing; false when full. Thread of push: any; of pop and has: the one consumer. */
WEFT_API int weft_mpsc_open(size_t slot_count, size_t element_bytes, struct weft_mpsc **out);
WEFT_API void weft_mpsc_close(struct weft_mpsc **ring);
WEFT_API bool weft_mpsc_push(struct weft_mpsc *ring, const void *element);
WEFT_API bool weft_mpsc_pop(struct weft_mpsc *ring, void *element);
WEFT_API bool weft_mpsc_has(const struct weft_mpsc *ring);

WEFT_END_DECLS

#endif

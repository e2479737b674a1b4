/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What any thread wants done on a station: opening, closing and changing channels. Whoever sends an errand may hold the
 * node's lock and the station's worker may be waiting for that, so nobody waits here: errands stand in a list, however
 * many they are, and the mailbox carries no more than the word that there are some.
 */
#ifndef ERRAND_H
#define ERRAND_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <weft/list.h>

struct weft__station;
struct weft__errand;

typedef void weft__errand_fn(struct weft__station *station, struct weft__errand *errand);

/* Part of what it is about; may be gone as soon as it runs. */
struct weft__errand {
	struct weft_list link;
	weft__errand_fn *run;
};

struct weft__errands {
	_Atomic bool waiting; /* whether there are any, for who has not taken the lock */
	pthread_mutex_t lock;
	struct weft_list list; /* oldest first */
};

void weft__errands_init(struct weft__errands *errands);
void weft__errands_fini(struct weft__errands *errands);
/* Runs it on the station's thread: at once if that is the caller, or if nobody turns it yet. Keeps. Thread: any. */
void weft__errand_send(struct weft__station *station, struct weft__errand *errand, weft__errand_fn *run);
/* It is not to run, if it has not. Thread: owner. */
void weft__errand_withdraw(struct weft__station *station, struct weft__errand *errand);
/* Runs some of what waits, in order. Returns how many; 0: nothing waits. Thread: owner. */
unsigned int weft__errands_run(struct weft__station *station);

/* Whether any wait. Those that run them take the lock, which is what orders the two. Thread: owner. */
static inline bool weft__errands_wait(const struct weft__errands *errands)
{
	return atomic_load_explicit(&errands->waiting, memory_order_relaxed);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns a worker: the first thread that polls it, or the one that runs it, in the process that claimed it. A
 * thread is known by a number that it draws at its first claim; no two threads of a process ever have the same, which
 * cannot be said of addresses and of thread ids. Since a fork copies it, a generation that each forked child raises is
 * kept with it.
 */
#include "worker/worker_private.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static _Thread_local uint64_t self; /* 0: has not claimed yet */
static _Atomic uint64_t last_self;
static _Atomic unsigned int generation;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void forked(void)
{
	atomic_fetch_add_explicit(&generation, 1, memory_order_relaxed);
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, forked);
}

void weft__owner_init(struct weft_worker *worker)
{
	pthread_once(&once, watch_forks);
	atomic_init(&worker->owner, 0);
	atomic_init(&worker->owner_tid, 0);
	atomic_init(&worker->fork_generation, atomic_load_explicit(&generation, memory_order_relaxed));
}

void weft__owner_claim(struct weft_worker *worker)
{
	if (self == 0)
		self = atomic_fetch_add_explicit(&last_self, 1, memory_order_relaxed) + 1;
	worker->claimed = true;
	atomic_store_explicit(&worker->owner_tid, gettid(), memory_order_relaxed);
	atomic_store_explicit(&worker->owner, self, memory_order_relaxed);
}

void weft_worker_take(struct weft_worker *worker)
{
	weft__owner_claim(worker);
}

bool weft_worker_forked(const struct weft_worker *worker)
{
	return atomic_load_explicit(&worker->fork_generation, memory_order_relaxed) !=
	       atomic_load_explicit(&generation, memory_order_relaxed);
}

bool weft_worker_is_owner(const struct weft_worker *worker)
{
	uint64_t owner = atomic_load_explicit(&worker->owner, memory_order_relaxed);

	return (owner == 0 || owner == self) && !weft_worker_forked(worker);
}

void weft_worker_assert_owner(const struct weft_worker *worker, const char *what)
{
	char name[WEFT__NAME_BYTES] = "?";

	if (__builtin_expect(weft_worker_is_owner(worker), 1))
		return;
	pthread_getname_np(pthread_self(), name, sizeof name);
	fprintf(stderr, "%s: thread %d (%s) of process %d does not own worker %s, thread %d does\n", what, gettid(),
		name, getpid(), worker->name, atomic_load_explicit(&worker->owner_tid, memory_order_relaxed));
	abort();
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a worker, for the files of this folder. Only the owner touches it, but for what is marked.
 */
#ifndef WORKER_PRIVATE_H
#define WORKER_PRIVATE_H

#include "worker/timer_wheel.h"

#include <weft/ring.h>
#include <weft/worker.h>

#include <stdatomic.h>
#include <sys/epoll.h>

/* The clock is read, and timers are looked at, once in so many turns; fds as seldom as this when there is traffic. */
#define WEFT__ARMLESS_SLEEP_NS 1000000u /* a poller that cannot wake is polled this often */
#define WEFT__TURNS_PER_TICK 32u
#define WEFT__FETCH_NS 50000u
#define WEFT__LAZY_FETCH_NS 10000000u
#define WEFT__FETCH_MAX 32
#define WEFT__MAILBOX_BURST 64u
#define WEFT__TIMER_BURST 32u
#define WEFT__NAME_BYTES 16

/* Of `sleeping`: odd while asleep, each sleep with a number of its own; the even one above it once somebody has woken. */
#define WEFT__AWAKE 0u
#define WEFT__ASLEEP 1u

/* One walk over the pollers. They nest when a poller's callback turns the worker; removals mend all of them. */
struct weft__walk {
	struct weft_list *next;
	struct weft__walk *outer;
};

/* Counters have one writer and readers anywhere. */
struct weft__counters {
	_Atomic uint64_t turns, busy_turns, sleeps, wakes_by_backstop, messages, timers_fired, yields;
	_Atomic uint64_t spin_ns;
	_Atomic bool oversubscribed;
};

/* What the idle strategy knows; see idle.c. */
struct weft__idle {
	enum weft_idle strategy;
	unsigned int turns; /* empty ones in a row */
	uint64_t since_ns;  /* start of the empty turns */
	uint64_t gap_ns;    /* mean length of the gaps */
	uint64_t spin_ns;
	uint64_t looked_ns;       /* last look at the switches */
	uint64_t leaked_ns;       /* last time the score went down */
	uint64_t switches;        /* involuntary ones at that look */
	unsigned int vain_sleeps; /* in a row that the back-stop ended, with nothing found */
	unsigned int score;       /* how much speaks for oversubscription */
	bool oversubscribed;
};

struct weft_worker {
	/* Each turn. */
	_Alignas(WEFT_CACHE_LINE) struct weft_mpsc *mailbox;
	struct weft_list pollers;
	struct weft__walk *walks;
	unsigned int countdown; /* turns until the next tick; 0: at the next turn */
	bool claimed;
	uint64_t now_ns;

	/* Ticks. */
	struct weft_clock *clock;
	bool is_virtual;
	bool armed;
	bool rearm;           /* a poller was added while armed */
	bool running;         /* inside weft_worker_run: a stop ends it */
	bool fetching;        /* inside a dispatch of fds */
	uint64_t fetch_ns;    /* when fds are looked at next, even with traffic; 0: at the next tick */
	unsigned int armless; /* pollers that cannot wake us */
	struct weft__idle idle;
	uint64_t backstop_ns;
	uint32_t sleep_number; /* of the last sleep */
	uint64_t turn_count;

	/* fds. */
	int epoll_fd, event_fd;
	struct weft_list watches;
	unsigned int callbacks; /* watches with a callback */
	unsigned int eager;     /* those of them that are not lazy */
	struct epoll_event fetched[WEFT__FETCH_MAX];
	int fetched_count; /* events kept, not yet dispatched */

	/* Cold. */
	char name[WEFT__NAME_BYTES];
	void *user;
	bool membarrier;
	struct weft__counters counters;
	/* Thread: any. */
	_Atomic uint64_t owner; /* 0: nobody yet; see owner.c */
	_Atomic int owner_tid;
	_Atomic unsigned int fork_generation;
	_Atomic bool stop;
	_Alignas(WEFT_CACHE_LINE) _Atomic uint32_t sleeping; /* see WEFT__AWAKE */

	_Alignas(WEFT_CACHE_LINE) struct weft__wheel wheel;
};

static inline void weft__count(_Atomic uint64_t *counter, uint64_t more)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
			      memory_order_relaxed);
}

/* owner.c */
void weft__owner_init(struct weft_worker *worker);
void weft__owner_claim(struct weft_worker *worker);

/* mailbox.c */
unsigned int weft__mailbox_drain(struct weft_worker *worker);
void weft__worker_kick(struct weft_worker *worker);

/* fds.c */
int weft__fds_open(struct weft_worker *worker);
void weft__fds_close(struct weft_worker *worker);
/* Asks epoll without waiting and dispatches. */
unsigned int weft__fds_poll(struct weft_worker *worker);
/* The descriptors have been looked at: when they will be the next time. */
static inline void weft__fds_fetched(struct weft_worker *worker)
{
	worker->fetch_ns = worker->now_ns + (worker->eager > 0 ? WEFT__FETCH_NS : WEFT__LAZY_FETCH_NS);
}
/* Waits for span_ns at most (WEFT_NEVER: without end) and keeps the events. Returns how many, or -1. */
int weft__fds_wait(struct weft_worker *worker, uint64_t span_ns);
/* Calls back for the events kept. Returns how many callbacks there were. */
unsigned int weft__fds_dispatch(struct weft_worker *worker);

/* arm.c */
bool weft__membarrier_register(void);

/* idle.c */
void weft__idle_init(struct weft_worker *worker, const struct weft_worker_opts *opts);
void weft__idle_busy(struct weft_worker *worker);
void weft__idle(struct weft_worker *worker, uint64_t deadline_ns);

#endif

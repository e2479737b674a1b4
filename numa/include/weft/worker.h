/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker: where a thread stands. It owns everything registered with it, and only its thread touches that.
 *
 * One turn (weft_worker_poll) has bounded phases: mailbox (at most 64 messages); every 32nd time fds (while any is
 * watched; with traffic each 50 us, lazy ones each 10 ms) and timers (at most 32); pollers (each bounds itself). In it
 * nothing blocks, locks, allocates, maps or formats. Other threads reach a worker only through its mailbox.
 *
 * When a turn finds nothing, the idle strategy decides: spin; spin for a while that adapts to the gaps seen, then
 * sleep; yield the core; or sleep at once. A sleeper arms its pollers (they raise a flag that producers look at
 * after publishing), runs membarrier so that producers need no fence, looks once more, and blocks in epoll with a
 * back-stop.
 */
#ifndef WEFT_WORKER_H
#define WEFT_WORKER_H

#include <weft/clock.h>
#include <weft/list.h>

WEFT_BEGIN_DECLS

struct weft_worker;

enum weft_idle {
	WEFT_IDLE_ADAPTIVE, /* spin about 50 us (20 us to 1 ms by gaps seen), then sleep; yields when oversubscribed */
	WEFT_IDLE_SPIN,     /* never gives the core away: dedicated cores only */
	WEFT_IDLE_YIELD,    /* sched_yield between empty turns; sleeps after spin_ns of them */
	WEFT_IDLE_BLOCK,    /* sleeps at once: control work */
};

struct weft_worker_opts {
	size_t size;
	/* for logs and the thread's name; copied, at most 15 bytes are kept; default "weft" */
	const char *name;
	struct weft_clock *clock; /* default: the real one. A worker on a virtual clock never sleeps */
	enum weft_idle idle;
	uint64_t spin_ns;     /* where the spin before sleeping starts; default 50 us */
	uint64_t backstop_ns; /* longest sleep; default 100 ms. Where membarrier works, so that no wake-up is missed, it
				    * doubles each time that it ends a sleep for nothing, up to a second */
	unsigned int mailbox_slots; /* power of two; default 1024 */
	void *user;
};

/* Fills in the defaults. Thread: any. */
WEFT_API void weft_worker_opts_init(struct weft_worker_opts *opts, size_t size);
/* Makes a worker; the first thread that polls it becomes its owner. Gives. -WEFT_ENOMEM, -WEFT_EMFILE. Thread: any. */
WEFT_API int weft_worker_open(const struct weft_worker_opts *opts, struct weft_worker **out);
/* Ends it: no callback comes after. Everything registered must be gone (pollers, watches, timers): it aborts
 * otherwise. Sets *worker to NULL. Thread: owner, or any when it is not running. */
WEFT_API void weft_worker_close(struct weft_worker **worker);

/* One turn. Returns how much was done: 0 means idle. Never sleeps. Thread: owner. */
WEFT_API unsigned int weft_worker_poll(struct weft_worker *worker);
/* One turn, then, if it found nothing, what the idle strategy says (which may sleep until deadline_ns at most). Thread: owner. */
WEFT_API unsigned int weft_worker_turn(struct weft_worker *worker, uint64_t deadline_ns);
/* Turns until weft_worker_stop. Thread: the caller becomes owner. */
WEFT_API void weft_worker_run(struct weft_worker *worker);
/*
 * Makes weft_worker_run return after its turn; wakes it. Where nobody runs the worker it is kept for the next run, which
 * then returns after its first turn, so that it may come before the thread that runs; other ways to turn a worker are
 * only woken. Any number of stops end one run. Async-signal-safe. Thread: any.
 */
WEFT_API void weft_worker_stop(struct weft_worker *worker);

/*
 * For event loops of the application's own: a descriptor that polls readable when there may be work. Before waiting
 * on it, arm; arm says false when there is work already (poll instead of waiting). After waiting, disarm, poll until
 * idle, and again. Waits must be bounded by weft_worker_next_ns. Borrowed until close. Thread: owner.
 */
WEFT_API int weft_worker_fd(const struct weft_worker *worker);
WEFT_API bool weft_worker_arm(struct weft_worker *worker);
WEFT_API void weft_worker_disarm(struct weft_worker *worker);
/* When a timer or the back-stop wants a turn, on the worker's clock. Thread: owner. */
WEFT_API uint64_t weft_worker_next_ns(const struct weft_worker *worker);

/* The time of the current turn; cheap, up to some turns old when busy. Thread: owner. */
WEFT_API uint64_t weft_worker_now(const struct weft_worker *worker);
/* The worker's clock, name and user pointer. Borrowed. Thread: any. */
WEFT_API struct weft_clock *weft_worker_clock(const struct weft_worker *worker);
WEFT_API const char *weft_worker_name(const struct weft_worker *worker);
WEFT_API void *weft_worker_user(const struct weft_worker *worker);
/* Whether the caller is the owner (or nobody is yet). Thread: any. */
WEFT_API bool weft_worker_is_owner(const struct weft_worker *worker);
/* Whether the worker was opened before this process was forked: it is the parent's. Async-signal-safe. Thread: any. */
WEFT_API bool weft_worker_forked(const struct weft_worker *worker);
/*
 * Makes the calling thread the owner: for handing a worker on, and for taking it down once the thread that turned it has
 * ended or waits. Thread: any, while nobody else is in a call on the worker.
 */
WEFT_API void weft_worker_take(struct weft_worker *worker);
/* Names both threads on standard error and aborts unless the caller is the owner. Thread: any. */
WEFT_API void weft_worker_assert_owner(const struct weft_worker *worker, const char *what);

/* ---- mailbox ---- */

struct weft_message;
typedef void weft_message_fn(struct weft_worker *worker, const struct weft_message *message);

/* A fixed 64-byte message: what to run on the worker's thread, and its arguments. Copied. */
struct weft_message {
	weft_message_fn *run;
	union {
		void *pointers[6];
		uint64_t numbers[6];
		unsigned char bytes[48];
	} with;
	uint64_t reserved;
};

/* Posts a copy and wakes the worker if it sleeps. -WEFT_EAGAIN when the mailbox is full. Thread: any. */
WEFT_API int weft_worker_post(struct weft_worker *worker, const struct weft_message *message);

/* ---- pollers ---- */

/* Something to look at each turn. Set up by its owner, kept by the worker while added. */
struct weft_poller {
	unsigned int (*poll)(void *user); /* what was done; bounds itself; sends what it held back before it returns */
	/* before sleeping: make producers wake fd; NULL: cannot wake, polled each ms */
	void (*arm)(void *user);
	void (*disarm)(void *user); /* after sleeping */
	void *user;
	struct weft_list link; /* the worker's */
};
/* Thread: owner. */
WEFT_API void weft_worker_add_poller(struct weft_worker *worker, struct weft_poller *poller);
WEFT_API void weft_worker_remove_poller(struct weft_worker *worker, struct weft_poller *poller);

/* ---- file descriptors ---- */

struct weft_fd_watch;
/* events are EPOLLIN, EPOLLOUT and so on, as epoll reported them. */
typedef void weft_fd_fn(struct weft_fd_watch *watch, uint32_t events, void *user);

/* A watched descriptor. Storage is the caller's, kept while added. */
struct weft_fd_watch {
	int fd;
	uint32_t events;   /* wanted; EPOLLET is allowed */
	weft_fd_fn *ready; /* NULL: only wakes the worker */
	void *user;
	bool lazy;             /* matters to a sleeper only: one that is awake need not look at it for 10 ms */
	struct weft_list link; /* the worker's */
};
/* Borrows the descriptor while added. -WEFT_ENOMEM, -WEFT_EBADF, -WEFT_EPERM (a kind epoll cannot watch). Thread: owner. */
WEFT_API int weft_worker_add_fd(struct weft_worker *worker, struct weft_fd_watch *watch);
/* Changes watch->events. Errors as above. Thread: owner. */
WEFT_API int weft_worker_change_fd(struct weft_worker *worker, struct weft_fd_watch *watch, uint32_t events);
/* No callback comes after, also for events already fetched. Thread: owner. */
WEFT_API void weft_worker_remove_fd(struct weft_worker *worker, struct weft_fd_watch *watch);

/* ---- timers ---- */

struct weft_timer;
typedef void weft_timer_fn(struct weft_timer *timer, void *user);

/* A timer of a hierarchical wheel (Varghese and Lauck 1987): set and cancel are O(1). Fires once, never early, at
 * most one slot late (1.024 us below 4 ms, 4 ms below 1 s, 1 s above; long ones are refined as they come near).
 * Timers that become due in one turn fire in the order of their deadlines, but for those less than 1.024 us apart: these
 * in any order, which on a virtual clock is the same each time. What was due before comes first; what is set into the
 * past is due at once. */
struct weft_timer {
	struct weft_list link; /* the wheel's */
	uint64_t deadline_ns;
	weft_timer_fn *fire;
	void *user;
};
/* Thread: owner. */
WEFT_API void weft_timer_init(struct weft_timer *timer, weft_timer_fn *fire, void *user);
/* Sets or moves; the past fires at the next turn. Keeps the timer until fired or cancelled. Thread: owner. */
WEFT_API void weft_timer_set(struct weft_worker *worker, struct weft_timer *timer, uint64_t deadline_ns);
/* Harmless when not set. Thread: owner. */
WEFT_API void weft_timer_cancel(struct weft_worker *worker, struct weft_timer *timer);
/* Thread: owner. */
WEFT_API bool weft_timer_is_set(const struct weft_timer *timer);

/* ---- what it did ---- */

struct weft_worker_stats {
	uint64_t turns, busy_turns, sleeps, wakes_by_backstop, messages, timers_fired, yields;
	uint64_t spin_ns;    /* what the spin adapted to */
	bool oversubscribed; /* more spinners than cores: yields instead of spinning */
	/* false: producers that find us armed may be missed until the back-stop (degraded) */
	bool membarrier;
};
/* Thread: any; counters may be some turns old. */
WEFT_API void weft_worker_describe(const struct weft_worker *worker, struct weft_worker_stats *out);

WEFT_END_DECLS

#endif

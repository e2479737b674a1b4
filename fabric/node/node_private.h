/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of a node, and the station: the fabric's state on one worker, which only that worker's thread touches.
 */
#ifndef NODE_PRIVATE_H
#define NODE_PRIVATE_H

#include "channel/op.h"
#include "link/link.h"
#include "node/errand.h"
#include "node/mail.h"
#include "node/rails.h"

#include <pthread.h>
#include <weft/driver.h>
#include <weft/node.h>

#define WEFT__RX_BURST 32
#define WEFT__STATIONS_MAX 64
#define WEFT__OPS 4096
#define WEFT__LOANS 2048
#define WEFT__LINK_LOANS 256 /* of the loans: for peers that have none */
#define WEFT__CALLS 2048
#define WEFT__LINK_FIRSTS 256 /* of the calls, and of the operations for answers: for peers that have none */

struct weft__station {
	struct weft_node *node;
	struct weft_worker *worker;
	struct weft_pool *pool;
	struct weft_port *ports[WEFT__RAILS_MAX]; /* as many as the node has rails */
	bool has_networks;
	struct weft_poller poller;
	char name[WEFT_NAME_MAX + 1]; /* "" for the node's own workers */
	unsigned int index;           /* its place among the node's stations */
	bool attached;                /* by weft_attach */
	_Atomic bool owned;           /* its own thread has taken the worker */
	bool grow_asked;
	struct weft__mail grown; /* the runner's answer */
	bool views_due;          /* a handler was set while messages waited for one, or there is news of peers */
	size_t next_grow_bytes;
	size_t largest_bytes; /* what the largest of its segments holds */
	size_t refused_bytes; /* a segment for so much is beyond the node's limit; SIZE_MAX: none was yet */
	int numa;             /* where its memory is wanted; -1: anywhere */

	_Atomic bool full_told; /* that links_max is reached, since there was room */
	uint64_t room_asked_ns; /* the runner's: when it last asked the worker to make room */
	struct weft_list links;
	struct weft_list views;                        /* the node's channels as this worker sees them */
	struct weft_list events;                       /* senders with events to deliver */
	struct weft_list blocked[WEFT_PRIORITY_COUNT]; /* senders that the driver refused: tried again by timer */
	struct weft_list finished;                     /* operations whose callbacks are due */
	struct weft_list placing;                      /* operations that copy large messages in pieces */
	struct weft_list busy_links;                   /* links with something to send at the end of the turn */
	struct weft_list requesters;                   /* senders with requests in flight */
	struct weft_list kept;                         /* received loans that the application keeps */
	struct weft_list askers;                       /* peers, and what they have of the calls */
	uint32_t request_generation;                   /* of the last request: no two in a station's life are alike */
	unsigned int calm_turns;                       /* since something came in, up to a limit */
	bool reap_due;                                 /* of some dead link nothing may be in use any more */
	unsigned int cookies_out;                      /* loans out that somebody waits for */
	struct weft__errands errands;                  /* of other threads */
	struct weft_timer unblock;
	uint64_t unblock_ns;
	struct weft_timer sweep;     /* deadlines of requests */
	struct weft_timer idle_look; /* links without traffic */

	struct weft_list free_ops, free_loans, free_calls;
	unsigned int free_op_count, free_loan_count, free_call_count;
	unsigned int holding, deferring; /* links with answers that wait for room, and askers with calls */
	unsigned int promised;           /* of the free loans: to messages that may have to wait, see link/promise.h */
	unsigned int served;             /* links that have some, waiting or promised */
	struct weft_list starved;        /* lanes that could not be promised anything */
	unsigned int starved_count;      /* all of those */
	unsigned int feed_left;          /* and how many, from the first on, may get some now */
	struct weft_list orphans;        /* messages that wait for a taker, whose lanes have been closed */
	unsigned int left_count;         /* of those: whose links have ended */
	struct weft_op *ops;
	struct weft_loan *loans;
	char *places; /* of each loan, for a message that came in the ring, place_bytes apart */
	size_t place_bytes;
	struct weft_call *calls;

	struct weft_node_stats stats;         /* one writer: this worker */
	unsigned int frame_count, frame_next; /* of the burst that is being handled: the one after this */
	unsigned int replies_held;            /* one after the other */
	bool replies_staged;                  /* some are to be committed when the burst has been handled */
	struct weft_rx_frame frames[WEFT__RX_BURST];
};

struct weft__thread {
	pthread_t id;
	bool started;
	int cpu;  /* -1: not pinned */
	int numa; /* the operating system's number; -1: not known, or the only one */
};

struct weft_node {
	struct weft_node_opts opts; /* its pointers are the copies below */
	char *cores, *runtime_dir;
	uint32_t *allowed_uids;
	char name[WEFT_NAME_MAX + 1];
	uint64_t incarnation;
	struct weft_arena *arena;
	bool binds; /* memory may be bound to NUMA nodes */
	struct weft_worker *runner;
	struct weft__thread runner_thread;
	struct weft__rail rails[WEFT__RAILS_MAX];
	unsigned int rail_count;
	struct weft__book_entry *book;
	unsigned int book_count;
	struct weft_list connecting; /* the runner's: see link/connecting.h */
	struct weft_list mail;       /* and what it could not tell yet, see node/mail.h */
	struct weft_timer mail_timer;

	pthread_mutex_t lock; /* stations and channels: cold calls from any thread */
	struct weft__station *stations[WEFT__STATIONS_MAX];
	uint64_t leaving; /* bits of places whose worker is being detached */
	struct weft__thread threads[WEFT__STATIONS_MAX];
	unsigned int own_count;  /* the node's own workers */
	unsigned int base_count; /* stations that are not attached, first in the array: own_count, or 1 */
	struct weft_list channels;
	unsigned int channel_count;

	pthread_mutex_t degraded_lock;
	char *degraded[16];
	unsigned int degraded_require[16]; /* which weft_require bit makes it an error, or 0 */
	unsigned int lacking;              /* weft_require bits that could not be had */
	unsigned int degraded_count;
	int stop_fd; /* eventfd: weft_node_stop */
	_Atomic bool stopped;
};

/* ---- station.c ---- */

int weft__station_open(struct weft_node *node, const char *name, int numa, const struct weft_worker_opts *worker_opts,
		       struct weft__station **out);
/* Ends all that is open on it, with the callbacks of that. Thread: owner. */
void weft__station_end(struct weft__station *station);
/* Both sides' threads must be quiet, or be the caller. Ends it first, if that has not been done. */
void weft__station_close(struct weft__station **station);
struct weft__station *weft__station_of(struct weft_worker *worker);
/*
 * The pool had no buffer of len_bytes: asks the runner for more memory. -WEFT_EAGAIN, or -WEFT_ENOMEM when there can never
 * be one: the node's limit does not allow for it, and no segment that there is could hold it.
 */
int weft__station_grow(struct weft__station *station, size_t len_bytes);
/* Whether its memory runs out and no more is to be had: what it lends should come home soon. */
bool weft__station_is_short(const struct weft__station *station);
/* A driver had no buffer. */
void weft__station_more_memory(void *port_user, size_t len_bytes);
/* Senders that the driver refused are tried again soon. */
void weft__station_retry_soon(struct weft__station *station);

/* ---- runner.c ---- */

int weft__runner_start(struct weft_node *node);
void weft__runner_stop(struct weft_node *node);
/* Runs fn(argument) on the runner and waits for its answer; at once when the runner does not run. Not on a worker's
 * own thread that the runner may wait for. */
int weft__runner_call(struct weft_node *node, int (*fn)(void *argument), void *argument);
/* Starts a thread that takes no signals. */
int weft__thread_start(struct weft__thread *thread, void *(*start)(void *), void *argument);
void weft__thread_join(struct weft__thread *thread);

/* ---- node.c ---- */

/* What rails tell: user is the rail. */
extern const struct weft_device_events weft__rail_events;

/* ---- fork.c ---- */

/* Whether this process is a forked child of the node's. Async-signal-safe. */
bool weft__node_forked(const struct weft_node *node);
/* The same as an error: 0 or -WEFT_EFORK. */
int weft__node_fork_check(const struct weft_node *node);

/* ---- opts.c, place.c, node.c ---- */

int weft__node_opts_take(struct weft_node *node, const struct weft_node_opts *opts);
void weft__node_opts_drop(struct weft_node *node);
/* Decides where the node's threads run. */
int weft__node_plan(struct weft_node *node);
/* Opens the arena, on the NUMA node of the first worker. */
int weft__node_open_memory(struct weft_node *node);
/* A segment for the station, on its NUMA node if there is room. On the runner, or before it runs. */
int weft__station_memory(struct weft__station *station, size_t len_bytes, const struct weft_segment **out);
/* Pins the calling thread to where the plan put it. */
void weft__thread_pin(struct weft_node *node, const struct weft__thread *thread);
/* -WEFT_EDEGRADED when something that the options require could not be had. */
int weft__node_check_required(struct weft_node *node);
/* Something could not be had; require is the weft_require bit that makes it an error, or 0. */
void weft__node_degrade(struct weft_node *node, unsigned int require, const char *format, ...) WEFT_PRINTF(3, 4);

#endif

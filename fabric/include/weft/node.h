/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node: this process in the fabric. It has a name that peers send to, a runner thread for everything slow, and
 * workers, on which every data-path call happens. There are three ways to have a worker:
 *
 *   own workers   worker_count threads, pinned by the core plan; handlers run on them (the default, with one)
 *   own loop      worker_count 0: one worker that the application polls from a loop of its own
 *   attached      weft_attach: one more worker for a thread that exists already; peers reach it as "node/worker"
 *
 * A worker's memory is on the NUMA node of its thread: by the core plan, or, in the last two ways, where the thread that
 * opens or attaches may run on one node only.
 *
 * The library has no global instance: a process may open several nodes. It starts no thread but the runner, the
 * own workers and, for each 127 peers on the machine, one that sleeps until one of them dies; and, for moments, up to 16 in
 * the process that close what peers have sent, or may have sent, where that may wait. They take no signals. The library
 * installs no signal handler (weft_node_run excepted, while it runs), never exits and prints nothing.
 *
 * After fork() a node and all that was opened on it stay the parent's, which notices nothing. In the child each call
 * that returns a code and is not on the path of a message says -WEFT_EFORK; close, stop, describe and the like do
 * nothing (closing only forgets); calls for single messages, loans and turns of workers must not be made: the memory
 * that they need is not there, and the child dies of it. The child may open nodes of its own. Its descriptors are
 * closed by exec; a child that neither calls exec nor ends keeps the node's name on the machine taken.
 */
#ifndef WEFT_NODE_H
#define WEFT_NODE_H

#include <weft/errors.h>
#include <weft/segment.h>
#include <weft/worker.h>

WEFT_BEGIN_DECLS

struct weft_node;

#define WEFT_NAME_MAX 64

enum weft_node_role {
	WEFT_NODE_LEAF = 1,   /* an application */
	WEFT_NODE_MEMBER = 2, /* stands for the machine: owns NICs and remote heartbeats */
};

/* Capabilities that become an error when they cannot be had, instead of an entry in the degraded list. */
enum weft_require {
	WEFT_REQUIRE_HUGE_PAGES = 1 << 0,
	WEFT_REQUIRE_PINNING = 1 << 1, /* a core of its own for each worker */
	WEFT_REQUIRE_SLEEP = 1 << 2,   /* membarrier and wake-ups by all drivers */
	WEFT_REQUIRE_INVARIANT_CLOCK = 1 << 3,
	WEFT_REQUIRE_ZERO_COPY = 1 << 4, /* the driver can lend; WEFT_ZERO_COPY refuses copies for each message */
};

struct weft_node_opts {
	size_t size;
	const char *name;  /* [A-Za-z0-9._-], at most 64; default PROGRAM-PID. Copied */
	unsigned int role; /* weft_node_role bits; default both, a process on its own. Peers are told (weft_peer); on
				   * one machine nodes reach each other whatever they are */
	unsigned int worker_count; /* own workers; 0: the application polls weft_node_worker(node, 0). Default 1 */
	/* "2-3,8" or "package:1.core:0-3"; default: the core plan within the inherited mask */
	const char *cores;
	enum weft_idle idle;     /* of the workers; default adaptive */
	const char *runtime_dir; /* directory for the rendezvous socket, an absolute path; default $WEFT_RUNTIME_DIR,
				  * else (also if "") an abstract socket, which leaves nothing behind and reaches as
				  * far as the network namespace */
	enum weft_pages pages;
	size_t memory_max_bytes; /* shareable memory altogether; default 1 GiB, 8 MiB to 64 GiB. A peer may hold a quarter of
				   * it on loan, or one message of any size */
	uint64_t link_idle_ns; /* a link without traffic for this long, and without anything pending on it, is closed;
				   * the next send opens it again. 0: never. Default 5 minutes */
	/* open links of one worker, default 256; beyond it the least used idle one is closed */
	unsigned int links_max;
	unsigned int channels_max;    /* open channels of the node; default 1024 */
	const uint32_t *allowed_uids; /* users, besides our own, whose nodes may connect and be connected to. Copied */
	unsigned int allowed_uid_count;
	unsigned int require; /* weft_require bits: -WEFT_EDEGRADED instead of degrading */
	bool hardening;       /* PR_SET_DUMPABLE 0: same-uid processes cannot reach in by ptrace or /proc */
	void *user;
	const char *driver; /* "shm", one in a module (weft/driver.h), or "fault+NAME", which is driver NAME on a bad
			     * day; default $WEFT_DRIVER, else "shm". Borrowed until weft_node_open returns */
	const char *faults; /* for "fault+NAME": what goes wrong, such as "seed=7,again=0.05,cut=1000" (docs/fault.md);
				   * default $WEFT_FAULT, else nothing. Borrowed until weft_node_open returns */
	const char *listen; /* networks besides this machine on which peers reach the node: "NET:ADDRESS,..." such as
			     * "udp:10.0.0.1:7000"; default $WEFT_LISTEN, else none. "" or "none": none, whatever
			     * that says. Borrowed until weft_node_open returns */
	const char *peers;  /* where peers are that are not on this machine: "NAME=NET:ADDRESS+NET:ADDRESS,...", up to 4
			     * addresses each, in the order in which they are tried; default $WEFT_PEERS, else none.
			     * "" or "none": none, whatever that says. Borrowed until weft_node_open returns */
	const char *security; /* "none": addresses beyond this machine may be used though nothing that is sent there is
			       * protected; default $WEFT_SECURITY, else -WEFT_EACCES for them. Borrowed until
			       * weft_node_open returns */
};

/* Fills in the defaults. Thread: any. */
WEFT_API void weft_node_opts_init(struct weft_node_opts *opts, size_t size);

/*
 * Opens a node; opts may be NULL for the defaults. Gives. -WEFT_EADDRINUSE when the name is taken on this machine,
 * -WEFT_EINVAL (the last error names the field), -WEFT_ENODEV (no such driver), -WEFT_EDEGRADED, -WEFT_ENOMEM,
 * -WEFT_EMFILE, -WEFT_EACCES. Thread: any.
 */
WEFT_API int weft_node_open(const struct weft_node_opts *opts, struct weft_node **out);
/*
 * Leaves in good order: what was accepted is sent (for at most one second), pending operations end with
 * -WEFT_ECLOSED, peers are told, memory goes. Closes what is still open on it: channels, senders and loans are gone.
 * Callbacks of what ends by that come before it returns, on the calling thread. Threads with attached workers must have
 * ended their use of them. Sets *node to NULL. Not inside a callback. Thread: the opener; with worker_count 0 the thread
 * that polls.
 */
WEFT_API void weft_node_close(struct weft_node **node);

/*
 * Runs until weft_node_stop, SIGINT or SIGTERM (which end all that run; their dispositions are put back when the last
 * one returns): polls the application's worker, or waits for the own ones. Returns 0, so that main can return it;
 * -WEFT_ENOSPC when 16 nodes of the process run already. Thread: the opener, or the polling thread.
 */
WEFT_API int weft_node_run(struct weft_node *node);
/* Makes weft_node_run return. Async-signal-safe. Thread: any. */
WEFT_API void weft_node_stop(struct weft_node *node);

/* The index-th worker, or NULL. Borrowed until close. Thread: any. */
WEFT_API struct weft_worker *weft_node_worker(struct weft_node *node, unsigned int index);
/*
 * A worker for the calling thread, which then polls it (weft_worker_turn and relatives). Peers reach it as
 * "NODE/NAME". Gives; end it with weft_detach. -WEFT_EADDRINUSE, -WEFT_ENOMEM, -WEFT_EINVAL. Thread: any.
 */
WEFT_API int weft_attach(struct weft_node *node, const char *name, struct weft_worker **out);
/* Ends an attached worker and what is open on it; sets *worker to NULL. Callbacks of what ends by that come before it
 * returns, on the calling thread. Not inside a callback. Thread: its thread. */
WEFT_API void weft_detach(struct weft_node *node, struct weft_worker **worker);

/* Borrowed until close. Thread: any. */
WEFT_API const char *weft_node_name(const struct weft_node *node);
WEFT_API void *weft_node_user(const struct weft_node *node);
/* 64 random bits drawn at open: a peer that comes back with others is a new peer. Thread: any. */
WEFT_API uint64_t weft_node_incarnation(const struct weft_node *node);

/*
 * The index-th address on a network at which peers reach the node, as "NET:ADDRESS" with what the system chose where
 * "listen" left it open; copies at most size_bytes with the end. -WEFT_ENOENT past the last, -WEFT_ERANGE for too little
 * room. Thread: any.
 */
WEFT_API int weft_node_address(const struct weft_node *node, unsigned int index, char *text, size_t size_bytes);

/* What could not be had and why, as the index-th sentence; NULL past the end. Borrowed until close. Thread: any. */
WEFT_API const char *weft_node_degraded(const struct weft_node *node, unsigned int index);
/* The weft_require bit that makes that sentence an error; 0 where none does, and past the end. Thread: any. */
WEFT_API unsigned int weft_node_degraded_require(const struct weft_node *node, unsigned int index);
/* "huge-pages", "pinning", "sleep", "invariant-clock", "zero-copy"; "?" for what is not one bit. Thread: any. */
WEFT_API const char *weft_require_name(enum weft_require bit);

/* Copies and hand-overs, summed over workers: the proof of what was not copied. */
struct weft_node_stats {
	uint64_t sent_messages, sent_bytes, received_messages, received_bytes;
	uint64_t copied_messages, copied_bytes;   /* payload copies made by weft */
	uint64_t lent_messages, lent_bytes;       /* handed over without a copy */
	uint64_t inlined_messages, inlined_bytes; /* carried in the ring */
	uint64_t again;                           /* sends refused for back-pressure */
	/* messages taken and not sent: best effort without room, latest replaced */
	uint64_t dropped;
	uint64_t violations; /* what peers did wrong */
	uint64_t peers_lost;
	uint64_t loans_out; /* lent by us, now */
	/* buffers in use, now: filled, lent, kept as copies of what was lent, or waiting to be sent */
	uint64_t buffers_out;
	uint64_t memory_bytes;     /* of segments */
	uint32_t links, hot_links; /* that stand; those with traffic of late, looked at each turn */
};
/* Thread: any; counters may be some turns old. */
WEFT_API void weft_node_describe(struct weft_node *node, struct weft_node_stats *out);

WEFT_END_DECLS

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a driver is: a table of cold functions, and ports with a few hot ones.
 *
 *   driver   a kind of transport ("shm"), one constant table
 *   device   what a node opens of it: it listens for peers and owns what its ports share; lives on the runner
 *   port     the part of a device that one worker owns: it sends and receives
 *   path     one way from a port to a port of a peer
 *
 * The runner is a worker that may block (WEFT_IDLE_BLOCK): everything slow happens there. A path is built whole on
 * the runner and then handed to the port's worker, which learns of it by the path_up event. Drivers move frames
 * between two ports and know nothing of clusters, channels or names beyond an address to connect to.
 *
 * A frame is small data, or a lent buffer, and 64 bits of meta that belong to the layer above. Small data is at most
 * port->inline_max bytes and is copied out of whatever memory the peer can write before it is handed up, so it cannot
 * change under the reader. A lent buffer is read in place: its bounds have been checked, its content belongs to the
 * peer and may change if the peer misbehaves.
 */
#ifndef WEFT_DRIVER_H
#define WEFT_DRIVER_H

#include <weft/arena.h>
#include <weft/pool.h>
#include <weft/worker.h>

WEFT_BEGIN_DECLS

struct weft_device;
struct weft_port;
struct weft_path;
struct weft_driver;

/* What a driver can do; fixed per driver. */
enum weft_driver_caps {
	WEFT_DRIVER_RELIABLE = 1 << 0, /* frames arrive once and in order within a class, or the path goes down */
	WEFT_DRIVER_LOANS = 1 << 1,    /* frames may lend buffers */
	WEFT_DRIVER_WAKES = 1 << 2,    /* a sleeping worker is woken by arriving frames */
	WEFT_DRIVER_LOCAL = 1 << 3,    /* reaches this machine only */
	WEFT_DRIVER_FAULTS = 1 << 4,   /* takes faults in its device's options, and makes them */
	WEFT_DRIVER_SHARES =
		1 << 5, /* what is lent is read where it lies, and comes home when the reader gives it back;
					* without it as soon as it has been sent and has arrived */
};

/* Two classes of frames on each path; express ones overtake normal ones, and each class keeps its order. */
enum weft_class { WEFT_CLASS_EXPRESS, WEFT_CLASS_NORMAL, WEFT_CLASS_COUNT };

/* Bytes that two layers above exchange while a path is made (name, incarnation, ...). */
#define WEFT_HELLO_MAX 256
struct weft_hello {
	uint16_t len_bytes;
	unsigned char bytes[WEFT_HELLO_MAX];
};

/* Who is on the other side, as the operating system or the network says. */
struct weft_peer_identity {
	uint64_t incarnation;
	int64_t pid;  /* in our PID namespace; 0 if not visible from here, -1 if remote */
	uint32_t uid; /* UINT32_MAX if remote */
};

/* Why a path went down. */
enum weft_down_reason {
	WEFT_DOWN_CLOSED,    /* the peer closed it in good order */
	WEFT_DOWN_DIED,      /* the peer's process ended */
	WEFT_DOWN_VIOLATION, /* the peer broke the protocol; counted, and never reconnected by itself */
	WEFT_DOWN_BROKEN,    /* the device or the network failed */
};

/* ---- frames ---- */

struct weft_tx_frame {
	uint64_t meta;
	/* Small data in two pieces (a header of the layer above, and the payload); borrowed until tx returns. */
	const void *head;
	const void *data;
	uint32_t head_len_bytes;
	uint32_t data_len_bytes;
	/* Or a part of a buffer to lend, with head as small data beside it (at most port->loan_head_max bytes). */
	struct weft_buf *loan; /* NULL: none. One reference is taken for the borrower if the frame is taken */
	uint64_t loan_offset_bytes;
	uint64_t loan_len_bytes;
	uint64_t cookie; /* comes back from reap with the loan */
};

struct weft_rx_frame {
	struct weft_path *path;
	uint64_t meta;
	const void *data; /* small data; borrowed until the next rx of this port */
	uint32_t len_bytes;
	uint32_t loan_id;      /* for release; only with loan_data */
	const void *loan_data; /* NULL: no loan. Borrowed until released or path_down */
	uint64_t loan_len_bytes;
};

/* ---- hot: one cache line of functions on a port, then what the layer above needs to know of it ---- */

enum weft_tx_flags {
	WEFT_TX_MORE = 1 << 0, /* may hold frames back until a later tx without it, or flush */
};

struct weft_port {
	/*
	 * Sends one frame of small data: 0; -WEFT_EAGAIN when the ring is full, -WEFT_EMSGSIZE beyond inline_max,
	 * -WEFT_EPROTO when the peer broke the protocol (path_down comes out of the next rx, never out of a send). With
	 * WEFT_TX_MORE it may be held back.
	 * The quickest way for a message on its own. Thread: owner.
	 */
	int (*send)(struct weft_path *path, enum weft_class class_, uint64_t meta, const void *data, uint32_t len_bytes,
		    unsigned int flags);
	/*
	 * Sends up to count frames of one class in order; returns how many were taken: fewer when the ring is full, the
	 * loan quota is used up, or a loan's segment is not yet shared (then *why, if not NULL, says -WEFT_EAGAIN,
	 * -WEFT_EQUOTA or -WEFT_ENXIO). Thread: owner.
	 */
	unsigned int (*tx)(struct weft_path *path, enum weft_class class_, const struct weft_tx_frame *frames,
			   unsigned int count, unsigned int flags, int *why);
	/* Receives up to max frames from all paths; express frames of a path come first. Thread: owner. */
	unsigned int (*rx)(struct weft_port *port, struct weft_rx_frame *frames, unsigned int max);
	/* Gives a received loan back, once: twice is an assertion. Never fails (remembers what it cannot send yet).
	 * Thread: owner. */
	void (*release)(struct weft_path *path, uint32_t loan_id);
	/* Cookies of lent buffers that came home, at most max. Their references are dropped. Thread: owner. */
	unsigned int (*reap)(struct weft_port *port, uint64_t *cookies, unsigned int max);
	/* Commits what WEFT_TX_MORE held back, and pending releases. Called each turn while flush_due. Thread: owner. */
	void (*flush)(struct weft_port *port);

	void *user;
	bool flush_due; /* the driver's: flush has something to do */
	struct weft_device *device;
	const struct weft_driver *driver;

	uint32_t inline_max;    /* bytes of small data in a frame */
	uint32_t loan_head_max; /* bytes of small data beside a loan */
	uint32_t max_burst;     /* frames that rx returns at the most */
};

/* The public part of a path; drivers put theirs behind it. */
struct weft_path {
	struct weft_port *port;
	void *user; /* the layer above's; NULL until it sets it */
	struct weft_peer_identity peer;
};

/* ---- events ---- */

struct weft_device_events {
	/*
	 * A peer wants a path. Fills mine and names the port that shall own it, or refuses with a code that the peer
	 * is told. Borrows. Thread: runner.
	 */
	int (*accept)(void *device_user, const struct weft_peer_identity *peer, const struct weft_hello *theirs,
		      struct weft_hello *mine, struct weft_port **port);
	/*
	 * A path stands: request is the cookie of connect, or NULL if the peer asked. Borrows theirs; the path stays
	 * until disconnect. Thread: the port's worker.
	 */
	void (*path_up)(void *port_user, struct weft_path *path, const struct weft_hello *theirs, void *request);
	/*
	 * connect failed, for good; -WEFT_EAGAIN and -WEFT_EBUSY (the peer connects to us as well) say that another one
	 * may succeed soon. A peer for which they have been said for 10 s, no two of them more than 5 s apart, is said
	 * to have failed with -WEFT_ETIMEDOUT from then on: ask again within 2 s, whatever time an answer takes.
	 * Thread: the port's worker.
	 */
	void (*connect_failed)(void *port_user, void *request, int error, const char *why);
	/*
	 * Nothing more will come or go. What we lent comes home (reap gives the cookies) as soon as it is certain that the
	 * peer cannot read it any more: at once when it took leave or its process has ended, else when that is known, also
	 * after disconnect. Received loans stay readable until disconnect, which must follow; it may be later, when the
	 * last reader is done. May disconnect this path, no other. Thread: the port's worker.
	 */
	void (*path_down)(void *port_user, struct weft_path *path, enum weft_down_reason reason);
	/*
	 * The port's pool had no buffer of len_bytes for what comes in or goes out: it is tried again. May be NULL, then
	 * it has to wait for buffers that come home. Thread: the port's worker.
	 */
	void (*more_memory)(void *port_user, size_t len_bytes);
};

/* ---- cold ---- */

struct weft_device_opts {
	size_t size;
	const char *name;        /* what peers connect to; copied. NULL: no listening */
	const char *runtime_dir; /* shm: directory for sockets; NULL: abstract sockets, which leave no name behind */
	const char *address;     /* networks: where it is reached, as weft/net.h says; copied. NULL: any that is free */
	struct weft_worker *runner;
	struct weft_arena *arena;
	uint64_t incarnation;
	const uint32_t *allowed_uids; /* besides our own; copied */
	unsigned int allowed_uid_count;
	const struct weft_device_events *events; /* kept */
	void *user;
	/* what shall go wrong, for a driver "fault+NAME" (docs/fault.md); copied. NULL: nothing */
	const char *faults;
	const struct weft_driver *driver; /* set by weft_device_open */
};

/* So much memory of one node a peer maps over a path, and no more: whoever lends from more is ended. */
#define WEFT_PATH_MEMORY_MAX_BYTES (UINT64_C(64) << 30)

struct weft_port_opts {
	size_t size;
	struct weft_worker *worker; /* whose thread calls the hot functions */
	struct weft_pool *pool;     /* for the driver's own copies; owned by the worker */
	uint64_t loan_quota_bytes;  /* what one peer may hold of ours; 0: no limit */
	unsigned int cold_slots;    /* slots of a path's normal ring at first: a power of two; default 64 */
	/* and once the peer has fallen behind often; default 1024, no more than cold_slots: never */
	unsigned int hot_slots;
	void *user;
};

struct weft_driver_stats {
	uint64_t tx_frames, tx_inline_bytes, rx_frames, rx_inline_bytes;
	uint64_t tx_loans, rx_loans, loan_bytes; /* handed over without a copy */
	/* Payload copies made by the driver: one for each frame of small data on either side, none for what is lent. */
	uint64_t copies, copied_bytes;
	uint64_t loans_out;                /* now */
	uint64_t full, quota;              /* times tx took fewer for this reason */
	uint64_t violations, bad_releases; /* what peers did wrong */
	uint64_t bells_rung, wakes;
	uint32_t paths, hot_paths; /* hot: had traffic of late, and is looked at each turn */
	uint32_t hot_rings;        /* paths that moved to a ring of hot_slots, since open */
};

struct weft_driver {
	size_t size; /* of this table: older drivers stay valid, and what they lack is filled in */
	const char *name;
	uint32_t caps;

	/* Starts to listen. Gives. -WEFT_EADDRINUSE, -WEFT_EACCES, -WEFT_EMFILE ... Thread: init. */
	int (*device_open)(const struct weft_device_opts *opts, struct weft_device **out);
	/* Stops listening; all ports must be closed. Sets *device to NULL. Thread: runner, or any when it is not running. */
	void (*device_close)(struct weft_device **device);
	/* Gives. Thread: init. */
	int (*port_open)(struct weft_device *device, const struct weft_port_opts *opts, struct weft_port **out);
	/* Closes its paths in good order (no events come) and ends it. Thread: any when neither worker nor runner run. */
	void (*port_close)(struct weft_port **port);
	/* Starts to make a path to the device named `to`; the outcome is an event, or an error that connect_failed might say.
	 * Copies. Thread: runner. */
	int (*connect)(struct weft_port *port, const char *to, const struct weft_hello *mine, void *request);
	/* Ends a path; after path_down, or instead of it. The path is gone at return. Thread: the port's worker. */
	void (*disconnect)(struct weft_path *path);
	/* Makes a segment of the arena readable for the peer, later; tx says -WEFT_ENXIO until then. Thread: the port's worker. */
	int (*share)(struct weft_path *path, uint32_t segment_id);
	/* Before the worker sleeps (true) and after (false); see weft_poller. Thread: the port's worker. */
	void (*arm)(struct weft_port *port, bool on);
	/* Thread: any; counters may be some turns old. */
	void (*describe)(struct weft_port *port, struct weft_driver_stats *out);

	const char *copies; /* what of a payload it copies by itself, for people to read */

	/* See weft_device_address; NULL where peers connect to names. Thread: any. */
	void (*address)(const struct weft_device *device, char *text);
};

/*
 * A driver by name, or NULL (-WEFT_ENODEV to the caller's caller): a built-in one; "fault+NAME", which is driver NAME with
 * faults on demand; or the one in libweft-NAME.so, loaded from the absolute directories in $WEFT_MODULE_PATH (separated by
 * ':'), or from that of libweft.so itself. The last error says what was not found, or why a module does not fit. Missing
 * functions of its table are filled in. Borrowed for ever: no module is unloaded. Thread: any.
 */
WEFT_API const struct weft_driver *weft_driver_find(const char *name);
/* The i-th built-in driver, or NULL past the end. Thread: any. */
WEFT_API const struct weft_driver *weft_driver_at(unsigned int i);
/* Fills in the defaults. Thread: any. */
WEFT_API void weft_device_opts_init(struct weft_device_opts *opts, size_t size);
WEFT_API void weft_port_opts_init(struct weft_port_opts *opts, size_t size);

/*
 * Opens a device, and a port of it, as the functions of the table of the same names do: call these instead of them. They
 * tell the driver which one it is, and fill in what it leaves out of a port. Gives. -WEFT_EINVAL for faults with a driver
 * that makes none; else what the driver says. Thread: init.
 */
WEFT_API int weft_device_open(const struct weft_driver *driver, const struct weft_device_opts *opts,
			      struct weft_device **out);
WEFT_API int weft_port_open(const struct weft_driver *driver, struct weft_device *device,
			    const struct weft_port_opts *opts, struct weft_port **out);

#define WEFT_DEVICE_ADDRESS_MAX 80

/* At which address peers connect to a device, where that is not its name; else "". Writes WEFT_DEVICE_ADDRESS_MAX bytes at
 * most. Thread: any. */
WEFT_API void weft_device_address(const struct weft_driver *driver, const struct weft_device *device, char *text);

/* ---- modules ---- */

/* Changes with any structure of this file but weft_driver, which has its size, and options, which have theirs. */
#define WEFT_DRIVER_ABI 1

/* What libweft-NAME.so exports under the name weft_driver_module, as a constant. */
struct weft_driver_module {
	uint32_t abi; /* WEFT_DRIVER_ABI as it was built; stays first for ever */
	uint32_t reserved;
	const struct weft_driver *driver; /* whose name is NAME */
};
#define WEFT_DRIVER_MODULE(table)                                           \
	extern WEFT_API const struct weft_driver_module weft_driver_module; \
	const struct weft_driver_module weft_driver_module = {WEFT_DRIVER_ABI, 0, &(table)}

WEFT_END_DECLS

#endif

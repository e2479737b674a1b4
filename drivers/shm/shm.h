/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices, ports and paths of shared memory, from the inside. Each field belongs to the worker or to the runner.
 */
#ifndef SHM_H
#define SHM_H

#include "shm/foreign.h"
#include "shm/ring.h"
#include "shm/who.h"
#include "shm/wire.h"

#include <sched.h>
#include <weft/driver.h>

#define SHM_EXPRESS_SLOTS 64u
#define SHM_HOT_FULLS 64u             /* times full, until a larger ring is asked for */
#define SHM_HOT_RINGS_MAX 64u         /* of a device; 64 KiB each */
#define SHM_DRAIN_MAX 64u             /* messages taken from one ring in one turn */
#define SHM_LOANS 1024u               /* what one peer may hold of ours, and we of one peer's */
#define SHM_SEGMENTS 1024u            /* ids of segments are below this */
#define SHM_PATHS_OF_ONE_MAX 224u     /* that one process may have with a worker, of the 256 that it has for all */
#define SHM_PATHS_OF_UNSEEN_MAX 1024u /* those of all that cannot be told apart */
#define SHM_PATH_BYTES WEFT_PATH_MEMORY_MAX_BYTES /* of the peer's segments that one path maps for loans */
#define SHM_MAPPED_MAX 16384u /* segments of peers that a process maps: a quarter of what Linux allows */
#define SHM_MAPPED_MAX_BYTES (UINT64_C(4) << 40) /* and address space for them: 1/32 of 47 bits */
#define SHM_HOME_MAX 8192u                       /* cookies of loans that came home and were not reaped yet */
#define SHM_BURST 32u                            /* frames that one rx returns at the most */
#define SHM_SCRATCH_BYTES (SHM_INLINE_MAX + 16)
#define SHM_SLICE 4u           /* quiet paths looked at in one turn */
#define SHM_PASS_OVER 8u       /* turns with something from busy paths, in which quiet ones are looked at once */
#define SHM_LOOKS 4u           /* at the busy paths in one turn, until something has come */
#define SHM_QUIET_TURNS 16384u /* empty looks after which a path is quiet */

struct shm_port;
struct shm_failure;
struct shm_device;
struct shm_watch;
struct shm_debtor;

/* A buffer that the peer holds. Private: the peer only names it. */
struct shm_lent {
	struct weft_buf *buf;
	uint64_t cookie;
	uint64_t len_bytes;
	uint16_t generation;
	uint16_t next_free;
};

/*
 * What we borrow from the peer, and the segments that it lies in, by their ids. The runner maps them and puts them in; the
 * worker looks them up. An entry stays until the path is freed.
 */
struct shm_shares {
	uint64_t mapped_bytes; /* the runner's */
	_Atomic(struct weft_mapping *) by_id[SHM_SEGMENTS];
	/* the worker's */
	uint32_t held[SHM_LOANS];    /* by the index in the loan's id: the id plus 1, or 0 when we do not hold it */
	uint32_t pending[SHM_LOANS]; /* releases that are not sent yet */
};

/* A larger ring for a path whose reader falls behind; see hot.c. */
struct shm_hot {
	enum { SHM_COLD, SHM_HOT_ASKED, SHM_HOT_MADE, SHM_HOT, SHM_HOT_REFUSED } state; /* the worker's */
	unsigned int full_count;     /* times that the ring was full, each with something sent since the last */
	uint32_t full_tail;          /* where the producer was then */
	struct weft_carving carving; /* the runner's until it is made; base NULL: refused */
	uint32_t skip_bytes;         /* the ring begins so far into it */
};

/* What peers make us map. */
struct shm_mapped {
	uint32_t count;
	uint64_t bytes;
};

/* What the peer rings to wake us; the other end of it is the peer's. */
struct shm_bell {
	int fd;    /* -1: none */
	bool bare; /* nothing but bytes can come */
};

/* A watch that may rest. */
struct shm_pause {
	struct weft_worker *runner;
	struct weft_fd_watch *watch;
	struct weft_timer timer;
	bool on;
};

enum shm_path_state {
	SHM_PATH_MADE, /* by the runner; the worker does not know it yet */
	SHM_PATH_UP,
	SHM_PATH_DOOMED, /* the peer broke the protocol, as a send has found; it goes down with the next rx */
	SHM_PATH_DOWN,   /* the worker has been told */
	SHM_PATH_LIMBO,  /* disconnected; lent buffers wait for the peer's proven end */
};

struct shm_path {
	struct weft_path base;
	struct shm_port *port;

	/* the worker's */
	struct shm_tx tx[WEFT_CLASS_COUNT];
	struct shm_rx rx[WEFT_CLASS_COUNT];
	const struct shm_armed *peer_armed;
	uint32_t rung_epoch;
	uint32_t empty_looks; /* in a row; beyond the limit the path is quiet, or ends */
	uint32_t empty_limit;
	enum shm_path_state state;
	bool busy;     /* on the list of paths that are looked at each turn */
	bool dirty;    /* on the list of paths to flush */
	bool proven;   /* the peer cannot read our memory any more */
	bool forsaken; /* it broke the protocol: what it still reads is its own affair */
	bool finished; /* on its last way to the runner */
	bool ending;   /* the peer is gone: down as soon as its rings are empty */
	enum weft_down_reason ending_reason;
	struct weft_list in_polled;
	struct weft_list in_dirty;
	struct weft_list in_port;
	struct weft_list in_doomed;
	struct weft_list in_outbox; /* of the port: something to tell the runner, whose mailbox is full */
	unsigned int to_runner;     /* bits of enum shm_to_runner */
	struct weft_fd_watch bell_watch;
	struct shm_lent *lent; /* SHM_LOANS of them, made at the first loan */
	uint16_t lent_free;
	uint32_t lent_count;
	uint64_t lent_bytes;
	struct shm_debtor *debtor;          /* its process; NULL: before the first loan, and where nothing is counted */
	uint32_t borrowed;                  /* loans of the peer that we hold, or whose release is not sent */
	uint32_t pending_count;             /* releases that are not sent yet */
	struct shm_shares *books;           /* shares, as the worker has seen it; NULL before the first loan */
	unsigned char shared[SHM_SEGMENTS]; /* of ours: enum shm_share */

	struct shm_hot hot; /* of what we send */

	/* the runner's writes, the worker reads: made with the peer's first share */
	_Atomic(struct shm_shares *) shares;

	/* the runner's */
	struct shm_device *device;
	int64_t who; /* of who.h: never changes, so the worker looks at it too */
	int control_fd, pid_fd;
	int ring_fd; /* by which the peer is woken */
	struct shm_bell bell;
	struct weft_fd_watch control_watch, pid_watch;
	struct shm_pause control_pause;
	struct weft_timer end_timer; /* the socket has ended: has the process? */
	struct weft_hello theirs;    /* for the worker's start */
	void *request;
	struct weft_list in_mail; /* of the device: something to tell the worker, whose mailbox is full */
	unsigned int to_worker;   /* bits of enum shm_to_worker */
	uint64_t shares_mapped[SHM_SEGMENTS / 64]; /* ours that the peer has mapped, to be told */
	enum weft_down_reason down_reason;
	bool down_proven;
	bool control_open, bye_sent, bye_received;
	bool condemned; /* broke the protocol: only the end of its socket is still of interest */
	/* Segments, by their ids: what is to be said about them, when the peer's end of the socket has room again. */
	uint64_t share_due[SHM_SEGMENTS / 64];  /* ours: here it is */
	uint64_t shared_due[SHM_SEGMENTS / 64]; /* the peer's: it is mapped */
	struct weft_timer due_timer;
	uint64_t share_sent[SHM_SEGMENTS / 64]; /* ours that the peer has yet to map */
	struct weft_carving carving;
	struct weft_mapping mappings[SHM_SEGMENT_FDS]; /* of the peer's rings, its armed line, its word of life */
	unsigned int mapping_count;
	struct shm_mapped mapped;          /* of all segments of the peer */
	const _Atomic uint32_t *peer_life; /* NULL: it has none */
	struct shm_watch *watch;           /* NULL: nobody tells it of our death, or us of its */
	unsigned int watch_place;
	struct weft_list in_device;
};

/* What one of a path's two owners tells the other, in this order. */
enum shm_to_runner { SHM_TELL_HEAT = 1 << 0, SHM_TELL_BYE = 1 << 1, SHM_TELL_END = 1 << 2, SHM_TELL_FREE = 1 << 3 };
enum shm_to_worker {
	SHM_TELL_START = 1 << 0,
	SHM_TELL_HOT = 1 << 1,
	SHM_TELL_SHARED = 1 << 2,
	SHM_TELL_DOWN = 1 << 3,
	SHM_TELL_LAST = 1 << 4,
};

enum shm_share { SHM_SHARE_NONE, SHM_SHARE_ASKED, SHM_SHARE_DONE };

struct shm_port {
	struct weft_port base;
	struct shm_device *device;
	struct weft_worker *worker;
	struct weft_pool *pool;
	struct weft_carving armed_carving;
	struct shm_armed *armed;
	uint64_t loan_quota_bytes;
	uint32_t slots, hot_slots;
	bool look_at_all; /* the next rx looks at every quiet path */
	uint32_t quiet_count;
	uint32_t passed_over;         /* turns without a look at quiet paths */
	struct weft_list busy, quiet; /* paths, by how they are polled */
	struct weft_list dirty;
	struct weft_list paths;  /* all that the worker knows */
	struct weft_list outbox; /* paths with something to tell the runner */
	struct weft_list doomed;
	struct weft_list debtors;
	bool any_doomed;
	uint64_t *home; /* cookies of loans that came home: a ring */
	uint32_t home_head, home_tail;
	uint32_t cookies_out; /* lent or home, and not reaped: no more than home has room for */
	struct weft_driver_stats stats;
	struct weft_list in_device;
	unsigned int burst;       /* places in scratch that are used in this turn */
	struct shm_path *staging; /* whose ring the stage belongs to */
	struct shm_stage stage;
	_Alignas(64) unsigned char scratch[SHM_BURST][SHM_SCRATCH_BYTES];
};

struct shm_device {
	struct weft_device_opts opts;
	char *name, *runtime_dir;
	uint32_t *allowed_uids;
	int listen_fd;
	char *socket_path; /* NULL: abstract */
	uint64_t socket_inode;
	struct weft_fd_watch listen_watch;
	struct weft_list attaches;   /* handshakes under way */
	unsigned int accepted_count; /* those that peers began */
	int64_t enough_said_to;      /* who had too many paths when that was logged last; -1: nobody */
	bool listen_said;            /* that descriptors lack */
	bool accept_said;            /* that something lacked for a path */
	bool begun_said;             /* that one handshake more was too many */
	struct shm_pause listen_pause;
	struct weft_list ports, paths;
	unsigned int hot_rings;    /* made */
	struct weft_list mail;     /* paths with something to tell their workers */
	struct weft_list failures; /* connects whose failure is to be told */
	struct weft_list put_offs; /* peers that say "not now" */
	struct weft_timer mail_timer;
	struct weft_list watches; /* threads that tell of deaths */
	int watch_fd;             /* by which they tell the runner; -1 until the first path */
	struct weft_fd_watch died_watch;
};

/* ---- tx.c and rx.c: the hot part ---- */
int shm_port_send(struct weft_path *path, enum weft_class class_, uint64_t meta, const void *data, uint32_t len_bytes,
		  unsigned int flags);
unsigned int shm_port_tx(struct weft_path *path, enum weft_class class_, const struct weft_tx_frame *frames,
			 unsigned int count, unsigned int flags, int *why);
unsigned int shm_port_rx(struct weft_port *port, struct weft_rx_frame *frames, unsigned int max);
void shm_port_flush(struct weft_port *port);
void shm_port_arm(struct weft_port *port, bool on);

/* ---- loans.c ---- */
/* Books a loan and fills its descriptor: 0, -WEFT_EAGAIN, -WEFT_EQUOTA or -WEFT_ENXIO. */
int shm_loan_book(struct shm_path *path, const struct weft_tx_frame *frame, struct shm_loan *out);
/* The peer gives these back. */
void shm_loan_released(struct shm_path *path, const uint32_t *ids, unsigned int count);
/* A descriptor that came in: false when it lies. */
bool shm_loan_check(struct shm_path *path, const struct shm_loan *loan, struct weft_rx_frame *frame);
/* All that the peer held comes home. */
void shm_loans_home(struct shm_path *path);
void shm_port_release(struct weft_path *path, uint32_t loan_id);
/* Sends pending releases as far as there is room; true when none is left. */
bool shm_releases_flush(struct shm_path *path);
unsigned int shm_port_reap(struct weft_port *port, uint64_t *cookies, unsigned int max);

/* Room in ring and stage for a message of len_bytes, which is to be added next: 0, -WEFT_EAGAIN, -WEFT_EPROTO. */
int shm_stage_reserve(struct shm_path *path, struct shm_tx *tx, uint32_t len_bytes);
/* Publishes what is staged, if anything. */
void shm_port_publish(struct shm_port *port);
/* Forgets what is staged of a path that is down, and lets nothing more into its rings. */
void shm_stage_drop(struct shm_path *path);

/* ---- debtors.c: what one process holds by all its paths to a port; on the worker ---- */
/* Before the path's first loan. -WEFT_ENOMEM. */
int shm_debtor_join(struct shm_path *path);
/* The path has nothing of ours, and will have nothing more. Harmless when it has not joined. */
void shm_debtor_leave(struct shm_path *path);
/* Whether one loan more is within the limits of the path's process; one may always be out. */
bool shm_debtor_may_have(const struct shm_path *path, uint64_t len_bytes);
/* It has one more (1), or one less (-1). */
void shm_debtor_count(struct shm_path *path, int count, uint64_t len_bytes);

/* ---- hot.c: larger rings for paths whose readers fall behind ---- */

/* The normal ring was full once more. */
void shm_hot_full(struct shm_path *path);
/* Moves to the larger ring, if there is one and nothing is staged. */
void shm_hot_move(struct shm_path *path);
/* The peer moves a ring: false when it cannot be as it says. */
bool shm_hot_follow(struct shm_path *path, struct shm_rx *rx, const unsigned char *message, uint32_t len_bytes);
void shm_hot_make_on_runner(struct weft_worker *runner, const struct weft_message *message);
void shm_hot_made_on_worker(struct weft_worker *worker, const struct weft_message *message);
void shm_hot_free(struct shm_path *path);

/* ---- path.c: a path between runner and worker ---- */
struct shm_path *shm_path_new(struct shm_port *port, int64_t who);
/* What the other owner has told; see mail.c. */
void shm_path_start_on_worker(struct weft_worker *worker, const struct weft_message *message);
void shm_path_down_on_worker(struct weft_worker *worker, const struct weft_message *message);
void shm_path_last_on_worker(struct weft_worker *worker, const struct weft_message *message);
void shm_path_bye_on_runner(struct weft_worker *runner, const struct weft_message *message);
void shm_path_end_on_runner(struct weft_worker *runner, const struct weft_message *message);
void shm_path_free_on_runner(struct weft_worker *runner, const struct weft_message *message);
/* Tells the worker (from the runner) that the path is down. proven: the peer's process has ended or given all back. */
void shm_path_report_down(struct shm_path *path, enum weft_down_reason reason, bool proven);
/* On the worker: what the peer has sent is still delivered, then the path goes down. */
void shm_path_ending(struct shm_path *path, enum weft_down_reason reason);
/* On the worker, from inside a send: nothing more is sent, and the next rx takes it down. Not at once, for whoever is sending
 * has the path's lanes and operations in hand, which end with it. */
void shm_path_doom(struct shm_path *path);
/* On the worker: down, once. */
void shm_path_down(struct shm_path *path, enum weft_down_reason reason);
void shm_path_dirty(struct shm_path *path);
/* From now on it is looked at each turn. */
void shm_path_busy(struct shm_path *path);
void shm_path_disconnect(struct weft_path *path);
int shm_path_share(struct weft_path *path, uint32_t segment_id);
/* Takes the path off all lists of its port. */
void shm_path_leave_port(struct shm_path *path);
/* Frees everything at once; neither worker nor runner run, or both know. */
void shm_path_free(struct shm_path *path);
void shm_ring_bell(struct shm_path *path);

/* ---- mail.c: between a path's worker and the runner ---- */

/* Posts these, now or as soon as the other's mailbox has room: neither waits for the other. After SHM_TELL_FREE and
 * SHM_TELL_LAST the path belongs to the other. */
void shm_tell_runner(struct shm_path *path, unsigned int what);
void shm_tell_worker(struct shm_path *path, unsigned int what);
/* Tries again what found no room; on the worker. */
void shm_mail_flush(struct shm_port *port);
/* What a port's worker will be told if a connect fails; NULL without memory. Freed by free(), or kept by shm_tell_failure. */
struct shm_failure *shm_failure_new(struct shm_port *port, void *request);
void shm_tell_failure(struct shm_failure *failure, int error, const char *why);
void shm_mail_init(struct shm_device *device);
/* Forgets what is to be told to a port, or to all (NULL). */
void shm_mail_drop(struct shm_device *device, const struct shm_port *port);

/* ---- ledger.c: what the process maps of its peers ---- */
/* One segment more: 0, -WEFT_ENOMEM when we map as much as a process may, -WEFT_EQUOTA when the peer's process has its share of
 * it. Thread: any. */
int shm_ledger_add(int64_t who, uint64_t len_bytes);
/* One that was added is not mapped any more. Thread: any. */
void shm_ledger_take(int64_t who, uint64_t len_bytes);

/* ---- mappings.c: what a path maps of its peer ---- */
/* As weft_mapping_open, for a path; or what shm_ledger_add says. Thread: runner. */
int shm_mapping_open(struct shm_path *path, int fd, uint64_t incarnation, uint32_t segment_id, uint64_t max_len_bytes,
		     struct weft_mapping *out);
void shm_mapping_close(struct shm_path *path, struct weft_mapping *mapping);
/* All of a path, and what its worker finds it by; aside, if that is much: whoever frees it is held up. */
void shm_mappings_free(struct shm_path *path);

/* ---- shares.c: the peer's segments ---- */
/* Maps a segment that the peer shares; on the runner. -WEFT_EPROTO when it was shared before or the id cannot be,
 * -WEFT_EQUOTA when the peer has shared SHM_PATH_BYTES, -WEFT_ENOMEM, or what mapping gave. */
int shm_shares_add(struct shm_path *path, uint32_t segment_id, int fd);
/* The segment, or NULL if the peer has not shared it; if found, path->books is there. On the worker. */
const struct weft_mapping *shm_shares_find(struct shm_path *path, uint32_t segment_id);

/* ---- pause.c: descriptors that are not looked at for a while; on the runner ---- */
/* Takes the watch away and adds it again a little later. */
void shm_pause_begin(struct shm_pause *pause, struct weft_worker *runner, struct weft_fd_watch *watch);
/* Removes the watch, paused or not. */
void shm_pause_remove(struct shm_pause *pause, struct weft_worker *runner, struct weft_fd_watch *watch);

/* ---- control.c: what goes over a path's control socket once it stands; on the runner ---- */
int shm_control_start(struct shm_path *path);
/* As if it had not been started. Gives the socket, or -1. */
int shm_control_undo(struct shm_path *path);
void shm_control_stop(struct shm_path *path);
void shm_control_share(struct shm_path *path, uint32_t segment_id);
void shm_control_bye(struct shm_path *path);
/* Ends all paths of a process that is shunned, if it is: see foreign.h. */
void shm_control_shun(struct shm_device *device, int64_t who);
/* The path's port closes: takes leave, and frees the path once the peer has done so too, or has ended. */
void shm_control_linger(struct shm_path *path);

/* ---- watch.c: deaths of peers, noticed at once; on the runner ---- */
void shm_watch_init(struct shm_device *device);
/* No path is left. */
void shm_watch_close(struct shm_device *device);
/* Our word of life for this path's peer, as it is until shm_watch_leave; false when it cannot be had. */
bool shm_watch_join(struct shm_path *path, struct shm_place *out);
/* The path stands: from now on the peer's word is watched; NULL when it has none. Borrows until shm_watch_leave. */
void shm_watch_start(struct shm_path *path, const _Atomic uint32_t *word);
/* This end is closed, or was never opened. No notice comes after it. */
void shm_watch_leave(struct shm_path *path);

/* ---- bell.c: how a sleeping worker is woken ---- */
/* Gives both: ours, and the end that is for the peer. -WEFT_EMFILE. */
int shm_bell_make(struct shm_bell *bell, int *theirs);
/* Harmless when there is none. */
void shm_bell_close(struct shm_bell *bell, int64_t pid);
/* Takes one ring, if there is one. False when the peer has none to ring any more, or tries to send something along: it is
 * not to be listened to again. */
bool shm_bell_hear(const struct shm_bell *bell);
/* False when the peer need not or cannot be woken so. Never waits. */
bool shm_bell_ring(int fd);

/* ---- half.c: the two halves of a path; on the runner ---- */
/* Carves our rings and describes them. Of fds the last is for the peer alone: gives it, as shm_half_send takes it. */
int shm_half_make(struct shm_path *path, struct shm_wire *wire, int fds[SHM_FDS_MAX]);
/* Sends it, as ATTACH or ACCEPT. As shm_wire_send. */
int shm_half_send(int fd, const struct shm_wire *wire, const int fds[SHM_FDS_MAX]);
/* Whether a message is of this type and has with it what a half must have. */
bool shm_half_is(const struct shm_wire *wire, enum shm_message_type type, const int *fds, unsigned int fd_count);
/* Maps the peer's rings and joins them to ours. Takes the last descriptor, its bell. -WEFT_EPROTO, or what mapping gave. */
int shm_half_join(struct shm_path *path, const struct shm_wire *wire, const int *fds, unsigned int *fd_count);

/* ---- connect.c, accept.c, attach.c: how a path is made; on the runner ---- */
int shm_attach_connect(struct weft_port *port, const char *to, const struct weft_hello *mine, void *request);
void shm_attach_accept(struct weft_fd_watch *watch, uint32_t events, void *user);
/* Ends all handshakes of a port, or of the device (NULL), without events. */
void shm_attach_cancel(struct shm_device *device, const struct shm_port *port);

/* ---- rendezvous.c ---- */
int shm_rendezvous_listen(struct shm_device *device);
void shm_rendezvous_close(struct shm_device *device);
/* Nobody can be accepted for lack of descriptors or memory (an errno), or until some are closed (0, and that was said): tries
 * again a little later. */
void shm_rendezvous_pause(struct shm_device *device, int error);
/* A non-blocking socket connected to the device named to; -WEFT_ECONNREFUSED when nobody listens. */
int shm_rendezvous_connect(struct shm_device *device, const char *to, int *fd);
/* Who is at the other end; -WEFT_EACCES when we do not talk with that user. */
int shm_rendezvous_peer(struct shm_device *device, int fd, struct weft_peer_identity *out);
/* A descriptor that tells when the process at the other end ends; -1 when it cannot be had. */
int shm_rendezvous_pidfd(int fd, const struct weft_peer_identity *peer);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a driver of datagrams is: packets between addresses, which may be lost, doubled, reordered or altered on the way.
 * Order, loss, congestion and everything about peers are the business of the layer above (fabric/path).
 *
 *   net driver   a kind of network ("udp"), one constant table
 *   net          what a node opens of it: a local address at which it is reached
 *   net port     the part of a net that one worker owns: it sends and receives packets
 *   net route    the way from a port to one remote address, resolved
 *
 * Ports of a net share its address. The first two bytes of a packet, in network order, are the index of the port that
 * shall receive it: the driver steers by them and reads nothing else. Port 0 belongs to the runner: there strangers
 * knock.
 */
#ifndef WEFT_NET_H
#define WEFT_NET_H

#include <weft/pool.h>
#include <weft/worker.h>

WEFT_BEGIN_DECLS

struct weft_net;
struct weft_net_driver;

#define WEFT_NET_STEER_BYTES 2 /* at the head of each packet: the index of the receiving port */
#define WEFT_NET_PORTS_MAX 65u /* the runner's and those of 64 workers */
#define WEFT_NET_PIECES_MAX 3u /* a packet is gathered from so many */
#define WEFT_NET_TEXT_MAX 80u  /* an address for people, with its end */
#define WEFT_NET_PAYLOAD_MAX 65000u

/* An address as its driver writes it. Unused bytes are 0, so that two are equal when all of their bytes are. */
struct weft_net_address {
	uint8_t len_bytes;
	uint8_t bytes[31];
};

/* The mark of congestion that routers set (RFC 3168). */
enum weft_ecn { WEFT_ECN_NONE = 0, WEFT_ECN_ECT1 = 1, WEFT_ECN_ECT0 = 2, WEFT_ECN_CE = 3 };

enum weft_net_caps {
	WEFT_NET_WAKES = 1 << 0,    /* a sleeping worker is woken by packets */
	WEFT_NET_ECN = 1 << 1,      /* marks are sent and seen */
	WEFT_NET_CHECKSUM = 1 << 2, /* what was altered on the way is dropped, as well as 16 bits can tell */
	WEFT_NET_REFERS = 1 << 3,   /* sends from where the pieces lie, and keeps their buffers until they have gone */
	WEFT_NET_FAULTS = 1 << 4,   /* takes faults in its options, and makes them */
};

/* The resolved way to one remote address; drivers put theirs behind it. */
struct weft_net_route {
	struct weft_net_port *port;
	struct weft_net_address to;
	uint32_t payload_max; /* bytes of a packet that pass unfragmented as far as is known here; may shrink */
};

struct weft_net_piece {
	const void *data;
	uint32_t len_bytes;
	struct weft_buf *buf; /* whose memory that is; NULL: borrowed until tx returns */
};

struct weft_net_tx {
	struct weft_net_route *route;
	struct weft_net_piece pieces[WEFT_NET_PIECES_MAX]; /* the first one holds the steering bytes */
	uint8_t piece_count;
	uint8_t ecn; /* enum weft_ecn */
};

struct weft_net_rx {
	const void *data; /* aligned to 8 bytes; borrowed until the next rx of this port */
	uint32_t len_bytes;
	uint8_t ecn;
	struct weft_net_address from;
	struct weft_net_address to; /* which of our addresses, without its socket; empty: the net has one */
};

struct weft_net_port {
	/*
	 * Sends packets in order; returns how many were taken: fewer means full, try later. A packet that is taken may
	 * still be lost, also here (no route, too long, refused by the system), which is counted. Thread: owner.
	 */
	unsigned int (*tx)(struct weft_net_port *port, const struct weft_net_tx *packets, unsigned int count);
	/* Receives up to max packets (at most max_burst). Empty ones and those without steering bytes never come up.
	 * Thread: owner. */
	unsigned int (*rx)(struct weft_net_port *port, struct weft_net_rx *packets, unsigned int max);
	/* Puts what tx keeps by buffer and has gone. Called each turn while reap_due. Thread: owner. */
	void (*reap)(struct weft_net_port *port);

	void *user;
	bool reap_due; /* the driver's: reap has something to do */
	struct weft_net *net;
	const struct weft_net_driver *driver;
	unsigned int index; /* what the steering bytes name */
	unsigned int max_burst;
};

/* What loss detection starts from (RFC 9002, section 6). */
struct weft_net_timing {
	uint64_t granularity_ns; /* of timers and of the network's own delays */
	uint64_t ack_delay_ns;   /* how long a receiver may wait before it acknowledges */
	uint64_t probe_floor_ns; /* no probe is sent sooner after the last packet */
	uint64_t first_rtt_ns;   /* assumed until one was measured */
};

struct weft_net_opts {
	size_t size;
	const char *address; /* where it is reached, as the driver writes addresses; copied. NULL: any free one */
	struct weft_worker *runner;
	struct weft_arena *arena;
	struct weft_clock *clock;
	const char *faults;                   /* for "fault+NAME"; copied. NULL: nothing */
	const struct weft_net_driver *driver; /* set by weft_net_open */
};

struct weft_net_port_opts {
	size_t size;
	struct weft_worker *worker; /* whose thread calls the hot functions */
	struct weft_pool *pool;     /* for the driver's own buffers; owned by the worker. May be NULL for the runner */
	unsigned int index;         /* 0: the runner's. Each at most once at a time */
	void *user;
};

struct weft_net_stats {
	uint64_t tx_packets, tx_bytes, rx_packets, rx_bytes;
	uint64_t tx_full;                /* times tx took fewer */
	uint64_t tx_dropped, rx_dropped; /* known to be lost here */
	uint64_t copies, copied_bytes;   /* of payload, made by the driver and by what is below it on this machine */
	uint64_t syscalls;
	uint64_t wakes;
};

struct weft_net_driver {
	size_t size; /* of this table: older drivers stay valid, and what they lack is filled in */
	const char *name;
	uint32_t caps; /* enum weft_net_caps */
	struct weft_net_timing timing;

	/* Binds the address. Gives. -WEFT_EADDRINUSE, -WEFT_EACCES, -WEFT_EINVAL, -WEFT_ENODEV ... Thread: init. */
	int (*open)(const struct weft_net_opts *opts, struct weft_net **out);
	/* All ports must be closed. Sets *net to NULL. Thread: runner, or any when it is not running. */
	void (*close)(struct weft_net **net);
	/* The address at which it is reached, with what the system chose. Thread: any. */
	void (*address)(const struct weft_net *net, struct weft_net_address *out);
	/* Gives. Thread: init, or runner. */
	int (*port_open)(struct weft_net *net, const struct weft_net_port_opts *opts, struct weft_net_port **out);
	/* Its routes must be closed. Thread: any when neither worker nor runner run. */
	void (*port_close)(struct weft_net_port **port);
	/* Reads and writes addresses. -WEFT_EINVAL, with a sentence. text has WEFT_NET_TEXT_MAX. Thread: any. */
	int (*address_read)(const char *text, struct weft_net_address *out);
	void (*address_write)(const struct weft_net_address *address, char *text);
	/* Whether what is sent to it, or listened for there, never leaves this machine. Thread: any. */
	bool (*is_loopback)(const struct weft_net_address *address);
	/* The machine at an address: without what names one of its sockets, so that all processes there have the same; all of
	 * this machine's own are one. NULL: each address is a machine. Thread: any. */
	void (*host)(const struct weft_net_address *address, struct weft_net_address *out);
	/* The way to an address. Never blocks: what has to be asked for first is asked meanwhile. Gives. -WEFT_ENOMEM,
	 * -WEFT_EINVAL (not an address of this driver). Thread: the port's owner. */
	int (*route_open)(struct weft_net_port *port, const struct weft_net_address *to, struct weft_net_route **out);
	void (*route_close)(struct weft_net_route **route);
	/* Before the worker sleeps (true) and after (false); see weft_poller. Thread: owner. */
	void (*arm)(struct weft_net_port *port, bool on);
	/* Thread: any; counters may be some turns old. */
	void (*describe)(struct weft_net_port *port, struct weft_net_stats *out);
	/* The i-th thing that this net could not have: a sentence that says what, why and what would help; NULL past the
	 * end. Borrowed until close. Thread: init, or runner. */
	const char *(*degraded)(const struct weft_net *net, unsigned int i);

	const char *copies; /* what of a payload it copies by itself, for people to read */

	/* From now on what goes this way comes from that one of our addresses, which rx told in `to`. NULL: a net has one.
	 * Thread: the port's owner. */
	void (*route_from)(struct weft_net_route *route, const struct weft_net_address *own);
	/* Whether a packet can be sent there: it names a host, and one of its sockets. NULL: whatever is read can. Thread: any. */
	bool (*is_host)(const struct weft_net_address *address);
};

/* A net driver by name: a built-in one; "fault+NAME"; or the one in libweft-NAME.so, which is looked for as weft_driver_find
 * does. NULL, with the last error. Borrowed for ever. Thread: any. */
WEFT_API const struct weft_net_driver *weft_net_driver_find(const char *name);
/* The i-th built-in one, or NULL past the end. Thread: any. */
WEFT_API const struct weft_net_driver *weft_net_driver_at(unsigned int i);
/* Fills in the defaults. Thread: any. */
WEFT_API void weft_net_opts_init(struct weft_net_opts *opts, size_t size);
WEFT_API void weft_net_port_opts_init(struct weft_net_port_opts *opts, size_t size);
/* Opens a net and a port of it, as the functions of the table say: call these instead of them. They tell the driver which
 * one it is, and fill in what it leaves out. Gives. Thread: init. */
WEFT_API int weft_net_open(const struct weft_net_driver *driver, const struct weft_net_opts *opts,
			   struct weft_net **out);
WEFT_API int weft_net_port_open(const struct weft_net_driver *driver, struct weft_net *net,
				const struct weft_net_port_opts *opts, struct weft_net_port **out);
/* Whether something can be sent to an address, as far as its driver says. Thread: any. */
WEFT_API bool weft_net_is_host(const struct weft_net_driver *driver, const struct weft_net_address *address);
/* What goes this way comes from that one of our addresses, where the driver has several; an empty one is whichever the system
 * takes. Thread: the port's owner. */
WEFT_API void weft_net_route_from(struct weft_net_route *route, const struct weft_net_address *own);

/* ---- modules ---- */

/* Changes with any structure of this file but weft_net_driver, which has its size, and options, which have theirs. */
#define WEFT_NET_DRIVER_ABI 1

/* What libweft-NAME.so exports under the name weft_net_driver_module, as a constant. */
struct weft_net_driver_module {
	uint32_t abi; /* WEFT_NET_DRIVER_ABI as it was built; stays first for ever */
	uint32_t reserved;
	const struct weft_net_driver *driver; /* whose name is NAME */
};
#define WEFT_NET_DRIVER_MODULE(table)                                               \
	extern WEFT_API const struct weft_net_driver_module weft_net_driver_module; \
	const struct weft_net_driver_module weft_net_driver_module = {WEFT_NET_DRIVER_ABI, 0, &(table)}

WEFT_END_DECLS

#endif

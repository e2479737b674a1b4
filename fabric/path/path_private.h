/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths over datagrams: the inside. To the link above they look like those of any driver (weft/driver.h); below them
 * is a net driver (weft/net.h), which loses, doubles and reorders.
 *
 *   parcel    what goes out together: frames of small messages, and at most one chunk of a large one. It is sent in
 *             one packet after the other, each with a number of its own, until one of them is acknowledged
 *   outgoing  a large message on its way: its bytes are sent from where they lie, in chunks, as far as it is granted
 *   incoming  a large message being put together, then a loan to the layer above until it is released
 *   held      a small message that came before its turn
 *
 * A port and all of this is its worker's; the device (device.h) is the runner's.
 */
#ifndef PATH_PRIVATE_H
#define PATH_PRIVATE_H

#include "path/packet.h"
#include "path/path.h"
#include "path/ranges.h"

#include <weft/driver.h>
#include <weft/log.h>

#define WEFT__STREAMS 130u /* 64 lanes, what is said of the peer's 64, and one a class for what waits for all others */
#define WEFT__STREAM_ALONE 128u
#define WEFT__PATH_PARCELS 2048u /* of one path: waiting or under way */
#define WEFT__PORT_PARCELS 8192u
#define WEFT__PORT_OUTGOING 1024u
#define WEFT__PATH_OUTGOING 128u
#define WEFT__PORT_INCOMING 2048u
#define WEFT__PATH_INCOMING 512u /* of one path: being put together, or lent to the layer above */
#define WEFT__PORT_WINDOWS 256u  /* large messages of which some is missing */
#define WEFT__PATH_WINDOWS 32u
#define WEFT__PORT_SLOTS 65536u
#define WEFT__SOURCE_PATHS (WEFT__PORT_SLOTS / 2) /* of one address */
#define WEFT__SOURCES 4096u
#define WEFT__PORT_HELD 65536u
#define WEFT__PATH_HELD 16384u        /* and so many small messages may be under way on one */
#define WEFT__FLIGHT_BYTES (2u << 20) /* under way on one path, whatever congestion control says */
#define WEFT__INLINE_MAX 1200u        /* fits into any packet that IPv6 must carry, with all heads */
#define WEFT__HEAD_BESIDE_MAX 32u
#define WEFT__NET_BURST 32u
#define WEFT__UNSCHEDULED_BYTES 65536u
#define WEFT__WINDOW_BYTES (1u << 20) /* granted beyond what is missing first */
#define WEFT__LARGE_MAX_BYTES (UINT64_C(1) << 30)
#define WEFT__GRAIN_BYTES 64u /* chunks begin at multiples of it */
#define WEFT__GRANTED_AT_ONCE 6u

/* ---- shares.c: who has how much of a port ---- */

/* The port's tables of which peers use places, or make us use them. */
enum weft__table {
	WEFT__TABLE_PARCELS,
	WEFT__TABLE_OUTGOING,
	WEFT__TABLE_INCOMING,
	WEFT__TABLE_WINDOWS,
	WEFT__TABLE_HELD,
	WEFT__TABLES,
};
extern const unsigned int weft__table_size[WEFT__TABLES];

/*
 * What all paths with one machine have: however many those are, they have one share. Machines are told apart by a hash with
 * a key, so that nobody can choose with whom he shares.
 */
struct weft__source {
	_Atomic uint32_t paths; /* the runner adds, and the worker takes off */
	unsigned int has[WEFT__TABLES];
	uint64_t bytes; /* memory of large messages that are put together or lent, and of packets with something held */
	bool has_over;  /* one of them is beyond what it may have */
};

/* ---- what goes out ---- */

enum weft__parcel_state {
	WEFT__PARCEL_OPEN,    /* being filled */
	WEFT__PARCEL_WAITING, /* on a list of its path, for room to be sent, again or for the first time */
	WEFT__PARCEL_FLYING,  /* in a packet that may yet be acknowledged */
};

struct weft__parcel {
	struct weft_list link;
	struct weft_buf *buf;
	struct weft__path *path;
	struct weft__outgoing *outgoing; /* whose bytes come last; NULL: none */
	uint64_t chunk_offset;
	uint32_t chunk_len_bytes;
	uint32_t len_bytes; /* of frames in buf */
	uint16_t packets;   /* under way with it */
	uint16_t generation;
	uint8_t state, class_;
	uint16_t messages; /* small ones in it */
	bool was_sent;
	bool owes;    /* something of the layer above is in it, not only of ours */
	bool tells;   /* it has the WEFT__FRAME_LARGE of outgoing */
	bool arrived; /* and other packets with it are still under way */
};

struct weft__outgoing {
	struct weft_list link; /* of its path and class, while there is something left to send */
	struct weft_list in_path;
	struct weft__path *path;
	struct weft_buf *buf;
	uint64_t offset_bytes; /* in buf */
	uint64_t total_bytes, sent_bytes, granted_bytes, arrived_bytes;
	uint64_t cookie;
	uint32_t sequence;
	uint32_t deficit_bytes;
	uint32_t unscheduled_bytes; /* of the path's allowance, until it has arrived */
	uint8_t stream, class_;
	bool begun; /* the receiver has a place for it */
	bool told;  /* WEFT__FRAME_LARGE is in a parcel */
	bool head_arrived;
	uint64_t meta;
	uint32_t head_len_bytes;
	unsigned char head[WEFT__HEAD_BESIDE_MAX];
};

/* ---- what comes in ---- */

/* Which bytes of a window have come: a ring of bits, one a grain. */
struct weft__window {
	struct weft_list link;
	uint64_t bits[WEFT__WINDOW_BYTES / WEFT__GRAIN_BYTES / 64];
};

struct weft__incoming {
	struct weft_list link;         /* free, or of its path */
	struct weft_list in_receiving; /* of the port, while some is missing */
	struct weft__path *path;       /* NULL: the path has gone, its loan has not */
	struct weft_buf *buf;          /* NULL: no memory yet */
	struct weft__window *window;   /* NULL: all has come, or nothing can */
	uint64_t total_bytes, base_bytes;
	uint64_t granted_bytes; /* so far it may come */
	uint64_t told_bytes;    /* so far the sender knows of it */
	uint64_t meta;
	uint32_t sequence;
	uint32_t head_len_bytes;
	uint8_t stream;
	uint64_t come_bytes;                           /* of what its sender was told */
	uint64_t looked_told_bytes, looked_come_bytes; /* as they were when it was last looked for slow ones */
	uint32_t number;                               /* of all that were begun */
	uint32_t pass;                                 /* in which it was last looked at for a grant */
	bool slow;                                     /* it does not use its grants */
	bool has_head, lent;
	bool wanted;         /* the sender has said that it waits */
	bool over;           /* it is the one of its source that may be beyond the quota */
	bool waits;          /* for a buffer of its length */
	bool early;          /* its buffer is among those for the first bytes of what waits */
	uint64_t room_bytes; /* memory that it counts for */
	unsigned char head[WEFT__HEAD_BESIDE_MAX];
};

struct weft__held {
	struct weft_list link;    /* free, spent, or of its bucket */
	struct weft_list in_path; /* of its path */
	struct weft__path *path;
	struct weft__source *source;
	struct weft_buf *buf;
	const unsigned char *data; /* in buf, which it shares with others of its packet */
	uint64_t meta;
	uint32_t sequence, len_bytes;
	uint8_t stream;
};

/* ---- a path ---- */

enum weft__path_state {
	WEFT__PATH_UP,      /* the layer above knows it */
	WEFT__PATH_ENDED,   /* path_down was or will be told; nothing goes or comes */
	WEFT__PATH_PARTING, /* disconnected: only its farewell is repeated */
};

struct weft__path {
	struct weft_path base;
	struct weft_net_address to, own; /* the peer's; and at which of ours it knocked, empty: it did not */
	struct weft_net_route *route;
	struct weft__source *source;
	uint64_t id, peer_id; /* what we call it, and what the peer does */
	uint16_t peer_steer;
	uint8_t state;
	uint8_t down_reason;
	bool ack_at_once;
	bool large_next;              /* small and large take turns */
	bool roomy[WEFT_CLASS_COUNT]; /* the last parcel was filled: the next has a large buffer */
	unsigned int ack_count;       /* packets that want an acknowledgement and have none yet */
	uint64_t ack_since_ns;
	uint64_t heard_ns, said_ns;
	uint64_t asked_ns; /* since when the peer owes an acknowledgement; or since when it parts */
	uint64_t part_ns;  /* when the next farewell is due */
	uint64_t largest_seen_ns;
	uint64_t ce_count;
	struct weft__ranges came;
	struct weft__recovery recovery;
	uint64_t pace_at_ns;
	uint32_t unhurried_bytes; /* sent since a packet said that we wait */
	bool asks;                /* the next one says so in any case */
	uint64_t timed_at_ns;     /* the last round trip that the budget knows of */
	struct weft_timer timer;
	struct weft_list in_port, in_dirty;
	struct weft_list waiting[WEFT_CLASS_COUNT];  /* parcels that are to be sent */
	struct weft_list again[WEFT_CLASS_COUNT];    /* and before them these: lost ones, in the order of their loss */
	struct weft_list large[WEFT_CLASS_COUNT];    /* outgoing with something to send, in turns */
	struct weft_list untold[WEFT_CLASS_COUNT];   /* outgoing that the receiver has no place for yet */
	struct weft__parcel *open[WEFT_CLASS_COUNT]; /* being filled; NULL: none */
	struct weft_list outgoing, incoming, held;   /* all of its */
	unsigned int message_count;                  /* in parcels that were sent and have not arrived */
	unsigned int owing_count;                    /* parcels that owe, and have not arrived */
	unsigned int told_count;                     /* outgoing that the receiver knows of, or is about to */
	unsigned int slow_count;                     /* incoming that do not use their grants */
	uint32_t proven_bytes;                       /* so much at a time it has shown to use */
	unsigned int parcel_count, outgoing_count, incoming_count, window_count, held_count;
	uint32_t unscheduled_bytes;       /* of large messages on their way that nobody granted */
	uint32_t allowance_bytes;         /* so many may be */
	uint32_t allowed_bytes;           /* and the peer's, as it was told */
	uint32_t allow_heard, allow_said; /* of those that were told, the last */
	uint64_t incoming_bytes; /* memory of messages that are being put together, or lent to the layer above */
	uint32_t early_bytes;    /* of which belongs to messages that had to wait for room */
	bool down_due;           /* path_down is to be told */
	unsigned int farewells;
	struct weft_hello *hello; /* of the peer, until path_up */
	void *request;
	bool asked; /* we did; else the peer */
	uint32_t tx_next[WEFT__STREAMS], rx_next[WEFT__STREAMS];
	uint64_t held_streams[(WEFT__STREAMS + 63) / 64]; /* which ones may have something held or whole */
};

/* ---- a port ---- */

#define WEFT__HELD_BUCKETS 4096u

struct weft__path_port {
	struct weft_port base;
	struct weft__path_device *device;
	weft__stream_fn *stream_of;
	struct weft_worker *worker;
	struct weft_poller timed; /* of a net that does not wake: the worker never sleeps for long */
	struct weft_pool *pool;
	struct weft_net_port *net;
	unsigned int index;
	uint64_t loan_quota_bytes;
	struct weft__path **slots;     /* by the lower 16 bits of a path's id */
	_Atomic uint64_t *slots_taken; /* by bits: the runner takes, the worker gives back */
	struct weft_list paths, parting;
	struct weft_list dirty; /* paths with something to send, in turns */
	struct weft_list ended; /* paths whose end is to be told: by in_dirty */
	struct weft_list free_parcels, free_outgoing, free_incoming, free_windows, free_held;
	unsigned int held_made;     /* of the table: the others were never used */
	struct weft_list spent;     /* held ones whose data the layer above may look at until the next rx */
	struct weft_list receiving; /* incoming of which some is missing */
	unsigned int waiting_count; /* of them, for room */
	uint32_t grant_pass;
	struct weft_timer slow_look;
	struct weft__source *sources;
	unsigned int used[WEFT__TABLES];
	bool grants_due;
	/* budget.c */
	uint64_t budget_bytes;   /* may be on their way to us of large messages that we granted, at most */
	uint64_t expected_bytes; /* what was told and has not come */
	uint64_t round_bytes;    /* that have come since the budget was last looked at */
	uint32_t round_packets, round_marked;
	double marked_share;
	const struct weft__source *heard_source; /* in this round: whose packet came last, */
	bool heard_marked;                       /* whether it was marked, */
	bool other_marked, heard_others;         /* and the last of another one; whether there was one */
	/* and of round trips, where nothing marks: what they say of the queue */
	uint64_t round_at_ns, span_ns, span_bytes; /* since when; how long the round before took, and what came in it */
	uint64_t asked_bytes;                      /* of the round, when somebody was asked for an answer */
	const struct weft__source *timed_source;   /* whose round trip was measured last, */
	bool timed_long, other_long;               /* whether it was long, and the last of another one */
	uint32_t round_timed, round_long;
	uint32_t begun;           /* incoming so far */
	uint32_t receiving_paths; /* on which something is being put together */
	bool net_full;
	uint64_t looked_ns; /* when it last asked the net */
	uint64_t awake_ns;  /* since when it has looked without a long break: no silence counts before */
	uint64_t *homes;    /* cookies of outgoing that have arrived: a ring */
	unsigned int home_first, home_count;
	struct weft__parcel *parcels;
	struct weft__outgoing *outgoing;
	struct weft__incoming *incoming;
	struct weft__window *windows;
	struct weft__held *held;
	struct weft_list *buckets; /* of held, by path, stream and sequence */
	/* the burst that is being read */
	struct weft_net_rx packets[WEFT__NET_BURST];
	unsigned int packet_count, packet_at;
	uint32_t frame_at;              /* in the packet at packet_at; 0: it was not begun */
	struct weft__path *packet_path; /* whose packet is being read; NULL: none is */
	struct weft_buf *packet_copy;   /* of it, for messages that came before their turn; NULL: none yet */
	uint64_t packet_number;
	bool packet_refused; /* some of it could not be taken: it must come again */
	bool packet_eliciting, packet_hurries;
	struct weft__path *ready_path; /* has messages whose turn has come, on the stream below */
	uint8_t ready_stream;
	unsigned char heads[WEFT__NET_BURST][WEFT__PACKET_HEAD + WEFT__ACK_MAX];
	struct weft_driver_stats stats;
	struct weft__path_stats path_stats;
};

static inline struct weft__path *weft__path_of(struct weft_path *path)
{
	return WEFT_CONTAINER_OF(path, struct weft__path, base);
}

static inline struct weft__path_port *weft__port_of(struct weft_port *port)
{
	return WEFT_CONTAINER_OF(port, struct weft__path_port, base);
}

static inline struct weft__path_port *weft__path_port(const struct weft__path *path)
{
	return weft__port_of(path->base.port);
}

/* That of a machine. Thread: any. */
struct weft__source *weft__source_of(struct weft__path_port *port, const struct weft_net_address *address);

/*
 * Whether it may have one more place of a table: as many as are still free, so that there are always some for one who comes
 * later (Choudhury and Hahne 1998), and one of the last if it has none.
 */
static inline bool weft__share_left(const struct weft__path *path, enum weft__table table)
{
	unsigned int has = path->source->has[table];
	unsigned int free_count = weft__table_size[table] - weft__path_port(path)->used[table];

	return has ? has < free_count : free_count > 0;
}

/* A place of a table is taken (1), or given back (-1). */
static inline void weft__share_count(struct weft__path_port *port, struct weft__source *source, enum weft__table table,
				     int change)
{
	source->has[table] += (unsigned int)change;
	port->used[table] += (unsigned int)change;
}

/* ---- send.c: frames of the layer above ---- */

int weft__path_send(struct weft_path *path, enum weft_class class_, uint64_t meta, const void *data, uint32_t len_bytes,
		    unsigned int flags);
unsigned int weft__path_tx(struct weft_path *path, enum weft_class class_, const struct weft_tx_frame *frames,
			   unsigned int count, unsigned int flags, int *why);
/* Puts a frame that the engine itself has to say, of len_bytes, into a parcel; NULL: no room now. */
unsigned char *weft__path_say(struct weft__path *path, enum weft_class class_, uint32_t len_bytes);

/* ---- parcel.c: their life ---- */

/* An empty one, open in its class; NULL: full. */
struct weft__parcel *weft__parcel_open(struct weft__path *path, enum weft_class class_);
/* Bytes of frames that it can hold. */
uint32_t weft__parcel_room(const struct weft__parcel *parcel);
/* Whatever is open in that class waits to be sent. */
void weft__parcel_shut(struct weft__path *path, enum weft_class class_);
/* One for a chunk of a large message, on no list; NULL: full. */
struct weft__parcel *weft__parcel_new(struct weft__path *path, enum weft_class class_, uint32_t room_bytes);
/* Something of the layer above is in it: a farewell waits for that. */
static inline void weft__parcel_owes(struct weft__parcel *parcel)
{
	parcel->path->owing_count += !parcel->owes;
	parcel->owes = true;
}
/* By what recovery knows it; and back, NULL: it is another one's by now. */
void *weft__parcel_name(const struct weft__parcel *parcel);
struct weft__parcel *weft__parcel_of(struct weft__path_port *port, void *name);
/* Frees all of a path that ends. */
void weft__parcels_drop(struct weft__path *path);
extern const struct weft__recovery_events weft__parcel_events;

/* ---- outgoing.c: large messages on their way ---- */

/* 0, -WEFT_EAGAIN. Takes a reference to the buffer. */
int weft__outgoing_start(struct weft__path *path, enum weft_class class_, const struct weft_tx_frame *frame);
/* Makes the next parcel of a class's large messages, deficit round robin; NULL: nothing that may be sent. */
struct weft__parcel *weft__outgoing_next(struct weft__path *path, enum weft_class class_);
/* Whether there is something that may be sent. */
bool weft__outgoing_ready(const struct weft__path *path, enum weft_class class_);
/* A chunk of so many bytes has arrived; head: and what is to be known of the message. Frees it when that was all. */
void weft__outgoing_arrived(struct weft__outgoing *outgoing, uint32_t len_bytes, bool head);
void weft__outgoing_granted(struct weft__path *path, const struct weft__frame *frame);
void weft__outgoing_drop(struct weft__path *path);

/* The receiver says how much may go without a grant. */
void weft__outgoing_allowed(struct weft__path *path, const struct weft__frame *frame);

/* ---- grants.c: who may send large messages now ---- */

void weft__grants_give(struct weft__path_port *port);
/* The timer that finds those who do not use their grants. */
void weft__grants_look_for_slow(struct weft_timer *timer, void *user);

/* ---- budget.c: how much may be on its way to a port ---- */

void weft__budget_init(struct weft__path_port *port);
/* A packet has come, marked or not. */
void weft__budget_heard(struct weft__path *path, uint32_t len_bytes, bool marked);
/* The sender of a message knows from now on that so much of it may come. */
void weft__budget_expect(struct weft__incoming *incoming, uint64_t told_bytes);
/* So much of it has come for the first time. */
void weft__budget_come(struct weft__incoming *incoming, uint64_t bytes);
/* It does not use what it may: that is somebody else's. Until it has used it. */
void weft__budget_is_slow(struct weft__incoming *incoming);
/* Nothing more is expected of it. */
void weft__budget_forget(struct weft__incoming *incoming);
/* What it may have beyond what it has. */
uint64_t weft__budget_left(const struct weft__incoming *incoming);
/* A grant for less is not worth its packet. */
uint64_t weft__budget_step(const struct weft__incoming *incoming);
/* Tells the peer what it may send without a grant, if it should know. */
void weft__budget_tell(struct weft__path *path);

/* ---- transmit.c: packets go out ---- */

/* Sends what there is and may be sent. True: nothing is left that could go before something happens. */
bool weft__path_transmit(struct weft__path *path);
/* Sends an acknowledgement on its own, if one is due. */
void weft__path_acknowledge(struct weft__path *path);
/* One packet beyond the window, so that the peer says what it has. */
void weft__path_probe(struct weft__path *path);
/* Says that nothing more goes or comes. */
void weft__path_say_close(struct weft__path *path, uint32_t reason);
/* Has the peer acknowledge at once, so that a round trip is measured. */
void weft__path_ask(struct weft__path *path);
/* Marks it as having something to send. */
void weft__path_dirty(struct weft__path *path);

/* ---- receive.c: packets come in ---- */

unsigned int weft__path_rx(struct weft_port *port, struct weft_rx_frame *frames, unsigned int max);

/* Acknowledgements and the like, as far as nothing is to be handed up before. */
void weft__path_see_to_control(struct weft__path_port *port);

/* ---- held.c ---- */

/* Keeps a small message that came before its turn; false: no room. */
bool weft__held_keep(struct weft__path *path, const struct weft__frame *frame);
/* Takes the one with that number; NULL: it is not there. Its data stay until the next rx. */
struct weft__held *weft__held_take(struct weft__path *path, uint8_t stream, uint32_t sequence);
bool weft__held_has(struct weft__path *path, uint8_t stream, uint32_t sequence);
void weft__held_free(struct weft__path_port *port, struct weft__held *held);
void weft__held_drop(struct weft__path *path);

/* ---- incoming.c ---- */

/* 1: taken. 0: no room, it must come again. -WEFT_EPROTO. */
int weft__incoming_take(struct weft__path *path, const struct weft__frame *frame);
/* The one with that number, if all of it has come. */
struct weft__incoming *weft__incoming_whole(struct weft__path *path, uint8_t stream, uint32_t sequence);
/* Hands it up. */
void weft__incoming_lend(struct weft__incoming *incoming, struct weft_rx_frame *frame);
void weft__incoming_release(struct weft_path *path, uint32_t loan_id);
/* Those that are not lent; with all, also those. */
void weft__incoming_drop(struct weft__path *path, bool all);

/* ---- room.c: where large messages are put together ---- */

/* A buffer of its whole length; false: there is none now, and it waits. */
bool weft__room_for_all(struct weft__incoming *incoming);
/* At least room for the bytes that nobody had to grant; false: they must come again. */
bool weft__room_for_first(struct weft__incoming *incoming);
/* Gives those that wait what there is. */
void weft__room_look(struct weft__path_port *port);
/* All has come, or nobody wants it any more. */
void weft__room_is_whole(struct weft__incoming *incoming);
/* And it is used no more. */
void weft__room_give_back(struct weft__incoming *incoming);
/* Whether what comes without a grant may find no room. */
bool weft__room_is_tight(const struct weft__path *path);

/* ---- life.c: paths begin and end ---- */

/* The pool has nothing of that size: the layer above is asked for more. */
void weft__path_wants_memory(struct weft__path_port *port, size_t len_bytes);
/* Takes a path over from the runner: 0, or why it cannot be. */
int weft__path_begin(struct weft__path_port *port, struct weft__path *path);
/* Nothing more goes or comes; path_down is told in the next rx. */
void weft__path_end(struct weft__path *path, enum weft_down_reason reason);
/* The peer took leave. */
void weft__path_closed_by_peer(struct weft__path *path);
void weft__path_violation(struct weft__path *path, const char *what);
void weft__path_disconnect(struct weft_path *path);
/* The next step of parting. May free it. */
void weft__path_part(struct weft__path *path);
/* Tells what is to be told. */
void weft__paths_tell(struct weft__path_port *port);
/* Sets the timer by what the path waits for. */
void weft__path_schedule(struct weft__path *path);
void weft__path_free(struct weft__path *path);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels, their view on one worker, senders and loans, from the inside.
 */
#ifndef CHANNEL_PRIVATE_H
#define CHANNEL_PRIVATE_H

#include "node/node_private.h"
#include "wire/meta.h"

/* What the application sets of a channel: for all workers, from any thread. */
enum weft__setting { WEFT__SET_HANDLER, WEFT__SET_PLACE, WEFT__SET_ON_PEER };
#define WEFT__SETTINGS (WEFT__SET_ON_PEER + 1)

/* What a channel calls. */
struct weft__calls {
	weft_rx_fn *handler;
	void *handler_user;
	weft_place_fn *place;
	void *place_user;
	weft_peer_fn *on_peer;
	void *on_peer_user;
};

struct weft_channel {
	struct weft_node *node;
	struct weft_channel_opts opts;
	char name[WEFT_NAME_MAX + 1];
	struct weft_list in_node;
	_Atomic unsigned int refs; /* the opener's, and one for each view */
	struct weft__calls calls;  /* as last set, under the node's lock: for workers that are attached later */
	uint64_t settings;         /* how many there were: each has its number */
	/* By the worker's index. Made under the node's lock, before the worker knows; each is that worker's from then on. */
	struct weft__view *views[WEFT__STATIONS_MAX];
};

/* A channel as one worker sees it. */
struct weft__view {
	struct weft_channel *channel;
	struct weft__station *station;
	bool here;                            /* the worker knows it */
	struct weft__errand arrival, leaving; /* each sent once, by who opens and who closes the channel */
	struct weft__calls calls;
	uint64_t settings[WEFT__SETTINGS]; /* number of the last one of each */
	struct weft_list notes;            /* about peers, to be told */
	bool posts;                        /* the application posts receives */
	struct weft_list in_station;
	struct weft_list lanes;      /* of peers, opened on it */
	struct weft_list posted;     /* operations, oldest first */
	struct weft_list unexpected; /* messages that nothing took yet, oldest first */
	struct weft_list senders;
};

struct weft__request_slot {
	struct weft_op *op; /* NULL: free */
	uint32_t generation;
	uint32_t next_free;
};

#define WEFT__SENDER_EVENTS (WEFT_SENDER_FAILED + 1)

struct weft_sender {
	/* what the quick send looks at */
	struct weft__tx_lane *lane0;
	struct weft_path *path; /* NULL: not ready */
	uint32_t inline_max;    /* of the driver */
	uint32_t quick_max;     /* the same, or the longest message if that is less */
	uint8_t class_;
	uint8_t delivery;
	bool quick;                 /* ready, one lane to look at, nothing staged or conflated */
	uint64_t max_message_bytes; /* our channel's, or the peer's if that is less */

	struct weft__station *station;
	struct weft__view *view;
	struct weft__link *link;
	struct weft_sender_opts opts;
	char peer[2 * WEFT_NAME_MAX + 2];
	char stranger[WEFT_NAME_MAX + 1];    /* who answers at the peer's address; "": nobody else */
	int status;                          /* 0 ready, -WEFT_EAGAIN on the way, else why it is lost */
	uint8_t events[WEFT__SENDER_EVENTS]; /* to be told, oldest first; each at most once */
	uint8_t event_count;
	int causes[WEFT__SENDER_EVENTS]; /* of each event */
	bool wants_writable;
	uint64_t woken_sequence; /* how much it had sent when it was last told that there may be room */
	bool parked;             /* was ready; its link is idle, and the next send wakes it */
	struct weft_list in_link, in_view, in_events, in_blocked, in_requesters;

	struct weft__request_slot *requests; /* made at the first request */
	uint32_t request_free, requests_out;
	unsigned int lane_count;
	struct weft__tx_lane lanes[WEFT_CHANNEL_LANES_MAX];
};

/* A buffer being filled or sent, or a received message that is kept or waits for a taker. */
struct weft_loan {
	struct weft_list link;    /* the station's free list; or its view's unexpected list */
	struct weft_list in_lane; /* its lane's unexpected list; or its station's list of orphans or kept ones */
	struct weft__station *station;
	void *data;
	size_t len_bytes;
	uint32_t holds;
	uint32_t loan_id;           /* with from */
	struct weft_buf *buf;       /* ours: to fill or a copy; NULL: with from, or in its own place */
	struct weft__link *from;    /* whose memory it is; NULL: ours */
	struct weft__rx_lane *lane; /* whose window it uses; NULL: none */
	/* while it waits for a taker */
	bool waits;
	struct weft__link *waits_of; /* whose share of the waiting ones it is; NULL: that link has ended */
	/* and from then on */
	uint32_t sequence;
	bool has_header, is_request;
	bool ack_now; /* its sender wants to hear at once that it was consumed */
	uint64_t tag, immediate, request_id;
	uint64_t peer_incarnation;
	char peer[WEFT_NAME_MAX + 1]; /* who may be gone by then */
};

/* What weft keeps in a weft_rx besides the message. */
enum weft__rx_slot {
	WEFT__RX_REQUEST_ID,
	WEFT__RX_LANE,  /* struct weft__rx_lane: for the reply's lane number and the window */
	WEFT__RX_FRAME, /* const struct weft_rx_frame, or 0 */
	WEFT__RX_STATE, /* bits below */
	WEFT__RX_LINK,  /* struct weft__link */
	WEFT__RX_LOAN,  /* the struct weft_loan that holds it already, or 0 */
};
#define WEFT__RX_KEPT 1
#define WEFT__RX_ANSWERED 2
#define WEFT__RX_BORROWED 4 /* kept where it lies: the frame's loan is given back later */

/* A request that will be answered later. */
struct weft_call {
	struct weft_list link; /* the station's free list, or its asker's list */
	struct weft__station *station;
	struct weft__link *to;     /* NULL: the requester is gone */
	struct weft__asker *asker; /* whose it is all the same */
	uint64_t request_id;
	uint16_t lane;
	uint8_t class_; /* enum weft_class */
};

/* ---- view.c ---- */
struct weft__view *weft__view_find(struct weft__station *station, const char *name);
/* The same for a channel of ours, however many there are; NULL: it has not come to this worker yet. */
static inline struct weft__view *weft__view_of(const struct weft__station *station, const struct weft_channel *channel)
{
	struct weft__view *view = channel->views[station->index];

	return view && view->here ? view : NULL;
}
/* Whether the view has somewhere to deliver to. */
bool weft__view_receives(const struct weft__view *view);
/* The application posts receives: lanes that waited get credit. */
void weft__view_receiving(struct weft__view *view);
/* Hands messages that came before the handler to it, at most max. */
unsigned int weft__view_run_unexpected(struct weft__view *view, unsigned int max);
/* Makes the channel's view on a worker, which does not know of it yet. -WEFT_ENOMEM. Under the node's lock. */
int weft__view_new(struct weft__station *station, struct weft_channel *channel);
/* The worker knows it from now on. An errand: arrival. */
void weft__view_arrive(struct weft__station *station, struct weft__errand *arrival);
/* Ends what is open on it, with the callbacks of that, and frees it; also one that has not arrived. */
void weft__view_drop(struct weft__view *view);
/* The same as an errand: leaving. */
void weft__view_leave(struct weft__station *station, struct weft__errand *leaving);
void weft__channel_unref(struct weft_channel *channel);

/* ---- peers.c: who sends to a channel ---- */
struct weft__note *weft__note_new(void);
/* The lane has found its channel; tells if it is the first of its link. */
void weft__peer_came(struct weft__rx_lane *lane);
/* The lane ends, and is off its view's list; tells if it was the last of its link. Takes its note. */
void weft__peer_gone(struct weft__rx_lane *lane, int cause);
/* The application wants to hear of peers from now on. */
void weft__peers_watch(struct weft__view *view);
/* Runs the callbacks that are due, at most max. */
unsigned int weft__notes_run(struct weft__view *view, unsigned int max);
void weft__notes_drop(struct weft__view *view);

/* ---- deliver.c ---- */
/* Hands one message to its channel. */
void weft__deliver(struct weft__rx_lane *lane, struct weft_rx *rx, const struct weft_rx_frame *frame);
/* A message as a loan that waits in its lane, inside its sender's window; NULL without memory. */
struct weft_loan *weft__message_hold(struct weft__rx_lane *lane, struct weft_rx *rx, const struct weft_rx_frame *frame);
/* ---- waiting.c: messages that nothing takes yet ---- */
/* Keeps the message until something is posted for it. */
void weft__wait_for_taker(struct weft__rx_lane *lane, struct weft_rx *rx, const struct weft_rx_frame *frame);
/* It does not wait any more. */
void weft__waiting_taken(struct weft_loan *loan);
/* The link has ended, and its lanes with it: drops what is too much of what it leaves behind. */
void weft__waiting_left(struct weft__link *link);

/* ---- deliver.c again ---- */
/* A held message as the rx that it would have been. Its lane is NULL when the sender has gone since. */
void weft__rx_of_loan(struct weft__view *view, struct weft_loan *loan, struct weft_rx *out);

/* ---- placing.c: large messages are copied in pieces ---- */
/* Whether a message is large enough. */
bool weft__is_large(size_t len_bytes);
/* Begins to copy loan to op's buffer; op->as.posted is filled in. Takes the loan and op. */
void weft__placing_begin(struct weft_op *op, struct weft_loan *loan);
/* Hands all of a message to stream at once. */
void weft__stream_now(const struct weft_rx *rx, weft_stream_fn *stream, void *user);
/* Copies or streams at most budget_bytes. Returns whether anything was. */
unsigned int weft__placing_run(struct weft__station *station, size_t budget_bytes);
/* Ends those of a view that is being closed. */
void weft__placing_drop(struct weft__view *view);

/* ---- sender.c ---- */
void weft__sender_event(struct weft_sender *sender, enum weft_sender_event event, int cause);
void weft__sender_ready(struct weft_sender *sender);
/* The peer's channel takes messages of so many bytes. */
void weft__sender_limit(struct weft_sender *sender, uint64_t max_message_bytes);
/* Nothing is sent until the link is awake again. */
void weft__sender_park(struct weft_sender *sender);
void weft__sender_unpark(struct weft_sender *sender);
void weft__sender_lost(struct weft_sender *sender, int cause);
/* From a link that was never up to one that is; the sender may be lost when that has no lane left. */
void weft__sender_move(struct weft_sender *sender, struct weft__link *to);
/* Remembers that the application met back-pressure. by_driver: nothing will tell us when it ends. Returns -WEFT_EAGAIN. */
int weft__sender_again(struct weft_sender *sender, bool by_driver);
/* The driver may have room again. */
void weft__sender_unblock(struct weft_sender *sender);
unsigned int weft__senders_run_events(struct weft__station *station, unsigned int max);

/* ---- loan.c ---- */
/* A place for each loan where a small message fits, once there is a port. -WEFT_ENOMEM. */
int weft__loan_places_make(struct weft__station *station);
struct weft_loan *weft__loan_alloc(struct weft__station *station);
/* How many of the free ones are for links that have none. */
static inline long weft__loans_of_links(const struct weft__station *station)
{
	return station->served < WEFT__LINK_LOANS ? (long)(WEFT__LINK_LOANS - station->served) : 0;
}
/* Whether there are more free ones than were promised to messages that may have to wait, and are to be promised. */
static inline bool weft__loans_spare(const struct weft__station *station)
{
	return (long)station->free_loan_count - station->promised > weft__loans_of_links(station);
}
/* Lets go of what it holds (buffer, borrowed memory, window) and frees it, whoever holds it. */
void weft__loan_free(struct weft_loan *loan);
/* A received message as a loan: borrowed if the frame lent it and its sender can do without, else copied. lane: whose window
 * it uses; NULL: none, it is a reply. -WEFT_EAGAIN: all loans are in use. */
int weft__loan_of_frame(struct weft__link *link, struct weft__rx_lane *lane, struct weft_rx *rx,
			const struct weft_rx_frame *frame, struct weft_loan **out);
/* The lane has gone: kept loans use nobody's window any more. */
void weft__loans_forget_lane(struct weft__station *station, const struct weft__rx_lane *lane);

/* ---- send.c ---- */
/* The flag on what the station lends. */
static inline unsigned int weft__short_flag(const struct weft__station *station)
{
	return weft__station_is_short(station) ? WEFT__SHORT : 0;
}
/* Sends small data, or a loan with a small head; 1 when taken. */
static inline bool weft__tx_one(struct weft_path *path, enum weft_class class_, const struct weft_tx_frame *frame,
				unsigned int flags, int *why)
{
	return path->port->tx(path, class_, frame, 1, flags, why) == 1;
}
/* Makes the head of a message: returns its length. */
uint32_t weft__head_make(unsigned char head[24], bool has_header, uint64_t tag, uint64_t immediate);
/* Sends part of a buffer on a lane if credit and driver allow: 0, -WEFT_EAGAIN. Cookie: an op or NULL. */
int weft__send_buf(struct weft_sender *sender, struct weft__tx_lane *lane, enum weft__kind kind, unsigned int flags,
		   const unsigned char *head, uint32_t head_len_bytes, struct weft_buf *buf, size_t offset_bytes,
		   size_t len_bytes, struct weft_op *op);
/* What a send with WEFT_ZERO_COPY says where it would copy. */
int weft__would_copy(const struct weft_sender *sender, size_t len_bytes);
/* What a send says on a sender that is not ready. */
int weft__sender_refuse(struct weft_sender *sender);
/* Whether the options are those of this version: 0, -WEFT_EINVAL. */
int weft__check_how(const struct weft_send_opts *how);
/* What a send says of a message that is too long. */
int weft__too_long(const struct weft_sender *sender, size_t len_bytes);
/* Why the sender does not take a message of this length on the lane now; 0: it does. */
int weft__lane_refuses(struct weft_sender *sender, const struct weft__tx_lane *lane, size_t len_bytes);
/* The same for small data: one frame, no memory. */
int weft__send_inline(struct weft_sender *sender, struct weft__tx_lane *lane, unsigned int meta_flags,
		      const unsigned char *head, uint32_t head_len_bytes, const void *data, size_t len_bytes,
		      unsigned int tx_flags);
/* Whether the lane's credit allows a message of this length. */
static inline bool weft__lane_has_credit(const struct weft__tx_lane *lane, size_t len_bytes)
{
	return (int32_t)(lane->limit_sequence - lane->next_sequence) > 0 &&
	       (lane->sent_bytes + len_bytes <= lane->limit_bytes ||
		(lane->next_sequence == lane->delivered_sequence && lane->any_size));
}
/* Whether the sender takes a message of this length on the lane now: 0, or why not. */
static inline int weft__check_lane(struct weft_sender *sender, const struct weft__tx_lane *lane, size_t len_bytes)
{
	if (__builtin_expect(sender->status >= 0 && len_bytes <= sender->max_message_bytes && !lane->staged_count &&
				     weft__lane_has_credit(lane, len_bytes),
			     1))
		return 0;
	return weft__lane_refuses(sender, lane, len_bytes);
}

/* ---- latest.c: deliveries that are not reliable ---- */

/* There is no room: drops the message, or keeps it as the latest, in a copy or, with loan, as it is. 0, -WEFT_EAGAIN. */
int weft__send_unreliable(struct weft_sender *sender, struct weft__tx_lane *lane, const void *data, size_t len_bytes,
			  struct weft_buf *loan, const struct weft_send_opts *how);
/* The lane's latest message, if there is one, is not sent any more. */
void weft__latest_drop(struct weft__tx_lane *lane, int status);
/* Sends the latest messages as far as there is credit; false when the driver has no room. */
bool weft__latest_flush(struct weft__link *link);

/* ---- request.c ---- */
void weft__request_reply(struct weft__link *link, const struct weft_rx_frame *frame);
void weft__request_cancel(struct weft_op *op);
void weft__requests_end(struct weft_sender *sender, int status);
/* Ends what is past its deadline. */
void weft__requests_sweep(struct weft_timer *timer, void *user);

/* ---- reply.c ---- */
/* Where a reply goes, whatever it was made from. */
struct weft__reply_to {
	struct weft__link *link;
	uint64_t request_id;
	uint16_t lane;
	uint8_t class_; /* of the request's channel: an answer is as urgent as its question */
};

/* Marks the request as answered and says where the answer goes. */
int weft__reply_to(struct weft_rx *rx, struct weft__reply_to *to);
/* Returns rc; a request whose answer could not be taken may be answered again. */
int weft__answered(struct weft_rx *rx, int rc);
int weft__reply_copy(const struct weft__reply_to *to, bool is_error, const void *data, size_t len_bytes);
/*
 * Whether a peer that has so many may have one more: as many as are still free, so that one alone gets half of them and many
 * get less each. One is kept for each peer that has none from those that have some (served: so many). It is not kept from
 * the application, whose own operations may take all.
 */
bool weft__may_have_more(unsigned int has, unsigned int free_count, unsigned int served);
/* Sends replies that had to wait; true when none is left. */
bool weft__replies_flush(struct weft__link *link);
/* The link has gone: replies to it come to nothing. */
void weft__replies_drop(struct weft__link *link);

/* ---- deferred.c ---- */
/* The link has come up: what its peer had before is its own. */
void weft__asker_join(struct weft__link *link);
/* The link has gone, or rests: the answers of calls to it come to nothing. Harmless when it has not come up. */
void weft__asker_leave(struct weft__link *link);
/* The station closes. */
void weft__askers_drop(struct weft__station *station);

#endif

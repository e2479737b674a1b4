/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A link: everything between one of our workers and one of a peer's. It has one path, the lanes that our senders opened
 * on it, and the lanes that the peer opened towards us.
 */
#ifndef LINK_H
#define LINK_H

#include "node/mail.h"
#include "wire/control.h"

#include <weft/send.h>

#define WEFT__LINK_LANES 64

struct weft__station;
struct weft__view;
struct weft__note;
struct weft_op;
struct weft__connecting;

/* Priorities above normal use the express class of the path. */
static inline uint8_t weft__class_of(enum weft_priority priority)
{
	return priority < WEFT_PRIORITY_NORMAL ? WEFT_CLASS_EXPRESS : WEFT_CLASS_NORMAL;
}

/* WEFT_LATEST: the message that could not be sent yet. */
struct weft__latest {
	struct weft_buf *buf; /* NULL: none */
	size_t len_bytes;
	uint64_t tag, immediate;
	bool has_header;
	bool is_loan; /* the application's own, else our copy */
	enum weft_completion completion;
	struct weft_op *op; /* to report on; may be NULL */
};

/* Our end of a lane that we send on. */
struct weft__tx_lane {
	/* what a send looks at, together */
	uint32_t next_sequence;
	uint32_t limit_sequence;
	uint64_t sent_bytes;
	uint64_t limit_bytes;
	uint16_t id;
	bool opened;   /* credit has come */
	bool any_size; /* while all is delivered, the next message may exceed the limit of bytes */
	bool told;     /* the open has been sent */
	uint8_t class_;
	uint32_t generation; /* of the lane number: credit for an earlier holder of it is ignored */
	uint32_t delivered_sequence;
	uint32_t staged_count;   /* staged operations: later sends must not overtake them */
	uint32_t deficit_bytes;  /* what it may still copy before the next lane's turn */
	struct weft__link *link; /* NULL: not on a link */
	struct weft_sender *sender;
	struct weft_list unacked;   /* operations in order of their sequence */
	struct weft_list staged;    /* the same that are not sent yet */
	struct weft_list in_staged; /* the link's list of lanes with such */
	struct weft__latest latest;
	struct weft_list dirty; /* on the link's list of lanes with something to tell */
};

/* What all messages of a lane have in common, as it stands in weft_rx: copied from one to the other as it is. */
struct weft__rx_origin {
	const char *peer;
	uint64_t peer_incarnation;
	struct weft_channel *channel;
	struct weft_worker *worker;
};

/* Our end of a lane that the peer sends on. */
struct weft__rx_lane {
	uint32_t next_sequence;
	uint32_t limit_sequence;  /* the largest that was told, also by an earlier channel of the name: nothing may come
				  * beyond, but what was sent by the older one may still be on its way */
	uint32_t credit_sequence; /* from this message on, and from these bytes, new credit is told */
	uint64_t credit_bytes;
	uint64_t received_bytes;
	uint64_t limit_bytes;       /* so too */
	uint64_t max_message_bytes; /* and so too: ours, or what the peer announced, if that is less */
	uint32_t any_sequence;      /* this message may exceed the limit of bytes, if any_size */
	bool any_size;
	uint32_t held_messages; /* received, and not given back: unexpected or kept */
	uint64_t held_bytes;
	uint32_t generation;
	uint16_t id;
	bool reset_due;  /* WEFT__LANE_RESET is to be told, before to_tell */
	uint8_t to_tell; /* WEFT__CREDIT, WEFT__LANE_WAITING or 0 */
	struct weft__link *link;
	struct weft__view *view; /* NULL: there is no such channel (yet) */
	struct weft__rx_origin origin;
	struct weft_list unexpected; /* loans of this lane that wait for a taker, oldest first */
	struct weft_list in_view;
	struct weft_list dirty;
	/* See promise.h: what its sender was told of and may have to wait; how much it is told of at a time; and its station's
	 * list of those that could be told of nothing. */
	uint32_t promised, step;
	struct weft_list starved;
	struct weft__lane_terms terms;
	struct weft__note *last_note; /* made beforehand: the peer's end must not go untold */
};

enum weft__link_state {
	WEFT__LINK_CONNECTING,
	WEFT__LINK_UP,
	WEFT__LINK_RETRYING, /* nobody there; some sender waits for the peer */
	WEFT__LINK_DORMANT,  /* closed because it was idle; the next send opens it */
	WEFT__LINK_DOWN,     /* the path is dead; kept loans may still be read */
};

/* Where the closing of an idle link stands. Not WEFT__AWAKE: nothing is sent. */
enum weft__idle_state {
	WEFT__AWAKE,
	WEFT__IDLE_ASKED,   /* we asked */
	WEFT__IDLE_AGREED,  /* the peer asked, and may close the path */
	WEFT__IDLE_CLOSING, /* it said that it does */
	WEFT__IDLE_DUE,     /* the peer agreed: we close the path with this turn */
};

struct weft__link {
	struct weft__station *station;
	struct weft_path *path; /* NULL unless UP or DOWN */
	enum weft__link_state state;
	bool closing;              /* leaves as soon as nothing is pending */
	bool connect_out;          /* the outcome of a connect has yet to come */
	struct weft__mail refused; /* if it is that the runner could not even try */
	/* from the connect until the end; NULL: the peer connected, or no memory */
	struct weft__connecting *connecting;
	char peer[2 * WEFT_NAME_MAX + 2]; /* as senders name it: "NODE" or "NODE/WORKER" */
	char peer_node[WEFT_NAME_MAX + 1];
	char peer_worker[WEFT_NAME_MAX + 1];
	uint64_t peer_incarnation; /* 0: it was never up */
	uint32_t peer_uid;         /* as long as the link lives: whoever says the same name is not the same */
	uint8_t peer_role;
	uint32_t kept; /* received loans of it that the application keeps */
	uint64_t kept_bytes;
	uint8_t way; /* the one that is tried, see node/rails.h */
	uint64_t retry_ns;
	struct weft_timer retry;
	uint64_t close_lanes[WEFT_CLASS_COUNT]; /* bit per lane number: a close is to be sent, after its data */
	uint32_t next_generation;
	/* idle.c */
	uint8_t idle;       /* enum weft__idle_state */
	uint8_t idle_heard; /* classes in which the question or the answer has come */
	uint8_t idle_tell;  /* what to say, in the classes whose bits are set */
	uint8_t idle_classes;
	bool wake_wanted; /* something wants to send */
	uint32_t idle_round, idle_tell_round;
	uint32_t peer_round, peer_off_round; /* of the peer's last question, and of the last that it called off */
	struct weft_timer patience;          /* while the other side has a word to say */
	uint64_t activity, active_ns;        /* a sum that traffic changes; and when it last had */
	struct weft_list in_station, in_busy;
	unsigned int latest_count; /* lanes with such a message */
	struct weft_list senders;
	struct weft_list tx_dirty, rx_dirty;          /* lanes with something to tell */
	struct weft_list staged[WEFT_PRIORITY_COUNT]; /* lanes with staged operations, in turns */
	struct weft_list replies;                     /* replies that found the ring full */
	unsigned int waiting;        /* its messages that wait for a taker, also of lanes that have been closed */
	unsigned int waiting_closed; /* of those: of lanes that have been closed */
	unsigned int promised;       /* and those that may have to */
	bool served;                 /* it has some of either */
	unsigned int starved_count;  /* lanes of it in the list of those that could be told of nothing */
	struct weft__asker *asker;   /* what counts its requests that will be answered later; NULL when it is not up */
	uint16_t calls;              /* requests that came by it and will be answered later */
	uint16_t replies_count;      /* of them, altogether and to requests of each lane */
	uint16_t lane_replies[WEFT__LINK_LANES];
	struct weft__tx_lane *tx_lanes[WEFT__LINK_LANES];
	struct weft__rx_lane *rx_lanes[WEFT__LINK_LANES];
};

/* ---- link.c: its life ---- */

/* The link to peer, made if there is none: -WEFT_ENOMEM, -WEFT_EAGAIN (the runner's mailbox is full). */
int weft__link_to(struct weft__station *station, const char *peer, struct weft__link **out);
/* Events of the driver. */
void weft__link_path_up(void *port_user, struct weft_path *path, const struct weft_hello *theirs, void *request);
void weft__link_connect_failed(void *port_user, void *request, int error, const char *why);
void weft__link_path_down(void *port_user, struct weft_path *path, enum weft_down_reason reason);
/* All links are taken: logs so, once until weft__link_room. Thread: owner, or runner. */
void weft__link_full(struct weft__station *station, const char *peer);
void weft__link_room(struct weft__station *station);
/* A link to the same peer that is up; only one to the same user, once it is known who that is. NULL: none. */
struct weft__link *weft__link_up_like(const struct weft__link *like);
/* The senders of a link that is not up go to one that is. */
void weft__link_merge(struct weft__link *from, struct weft__link *to);
/* The peer broke the protocol: counts it and ends the link. */
void weft__link_violation(struct weft__link *link, const char *what);
/* Closes the path of a link on which nothing is under way; its senders stay. */
void weft__link_rest(struct weft__link *link);
/* Something wants to send on a link that is dormant, or about to be. */
void weft__link_wake(struct weft__link *link);
/* Ends a link at once: lanes are lost, nothing more is sent. Its memory goes with weft__link_reap. */
void weft__link_end(struct weft__link *link, int cause);
/* Frees a dead link that nothing refers to any more; not from inside its own callbacks. */
bool weft__link_reap(struct weft__link *link);
/* The port has gone with its paths: only memory is left. */
void weft__link_forget(struct weft__link *link);

/* ---- tx.c: lanes we send on ---- */

/* Gives the sender's lane a number on the link; the peer is told at the next flush. -WEFT_ENOSPC. */
int weft__tx_lane_open(struct weft__link *link, struct weft__tx_lane *lane);
/* The lane begins anew under its number: the path is another one. */
void weft__tx_lane_renew(struct weft__tx_lane *lane);
/* Takes the number back; what is pending on the lane ends with status. */
void weft__tx_lane_close(struct weft__tx_lane *lane, int status);
/* From a link that was never up, or is at rest, to one that is up, with the latest message that waits. -WEFT_ENOSPC. */
int weft__tx_lane_move(struct weft__tx_lane *lane, struct weft__link *to);
/* What the peer says of our lanes. */
void weft__tx_credit(struct weft__link *link, const struct weft_rx_frame *frame);
void weft__tx_waiting(struct weft__link *link, const struct weft_rx_frame *frame);
void weft__tx_reset(struct weft__link *link, const struct weft_rx_frame *frame);

/* ---- flush.c: what is due at the end of a turn ---- */

/* Puts the link on its station's list of links with something to send. */
void weft__link_busy(struct weft__link *link);
/* Sends control, replies and staged copies that are due, the last within *budget_bytes, which it lowers; true when all of
 * it is gone. */
bool weft__link_flush(struct weft__link *link, size_t *budget_bytes);
/* Sends a frame of control; false when there is no room. */
bool weft__link_control(struct weft__link *link, enum weft_class class_, uint64_t meta, const void *data,
			size_t len_bytes);

/* ---- idle.c: links without traffic ---- */

/* Looks for links that have been idle for long. */
void weft__idle_look(struct weft_timer *timer, void *user);
/* A link is up: it will be looked at. */
void weft__idle_watch(struct weft__link *link);
/* Asks the peer of the link that has been idle for longest to close it, unless one is being closed; false when all are in
 * use. */
bool weft__idle_close_one(struct weft__station *station);
/* What the peer says about it. */
void weft__idle_receive(struct weft__link *link, const struct weft_rx_frame *frame);
/* Tells that the path goes now, and that this is no farewell; false when there was no room. */
bool weft__idle_say_close(struct weft_path *path, uint32_t round);
/* Whether nothing of the peer's is in use here and no outcome is due, so that the path may go without its end. */
bool weft__idle_may_rest(const struct weft__link *link);
/* Whether a sender needs the link: it has met back-pressure, or has not been ready yet. */
bool weft__idle_is_wanted(const struct weft__link *link);
/* The peer is another incarnation than the one that the senders of this link knew before it was idle. */
void weft__idle_lose_parked(struct weft__link *link);
/* The other side has kept us waiting for too long. */
void weft__idle_overdue(struct weft_timer *timer, void *user);
/* Tells what is to be told, and closes what is due; false when there was no room. */
bool weft__idle_flush(struct weft__link *link);

/* ---- staged.c ---- */

/* Copies and sends staged operations, at most *budget_bytes, which it lowers; true when none is left. */
bool weft__staged_flush(struct weft__link *link, size_t *budget_bytes);

/* ---- rx.c: frames that came in ---- */

void weft__link_receive(struct weft__link *link, const struct weft_rx_frame *frame);
/* The channel has somewhere to deliver to now: credit for a lane that waited for it. */
void weft__rx_lane_attach(struct weft__rx_lane *lane, struct weft__view *view);
/* The channel was closed: the sender is told, what still comes is dropped. */
void weft__rx_lane_detach(struct weft__rx_lane *lane);
/* The peer closed the lane (0), or its link has ended, and why. */
void weft__rx_lane_free(struct weft__rx_lane *lane, int cause);
/* Messages were delivered or given back: tells the sender when it matters, or now. */
void weft__rx_lane_credit(struct weft__rx_lane *lane, bool now);
/* Messages before this one have been delivered. */
uint32_t weft__rx_lane_delivered(const struct weft__rx_lane *lane);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending. A sender is (this worker, this channel, that peer), with everything resolved, so that a send is one pointer
 * away from the ring. All calls belong to the worker's thread. Callbacks come only from the worker's turn, never from
 * inside a send.
 *
 * Back-pressure is -WEFT_EAGAIN: nothing was taken, and a WEFT_SENDER_WRITABLE event says when to try again (after
 * WEFT_SENDER_READY, if the sender was not ready yet).
 *
 * A struct weft_op stands for something pending. It is weft's, and valid until its callback returns; then it may stand
 * for something else at once, so it must not be used any more, not even to cancel it.
 */
#ifndef WEFT_SEND_H
#define WEFT_SEND_H

#include <sys/uio.h>
#include <weft/channel.h>

WEFT_BEGIN_DECLS

struct weft_sender;
struct weft_loan;
struct weft_op;

/* ---- senders ---- */

enum weft_sender_event {
	WEFT_SENDER_READY,    /* the peer's channel takes messages */
	WEFT_SENDER_WRITABLE, /* after -WEFT_EAGAIN: there is room again */
	WEFT_SENDER_WAITING,  /* the peer is there but has no such channel open yet */
	WEFT_SENDER_LOST,     /* the peer left, died or broke the protocol (see cause); pending operations have ended */
	WEFT_SENDER_FAILED,   /* no path could be made (see cause) */
};

/* cause: 0 or a negative code: -WEFT_ECLOSED (it left), -WEFT_EPEERRESET (it died), -WEFT_EPROTO, -WEFT_ECONNREFUSED... */
typedef void weft_sender_event_fn(struct weft_sender *sender, enum weft_sender_event event, int cause, void *user);

struct weft_sender_opts {
	size_t size;
	weft_sender_event_fn *on_event; /* may be NULL */
	/* keep trying until the peer is there; and again after it was lost, as a new LOST/READY pair */
	bool wait_for_peer;
	void *user;
};
/* Fills in the defaults. Thread: any. */
WEFT_API void weft_sender_opts_init(struct weft_sender_opts *opts, size_t size);

/*
 * Opens a sender to peer ("NODE" or "NODE/WORKER"); the link is made in the background: sends say -WEFT_EAGAIN until
 * WEFT_SENDER_READY. opts may be NULL. Copies. Gives. -WEFT_EINVAL, -WEFT_ENOMEM, -WEFT_ENOSPC (64 lanes a link, or
 * links_max of the node), -WEFT_EAGAIN (a link that is idle is being closed to make room). Thread: owner.
 *
 * A link that nothing has used for the node's link_idle_ns is closed by both sides, and nothing is said about it: the
 * first send after that says -WEFT_EAGAIN, opens it, and WEFT_SENDER_WRITABLE follows. Whether the peer is still there
 * is found out only then.
 */
WEFT_API int weft_sender_open(struct weft_worker *worker, struct weft_channel *channel, const char *peer,
			      const struct weft_sender_opts *opts, struct weft_sender **out);
/* What was accepted is still sent, except messages of WEFT_LATEST that wait for room and those of weft_sendv that are
 * being copied; pending operations end with -WEFT_ECLOSED (see weft_done_fn), in the turns to come. Sets *sender to NULL.
 * Also inside its own callbacks. Thread: owner. */
WEFT_API void weft_sender_close(struct weft_sender **sender);
/*
 * Turns the worker until the sender is ready: for programs whose next line needs it. 0, -WEFT_ETIMEDOUT (with
 * deadline_ns on the worker's clock), or why it failed. Not inside a callback. Thread: owner.
 */
WEFT_API int weft_sender_wait(struct weft_sender *sender, uint64_t deadline_ns);
/* 0 when ready (or closed for being idle), -WEFT_EAGAIN while connecting or waiting, or why it is lost. Thread: owner. */
WEFT_API int weft_sender_status(const struct weft_sender *sender);
/* The node that answered at the peer's address on a network under another name, since the peer was there; NULL: none did.
 * Borrowed until the sender's next event. Thread: owner. */
WEFT_API const char *weft_sender_stranger(const struct weft_sender *sender);
/* Borrowed. Thread: owner. */
WEFT_API const char *weft_sender_peer(const struct weft_sender *sender);
WEFT_API void *weft_sender_user(const struct weft_sender *sender);

/* ---- how to send ---- */

enum weft_completion {
	WEFT_ACCEPTED,  /* no callback: what was taken will be sent */
	WEFT_SENT,      /* done when the memory may be used again */
	WEFT_DELIVERED, /* done when the receiver has consumed it (its handler returned, or its loan came home) */
};

/*
 * Ends an operation, once. status: 0, it is as `completion` says.
 * Not sent: -WEFT_ECANCELED (also dropped, or replaced by a later one), -WEFT_ENOMEM, -WEFT_EMSGSIZE (the peer's channel,
 * once it was there, takes only shorter ones).
 * Cut off: -WEFT_ECLOSED (the sender was closed, or the peer left), -WEFT_EPEERRESET (it died, or closed the channel),
 * -WEFT_EPROTO. Where WEFT_DELIVERED was asked for, the outcome is unknown: the message may have been consumed, and only
 * the word of it been lost. What weft_sendv was still copying, and what waited as the latest, was not sent.
 */
typedef void weft_done_fn(struct weft_op *op, int status, void *user);

enum weft_send_flags {
	/* others follow at once: commit with the next send without it, or at the end of the turn */
	WEFT_MORE = 1 << 0,
	WEFT_INJECT = 1 << 1,    /* in the ring at return, or -WEFT_EMSGSIZE beyond weft_inject_max */
	WEFT_ZERO_COPY = 1 << 2, /* -WEFT_EDEGRADED instead of a copy: only weft_send_loan of an own loan makes none */
};

struct weft_send_opts {
	size_t size;
	unsigned int flags;
	bool has_header; /* tag and immediate travel with the message (16 bytes) */
	uint64_t tag;
	uint64_t immediate;
	uint64_t partition_key; /* picks the lane */
	enum weft_completion completion;
	weft_done_fn *done;
	void *user;
	struct weft_op **op; /* where to put the pending operation, for weft_op_cancel; NULL: not wanted */
};
#define WEFT_SEND_OPTS_INIT                                                                       \
	{                                                                                         \
		sizeof(struct weft_send_opts), 0, false, 0, 0, 0, WEFT_ACCEPTED, NULL, NULL, NULL \
	}

/* Sends a copy of len_bytes (0 is allowed) on lane 0 without header. The quickest form. Borrows data. -WEFT_EAGAIN,
 * -WEFT_EMSGSIZE (longer than max_message_bytes here or at the peer), -WEFT_ENOMEM (longer than the node's memory_max_bytes
 * allows for beside the memory that is there already), or why the sender is lost. Thread: owner. */
WEFT_API int weft_send(struct weft_sender *sender, const void *data, size_t len_bytes);
/* The same, with more to follow at once (WEFT_MORE): bursts are committed as one. Thread: owner. */
WEFT_API int weft_send_more(struct weft_sender *sender, const void *data, size_t len_bytes);
/* Commits what weft_send_more held back, without waiting for the end of the turn. Thread: owner. */
WEFT_API void weft_sender_flush(struct weft_sender *sender);
/* Sends a copy with everything that can be said. Borrows data and how. Errors as weft_send. Thread: owner. */
WEFT_API int weft_send_with(struct weft_sender *sender, const void *data, size_t len_bytes,
			    const struct weft_send_opts *how);
#define WEFT_IOV_MAX 1024 /* pieces of one message */
/*
 * Sends foreign memory as one message, of at most WEFT_IOV_MAX pieces (else -WEFT_EINVAL): keeps the memory (not the iovec
 * array) until how->done says that it is free; done is required. Copied in pieces of at most 64 KiB between other work, into
 * one buffer; where there can be none of that size, done says -WEFT_ENOMEM. Errors as weft_send. Thread: owner.
 */
WEFT_API int weft_sendv(struct weft_sender *sender, const struct iovec *iov, unsigned int iov_count,
			const struct weft_send_opts *how);
/* The largest inject on this sender, header counted out; 0 until it was ready for the first time. Thread: owner. */
WEFT_API size_t weft_inject_max(const struct weft_sender *sender);

/* Ends a pending operation early if that is still possible; its callback still comes, once, and not from in here.
 * Thread: owner. */
WEFT_API void weft_op_cancel(struct weft_op *op);

/* ---- loans: filled in place, handed over without a copy ---- */

/*
 * A buffer of len_bytes to fill. Gives; it ends by weft_send_loan or weft_loan_release. -WEFT_EAGAIN while memory of
 * that size is being made or is all in use, or while all loans are in use or promised (try again after a turn), -WEFT_ENOMEM when the node's memory_max_bytes does
 * not allow for it beside the memory that is there already, -WEFT_EMSGSIZE beyond 1 GiB. Any sender of the worker may
 * send it. Thread: owner.
 */
WEFT_API int weft_loan_get(struct weft_worker *worker, size_t len_bytes, struct weft_loan **out);
/* Where the bytes are; writable if the loan came from weft_loan_get and has not been sent. Borrowed. Thread: owner. */
WEFT_API void *weft_loan_data(struct weft_loan *loan);
WEFT_API size_t weft_loan_len(const struct weft_loan *loan);
/* Shortens what will be sent. Thread: owner. */
WEFT_API void weft_loan_trim(struct weft_loan *loan, size_t len_bytes);
/* One more holder: each hold ends by weft_send_loan (fan-out stores it once) or weft_loan_release. Nobody may write it any
 * more. Thread: owner. */
WEFT_API void weft_loan_share(struct weft_loan *loan);
/* One holder less; the loan is gone with the last. Thread: owner. */
WEFT_API void weft_loan_release(struct weft_loan *loan);
/*
 * Sends a loan; how may be NULL. Takes one hold of it, whatever it returns except -WEFT_EAGAIN. A received loan that was
 * kept can be sent on: it is copied, since it belongs to another process. Errors as weft_send; with WEFT_ZERO_COPY also
 * -WEFT_EDEGRADED. Thread: owner.
 */
WEFT_API int weft_send_loan(struct weft_sender *sender, struct weft_loan *loan, const struct weft_send_opts *how);

WEFT_END_DECLS

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests and replies over a channel: a request is a message whose handler may answer, now or later. Each ends exactly
 * once, with a reply, at its deadline, by cancel, or with its peer; a late reply is dropped and never answers another.
 * At most once: nothing is sent again.
 */
#ifndef WEFT_REQUEST_H
#define WEFT_REQUEST_H

#include <weft/receive.h>

WEFT_BEGIN_DECLS

struct weft_call;

/*
 * Ends a request, once. status 0: reply holds the answer, borrowed for the callback (weft_rx_keep works). Else reply is NULL:
 * what weft_reply_error said, or -WEFT_ETIMEDOUT, -WEFT_ECANCELED, -WEFT_ECLOSED, -WEFT_EPEERRESET, -WEFT_EPROTO: then
 * nobody can know whether it was carried out.
 */
typedef void weft_reply_fn(struct weft_rx *reply, int status, void *user);

/*
 * Sends a request: borrows data, keeps user. deadline_ns is on the worker's clock, WEFT_NEVER for none; it fires at most
 * 1 ms late. Gives *op if op is not NULL, for weft_op_cancel. -WEFT_EAGAIN also when request_window are in flight.
 * Errors as weft_send. Thread: owner.
 */
WEFT_API int weft_request(struct weft_sender *sender, const void *data, size_t len_bytes, uint64_t deadline_ns,
			  weft_reply_fn *on_reply, void *user, struct weft_op **op);

/* The same, with more to follow at once: committed with the sender's next request or message without it, by
 * weft_sender_flush, or at the end of the turn. Thread: owner. */
WEFT_API int weft_request_more(struct weft_sender *sender, const void *data, size_t len_bytes, uint64_t deadline_ns,
			       weft_reply_fn *on_reply, void *user, struct weft_op **op);

/* Answers the request rx, once: copies data. While the next request of the same peer is here already, the answer goes out
 * with that one's, at most 16 together; urgent and high ones go out at once. Never waits for room in the ring: what finds
 * none is kept, and the lane of the request gets no credit until it has left. -WEFT_EINVAL if rx is no request or was
 * answered; -WEFT_EPEERRESET when the requester is gone; -WEFT_EAGAIN when no memory is free, or as many answers to this
 * peer are kept as the worker has free operations (half of 4096, if no other takes any), or all but one
 * for each of 256 peers that have none kept: defer it and answer later;
 * -WEFT_ENOMEM when the node's memory_max_bytes does not allow for so long an answer.
 * Thread: owner, inside the callback. */
WEFT_API int weft_reply(struct weft_rx *rx, const void *data, size_t len_bytes);
/* Answers with a loan: takes it unless it fails. Errors as weft_reply. Thread: owner, inside the callback. */
WEFT_API int weft_reply_loan(struct weft_rx *rx, struct weft_loan *loan);
/* Answers with an error code (negative) instead of data. Errors as weft_reply. Thread: owner, inside the callback. */
WEFT_API int weft_reply_error(struct weft_rx *rx, int status);

/* Answers later: gives a call that weft_call_reply ends. -WEFT_EINVAL if rx is no request or was answered; -WEFT_EPEERRESET
 * when the requester is gone; -WEFT_EAGAIN when as many requests of this peer are deferred as the worker has free calls
 * (half of 2048, if no other defers any), or all but one for each of 256 peers that have none deferred: answer it now, if
 * only by an error. Calls count for the peer's name until weft_call_reply, though the peer be gone or have come again.
 * Thread: owner. */
WEFT_API int weft_rx_defer(struct weft_rx *rx, struct weft_call **out);
/* Answers a deferred request; takes the call whatever it returns. status 0 with data, or a negative code.
 * -WEFT_EPEERRESET when the requester is gone, -WEFT_EAGAIN when no memory is free. Thread: owner. */
WEFT_API int weft_call_reply(struct weft_call *call, int status, const void *data, size_t len_bytes);

WEFT_END_DECLS

#endif

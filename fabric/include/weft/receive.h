/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receiving: by a channel's handler; into posted buffers chosen by tag and mask; or where a place hook says once it has
 * seen the message's size.
 *
 * Small messages have been copied out of the ring before the callback. Lent ones are read in place, in the sender's
 * memory: its bounds were checked, but a misbehaving sender could change the bytes while they are read. Whoever does
 * not trust the sender copies first and checks the copy.
 */
#ifndef WEFT_RECEIVE_H
#define WEFT_RECEIVE_H

#include <weft/send.h>

WEFT_BEGIN_DECLS

/* A message, during its callback only. Read-only. */
struct weft_rx {
	const void *data;
	size_t len_bytes;
	uint64_t tag; /* 0 without header */
	uint64_t immediate;
	bool has_header;
	bool is_request;  /* weft_reply answers it */
	const char *peer; /* the sender's node name; borrowed for the callback */
	uint64_t peer_incarnation;
	struct weft_channel *channel;
	struct weft_worker *worker;
	uint64_t reserved[6]; /* weft's */
};

/*
 * Keeps the message beyond the callback, as a loan to be released: without a copy if it was lent, else copied; so is a
 * lent one of up to 64 KiB, into a pool buffer, if its sender runs out of memory. Gives. While it is kept the sender's
 * window stays used. -WEFT_EAGAIN when too many messages are kept already, or what is left has been promised to senders.
 * Thread: owner, inside the callback.
 */
WEFT_API int weft_rx_keep(struct weft_rx *rx, struct weft_loan **out);

/* ---- posted receives ---- */

struct weft_received {
	void *data;       /* the posted buffer */
	size_t len_bytes; /* of the message, also if it was longer than the buffer */
	uint64_t tag, immediate;
	const char *peer; /* borrowed for the callback */
	uint64_t peer_incarnation;
};
/* status: 0, -WEFT_ETRUNCATED (the buffer holds the beginning), -WEFT_ECANCELED, -WEFT_ECLOSED. */
typedef void weft_recv_fn(struct weft_op *op, int status, const struct weft_received *received, void *user);

/*
 * Posts a buffer for the first message of the channel, arriving at this worker, with (tag & mask) equal to
 * (wanted_tag & mask); oldest first on both sides, and messages that came before it count. Keeps buffer until done: a
 * large message is copied in pieces between other work. Gives op if not NULL. -WEFT_ENOMEM, -WEFT_EINVAL.
 * Thread: owner of worker.
 */
WEFT_API int weft_recv_post(struct weft_worker *worker, struct weft_channel *channel, void *buffer, size_t len_bytes,
			    uint64_t wanted_tag, uint64_t mask, weft_recv_fn *done, void *user, struct weft_op **op);

/* ---- placing ---- */

/*
 * A piece of a message that is streamed: len_bytes of it that begin offset_bytes into it. Borrowed for the callback; pieces
 * come in order, none is empty, and other work is done between them. Thread: owner.
 */
typedef void weft_stream_fn(const void *data, size_t len_bytes, size_t offset_bytes, void *user);

/* What a place hook answers for a message: a buffer, or stream. */
struct weft_placement {
	void *buffer;       /* where to put all of it: len_bytes of room; kept until done */
	weft_recv_fn *done; /* after the last piece, or with why there are no more; may be NULL */
	void *user;
	weft_stream_fn *stream; /* not NULL: takes each piece where it lies, and buffer is not used */
};
/*
 * Sees size, tag and immediate (rx->data is the first piece). 0: use *out; -WEFT_EAGAIN: deliver as usual; other codes
 * refuse the message, which is dropped and counted. Hooks are asked in the order of the messages; a large message is
 * copied or streamed in pieces of at most 64 KiB between other work, so its done may come after later messages.
 * Thread: owner.
 */
typedef int weft_place_fn(const struct weft_rx *rx, size_t total_len_bytes, struct weft_placement *out, void *user);
/* Asks hook for each message before posted receives and the handler. Keeps user. NULL: stops. Thread: any. */
WEFT_API void weft_channel_place(struct weft_channel *channel, weft_place_fn *hook, void *user);

/* ---- who sends to a channel ---- */

enum weft_peer_event {
	WEFT_PEER_CAME, /* it has opened a sender to this channel */
	WEFT_PEER_LEFT, /* in good order: it closed its last sender (cause 0), or its node (-WEFT_ECLOSED) */
	WEFT_PEER_LOST, /* it died (-WEFT_EPEERRESET) or broke the protocol (-WEFT_EPROTO) */
};

/* A peer during the callback about it. Read-only. */
struct weft_peer {
	const char *name; /* of its node; borrowed for the callback */
	uint64_t incarnation;
	int64_t pid; /* in our PID namespace; 0 if not visible from here */
	uint32_t uid;
	unsigned int role; /* weft_node_role bits, as it opened its node */
	int cause;
	struct weft_channel *channel;
	struct weft_worker *worker; /* ours, which its messages come to */
};
typedef void weft_peer_fn(enum weft_peer_event event, const struct weft_peer *peer, void *user);

/*
 * Tells who sends to the channel, and when one ends: after all that it had sent was handed to the handler. Those that are
 * there already are told as having come. Keeps user. NULL: stops. A link over which a peer is watched like that is never
 * closed for being idle. Callbacks run on the worker to which the peer's messages come. Thread: any.
 */
WEFT_API void weft_channel_on_peer(struct weft_channel *channel, weft_peer_fn *on_peer, void *user);

WEFT_END_DECLS

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Something pending: a send that reports back, a posted receive, a request. Operations come from a fixed table of
 * their station, so that nothing is allocated while data flows.
 */
#ifndef OP_H
#define OP_H

#include <weft/receive.h>
#include <weft/request.h>

struct weft__station;
struct weft__tx_lane;

#define WEFT__STAGED_IOVECS 4
#define WEFT__MORE_IOVECS 8

enum weft__op_kind {
	WEFT__OP_FREE,
	WEFT__OP_LENT,     /* a loan is out; done when it comes home (WEFT_SENT) */
	WEFT__OP_UNACKED,  /* waits in its lane's list for delivery (WEFT_DELIVERED) */
	WEFT__OP_LATEST,   /* of its lane's latest message, which waits for room */
	WEFT__OP_STAGED,   /* foreign memory being copied, in its link's list */
	WEFT__OP_IOVECS,   /* no operation: room for more iovecs of such a one, in its list */
	WEFT__OP_FINISHED, /* waits for its callback in the next turn */
	WEFT__OP_POSTED,   /* a posted receive, in its view's list */
	WEFT__OP_PLACING,  /* a large message on its way to where it belongs, in the station's list */
	WEFT__OP_REQUEST,  /* in its sender's table */
	WEFT__OP_REPLY,    /* found the ring full, in its link's list */
};

struct weft_op {
	struct weft_list link; /* the list that its kind says, or the station's free list */
	struct weft__station *station;
	struct weft__tx_lane *lane;
	enum weft__op_kind kind;
	int status;
	void (*end)(struct weft_op *op); /* runs the callback of its kind */
	weft_done_fn *done;
	void *user;
	union {
		struct {
			uint32_t sequence; /* delivered when the lane's delivered sequence passes it */
		} unacked;
		struct {
			struct weft_buf *buf;
			/* A copy of the caller's: the first, then those of operations in more. */
			const struct iovec *iov; /* where iov_at is */
			unsigned int iov_count, iov_at;
			struct iovec first[WEFT__STAGED_IOVECS];
			struct weft_list more;
			size_t iov_offset, len_bytes, copied_bytes;
			uint64_t tag, immediate;
			bool has_header;
			enum weft_completion completion;
		} staged;
		struct {
			struct iovec iov[WEFT__MORE_IOVECS];
			unsigned int count;
		} iovecs;
		struct {
			struct weft__view *view;
			void *buffer; /* NULL with stream */
			size_t len_bytes;
			uint64_t tag, mask;
			weft_recv_fn *done;
			weft_stream_fn *stream; /* takes the pieces instead of buffer; or NULL */
			struct weft_loan *loan; /* the message that was there already, or is being copied or streamed */
			size_t taken_bytes;
			bool by_hook; /* placed, not posted */
		} posted;
		struct {
			struct weft_sender *sender;
			weft_reply_fn *on_reply;
			uint64_t deadline_ns;
			uint32_t slot, generation;
		} request;
		struct {
			struct weft_buf *buf; /* holds the answer */
			size_t len_bytes;
			uint64_t request_id;
			uint16_t lane;
			uint8_t class_;
			bool is_error;
		} reply;
	} as;
};

/* A free operation, or NULL when all are in use. */
struct weft_op *weft__op_get(struct weft__station *station, enum weft__op_kind kind);
void weft__op_put(struct weft_op *op);
/* Ends an operation in the station's next turn: callbacks never come from inside a send. */
void weft__op_finish(struct weft_op *op, int status);
/* Runs the callbacks of what has finished; at most max. */
unsigned int weft__ops_run_finished(struct weft__station *station, unsigned int max);

#endif

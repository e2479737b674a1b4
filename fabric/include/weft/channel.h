/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A channel: a named class of traffic, the same at both ends, with its own order, reliability and priority. Its lanes
 * are ordered streams; a lane whose receiver is slow or full holds up no other lane.
 */
#ifndef WEFT_CHANNEL_H
#define WEFT_CHANNEL_H

#include <weft/node.h>

WEFT_BEGIN_DECLS

struct weft_channel;
struct weft_rx;

enum weft_delivery {
	WEFT_RELIABLE,    /* once and in order within its lane, or the sender hears of the peer's end */
	WEFT_BEST_EFFORT, /* dropped (and counted) instead of back-pressure */
	/* a newer message of its lane replaces one that waits for room, the newest is sent when there is */
	WEFT_LATEST,
};

/*
 * Urgent and high messages overtake the others on the wire, and so do the answers to such requests. What waits for room
 * or is copied in pieces (weft_sendv) is served by priority; within one, lanes take turns of 16 KiB, so that a bulk
 * stream cannot starve another. weft_send of a large message copies it all at once: for bulk use loans or weft_sendv.
 */
enum weft_priority {
	WEFT_PRIORITY_URGENT,
	WEFT_PRIORITY_HIGH,
	WEFT_PRIORITY_NORMAL,
	WEFT_PRIORITY_BULK,
	WEFT_PRIORITY_COUNT,
};

#define WEFT_CHANNEL_LANES_MAX 8

struct weft_channel_opts {
	size_t size;
	enum weft_delivery delivery;
	enum weft_priority priority;
	/* 1 to 8; a message goes to lane (partition key modulo lanes). Default 1: all in order */
	unsigned int lanes;
	size_t max_message_bytes; /* default 1 MiB; longer ones are refused by -WEFT_EMSGSIZE, and so are those that
				    * are longer than the peer's channel says. Up to 1 GiB; a message is
				    * one buffer of the sender's memory, so that memory_max_bytes of its node must allow
				    * for it, or it is refused by -WEFT_ENOMEM */
	/* What a lane may have unconsumed at the receiver; default 1024, up to 2^20. Without a handler there it may be less:
	 * all messages of a peer that wait for a receive have a share of the worker's 2048 loans. */
	unsigned int window_messages;
	/* The same in bytes; default 4 MiB, up to 64 GiB. A single message may exceed it when the lane is empty. */
	size_t window_bytes;
	unsigned int request_window; /* requests in flight on one sender; default 1024, a power of two */
	void *user;
};

/* Fills in the defaults. Thread: any. */
WEFT_API void weft_channel_opts_init(struct weft_channel_opts *opts, size_t size);

/*
 * Opens the channel `name` (at most 64 bytes) of this node, once; opts may be NULL. Copies. Gives. Peers that send to
 * it wait without credit until it has somewhere to deliver to. -WEFT_EEXIST, -WEFT_EINVAL, -WEFT_ENOMEM, -WEFT_ENOSPC
 * (channels_max of the node). Thread: any.
 */
WEFT_API int weft_channel_open(struct weft_node *node, const char *name, const struct weft_channel_opts *opts,
			       struct weft_channel **out);
/*
 * Closes it with its senders and posted receives (which end with -WEFT_ECLOSED). Sets *channel to NULL. Thread: any,
 * not inside one of its own callbacks.
 */
WEFT_API void weft_channel_close(struct weft_channel **channel);

/* Receives a message during the callback; see receive.h. Runs on the worker where the message arrived. */
typedef void weft_rx_fn(struct weft_rx *rx, void *user);
/* Delivers what matches no posted receive to handler; keeps user. NULL: stops. Thread: any. */
WEFT_API void weft_channel_handle(struct weft_channel *channel, weft_rx_fn *handler, void *user);

/* Borrowed until close. Thread: any. */
WEFT_API const char *weft_channel_name(const struct weft_channel *channel);
WEFT_API void *weft_channel_user(const struct weft_channel *channel);

WEFT_END_DECLS

#endif

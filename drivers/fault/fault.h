/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fault driver, from the inside: it stands between the layer above and a driver below, with a device, ports and paths
 * of its own around those of the driver below. What the layer above sees of it is what any driver may do on a bad day.
 *
 * Events of the driver below that end something wait until what came before them has been handed up. They are told at the
 * start of rx and in flush, never from inside a call that sends.
 */
#ifndef FAULT_DRIVER_H
#define FAULT_DRIVER_H

#include "fault/spec.h"

#include <weft/driver.h>
#include <weft/random.h>

#define FAULT_PREFIX "fault+"
#define FAULT_HELD_MAX 4096u /* frames that one port holds; then nothing more is taken from below */

struct fault_device {
	const struct weft_driver *driver, *driver_below;
	struct weft_device *below;
	const struct weft_device_events *events; /* of the layer above */
	void *user;
	struct fault_spec spec;
	_Atomic uint64_t calls[FAULT_OP_COUNT];
	_Atomic uint32_t port_count;
};

struct fault_port {
	struct weft_port base;
	struct weft_port *below;
	struct fault_device *device;
	struct weft_worker *worker;
	struct weft_list paths;   /* all */
	struct weft_list holding; /* those with frames that wait */
	struct weft_list due;     /* those whose end is to be told */
	struct weft_list spent;   /* frames that waited and are read by the layer above until the next rx */
	struct weft_timer wake;   /* when the first of those that wait is due */
	uint32_t held_count;
	uint32_t number; /* of the device; and of the last path, for seeds */
	uint32_t path_number;
	uint64_t refused;
};

struct fault_path {
	struct weft_path base;
	struct weft_path *below;
	struct fault_port *port;
	struct weft_random random; /* its own stream, from its own seed */
	uint64_t seed;
	uint64_t tries, frames; /* sends that were tried; frames that went either way */
	enum weft_down_reason reason;
	bool down;             /* below, or cut: to be told, or told */
	bool cut;              /* nothing more passes either way */
	struct weft_list held; /* struct fault_held, in order */
	struct weft_list in_port, in_holding, in_due;
};

/* A frame that waits; its small data lies behind it. */
struct fault_held {
	struct weft_list link;
	uint64_t due_ns;
	struct weft_rx_frame frame;
	unsigned char bytes[];
};

/* The driver that makes faults over this one: one table for each, for ever. NULL without memory, having said so. */
const struct weft_driver *weft__fault_over(const struct weft_driver *below);

/* ---- device.c ---- */
/* Whether this call of the operation is to fail: 0, or -WEFT_EIO with a sentence. Thread: any. */
int weft__fault_strikes(const struct fault_spec *spec, _Atomic uint64_t calls[], enum fault_op op);

/* ---- port.c ---- */
int weft__fault_port_open(struct weft_device *device, const struct weft_port_opts *opts, struct weft_port **out);
void weft__fault_port_close(struct weft_port **port);
int weft__fault_connect(struct weft_port *port, const char *to, const struct weft_hello *mine, void *request);
void weft__fault_arm(struct weft_port *port, bool on);
void weft__fault_describe(struct weft_port *port, struct weft_driver_stats *out);

/* ---- path.c ---- */
/* Events of the driver below. */
void weft__fault_path_up(void *port_user, struct weft_path *below, const struct weft_hello *theirs, void *request);
void weft__fault_connect_failed(void *port_user, void *request, int error, const char *why);
void weft__fault_path_down(void *port_user, struct weft_path *below, enum weft_down_reason reason);
void weft__fault_disconnect(struct weft_path *path);
int weft__fault_share(struct weft_path *path, uint32_t segment_id);
/* Another frame has gone this way; it may have been the path's last. */
void weft__fault_count(struct fault_path *path);
/* Nothing passes any more, and the layer above will be told that the path is broken. */
void weft__fault_cut(struct fault_path *path);
/* Tells the ends that are due. */
void weft__fault_tell(struct fault_port *port);
/* Forgets a path without a word to anybody. */
void weft__fault_path_free(struct fault_path *path);
/* Whether a port has something to flush: it, or the one below. */
void weft__fault_flush_due(struct fault_port *port);

/* ---- held.c: frames that wait ---- */
/* Holds a copy of a frame until then, behind those of the path that wait already; flip: with one bit changed. It comes with
 * the memory of its loan, if it has one. -WEFT_ENOMEM. */
int weft__fault_hold(struct fault_path *path, const struct weft_rx_frame *frame, uint64_t due_ns, bool flip);
/* Hands up those that are due, at most max. */
unsigned int weft__fault_held_take(struct fault_port *port, struct weft_rx_frame *frames, unsigned int max);
/* Frees what the layer above has read. */
void weft__fault_spent_free(struct fault_port *port);
/* Forgets what waits on a path, and gives its loans back. */
void weft__fault_held_drop(struct fault_path *path);
/* Sets the timer for the first that waits. */
void weft__fault_held_wake(struct fault_port *port);

/* ---- tx.c and rx.c ---- */
int weft__fault_send(struct weft_path *path, enum weft_class class_, uint64_t meta, const void *data,
		     uint32_t len_bytes, unsigned int flags);
unsigned int weft__fault_tx(struct weft_path *path, enum weft_class class_, const struct weft_tx_frame *frames,
			    unsigned int count, unsigned int flags, int *why);
void weft__fault_release(struct weft_path *path, uint32_t loan_id);
unsigned int weft__fault_reap(struct weft_port *port, uint64_t *cookies, unsigned int max);
void weft__fault_flush(struct weft_port *port);
unsigned int weft__fault_rx(struct weft_port *port, struct weft_rx_frame *frames, unsigned int max);

/* Draws from the path's stream, unless it cannot be. */
static inline bool weft__fault_draw(struct fault_path *path, uint32_t probability)
{
	return probability && weft_random_below(&path->random, FAULT_PER) < probability;
}

static inline struct fault_port *weft__fault_port_of(struct weft_port *base)
{
	return WEFT_CONTAINER_OF(base, struct fault_port, base);
}

static inline struct fault_path *weft__fault_path_of(struct weft_path *base)
{
	return WEFT_CONTAINER_OF(base, struct fault_path, base);
}

#endif

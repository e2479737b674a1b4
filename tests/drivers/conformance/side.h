/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One side of a conversation over the driver under test: a device with its runner and memory, and one or more ends,
 * each a port with its worker and pool. Ends note what the driver tells them.
 */
#ifndef SIDE_H
#define SIDE_H

#include "patience.h"

#include <weft/driver.h>
#include <weft/errors.h>

#define SIDE_ENDS_MAX 2
#define SIDE_PATHS_MAX 256

struct side;
struct side_end;
typedef void side_frame_fn(struct side_end *end, const struct weft_rx_frame *frame);

struct side_end {
	struct side *side;
	struct weft_worker *worker;
	struct weft_pool *pool;
	struct weft_port *port;
	struct weft_poller poller;
	/* what the driver told */
	struct weft_path *path;                  /* the last that came up; NULL once it is gone */
	struct weft_path *paths[SIDE_PATHS_MAX]; /* as they came up, also those that are gone */
	void *request;                           /* of it */
	struct weft_hello hello;
	unsigned int ups, downs, failures;
	enum weft_down_reason reason;
	int error;          /* of the last failed connect */
	unsigned int homes; /* cookies of loans that came home */
	uint64_t home_sum;
	/* what it does */
	side_frame_fn *on_frame; /* in a turn; NULL: turns receive nothing */
	bool keep_down;          /* paths that are down stay until the test disconnects them */
	uint64_t got, wrong;     /* for on_frame */
	void *user;
};

struct side {
	const struct weft_driver *driver;
	struct weft_worker *runner;
	struct weft_arena *arena;
	struct weft_device *device;
	struct side_end ends[SIDE_ENDS_MAX];
	unsigned int end_count;
	char name[48];
	uint64_t incarnation;
	uint32_t segment_id; /* the first data segment */
	int refuse_with;     /* accept says this if it is not 0 */
	unsigned int asked;
	struct weft_peer_identity asker;
};

/* The driver under test; set by main. */
extern const struct weft_driver *side_driver;
/* What goes wrong in devices that are opened from now on; NULL: nothing. */
extern const char *side_faults;

/* A user besides our own who is allowed in devices that are opened from now on; UINT32_MAX: none. */
extern uint32_t side_allowed_uid;

/* The clock of sides that are opened from now on; NULL: the real one. */
extern struct weft_clock *side_clock;

/* A name that no other process uses at the same time, except those that know the first one's pid. */
void side_name(char out[48], const char *which, int pid);
/* Opens everything; fails the test if it cannot. Paths go to the end that the hello's first byte names. */
void side_open(struct side *side, const char *which, unsigned int end_count, uint64_t loan_quota_bytes);
/* Ends everything in good order. Harmless when closed. */
void side_close(struct side *side);
/* One turn of the runner and the workers of every open side. */
void sides_turn(void);
/* Adds memory to an end's pool, for buffers of len_bytes; returns the segment's id. */
uint32_t side_grow(struct side_end *end, size_t len_bytes);
/* Connects an end to an end of another side and waits until both know; the new paths are in near->path, far->path. */
void side_join(struct side_end *near, struct side_end *far);
/* The name of an open side, or its address where that is what peers connect to: what text, which it may write, holds. */
const char *side_address(const char *name, char text[WEFT_DEVICE_ADDRESS_MAX]);
/* Starts to connect; says hello with the number of the far end. */
int side_connect(struct side_end *near, const char *to, unsigned char far_end, void *request);
/* Lends a buffer: shares its segment if need be, and turns until the frame is taken. False: it never was. */
bool side_lend(struct weft_path *path, const struct weft_tx_frame *frame);

struct weft_driver_stats side_stats(const struct side_end *end);

/* The byte at `at` of message number. */
static inline unsigned char side_byte(uint64_t number, size_t at)
{
	return (unsigned char)(number * 31 + at * 7 + (at >> 8));
}

static inline void side_fill(void *to, size_t len_bytes, uint64_t number)
{
	for (size_t i = 0; i < len_bytes; i++)
		((unsigned char *)to)[i] = side_byte(number, i);
}

static inline bool side_holds(const void *bytes, size_t len_bytes, uint64_t number)
{
	for (size_t i = 0; i < len_bytes; i++)
		if (((const unsigned char *)bytes)[i] != side_byte(number, i))
			return false;
	return true;
}

/* Turns all sides until the condition holds. */
#define SIDES_UNTIL(condition) PATIENCE_UNTIL(sides_turn(), condition)

#endif

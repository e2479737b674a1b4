/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runner's part of paths over datagrams: the address, where strangers knock, and the slots of each port's paths.
 *
 * A path is made by one exchange, or two when the listener wants to know first that the knock came from where it says
 * (a cookie, as in RFC 9000, section 8.1): nothing is remembered of a stranger who cannot be answered.
 *
 *   connector                          listener
 *   KNOCK        ->
 *                                  <-  COOKIE
 *   KNOCK+cookie ->
 *                                  <-  ACCEPT or REFUSE
 *   a packet of the path ->            now it is up there, too
 */
#ifndef PATH_DEVICE_H
#define PATH_DEVICE_H

#include "path/path_private.h"

#include <pthread.h>
#include <stdatomic.h>

#define WEFT__KNOCK_BYTES \
	576u /* each is so long, and no answer is longer: nothing is gained by lying about the sender */
#define WEFT__COOKIE_BYTES 16u
#define WEFT__SLOT_WORDS (WEFT__PORT_SLOTS / 64)

/* Something that the runner has a worker do; embedded in what it is about. */
struct weft__errand {
	struct weft_list link; /* of the device's, until it is run or dropped */
	struct weft__path_port *port;
	void (*run)(struct weft__errand *errand);  /* on the worker */
	void (*drop)(struct weft__errand *errand); /* instead, when its port closes */
	bool posted;
};

/* What KNOCK, COOKIE, ACCEPT and REFUSE say; each has some of it. */
struct weft__greeting {
	uint8_t form;
	uint64_t to_path;   /* by whose name for it: the receiver's; 0 in a knock */
	uint64_t from_path; /* the sender's name for it */
	uint64_t incarnation;
	uint16_t steer; /* the sender's port for it */
	uint32_t code;  /* REFUSE: enum weft_error */
	bool has_cookie;
	unsigned char cookie[WEFT__COOKIE_BYTES];
	struct weft_hello hello;
};

uint32_t weft__greeting_write(const struct weft__greeting *greeting, uint16_t steer, unsigned char *to);
/* -WEFT_EPROTO, -WEFT_EVERSION. */
int weft__greeting_read(const unsigned char *packet, size_t len_bytes, struct weft__greeting *greeting);

/* A connect under way. The runner's, and in the end the worker's, who frees it. */
struct weft__knock {
	struct weft_list link;
	struct weft__errand errand;
	struct weft__path *path; /* as it will be; NULL once it was handed over */
	struct weft_net_route *route;
	struct weft__greeting greeting;
	struct weft_timer timer;
	struct weft__path_device *device;
	uint64_t wait_ns, give_up_ns;
	int error;
	const char *why;
};

/* A listener's memory of whom it accepted, for as long as the cookie of his knock may be good. */
struct weft__accepted {
	struct weft_list in_bucket;
	struct weft_list by_age; /* or free */
	struct weft_net_address from;
	struct weft__greeting answer;
	uint64_t incarnation;
	uint64_t from_path;
	uint32_t source;
	uint64_t until_ns;
};
struct weft__accepted_table;

struct weft__path_device {
	struct weft_device_opts opts;
	const struct weft_net_driver *driver;
	struct weft_net *net;
	struct weft_net_port *door; /* port 0 of the net: the runner's */
	struct weft_poller poller;
	uint64_t cookie_key[2];
	uint64_t id_key[2]; /* of a hash of the count, which draws the names of paths: who knows some knows no other */
	uint64_t id_count;
	struct weft_list knocks;
	struct weft_list errands;       /* with lock: not run yet */
	struct weft_timer errand_timer; /* for those whose worker's mailbox was full */
	struct weft__accepted_table *accepted;
	pthread_mutex_t lock; /* of ports, which come and go on any thread, of errands, and of this: */
	uint64_t parting_ns;  /* when the first of the ports began to close that have one span for it together */
	struct weft__path_port *ports[WEFT_NET_PORTS_MAX];
};

/* The table's functions, see weft/driver.h. */
int weft__path_device_open(const struct weft_device_opts *opts, struct weft_device **out);
void weft__path_device_close(struct weft_device **out);
int weft__path_port_open(struct weft_device *base, const struct weft_port_opts *opts, struct weft_port **out);
void weft__path_port_close(struct weft_port **out);
void weft__path_flush(struct weft_port *base);
/* Whether packets wake a sleeping worker; else it looks for them by timer. */
bool weft__device_wakes(const struct weft__path_device *device);
/* The net driver below one of ours. */
const struct weft_net_driver *weft__path_net_of(const struct weft_driver *driver);
weft__stream_fn *weft__path_streams_of(const struct weft_driver *driver);

/* Of a port's slots of paths, by bits; the runner takes, the worker gives back. */
/* Draws its id, which names the slot. -WEFT_ENOSPC: all slots, or all of its source, are taken. */
int weft__device_slot_take(struct weft__path_device *device, struct weft__path *path);
void weft__device_slot_free(const struct weft__path *path);

/* Of a port's sources, by a hash with the device's key. Thread: any. */
unsigned int weft__source_index(const struct weft__path_device *device, const struct weft_net_address *address);

/* ---- accepted.c. Thread: runner ---- */

#define WEFT__COOKIE_LIFE_NS UINT64_C(4000000000) /* whoever knocks gives up after half of it */

/* NULL: no memory. Gives; free it. */
struct weft__accepted_table *weft__accepted_new(void);
/* Who knocked so before; NULL: nobody, or his cookie is good no more. */
const struct weft__accepted *weft__accepted_find(const struct weft__path_device *device,
						 const struct weft__greeting *knock,
						 const struct weft_net_address *from);
/* Whether one more from there can be remembered. Forgets those whose time is over. */
bool weft__accepted_room(struct weft__path_device *device, const struct weft_net_address *from);
/* There is room. Copies. */
void weft__accepted_add(struct weft__path_device *device, const struct weft__greeting *knock,
			const struct weft_net_address *from, const struct weft__greeting *answer);

/*
 * How long a port that closes now may wait for peers to take what they are owed: half of what is left of 300 ms, which all
 * have together that close within a second of the first.
 */
uint64_t weft__device_part_until(struct weft__path_device *device, uint64_t now_ns);

/* Does an errand, now or when the worker's mailbox has room. Thread: runner. */
void weft__errand_run(struct weft__path_device *device, struct weft__errand *errand);

/* Drops the errands to a port that closes. */
void weft__errands_drop(struct weft__path_device *device, struct weft__path_port *port);

/* ---- handshake.c. Thread: runner ---- */

int weft__handshake_connect(struct weft_port *port, const char *to, const struct weft_hello *mine, void *request);
/* Reads what came to the door; returns how much. */
unsigned int weft__handshake_poll(void *device);
/* Ends what is under way, for a port that goes, or for all (NULL). */
void weft__handshake_drop(struct weft__path_device *device, struct weft__path_port *port);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * At which hardware address hosts are: those that somebody sends to and, as far as there is room, those that were sent to or
 * have asked for us lately, since they will want an answer. Senders read an address without a lock; whoever receives an
 * answer writes it.
 */
#ifndef NEIGHBOURS_H
#define NEIGHBOURS_H

#include "dpdk/frame.h"

#include <pthread.h>
#include <stdatomic.h>

#define NEIGHBOURS_MAX 1024u

/* What to do about a host now. */
enum neighbour_ask { ASK_NOBODY, ASK_HIM, ASK_ALL };

struct neighbour {
	struct frame_host host;
	unsigned int users;   /* with the table's lock; 0: free */
	_Atomic uint64_t mac; /* 0: not known */
	_Atomic uint64_t heard_ns, next_ask_ns, wait_ns;
};

struct neighbours {
	pthread_mutex_t lock; /* never waited for while packets flow */
	unsigned int count;   /* entries that were ever used */
	struct neighbour entries[NEIGHBOURS_MAX];
};

void weft__neighbours_init(struct neighbours *all);
void weft__neighbours_fini(struct neighbours *all);
/* The entry of a host, with one user more. NULL: there are too many. Thread: any. */
struct neighbour *weft__neighbour_get(struct neighbours *all, const struct frame_host *host);
void weft__neighbour_put(struct neighbours *all, struct neighbour *neighbour);
/* He said where he is; who asked for us is remembered, too. False: nobody wants to know, or it was no moment to write it
 * down. Thread: any. */
bool weft__neighbours_hear(struct neighbours *all, const struct frame_host *host, const uint8_t *mac, bool asked,
			   uint64_t now_ns);
/* Where he is; false: not known. Thread: any. */
bool weft__neighbour_mac(struct neighbour *neighbour, uint8_t *mac);
/* Whether he, or all, must be asked now; tells only one caller so. Thread: any. */
enum neighbour_ask weft__neighbour_ask(struct neighbour *neighbour, uint64_t now_ns);

#endif

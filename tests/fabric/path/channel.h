/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network between one sender of packets and one sender of acknowledgements, which does to them what networks do. It is
 * moved by its user's clock and by a seed.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include "path/recovery.h"

#include <weft/random.h>

struct channel_opts {
	uint64_t delay_ns;     /* one way */
	uint64_t jitter_ns;    /* up to so much more: what follows may overtake */
	uint32_t bytes_per_us; /* of the narrowest place; 0: not narrow */
	uint32_t queue_bytes;  /* before it; 0: endless */
	double loses, doubles, marks;
	double dark;        /* the chance of a packet to begin a time in which nothing comes through */
	double stand_still; /* for the user: the chance to stand still after a step */
};

struct channel_datagram {
	uint64_t number;
	bool is_marked; /* by the network */
};

/* Something of everything. */
void channel_opts_random(struct channel_opts *opts, uint64_t seed);
void channel_init(const struct channel_opts *opts, uint64_t seed);
void channel_send(uint64_t now_ns, uint32_t len_bytes, struct channel_datagram datagram);
void channel_acknowledge(uint64_t now_ns, const struct weft__ack *ack);
/* What has come until now, in its order; false: nothing. */
bool channel_next_datagram(uint64_t now_ns, struct channel_datagram *out);
bool channel_next_ack(uint64_t now_ns, struct weft__ack *out);
/* When the next comes; UINT64_MAX: never. */
uint64_t channel_next_datagram_ns(void);
uint64_t channel_next_ack_ns(void);

#endif

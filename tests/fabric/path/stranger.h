/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A world of three on a simulated network with a virtual clock: two sides that keep to the rules, near and far, and strangers,
 * who speak to far byte by byte and do what no peer of ours would. Strangers acknowledge what they hear.
 */
#ifndef STRANGER_H
#define STRANGER_H

#include "path/device.h"
#include "simulated.h"

#define STRANGERS_MAX 300u
#define STRANGER_PATHS_MAX 512u

/* What a stranger has of a path to far. */
struct stranger_path {
	uint64_t own_id, id; /* what he calls it, and what far does; 0: it was not accepted */
	uint16_t steer;
	uint64_t number;                    /* of his next packet */
	uint64_t granted_bytes, granted_ns; /* the last grant, and when it came */
	uint64_t acked;                     /* his packets up to there have arrived, and one more; 0: none has */
	bool closed;
};

struct stranger {
	struct weft_net *net;
	struct weft_net_port *door, *port;
	struct weft_net_route *to_door, *to_port;
	struct stranger_path paths[STRANGER_PATHS_MAX];
	unsigned int path_count; /* asked for */
	unsigned int accepts, refusals, cookies;
	uint32_t refused_with;                    /* the last refusal's code */
	unsigned char cookie[WEFT__COOKIE_BYTES]; /* the last one */
	bool silent;                              /* acknowledges nothing */
	bool marks;                               /* his packets, as if they had met congestion */
};

struct strangers_world {
	struct simulated net;
	struct side near, far;
	struct stranger strangers[STRANGERS_MAX];
	unsigned int stranger_count;
};
extern struct strangers_world world;

/* Opens the sim, near and far, without a path between them. All that is left of the run before must be closed. */
void world_open(uint64_t seed, uint64_t loan_quota_bytes);
void world_close(void);
/* Everybody does what there is to do, then time goes on to what comes next, by no more than a millisecond. */
void world_step(void);
uint64_t world_now_ns(void);
void world_pass(uint64_t span_ns);
/* Steps until the condition holds or so much virtual time has passed. */
#define WORLD_WITHIN(span_ns, condition)                                     \
	({                                                                   \
		uint64_t until_ns_ = world_now_ns() + (span_ns);             \
		bool held_;                                                  \
		while (!(held_ = (condition)) && world_now_ns() < until_ns_) \
			world_step();                                        \
		held_;                                                       \
	})

/* One more stranger, at a host of that name. */
struct stranger *stranger_open(const char *host);
/* A knock for a path of that name; with the cookie he was given last, if with_cookie. */
void stranger_knock(struct stranger *stranger, uint64_t own_id, bool with_cookie);
/* A path with far, by the whole handshake; NULL: far did not want. */
struct stranger_path *stranger_join(struct stranger *stranger);
/* One packet with these frames, len_bytes altogether. */
void stranger_say(struct stranger *stranger, struct stranger_path *path, const void *frames, uint32_t len_bytes);
/* The head of a large message, and len_bytes of it from offset on; 0: its head only. */
void stranger_say_large(struct stranger *stranger, struct stranger_path *path, uint8_t stream, uint32_t sequence,
			uint64_t total_bytes, uint64_t offset_bytes, uint32_t len_bytes);
/* A small message. */
void stranger_say_message(struct stranger *stranger, struct stranger_path *path, uint8_t stream, uint32_t sequence,
			  uint32_t len_bytes);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoding and decoding of what nodes tell each other besides messages: the hello while a path is made, the terms of a
 * lane, and credit. All numbers are little-endian. Decoders trust nothing: they return 0 or -WEFT_EPROTO.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <weft/driver.h>
#include <weft/node.h>

#define WEFT__PROTOCOL_VERSION 3
#define WEFT__LANE_OPEN_MAX (16 + WEFT_NAME_MAX)
#define WEFT__CREDIT_BYTES 24
#define WEFT__RESUME_LANES 16 /* told in one frame */
#define WEFT__RESUME_MAX (4 + 10 * WEFT__RESUME_LANES)

/* Who we are and whom we want. Strings are NUL-terminated here and length-prefixed on the wire. */
struct weft__hello {
	char node[WEFT_NAME_MAX + 1];
	char worker[WEFT_NAME_MAX + 1]; /* which of our workers speaks; "" the node's own */
	char target[WEFT_NAME_MAX + 1]; /* which of yours we want; "" any */
	uint32_t spread;                /* picks one of "any" */
	uint8_t role;                   /* enum weft_node_role: one bit or both */
	uint8_t flags;                  /* enum weft__hello_flags */
	uint8_t from_index,
		to_index; /* which worker speaks, and which is wanted, by its place; WEFT__ANY_INDEX: none */
	uint64_t token;   /* drawn by who connects; it knows it still when it comes by another path */
};

#define WEFT__ANY_INDEX 255u

enum weft__hello_flags {
	WEFT__MAY_MOVE = 1 << 0, /* who connects knows another way, should this one break: keep what is not confirmed */
	WEFT__RESUMES = 1 << 1,  /* this is another path for a link that there is; it goes on where it was */
};

struct weft__lane_terms {
	uint8_t delivery;
	uint8_t priority;
	uint64_t max_message_bytes;
	char channel[WEFT_NAME_MAX + 1];
};

struct weft__credit {
	uint32_t delivered_sequence; /* messages before this one have been delivered */
	uint32_t limit_sequence;     /* messages before this one may be sent */
	uint64_t limit_bytes;        /* and this many bytes since the lane was opened */
	uint64_t max_message_bytes;  /* of the receiver's channel */
};

/* What one side has of a lane that the other sends on. */
struct weft__resume_lane {
	uint16_t id;
	uint32_t generation;
	uint32_t next_sequence; /* of the next message that it expects */
};

/* What one side has of all such lanes, or a part of that. */
struct weft__resume {
	bool unknown; /* it has no such link: nothing goes on */
	bool more;    /* another frame follows */
	uint8_t count;
	struct weft__resume_lane lanes[WEFT__RESUME_LANES];
};

void weft__hello_encode(const struct weft__hello *hello, struct weft_hello *out);
int weft__hello_decode(const struct weft_hello *bytes, struct weft__hello *out);

/* Returns the length. */
size_t weft__lane_terms_encode(const struct weft__lane_terms *terms, unsigned char out[WEFT__LANE_OPEN_MAX]);
int weft__lane_terms_decode(const void *bytes, size_t len_bytes, struct weft__lane_terms *out);

void weft__credit_encode(const struct weft__credit *credit, unsigned char out[WEFT__CREDIT_BYTES]);
int weft__credit_decode(const void *bytes, size_t len_bytes, struct weft__credit *out);

/* Returns the length. */
size_t weft__resume_encode(const struct weft__resume *resume, unsigned char out[WEFT__RESUME_MAX]);
int weft__resume_decode(const void *bytes, size_t len_bytes, struct weft__resume *out);

/* Whether text is a name: 1 to 64 of [A-Za-z0-9._-], not beginning with a dot. */
bool weft__name_valid(const char *text);

#endif

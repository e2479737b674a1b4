/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoding and decoding of what nodes tell each other besides messages: the hello while a path is made, the terms of a
 * lane, and credit. All numbers are little-endian. Decoders trust nothing: they return 0 or -WEFT_EPROTO.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <weft/driver.h>
#include <weft/node.h>

#define WEFT__PROTOCOL_VERSION 2
#define WEFT__LANE_OPEN_MAX (16 + WEFT_NAME_MAX)
#define WEFT__CREDIT_BYTES 24

/* Who we are and whom we want. Strings are NUL-terminated here and length-prefixed on the wire. */
struct weft__hello {
	char node[WEFT_NAME_MAX + 1];
	char worker[WEFT_NAME_MAX + 1]; /* which of our workers speaks; "" the node's own */
	char target[WEFT_NAME_MAX + 1]; /* which of yours we want; "" any */
	uint32_t spread;                /* picks one of "any" */
	uint8_t role;                   /* enum weft_node_role: one bit or both */
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

void weft__hello_encode(const struct weft__hello *hello, struct weft_hello *out);
int weft__hello_decode(const struct weft_hello *bytes, struct weft__hello *out);

/* Returns the length. */
size_t weft__lane_terms_encode(const struct weft__lane_terms *terms, unsigned char out[WEFT__LANE_OPEN_MAX]);
int weft__lane_terms_decode(const void *bytes, size_t len_bytes, struct weft__lane_terms *out);

void weft__credit_encode(const struct weft__credit *credit, unsigned char out[WEFT__CREDIT_BYTES]);
int weft__credit_decode(const void *bytes, size_t len_bytes, struct weft__credit *out);

/* Whether text is a name: 1 to 64 of [A-Za-z0-9._-], not beginning with a dot. */
bool weft__name_valid(const char *text);

#endif

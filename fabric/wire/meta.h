/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The 64 bits of meta on each frame: what it is, on which lane, and which message of that lane.
 *
 *   bits 0..7 kind   8..15 flags   16..31 lane   32..63 sequence number
 */
#ifndef META_H
#define META_H

#include <stdint.h>

enum weft__kind {
	WEFT__DATA = 1,
	WEFT__REQUEST,      /* head ends with an 8-byte request id */
	WEFT__REPLY,        /* the same id comes back; lane is the requester's */
	WEFT__LANE_OPEN,    /* sender to receiver: lane, channel, terms */
	WEFT__LANE_CLOSE,   /* sender to receiver: nothing more on this lane */
	WEFT__LANE_WAITING, /* receiver to sender: there is no such channel (yet) */
	WEFT__LANE_RESET,   /* receiver to sender: the channel was closed */
	WEFT__CREDIT,       /* receiver to sender: delivered and limits */
	/* Closing an idle link, see link/idle.c: the lane field is the class, the sequence number the round. */
	WEFT__IDLE_ASK,   /* shall we close it? I send nothing until you answer */
	WEFT__IDLE_YES,   /* yes; I send nothing any more */
	WEFT__IDLE_NO,    /* no: there is something to do */
	WEFT__IDLE_OFF,   /* I have changed my mind */
	WEFT__IDLE_CLOSE, /* I close the path now; this is no farewell */
};

enum weft__meta_flags {
	WEFT__HAS_HEADER = 1 << 0, /* head begins with tag and immediate, 8 bytes each */
	WEFT__ACK_NOW = 1 << 1,    /* say at once when it is delivered */
	WEFT__IS_ERROR = 1 << 2,   /* a reply that carries a 4-byte status instead of data */
	WEFT__ANY_SIZE = 1 << 3,   /* credit: nothing is held, so the next message may exceed the limit of bytes */
	WEFT__SHORT = 1 << 4,      /* lent by who runs out of memory: better copied than kept */
};

#define WEFT__HEADER_BYTES 16
#define WEFT__REQUEST_ID_BYTES 8
#define WEFT__HEAD_MAX (WEFT__HEADER_BYTES + WEFT__REQUEST_ID_BYTES)

static inline uint64_t weft__meta(enum weft__kind kind, unsigned int flags, uint16_t lane, uint32_t sequence)
{
	return (uint64_t)kind | (uint64_t)flags << 8 | (uint64_t)lane << 16 | (uint64_t)sequence << 32;
}

static inline unsigned int weft__meta_kind(uint64_t meta)
{
	return meta & 0xff;
}

static inline unsigned int weft__meta_flags(uint64_t meta)
{
	return meta >> 8 & 0xff;
}

static inline uint16_t weft__meta_lane(uint64_t meta)
{
	return (uint16_t)(meta >> 16);
}

static inline uint32_t weft__meta_sequence(uint64_t meta)
{
	return (uint32_t)(meta >> 32);
}

#endif

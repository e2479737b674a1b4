/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of Ethernet that a net of dpdk sends and receives: UDP over IPv4 or IPv6, and the questions and answers by which
 * hosts find each other's hardware addresses (ARP, RFC 826; neighbour discovery, RFC 4861). Pure: bytes in, bytes out.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_MAC_BYTES 6u
#define FRAME_ETHER_BYTES 14u
#define FRAME_V4_HEAD_BYTES 42u /* Ethernet, IP and UDP as they are written here */
#define FRAME_V6_HEAD_BYTES 62u
#define FRAME_HEAD_MAX FRAME_V6_HEAD_BYTES
#define FRAME_NEIGHBOUR_MAX 86u /* the longest question or answer */

/* A host of one IP. Unused bytes are 0. */
struct frame_host {
	uint8_t version; /* 4 or 6 */
	uint8_t bytes[16];
};

/* One end of what is sent over UDP. */
struct frame_end {
	struct frame_host host;
	uint8_t mac[FRAME_MAC_BYTES];
	uint16_t port;
};

enum frame_kind {
	FRAME_FOREIGN,  /* none of what is read here, or not for this host: another's business */
	FRAME_BAD,      /* for us, and it contradicts itself */
	FRAME_UDP,      /* payload for our port */
	FRAME_QUESTION, /* who has our address? */
	FRAME_ANSWER,   /* it is at ...; also who says so unasked */
	FRAME_FAREWELL, /* the other end of a line between two is about to go */
};

struct frame {
	enum frame_kind kind;
	struct frame_end from; /* port: of FRAME_UDP only */
	uint32_t payload_at;   /* of FRAME_UDP: where it begins */
	uint32_t payload_bytes;
	uint8_t ecn;
	bool unicast; /* of FRAME_QUESTION: it was asked of us alone */
};

/* What a device has checked already. */
enum frame_checked { FRAME_CHECKED_IP = 1 << 0, FRAME_CHECKED_UDP = 1 << 1 };

/* ---- frame_read.c ---- */

/* Reads a frame for the host of `own`, which never lies outside of the bytes, however they are. Padding after what IP says
 * is allowed. */
void weft__frame_read(const uint8_t *bytes, uint32_t len_bytes, const struct frame_end *own, unsigned int checked,
		      struct frame *out);

/* ---- frame_write.c ---- */

/* The headers in front of a payload of so many bytes, without the check sum of UDP. Returns their length. */
uint32_t weft__frame_write_head(uint8_t *bytes, const struct frame_end *from, const struct frame_end *to, uint8_t ecn,
				uint32_t payload_bytes);
/* Puts the check sum of UDP into a whole frame that weft__frame_write_head began. */
void weft__frame_seal(uint8_t *frame, uint8_t version, uint32_t payload_bytes);
/* The same for a device that sums the rest: the sum of what is not in UDP itself. */
void weft__frame_seal_by_device(uint8_t *frame, uint8_t version, uint32_t payload_bytes);
/* Who has this host? Asks all; or, if to_mac is given, him only whether he still has it. Both return the length of the
 * frame, at most FRAME_NEIGHBOUR_MAX. */
uint32_t weft__frame_write_question(uint8_t *bytes, const struct frame_end *own, const struct frame_host *who,
				    const uint8_t *to_mac);
/* We do. To one who asked; or to all, unasked, if `to` is NULL. */
uint32_t weft__frame_write_answer(uint8_t *bytes, const struct frame_end *own, const struct frame_end *to);

/* We go; for the other end of a line, where there is but one. */
uint32_t weft__frame_write_farewell(uint8_t *bytes, const struct frame_end *own);

/* ---- frame_sum.c ---- */

/* The sum of 16-bit words in the order of bytes of this machine, to go on with; and folded, ready to be stored as it is. */
uint64_t weft__frame_sum(const void *bytes, size_t len_bytes, uint64_t sum);
uint16_t weft__frame_sum_end(uint64_t sum);
/* Of what stands in for the header of IP in sums of UDP and ICMPv6; head is that of IP. */
uint64_t weft__frame_sum_pseudo(const uint8_t *head, uint8_t version, uint8_t protocol, uint32_t len_bytes);

/* ---- headers, as offsets from their beginnings ---- */

enum {
	ETHER_TO = 0,
	ETHER_FROM = 6,
	ETHER_TYPE = 12,

	V4_TOS = 1,
	V4_LENGTH = 2,
	V4_FRAGMENT = 6,
	V4_TTL = 8,
	V4_PROTOCOL = 9,
	V4_SUM = 10,
	V4_FROM = 12,
	V4_TO = 16,
	V4_BYTES = 20,

	V6_LENGTH = 4,
	V6_NEXT = 6,
	V6_HOPS = 7,
	V6_FROM = 8,
	V6_TO = 24,
	V6_BYTES = 40,

	UDP_FROM = 0,
	UDP_TO = 2,
	UDP_LENGTH = 4,
	UDP_SUM = 6,
	UDP_BYTES = 8,

	ARP_OPERATION = 6,
	ARP_FROM_MAC = 8,
	ARP_FROM = 14,
	ARP_TO_MAC = 18,
	ARP_TO = 24,
	ARP_BYTES = 28,

	ND_TYPE = 0,
	ND_SUM = 2,
	ND_FLAGS = 4,
	ND_TARGET = 8,
	ND_OPTION = 24,
	ND_BYTES = 32,
};

#define TYPE_V4 0x0800u
#define TYPE_ARP 0x0806u
#define TYPE_V6 0x86ddu
#define TYPE_FAREWELL 0x88b5u /* set apart for whoever wants it on his own network */
#define FAREWELL_TEXT "weft farewell"
#define FAREWELL_BYTES 13u
#define PROTOCOL_UDP 17u
#define PROTOCOL_ICMP6 58u
#define ND_QUESTION 135u
#define ND_ANSWER 136u
#define ND_FLAG_SOLICITED 0x40u
#define ND_FLAG_OVERRIDE 0x20u
#define ND_HOPS 255u
#define OPTION_FROM_MAC 1u
#define OPTION_MAC 2u
#define ARP_ASK 1u
#define ARP_TELL 2u

static inline uint16_t weft__get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline void weft__put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

#endif

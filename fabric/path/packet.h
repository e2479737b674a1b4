/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in a packet (docs/wire.md). Numbers are little-endian but for the steering bytes.
 *
 *   0  steer 2     index of the port that receives it, network order: drivers read nothing else
 *   2  form 1      version in the upper four bits, enum weft__form in the lower
 *   3  epoch 1     of the key that seals it; 0: nothing is sealed
 *   4  tag 4       CRC32C of the whole packet with this field 0. A seal has a longer one
 *   8  path 8      the receiver's own name for the path; 0 in packets of the handshake
 *  16  number 8    of the packet: each goes out once
 *  24  frames, each beginning at a multiple of 8
 */
#ifndef PATH_PACKET_H
#define PATH_PACKET_H

#include "path/recovery.h"

#include <stddef.h>
#include <weft/net.h>

#define WEFT__WIRE_VERSION 2u
#define WEFT__PACKET_HEAD 24u
#define WEFT__FRAME_ALIGN 8u

enum weft__form {
	WEFT__FORM_PATH,   /* frames of a path that stands */
	WEFT__FORM_KNOCK,  /* may I have a path? */
	WEFT__FORM_COOKIE, /* come again with this, so that I know you are there */
	WEFT__FORM_ACCEPT,
	WEFT__FORM_REFUSE,
	WEFT__FORM_COUNT,
};

struct weft__packet_head {
	uint16_t steer;
	uint8_t form, epoch;
	bool hurry; /* its sender waits for the acknowledgement; written by weft__packet_hurry */
	uint64_t path;
	uint64_t number;
};

enum weft__frame_kind {
	WEFT__FRAME_PING = 1, /* wants an acknowledgement, and nothing else */
	WEFT__FRAME_MESSAGE,  /* a small message, whole */
	WEFT__FRAME_LARGE,    /* what is to be known of a large one, beside its bytes */
	WEFT__FRAME_CHUNK,    /* some of its bytes */
	WEFT__FRAME_GRANT,    /* receiver: bytes of that message up to there may come */
	WEFT__FRAME_ACK,
	WEFT__FRAME_CLOSE, /* nothing more will come or be taken */
	WEFT__FRAME_ALLOW, /* receiver: so much of large messages may come without a grant */
};

/* Of all kinds: the first 8 bytes. */
#define WEFT__FRAME_HEAD 8u
#define WEFT__MESSAGE_HEAD 16u
#define WEFT__LARGE_HEAD 24u
#define WEFT__CHUNK_HEAD 24u
#define WEFT__GRANT_BYTES 16u
#define WEFT__ALLOW_BYTES 16u
#define WEFT__ACK_MAX (32u + 8u * (WEFT__ACK_RANGES_MAX - 1))
#define WEFT__ACK_MIN 32u

/* A frame as it was read; data points into the packet. What a kind does not have is 0. */
struct weft__frame {
	enum weft__frame_kind kind;
	uint8_t stream;
	uint8_t class_;
	bool wants;        /* LARGE, CHUNK: no more of it may be sent before it is granted */
	uint32_t sequence; /* in the stream; of CLOSE: the reason */
	uint32_t len_bytes;
	uint64_t meta;
	uint64_t total_bytes;  /* of the large message */
	uint64_t offset_bytes; /* of the chunk; of GRANT: up to here; of ALLOW: so many */
	const unsigned char *data;
};

static inline uint32_t weft__frame_padded(uint32_t len_bytes)
{
	return (len_bytes + WEFT__FRAME_ALIGN - 1) & ~(WEFT__FRAME_ALIGN - 1);
}

void weft__packet_head_write(const struct weft__packet_head *head, unsigned char *to);
/* -WEFT_EPROTO: too short, or not of this kind; -WEFT_EVERSION. The tag is looked at by weft__packet_intact. */
int weft__packet_head_read(const unsigned char *packet, size_t len_bytes, struct weft__packet_head *head);
/* Writes the tag of a packet whose head is at the front of the first piece. */
void weft__packet_seal(unsigned char *head, const struct weft_net_piece *pieces, unsigned int count);
/* Makes a packet of a path say that its sender waits, before it is sealed. */
void weft__packet_hurry(unsigned char *head);
/* Whether the tag fits the packet, which is at least WEFT__PACKET_HEAD long. */
bool weft__packet_intact(const unsigned char *packet, size_t len_bytes);

/* Write a frame's head; what follows it is the caller's to copy, and to pad. */
void weft__message_write(unsigned char *to, unsigned int class_, unsigned int stream, uint32_t sequence, uint64_t meta,
			 uint32_t len_bytes);
void weft__large_write(unsigned char *to, unsigned int class_, unsigned int stream, uint32_t sequence, uint64_t meta,
		       uint64_t total_bytes, uint32_t head_len_bytes, bool wants);
void weft__chunk_write(unsigned char *to, unsigned int stream, uint32_t sequence, uint64_t total_bytes,
		       uint64_t offset_bytes, uint32_t len_bytes, bool wants);
void weft__grant_write(unsigned char *to, unsigned int stream, uint32_t sequence, uint64_t up_to_bytes);
/* Number: of those that were sent on the path; an older one is none. */
void weft__allow_write(unsigned char *to, uint32_t number, uint64_t bytes);
void weft__plain_write(unsigned char *to, enum weft__frame_kind kind, uint32_t reason);
/* Writes as many ranges as fit into room_bytes (at least WEFT__ACK_MIN), newest first; returns its length. */
uint32_t weft__ack_write(unsigned char *to, uint32_t room_bytes, const struct weft__ack *ack);

/*
 * Reads the frame at *at of a packet and moves *at behind it: 1, 0 at the end of the packet, -WEFT_EPROTO for what is no
 * frame. ack is filled in for WEFT__FRAME_ACK.
 */
int weft__frame_read(const unsigned char *packet, uint32_t len_bytes, uint32_t *at, struct weft__frame *frame,
		     struct weft__ack *ack);

#endif

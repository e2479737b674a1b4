/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets and frames to bytes and back. Whatever is read is checked here, and only here, for its form.
 */
#include "path/packet.h"

#include <endian.h>
#include <string.h>
#include <weft/crc32c.h>
#include <weft/errors.h>

#define TAG_AT 4u
#define TAG_BYTES 4u
#define PATH_AT 8u
#define NUMBER_AT 16u
#define FORM_MASK 0x7u
#define HURRY_BIT 0x8u
#define MICROSECOND_NS UINT64_C(1000)

static void put16(unsigned char *to, uint16_t value)
{
	value = htole16(value);
	memcpy(to, &value, sizeof value);
}

static void put32(unsigned char *to, uint32_t value)
{
	value = htole32(value);
	memcpy(to, &value, sizeof value);
}

static void put64(unsigned char *to, uint64_t value)
{
	value = htole64(value);
	memcpy(to, &value, sizeof value);
}

static uint16_t get16(const unsigned char *from)
{
	uint16_t value;

	memcpy(&value, from, sizeof value);
	return le16toh(value);
}

static uint32_t get32(const unsigned char *from)
{
	uint32_t value;

	memcpy(&value, from, sizeof value);
	return le32toh(value);
}

static uint64_t get64(const unsigned char *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof value);
	return le64toh(value);
}

/* ---- packets ---- */

void weft__packet_head_write(const struct weft__packet_head *head, unsigned char *to)
{
	to[0] = (unsigned char)(head->steer >> 8);
	to[1] = (unsigned char)head->steer;
	to[2] = (unsigned char)(WEFT__WIRE_VERSION << 4 | head->form);
	to[3] = head->epoch;
	put32(to + TAG_AT, 0);
	put64(to + PATH_AT, head->path);
	put64(to + NUMBER_AT, head->number);
}

void weft__packet_hurry(unsigned char *head)
{
	head[2] |= HURRY_BIT;
}

int weft__packet_head_read(const unsigned char *packet, size_t len_bytes, struct weft__packet_head *head)
{
	if (len_bytes < WEFT__PACKET_HEAD)
		return -WEFT_EPROTO;
	if (packet[2] >> 4 != WEFT__WIRE_VERSION)
		return -WEFT_EVERSION;
	*head = (struct weft__packet_head){
		.steer = (uint16_t)(packet[0] << 8 | packet[1]),
		.form = packet[2] & FORM_MASK,
		.hurry = packet[2] & HURRY_BIT,
		.epoch = packet[3],
		.path = get64(packet + PATH_AT),
		.number = get64(packet + NUMBER_AT),
	};
	return head->form < WEFT__FORM_COUNT && !head->epoch ? 0 : -WEFT_EPROTO;
}

void weft__packet_seal(unsigned char *head, const struct weft_net_piece *pieces, unsigned int count)
{
	uint32_t crc = 0;

	for (unsigned int i = 0; i < count; i++)
		crc = weft_crc32c(crc, pieces[i].data, pieces[i].len_bytes);
	put32(head + TAG_AT, crc);
}

bool weft__packet_intact(const unsigned char *packet, size_t len_bytes)
{
	static const unsigned char no_tag[TAG_BYTES];
	uint32_t crc = weft_crc32c(0, packet, TAG_AT);

	crc = weft_crc32c(crc, no_tag, sizeof no_tag);
	crc = weft_crc32c(crc, packet + TAG_AT + TAG_BYTES, len_bytes - TAG_AT - TAG_BYTES);
	return get32(packet + TAG_AT) == crc;
}

/* ---- frames: kind and class, stream, length, sequence; then what the kind has ---- */

#define KIND_BITS 4u
#define WANTS_BIT 0x20u

static void head_write(unsigned char *to, enum weft__frame_kind kind, unsigned int class_, unsigned int stream,
		       uint32_t len_bytes, uint32_t sequence)
{
	to[0] = (unsigned char)(class_ << KIND_BITS | kind);
	to[1] = (unsigned char)stream;
	put16(to + 2, (uint16_t)len_bytes);
	put32(to + 4, sequence);
}

void weft__message_write(unsigned char *to, unsigned int class_, unsigned int stream, uint32_t sequence, uint64_t meta,
			 uint32_t len_bytes)
{
	head_write(to, WEFT__FRAME_MESSAGE, class_, stream, len_bytes, sequence);
	put64(to + 8, meta);
}

void weft__large_write(unsigned char *to, unsigned int class_, unsigned int stream, uint32_t sequence, uint64_t meta,
		       uint64_t total_bytes, uint32_t head_len_bytes, bool wants)
{
	head_write(to, WEFT__FRAME_LARGE, class_, stream, head_len_bytes, sequence);
	to[0] |= wants ? WANTS_BIT : 0;
	put64(to + 8, meta);
	put64(to + 16, total_bytes);
}

void weft__chunk_write(unsigned char *to, unsigned int stream, uint32_t sequence, uint64_t total_bytes,
		       uint64_t offset_bytes, uint32_t len_bytes, bool wants)
{
	head_write(to, WEFT__FRAME_CHUNK, 0, stream, len_bytes, sequence);
	to[0] |= wants ? WANTS_BIT : 0;
	put64(to + 8, total_bytes);
	put64(to + 16, offset_bytes);
}

void weft__grant_write(unsigned char *to, unsigned int stream, uint32_t sequence, uint64_t up_to_bytes)
{
	head_write(to, WEFT__FRAME_GRANT, 0, stream, 0, sequence);
	put64(to + 8, up_to_bytes);
}

void weft__allow_write(unsigned char *to, uint32_t number, uint64_t bytes)
{
	head_write(to, WEFT__FRAME_ALLOW, 0, 0, 0, number);
	put64(to + 8, bytes);
}

void weft__plain_write(unsigned char *to, enum weft__frame_kind kind, uint32_t reason)
{
	head_write(to, kind, 0, 0, 0, reason);
}

/* largest, packets of the first range before it; then for each further one the gap and the packets, so that ranges come
 * out in order whatever is read */
uint32_t weft__ack_write(unsigned char *to, uint32_t room_bytes, const struct weft__ack *ack)
{
	uint32_t count = 1, len_bytes = WEFT__ACK_MIN;
	uint64_t delay_us = ack->delay_ns / MICROSECOND_NS;

	while (count < ack->range_count && len_bytes + 8 <= room_bytes) {
		uint64_t gap = ack->ranges[count - 1].first - ack->ranges[count].last;
		uint64_t length = ack->ranges[count].last - ack->ranges[count].first;

		if (gap > UINT32_MAX || length > UINT32_MAX)
			break;
		put32(to + len_bytes, (uint32_t)gap);
		put32(to + len_bytes + 4, (uint32_t)length);
		len_bytes += 8;
		count++;
	}
	head_write(to, WEFT__FRAME_ACK, ack->has_ecn, 0, count,
		   (uint32_t)(delay_us < UINT32_MAX ? delay_us : UINT32_MAX));
	put64(to + 8, ack->ranges[0].last);
	put64(to + 16, ack->ranges[0].last - ack->ranges[0].first);
	put64(to + 24, ack->ce_count);
	return len_bytes;
}

static int ack_read(const unsigned char *from, uint32_t room_bytes, uint32_t count, struct weft__ack *ack)
{
	uint64_t last, length;

	if (count < 1 || count > WEFT__ACK_RANGES_MAX || room_bytes < WEFT__ACK_MIN + 8 * (count - 1))
		return -WEFT_EPROTO;
	ack->has_ecn = from[0] >> KIND_BITS;
	ack->delay_ns = get32(from + 4) * MICROSECOND_NS;
	ack->ce_count = get64(from + 24);
	ack->range_count = count;
	last = get64(from + 8);
	length = get64(from + 16);
	for (unsigned int i = 0;; i++) {
		uint64_t gap;

		if (length > last)
			return -WEFT_EPROTO;
		ack->ranges[i].last = last;
		ack->ranges[i].first = last - length;
		if (i + 1 == count)
			return 0;
		gap = get32(from + WEFT__ACK_MIN + (size_t)8 * i);
		length = get32(from + WEFT__ACK_MIN + (size_t)8 * i + 4);
		if (gap < 2 || gap > ack->ranges[i].first)
			return -WEFT_EPROTO;
		last = ack->ranges[i].first - gap;
	}
}

/* How long the frame is, data included; 0: no such frame. */
static uint32_t frame_len(enum weft__frame_kind kind, uint32_t len_bytes)
{
	static const uint8_t heads[] = {
		[WEFT__FRAME_PING] = WEFT__FRAME_HEAD,   [WEFT__FRAME_MESSAGE] = WEFT__MESSAGE_HEAD,
		[WEFT__FRAME_LARGE] = WEFT__LARGE_HEAD,  [WEFT__FRAME_CHUNK] = WEFT__CHUNK_HEAD,
		[WEFT__FRAME_GRANT] = WEFT__GRANT_BYTES, [WEFT__FRAME_CLOSE] = WEFT__FRAME_HEAD,
		[WEFT__FRAME_ALLOW] = WEFT__ALLOW_BYTES,
	};

	switch (kind) {
	case WEFT__FRAME_ACK:
		return WEFT__ACK_MIN + 8 * (len_bytes - 1);
	case WEFT__FRAME_MESSAGE:
	case WEFT__FRAME_LARGE:
	case WEFT__FRAME_CHUNK:
		return heads[kind] + len_bytes;
	case WEFT__FRAME_PING:
	case WEFT__FRAME_GRANT:
	case WEFT__FRAME_CLOSE:
	case WEFT__FRAME_ALLOW:
		return len_bytes ? 0 : heads[kind]; /* they carry nothing */
	}
	return 0;
}

int weft__frame_read(const unsigned char *packet, uint32_t len_bytes, uint32_t *at, struct weft__frame *frame,
		     struct weft__ack *ack)
{
	const unsigned char *from = packet + *at;
	uint32_t left = len_bytes - *at, whole;

	if (!left)
		return 0;
	if (left < WEFT__FRAME_HEAD)
		return -WEFT_EPROTO;
	*frame = (struct weft__frame){
		.kind = from[0] & ((1u << KIND_BITS) - 1),
		.class_ = from[0] >> KIND_BITS & 1,
		.wants = from[0] & WANTS_BIT,
		.stream = from[1],
		.len_bytes = get16(from + 2),
		.sequence = get32(from + 4),
	};
	if (frame->kind == WEFT__FRAME_ACK && ack_read(from, left, frame->len_bytes, ack) < 0)
		return -WEFT_EPROTO;
	whole = frame_len(frame->kind, frame->len_bytes);
	if (!whole || whole > left)
		return -WEFT_EPROTO;
	frame->data = from + whole - frame->len_bytes;
	switch (frame->kind) {
	case WEFT__FRAME_LARGE:
		frame->total_bytes = get64(from + 16);
		frame->meta = get64(from + 8);
		break;
	case WEFT__FRAME_MESSAGE:
		frame->meta = get64(from + 8);
		break;
	case WEFT__FRAME_CHUNK:
		frame->total_bytes = get64(from + 8);
		frame->offset_bytes = get64(from + 16);
		break;
	case WEFT__FRAME_GRANT:
	case WEFT__FRAME_ALLOW:
		frame->offset_bytes = get64(from + 8);
		break;
	default:
		break;
	}
	whole = weft__frame_padded(whole);
	*at += whole < left ? whole : left;
	return 1;
}

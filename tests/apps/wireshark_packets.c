/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes captures for wireshark_test, and says by numbers on standard output which of their packets weft itself refuses:
 *
 *   wireshark_packets golden FILE             one of each form, with each kind of frame and of message
 *   wireshark_packets altered FILE            the same with a byte altered, then with a tag that fits again
 *   wireshark_packets cut FILE                the same with each length that is too short
 *   wireshark_packets snapped FILE            the same, whole on the wire, of which the capture has so much only
 *   wireshark_packets foreign FILE INPUT...   what is in files: as packets, hellos, terms of a lane and credit
 */
#include "path/device.h"
#include "wire/control.h"
#include "wire/meta.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/assert.h>
#include <weft/channel.h>
#include <weft/errors.h>

#define LINK_RAW_IP 101u
#define IP_BYTES 20u
#define UDP_BYTES 8u
#define PACKET_MAX 1400u
#define LANE 5u
#define PEER_LANE (64u + LANE)
#define ALONE 128u

static FILE *capture;
static unsigned int written;

/* ---- captures ---- */

static void capture_open(const char *path)
{
	/* magic, version 2.4, zone, accuracy, longest packet, kind of link */
	const uint32_t head[] = {0xa1b2c3d4, 0x00040002, 0, 0, 65535, LINK_RAW_IP};

	capture = fopen(path, "wb");
	WEFT_ASSERT(capture != NULL);
	fwrite(head, sizeof head, 1, capture);
}

static bool body_fits(const struct weft__frame *frame)
{
	struct weft__lane_terms terms;
	struct weft__credit credit;

	if (frame->kind != WEFT__FRAME_MESSAGE)
		return true;
	if (weft__meta_kind(frame->meta) == WEFT__LANE_OPEN)
		return weft__lane_terms_decode(frame->data, frame->len_bytes, &terms) == 0;
	if (weft__meta_kind(frame->meta) == WEFT__CREDIT)
		return weft__credit_decode(frame->data, frame->len_bytes, &credit) == 0;
	return true;
}

/* Whether weft takes it, as far as its form goes. */
static bool is_taken(const unsigned char *packet, uint32_t len_bytes)
{
	struct weft__packet_head head;
	struct weft__greeting greeting;
	struct weft__hello hello;
	struct weft__frame frame;
	struct weft__ack ack;
	uint32_t at = WEFT__PACKET_HEAD;
	int rc;

	if (weft__packet_head_read(packet, len_bytes, &head) < 0 || !weft__packet_intact(packet, len_bytes))
		return false;
	if (head.form == WEFT__FORM_KNOCK || head.form == WEFT__FORM_ACCEPT)
		return weft__greeting_read(packet, len_bytes, &greeting) == 0 &&
		       weft__hello_decode(&greeting.hello, &hello) == 0;
	if (head.form != WEFT__FORM_PATH)
		return weft__greeting_read(packet, len_bytes, &greeting) == 0;
	while ((rc = weft__frame_read(packet, len_bytes, &at, &frame, &ack)) > 0)
		if (!body_fits(&frame))
			return false;
	return rc == 0;
}

/* A datagram of which the capture has captured_bytes. */
static void put(const unsigned char *packet, uint32_t len_bytes, uint32_t captured_bytes)
{
	uint32_t whole = IP_BYTES + UDP_BYTES + len_bytes;
	const uint32_t record[] = {written / 1000, written % 1000 * 1000, IP_BYTES + UDP_BYTES + captured_bytes, whole};
	const unsigned char heads[IP_BYTES + UDP_BYTES] = {
		0x45,
		0,
		(unsigned char)(whole >> 8),
		(unsigned char)whole,
		0,
		0,
		0,
		0,
		64,
		17,
		0,
		0, /* UDP over IPv4 */
		127,
		0,
		0,
		1,
		127,
		0,
		0,
		1, /* here to here */
		0x9c,
		0x40,
		0x1b,
		0x58,
		(unsigned char)((UDP_BYTES + len_bytes) >> 8),
		(unsigned char)(UDP_BYTES + len_bytes),
		0,
		0, /* port 40000 to 7000 */
	};

	fwrite(record, sizeof record, 1, capture);
	fwrite(heads, sizeof heads, 1, capture);
	fwrite(packet, captured_bytes, 1, capture);
	written++;
	if (captured_bytes == len_bytes && !is_taken(packet, len_bytes))
		printf("%u\n", written);
}

/* ---- packets ---- */

struct packet {
	unsigned char bytes[PACKET_MAX];
	uint32_t len_bytes;
};

static void seal(struct packet *packet)
{
	struct weft_net_piece piece = {.data = packet->bytes, .len_bytes = packet->len_bytes};

	if (packet->len_bytes < WEFT__PACKET_HEAD)
		return;
	memset(packet->bytes + 4, 0, 4);
	weft__packet_seal(packet->bytes, &piece, 1);
}

static void begin(struct packet *packet, uint64_t number)
{
	struct weft__packet_head head = {.steer = 3, .path = UINT64_C(0x123456789abcdef0), .number = number};

	memset(packet, 0, sizeof *packet);
	weft__packet_head_write(&head, packet->bytes);
	packet->len_bytes = WEFT__PACKET_HEAD;
}

/* Room for a frame of so many bytes. */
static unsigned char *more(struct packet *packet, uint32_t len_bytes)
{
	unsigned char *at = packet->bytes + packet->len_bytes;

	packet->len_bytes += weft__frame_padded(len_bytes);
	WEFT_ASSERT(packet->len_bytes <= PACKET_MAX);
	return at;
}

static void message(struct packet *packet, unsigned int stream, uint32_t number, uint64_t meta, const void *body,
		    uint32_t len_bytes)
{
	unsigned char *at = more(packet, WEFT__MESSAGE_HEAD + len_bytes);

	weft__message_write(at, WEFT_CLASS_NORMAL, stream, number, meta, len_bytes);
	memcpy(at + WEFT__MESSAGE_HEAD, body, len_bytes);
}

static void greet(struct packet *packet, struct weft__greeting *greeting)
{
	greeting->to_path = greeting->form == WEFT__FORM_KNOCK ? 0 : 0x1234;
	packet->len_bytes = weft__greeting_write(greeting, 0, packet->bytes);
}

static void make_greetings(struct packet packets[4])
{
	struct weft__hello hello = {
		.node = "left", .worker = "weft", .target = "", .spread = 7, .role = WEFT_NODE_LEAF};
	struct weft__greeting knock = {.form = WEFT__FORM_KNOCK, .from_path = 0x1234, .incarnation = 88, .steer = 1};
	struct weft__greeting cookie = {.form = WEFT__FORM_COOKIE, .has_cookie = true};
	struct weft__greeting accept = {.form = WEFT__FORM_ACCEPT, .from_path = 0x5678, .incarnation = 99, .steer = 2};
	struct weft__greeting refuse = {.form = WEFT__FORM_REFUSE, .code = WEFT_EQUOTA};

	memset(cookie.cookie, 'c', sizeof cookie.cookie);
	weft__hello_encode(&hello, &knock.hello);
	strcpy(hello.node, "right");
	weft__hello_encode(&hello, &accept.hello);
	greet(&packets[0], &knock);
	greet(&packets[1], &cookie);
	greet(&packets[2], &accept);
	greet(&packets[3], &refuse);
}

static void make_frames(struct packet *packet)
{
	const struct weft__ack ack = {.delay_ns = 25000,
				      .range_count = 3,
				      .ranges = {{90, 100}, {70, 80}, {5, 5}},
				      .has_ecn = true,
				      .ce_count = 4};
	unsigned char *at;

	begin(packet, 9);
	weft__packet_hurry(packet->bytes);
	weft__plain_write(more(packet, WEFT__FRAME_HEAD), WEFT__FRAME_PING, 0);
	message(packet, LANE, 42, weft__meta(WEFT__DATA, WEFT__ACK_NOW, LANE, 41), "hello", 5);
	at = more(packet, WEFT__LARGE_HEAD + WEFT__HEADER_BYTES);
	weft__large_write(at, WEFT_CLASS_EXPRESS, LANE, 43, weft__meta(WEFT__DATA, WEFT__HAS_HEADER, LANE, 42), 100000,
			  WEFT__HEADER_BYTES, false);
	memset(at + WEFT__LARGE_HEAD, 'h', WEFT__HEADER_BYTES);
	at = more(packet, WEFT__CHUNK_HEAD + 64);
	weft__chunk_write(at, LANE, 43, 100000, 128, 64, true);
	memset(at + WEFT__CHUNK_HEAD, 'd', 64);
	weft__grant_write(more(packet, WEFT__GRANT_BYTES), LANE, 43, 65536);
	packet->len_bytes += weft__ack_write(packet->bytes + packet->len_bytes, WEFT__ACK_MAX, &ack);
	weft__allow_write(more(packet, WEFT__ALLOW_BYTES), 3, 8192);
	weft__plain_write(more(packet, WEFT__FRAME_HEAD), WEFT__FRAME_CLOSE, WEFT_ECLOSED);
	seal(packet);
}

static void make_messages(struct packet *packet)
{
	const struct weft__lane_terms terms = {.delivery = WEFT_LATEST,
					       .priority = WEFT_PRIORITY_HIGH,
					       .max_message_bytes = 1 << 20,
					       .channel = "prices"};
	const struct weft__credit credit = {.delivered_sequence = 10,
					    .limit_sequence = 20,
					    .limit_bytes = 4096,
					    .max_message_bytes = 1 << 20};
	unsigned char body[WEFT__LANE_OPEN_MAX] = "heads and more of a request";
	const int32_t status = (int32_t)htole32((uint32_t)-WEFT_ENOENT);

	begin(packet, 10);
	message(packet, LANE, 2, weft__meta(WEFT__REQUEST, WEFT__HAS_HEADER, LANE, 1), body, WEFT__HEAD_MAX + 3);
	message(packet, PEER_LANE, 0, weft__meta(WEFT__REPLY, 0, LANE, 0), body, 12);
	memcpy(body + 8, &status, 4);
	message(packet, PEER_LANE, 1, weft__meta(WEFT__REPLY, WEFT__IS_ERROR, LANE, 0), body, 12);
	message(packet, LANE, 0, weft__meta(WEFT__LANE_OPEN, 0, LANE, 1), body,
		(uint32_t)weft__lane_terms_encode(&terms, body));
	weft__credit_encode(&credit, body);
	message(packet, PEER_LANE, 2, weft__meta(WEFT__CREDIT, WEFT__ANY_SIZE, LANE, 1), body, WEFT__CREDIT_BYTES);
	message(packet, PEER_LANE, 3, weft__meta(WEFT__LANE_WAITING, 0, LANE, 1), body, 0);
	message(packet, PEER_LANE, 4, weft__meta(WEFT__LANE_RESET, 0, LANE, 1), body, 0);
	message(packet, LANE, 3, weft__meta(WEFT__LANE_CLOSE, 0, LANE, 0), body, 0);
	for (unsigned int kind = WEFT__IDLE_ASK; kind <= WEFT__IDLE_CLOSE; kind++)
		message(packet, ALONE, kind, weft__meta((enum weft__kind)kind, 0, WEFT_CLASS_EXPRESS, 1), body, 0);
	seal(packet);
}

#define GOLDEN 6u

/* ---- what is done to them ---- */

/* Of what is far behind in a handshake some are enough, and of lengths: 5 comes to each place of 8. */
static uint32_t next(uint32_t i)
{
	return i < 88 ? i + 1 : i + 5;
}

static void alter(struct packet packet)
{
	for (uint32_t i = 0; i < packet.len_bytes; i = packet.bytes[2] & 7 ? next(i) : i + 1) {
		struct packet altered = packet;

		altered.bytes[i] ^= (unsigned char)(1u << i % 8);
		put(altered.bytes, altered.len_bytes, altered.len_bytes);
		altered.bytes[i] = (unsigned char)(packet.bytes[i] + 0x7f);
		seal(&altered);
		put(altered.bytes, altered.len_bytes, altered.len_bytes);
		altered.bytes[i] = 1;
		seal(&altered);
		put(altered.bytes, altered.len_bytes, altered.len_bytes);
	}
}

static void shorten(struct packet packet, bool on_the_wire)
{
	for (uint32_t len_bytes = on_the_wire; len_bytes < packet.len_bytes; len_bytes = next(len_bytes)) {
		struct packet cut = packet;

		put(packet.bytes, on_the_wire ? len_bytes : packet.len_bytes, len_bytes);
		if (!on_the_wire)
			continue;
		cut.len_bytes = len_bytes;
		seal(&cut);
		put(cut.bytes, len_bytes, len_bytes);
	}
}

/* Somebody's bytes, each way that they may come. */
static void put_foreign(const char *path)
{
	static const enum weft__kind kinds[] = {WEFT__LANE_OPEN, WEFT__CREDIT, WEFT__REQUEST, WEFT__REPLY};
	struct weft__greeting greeting = {.form = WEFT__FORM_ACCEPT, .from_path = 1};
	FILE *file = fopen(path, "rb");
	unsigned char bytes[PACKET_MAX];
	struct packet packet;
	uint32_t len_bytes;

	WEFT_ASSERT(file != NULL);
	len_bytes = (uint32_t)fread(bytes, 1, 1024, file);
	fclose(file);
	put(bytes, len_bytes, len_bytes);
	begin(&packet, 1);
	memcpy(more(&packet, len_bytes), bytes, len_bytes);
	seal(&packet);
	put(packet.bytes, packet.len_bytes, packet.len_bytes);
	for (unsigned int i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		begin(&packet, i);
		message(&packet, LANE, i, weft__meta(kinds[i], 0, LANE, i), bytes, len_bytes);
		seal(&packet);
		put(packet.bytes, packet.len_bytes, packet.len_bytes);
	}
	greeting.hello.len_bytes = (uint16_t)(len_bytes < WEFT_HELLO_MAX ? len_bytes : WEFT_HELLO_MAX);
	memcpy(greeting.hello.bytes, bytes, greeting.hello.len_bytes);
	greet(&packet, &greeting);
	put(packet.bytes, packet.len_bytes, packet.len_bytes);
}

int main(int argc, char **argv)
{
	struct packet golden[GOLDEN];

	if (argc < 3)
		return 2;
	capture_open(argv[2]);
	make_greetings(golden);
	make_frames(&golden[4]);
	make_messages(&golden[5]);
	for (unsigned int i = 0; i < GOLDEN && strcmp(argv[1], "foreign") != 0; i++) {
		if (strcmp(argv[1], "golden") == 0)
			put(golden[i].bytes, golden[i].len_bytes, golden[i].len_bytes);
		else if (strcmp(argv[1], "altered") == 0)
			alter(golden[i]);
		else
			shorten(golden[i], strcmp(argv[1], "cut") == 0);
	}
	for (int i = 3; i < argc; i++)
		put_foreign(argv[i]);
	return fclose(capture) == 0 ? 0 : 1;
}

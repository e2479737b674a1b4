/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The peers of the path fuzzer. They know what the port knows, so that what they say is often right but for one thing.
 */
#include "path_fuzz.h"

#include <string.h>

#define CHUNK_BYTES 1024u
#define NAMES 256u

/* A packet that is being made. */
struct saying {
	struct weft__path *path;
	_Alignas(8) unsigned char bytes[FUZZ_PACKET_MAX];
	uint32_t len_bytes;
};

/* The first number of each path that its peer has not used, by some of its name: two that share it skip some. */
static uint64_t numbers[NAMES];

void fuzz_peer_begin(void)
{
	memset(numbers, 0, sizeof numbers);
	memset(fuzz.has_cookie, 0, sizeof fuzz.has_cookie);
	fuzz.knocked_by = 0;
}

static unsigned int peer_of(const struct weft__path *path)
{
	return path->route->to.bytes[0] - (unsigned int)'a';
}

void fuzz_say_raw(struct fuzz_input *in)
{
	uint8_t what = fuzz_byte(in);
	size_t len_bytes = fuzz_byte(in), left = (size_t)(in->end - in->at);

	len_bytes = len_bytes < left ? len_bytes : left;
	if (len_bytes)
		fuzz_net_say(what & 1, what >> 1 & 1, in->at, (uint32_t)len_bytes, what >> 2 & 3);
	in->at += len_bytes;
}

/* ---- the handshake ---- */

void fuzz_greet(struct fuzz_input *in)
{
	uint8_t what = fuzz_byte(in), odd = fuzz_byte(in);
	unsigned int peer = what >> 3 & 1;
	struct weft__greeting greeting = {.form = WEFT__FORM_KNOCK + what % 4,
					  .from_path = 1 + (what >> 4 & 3),
					  .incarnation = 1 + (what >> 6),
					  .steer = 1,
					  .has_cookie = fuzz.has_cookie[peer],
					  .hello = {.len_bytes = 3, .bytes = "hi"}};
	unsigned char packet[WEFT__KNOCK_BYTES];
	uint32_t len_bytes;

	memcpy(greeting.cookie, fuzz.cookies[peer], sizeof greeting.cookie);
	if (greeting.form != WEFT__FORM_KNOCK)
		greeting.to_path = fuzz.knocked_by;
	if (greeting.form == WEFT__FORM_REFUSE)
		greeting.code = fuzz_byte(in) * 37u;
	if (odd & 1)
		greeting.cookie[fuzz_byte(in) % WEFT__COOKIE_BYTES] ^= fuzz_byte(in);
	if (odd & 2)
		greeting.hello.len_bytes = fuzz_byte(in);
	if (odd & 4)
		greeting.steer = fuzz_byte(in);
	if (odd & 8)
		greeting.has_cookie = !greeting.has_cookie;
	if (odd & 16)
		greeting.from_path = 0;
	len_bytes = weft__greeting_write(&greeting, 0, packet);
	fuzz_net_say(0, peer, packet, len_bytes, 0);
	if (!(odd & 0x80))
		fuzz_turn(0);
}

/* ---- packets of a path ---- */

static bool begin(struct saying *saying, uint8_t which)
{
	saying->path = fuzz_path_at(which % 4);
	saying->len_bytes = WEFT__PACKET_HEAD;
	return saying->path && saying->path->route;
}

static void finish(struct saying *saying, uint8_t how, uint64_t skip)
{
	uint64_t *next = &numbers[saying->path->id / WEFT__PORT_SLOTS % NAMES];
	struct weft__packet_head head = {.steer = 1,
					 .form = WEFT__FORM_PATH,
					 .path = saying->path->id,
					 .number = *next + skip};
	struct weft_net_piece piece = {.data = saying->bytes, .len_bytes = saying->len_bytes};

	weft__packet_head_write(&head, saying->bytes);
	if (how & 1)
		weft__packet_hurry(saying->bytes);
	weft__packet_seal(saying->bytes, &piece, 1);
	if (skip < 256)
		*next = head.number + 1;
	fuzz_net_say(1, peer_of(saying->path) ^ (how >> 1 & 1), saying->bytes, saying->len_bytes, how >> 2 & 3);
}

static unsigned char *room(struct saying *saying, uint32_t len_bytes)
{
	unsigned char *to = saying->bytes + saying->len_bytes;
	uint32_t padded = weft__frame_padded(len_bytes);

	if (padded > sizeof saying->bytes - saying->len_bytes)
		return NULL;
	memset(to, 0, padded);
	saying->len_bytes += padded;
	return to;
}

static uint32_t sequence(const struct saying *saying, unsigned int stream, struct fuzz_input *in)
{
	uint8_t what = fuzz_byte(in);
	uint32_t next = stream < WEFT__STREAMS ? saying->path->rx_next[stream] : 0;

	return what < 0xf0 ? next + what % 16 : next + (what - 0xf8u) * 0x20000u;
}

static uint64_t total(struct fuzz_input *in)
{
	static const uint64_t totals_bytes[] = {0, 64, 100, 5000, 70000, 300000, 3000000, WEFT__LARGE_MAX_BYTES};
	uint8_t what = fuzz_byte(in);

	return what < 0x80 ? totals_bytes[what % 8] : (UINT64_C(1) << what % 64) + fuzz_byte(in);
}

static unsigned int stream(struct fuzz_input *in)
{
	static const uint8_t streams[] = {0, 1, 128, 129, 3, 127, 130, 255};

	return streams[fuzz_byte(in) % 8];
}

static void put_message(struct saying *saying, struct fuzz_input *in)
{
	unsigned int on = stream(in);
	uint8_t what = fuzz_byte(in);
	uint32_t number = sequence(saying, on, in), len_bytes = what * 5u;
	unsigned char *to = room(saying, WEFT__MESSAGE_HEAD + len_bytes);

	if (to)
		weft__message_write(to, what & 1, on, number, number, len_bytes);
}

static void put_large(struct saying *saying, struct fuzz_input *in)
{
	unsigned int on = stream(in);
	uint8_t what = fuzz_byte(in);
	uint32_t number = sequence(saying, on, in), head_len_bytes = what >> 1 & 63;
	uint64_t total_bytes = total(in);
	unsigned char *to = room(saying, WEFT__LARGE_HEAD + head_len_bytes);

	if (to)
		weft__large_write(to, what & 1, on, number, number, total_bytes, head_len_bytes, what & 0x80);
}

static void put_chunk(struct saying *saying, struct fuzz_input *in)
{
	unsigned int on = stream(in);
	uint32_t number = sequence(saying, on, in);
	uint64_t total_bytes = total(in);
	uint8_t what = fuzz_byte(in), at = fuzz_byte(in);
	uint64_t offset_bytes = what & 1 ? total_bytes - at : (uint64_t)at << (what >> 1 & 15);
	uint32_t len_bytes = fuzz_byte(in) * (what & 0x20 ? 1u : 8u);
	unsigned char *to = room(saying, WEFT__CHUNK_HEAD + len_bytes);

	if (to)
		weft__chunk_write(to, on, number, total_bytes, offset_bytes, len_bytes, what & 0x80);
}

/* For one that the port is sending, if there is one. */
static void put_grant(struct saying *saying, struct fuzz_input *in)
{
	const struct weft_list *first = saying->path->outgoing.next;
	uint8_t what = fuzz_byte(in);
	uint64_t up_to_bytes = (uint64_t)fuzz_byte(in) << (what >> 2 & 15);
	unsigned char *to = room(saying, WEFT__GRANT_BYTES);
	const struct weft__outgoing *outgoing;

	if (!to)
		return;
	if (first == &saying->path->outgoing) {
		weft__grant_write(to, what & 3, what >> 2, up_to_bytes);
		return;
	}
	outgoing = WEFT_CONTAINER_OF(first, struct weft__outgoing, in_path);
	weft__grant_write(to, outgoing->stream, outgoing->sequence,
			  what & 1 ? up_to_bytes : outgoing->total_bytes + (what & 2));
}

static void put_ack(struct saying *saying, struct fuzz_input *in)
{
	uint8_t what = fuzz_byte(in);
	uint64_t last = saying->path->recovery.next_number - 1 + (what == 0xff);
	struct weft__ack ack = {.range_count = 1 + what % 8u,
				.delay_ns = fuzz_byte(in) * UINT64_C(100000),
				.has_ecn = what & 8,
				.ce_count = what >> 4};
	unsigned char *to = room(saying, WEFT__ACK_MAX);

	if (!to)
		return;
	saying->len_bytes -= weft__frame_padded(WEFT__ACK_MAX);
	for (unsigned int i = 0; i < ack.range_count; i++) {
		uint8_t lengths = fuzz_byte(in);

		ack.ranges[i].last = last - (lengths & 15);
		ack.ranges[i].first = i + 1 == ack.range_count && !(what & 0x80) ? 0
										 : ack.ranges[i].last - (lengths >> 4);
		last = ack.ranges[i].first - 2;
	}
	saying->len_bytes += weft__frame_padded(weft__ack_write(to, WEFT__ACK_MAX, &ack));
}

static void put_allowance(struct saying *saying, struct fuzz_input *in)
{
	uint8_t what = fuzz_byte(in);
	unsigned char *to = room(saying, WEFT__ALLOW_BYTES);

	if (to)
		weft__allow_write(to, what & 7, (uint64_t)(what >> 3) << 12);
}

static void put_plain(struct saying *saying, struct fuzz_input *in)
{
	uint8_t what = fuzz_byte(in);
	unsigned char *to = room(saying, WEFT__FRAME_HEAD);

	if (to)
		weft__plain_write(to, what < 0xf0 ? WEFT__FRAME_PING : WEFT__FRAME_CLOSE, what);
}

static void put_raw(struct saying *saying, struct fuzz_input *in)
{
	size_t len_bytes = fuzz_byte(in), left = (size_t)(in->end - in->at);
	unsigned char *to;

	len_bytes = len_bytes < left ? len_bytes : left;
	to = room(saying, (uint32_t)len_bytes);
	if (to && len_bytes)
		memcpy(to, in->at, len_bytes);
	in->at += len_bytes;
}

void fuzz_say_frames(struct fuzz_input *in)
{
	static void (*const parts[])(struct saying *, struct fuzz_input *) = {put_message, put_large,    put_chunk,
									      put_grant,   put_ack,      put_plain,
									      put_raw,     put_allowance};
	uint8_t what = fuzz_byte(in), how = fuzz_byte(in);
	unsigned int count = 1 + (what >> 2 & 7);
	uint64_t skip = how < 0xc0 ? 0 : fuzz_byte(in);
	struct saying saying;

	if (!begin(&saying, what))
		return;
	while (count--)
		parts[fuzz_byte(in) % 8](&saying, in);
	/* Some numbers are left out, some come again. */
	finish(&saying, how & 0x3f, how >= 0xe0 ? (uint64_t)0 - skip : skip);
	if (!(what & 0x80))
		fuzz_turn(0);
}

/* ---- as it should be ---- */

void fuzz_say_large(struct fuzz_input *in)
{
	uint8_t what = fuzz_byte(in), first = fuzz_byte(in);
	unsigned int on = what >> 2 & 1, count = 1 + (what >> 3 & 31);
	uint64_t total_bytes = total(in);
	uint32_t number;
	struct saying saying;

	if (!begin(&saying, what))
		return;
	number = saying.path->rx_next[on];
	for (uint64_t i = first; i < first + count && i * CHUNK_BYTES < total_bytes; i++) {
		uint64_t offset_bytes = i * CHUNK_BYTES, left = total_bytes - offset_bytes;
		uint32_t len_bytes = left < CHUNK_BYTES ? (uint32_t)left : CHUNK_BYTES;

		saying.len_bytes = WEFT__PACKET_HEAD;
		if (i == first)
			weft__large_write(room(&saying, WEFT__LARGE_HEAD), 1, on, number, number, total_bytes, 0,
					  what & 0x80);
		weft__chunk_write(room(&saying, WEFT__CHUNK_HEAD + len_bytes), on, number, total_bytes, offset_bytes,
				  len_bytes, false);
		finish(&saying, 0, 0);
	}
	fuzz_turn(0);
}

void fuzz_say_ack(struct fuzz_input *in)
{
	struct weft__ack ack = {.range_count = 1};
	struct saying saying;

	if (!begin(&saying, fuzz_byte(in)) || !saying.path->recovery.next_number)
		return;
	ack.ranges[0].last = saying.path->recovery.next_number - 1;
	(void)weft__ack_write(room(&saying, WEFT__ACK_MIN), WEFT__ACK_MIN, &ack);
	finish(&saying, 0, 0);
	fuzz_turn(0);
}

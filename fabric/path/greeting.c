/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packets of the handshake to bytes and back:
 *
 *  24  to_path 8, from_path 8
 *  40  incarnation 8
 *  48  steer 2, hello_len 2, code 4
 *  56  cookie 16, all 0: none
 *  72  hello
 */
#include "path/device.h"

#include <endian.h>
#include <string.h>
#include <weft/errors.h>

#define HELLO_AT 72u

struct bytes {
	uint64_t to_path, from_path;
	uint64_t incarnation;
	uint16_t steer, hello_len;
	uint32_t code;
	unsigned char cookie[WEFT__COOKIE_BYTES];
};
_Static_assert(sizeof(struct bytes) == HELLO_AT - WEFT__PACKET_HEAD, "as it stands above, without holes");
_Static_assert(HELLO_AT + WEFT_HELLO_MAX <= WEFT__KNOCK_BYTES, "the longest fits");

uint32_t weft__greeting_write(const struct weft__greeting *greeting, uint16_t steer, unsigned char *to)
{
	struct weft__packet_head head = {.steer = steer, .form = greeting->form};
	uint32_t len_bytes = greeting->form == WEFT__FORM_KNOCK ? WEFT__KNOCK_BYTES
								: HELLO_AT + greeting->hello.len_bytes;
	struct bytes bytes = {
		.to_path = htole64(greeting->to_path),
		.from_path = htole64(greeting->from_path),
		.incarnation = htole64(greeting->incarnation),
		.steer = htole16(greeting->steer),
		.hello_len = htole16(greeting->hello.len_bytes),
		.code = htole32(greeting->code),
	};
	struct weft_net_piece piece = {.data = to, .len_bytes = len_bytes};

	if (greeting->has_cookie)
		memcpy(bytes.cookie, greeting->cookie, sizeof bytes.cookie);
	memset(to, 0, len_bytes);
	weft__packet_head_write(&head, to);
	memcpy(to + WEFT__PACKET_HEAD, &bytes, sizeof bytes);
	memcpy(to + HELLO_AT, greeting->hello.bytes, greeting->hello.len_bytes);
	weft__packet_seal(to, &piece, 1);
	return len_bytes;
}

int weft__greeting_read(const unsigned char *packet, size_t len_bytes, struct weft__greeting *greeting)
{
	static const unsigned char no_cookie[WEFT__COOKIE_BYTES];
	struct weft__packet_head head;
	struct bytes bytes;
	int rc = weft__packet_head_read(packet, len_bytes, &head);

	if (rc < 0)
		return rc;
	if (head.form == WEFT__FORM_PATH || len_bytes < HELLO_AT || !weft__packet_intact(packet, len_bytes) ||
	    (head.form == WEFT__FORM_KNOCK && len_bytes != WEFT__KNOCK_BYTES))
		return -WEFT_EPROTO;
	memcpy(&bytes, packet + WEFT__PACKET_HEAD, sizeof bytes);
	*greeting = (struct weft__greeting){
		.form = head.form,
		.to_path = le64toh(bytes.to_path),
		.from_path = le64toh(bytes.from_path),
		.incarnation = le64toh(bytes.incarnation),
		.steer = le16toh(bytes.steer),
		.code = le32toh(bytes.code),
		.has_cookie = memcmp(bytes.cookie, no_cookie, sizeof no_cookie) != 0,
	};
	memcpy(greeting->cookie, bytes.cookie, sizeof greeting->cookie);
	greeting->hello.len_bytes = le16toh(bytes.hello_len);
	if (greeting->hello.len_bytes > WEFT_HELLO_MAX || greeting->hello.len_bytes > len_bytes - HELLO_AT)
		return -WEFT_EPROTO;
	memcpy(greeting->hello.bytes, packet + HELLO_AT, greeting->hello.len_bytes);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hello, lane terms and credit, to bytes and back.
 */
#include "wire/control.h"

#include <endian.h>
#include <string.h>
#include <weft/errors.h>

/* A bounded reader: after the first overrun everything reads as zero and ok stays false. */
struct reader {
	const unsigned char *at, *end;
	bool ok;
};

static void read_bytes(struct reader *reader, void *out, size_t len_bytes)
{
	if (!reader->ok || (size_t)(reader->end - reader->at) < len_bytes) {
		reader->ok = false;
		memset(out, 0, len_bytes);
		return;
	}
	memcpy(out, reader->at, len_bytes);
	reader->at += len_bytes;
}

static uint8_t read_u8(struct reader *reader)
{
	uint8_t value;

	read_bytes(reader, &value, sizeof value);
	return value;
}

static uint32_t read_u32(struct reader *reader)
{
	uint32_t value;

	read_bytes(reader, &value, sizeof value);
	return le32toh(value);
}

static uint64_t read_u64(struct reader *reader)
{
	uint64_t value;

	read_bytes(reader, &value, sizeof value);
	return le64toh(value);
}

/* A length byte and that many of a name's characters; empty only where that means something. */
static void read_name(struct reader *reader, char out[WEFT_NAME_MAX + 1], bool may_be_empty)
{
	uint8_t len_bytes = read_u8(reader);

	if (len_bytes > WEFT_NAME_MAX)
		reader->ok = false;
	else
		read_bytes(reader, out, len_bytes);
	out[reader->ok ? len_bytes : 0] = 0;
	if (reader->ok && !(len_bytes == 0 && may_be_empty) && (strlen(out) != len_bytes || !weft__name_valid(out)))
		reader->ok = false;
}

/* Callers size their buffers by the limits of control.h. */
static unsigned char *put_bytes(unsigned char *at, const void *bytes, size_t len_bytes)
{
	memcpy(at, bytes, len_bytes);
	return at + len_bytes;
}

static unsigned char *put_u32(unsigned char *at, uint32_t value)
{
	value = htole32(value);
	return put_bytes(at, &value, sizeof value);
}

static unsigned char *put_u64(unsigned char *at, uint64_t value)
{
	value = htole64(value);
	return put_bytes(at, &value, sizeof value);
}

static unsigned char *put_name(unsigned char *at, const char *name)
{
	size_t len_bytes = strlen(name);

	*at++ = (unsigned char)len_bytes;
	return put_bytes(at, name, len_bytes);
}

bool weft__name_valid(const char *text)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len_bytes = strnlen(text, WEFT_NAME_MAX + 1);

	return len_bytes >= 1 && len_bytes <= WEFT_NAME_MAX && text[0] != '.' && strspn(text, allowed) == len_bytes;
}

_Static_assert(9 + 3 * (WEFT_NAME_MAX + 1) <= WEFT_HELLO_MAX, "a hello fits");

void weft__hello_encode(const struct weft__hello *hello, struct weft_hello *out)
{
	unsigned char *at = out->bytes;

	at = put_u32(at, WEFT__PROTOCOL_VERSION);
	at = put_u32(at, hello->spread);
	*at++ = hello->role;
	at = put_name(at, hello->node);
	at = put_name(at, hello->worker);
	at = put_name(at, hello->target);
	out->len_bytes = (uint16_t)(at - out->bytes);
}

int weft__hello_decode(const struct weft_hello *bytes, struct weft__hello *out)
{
	/* too long is as bad as nothing */
	size_t len_bytes = bytes->len_bytes <= WEFT_HELLO_MAX ? bytes->len_bytes : 0;
	struct reader reader = {bytes->bytes, bytes->bytes + len_bytes, len_bytes > 0};
	uint32_t version = read_u32(&reader);
	struct weft__hello hello;

	if (reader.ok && version != WEFT__PROTOCOL_VERSION)
		return weft_set_error(WEFT_EVERSION, "the peer speaks protocol version %u, this is version %u", version,
				      WEFT__PROTOCOL_VERSION);
	hello.spread = read_u32(&reader);
	hello.role = read_u8(&reader);
	read_name(&reader, hello.node, false);
	read_name(&reader, hello.worker, true);
	read_name(&reader, hello.target, true);
	if (!reader.ok || reader.at != reader.end || !hello.role || hello.role > (WEFT_NODE_LEAF | WEFT_NODE_MEMBER))
		return weft_set_error(WEFT_EPROTO, "malformed hello of %u bytes", bytes->len_bytes);
	*out = hello;
	return 0;
}

size_t weft__lane_terms_encode(const struct weft__lane_terms *terms, unsigned char out[WEFT__LANE_OPEN_MAX])
{
	unsigned char *at = out;

	*at++ = terms->delivery;
	*at++ = terms->priority;
	at = put_u64(at, terms->max_message_bytes);
	at = put_name(at, terms->channel);
	return (size_t)(at - out);
}

int weft__lane_terms_decode(const void *bytes, size_t len_bytes, struct weft__lane_terms *out)
{
	struct reader reader = {bytes, (const unsigned char *)bytes + len_bytes, len_bytes <= WEFT__LANE_OPEN_MAX};
	struct weft__lane_terms terms;

	terms.delivery = read_u8(&reader);
	terms.priority = read_u8(&reader);
	terms.max_message_bytes = read_u64(&reader);
	read_name(&reader, terms.channel, false);
	if (!reader.ok || reader.at != reader.end || terms.delivery > 2 || terms.priority > 3)
		return -WEFT_EPROTO;
	*out = terms;
	return 0;
}

void weft__credit_encode(const struct weft__credit *credit, unsigned char out[WEFT__CREDIT_BYTES])
{
	unsigned char *at = put_u32(out, credit->delivered_sequence);

	at = put_u32(at, credit->limit_sequence);
	at = put_u64(at, credit->limit_bytes);
	put_u64(at, credit->max_message_bytes);
}

int weft__credit_decode(const void *bytes, size_t len_bytes, struct weft__credit *out)
{
	struct reader reader = {bytes, (const unsigned char *)bytes + len_bytes, len_bytes == WEFT__CREDIT_BYTES};
	struct weft__credit credit;

	credit.delivered_sequence = read_u32(&reader);
	credit.limit_sequence = read_u32(&reader);
	credit.limit_bytes = read_u64(&reader);
	credit.max_message_bytes = read_u64(&reader);
	if (!reader.ok)
		return -WEFT_EPROTO;
	*out = credit;
	return 0;
}

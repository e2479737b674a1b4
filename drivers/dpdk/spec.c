/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading which device it shall be.
 */
#include "dpdk/spec.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>

#define HEAD_MAX 128u

static int refuse(const char *text, const char *why)
{
	return weft_set_error(WEFT_EINVAL,
			      "WEFT_DPDK_DEVICE \"%.120s\": %s; write DEVICE, or HOST=DEVICE;HOST=DEVICE, such as "
			      "net_memif0,role=client,socket=/run/x.sock or 10.0.0.1/24@10.0.0.254=0000:3b:00.0",
			      text, why);
}

/* "10.0.0.1", "fd00::1" or "[fd00::1]". */
static bool read_host(const char *text, struct frame_host *out)
{
	char copy[INET6_ADDRSTRLEN + 1];
	size_t len = strlen(text);

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= sizeof copy)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	memset(out, 0, sizeof *out);
	out->version = strchr(copy, ':') ? 6 : 4;
	return inet_pton(out->version == 4 ? AF_INET : AF_INET6, copy, out->bytes) == 1;
}

static bool read_bits(const char *text, unsigned int max, unsigned int *out)
{
	size_t len = strspn(text, "0123456789");

	if (len == 0 || len > 3 || text[len])
		return false;
	*out = (unsigned int)strtoul(text, NULL, 10);
	return *out > 0 && *out <= max;
}

/* What stands before "=": whose device it is. NULL, or what is wrong. */
static const char *read_head(char *head, struct frame_host *host, struct dpdk_spec *out)
{
	char *gateway = strchr(head, '@'), *bits;

	if (gateway)
		*gateway++ = '\0';
	bits = strchr(head, '/');
	if (bits)
		*bits++ = '\0';
	if (!read_host(head, host))
		return "what stands before = is no address of a host";
	if (gateway && !bits)
		return "a gateway needs /BITS before it: whom it is not needed for";
	if (bits && !read_bits(bits, host->version == 4 ? 32 : 128, &out->bits))
		return "/BITS is no number from 1 to 32, or 128 for IPv6";
	if (gateway && (!read_host(gateway, &out->gateway) || out->gateway.version != host->version))
		return "the gateway is no address of the same IP";
	return NULL;
}

/* One entry; host has version 0 if it is for any. */
static const char *read_entry(const char *entry, size_t len, struct frame_host *host, struct dpdk_spec *out)
{
	const char *equals = memchr(entry, '=', len), *comma = memchr(entry, ',', len);
	char head[HEAD_MAX];
	const char *why;

	memset(host, 0, sizeof *host);
	memset(out, 0, sizeof *out);
	/* One that comes after a comma is DPDK's. */
	if (equals && (!comma || equals < comma)) {
		size_t head_len = (size_t)(equals - entry);

		if (head_len >= sizeof head)
			return "what stands before = is too long";
		memcpy(head, entry, head_len);
		head[head_len] = '\0';
		why = read_head(head, host, out);
		if (why)
			return why;
		len -= head_len + 1;
		entry = equals + 1;
	}
	if (!len)
		return "there is no device";
	if (len >= sizeof out->device)
		return "a device is too long";
	memcpy(out->device, entry, len);
	return NULL;
}

int weft__dpdk_spec_read(const char *text, const struct frame_host *own, struct dpdk_spec *out)
{
	struct dpdk_spec for_any = {.device = ""};
	bool found = false;

	for (const char *at = text; at;) {
		const char *end = strchrnul(at, ';'), *why;
		struct frame_host host;
		struct dpdk_spec spec;

		why = read_entry(at, (size_t)(end - at), &host, &spec);
		if (!why && host.version == 0 && for_any.device[0])
			why = "it names more than one device for any host";
		if (why)
			return refuse(text, why);
		if (host.version == 0)
			for_any = spec;
		if (!found && memcmp(&host, own, sizeof host) == 0) {
			*out = spec;
			found = true;
		}
		at = *end ? end + 1 : NULL;
	}
	if (!found && !for_any.device[0])
		return weft_set_error(WEFT_ENODEV, "WEFT_DPDK_DEVICE \"%.120s\" has no device for this address", text);
	if (!found)
		*out = for_any;
	return 0;
}

/* ---- where it leads ---- */

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned int bits)
{
	unsigned int whole = bits / 8, rest = bits % 8;

	return memcmp(a, b, whole) == 0 && (!rest || (a[whole] ^ b[whole]) >> (8 - rest) == 0);
}

const struct frame_host *weft__dpdk_spec_next(const struct dpdk_spec *spec, const struct frame_host *own,
					      const struct frame_host *to)
{
	if (!spec->bits || same_bits(own->bytes, to->bytes, spec->bits))
		return to;
	return spec->gateway.version ? &spec->gateway : NULL;
}

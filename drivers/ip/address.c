/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of IP and a port of UDP: "10.0.0.1:7000", "[fe80::1%eth0]:7000", or ":7000" for any address of this machine, IPv4 and IPv6.
 * Names of hosts are not looked up here.
 *
 * As bytes: the kind; the port, in network order; 4 or 16 bytes of the host; and for IPv6 the number of the interface
 * where the address is one of a link, else 0.
 */
#include "ip/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>

enum kind { KIND_ANY = 1, KIND_V4 = 4, KIND_V6 = 6 };

#define PORT_AT 1
#define HOST_AT 3
#define SCOPE_AT 19
#define LEN_ANY 3
#define LEN_V4 7
#define LEN_V6 23

/* Where an address of IPv4 in the guise of IPv6 begins. */
static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

static enum kind kind_of(const struct weft_net_address *address)
{
	return (enum kind)address->bytes[0];
}

/* Also of what a peer says: IPv4 in the guise of IPv6 is not how it is written here. */
static bool is_valid(const struct weft_net_address *address)
{
	switch (address->bytes[0]) {
	case KIND_ANY:
		return address->len_bytes == LEN_ANY;
	case KIND_V4:
		return address->len_bytes == LEN_V4;
	case KIND_V6:
		return address->len_bytes == LEN_V6 && memcmp(address->bytes + HOST_AT, mapped, sizeof mapped) != 0;
	default:
		return false;
	}
}

static void make(struct weft_net_address *out, enum kind kind, uint8_t len_bytes, const void *host, size_t host_bytes)
{
	memset(out, 0, sizeof *out);
	out->len_bytes = len_bytes;
	out->bytes[0] = (uint8_t)kind;
	memcpy(out->bytes + HOST_AT, host, host_bytes);
}

uint16_t weft__ip_address_port(const struct weft_net_address *address)
{
	return (uint16_t)(address->bytes[PORT_AT] << 8 | address->bytes[PORT_AT + 1]);
}

void weft__ip_address_set_port(struct weft_net_address *address, uint16_t port)
{
	address->bytes[PORT_AT] = (uint8_t)(port >> 8);
	address->bytes[PORT_AT + 1] = (uint8_t)port;
}

/* ---- between ours and the kernel's ---- */

static void from_v6(const struct in6_addr *host, uint32_t scope, struct weft_net_address *out)
{
	if (IN6_IS_ADDR_V4MAPPED(host)) {
		make(out, KIND_V4, LEN_V4, host->s6_addr + 12, 4);
		return;
	}
	make(out, KIND_V6, LEN_V6, host, sizeof *host);
	if (IN6_IS_ADDR_LINKLOCAL(host))
		memcpy(out->bytes + SCOPE_AT, &scope, sizeof scope);
}

bool weft__ip_address_from(const union ip_sockaddr *from, struct weft_net_address *out)
{
	if (from->any.sa_family == AF_INET) {
		make(out, KIND_V4, LEN_V4, &from->v4.sin_addr, 4);
		weft__ip_address_set_port(out, ntohs(from->v4.sin_port));
		return true;
	}
	if (from->any.sa_family == AF_INET6) {
		from_v6(&from->v6.sin6_addr, from->v6.sin6_scope_id, out);
		weft__ip_address_set_port(out, ntohs(from->v6.sin6_port));
		return true;
	}
	return false;
}

socklen_t weft__ip_address_to(const struct weft_net_address *address, union ip_sockaddr *out)
{
	if (!is_valid(address))
		return 0;
	memset(out, 0, sizeof *out);
	if (kind_of(address) == KIND_V4) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons(weft__ip_address_port(address));
		memcpy(&out->v4.sin_addr, address->bytes + HOST_AT, sizeof out->v4.sin_addr);
		return sizeof out->v4;
	}
	out->v6.sin6_family = AF_INET6;
	out->v6.sin6_port = htons(weft__ip_address_port(address));
	memcpy(&out->v6.sin6_addr, address->bytes + HOST_AT, sizeof out->v6.sin6_addr);
	memcpy(&out->v6.sin6_scope_id, address->bytes + SCOPE_AT, sizeof out->v6.sin6_scope_id);
	return sizeof out->v6;
}

/* ---- between ours and IP's ---- */

uint8_t weft__ip_address_split(const struct weft_net_address *address, uint8_t host[16])
{
	memset(host, 0, 16);
	if (!is_valid(address) || kind_of(address) == KIND_ANY)
		return 0;
	memcpy(host, address->bytes + HOST_AT, kind_of(address) == KIND_V4 ? 4 : 16);
	return kind_of(address) == KIND_V4 ? 4 : 6;
}

void weft__ip_address_join(uint8_t version, const uint8_t *host, uint16_t port, struct weft_net_address *out)
{
	if (version == 4)
		make(out, KIND_V4, LEN_V4, host, 4);
	else
		make(out, KIND_V6, LEN_V6, host, 16);
	weft__ip_address_set_port(out, port);
}

/* ---- kinds ---- */

bool weft__ip_address_is_any(const struct weft_net_address *address)
{
	return kind_of(address) == KIND_ANY;
}

bool weft__ip_address_is_loopback(const struct weft_net_address *address)
{
	if (!is_valid(address))
		return false;
	if (kind_of(address) == KIND_V4)
		return address->bytes[HOST_AT] == 127;
	return kind_of(address) == KIND_V6 && memcmp(address->bytes + HOST_AT, &in6addr_loopback, 16) == 0;
}

void weft__ip_address_host(const struct weft_net_address *address, struct weft_net_address *out)
{
	*out = *address;
	if (weft__ip_address_is_loopback(address))
		make(out, KIND_V6, LEN_V6, &in6addr_loopback, sizeof in6addr_loopback);
	weft__ip_address_set_port(out, 0);
}

bool weft__ip_address_is_wildcard(const struct weft_net_address *address)
{
	static const uint8_t unspecified[16];
	size_t host_bytes = kind_of(address) == KIND_V4 ? 4 : 16;

	return kind_of(address) == KIND_ANY || memcmp(address->bytes + HOST_AT, unspecified, host_bytes) == 0;
}

bool weft__ip_address_is_host(const struct weft_net_address *address)
{
	return is_valid(address) && weft__ip_address_port(address) != 0 && !weft__ip_address_is_wildcard(address);
}

/* ---- texts ---- */

static int refuse(const char *text, const char *why)
{
	return weft_set_error(WEFT_EINVAL,
			      "\"%.80s\" is no address of IP: %s; write 10.0.0.1:7000, [fd00::1]:7000, or :7000 for "
			      "any address of this machine",
			      text, why);
}

static bool read_number(const char *text, size_t digits_max, uint32_t max, uint32_t *out)
{
	size_t len = strspn(text, "0123456789");
	unsigned long long value;

	if (len == 0 || len > digits_max || text[len])
		return false;
	value = strtoull(text, NULL, 10);
	if (value > max)
		return false;
	*out = (uint32_t)value;
	return true;
}

/* The interface by name or number. */
static bool read_scope(const char *text, uint32_t *out)
{
	if (!read_number(text, 10, UINT32_MAX, out))
		*out = if_nametoindex(text);
	return *out != 0;
}

static const char *read_v6(char *host, struct weft_net_address *out)
{
	char *scope_text = strchr(host, '%');
	struct in6_addr bytes;
	uint32_t scope = 0;

	if (scope_text)
		*scope_text++ = '\0';
	if (inet_pton(AF_INET6, host, &bytes) != 1)
		return "what is in brackets is no address of IPv6";
	if (IN6_IS_ADDR_LINKLOCAL(&bytes) && !scope_text)
		return "an address of a link needs its interface, as in [fe80::1%eth0]:7000";
	if (scope_text && !IN6_IS_ADDR_LINKLOCAL(&bytes))
		return "only an address of a link (fe80::) has an interface";
	if (scope_text && !read_scope(scope_text, &scope))
		return "there is no interface of this name";
	from_v6(&bytes, scope, out);
	return NULL;
}

static const char *read_host(char *host, struct weft_net_address *out)
{
	size_t len = strlen(host);
	struct in_addr bytes;

	if (len == 0) {
		make(out, KIND_ANY, LEN_ANY, "", 0);
		return NULL;
	}
	if (host[0] == '[') {
		if (host[len - 1] != ']')
			return "a bracket is not closed before the port";
		host[len - 1] = '\0';
		return read_v6(host + 1, out);
	}
	if (inet_pton(AF_INET, host, &bytes) != 1)
		return "the host is neither an address of IPv4 nor one of IPv6 in brackets (names are not looked up)";
	make(out, KIND_V4, LEN_V4, &bytes, sizeof bytes);
	return NULL;
}

int weft__ip_address_read(const char *text, struct weft_net_address *out)
{
	struct weft_net_address read;
	char copy[WEFT_NET_TEXT_MAX];
	uint32_t port;
	const char *why;
	char *colon;

	if (strnlen(text, sizeof copy) == sizeof copy)
		return refuse(text, "it is too long");
	strcpy(copy, text);
	colon = strrchr(copy, ':');
	if (!colon || !read_number(colon + 1, 5, UINT16_MAX, &port))
		return refuse(text, "it does not end in a port from 0 to 65535");
	*colon = '\0';
	why = read_host(copy, &read);
	if (why)
		return refuse(text, why);
	weft__ip_address_set_port(&read, (uint16_t)port);
	*out = read;
	return 0;
}

void weft__ip_address_write(const struct weft_net_address *address, char *text)
{
	unsigned int port = weft__ip_address_port(address);
	char host[INET6_ADDRSTRLEN] = "";
	uint32_t scope;

	if (!is_valid(address)) {
		strcpy(text, "?");
		return;
	}
	memcpy(&scope, address->bytes + SCOPE_AT, sizeof scope);
	if (kind_of(address) != KIND_ANY)
		inet_ntop(kind_of(address) == KIND_V4 ? AF_INET : AF_INET6, address->bytes + HOST_AT, host,
			  sizeof host);
	if (kind_of(address) != KIND_V6)
		snprintf(text, WEFT_NET_TEXT_MAX, "%s:%u", host, port);
	else if (scope)
		snprintf(text, WEFT_NET_TEXT_MAX, "[%s%%%u]:%u", host, scope, port);
	else
		snprintf(text, WEFT_NET_TEXT_MAX, "[%s]:%u", host, port);
}

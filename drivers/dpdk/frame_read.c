/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading frames that anybody may have sent. Each header is read only when its length is known to be there, and says of
 * the rest no more than there is.
 */
#include "dpdk/frame.h"

#include <string.h>

struct reader {
	const uint8_t *bytes; /* of the frame */
	const struct frame_end *own;
	struct frame *out;
	unsigned int checked;
};

static void set_host(struct frame_host *host, uint8_t version, const uint8_t *bytes)
{
	memset(host, 0, sizeof *host);
	host->version = version;
	memcpy(host->bytes, bytes, version == 4 ? 4 : 16);
}

static bool is_own(const struct reader *reader, uint8_t version, const uint8_t *host)
{
	return reader->own->host.version == version &&
	       memcmp(reader->own->host.bytes, host, version == 4 ? 4 : 16) == 0;
}

/* Nobody is at no address, nor at that of a group: what says so is not to be answered. */
static bool is_one_host(uint8_t version, const uint8_t *host)
{
	static const uint8_t none[16];

	if (version == 4)
		return host[0] != 0 && host[0] < 224;
	return memcmp(host, none, sizeof none) != 0 && host[0] != 0xff;
}

static bool is_one_mac(const uint8_t *mac)
{
	static const uint8_t none[FRAME_MAC_BYTES];

	return !(mac[0] & 1) && memcmp(mac, none, sizeof none) != 0;
}

/* ---- ARP ---- */

static void read_arp(const struct reader *reader, const uint8_t *arp, uint32_t len_bytes)
{
	static const uint8_t ether_v4[ARP_OPERATION] = {0, 1, 8, 0, 6, 4};
	struct frame *out = reader->out;
	uint16_t operation;

	if (len_bytes < ARP_BYTES || memcmp(arp, ether_v4, sizeof ether_v4) != 0)
		return;
	operation = weft__get16(arp + ARP_OPERATION);
	if ((operation != ARP_ASK && operation != ARP_TELL) || !is_one_mac(arp + ARP_FROM_MAC) ||
	    !is_one_host(4, arp + ARP_FROM) || is_own(reader, 4, arp + ARP_FROM))
		return;
	set_host(&out->from.host, 4, arp + ARP_FROM);
	memcpy(out->from.mac, arp + ARP_FROM_MAC, FRAME_MAC_BYTES);
	if (operation == ARP_ASK && is_own(reader, 4, arp + ARP_TO))
		out->kind = FRAME_QUESTION;
	/* What is told to us, or what somebody says of himself to all. */
	else if (is_own(reader, 4, arp + ARP_TO) || memcmp(arp + ARP_FROM, arp + ARP_TO, 4) == 0)
		out->kind = FRAME_ANSWER;
}

/* ---- neighbour discovery ---- */

/* The hardware address among the options; NULL if there is none, or they are broken. */
static const uint8_t *find_mac(const uint8_t *option, uint32_t len_bytes, uint8_t kind)
{
	const uint8_t *mac = NULL;

	while (len_bytes >= 8) {
		uint32_t option_bytes = option[1] * 8u;

		if (!option_bytes || option_bytes > len_bytes)
			return NULL;
		if (option[0] == kind && option_bytes == 8)
			mac = option + 2;
		option += option_bytes;
		len_bytes -= option_bytes;
	}
	return len_bytes ? NULL : mac;
}

static void read_icmp6(const struct reader *reader, const uint8_t *ip, const uint8_t *icmp, uint32_t len_bytes)
{
	struct frame *out = reader->out;
	const uint8_t *who = icmp + ND_TARGET, *mac;
	bool asks;

	if (len_bytes < ND_OPTION || ip[V6_HOPS] != ND_HOPS || icmp[ND_TYPE + 1] != 0 ||
	    (icmp[ND_TYPE] != ND_QUESTION && icmp[ND_TYPE] != ND_ANSWER))
		return;
	if (weft__frame_sum_end(
		    weft__frame_sum(icmp, len_bytes, weft__frame_sum_pseudo(ip, 6, PROTOCOL_ICMP6, len_bytes))) != 0)
		return;
	asks = icmp[ND_TYPE] == ND_QUESTION;
	mac = find_mac(icmp + ND_OPTION, len_bytes - ND_OPTION, asks ? OPTION_FROM_MAC : OPTION_MAC);
	/* He who looks whether an address is free has none; his own is not ours as long as we have it. */
	if (!mac || !is_one_mac(mac) || !is_one_host(6, ip + V6_FROM) || is_own(reader, 6, ip + V6_FROM))
		return;
	if (asks ? !is_own(reader, 6, who) : !is_one_host(6, who) || is_own(reader, 6, who))
		return;
	set_host(&out->from.host, 6, asks ? ip + V6_FROM : who);
	memcpy(out->from.mac, mac, FRAME_MAC_BYTES);
	out->kind = asks ? FRAME_QUESTION : FRAME_ANSWER;
}

/* ---- UDP ---- */

static void read_udp(const struct reader *reader, const uint8_t *ip, uint8_t version, const uint8_t *udp,
		     uint32_t len_bytes)
{
	struct frame *out = reader->out;
	uint32_t udp_bytes;

	if (len_bytes < UDP_BYTES) {
		out->kind = FRAME_BAD;
		return;
	}
	if (weft__get16(udp + UDP_TO) != reader->own->port)
		return;
	udp_bytes = weft__get16(udp + UDP_LENGTH);
	out->kind = FRAME_BAD;
	/* Without a sum nothing tells what was altered: our own have one. */
	if (udp_bytes < UDP_BYTES || udp_bytes > len_bytes || weft__get16(udp + UDP_SUM) == 0 ||
	    weft__get16(udp + UDP_FROM) == 0)
		return;
	if (!(reader->checked & FRAME_CHECKED_UDP) &&
	    weft__frame_sum_end(
		    weft__frame_sum(udp, udp_bytes, weft__frame_sum_pseudo(ip, version, PROTOCOL_UDP, udp_bytes))) != 0)
		return;
	set_host(&out->from.host, version, ip + (version == 4 ? V4_FROM : V6_FROM));
	out->from.port = weft__get16(udp + UDP_FROM);
	out->payload_at = (uint32_t)(udp - reader->bytes) + UDP_BYTES;
	out->payload_bytes = udp_bytes - UDP_BYTES;
	out->kind = FRAME_UDP;
}

/* ---- IP ---- */

static void read_v4(const struct reader *reader, const uint8_t *ip, uint32_t len_bytes)
{
	struct frame *out = reader->out;
	uint32_t head_bytes, ip_bytes;

	if (len_bytes < V4_BYTES || !is_own(reader, 4, ip + V4_TO) || ip[V4_PROTOCOL] != PROTOCOL_UDP)
		return;
	head_bytes = (ip[0] & 15u) * 4;
	ip_bytes = weft__get16(ip + V4_LENGTH);
	out->kind = FRAME_BAD;
	if (ip[0] >> 4 != 4 || head_bytes < V4_BYTES || ip_bytes < head_bytes || ip_bytes > len_bytes ||
	    !is_one_host(4, ip + V4_FROM))
		return;
	if (!(reader->checked & FRAME_CHECKED_IP) && weft__frame_sum_end(weft__frame_sum(ip, head_bytes, 0)) != 0)
		return;
	/* Fragments are not put together: nobody here sends any. */
	if (weft__get16(ip + V4_FRAGMENT) & 0x3fff)
		return;
	out->kind = FRAME_FOREIGN;
	out->ecn = ip[V4_TOS] & 3;
	read_udp(reader, ip, 4, ip + head_bytes, ip_bytes - head_bytes);
}

/* Extension headers are foreign: nobody here sends any. */
static void read_v6(const struct reader *reader, const uint8_t *ip, uint32_t len_bytes)
{
	struct frame *out = reader->out;
	uint32_t payload_bytes;

	if (len_bytes < V6_BYTES || ip[0] >> 4 != 6)
		return;
	payload_bytes = weft__get16(ip + V6_LENGTH);
	if (payload_bytes > len_bytes - V6_BYTES) {
		out->kind = is_own(reader, 6, ip + V6_TO) ? FRAME_BAD : FRAME_FOREIGN;
		return;
	}
	if (ip[V6_NEXT] == PROTOCOL_ICMP6) {
		read_icmp6(reader, ip, ip + V6_BYTES, payload_bytes);
		return;
	}
	if (ip[V6_NEXT] != PROTOCOL_UDP || !is_own(reader, 6, ip + V6_TO))
		return;
	if (!is_one_host(6, ip + V6_FROM)) {
		out->kind = FRAME_BAD;
		return;
	}
	out->ecn = (ip[1] >> 4) & 3;
	read_udp(reader, ip, 6, ip + V6_BYTES, payload_bytes);
}

void weft__frame_read(const uint8_t *bytes, uint32_t len_bytes, const struct frame_end *own, unsigned int checked,
		      struct frame *out)
{
	struct reader reader = {bytes, own, out, checked};
	const uint8_t *rest = bytes + FRAME_ETHER_BYTES;

	memset(out, 0, sizeof *out);
	if (len_bytes < FRAME_ETHER_BYTES)
		return;
	/* A switch that has forgotten us sends us what is for others, too. */
	out->unicast = memcmp(bytes + ETHER_TO, own->mac, FRAME_MAC_BYTES) == 0;
	if (!out->unicast && !(bytes[ETHER_TO] & 1))
		return;
	memcpy(out->from.mac, bytes + ETHER_FROM, FRAME_MAC_BYTES);
	len_bytes -= FRAME_ETHER_BYTES;
	switch (weft__get16(bytes + ETHER_TYPE)) {
	case TYPE_V4:
		read_v4(&reader, rest, len_bytes);
		break;
	case TYPE_V6:
		if (own->host.version == 6)
			read_v6(&reader, rest, len_bytes);
		break;
	case TYPE_ARP: /* also what somebody says of himself to all: there is nobody of the other IP here */
		if (own->host.version == 4)
			read_arp(&reader, rest, len_bytes);
		break;
	case TYPE_FAREWELL:
		if (len_bytes >= FAREWELL_BYTES && memcmp(rest, FAREWELL_TEXT, FAREWELL_BYTES) == 0)
			out->kind = FRAME_FAREWELL;
		break;
	default:
		break;
	}
}

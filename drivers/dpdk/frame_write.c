/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing frames, as switches, other hosts and tcpdump expect them.
 */
#include "dpdk/frame.h"

#include <string.h>

#define TTL 64u
#define DO_NOT_FRAGMENT 0x4000u

static uint8_t *put_ether(uint8_t *bytes, const uint8_t *to, const uint8_t *from, uint32_t type)
{
	memcpy(bytes + ETHER_TO, to, FRAME_MAC_BYTES);
	memcpy(bytes + ETHER_FROM, from, FRAME_MAC_BYTES);
	weft__put16(bytes + ETHER_TYPE, type);
	return bytes + FRAME_ETHER_BYTES;
}

static void store_sum(uint8_t *at, uint16_t sum)
{
	memcpy(at, &sum, sizeof sum);
}

/* ---- UDP ---- */

static uint8_t *put_v4(uint8_t *ip, const struct frame_host *from, const struct frame_host *to, uint8_t ecn,
		       uint32_t payload_bytes)
{
	memset(ip, 0, V4_BYTES);
	ip[0] = 0x45;
	ip[V4_TOS] = ecn;
	weft__put16(ip + V4_LENGTH, V4_BYTES + payload_bytes);
	weft__put16(ip + V4_FRAGMENT, DO_NOT_FRAGMENT);
	ip[V4_TTL] = TTL;
	ip[V4_PROTOCOL] = PROTOCOL_UDP;
	memcpy(ip + V4_FROM, from->bytes, 4);
	memcpy(ip + V4_TO, to->bytes, 4);
	store_sum(ip + V4_SUM, weft__frame_sum_end(weft__frame_sum(ip, V4_BYTES, 0)));
	return ip + V4_BYTES;
}

static uint8_t *put_v6(uint8_t *ip, const uint8_t *from, const uint8_t *to, uint8_t ecn, uint8_t next,
		       uint32_t payload_bytes)
{
	memset(ip, 0, V6_BYTES);
	ip[0] = 0x60;
	ip[1] = (uint8_t)(ecn << 4);
	weft__put16(ip + V6_LENGTH, payload_bytes);
	ip[V6_NEXT] = next;
	ip[V6_HOPS] = next == PROTOCOL_ICMP6 ? ND_HOPS : TTL;
	memcpy(ip + V6_FROM, from, 16);
	memcpy(ip + V6_TO, to, 16);
	return ip + V6_BYTES;
}

uint32_t weft__frame_write_head(uint8_t *bytes, const struct frame_end *from, const struct frame_end *to, uint8_t ecn,
				uint32_t payload_bytes)
{
	bool v4 = from->host.version == 4;
	uint8_t *ip = put_ether(bytes, to->mac, from->mac, v4 ? TYPE_V4 : TYPE_V6);
	uint32_t udp_bytes = UDP_BYTES + payload_bytes;
	uint8_t *udp = v4 ? put_v4(ip, &from->host, &to->host, ecn, udp_bytes)
			  : put_v6(ip, from->host.bytes, to->host.bytes, ecn, PROTOCOL_UDP, udp_bytes);

	weft__put16(udp + UDP_FROM, from->port);
	weft__put16(udp + UDP_TO, to->port);
	weft__put16(udp + UDP_LENGTH, udp_bytes);
	weft__put16(udp + UDP_SUM, 0);
	return (uint32_t)(udp - bytes) + UDP_BYTES;
}

void weft__frame_seal(uint8_t *frame, uint8_t version, uint32_t payload_bytes)
{
	uint8_t *ip = frame + FRAME_ETHER_BYTES, *udp = ip + (version == 4 ? V4_BYTES : V6_BYTES);
	uint32_t udp_bytes = UDP_BYTES + payload_bytes;
	uint16_t sum = weft__frame_sum_end(
		weft__frame_sum(udp, udp_bytes, weft__frame_sum_pseudo(ip, version, PROTOCOL_UDP, udp_bytes)));

	/* 0 says that there is none; the other zero says the same as a sum. */
	store_sum(udp + UDP_SUM, sum ? sum : 0xffff);
}

void weft__frame_seal_by_device(uint8_t *frame, uint8_t version, uint32_t payload_bytes)
{
	uint8_t *ip = frame + FRAME_ETHER_BYTES, *udp = ip + (version == 4 ? V4_BYTES : V6_BYTES);
	uint64_t sum = weft__frame_sum_pseudo(ip, version, PROTOCOL_UDP, UDP_BYTES + payload_bytes);

	store_sum(udp + UDP_SUM, (uint16_t)~weft__frame_sum_end(sum));
}

/* ---- questions and answers ---- */

static const uint8_t all_macs[FRAME_MAC_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t no_mac[FRAME_MAC_BYTES];

static uint32_t put_arp(uint8_t *bytes, uint32_t operation, const struct frame_end *own, const uint8_t *ether_to,
			const uint8_t *to_mac, const uint8_t *to)
{
	static const uint8_t ether_v4[ARP_OPERATION] = {0, 1, 8, 0, 6, 4};
	uint8_t *arp = put_ether(bytes, ether_to, own->mac, TYPE_ARP);

	memcpy(arp, ether_v4, sizeof ether_v4);
	weft__put16(arp + ARP_OPERATION, operation);
	memcpy(arp + ARP_FROM_MAC, own->mac, FRAME_MAC_BYTES);
	memcpy(arp + ARP_FROM, own->host.bytes, 4);
	memcpy(arp + ARP_TO_MAC, to_mac, FRAME_MAC_BYTES);
	memcpy(arp + ARP_TO, to, 4);
	return FRAME_ETHER_BYTES + ARP_BYTES;
}

static uint32_t put_nd(uint8_t *bytes, uint8_t type, uint8_t flags, const struct frame_end *own,
		       const uint8_t *ether_to, const uint8_t *to, const uint8_t *target)
{
	uint8_t *ip = put_ether(bytes, ether_to, own->mac, TYPE_V6);
	uint8_t *icmp = put_v6(ip, own->host.bytes, to, 0, PROTOCOL_ICMP6, ND_BYTES);

	memset(icmp, 0, ND_BYTES);
	icmp[ND_TYPE] = type;
	icmp[ND_FLAGS] = flags;
	memcpy(icmp + ND_TARGET, target, 16);
	icmp[ND_OPTION] = type == ND_QUESTION ? OPTION_FROM_MAC : OPTION_MAC;
	icmp[ND_OPTION + 1] = 1;
	memcpy(icmp + ND_OPTION + 2, own->mac, FRAME_MAC_BYTES);
	store_sum(icmp + ND_SUM,
		  weft__frame_sum_end(
			  weft__frame_sum(icmp, ND_BYTES, weft__frame_sum_pseudo(ip, 6, PROTOCOL_ICMP6, ND_BYTES))));
	return FRAME_ETHER_BYTES + V6_BYTES + ND_BYTES;
}

uint32_t weft__frame_write_question(uint8_t *bytes, const struct frame_end *own, const struct frame_host *who,
				    const uint8_t *to_mac)
{
	/* Of a group that few hosts are in, by the end of their addresses. */
	uint8_t group[16] = {0xff, 0x02, [11] = 1, [12] = 0xff};
	uint8_t group_mac[FRAME_MAC_BYTES] = {0x33, 0x33};

	if (own->host.version == 4)
		return put_arp(bytes, ARP_ASK, own, to_mac ? to_mac : all_macs, to_mac ? to_mac : no_mac, who->bytes);
	memcpy(group + 13, who->bytes + 13, 3);
	memcpy(group_mac + 2, group + 12, 4);
	return put_nd(bytes, ND_QUESTION, 0, own, to_mac ? to_mac : group_mac, to_mac ? who->bytes : group, who->bytes);
}

uint32_t weft__frame_write_answer(uint8_t *bytes, const struct frame_end *own, const struct frame_end *to)
{
	static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};
	static const uint8_t all_nodes_mac[FRAME_MAC_BYTES] = {0x33, 0x33, 0, 0, 0, 1};

	if (own->host.version == 4 && to)
		return put_arp(bytes, ARP_TELL, own, to->mac, to->mac, to->host.bytes);
	if (own->host.version == 4)
		return put_arp(bytes, ARP_ASK, own, all_macs, no_mac, own->host.bytes);
	if (to)
		return put_nd(bytes, ND_ANSWER, ND_FLAG_SOLICITED | ND_FLAG_OVERRIDE, own, to->mac, to->host.bytes,
			      own->host.bytes);
	return put_nd(bytes, ND_ANSWER, ND_FLAG_OVERRIDE, own, all_nodes_mac, all_nodes, own->host.bytes);
}

uint32_t weft__frame_write_farewell(uint8_t *bytes, const struct frame_end *own)
{
	static const uint8_t text[FAREWELL_BYTES] = FAREWELL_TEXT; /* without its end */

	memcpy(put_ether(bytes, all_macs, own->mac, TYPE_FAREWELL), text, sizeof text);
	return FRAME_ETHER_BYTES + FAREWELL_BYTES;
}

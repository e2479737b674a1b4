/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The net of the path fuzzer. Each packet that it hands up is a block of its own, so that whoever reads beyond it or
 * keeps it is found out; and each that goes out is checked: it is whole, fits, and makes sense to who reads it.
 */
#include "path_fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <weft/assert.h>

#define QUEUE_MAX 128u

struct packet {
	void *data;
	uint32_t len_bytes;
	uint8_t ecn;
	unsigned int peer;
};

static struct net_port {
	struct weft_net_port base;
	struct packet queue[QUEUE_MAX], handed[WEFT__NET_BURST];
	unsigned int queued, handed_count;
} ports[2];
uint32_t fuzz_net_room = UINT32_MAX;

struct weft_net_address fuzz_net_address(unsigned int peer)
{
	return (struct weft_net_address){.len_bytes = 1, .bytes = {(uint8_t)('a' + peer)}};
}

/* ---- what goes out ---- */

static void hear_greeting(const unsigned char *packet, uint32_t len_bytes, unsigned int peer)
{
	struct weft__greeting greeting;

	WEFT_ASSERT(weft__greeting_read(packet, len_bytes, &greeting) == 0);
	if (greeting.form == WEFT__FORM_COOKIE) {
		memcpy(fuzz.cookies[peer], greeting.cookie, WEFT__COOKIE_BYTES);
		fuzz.has_cookie[peer] = true;
	} else if (greeting.form == WEFT__FORM_KNOCK) {
		fuzz.knocked_by = greeting.from_path;
	}
}

static void check_packet(const unsigned char *packet, uint32_t len_bytes, unsigned int peer)
{
	struct weft__packet_head head;
	struct weft__frame frame;
	struct weft__ack ack;
	uint32_t at = WEFT__PACKET_HEAD;
	int rc;

	WEFT_ASSERT(weft__packet_head_read(packet, len_bytes, &head) == 0 && weft__packet_intact(packet, len_bytes));
	if (head.form != WEFT__FORM_PATH) {
		hear_greeting(packet, len_bytes, peer);
		return;
	}
	while ((rc = weft__frame_read(packet, len_bytes, &at, &frame, &ack)) == 1)
		;
	WEFT_ASSERT(rc == 0);
}

static unsigned int net_tx(struct weft_net_port *port, const struct weft_net_tx *packets, unsigned int count)
{
	unsigned int i;

	(void)port;
	for (i = 0; i < count && fuzz_net_room; i++) {
		static _Alignas(8) unsigned char packet[FUZZ_PACKET_MAX];
		uint32_t len_bytes = 0;

		for (unsigned int j = 0; j < packets[i].piece_count; j++) {
			const struct weft_net_piece *piece = &packets[i].pieces[j];

			WEFT_ASSERT(piece->len_bytes <= sizeof packet - len_bytes);
			if (piece->len_bytes)
				memcpy(packet + len_bytes, piece->data, piece->len_bytes);
			len_bytes += piece->len_bytes;
		}
		check_packet(packet, len_bytes, packets[i].route->to.bytes[0] - (unsigned int)'a');
		fuzz_net_room -= fuzz_net_room != UINT32_MAX;
	}
	return i;
}

/* ---- what comes in ---- */

void fuzz_net_say(unsigned int port, unsigned int peer, const void *packet, uint32_t len_bytes, uint8_t ecn)
{
	struct net_port *to = &ports[port];
	struct packet *last = &to->queue[to->queued];

	if (to->queued == QUEUE_MAX || len_bytes < WEFT_NET_STEER_BYTES)
		return;
	to->queued++;
	*last = (struct packet){.data = malloc(len_bytes), .len_bytes = len_bytes, .ecn = ecn, .peer = peer};
	WEFT_ASSERT(last->data != NULL);
	memcpy(last->data, packet, len_bytes);
}

static void free_handed(struct net_port *port)
{
	while (port->handed_count)
		free(port->handed[--port->handed_count].data);
}

static unsigned int net_rx(struct weft_net_port *base, struct weft_net_rx *packets, unsigned int max)
{
	struct net_port *port = (struct net_port *)base;
	unsigned int count = port->queued < max ? port->queued : max;

	WEFT_ASSERT(max <= WEFT__NET_BURST);
	free_handed(port);
	for (unsigned int i = 0; i < count; i++) {
		const struct packet *packet = &port->queue[i];

		packets[i] = (struct weft_net_rx){.data = packet->data,
						  .len_bytes = packet->len_bytes,
						  .ecn = packet->ecn,
						  .from = fuzz_net_address(packet->peer)};
		port->handed[port->handed_count++] = *packet;
	}
	port->queued -= count;
	memmove(port->queue, port->queue + count, port->queued * sizeof *port->queue);
	return count;
}

void fuzz_net_clear(void)
{
	for (unsigned int i = 0; i < 2; i++)
		while (ports[i].queued)
			free(ports[i].queue[--ports[i].queued].data);
}

/* ---- cold ---- */

static int net_open(const struct weft_net_opts *opts, struct weft_net **out)
{
	(void)opts;
	*out = (struct weft_net *)(void *)ports;
	return 0;
}

static int port_open(struct weft_net *net, const struct weft_net_port_opts *opts, struct weft_net_port **out)
{
	(void)net;
	WEFT_ASSERT(opts->index < 2);
	ports[opts->index].base = (struct weft_net_port){.tx = net_tx, .rx = net_rx, .max_burst = WEFT__NET_BURST};
	*out = &ports[opts->index].base;
	return 0;
}

static int address_read(const char *text, struct weft_net_address *out)
{
	*out = fuzz_net_address(*text == 'b');
	return 0;
}

static void address_write(const struct weft_net_address *address, char *text)
{
	text[0] = (char)address->bytes[0];
	text[1] = 0;
}

static int route_open(struct weft_net_port *port, const struct weft_net_address *to, struct weft_net_route **out)
{
	*out = malloc(sizeof **out);
	WEFT_ASSERT(*out != NULL);
	**out = (struct weft_net_route){.port = port, .to = *to, .payload_max = FUZZ_PACKET_MAX};
	return 0;
}

static void route_close(struct weft_net_route **route)
{
	free(*route);
	*route = NULL;
}

const struct weft_net_driver fuzz_net_driver = {
	.size = sizeof fuzz_net_driver,
	.name = "fuzz",
	.timing = {.granularity_ns = 1000000,
		   .ack_delay_ns = 500000,
		   .probe_floor_ns = 5000000,
		   .first_rtt_ns = 5000000},
	.open = net_open,
	.port_open = port_open,
	.address_read = address_read,
	.address_write = address_write,
	.route_open = route_open,
	.route_close = route_close,
};

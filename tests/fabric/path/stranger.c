/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strangers, and the world in which they meet two sides.
 */
#include "stranger.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#define PACKET_MAX 1472u
#define STEP_MAX_NS UINT64_C(1000000)

struct strangers_world world;

uint64_t world_now_ns(void)
{
	return simulated_now_ns(&world.net);
}

static uint8_t stream_of(uint64_t meta, enum weft_class class_)
{
	(void)class_;
	return meta & 63;
}

void world_open(uint64_t seed, uint64_t loan_quota_bytes)
{
	struct weft_sim_opts opts;

	memset(&world, 0, sizeof world);
	printf("seed %llu ", (unsigned long long)seed);
	weft_sim_opts_init(&opts, sizeof opts);
	opts.seed = seed;
	opts.link.bits_per_second = UINT64_C(10000000000);
	simulated_open(&world.net, &opts, stream_of);
	side_open(&world.near, "near", 1, loan_quota_bytes);
	side_open(&world.far, "far", 1, loan_quota_bytes);
}

static void stranger_close(struct stranger *stranger)
{
	const struct weft_net_driver *driver = weft_sim_driver(world.net.sim);

	driver->route_close(&stranger->to_door);
	driver->route_close(&stranger->to_port);
	driver->port_close(&stranger->door);
	driver->port_close(&stranger->port);
	driver->close(&stranger->net);
}

void world_close(void)
{
	side_close(&world.near);
	side_close(&world.far);
	while (world.stranger_count)
		stranger_close(&world.strangers[--world.stranger_count]);
	simulated_close(&world.net);
}

/* ---- he says ---- */

static void send_to(struct weft_net_port *port, struct weft_net_route *route, const unsigned char *packet,
		    uint32_t len_bytes, bool marked)
{
	struct weft_net_tx tx = {.route = route, .piece_count = 1, .ecn = marked ? WEFT_ECN_CE : WEFT_ECN_NONE};

	tx.pieces[0] = (struct weft_net_piece){.data = packet, .len_bytes = len_bytes};
	(void)port->tx(port, &tx, 1);
}

struct stranger *stranger_open(const char *host)
{
	struct stranger *stranger = &world.strangers[world.stranger_count++];
	const struct weft_net_driver *driver = weft_sim_driver(world.net.sim);
	struct weft_net_port_opts port_opts;
	struct weft_net_opts opts;
	struct weft_net_address far;
	char text[WEFT_DEVICE_ADDRESS_MAX];

	memset(stranger, 0, sizeof *stranger);
	weft_net_opts_init(&opts, sizeof opts);
	opts.address = host;
	opts.clock = world.net.clock;
	CU_ASSERT_EQUAL_FATAL(weft_net_open(driver, &opts, &stranger->net), 0);
	weft_net_port_opts_init(&port_opts, sizeof port_opts);
	CU_ASSERT_EQUAL_FATAL(weft_net_port_open(driver, stranger->net, &port_opts, &stranger->door), 0);
	port_opts.index = 1;
	CU_ASSERT_EQUAL_FATAL(weft_net_port_open(driver, stranger->net, &port_opts, &stranger->port), 0);
	CU_ASSERT_EQUAL_FATAL(driver->address_read(side_address(world.far.name, text), &far), 0);
	CU_ASSERT_EQUAL_FATAL(driver->route_open(stranger->door, &far, &stranger->to_door), 0);
	CU_ASSERT_EQUAL_FATAL(driver->route_open(stranger->port, &far, &stranger->to_port), 0);
	return stranger;
}

void stranger_knock(struct stranger *stranger, uint64_t own_id, bool with_cookie)
{
	struct weft__greeting knock = {.form = WEFT__FORM_KNOCK,
				       .from_path = own_id,
				       .incarnation = 77,
				       .steer = 1,
				       .has_cookie = with_cookie,
				       .hello = {.len_bytes = 1}};
	unsigned char packet[WEFT__KNOCK_BYTES];

	memcpy(knock.cookie, stranger->cookie, sizeof knock.cookie);
	send_to(stranger->door, stranger->to_door, packet, weft__greeting_write(&knock, 0, packet), false);
}

void stranger_say(struct stranger *stranger, struct stranger_path *path, const void *frames, uint32_t len_bytes)
{
	struct weft__packet_head head = {.steer = path->steer, .path = path->id, .number = path->number++};
	_Alignas(8) unsigned char packet[PACKET_MAX];
	struct weft_net_piece piece = {.data = packet, .len_bytes = WEFT__PACKET_HEAD + len_bytes};

	weft__packet_head_write(&head, packet);
	memcpy(packet + WEFT__PACKET_HEAD, frames, len_bytes);
	weft__packet_seal(packet, &piece, 1);
	send_to(stranger->port, stranger->to_port, packet, piece.len_bytes, stranger->marks);
}

void stranger_say_large(struct stranger *stranger, struct stranger_path *path, uint8_t stream, uint32_t sequence,
			uint64_t total_bytes, uint64_t offset_bytes, uint32_t len_bytes)
{
	_Alignas(8) unsigned char frames[WEFT__LARGE_HEAD + WEFT__CHUNK_HEAD + 1344] = {0};

	weft__large_write(frames, WEFT_CLASS_NORMAL, stream, sequence, stream, total_bytes, 0, true);
	if (len_bytes)
		weft__chunk_write(frames + WEFT__LARGE_HEAD, stream, sequence, total_bytes, offset_bytes, len_bytes,
				  true);
	stranger_say(stranger, path, frames, WEFT__LARGE_HEAD + (len_bytes ? WEFT__CHUNK_HEAD + len_bytes : 0));
}

void stranger_say_message(struct stranger *stranger, struct stranger_path *path, uint8_t stream, uint32_t sequence,
			  uint32_t len_bytes)
{
	_Alignas(8) unsigned char frame[WEFT__MESSAGE_HEAD + WEFT__INLINE_MAX] = {0};

	weft__message_write(frame, WEFT_CLASS_NORMAL, stream, sequence, stream, len_bytes);
	stranger_say(stranger, path, frame, weft__frame_padded(WEFT__MESSAGE_HEAD + len_bytes));
}

/* ---- he hears ---- */

static struct stranger_path *path_of(struct stranger *stranger, uint64_t own_id)
{
	for (unsigned int i = 0; i < STRANGER_PATHS_MAX; i++)
		if (stranger->paths[i].own_id == own_id)
			return &stranger->paths[i];
	return NULL;
}

static void hear_greeting(struct stranger *stranger, const struct weft_net_rx *packet)
{
	struct weft__greeting greeting;
	struct stranger_path *path;

	CU_ASSERT_EQUAL(weft__greeting_read(packet->data, packet->len_bytes, &greeting), 0);
	switch (greeting.form) {
	case WEFT__FORM_COOKIE:
		stranger->cookies++;
		memcpy(stranger->cookie, greeting.cookie, sizeof stranger->cookie);
		break;
	case WEFT__FORM_ACCEPT:
		stranger->accepts++;
		path = path_of(stranger, greeting.to_path);
		if (path) {
			path->id = greeting.from_path;
			path->steer = greeting.steer;
		}
		break;
	case WEFT__FORM_REFUSE:
		stranger->refusals++;
		stranger->refused_with = greeting.code;
		break;
	}
}

static void hear_packet(struct stranger *stranger, const struct weft_net_rx *packet)
{
	_Alignas(8) unsigned char frame_bytes[WEFT__ACK_MIN] = {0};
	uint32_t at = WEFT__PACKET_HEAD;
	struct weft__packet_head head;
	struct stranger_path *path;
	struct weft__frame frame;
	struct weft__ack ack;
	bool wants_ack = false;

	CU_ASSERT_EQUAL(weft__packet_head_read(packet->data, packet->len_bytes, &head), 0);
	path = path_of(stranger, head.path);
	if (!path)
		return;
	while (weft__frame_read(packet->data, packet->len_bytes, &at, &frame, &ack) == 1) {
		wants_ack |= frame.kind != WEFT__FRAME_ACK && frame.kind != WEFT__FRAME_CLOSE;
		path->closed |= frame.kind == WEFT__FRAME_CLOSE;
		if (frame.kind == WEFT__FRAME_ACK)
			path->acked = ack.ranges[0].last + 1;
		if (frame.kind == WEFT__FRAME_GRANT) {
			path->granted_bytes = frame.offset_bytes;
			path->granted_ns = world_now_ns();
		}
	}
	if (!wants_ack || stranger->silent)
		return;
	ack = (struct weft__ack){.range_count = 1, .ranges = {{.first = head.number, .last = head.number}}};
	stranger_say(stranger, path, frame_bytes, weft__ack_write(frame_bytes, sizeof frame_bytes, &ack));
}

static void hear(struct stranger *stranger)
{
	struct weft_net_rx packets[16];
	unsigned int count;

	while ((count = stranger->door->rx(stranger->door, packets, 16)))
		for (unsigned int i = 0; i < count; i++)
			hear_greeting(stranger, &packets[i]);
	while ((count = stranger->port->rx(stranger->port, packets, 16)))
		for (unsigned int i = 0; i < count; i++)
			hear_packet(stranger, &packets[i]);
}

struct stranger_path *stranger_join(struct stranger *stranger)
{
	struct stranger_path *path = &stranger->paths[stranger->path_count++];
	unsigned int cookies = stranger->cookies, accepts = stranger->accepts, refusals = stranger->refusals;
	static const unsigned char ping[WEFT__FRAME_HEAD] = {WEFT__FRAME_PING};

	path->own_id = stranger->path_count;
	stranger_knock(stranger, path->own_id, false);
	if (!WORLD_WITHIN(1000000000, stranger->cookies > cookies))
		return NULL;
	stranger_knock(stranger, path->own_id, true);
	if (!WORLD_WITHIN(100000000, stranger->accepts > accepts || stranger->refusals > refusals) || !path->id)
		return NULL;
	stranger_say(stranger, path, ping, sizeof ping);
	world_pass(200000);
	return path;
}

/* ---- time ---- */

void world_step(void)
{
	uint64_t now_ns = world_now_ns(), next_ns;

	sides_turn();
	for (unsigned int i = 0; i < world.stranger_count; i++)
		hear(&world.strangers[i]);
	next_ns = weft_sim_next_ns(world.net.sim);
	next_ns = simulated_next_ns(simulated_next_ns(next_ns, &world.near), &world.far);
	simulated_go_on(&world.net, next_ns < now_ns + STEP_MAX_NS ? next_ns : now_ns + STEP_MAX_NS, 500);
}

void world_pass(uint64_t span_ns)
{
	(void)WORLD_WITHIN(span_ns, false);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The receiving side of links: frames of every kind, in any order, with any lane, sequence, data or loan, between whatever
 * the application may do meanwhile: send, request, post, keep, answer late, close. The input says what happens, step by
 * step. Nothing may be read that was not handed up, each operation ends once, and in the end everything is home.
 *
 * A node is put together around the mock driver, on a virtual clock: no threads, no time, one run as the other.
 */
#include "link_fuzz.h"
#include "channel/channel_private.h"
#include "fuzz.h"
#include "link/connecting.h"
#include "mock_driver.h"

#include <string.h>
#include <weft/assert.h>

#define STEPS_MAX 400u

static struct weft_node node;
static struct weft_clock *fuzz_clock;
struct fuzz_station fuzz;

uint8_t fuzz_byte(struct fuzz_input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

/* ---- what only this needs of a node ---- */

static void make_node(void)
{
	static const struct weft_device_events events = {.path_up = weft__link_path_up,
							 .connect_failed = weft__link_connect_failed,
							 .path_down = weft__link_path_down};
	struct weft_arena_opts arena_opts;
	struct weft_worker_opts opts;

	weft_node_opts_init(&node.opts, sizeof node.opts);
	node.opts.memory_max_bytes = (size_t)64 << 20;
	node.opts.link_idle_ns = 1000000;
	node.opts.links_max = 4;
	node.incarnation = FUZZ_INCARNATION;
	strcpy(node.name, "node");
	pthread_mutex_init(&node.lock, NULL);
	pthread_mutex_init(&node.degraded_lock, NULL);
	weft_list_init(&node.channels);
	weft_list_init(&node.connecting);
	weft_arena_opts_init(&arena_opts, sizeof arena_opts);
	arena_opts.max_bytes = node.opts.memory_max_bytes;
	arena_opts.data_segment_bytes = (size_t)2 << 20;
	arena_opts.pages = WEFT_PAGES_SMALL;
	WEFT_ASSERT(weft_arena_open(&arena_opts, &node.arena) == 0);
	WEFT_ASSERT(weft_clock_virtual_open(1000000000, &fuzz_clock) == 0);
	weft_worker_opts_init(&opts, sizeof opts);
	opts.clock = fuzz_clock;
	WEFT_ASSERT(weft_worker_open(&opts, &node.runner) == 0);
	node.rails[0].driver = &mock_driver;
	node.rail_count = 1;
	node.rails[0].device = mock_device;
	mock_events = &events;
	mock_on_sent = fuzz_on_sent;
	node.base_count = 1;
	WEFT_ASSERT(weft__station_open(&node, "", -1, &opts, &node.stations[0]) == 0);
	fuzz.node = &node;
	fuzz.station = node.stations[0];
}

void fuzz_turn(uint64_t later_ns)
{
	weft_clock_virtual_set(fuzz_clock, weft_clock_now(fuzz_clock) + later_ns);
	weft_worker_poll(node.runner);
	weft_worker_poll(fuzz.station->worker);
}

/* ---- the end of a run ---- */

static bool is_quiet(void)
{
	const struct weft__station *station = fuzz.station;

	return weft_list_empty(&station->links) && weft_list_empty(&station->finished) && !mock_left();
}

static void check_home(void)
{
	const struct weft__station *station = fuzz.station;
	struct weft_pool_stats pool;

	WEFT_ASSERT(is_quiet());
	fuzz_application_check();
	WEFT_ASSERT(length_of(&station->free_ops) == WEFT__OPS && length_of(&station->free_loans) == WEFT__LOANS &&
		    length_of(&station->free_calls) == WEFT__CALLS);
	WEFT_ASSERT(weft_list_empty(&station->views) && weft_list_empty(&station->events) &&
		    weft_list_empty(&station->placing) && weft_list_empty(&station->busy_links) &&
		    weft_list_empty(&station->requesters) && weft_list_empty(&station->kept));
	WEFT_ASSERT(!station->cookies_out && !station->stats.links);
	weft_pool_describe(station->pool, &pool);
	WEFT_ASSERT(!pool.out_count);
	weft__connecting_to(fuzz.station, "nobody"); /* frees what has ended */
	WEFT_ASSERT(weft_list_empty(&node.connecting));
}

static void tear_down(void)
{
	struct mock_path *path;

	mock_room = UINT32_MAX;
	fuzz_application_end();
	for (unsigned int i = 0; (path = mock_path_at(i)); i++)
		mock_down(path, WEFT_DOWN_BROKEN);
	for (unsigned int i = 0; i < 1000 && !is_quiet(); i++) {
		void *request;

		fuzz_turn(1000000);
		if ((request = mock_connect_take()))
			weft__link_connect_failed(fuzz.station, request, -WEFT_ECONNREFUSED, "the end");
		/* What was on its way up when its path ended. */
		for (unsigned int j = 0; (path = mock_path_at(j)); j++)
			mock_down(path, WEFT_DOWN_BROKEN);
	}
	check_home();
}

/* ---- time, the driver, the peer's process ---- */

static void let_time_pass(struct fuzz_input *in)
{
	static const uint64_t spans_ns[] = {0, 2000, 300000, 1100000, 5000000, 1100000000};
	unsigned int count = fuzz_byte(in) % 4;

	fuzz_turn(spans_ns[fuzz_byte(in) % 6]);
	while (count--)
		fuzz_turn(0);
}

static void change_driver(struct fuzz_input *in)
{
	uint8_t what = fuzz_byte(in);

	if (what & 1)
		mock_room = what & 2 ? UINT32_MAX : 1u + what / 4 % 16;
	else
		for (unsigned int i = 0; i <= what / 2 % 8u; i++)
			mock_home();
}

static void make_hello(struct fuzz_input *in, struct weft_hello *out)
{
	struct weft__hello hello = {.node = "peer", .role = WEFT_NODE_LEAF};
	uint8_t what = fuzz_byte(in);

	if (what & 1)
		strcpy(hello.worker, "w");
	weft__hello_encode(&hello, out);
	if (what < 0xf0)
		return;
	out->bytes[fuzz_byte(in) % out->len_bytes] = fuzz_byte(in);
	out->len_bytes = (uint16_t)(out->len_bytes - what % 4);
}

static void change_paths(struct fuzz_input *in)
{
	uint8_t what = fuzz_byte(in);
	struct mock_path *path = mock_path_at(what >> 4 & 1);
	uint64_t incarnation = FUZZ_INCARNATION + (what & 0x40 ? 1u : 0) - (what & 0x80 ? 2u : 1u);
	struct weft_hello hello;
	void *request;

	switch (what % 4) {
	case 0:
		make_hello(in, &hello);
		if (!mock_path_at(3))
			mock_up(fuzz.station->ports[0], incarnation, &hello, NULL);
		break;
	case 1:
		if (path)
			mock_down(path, (enum weft_down_reason)(what >> 2 & 3));
		break;
	default:
		if (!(request = mock_connect_take()))
			break;
		make_hello(in, &hello);
		if (what & 4)
			weft__link_connect_failed(fuzz.station, request, what & 8 ? -WEFT_EBUSY : -WEFT_ECONNREFUSED,
						  "fuzz");
		else
			mock_up(fuzz.station->ports[0], incarnation, &hello, request);
	}
}

/* The input's first byte: how far things have come when it begins. Without that most inputs would end before that. */
static void begin(struct fuzz_input *in)
{
	static const uint8_t peer_up[] = {0, 0}, sender_opens[] = {0, 0}, connect_up[] = {2, 0};
	static const uint8_t lane_one[] = {1}, lane_two[] = {16}, credit[] = {2};
	uint8_t what = fuzz_byte(in);

	fuzz_application_begin(in);
	fuzz_turn(0);
	if (what & 1)
		change_paths(&(struct fuzz_input){peer_up, peer_up + sizeof peer_up});
	if (what & 2) {
		fuzz_send(&(struct fuzz_input){sender_opens, sender_opens + sizeof sender_opens});
		fuzz_turn(0);
		change_paths(&(struct fuzz_input){connect_up, connect_up + sizeof connect_up});
		fuzz_turn(0);
	}
	if (what & 4) {
		fuzz_say_right(&(struct fuzz_input){lane_one, lane_one + 1});
		fuzz_say_right(&(struct fuzz_input){lane_two, lane_two + 1});
	}
	if (what & 8)
		fuzz_say_right(&(struct fuzz_input){credit, credit + 1});
	fuzz_turn(0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	static void (*const steps[])(struct fuzz_input *) = {fuzz_say,      fuzz_say_burst, let_time_pass,
							     change_driver, change_paths,   fuzz_send,
							     fuzz_receive,  fuzz_say_right};
	struct fuzz_input in = {data, data + len_bytes};

	if (!fuzz.node)
		make_node();
	begin(&in);
	for (unsigned int i = 0; i < STEPS_MAX && in.at < in.end; i++)
		steps[fuzz_byte(&in) % 8](&in);
	tear_down();
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What packets do to a port with paths: greetings, frames, acknowledgements and grants of two peers who know the names of
 * paths, in any order and at any time, between whatever the application may do meanwhile. What goes out is in order,
 * whatever comes up can be read, and in the end everything is home.
 *
 * The port stands on a net of ours and a virtual clock: no threads, no time, one run as the other.
 */
#include "path_fuzz.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <weft/assert.h>

#define STEPS_MAX 300u
#define MEMORY_BYTES ((size_t)24 << 20)
#define END_TURNS_MAX 20000u

static struct weft_clock *fuzz_clock;
static struct weft_worker *runner, *worker;
static struct weft_pool *pool;
struct fuzz_world fuzz;

uint8_t fuzz_byte(struct fuzz_input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

void fuzz_turn(uint64_t later_ns)
{
	weft_clock_virtual_set(fuzz_clock, weft_clock_now(fuzz_clock) + later_ns);
	weft_worker_poll(runner);
	weft_worker_poll(worker);
	fuzz_receive();
}

/* ---- the world, which stays ---- */

static void open_device(struct weft_arena *arena)
{
	const struct weft_driver *driver = weft__path_driver_over(&fuzz_net_driver, NULL);
	struct weft_device_opts opts;
	struct weft_port_opts port_opts;
	struct weft_device *device;
	struct weft_port *port;

	weft_device_opts_init(&opts, sizeof opts);
	opts.name = "fuzz";
	opts.runner = runner;
	opts.arena = arena;
	opts.incarnation = 1;
	opts.events = &fuzz_application_events;
	WEFT_ASSERT(weft_device_open(driver, &opts, &device) == 0);
	weft_port_opts_init(&port_opts, sizeof port_opts);
	port_opts.worker = worker;
	port_opts.pool = pool;
	port_opts.loan_quota_bytes = MEMORY_BYTES / 2;
	WEFT_ASSERT(weft_port_open(driver, device, &port_opts, &port) == 0);
	fuzz.device = (struct weft__path_device *)(void *)device;
	fuzz.port = weft__port_of(port);
}

static void make_world(void)
{
	const struct weft_segment *segment;
	struct weft_arena_opts arena_opts;
	struct weft_worker_opts opts;
	struct weft_pool_opts pool_opts;
	struct weft_arena *arena;

	WEFT_ASSERT(weft_clock_virtual_open(1000000000, &fuzz_clock) == 0);
	weft_worker_opts_init(&opts, sizeof opts);
	opts.clock = fuzz_clock;
	WEFT_ASSERT(weft_worker_open(&opts, &runner) == 0 && weft_worker_open(&opts, &worker) == 0);
	weft_arena_opts_init(&arena_opts, sizeof arena_opts);
	arena_opts.pages = WEFT_PAGES_SMALL;
	weft_pool_opts_init(&pool_opts, sizeof pool_opts);
	WEFT_ASSERT(weft_arena_open(&arena_opts, &arena) == 0 && weft_pool_open(&pool_opts, &pool) == 0);
	WEFT_ASSERT(weft_arena_grow(arena, MEMORY_BYTES, &segment) == 0 && weft_pool_adopt(pool, segment) == 0);
	open_device(arena);
}

/* What a run may have left is forgotten, and what is drawn is the same each time. */
static void begin_world(void)
{
	static const uint64_t key[2] = {1, 2};

	memcpy(fuzz.device->id_key, key, sizeof key);
	fuzz.device->id_count = 0;
	memcpy(fuzz.device->cookie_key, key, sizeof key);
	free(fuzz.device->accepted);
	fuzz.device->accepted = weft__accepted_new();
	WEFT_ASSERT(fuzz.device->accepted != NULL);
	fuzz_net_room = UINT32_MAX;
	fuzz_peer_begin();
}

/* ---- the end of a run ---- */

static bool is_quiet(void)
{
	return weft_list_empty(&fuzz.port->paths) && weft_list_empty(&fuzz.port->parting) &&
	       weft_list_empty(&fuzz.device->knocks) && weft_list_empty(&fuzz.device->errands) &&
	       weft_list_empty(&fuzz.port->spent) && !fuzz.port->home_count;
}

static void check_home(void)
{
	const struct weft__path_port *port = fuzz.port;

	WEFT_ASSERT(is_quiet());
	fuzz_application_check();
	WEFT_ASSERT(length_of(&port->free_parcels) == WEFT__PORT_PARCELS &&
		    length_of(&port->free_outgoing) == WEFT__PORT_OUTGOING &&
		    length_of(&port->free_incoming) == WEFT__PORT_INCOMING &&
		    length_of(&port->free_windows) == WEFT__PORT_WINDOWS &&
		    length_of(&port->free_held) == port->held_made);
	WEFT_ASSERT(weft_list_empty(&port->dirty) && weft_list_empty(&port->ended) &&
		    weft_list_empty(&port->receiving) && !port->expected_bytes && !port->receiving_paths &&
		    !port->waiting_count);
	WEFT_ASSERT(!port->packet_path && !port->packet_copy && !port->ready_path);
	WEFT_ASSERT(!port->stats.paths && !port->stats.loans_out && !weft_pool_out_count(pool));
	for (unsigned int i = 0; i < WEFT__SLOT_WORDS; i++)
		WEFT_ASSERT(atomic_load_explicit(&port->slots_taken[i], memory_order_relaxed) == 0);
}

static void end_world(void)
{
	fuzz_net_room = UINT32_MAX;
	fuzz_net_clear();
	for (unsigned int i = 0; i < END_TURNS_MAX && (!i || !is_quiet()); i++) {
		fuzz_turn(i % 4 ? 0 : 50000000);
		fuzz_application_end();
	}
	fuzz_turn(0);
	check_home();
}

/* ---- a run ---- */

static void let_time_pass(struct fuzz_input *in)
{
	static const uint64_t spans_ns[] = {0, 2000, 300000, 1100000, 6000000, 40000000, 1100000000, 3100000000};
	uint8_t what = fuzz_byte(in);

	fuzz_turn(spans_ns[what % 8]);
	for (unsigned int i = 0; i < what / 8 % 4; i++)
		fuzz_turn(0);
}

static void change_net(struct fuzz_input *in)
{
	uint8_t what = fuzz_byte(in);

	fuzz_net_room = what & 1 ? UINT32_MAX : what / 2u;
}

/* A path that the peer asked for, in two exchanges; or one that we did. */
static void make_path(uint8_t peer, bool ours)
{
	const uint8_t knock[] = {(uint8_t)(peer << 3), 0}, accept[] = {(uint8_t)(2 | peer << 3), 0};

	if (ours) {
		fuzz_connect(&(struct fuzz_input){&peer, &peer + 1});
		fuzz_greet(&(struct fuzz_input){accept, accept + sizeof accept});
		return;
	}
	for (unsigned int i = 0; i < 2; i++)
		fuzz_greet(&(struct fuzz_input){knock, knock + sizeof knock});
}

/* The input's first byte: what stands when it begins. Without that most inputs would end before that. */
static void begin(struct fuzz_input *in)
{
	uint8_t what = fuzz_byte(in);

	begin_world();
	for (unsigned int i = 0; i < 4; i++)
		if (what >> i & 1)
			make_path(i & 1, i & 2);
	fuzz_turn(1000000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	static void (*const steps[])(struct fuzz_input *) = {fuzz_say_frames, fuzz_say_frames, fuzz_say_large,
							     fuzz_say_ack,    fuzz_send,       let_time_pass,
							     fuzz_let_go,     fuzz_greet,      fuzz_connect,
							     change_net,      fuzz_say_raw,    fuzz_send};
	struct fuzz_input in = {data, data + len_bytes};

	if (!fuzz.device)
		make_world();
	begin(&in);
	for (unsigned int i = 0; i < STEPS_MAX && in.at < in.end; i++)
		steps[fuzz_byte(&in) % 12](&in);
	end_world();
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fixture of the conformance suite.
 */
#include "side.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OPEN_MAX 260

const struct weft_driver *side_driver;
const char *side_faults;
uint32_t side_allowed_uid = UINT32_MAX;
struct weft_clock *side_clock;

static struct side *open_sides[OPEN_MAX];

/* ---- what the driver tells ---- */

static int on_accept(void *device_user, const struct weft_peer_identity *peer, const struct weft_hello *theirs,
		     struct weft_hello *mine, struct weft_port **port)
{
	struct side *side = device_user;

	side->asked++;
	side->asker = *peer;
	if (side->refuse_with)
		return side->refuse_with;
	if (theirs->len_bytes < 1 || theirs->bytes[0] >= side->end_count)
		return -WEFT_ENOENT;
	/* The answer is the question, from its other end. */
	mine->len_bytes = theirs->len_bytes;
	for (unsigned int i = 0; i < theirs->len_bytes; i++)
		mine->bytes[i] = theirs->bytes[theirs->len_bytes - 1 - i];
	*port = side->ends[theirs->bytes[0]].port;
	return 0;
}

static void on_up(void *port_user, struct weft_path *path, const struct weft_hello *theirs, void *request)
{
	struct side_end *end = port_user;

	end->path = end->paths[end->ups % SIDE_PATHS_MAX] = path;
	end->hello = *theirs;
	end->request = request;
	end->ups++;
}

static void on_failed(void *port_user, void *request, int error, const char *why)
{
	struct side_end *end = port_user;

	(void)why;
	end->request = request;
	end->error = error;
	end->failures++;
}

static void on_down(void *port_user, struct weft_path *path, enum weft_down_reason reason)
{
	struct side_end *end = port_user;

	end->reason = reason;
	end->downs++;
	if (end->keep_down)
		return;
	if (end->path == path)
		end->path = NULL;
	end->side->driver->disconnect(path);
}

static void on_more_memory(void *port_user, size_t len_bytes)
{
	side_grow(port_user, len_bytes);
}

static const struct weft_device_events events = {.accept = on_accept,
						 .path_up = on_up,
						 .connect_failed = on_failed,
						 .path_down = on_down,
						 .more_memory = on_more_memory};

/* ---- turns ---- */

static unsigned int end_poll(void *user)
{
	struct side_end *end = user;
	struct weft_rx_frame frames[64];
	uint64_t cookies[64];
	unsigned int count = 0, homes = end->port->reap(end->port, cookies, 64);

	for (unsigned int i = 0; i < homes; i++)
		end->home_sum += cookies[i];
	end->homes += homes;
	if (end->on_frame)
		count = end->port->rx(end->port, frames, 64);
	for (unsigned int i = 0; i < count; i++)
		end->on_frame(end, &frames[i]);
	if (end->port->flush_due)
		end->port->flush(end->port);
	return count + homes;
}

static void end_arm(void *user)
{
	struct side_end *end = user;

	end->side->driver->arm(end->port, true);
}

static void end_disarm(void *user)
{
	struct side_end *end = user;

	end->side->driver->arm(end->port, false);
}

void sides_turn(void)
{
	for (unsigned int i = 0; i < OPEN_MAX; i++) {
		struct side *side = open_sides[i];

		if (!side)
			continue;
		weft_worker_poll(side->runner);
		for (unsigned int j = 0; j < side->end_count; j++)
			weft_worker_poll(side->ends[j].worker);
	}
}

/* ---- open and close ---- */

void side_name(char out[48], const char *which, int pid)
{
	snprintf(out, 48, "conformance-%d-%s", pid, which);
}

uint32_t side_grow(struct side_end *end, size_t len_bytes)
{
	const struct weft_segment *segment = NULL;

	CU_ASSERT_EQUAL_FATAL(weft_arena_grow(end->side->arena, len_bytes, &segment), 0);
	CU_ASSERT_EQUAL_FATAL(weft_pool_adopt(end->pool, segment), 0);
	return segment->segment_id;
}

static void end_open(struct side *side, struct side_end *end, uint64_t loan_quota_bytes)
{
	struct weft_worker_opts worker_opts;
	struct weft_pool_opts pool_opts;
	struct weft_port_opts opts;
	uint32_t segment_id;

	end->side = side;
	weft_worker_opts_init(&worker_opts, sizeof worker_opts);
	worker_opts.clock = side_clock;
	weft_pool_opts_init(&pool_opts, sizeof pool_opts);
	CU_ASSERT_EQUAL_FATAL(weft_worker_open(&worker_opts, &end->worker), 0);
	CU_ASSERT_EQUAL_FATAL(weft_pool_open(&pool_opts, &end->pool), 0);
	segment_id = side_grow(end, (size_t)1 << 20);
	if (end == side->ends)
		side->segment_id = segment_id;
	weft_port_opts_init(&opts, sizeof opts);
	opts.worker = end->worker;
	opts.pool = end->pool;
	opts.loan_quota_bytes = loan_quota_bytes;
	opts.user = end;
	CU_ASSERT_EQUAL_FATAL(weft_port_open(side->driver, side->device, &opts, &end->port), 0);
	end->poller = (struct weft_poller){.poll = end_poll, .arm = end_arm, .disarm = end_disarm, .user = end};
	weft_worker_add_poller(end->worker, &end->poller);
}

void side_open(struct side *side, const char *which, unsigned int end_count, uint64_t loan_quota_bytes)
{
	static uint64_t next_incarnation = 1000;
	struct weft_worker_opts runner_opts;
	struct weft_arena_opts arena_opts;
	struct weft_device_opts opts;
	unsigned int place = 0;
	char name[48];

	/* A case that failed half-way left its sides behind. */
	side_name(name, which, (int)getpid());
	for (unsigned int i = 0; i < OPEN_MAX; i++)
		if (open_sides[i] && strcmp(open_sides[i]->name, name) == 0)
			side_close(open_sides[i]);
	memset(side, 0, sizeof *side);
	side->driver = side_driver;
	side->end_count = end_count;
	side->incarnation = next_incarnation++;
	strcpy(side->name, name);
	weft_arena_opts_init(&arena_opts, sizeof arena_opts);
	arena_opts.incarnation = side->incarnation;
	arena_opts.pages = WEFT_PAGES_SMALL;
	CU_ASSERT_EQUAL_FATAL(weft_arena_open(&arena_opts, &side->arena), 0);
	weft_worker_opts_init(&runner_opts, sizeof runner_opts);
	runner_opts.idle = WEFT_IDLE_BLOCK;
	runner_opts.clock = side_clock;
	CU_ASSERT_EQUAL_FATAL(weft_worker_open(&runner_opts, &side->runner), 0);
	weft_device_opts_init(&opts, sizeof opts);
	opts.name = side->name;
	opts.runner = side->runner;
	opts.arena = side->arena;
	opts.incarnation = side->incarnation;
	opts.events = &events;
	opts.user = side;
	opts.faults = side_faults;
	opts.allowed_uids = &side_allowed_uid;
	opts.allowed_uid_count = side_allowed_uid != UINT32_MAX;
	CU_ASSERT_EQUAL_FATAL(weft_device_open(side->driver, &opts, &side->device), 0);
	for (unsigned int i = 0; i < end_count; i++)
		end_open(side, &side->ends[i], loan_quota_bytes);
	while (open_sides[place])
		place++;
	open_sides[place] = side;
}

void side_close(struct side *side)
{
	for (unsigned int i = 0; i < OPEN_MAX; i++)
		if (open_sides[i] == side)
			open_sides[i] = NULL;
	for (unsigned int i = 0; i < side->end_count; i++) {
		struct side_end *end = &side->ends[i];

		/* What the runner had posted is taken, so that nothing of it is lost in a mailbox. */
		for (unsigned int turns = 0; turns < 64 && weft_worker_poll(end->worker); turns++)
			;
		weft_worker_remove_poller(end->worker, &end->poller);
		side->driver->port_close(&end->port);
	}
	if (side->device)
		side->driver->device_close(&side->device);
	for (unsigned int i = 0; i < side->end_count; i++) {
		weft_pool_close(&side->ends[i].pool);
		weft_worker_close(&side->ends[i].worker);
	}
	if (side->runner)
		weft_worker_close(&side->runner);
	if (side->arena)
		weft_arena_close(&side->arena);
	side->end_count = 0;
}

/* ---- paths ---- */

const char *side_address(const char *name, char text[WEFT_DEVICE_ADDRESS_MAX])
{
	*text = 0;
	for (unsigned int i = 0; i < OPEN_MAX; i++)
		if (open_sides[i] && strcmp(open_sides[i]->name, name) == 0)
			weft_device_address(open_sides[i]->driver, open_sides[i]->device, text);
	return *text ? text : name;
}

int side_connect(struct side_end *near, const char *to, unsigned char far_end, void *request)
{
	struct weft_hello hello = {.len_bytes = 3, .bytes = {far_end, 'h', 'i'}};
	char text[WEFT_DEVICE_ADDRESS_MAX];

	return near->side->driver->connect(near->port, side_address(to, text), &hello, request);
}

void side_join(struct side_end *near, struct side_end *far)
{
	unsigned int near_ups = near->ups, far_ups = far->ups;

	CU_ASSERT_EQUAL_FATAL(side_connect(near, far->side->name, (unsigned char)(far - far->side->ends), near), 0);
	CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(near->ups > near_ups && far->ups > far_ups));
}

static bool try_lend(struct weft_path *path, const struct weft_tx_frame *frame)
{
	int why = 0;

	if (path->port->tx(path, WEFT_CLASS_NORMAL, frame, 1, 0, &why) == 1)
		return true;
	if (why == -WEFT_ENXIO)
		CU_ASSERT_EQUAL(path->port->driver->share(path, frame->loan->segment_id), 0);
	return false;
}

bool side_lend(struct weft_path *path, const struct weft_tx_frame *frame)
{
	return SIDES_UNTIL(try_lend(path, frame));
}

struct weft_driver_stats side_stats(const struct side_end *end)
{
	struct weft_driver_stats stats;

	end->side->driver->describe(end->port, &stats);
	return stats;
}

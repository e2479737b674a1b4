/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of large messages may be on its way to a port. The network marks packets that had to wait (ECN): then less is
 * granted, as much less as the share of the marked ones says (as senders do after DCTCP, RFC 8257; for what a receiver grants,
 * as SIRD does: Prasopoulos and others, NSDI 2025), else a little more each time. When many send at once, those who begin
 * are told to wait for a grant from the first byte on.
 *
 * Where nothing is marked, round trips tell: by how much longer they take than the shortest on their path, times the rate at
 * which packets come, is what waits. That tells later and less, and the budget is not made as small for it.
 *
 * A mark, or a long round trip, counts if another machine's last one was so too: what comes over one full line is marked
 * alike. Whoever marks his own packets, or meets congestion on his own way, makes nobody else wait.
 */
#include "path/path_private.h"

#define BUDGET_MAX_BYTES ((uint64_t)WEFT__GRANTED_AT_ONCE * WEFT__WINDOW_BYTES)
#define BUDGET_MIN_BYTES 32768u
#define MORE_BYTES 4096u
/* Where nothing marks packets: so much in the queue is long, and so much of the budget stays, whatever round trips tell. */
#define WAITING_BYTES 262144u
#define WAITING_MIN_BYTES 524288u
#define ASKED_A_ROUND 4u
#define WEIGHT 0.25
#define ALLOWANCE_MIN_BYTES 4096u

void weft__budget_init(struct weft__path_port *port)
{
	port->budget_bytes = BUDGET_MAX_BYTES;
}

/* ---- how much it is ---- */

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t above(uint64_t bytes, uint64_t floor_bytes)
{
	return bytes > floor_bytes ? bytes - floor_bytes : 0;
}

/* ---- round trips, where nothing marks ---- */

/* What waited while a round trip was under way, at the rate of the last round. */
static bool was_long(const struct weft__path_port *port, const struct weft__path *path)
{
	return (double)path->recovery.waited_ns * (double)port->span_bytes >
	       (double)WAITING_BYTES * (double)port->span_ns;
}

/* A packet has come, perhaps with an acknowledgement. */
static void time_round_trip(struct weft__path *path)
{
	struct weft__path_port *port = weft__path_port(path);

	if (port->round_bytes - port->asked_bytes > port->budget_bytes / ASKED_A_ROUND &&
	    port->budget_bytes > WAITING_MIN_BYTES && path->state == WEFT__PATH_UP) {
		port->asked_bytes = port->round_bytes;
		weft__path_ask(path);
	}
	if (path->recovery.waited_at_ns == path->timed_at_ns)
		return;
	path->timed_at_ns = path->recovery.waited_at_ns;
	if (path->source != port->timed_source) {
		port->other_long = port->timed_long;
		port->timed_source = path->source;
	}
	port->timed_long = was_long(port, path);
	port->round_timed++;
	port->round_long += port->timed_long && port->other_long;
}

/* ---- rounds ---- */

/* Also what was heard of whom goes with the round: nobody is a witness for long. */
static void begin_round(struct weft__path_port *port)
{
	port->span_ns = weft_worker_now(port->worker) - port->round_at_ns;
	port->round_at_ns += port->span_ns;
	port->span_bytes = port->round_bytes;
	port->asked_bytes = port->round_timed = port->round_long = 0;
	port->round_bytes = port->round_packets = port->round_marked = 0;
	port->heard_source = port->timed_source = NULL;
	port->heard_marked = port->other_marked = port->heard_others = false;
	port->timed_long = port->other_long = false;
}

/* About once in a round trip, when the budget is what limits us. */
static void adapt(struct weft__path_port *port)
{
	double share = port->round_packets ? (double)port->round_marked / port->round_packets : 0;

	port->marked_share += (share - port->marked_share) * WEIGHT;
	if (port->round_marked)
		port->budget_bytes -= (uint64_t)((double)port->budget_bytes * port->marked_share / 2);
	else if (port->round_long * 2 > port->round_timed)
		port->budget_bytes -= smaller(port->budget_bytes / 4, above(port->budget_bytes, WAITING_MIN_BYTES));
	else
		port->budget_bytes += port->budget_bytes / 16 + MORE_BYTES;
	if (port->budget_bytes < BUDGET_MIN_BYTES)
		port->budget_bytes = BUDGET_MIN_BYTES;
	if (port->budget_bytes > BUDGET_MAX_BYTES)
		port->budget_bytes = BUDGET_MAX_BYTES;
	begin_round(port);
}

void weft__budget_heard(struct weft__path *path, uint32_t len_bytes, bool marked)
{
	struct weft__path_port *port = weft__path_port(path);

	if (path->source != port->heard_source) {
		port->heard_others = port->heard_source != NULL;
		port->other_marked = port->heard_marked;
		port->heard_source = path->source;
	}
	time_round_trip(path);
	port->heard_marked = marked;
	port->round_bytes += len_bytes;
	port->round_packets += port->heard_others;
	port->round_marked += marked && port->other_marked;
	if (port->round_bytes >= port->budget_bytes)
		adapt(port);
}

/* ---- what of it is used ---- */

/* What counts of a message: what its sender was told and has not sent, unless it is slow. */
static uint64_t expected(const struct weft__incoming *incoming)
{
	return incoming->slow ? 0 : incoming->told_bytes - incoming->come_bytes;
}

static void set_slow(struct weft__incoming *incoming, bool slow)
{
	incoming->path->slow_count += slow - incoming->slow;
	incoming->slow = slow;
}

void weft__budget_expect(struct weft__incoming *incoming, uint64_t told_bytes)
{
	struct weft__path_port *port = weft__path_port(incoming->path);

	port->expected_bytes -= expected(incoming);
	incoming->told_bytes = told_bytes;
	port->expected_bytes += expected(incoming);
}

void weft__budget_come(struct weft__incoming *incoming, uint64_t bytes)
{
	struct weft__path_port *port = weft__path_port(incoming->path);
	uint64_t open_bytes = incoming->told_bytes - incoming->come_bytes;

	port->expected_bytes -= expected(incoming);
	/* The last grain is not whole, and what came before its sender said that it waits was not told of. */
	incoming->come_bytes += bytes < open_bytes ? bytes : open_bytes;
	if (incoming->path->proven_bytes < WEFT__WINDOW_BYTES)
		incoming->path->proven_bytes += (uint32_t)bytes;
	if (incoming->come_bytes == incoming->told_bytes)
		set_slow(incoming, false);
	port->expected_bytes += expected(incoming);
}

void weft__budget_is_slow(struct weft__incoming *incoming)
{
	weft__path_port(incoming->path)->expected_bytes -= expected(incoming);
	set_slow(incoming, true);
	incoming->path->proven_bytes = WEFT__UNSCHEDULED_BYTES;
}

void weft__budget_forget(struct weft__incoming *incoming)
{
	weft__path_port(incoming->path)->expected_bytes -= expected(incoming);
	set_slow(incoming, false);
}

/* One alone may have a quarter of it, once it has shown that it uses what it is granted; and somebody may always have a step. */
uint64_t weft__budget_left(const struct weft__incoming *incoming)
{
	const struct weft__path_port *port = weft__path_port(incoming->path);
	uint64_t left_bytes = port->budget_bytes > port->expected_bytes ? port->budget_bytes - port->expected_bytes : 0;
	uint64_t open_bytes = incoming->told_bytes - incoming->come_bytes, own_bytes = port->budget_bytes / 4;

	own_bytes = own_bytes < incoming->path->proven_bytes ? own_bytes : incoming->path->proven_bytes;
	own_bytes = own_bytes > open_bytes ? own_bytes - open_bytes : 0;
	if (!port->expected_bytes && !open_bytes)
		return weft__budget_step(incoming) > own_bytes ? weft__budget_step(incoming) : own_bytes;
	return left_bytes < own_bytes ? left_bytes : own_bytes;
}

uint64_t weft__budget_step(const struct weft__incoming *incoming)
{
	uint64_t of_all_bytes = weft__path_port(incoming->path)->budget_bytes / 16;
	uint64_t of_own_bytes = incoming->path->proven_bytes / 4;
	uint64_t step_bytes = of_all_bytes < of_own_bytes ? of_all_bytes : of_own_bytes;

	return step_bytes / WEFT__GRAIN_BYTES * WEFT__GRAIN_BYTES;
}

/* ---- what goes without a grant ---- */

void weft__budget_tell(struct weft__path *path)
{
	struct weft__path_port *port = weft__path_port(path);
	uint64_t share_bytes = port->budget_bytes / (port->receiving_paths ? port->receiving_paths : 1);
	uint32_t allowed_bytes = WEFT__UNSCHEDULED_BYTES;
	unsigned char *to;

	while (allowed_bytes > share_bytes)
		allowed_bytes /= 2;
	if (allowed_bytes < ALLOWANCE_MIN_BYTES || weft__room_is_tight(path))
		allowed_bytes = 0;
	if (allowed_bytes == path->allowed_bytes)
		return;
	to = weft__path_say(path, WEFT_CLASS_EXPRESS, WEFT__ALLOW_BYTES);
	if (!to)
		return; /* the next message finds it so */
	weft__allow_write(to, ++path->allow_said, allowed_bytes);
	path->allowed_bytes = allowed_bytes;
}

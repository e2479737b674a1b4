/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft perf wake`: what two connected processes use of a core while nothing happens, and how long a message takes to one
 * that sleeps, beside a bare eventfd. Both are one way: from before the send (the write) until the sleeper runs its
 * handler (its next instruction), after the same pause.
 */
#include "perf.h"

#include "bare.h"

#include <string.h>
#include <time.h>

#define PAUSE_NS 2000000u /* longer than any spin before sleeping */
#define SETTLE_NS 300000000u
#define ROUNDS 5u
#define WAKES 200u /* a round */

/* What the sleeper says of a message: how long it was on its way, and how often it has slept so far. */
struct woken {
	uint64_t ticks, sleeps;
};

struct waker {
	struct woken last;
	uint64_t answers;
};

static void on_message(struct weft_rx *rx, void *user)
{
	uint64_t now = weft_clock_ticks(), sent;
	struct perf_side *side = user;
	struct weft_worker_stats stats;
	struct woken woken;

	if (rx->len_bytes != sizeof sent)
		return;
	memcpy(&sent, rx->data, sizeof sent);
	weft_worker_describe(side->worker, &stats);
	/* Counters of two cores may differ by a few ticks. */
	woken = (struct woken){now > sent ? now - sent : 0, stats.sleeps};
	weft_send(side->peer, &woken, sizeof woken);
}

static void on_woken(struct weft_rx *rx, void *user)
{
	struct waker *waker = user;

	if (rx->len_bytes == sizeof waker->last)
		memcpy(&waker->last, rx->data, sizeof waker->last);
	waker->answers++;
}

static int serve(struct perf_side *side)
{
	int rc = perf_side_connect(side);

	weft_channel_handle(side->channel, on_message, side);
	return rc;
}

/* Processor time of a whole process so far. */
static double cpu_ns(clockid_t clock)
{
	struct timespec spent = {0};

	clock_gettime(clock, &spent);
	return (double)spent.tv_sec * 1e9 + (double)spent.tv_nsec;
}

static void turn_until(struct perf_side *side, uint64_t end_ns)
{
	while (perf_now() < end_ns)
		weft_worker_turn(side->worker, end_ns);
}

static int measure_idle(struct perf_side *side, struct perf_result *result)
{
	double client_ns, server_ns, elapsed_ns;
	clockid_t server;
	uint64_t start_ns;

	if (clock_getcpuclockid(side->peer_pid, &server) != 0)
		return weft_set_error(WEFT_ENOENT, "the processor time of the other process cannot be read");
	turn_until(side, perf_now() + SETTLE_NS);
	client_ns = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
	server_ns = cpu_ns(server);
	start_ns = perf_now();
	turn_until(side, start_ns + (uint64_t)(side->opts->seconds * 1e9));
	elapsed_ns = (double)(perf_now() - start_ns);
	client_ns = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - client_ns;
	server_ns = cpu_ns(server) - server_ns;
	perf_figure(result, "idle_client_percent", 100 * client_ns / elapsed_ns);
	perf_figure(result, "idle_server_percent", 100 * server_ns / elapsed_ns);
	return 0;
}

/* One message to the sleeper, after a pause. This side stays awake, as the bare waker does. */
static int wake_once(struct perf_side *side, struct waker *waker)
{
	uint64_t wanted = waker->answers + 1, until_ns = perf_now() + PAUSE_NS, sent;
	int rc;

	while (perf_now() < until_ns)
		weft_worker_poll(side->worker);
	sent = weft_clock_ticks();
	rc = weft_send(side->peer, &sent, sizeof sent);
	while (rc == 0 && waker->answers < wanted) {
		weft_worker_poll(side->worker);
		rc = weft_sender_status(side->peer);
	}
	return rc;
}

static int measure_wakes(struct perf_side *side, struct waker *waker, struct weft_histogram *out)
{
	double wakes = side->opts->seconds * 1e9 / PAUSE_NS;
	int rc = wake_once(side, waker);

	for (unsigned int i = 0; rc == 0 && i < WAKES && i < wakes; i++) {
		uint64_t sleeps = waker->last.sleeps;

		rc = wake_once(side, waker);
		if (waker->last.sleeps != sleeps) /* else it was not asleep */
			perf_record_ticks(out, waker->last.ticks);
	}
	return rc;
}

static int measure(struct perf_side *side, struct perf_result *result)
{
	bool is_first = result->figure_count == 0;
	struct waker waker = {0};
	int rc;

	weft_channel_handle(side->channel, on_woken, &waker);
	rc = perf_side_connect(side);
	if (rc == 0 && is_first)
		rc = measure_idle(side, result);
	return rc < 0 ? rc : measure_wakes(side, &waker, result->distributions[0].ns);
}

/* While there is no pair, which would take turns with it on the cores. */
static int measure_floor(const struct perf_opts *opts, struct weft_histogram *out)
{
	struct floor_latency latency;
	struct floor_opts floor;

	if (opts->core_client < 0 || opts->core_client == opts->core_server)
		return 0; /* it needs a core for each */
	floor_opts_init(&floor, sizeof floor);
	floor.sender_core = opts->core_client;
	floor.receiver_core = opts->core_server;
	floor.iterations = opts->seconds < 1 ? WAKES / 10 : WAKES;
	return floor_wake(&floor, FLOOR_WAKE_EVENTFD, PAUSE_NS, out, &latency);
}

/* The two in turns, since what waking costs changes with the state of the machine. */
static int run(const struct perf_opts *opts, struct perf_result *result)
{
	struct weft_histogram *woken_ns, *floor_ns;
	int rc = perf_distribution(result, "wake_up_ns", &woken_ns);

	if (rc == 0)
		rc = perf_distribution(result, "eventfd_wake_up_ns", &floor_ns);
	for (unsigned int i = 0; rc == 0 && i < ROUNDS; i++) {
		rc = measure_floor(opts, floor_ns);
		if (rc == 0)
			rc = perf_pair(opts, serve, measure, result);
	}
	if (rc == 0 && !weft_histogram_count(woken_ns))
		rc = weft_set_error(WEFT_EIO, "the other side never slept");
	return rc;
}

const struct perf_test perf_wake = {
	.name = "wake",
	.help = "processor time while idle, and waking up",
	.run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft perf lat`: one message there and one back, one at a time, through the public API.
 */
#include "perf.h"

#include <string.h>

#define ROUND_TRIPS 256 /* between two looks at the clock and the histogram, unless each takes long */
#define LONG_BYTES (64 << 10)

struct pong {
	struct perf_side *side;
	uint64_t received;
};

/* The client's. Its handler stays set after a run. */
static struct pong pong;

static void on_ping(struct weft_rx *rx, void *user)
{
	struct perf_side *side = user;

	perf_sink += perf_read(side, rx->data, rx->len_bytes);
	/* Not from the sum, which would wait for all that was read: neither the floor nor the peers do. */
	perf_write(side, side->payload, (unsigned char)++side->answered);
	perf_answer(side, rx->len_bytes);
}

static void on_pong(struct weft_rx *rx, void *user)
{
	(void)user;
	perf_sink += perf_read(pong.side, rx->data, rx->len_bytes);
	pong.received++;
}

int perf_lat_serve(struct perf_side *side)
{
	int rc = perf_side_connect(side);

	weft_channel_handle(side->channel, on_ping, side);
	return rc;
}

static unsigned int batch_of(const struct perf_side *side)
{
	return side->opts->len_bytes > LONG_BYTES ? 1 : ROUND_TRIPS;
}

/* There and back once. */
static inline int round_trip(struct perf_side *side)
{
	uint64_t wanted = pong.received + 1;
	int rc;

	perf_write(side, side->payload, (unsigned char)wanted);
	while ((rc = weft_send(side->peer, side->payload, side->opts->len_bytes)) == -WEFT_EAGAIN)
		weft_worker_turn(side->worker, WEFT_NEVER);
	while (rc == 0 && pong.received < wanted) {
		weft_worker_turn(side->worker, WEFT_NEVER);
		rc = weft_sender_status(side->peer);
	}
	return rc;
}

int perf_lat_connect(struct perf_side *side)
{
	pong = (struct pong){.side = side};
	weft_channel_handle(side->channel, on_pong, NULL);
	return perf_side_connect(side);
}

/* A batch of round trips, each from the end of the one before. */
static unsigned int run_batch(struct perf_side *side, uint64_t *spans, int *status)
{
	uint64_t before = weft_clock_ticks(), now;
	unsigned int count;

	for (count = 0; count < batch_of(side) && *status == 0; count++) {
		*status = round_trip(side);
		now = weft_clock_ticks();
		spans[count] = now - before;
		before = now;
	}
	return count;
}

/* The same with something else done between them, and after each turn. */
static unsigned int run_batch_beside(struct perf_side *side, uint64_t *spans, perf_beside_fn *beside, void *user,
				     int *status)
{
	unsigned int count;

	for (count = 0; count < batch_of(side) && *status == 0; count++) {
		uint64_t wanted = pong.received + 1, before;

		*status = beside(user);
		if (*status < 0)
			break;
		before = weft_clock_ticks();
		perf_write(side, side->payload, (unsigned char)wanted);
		while ((*status = weft_send(side->peer, side->payload, side->opts->len_bytes)) == -WEFT_EAGAIN)
			weft_worker_turn(side->worker, WEFT_NEVER);
		while (*status == 0 && pong.received < wanted) {
			weft_worker_turn(side->worker, WEFT_NEVER);
			*status = weft_sender_status(side->peer);
			if (*status == 0 && pong.received < wanted)
				*status = beside(user);
		}
		spans[count] = weft_clock_ticks() - before;
	}
	return count;
}

int perf_lat_run_beside(struct perf_side *side, double seconds, struct weft_histogram *out, perf_beside_fn *beside,
			void *user)
{
	uint64_t start_ns = perf_now(), warm_ns, end_ns, now_ns;
	uint64_t spans[ROUND_TRIPS];
	unsigned int count;
	int rc = 0;

	warm_ns = start_ns + (uint64_t)(seconds * 1e8);
	end_ns = start_ns + (uint64_t)(seconds * 1e9);
	do {
		count = beside ? run_batch_beside(side, spans, beside, user, &rc) : run_batch(side, spans, &rc);
		/* Not in between, where it would be measured too; as the floor does it. */
		for (unsigned int i = 0; i < count; i++)
			perf_record_ticks(out, spans[i]);
		now_ns = perf_now();
		if (now_ns < warm_ns)
			weft_histogram_reset(out);
	} while (rc == 0 && now_ns < end_ns);
	return rc;
}

int perf_lat_run(struct perf_side *side, double seconds, struct weft_histogram *out)
{
	return perf_lat_run_beside(side, seconds, out, NULL, NULL);
}

static int measure(struct perf_side *side, struct perf_result *result)
{
	int rc = perf_lat_connect(side);

	return rc < 0 ? rc : perf_lat_run(side, side->opts->seconds, result->latency_ns);
}

const struct perf_test perf_lat = {
	.name = "lat",
	.help = "round trip of one message at a time",
	.default_len_bytes = 64,
	.max_len_bytes = 64 << 20,
	.default_window = 1,
	.floor = PERF_FLOOR_ROUND_TRIP,
	.over_networks = true,
	.serve = perf_lat_serve,
	.measure = measure,
};

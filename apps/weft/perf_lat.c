/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft perf lat`: one message there and one back, one at a time, through the public API.
 */
#include "perf.h"

#include <string.h>

#define ROUND_TRIPS 256 /* between two looks at the clock and the histogram */

struct pong {
	struct perf_side *side;
	uint64_t received;
};

static void on_ping(struct weft_rx *rx, void *user)
{
	struct perf_side *side = user;

	perf_sink += perf_read(side, rx->data, rx->len_bytes);
	perf_write(side, side->payload, (unsigned char)perf_sink);
	weft_send(side->peer, side->payload, rx->len_bytes);
}

static void on_pong(struct weft_rx *rx, void *user)
{
	struct pong *pong = user;

	perf_sink += perf_read(pong->side, rx->data, rx->len_bytes);
	pong->received++;
}

static int serve(struct perf_side *side)
{
	int rc = perf_side_connect(side);

	weft_channel_handle(side->channel, on_ping, side);
	return rc;
}

/* There and back once. */
static int round_trip(struct perf_side *side, struct pong *pong)
{
	uint64_t wanted = pong->received + 1;
	int rc;

	perf_write(side, side->payload, (unsigned char)wanted);
	while ((rc = weft_send(side->peer, side->payload, side->opts->len_bytes)) == -WEFT_EAGAIN)
		weft_worker_turn(side->worker, WEFT_NEVER);
	while (rc == 0 && pong->received < wanted) {
		weft_worker_turn(side->worker, WEFT_NEVER);
		rc = weft_sender_status(side->peer);
	}
	return rc;
}

static int measure(struct perf_side *side, struct perf_result *result)
{
	struct pong pong = {.side = side};
	uint64_t start_ns, warm_ns, end_ns, now_ns, before, now;
	uint64_t spans[ROUND_TRIPS];
	unsigned int count;
	int rc;

	weft_channel_handle(side->channel, on_pong, &pong);
	rc = perf_side_connect(side);
	if (rc < 0)
		return rc;
	start_ns = weft_clock_now(weft_clock_real());
	warm_ns = start_ns + (uint64_t)(side->opts->seconds * 1e8);
	end_ns = start_ns + (uint64_t)(side->opts->seconds * 1e9);
	do {
		before = weft_clock_ticks();
		for (count = 0; count < ROUND_TRIPS && rc == 0; count++) {
			rc = round_trip(side, &pong);
			now = weft_clock_ticks();
			spans[count] = now - before;
			before = now;
		}
		/* Not in between, where it would be measured too; as the floor does it. */
		for (unsigned int i = 0; i < count; i++)
			weft_histogram_record(result->latency_ns, (uint64_t)(weft_clock_ticks_to_ns(spans[i]) + 0.5));
		now_ns = weft_clock_now(weft_clock_real());
		if (now_ns < warm_ns)
			weft_histogram_reset(result->latency_ns);
	} while (rc == 0 && now_ns < end_ns);
	return rc;
}

const struct perf_test perf_lat = {"lat", "round trip of one message at a time", 64, 1, serve, measure};

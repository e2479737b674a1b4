/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft perf rpc`: requests with --window of them in flight; their rate, and the time of one of each window.
 */
#include "perf.h"

#include <string.h>

struct flight {
	struct perf_side *side;
	struct weft_histogram *latency_ns;
	uint64_t answered, failed;
	unsigned int out, untimed;
};

/* One request under way; user of its callback. */
struct ticket {
	struct flight *flight;
	struct ticket *next;
	uint64_t sent_ticks; /* 0: not timed */
};

static struct ticket tickets[1024];
static struct ticket *free_tickets;

static void on_request(struct weft_rx *rx, void *user)
{
	struct perf_side *side = user;

	perf_sink += perf_read(side, rx->data, rx->len_bytes);
	/* Not from the sum, which would wait for all that was read: neither the floor nor the peers do. */
	perf_write(side, side->payload, (unsigned char)++side->answered);
	if (weft_reply(rx, side->payload, rx->len_bytes) == -WEFT_EAGAIN)
		weft_reply_error(rx, -WEFT_EAGAIN); /* the client says so, instead of waiting for ever */
}

static int serve(struct perf_side *side)
{
	weft_channel_handle(side->channel, on_request, side);
	return 0;
}

static void on_reply(struct weft_rx *reply, int status, void *user)
{
	struct ticket *ticket = user;
	struct flight *flight = ticket->flight;

	if (status == 0)
		perf_sink += perf_read(flight->side, reply->data, reply->len_bytes);
	else
		flight->failed++;
	if (ticket->sent_ticks)
		perf_record_ticks(flight->latency_ns, weft_clock_ticks() - ticket->sent_ticks);
	flight->answered++;
	flight->out--;
	ticket->next = free_tickets;
	free_tickets = ticket;
}

/* One request of a window is timed: to ask the clock twice takes as long as half a request. */
static uint64_t sent_now(struct perf_side *side, struct flight *flight)
{
	if (++flight->untimed < side->opts->window)
		return 0;
	flight->untimed = 0;
	return weft_clock_ticks();
}

static int fill_window(struct perf_side *side, struct flight *flight)
{
	int rc = 0;

	while (rc == 0 && flight->out < side->opts->window) {
		struct ticket *ticket = free_tickets;
		bool is_last = flight->out + 1 == side->opts->window;

		perf_write(side, side->payload, (unsigned char)flight->answered);
		ticket->sent_ticks = sent_now(side, flight);
		rc = (is_last ? weft_request : weft_request_more)(side->peer, side->payload, side->opts->len_bytes,
								  WEFT_NEVER, on_reply, ticket, NULL);
		if (rc == 0) {
			free_tickets = ticket->next;
			flight->out++;
		}
	}
	return rc == -WEFT_EAGAIN ? 0 : rc;
}

static int measure(struct perf_side *side, struct perf_result *result)
{
	struct flight flight = {.side = side, .latency_ns = result->latency_ns};
	uint64_t start_ns, warm_ns, end_ns, now_ns, first = 0;
	int rc = perf_side_connect(side);

	if (rc < 0)
		return rc;
	for (unsigned int i = 0; i < sizeof tickets / sizeof *tickets; i++) {
		tickets[i] = (struct ticket){&flight, free_tickets, 0};
		free_tickets = &tickets[i];
	}
	start_ns = weft_clock_now(weft_clock_real());
	warm_ns = start_ns + (uint64_t)(side->opts->seconds * 1e8);
	end_ns = start_ns + (uint64_t)(side->opts->seconds * 1e9);
	do {
		for (unsigned int i = 0; i < 256 && rc == 0; i++) {
			rc = fill_window(side, &flight);
			weft_worker_poll(side->worker);
		}
		now_ns = weft_clock_now(weft_clock_real());
		if (now_ns < warm_ns) {
			weft_histogram_reset(flight.latency_ns);
			first = flight.answered;
			start_ns = now_ns;
		}
	} while (rc == 0 && now_ns < end_ns);
	result->rate = (double)(flight.answered - first) * 1e9 / (double)(now_ns - start_ns);
	result->bytes_per_second = result->rate * (double)side->opts->len_bytes;
	while (rc == 0 && flight.out)
		weft_worker_poll(side->worker);
	if (rc == 0 && flight.failed)
		rc = weft_set_error(WEFT_EIO, "%llu requests failed", (unsigned long long)flight.failed);
	return rc;
}

const struct perf_test perf_rpc = {
	.name = "rpc",
	.help = "requests and replies",
	.default_len_bytes = 32,
	.max_len_bytes = 64 << 10,
	.default_window = 1,
	.floor = PERF_FLOOR_ROUND_TRIP,
	.over_networks = true,
	.serve = serve,
	.measure = measure,
};

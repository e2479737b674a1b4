/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft perf rate` and `weft perf bw`: one way, as fast as the receiver takes it. rate sends copies, each committed on its
 * own or in bursts of --window; bw fills loans and hands them over. The receiver says at the end how many have come.
 */
#include "perf.h"

#include <string.h>

struct counted {
	struct perf_side *side;
	uint64_t messages, bytes;
};

/* The server's counters; a request asks for them. */
static struct counted counted;

static void on_message(struct weft_rx *rx, void *user)
{
	(void)user;
	if (rx->is_request) {
		weft_reply(rx, &counted.messages, sizeof counted.messages);
		return;
	}
	perf_sink += perf_read(counted.side, rx->data, rx->len_bytes);
	counted.messages++;
	counted.bytes += rx->len_bytes;
}

static int serve(struct perf_side *side)
{
	counted.side = side;
	weft_channel_handle(side->channel, on_message, NULL);
	return 0;
}

struct asked {
	uint64_t messages;
	int status;
	bool done;
};

static void on_count(struct weft_rx *reply, int status, void *user)
{
	struct asked *asked = user;

	asked->status = status;
	if (status == 0 && reply->len_bytes == sizeof asked->messages)
		memcpy(&asked->messages, reply->data, sizeof asked->messages);
	asked->done = true;
}

/* What the receiver has counted: everything that was sent before, since requests keep the lane's order. */
static int ask_count(struct perf_side *side, uint64_t *out)
{
	struct asked asked = {0};
	int rc;

	while ((rc = weft_request(side->peer, "", 1, WEFT_NEVER, on_count, &asked, NULL)) == -WEFT_EAGAIN)
		weft_worker_turn(side->worker, WEFT_NEVER);
	while (rc == 0 && !asked.done)
		weft_worker_turn(side->worker, WEFT_NEVER);
	*out = asked.messages;
	return rc < 0 ? rc : asked.status;
}

/* Sends as much of a burst as there is room for; adds to *sent. */
static int send_burst(struct perf_side *side, uint64_t *sent)
{
	unsigned int window = side->opts->window;
	int rc = 0;

	for (unsigned int i = 0; i < window && rc == 0; i++) {
		perf_write(side, side->payload, (unsigned char)i);
		rc = i + 1 < window ? weft_send_more(side->peer, side->payload, side->opts->len_bytes)
				    : weft_send(side->peer, side->payload, side->opts->len_bytes);
		*sent += rc == 0;
	}
	if (rc == -WEFT_EAGAIN)
		weft_sender_flush(side->peer);
	return rc;
}

static int send_loan(struct perf_side *side, uint64_t *sent)
{
	struct weft_loan *loan;
	int rc = weft_loan_get(side->worker, side->opts->len_bytes, &loan);

	if (rc < 0)
		return rc;
	perf_write(side, weft_loan_data(loan), 1);
	rc = weft_send_loan(side->peer, loan, NULL);
	*sent += rc == 0;
	if (rc == -WEFT_EAGAIN)
		weft_loan_release(loan);
	return rc;
}

static int measure_with(struct perf_side *side, struct perf_result *result,
			int (*send_some)(struct perf_side *side, uint64_t *sent))
{
	uint64_t start_ns, end_ns, now_ns, sent = 0, first = 0, last = 0;
	unsigned int sends = side->opts->len_bytes > 1 << 20 ? 1 : 64; /* between two looks at the clock */
	bool warm = false;
	int rc = perf_side_connect(side);

	if (rc < 0)
		return rc;
	start_ns = weft_clock_now(weft_clock_real());
	end_ns = start_ns + (uint64_t)(side->opts->seconds * 1e8);
	/* However short the time and busy the machine, something is measured. */
	do {
		for (unsigned int i = 0; i < sends && (rc == 0 || rc == -WEFT_EAGAIN); i++) {
			rc = send_some(side, &sent);
			if (rc == -WEFT_EAGAIN)
				weft_worker_poll(side->worker);
		}
		weft_worker_poll(side->worker);
		now_ns = weft_clock_now(weft_clock_real());
		if (!warm && now_ns > end_ns && sent) {
			warm = true;
			sent = 0;
			rc = ask_count(side, &first);
			start_ns = now_ns = weft_clock_now(weft_clock_real());
			end_ns = start_ns + (uint64_t)(side->opts->seconds * 9e8);
		}
	} while ((rc == 0 || rc == -WEFT_EAGAIN) && (!warm || !sent || now_ns < end_ns));
	if (rc == 0 || rc == -WEFT_EAGAIN)
		rc = ask_count(side, &last);
	now_ns = weft_clock_now(weft_clock_real());
	result->rate = (double)(last - first) * 1e9 / (double)(now_ns - start_ns);
	result->bytes_per_second = result->rate * (double)side->opts->len_bytes;
	return rc;
}

static int measure_rate(struct perf_side *side, struct perf_result *result)
{
	return measure_with(side, result, send_burst);
}

static int measure_bw(struct perf_side *side, struct perf_result *result)
{
	return measure_with(side, result, send_loan);
}

const struct perf_test perf_rate = {
	.name = "rate",
	.help = "messages a second, one way",
	.default_len_bytes = 64,
	.max_len_bytes = 64 << 20,
	.default_window = 1,
	.floor = PERF_FLOOR_ONE_WAY,
	.over_networks = true,
	.serve = serve,
	.measure = measure_rate,
};
const struct perf_test perf_bw = {
	.name = "bw",
	.help = "bytes a second by filled loans, one way",
	.default_len_bytes = 1 << 20,
	.max_len_bytes = 256 << 20,
	.default_window = 1,
	.floor = PERF_FLOOR_ONE_WAY,
	.over_networks = true,
	.serve = serve,
	.measure = measure_bw,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft perf loan`: a loan that is filled already is handed over and answered by a small message; only the hand-over is
 * timed, so the figure must not depend on the size.
 */
#include "perf.h"

#include <string.h>

struct handed {
	struct perf_side *side;
	uint64_t answers;
};

/* What is written of each loan, and answered with. */
static size_t touched_bytes(const struct perf_side *side)
{
	return side->opts->len_bytes < 8 ? side->opts->len_bytes : 8;
}

static void on_loan(struct weft_rx *rx, void *user)
{
	struct perf_side *side = user;

	if (rx->len_bytes)
		perf_sink += *(const unsigned char *)rx->data;
	perf_answer(side, touched_bytes(side));
}

static void on_answer(struct weft_rx *rx, void *user)
{
	struct handed *handed = user;

	(void)rx;
	handed->answers++;
}

static int serve(struct perf_side *side)
{
	int rc = perf_side_connect(side);

	weft_channel_handle(side->channel, on_loan, side);
	return rc;
}

/* A loan of the test's size, with its beginning written; the rest stays as it came. */
static int filled_loan(struct perf_side *side, struct weft_loan **out)
{
	int rc = perf_loan_get(side, side->opts->len_bytes, out);

	if (rc == 0)
		memset(weft_loan_data(*out), 1, touched_bytes(side));
	return rc;
}

static int hand_over(struct perf_side *side, struct handed *handed, uint64_t *ticks)
{
	uint64_t wanted = handed->answers + 1, before;
	struct weft_loan *loan;
	int rc = filled_loan(side, &loan);

	if (rc < 0)
		return rc;
	before = weft_clock_ticks();
	while ((rc = weft_send_loan(side->peer, loan, NULL)) == -WEFT_EAGAIN)
		weft_worker_turn(side->worker, WEFT_NEVER);
	while (rc == 0 && handed->answers < wanted) {
		weft_worker_turn(side->worker, WEFT_NEVER);
		rc = weft_sender_status(side->peer);
	}
	*ticks = weft_clock_ticks() - before;
	return rc;
}

static int measure(struct perf_side *side, struct perf_result *result)
{
	struct handed handed = {.side = side};
	uint64_t start_ns, warm_ns, end_ns, now_ns, ticks = 0;
	unsigned int hand_overs = side->opts->len_bytes > 1 << 20 ? 1 : 256; /* between two looks at the clock */
	int rc;

	weft_channel_handle(side->channel, on_answer, &handed);
	rc = perf_side_connect(side);
	if (rc < 0)
		return rc;
	start_ns = weft_clock_now(weft_clock_real());
	warm_ns = start_ns + (uint64_t)(side->opts->seconds * 1e8);
	end_ns = start_ns + (uint64_t)(side->opts->seconds * 1e9);
	do {
		for (unsigned int i = 0; i < hand_overs && rc == 0; i++) {
			rc = hand_over(side, &handed, &ticks);
			weft_histogram_record(result->latency_ns, (uint64_t)(weft_clock_ticks_to_ns(ticks) + 0.5));
		}
		now_ns = weft_clock_now(weft_clock_real());
		if (now_ns < warm_ns)
			weft_histogram_reset(result->latency_ns);
	} while (rc == 0 && now_ns < end_ns);
	return rc;
}

const struct perf_test perf_loan = {
	.name = "loan",
	.help = "hand-over of a filled loan, and a small answer",
	.default_len_bytes = 1 << 20,
	.max_len_bytes = 256 << 20,
	.default_window = 1,
	.over_networks = true,
	.serve = serve,
	.measure = measure,
};

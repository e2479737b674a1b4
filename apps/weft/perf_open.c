/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft perf open`: how long it takes to open a node with the default options, and until the first message has arrived at
 * a peer that never heard of us: from the opening of the sender to the peer's handler.
 */
#include "perf.h"

#include <stdio.h>
#include <string.h>

#define MESSAGE "first"

/* Answers with the time of arrival. */
static void on_first(struct weft_rx *rx, void *user)
{
	uint64_t now = weft_clock_ticks();

	(void)user;
	weft_reply(rx, &now, sizeof now);
}

static int serve(struct perf_side *side)
{
	weft_channel_handle(side->channel, on_first, NULL);
	return 0;
}

struct arrival {
	uint64_t ticks;
	int status;
	bool done;
};

static void on_arrival(struct weft_rx *reply, int status, void *user)
{
	struct arrival *arrival = user;

	arrival->status = status;
	if (status == 0 && reply->len_bytes == sizeof arrival->ticks)
		memcpy(&arrival->ticks, reply->data, sizeof arrival->ticks);
	arrival->done = true;
}

static int first_message(struct perf_side *side, struct weft_histogram *out)
{
	struct arrival arrival = {0};
	uint64_t start = weft_clock_ticks();
	int rc = perf_side_connect(side);

	if (rc == 0)
		rc = weft_request(side->peer, MESSAGE, sizeof MESSAGE, WEFT_NEVER, on_arrival, &arrival, NULL);
	while (rc == 0 && !arrival.done)
		weft_worker_turn(side->worker, WEFT_NEVER);
	if (rc == 0)
		rc = arrival.status;
	if (rc == 0)
		perf_record_ticks(out, arrival.ticks > start ? arrival.ticks - start : 0);
	return rc;
}

static int open_node(struct weft_histogram *out)
{
	uint64_t start = weft_clock_ticks();
	struct weft_node *node;
	int rc = weft_node_open(NULL, &node);

	if (rc < 0)
		return rc;
	perf_record_ticks(out, weft_clock_ticks() - start);
	weft_node_close(&node);
	return 0;
}

/* A node, of which the peer has not heard, and its message. */
static int meet(const struct perf_opts *opts, const char *peer, unsigned int round, struct weft_histogram *out)
{
	char name[64], role[32];
	struct perf_side side;
	int rc;

	snprintf(role, sizeof role, "stranger-%u", round);
	perf_name(name, role);
	rc = perf_side_open(&side, opts, name, peer, opts->core_client);
	if (rc == 0)
		rc = first_message(&side, out);
	perf_side_close(&side);
	return rc;
}

static int measure(struct perf_side *side, struct perf_result *result)
{
	uint64_t end_ns = perf_now() + (uint64_t)(side->opts->seconds * 1e9);
	struct weft_histogram *open_ns, *first_ns;
	int rc = perf_distribution(result, "node_open_ns", &open_ns);

	if (rc == 0)
		rc = perf_distribution(result, "first_message_ns", &first_ns);
	for (unsigned int round = 0; rc == 0 && (round == 0 || perf_now() < end_ns); round++) {
		rc = open_node(open_ns);
		if (rc == 0)
			rc = meet(side->opts, side->peer_name, round, first_ns);
	}
	return rc;
}

const struct perf_test perf_open = {
	.name = "open",
	.help = "opening a node, and the first message to a new peer",
	.serve = serve,
	.measure = measure,
};

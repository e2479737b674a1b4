/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the machine itself can do, measured just before weft: round trips or messages of the same size, by nothing but
 * shared memory, or over loopback by nothing but datagrams.
 */
#include "floor.h"
#include "perf.h"

#define LINE_BYTES 64u
#define NUMBERED_BYTES 56u /* beside a sequence number, in one line */
#define SMALL_BUFFER_BYTES 4096u
#define BURST_MAX 256u
#define MOVED_BYTES ((size_t)1 << 30)
#define FEW_BYTES ((size_t)16 << 20)

static void floor_opts_of(const struct perf *perf, struct floor_opts *out)
{
	floor_opts_init(out, sizeof *out);
	out->sender_core = perf->opts.core_client;
	out->receiver_core = perf->opts.core_server;
}

static bool on_two_cores(const struct perf *perf)
{
	return perf->opts.core_client >= 0 && perf->opts.core_client != perf->opts.core_server;
}

/* Two rings that carry the same payload; on one core, or not pinned, a line that both yield over. */
static void round_trip(struct perf *perf)
{
	size_t len_bytes = perf->opts.len_bytes;
	struct floor_latency latency;
	struct floor_opts opts;
	int rc;

	if (len_bytes > 4096 || weft_histogram_open(&perf->floor_ns) < 0)
		return;
	floor_opts_of(perf, &opts);
	opts.iterations = 300000;
	if (on_two_cores(perf) && len_bytes >= 8 && len_bytes % 8 == 0)
		rc = floor_ring_pingpong(&opts, len_bytes, perf->floor_ns, &latency);
	else
		rc = floor_pingpong(len_bytes, 300000, perf->opts.core_client, perf->opts.core_server, perf->floor_ns);
	if (rc < 0)
		weft_histogram_close(&perf->floor_ns);
}

static void datagram_round_trip(struct perf *perf)
{
	if (weft_histogram_open(&perf->floor_ns) < 0)
		return;
	if (floor_datagram_pingpong(perf->opts.len_bytes, 50000, perf->opts.core_client, perf->opts.core_server,
				    perf->floor_ns) < 0)
		weft_histogram_close(&perf->floor_ns);
}

/* How many buffers are in turn: enough to overlap, and no more memory than the machine has. */
static unsigned int buffers_for(size_t len_bytes)
{
	return len_bytes <= SMALL_BUFFER_BYTES ? 64 : len_bytes <= FEW_BYTES ? 4 : 2;
}

/*
 * A ring of lines: each with its own number, or in bursts whose end is published. What does not fit in a line beside a
 * number goes as a buffer and a flag.
 */
static void one_way(struct perf *perf)
{
	size_t len_bytes = (perf->opts.len_bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
	unsigned int window = perf->opts.window < BURST_MAX ? perf->opts.window : BURST_MAX;
	bool alone = window == 1;
	struct floor_opts opts;
	int rc;

	if (!on_two_cores(perf) || !perf->opts.touch)
		return;
	floor_opts_of(perf, &opts);
	if (alone ? perf->opts.len_bytes <= NUMBERED_BYTES : len_bytes <= LINE_BYTES) {
		rc = floor_rate(&opts, alone ? 0 : window, &perf->floor_rate);
	} else {
		opts.iterations = MOVED_BYTES / len_bytes > 8 ? MOVED_BYTES / len_bytes : 8;
		if (opts.iterations > 1000000)
			opts.iterations = 1000000;
		rc = floor_handover(&opts, len_bytes, buffers_for(len_bytes), &perf->floor_rate);
	}
	if (rc < 0)
		perf->floor_rate.messages = 0;
}

void perf_floor_measure(struct perf *perf)
{
	if (*perf->opts.networks.peers)
		return; /* between machines there is none to be had here */
	if (perf->opts.network && perf->test->floor == PERF_FLOOR_ROUND_TRIP)
		datagram_round_trip(perf);
	else if (perf->opts.network)
		return;
	else if (perf->test->floor == PERF_FLOOR_ROUND_TRIP)
		round_trip(perf);
	else if (perf->test->floor == PERF_FLOOR_ONE_WAY)
		one_way(perf);
}

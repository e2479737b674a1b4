/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft perf mix`: small messages on an urgent channel, alone, and beside a stream of 1 MiB messages on a bulk channel
 * between the same two workers: as loans that are filled and handed over, and as foreign memory that weft copies
 * (weft_sendv). Bulk messages are written and read on the very threads that wait for the small ones, so this is done in
 * slices between turns, as a program would that cares for both; with --no-touch there is nothing but the handing over.
 */
#include "perf.h"

#include <stdlib.h>
#include <string.h>

#define BULK_CHANNEL "perf-bulk"
#define BULK_BYTES ((size_t)1 << 20)
#define SLICE_BYTES ((size_t)1 << 10)
#define QUEUE 64u

struct bulk {
	struct perf_side *side;
	struct weft_channel *channel;
	struct weft_sender *sender;
	unsigned char *memory;     /* what is sent by copy */
	struct weft_loan *filling; /* and so much of it is written */
	size_t filled_bytes;
	unsigned int out;
	uint64_t sent, failed;
	bool copies;
};

/* What the receiver has yet to read: a ring of loans. */
static struct {
	struct weft_loan *loans[QUEUE];
	unsigned int first, end;
	size_t read_bytes; /* of the first */
} unread;

static void on_bulk(struct weft_rx *rx, void *user)
{
	struct perf_side *side = user;

	if (!side->opts->touch || unread.end - unread.first == QUEUE)
		return;
	if (weft_rx_keep(rx, &unread.loans[unread.end % QUEUE]) == 0)
		unread.end++;
}

static void read_slice(struct perf_side *side)
{
	struct weft_loan *loan;

	if (unread.first == unread.end)
		return;
	loan = unread.loans[unread.first % QUEUE];
	perf_sink += perf_read(side, (const char *)weft_loan_data(loan) + unread.read_bytes, SLICE_BYTES);
	unread.read_bytes += SLICE_BYTES;
	if (unread.read_bytes < weft_loan_len(loan))
		return;
	unread.read_bytes = 0;
	unread.first++;
	weft_loan_release(loan);
}

static int open_bulk_channel(struct perf_side *side, struct weft_channel **out)
{
	struct weft_channel_opts opts;
	int rc;

	weft_channel_opts_init(&opts, sizeof opts);
	opts.priority = WEFT_PRIORITY_BULK;
	opts.max_message_bytes = BULK_BYTES;
	opts.window_bytes = 16 * BULK_BYTES;
	rc = weft_channel_open(side->node, BULK_CHANNEL, &opts, out);
	if (rc == 0)
		weft_channel_handle(*out, on_bulk, side);
	return rc;
}

static int serve(struct perf_side *side)
{
	struct weft_channel *bulk;
	int rc = open_bulk_channel(side, &bulk);

	if (rc == 0)
		rc = perf_lat_serve(side);
	if (rc < 0)
		return rc;
	for (;;) { /* until it is stopped */
		if (weft_worker_poll(side->worker) == 0 && unread.first == unread.end)
			weft_worker_turn(side->worker, WEFT_NEVER);
		read_slice(side);
	}
}

static void on_home(struct weft_op *op, int status, void *user)
{
	struct bulk *bulk = user;

	(void)op;
	bulk->out--;
	if (status == 0)
		bulk->sent++;
	else
		bulk->failed++;
}

/* Another slice of the next loan; -WEFT_EAGAIN until all of it is written, or there is none. */
static int fill_slice(struct bulk *bulk)
{
	int rc = 0;

	if (!bulk->filling) {
		rc = weft_loan_get(bulk->side->worker, BULK_BYTES, &bulk->filling);
		bulk->filled_bytes = bulk->side->opts->touch ? 0 : BULK_BYTES;
	}
	if (rc < 0 || bulk->filled_bytes == BULK_BYTES)
		return rc;
	memset((char *)weft_loan_data(bulk->filling) + bulk->filled_bytes, (int)bulk->sent, SLICE_BYTES);
	bulk->filled_bytes += SLICE_BYTES;
	return bulk->filled_bytes == BULK_BYTES ? 0 : -WEFT_EAGAIN;
}

static int send_bulk(struct bulk *bulk, const struct weft_send_opts *how)
{
	struct iovec iov = {.iov_base = bulk->memory, .iov_len = BULK_BYTES};
	int rc;

	if (bulk->copies)
		return weft_sendv(bulk->sender, &iov, 1, how);
	rc = fill_slice(bulk);
	if (rc == 0)
		rc = weft_send_loan(bulk->sender, bulk->filling, how);
	if (rc == 0)
		bulk->filling = NULL;
	return rc;
}

/* So many are always under way. */
static int top_up(void *user)
{
	struct bulk *bulk = user;
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	int rc = 0;

	how.completion = WEFT_SENT;
	how.done = on_home;
	how.user = bulk;
	while (rc == 0 && bulk->out < bulk->side->opts->window) {
		rc = send_bulk(bulk, &how);
		if (rc == 0)
			bulk->out++;
	}
	if (rc == 0 && bulk->failed)
		rc = weft_set_error(WEFT_EIO, "%llu bulk messages failed", (unsigned long long)bulk->failed);
	return rc == -WEFT_EAGAIN ? 0 : rc;
}

/* For the run without bulk messages, which is timed in the same way. */
static int do_nothing(void *user)
{
	(void)user;
	return 0;
}

static int measure_beside(struct bulk *bulk, struct perf_result *result, bool copies, const char *ns_name,
			  const char *rate_name)
{
	double seconds = bulk->side->opts->seconds;
	struct weft_histogram *out;
	uint64_t start_ns;
	int rc = perf_distribution(result, ns_name, &out);

	if (rc < 0)
		return rc;
	bulk->copies = copies;
	bulk->sent = 0;
	start_ns = perf_now();
	rc = perf_lat_run_beside(bulk->side, seconds, out, top_up, bulk);
	perf_figure(result, rate_name, (double)bulk->sent * (double)BULK_BYTES * 1e9 / (double)(perf_now() - start_ns));
	while (rc == 0 && bulk->out)
		weft_worker_turn(bulk->side->worker, WEFT_NEVER);
	return rc;
}

static int measure(struct perf_side *side, struct perf_result *result)
{
	struct bulk bulk = {.side = side};
	struct weft_histogram *alone_ns;
	int rc = open_bulk_channel(side, &bulk.channel);

	if (rc == 0)
		rc = perf_lat_connect(side);
	if (rc == 0)
		rc = perf_connect(side, bulk.channel, side->peer_name, &bulk.sender);
	if (rc == 0)
		rc = perf_distribution(result, "alone_ns", &alone_ns);
	if (rc == 0)
		rc = perf_lat_run_beside(side, side->opts->seconds, alone_ns, do_nothing, NULL);
	if (rc == 0)
		rc = measure_beside(&bulk, result, false, "beside_loans_ns", "loans_bytes_per_second");
	bulk.memory = calloc(1, BULK_BYTES);
	if (rc == 0)
		rc = bulk.memory ? measure_beside(&bulk, result, true, "beside_copies_ns", "copies_bytes_per_second")
				 : weft_set_error(WEFT_ENOMEM, "no memory for a bulk message");
	if (bulk.filling)
		weft_loan_release(bulk.filling);
	if (bulk.sender)
		weft_sender_close(&bulk.sender);
	free(bulk.memory);
	return rc;
}

static int run(const struct perf_opts *opts, struct perf_result *result)
{
	struct perf_opts urgent = *opts;

	urgent.urgent = true;
	return perf_pair(&urgent, serve, measure, result);
}

const struct perf_test perf_mix = {
	.name = "mix",
	.help = "small urgent messages beside a bulk stream",
	.default_len_bytes = 64,
	.max_len_bytes = 8 << 10,
	.default_window = 4,
	.run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft perf fanout`: one filled loan is lent to 1, 2, ... --count readers, each a process of its own on the server's
 * core. The publisher's time is what it takes to lend it to all of them, and to take it back once all have given it
 * back; waiting for the readers does not count. What each further reader costs is the slope over their number.
 */
#include "perf.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define READERS_MAX 32u

/* How many loans a reader has given back: beside weft, so that the publisher can wait without a turn of its worker. */
struct returned {
	_Alignas(128) _Atomic uint64_t count;
};

struct fanout {
	struct perf_side side;
	struct weft_sender *readers[READERS_MAX];
	pid_t children[READERS_MAX];
	uint64_t sent[READERS_MAX];
	struct weft_histogram *lend_ns[READERS_MAX], *home_ns[READERS_MAX]; /* by the number of readers */
};

static struct returned *returned; /* shared with the readers */
static unsigned int own_index;    /* a reader's */
static uint64_t received;

static void on_loan(struct weft_rx *rx, void *user)
{
	perf_sink += perf_read(user, rx->data, rx->len_bytes);
	received++;
}

/* A reader's life: the core is shared with other readers, so it is given away whenever there is nothing. */
static int read_loans(struct perf_side *side)
{
	uint64_t told = 0;

	weft_channel_handle(side->channel, on_loan, side);
	while (returned) { /* until it is stopped */
		weft_worker_poll(side->worker);
		if (told == received) {
			sched_yield();
			continue;
		}
		told = received;
		/* release: pairs with the acquire in await_readers(); the loan went back in the turn before. */
		atomic_store_explicit(&returned[own_index].count, told, memory_order_release);
	}
	return 0;
}

static void await_readers(const struct fanout *fanout, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		/* acquire: pairs with the release in read_loans(). */
		while (atomic_load_explicit(&returned[i].count, memory_order_acquire) < fanout->sent[i])
			;
}

static int lend_to_all(struct fanout *fanout, struct weft_loan *loan, unsigned int count)
{
	int rc = 0;

	for (unsigned int i = 0; i < count && rc == 0; i++) {
		if (i + 1 < count)
			weft_loan_share(loan);
		while ((rc = weft_send_loan(fanout->readers[i], loan, NULL)) == -WEFT_EAGAIN)
			weft_worker_poll(fanout->side.worker);
		fanout->sent[i]++;
	}
	return rc;
}

/* Once for so many readers. */
static int publish(struct fanout *fanout, unsigned int count, bool counts)
{
	struct weft_node_stats stats = {.loans_out = 1};
	uint64_t start, ticks, home_ticks = 0;
	struct weft_loan *loan;
	int rc = perf_loan_get(&fanout->side, fanout->side.opts->len_bytes, &loan);

	if (rc < 0)
		return rc;
	perf_write(&fanout->side, weft_loan_data(loan), (unsigned char)count);
	start = weft_clock_ticks();
	rc = lend_to_all(fanout, loan, count);
	ticks = weft_clock_ticks() - start;
	if (rc < 0)
		return rc;
	await_readers(fanout, count);
	while (stats.loans_out) {
		start = weft_clock_ticks();
		weft_worker_poll(fanout->side.worker);
		home_ticks += weft_clock_ticks() - start;
		weft_node_describe(fanout->side.node, &stats);
	}
	if (counts) {
		perf_record_ticks(fanout->lend_ns[count - 1], ticks);
		perf_record_ticks(fanout->home_ns[count - 1], home_ticks);
	}
	return 0;
}

/* The slope of the medians over 1 to count, by least squares. */
static double slope(struct weft_histogram *const *by_count, unsigned int count)
{
	double mean_x = (count + 1) / 2.0, mean_y = 0, up = 0, down = 0;

	for (unsigned int i = 0; i < count; i++)
		mean_y += (double)weft_histogram_percentile(by_count[i], 50) / count;
	for (unsigned int i = 0; i < count; i++) {
		up += (i + 1 - mean_x) * ((double)weft_histogram_percentile(by_count[i], 50) - mean_y);
		down += (i + 1 - mean_x) * (i + 1 - mean_x);
	}
	return down > 0 ? up / down : 0;
}

static int measure(struct fanout *fanout, const struct perf_opts *opts, struct perf_result *result)
{
	uint64_t start_ns = perf_now(), warm_ns = start_ns + (uint64_t)(opts->seconds * 1e8);
	uint64_t end_ns = start_ns + (uint64_t)(opts->seconds * 1e9), now_ns = start_ns;
	int rc = 0;

	for (unsigned int round = 0; rc == 0 && now_ns < end_ns; round++) {
		rc = publish(fanout, 1 + round % opts->count, now_ns >= warm_ns);
		now_ns = perf_now();
	}
	if (rc < 0)
		return rc;
	perf_figure(result, "first_reader_lend_ns", (double)weft_histogram_percentile(fanout->lend_ns[0], 50));
	perf_figure(result, "further_reader_lend_ns", slope(fanout->lend_ns, opts->count));
	perf_figure(result, "further_reader_home_ns", slope(fanout->home_ns, opts->count));
	return 0;
}

static int open_all(struct fanout *fanout, const struct perf_opts *opts)
{
	char name[64], role[32];
	int rc = 0;

	for (unsigned int i = 0; i < opts->count && rc == 0; i++) {
		snprintf(role, sizeof role, "reader-%u", i);
		perf_name(name, role);
		own_index = i;
		rc = perf_child_start(opts, name, "", opts->core_server, read_loans, &fanout->children[i]);
		if (rc == 0)
			rc = weft_histogram_open(&fanout->lend_ns[i]);
		if (rc == 0)
			rc = weft_histogram_open(&fanout->home_ns[i]);
	}
	perf_name(name, "publisher");
	if (rc == 0)
		rc = perf_side_open(&fanout->side, opts, name, "", opts->core_client);
	for (unsigned int i = 0; i < opts->count && rc == 0; i++) {
		snprintf(role, sizeof role, "reader-%u", i);
		perf_name(name, role);
		rc = perf_connect(&fanout->side, fanout->side.channel, name, &fanout->readers[i]);
	}
	return rc;
}

static int run(const struct perf_opts *opts, struct perf_result *result)
{
	static struct fanout fanout;
	int rc;

	returned = mmap(NULL, READERS_MAX * sizeof *returned, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
			0);
	if (returned == MAP_FAILED)
		return weft_set_error(weft_error_from_errno(errno), "no shared memory: %s", strerror(errno));
	rc = open_all(&fanout, opts);
	if (rc == 0)
		rc = measure(&fanout, opts, result);
	for (unsigned int i = 0; i < opts->count; i++) {
		perf_child_stop(fanout.children[i], SIGTERM);
		weft_histogram_close(&fanout.lend_ns[i]);
		weft_histogram_close(&fanout.home_ns[i]);
	}
	perf_side_close(&fanout.side);
	munmap(returned, READERS_MAX * sizeof *returned);
	return rc;
}

const struct perf_test perf_fanout = {
	.name = "fanout",
	.help = "what each further reader of a loan costs its publisher",
	.default_len_bytes = 64 << 10,
	.max_len_bytes = 256 << 20,
	.default_count = 4,
	.max_count = READERS_MAX,
	.run = run,
};

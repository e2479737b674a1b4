/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft perf pairs`: several pairs of processes exchange messages at the same time, all clients on one core and all servers
 * on the other. Says what the slowest pair gets of its fair share, which is the total by the number of pairs.
 */
#include "command.h"
#include "perf.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAIRS_MAX 64u

/* What the clients share with the parent. */
struct shared {
	_Atomic unsigned int ready;
	uint64_t round_trips[PAIRS_MAX]; /* read once their process has ended */
	uint64_t p50_ns[PAIRS_MAX];
};

struct pair {
	pid_t server, client;
	char server_name[64], client_name[64];
};

/* All begin together. */
static void await_others(struct perf_side *side, struct shared *shared, unsigned int count)
{
	/* release: pairs with the acquire below. */
	atomic_fetch_add_explicit(&shared->ready, 1, memory_order_release);
	/* acquire: pairs with the release above. */
	while (atomic_load_explicit(&shared->ready, memory_order_acquire) < count) {
		weft_worker_poll(side->worker);
		sched_yield();
	}
}

static _Noreturn void run_client(const struct perf_opts *opts, const struct pair *pair, struct shared *shared,
				 unsigned int index)
{
	struct weft_histogram *latency_ns;
	struct perf_side side;
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	rc = weft_histogram_open(&latency_ns);
	if (rc == 0)
		rc = perf_side_open(&side, opts, pair->client_name, pair->server_name, opts->core_client);
	if (rc == 0)
		rc = perf_lat_connect(&side);
	if (rc < 0)
		_exit(command_fail());
	await_others(&side, shared, opts->count);
	rc = perf_lat_run(&side, opts->seconds, latency_ns);
	if (rc < 0)
		_exit(command_fail());
	shared->round_trips[index] = weft_histogram_count(latency_ns);
	shared->p50_ns[index] = weft_histogram_percentile(latency_ns, 50);
	_exit(0);
}

static int start(const struct perf_opts *opts, struct pair *pair, struct shared *shared, unsigned int index)
{
	char role[32];
	int rc;

	snprintf(role, sizeof role, "server-%u", index);
	perf_name(pair->server_name, role);
	snprintf(role, sizeof role, "client-%u", index);
	perf_name(pair->client_name, role);
	rc = perf_child_start(opts, pair->server_name, pair->client_name, opts->core_server, perf_lat_serve,
			      &pair->server);
	if (rc < 0)
		return rc;
	pair->client = fork();
	if (pair->client < 0)
		return weft_set_error(weft_error_from_errno(errno), "no further process: %s", strerror(errno));
	if (pair->client == 0)
		run_client(opts, pair, shared, index);
	return 0;
}

static int await_clients(struct pair *pairs, unsigned int count)
{
	int rc = 0, status;

	for (unsigned int i = 0; i < count && rc == 0; i++) {
		if (waitpid(pairs[i].client, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
			rc = weft_set_error(WEFT_EIO, "a client ended early");
		pairs[i].client = 0;
	}
	return rc;
}

static void judge(const struct perf_opts *opts, const struct shared *shared, struct perf_result *result)
{
	uint64_t total = 0, least = UINT64_MAX;

	for (unsigned int i = 0; i < opts->count; i++) {
		total += shared->round_trips[i];
		least = shared->round_trips[i] < least ? shared->round_trips[i] : least;
	}
	perf_figure(result, "least_share", total ? (double)least * opts->count / (double)total : 0);
	perf_figure(result, "round_trips_per_second", (double)total / (opts->seconds * 0.9)); /* after the warm-up */
}

static int run(const struct perf_opts *opts, struct perf_result *result)
{
	struct shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct pair pairs[PAIRS_MAX] = {0};
	int rc = 0;

	if (shared == MAP_FAILED)
		return weft_set_error(weft_error_from_errno(errno), "no shared memory: %s", strerror(errno));
	for (unsigned int i = 0; i < opts->count && rc == 0; i++)
		rc = start(opts, &pairs[i], shared, i);
	if (rc == 0)
		rc = await_clients(pairs, opts->count);
	if (rc == 0)
		judge(opts, shared, result);
	for (unsigned int i = 0; i < opts->count; i++) {
		perf_child_stop(pairs[i].client, SIGKILL);
		perf_child_stop(pairs[i].server, SIGTERM);
	}
	munmap(shared, sizeof *shared);
	return rc;
}

const struct perf_test perf_pairs = {
	.name = "pairs",
	.help = "several pairs of processes on two cores",
	.default_len_bytes = 64,
	.max_len_bytes = 64 << 10,
	.default_count = 4,
	.max_count = PAIRS_MAX,
	.run = run,
};

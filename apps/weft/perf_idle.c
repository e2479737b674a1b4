/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft perf idle`: round trips of a busy link, first alone, then while both its ends have --count idle links besides,
 * and what an idle link takes of memory at both its ends together. Idle links lead to workers of one further process,
 * with a sender each way. Memory is what the kernel counts for all three processes before and after (Pss, so that a page
 * that several map counts once, and page tables), on 4 KiB pages, of which only those in use count.
 */
#include "perf.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define LINKS_MAX 200u
#define WORKERS_A_NODE 63u
#define CONNECT_NS UINT64_C(30000000000)
#define NODES_MAX (LINKS_MAX / WORKERS_A_NODE + 1)

/* What the crowd has done, and what it is asked to do. */
enum stage {
	STAGE_OPENING,
	STAGE_OPEN,
	STAGE_LINK_CLIENT,
	STAGE_CLIENT_LINKED,
	STAGE_LINK_SERVER,
	STAGE_SERVER_LINKED
};

static _Atomic int *stage; /* shared by the processes */

/* The process at the other end of all idle links. */
struct crowd {
	struct weft_node *nodes[NODES_MAX];
	struct weft_channel *channels[NODES_MAX];
	struct weft_worker *workers[LINKS_MAX];
	struct weft_sender *senders[LINKS_MAX];
	unsigned int count;
};

static void crowd_name(char out[64], unsigned int node)
{
	char role[32];

	snprintf(role, sizeof role, "crowd-%u", node);
	perf_name(out, role);
}

static void ignore(struct weft_rx *rx, void *user)
{
	(void)rx;
	(void)user;
}

static int crowd_open_node(struct crowd *crowd, unsigned int index, const char *name, const struct perf_opts *opts)
{
	struct weft_node_opts node_opts;
	int rc;

	weft_node_opts_init(&node_opts, sizeof node_opts);
	node_opts.name = name;
	node_opts.worker_count = 0;
	node_opts.pages = opts->pages;
	rc = weft_node_open(&node_opts, &crowd->nodes[index]);
	if (rc == 0)
		rc = weft_channel_open(crowd->nodes[index], PERF_CHANNEL, NULL, &crowd->channels[index]);
	if (rc == 0)
		weft_channel_handle(crowd->channels[index], ignore, NULL);
	return rc;
}

static int crowd_open(struct crowd *crowd, const char *client, const struct perf_opts *opts)
{
	char name[64], worker[16];
	int rc = 0;

	for (unsigned int i = 0; i < opts->count && rc == 0; i++) {
		unsigned int node = i / WORKERS_A_NODE;

		/* The name that the client knows. */
		snprintf(name, sizeof name, "%.*scrowd-%u", (int)(strlen(client) - strlen("client")), client, node);
		snprintf(worker, sizeof worker, "w%u", i);
		if (!crowd->nodes[node])
			rc = crowd_open_node(crowd, node, name, opts);
		if (rc == 0)
			rc = weft_attach(crowd->nodes[node], worker, &crowd->workers[i]);
		crowd->count += rc == 0;
	}
	return rc;
}

static unsigned int crowd_poll(struct crowd *crowd)
{
	unsigned int done = 0;

	for (unsigned int i = 0; i < NODES_MAX && crowd->nodes[i]; i++)
		done += weft_worker_poll(weft_node_worker(crowd->nodes[i], 0));
	for (unsigned int i = 0; i < crowd->count; i++)
		done += weft_worker_poll(crowd->workers[i]);
	return done;
}

static void crowd_rest(long ns)
{
	const struct timespec pause = {.tv_nsec = ns};

	nanosleep(&pause, NULL);
}

static int crowd_link(struct crowd *crowd, const char *to)
{
	const struct weft_sender_opts opts = {.size = sizeof opts, .wait_for_peer = true};
	unsigned int ready = 0;
	int rc = 0;

	for (unsigned int i = 0; i < crowd->count && rc == 0; i++)
		rc = weft_sender_open(crowd->workers[i], crowd->channels[i / WORKERS_A_NODE], to, &opts,
				      &crowd->senders[i]);
	while (rc == 0 && ready < crowd->count) {
		crowd_poll(crowd);
		ready = 0;
		for (unsigned int i = 0; i < crowd->count; i++)
			ready += weft_sender_status(crowd->senders[i]) == 0;
		crowd_rest(100000);
	}
	return rc;
}

/* The crowd's life: peer_name is the client, and the server is its sibling. */
static int crowd_serve(struct perf_side *side)
{
	static struct crowd crowd;
	char server[64];
	int rc = crowd_open(&crowd, side->peer_name, side->opts);

	snprintf(server, sizeof server, "%.*sserver", (int)(strlen(side->peer_name) - strlen("client")),
		 side->peer_name);
	if (rc == 0)
		atomic_store(stage, STAGE_OPEN);
	while (rc == 0) {
		switch (atomic_load(stage)) {
		case STAGE_LINK_CLIENT:
			rc = crowd_link(&crowd, side->peer_name);
			atomic_store(stage, STAGE_CLIENT_LINKED);
			break;
		case STAGE_LINK_SERVER:
			rc = crowd_link(&crowd, server);
			atomic_store(stage, STAGE_SERVER_LINKED);
			break;
		/* the peers' control messages, and nothing else: rarely looked at, as by somebody who sleeps */
		default:
			crowd_rest(crowd_poll(&crowd) ? 100000 : 20000000);
		}
	}
	return rc;
}

static int await_stage(struct perf_side *side, enum stage wanted)
{
	uint64_t end_ns = perf_now() + CONNECT_NS;

	while (atomic_load(stage) != (int)wanted) {
		weft_worker_turn(side->worker, perf_now() + 1000000);
		if (perf_now() > end_ns)
			return weft_set_error(WEFT_ETIMEDOUT, "the idle links could not be made");
	}
	return 0;
}

/* The number behind a word of a file in /proc, in KiB; adds. */
static void add_kib(pid_t pid, const char *file, const char *word, uint64_t *sum_bytes)
{
	char path[64], line[256];
	unsigned long kib;
	FILE *stream;

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	stream = fopen(path, "re");
	if (!stream)
		return;
	while (fgets(line, sizeof line, stream))
		if (strncmp(line, word, strlen(word)) == 0 && sscanf(line + strlen(word), "%lu", &kib) == 1)
			*sum_bytes += (uint64_t)kib * 1024;
	fclose(stream);
}

static uint64_t memory_of(const pid_t *pids, unsigned int count)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < count; i++) {
		add_kib(pids[i], "smaps_rollup", "Pss:", &bytes);
		add_kib(pids[i], "status", "VmPTE:", &bytes);
	}
	return bytes;
}

/* The client's senders to the crowd: the way back on the links that the crowd made. */
static int link_back(struct perf_side *side)
{
	char node[64], peer[96];
	struct weft_sender *sender;
	int rc = 0;

	for (unsigned int i = 0; i < side->opts->count && rc == 0; i++) {
		crowd_name(node, i / WORKERS_A_NODE);
		snprintf(peer, sizeof peer, "%s/w%u", node, i);
		rc = perf_connect(side, side->channel, peer, &sender);
	}
	return rc;
}

static pid_t crowd_pid;

/* Between the two measurements: the links, and what they take. */
static int make_links(struct perf_side *side, struct perf_result *result)
{
	const pid_t pids[] = {getpid(), side->peer_pid, crowd_pid};
	uint64_t before_bytes = memory_of(pids, 3), after_bytes;
	struct weft_node_stats stats;
	int rc;

	atomic_store(stage, STAGE_LINK_CLIENT);
	rc = await_stage(side, STAGE_CLIENT_LINKED);
	if (rc == 0)
		rc = link_back(side);
	if (rc < 0)
		return rc;
	after_bytes = memory_of(pids, 3);
	perf_figure(result, "idle_link_bytes", ((double)after_bytes - (double)before_bytes) / side->opts->count);
	atomic_store(stage, STAGE_LINK_SERVER);
	rc = await_stage(side, STAGE_SERVER_LINKED);
	weft_node_describe(side->node, &stats);
	perf_figure(result, "links", stats.links);
	return rc;
}

static int measure(struct perf_side *side, struct perf_result *result)
{
	struct weft_histogram *alone_ns, *beside_ns;
	int rc = perf_distribution(result, "alone_ns", &alone_ns);

	if (rc == 0)
		rc = perf_distribution(result, "beside_idle_ns", &beside_ns);
	if (rc == 0)
		rc = perf_lat_connect(side);
	if (rc == 0)
		rc = await_stage(side, STAGE_OPEN);
	if (rc == 0)
		rc = perf_lat_run(side, side->opts->seconds, alone_ns);
	if (rc == 0)
		rc = make_links(side, result);
	return rc < 0 ? rc : perf_lat_run(side, side->opts->seconds, beside_ns);
}

static int run(const struct perf_opts *opts, struct perf_result *result)
{
	struct perf_opts small = *opts;
	char client[64], crowd[64];
	int rc;

	stage = mmap(NULL, sizeof *stage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (stage == MAP_FAILED)
		return weft_set_error(weft_error_from_errno(errno), "no shared memory: %s", strerror(errno));
	small.pages = WEFT_PAGES_SMALL;
	perf_name(client, "client");
	perf_name(crowd, "crowd");
	rc = perf_child_start(&small, crowd, client, opts->core_server, crowd_serve, &crowd_pid);
	if (rc == 0)
		rc = perf_pair(&small, perf_lat_serve, measure, result);
	perf_child_stop(crowd_pid, SIGKILL);
	munmap(stage, sizeof *stage);
	return rc;
}

const struct perf_test perf_idle = {
	.name = "idle",
	.help = "a busy link beside idle ones, and the memory of an idle one",
	.default_len_bytes = 64,
	.max_len_bytes = 64 << 10,
	.default_count = 127,
	.max_count = LINKS_MAX,
	.run = run,
};

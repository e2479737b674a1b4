/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a node's threads run: the core plan, and what of it (and of the rest) could not be had.
 */
#include "node/node_private.h"

#include <weft/plan.h>
#include <weft/topology.h>

static void take_plan(struct weft_node *node, const struct weft_plan *plan)
{
	const struct weft_plan_entry *control = weft_plan_find(plan, WEFT_ROLE_CONTROL, 0);

	node->runner_thread.cpu = control ? (int)control->cpu : -1;
	for (unsigned int i = 0; i < node->opts.worker_count; i++) {
		const struct weft_plan_entry *entry = weft_plan_find(plan, WEFT_ROLE_WORKER, i);

		node->threads[i].cpu = entry ? (int)entry->cpu : -1;
		if (entry && entry->shares_cpu)
			node->lacking |= WEFT_REQUIRE_PINNING;
	}
	for (unsigned int i = 0; weft_plan_reason_at(plan, i); i++)
		weft__node_degrade(node, "%s", weft_plan_reason_at(plan, i)->text);
}

int weft__node_plan(struct weft_node *node)
{
	struct weft_topology *topology = NULL;
	struct weft_plan *plan = NULL;
	struct weft_cpu_limits limits;
	struct weft_cpuset listed;
	struct weft_plan_opts opts;
	int rc;

	node->runner_thread.cpu = -1;
	for (unsigned int i = 0; i < WEFT__STATIONS_MAX; i++)
		node->threads[i].cpu = -1;
	if (!node->opts.worker_count)
		return 0; /* the application's threads stand where it put them */
	rc = weft_topology_open(NULL, &topology);
	if (rc < 0)
		return rc;
	weft_cpu_limits_read(NULL, &limits);
	weft_plan_opts_init(&opts, sizeof opts);
	opts.workers = node->opts.worker_count;
	opts.idle = node->opts.idle;
	if (node->opts.cores) {
		rc = weft_topology_parse_cpus(topology, node->opts.cores, &listed);
		opts.worker_cpus = &listed;
	}
	if (rc == 0)
		rc = weft_plan_open(topology, &limits, &opts, &plan);
	if (rc == 0)
		take_plan(node, plan);
	weft_plan_close(&plan);
	weft_topology_close(&topology);
	return rc;
}

void weft__thread_pin(struct weft_node *node, const struct weft__thread *thread)
{
	cpu_set_t set;

	if (thread->cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET(thread->cpu, &set);
	if (pthread_setaffinity_np(pthread_self(), sizeof set, &set) != 0)
		weft__node_degrade(node, "a thread could not be pinned to CPU %d", thread->cpu);
}

/* What was asked for as a requirement and is missing. */
int weft__node_check_required(struct weft_node *node)
{
	struct weft_worker_stats worker;
	struct weft_arena_stats arena;
	struct weft_clock_info clock;
	unsigned int missing;

	weft_worker_describe(node->stations[0]->worker, &worker);
	weft_arena_describe(node->arena, &arena);
	weft_clock_describe(&clock);
	if (!worker.membarrier) {
		node->lacking |= WEFT_REQUIRE_SLEEP;
		weft__node_degrade(node, "no membarrier: a sleeping worker may notice a message only after its back-stop");
	}
	if (arena.small_bytes) {
		node->lacking |= WEFT_REQUIRE_HUGE_PAGES;
		weft__node_degrade(node, "shareable memory is on 4 KiB pages: reserve huge pages (vm.nr_hugepages), or Linux 6.1");
	}
	if (clock.reason[0]) {
		node->lacking |= WEFT_REQUIRE_INVARIANT_CLOCK;
		weft__node_degrade(node, "the clock is %s: %s", clock.source, clock.reason);
	}
	missing = node->opts.require & node->lacking;
	if (!missing)
		return 0;
	return weft_set_error(WEFT_EDEGRADED, "node \"%s\" cannot have what it requires (bits %#x): %s", node->name,
			      missing, node->degraded_count ? node->degraded[node->degraded_count - 1] : "");
}

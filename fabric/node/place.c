/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a node's threads run: the core plan, and what of it (and of the rest) could not be had.
 */
#include "node/node_private.h"

#include <weft/plan.h>
#include <weft/topology.h>

/* The NUMA node of a plan's entry, where there are several. */
static int numa_of(const struct weft_topology *topology, const struct weft_plan_entry *entry)
{
	struct weft_topology_summary summary;
	struct weft_topology_numa numa;

	weft_topology_describe(topology, &summary);
	return summary.numa_nodes > 1 && weft_topology_numa_at(topology, entry->numa, &numa) ? (int)numa.node : -1;
}

static void take_plan(struct weft_node *node, const struct weft_topology *topology, const struct weft_plan *plan)
{
	const struct weft_plan_entry *control = weft_plan_find(plan, WEFT_ROLE_CONTROL, 0);

	node->runner_thread.cpu = control ? (int)control->cpu : -1;
	for (unsigned int i = 0; i < node->opts.worker_count; i++) {
		const struct weft_plan_entry *entry = weft_plan_find(plan, WEFT_ROLE_WORKER, i);

		node->threads[i].cpu = entry ? (int)entry->cpu : -1;
		node->threads[i].numa = entry ? numa_of(topology, entry) : -1;
	}
	for (unsigned int i = 0; weft_plan_reason_at(plan, i); i++) {
		const struct weft_plan_reason *reason = weft_plan_reason_at(plan, i);
		bool shared = reason->code == WEFT_PLAN_WORKERS_SHARE_CPU ||
			      reason->code == WEFT_PLAN_CONTROL_SHARES_CPU;

		weft__node_degrade(node, shared ? WEFT_REQUIRE_PINNING : 0, "%s", reason->text);
	}
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
		node->threads[i].cpu = node->threads[i].numa = -1;
	if (!node->opts.worker_count) {
		/* The application's threads stand where it put them. */
		node->threads[0].numa = weft_topology_numa_here();
		return 0;
	}
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
		take_plan(node, topology, plan);
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
		weft__node_degrade(node, WEFT_REQUIRE_PINNING, "a thread could not be pinned to CPU %d", thread->cpu);
}

/* Containers often forbid to bind memory; then it is wherever the first touch falls. */
static bool may_bind(struct weft_node *node, int numa)
{
	struct weft_segment_opts opts;
	struct weft_segment segment;

	weft_segment_opts_init(&opts, sizeof opts);
	opts.len_bytes = 1;
	opts.pages = WEFT_PAGES_SMALL;
	opts.numa_node = numa;
	if (weft_segment_open(&opts, &segment) == 0) {
		weft_segment_close(&segment);
		return true;
	}
	weft__node_degrade(node, 0, "memory is not bound to NUMA node %d, where a worker is: %s", numa,
			   weft_last_error());
	return false;
}

int weft__node_open_memory(struct weft_node *node)
{
	int numa = node->threads[0].numa;
	struct weft_arena_opts opts;

	node->binds = numa < 0 || may_bind(node, numa);
	for (unsigned int i = 0; !node->binds && i < WEFT__STATIONS_MAX; i++)
		node->threads[i].numa = -1;
	weft_arena_opts_init(&opts, sizeof opts);
	opts.incarnation = node->incarnation;
	opts.max_bytes = node->opts.memory_max_bytes;
	if (opts.data_segment_bytes > opts.max_bytes) /* the fabric says how much it wants each time */
		opts.data_segment_bytes = opts.max_bytes & ~(((size_t)2 << 20) - 1);
	opts.pages = node->opts.pages;
	opts.numa_node = node->threads[0].numa;
	return weft_arena_open(&opts, &node->arena);
}

int weft__station_memory(struct weft__station *station, size_t len_bytes, const struct weft_segment **out)
{
	int rc = weft_arena_grow_near(station->node->arena, len_bytes, station->numa, out);

	if (station->numa < 0 || (rc != -WEFT_ENOMEM && rc != -WEFT_EPERM))
		return rc;
	/* Far memory is better than none. */
	weft__node_degrade(station->node, 0, "memory of a worker is not on its NUMA node %d: %s", station->numa,
			   weft_last_error());
	station->numa = -1;
	return weft_arena_grow_near(station->node->arena, len_bytes, -1, out);
}

const char *weft_require_name(enum weft_require bit)
{
	switch (bit) {
	case WEFT_REQUIRE_HUGE_PAGES:
		return "huge-pages";
	case WEFT_REQUIRE_PINNING:
		return "pinning";
	case WEFT_REQUIRE_SLEEP:
		return "sleep";
	case WEFT_REQUIRE_INVARIANT_CLOCK:
		return "invariant-clock";
	case WEFT_REQUIRE_ZERO_COPY:
		return "zero-copy";
	}
	return "?";
}

/* What the machine, or the system, does not have. */
static void look_for_lacks(struct weft_node *node)
{
	struct weft_worker_stats worker;
	struct weft_arena_stats arena;
	struct weft_clock_info clock;

	weft_worker_describe(node->stations[0]->worker, &worker);
	weft_arena_describe(node->arena, &arena);
	weft_clock_describe(&clock);
	if (!worker.membarrier)
		weft__node_degrade(node, WEFT_REQUIRE_SLEEP,
				   "no membarrier: a sleeping worker may notice a message only after its back-stop");
	if (arena.small_bytes)
		weft__node_degrade(
			node, WEFT_REQUIRE_HUGE_PAGES,
			"shareable memory is on 4 KiB pages: reserve huge pages (vm.nr_hugepages), or Linux 6.1");
	if (clock.reason[0])
		weft__node_degrade(node, WEFT_REQUIRE_INVARIANT_CLOCK, "the clock is %s: %s", clock.source,
				   clock.reason);
	for (unsigned int i = 0; i < node->rail_count; i++)
		if (!(node->rails[i].driver->caps & WEFT_DRIVER_SHARES))
			weft__node_degrade(node, WEFT_REQUIRE_ZERO_COPY, "driver %s copies every message",
					   node->rails[i].driver->name);
}

/* What was asked for as a requirement and is missing. */
int weft__node_check_required(struct weft_node *node)
{
	look_for_lacks(node);
	if (!(node->opts.require & node->lacking))
		return 0;
	for (unsigned int i = 0; i < node->degraded_count; i++)
		if (node->opts.require & node->degraded_require[i])
			return weft_set_error(WEFT_EDEGRADED, "node \"%s\" requires %s and cannot have it: %s",
					      node->name, weft_require_name(node->degraded_require[i]),
					      node->degraded[i]);
	return weft_set_error(WEFT_EDEGRADED, "node \"%s\" cannot have what it requires (bits %#x)", node->name,
			      node->opts.require & node->lacking);
}

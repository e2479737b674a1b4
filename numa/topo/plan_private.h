/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan while it is made: the input brought into shape, what each CPU carries so far, and the entries.
 */
#ifndef PLAN_PRIVATE_H
#define PLAN_PRIVATE_H

#include <weft/plan.h>

struct weft_plan {
	struct weft_plan_entry *entries; /* control first, then workers */
	unsigned int count, controls, workers;
	struct weft_plan_reason reasons[WEFT_PLAN_CODE_COUNT];
	unsigned int reason_count;
};

/* What is on a CPU, or on a core, so far. */
struct plan_load {
	unsigned int workers, controls;
};

struct plan_input {
	const struct weft_topology *topology;
	struct weft_plan_opts opts;
	struct weft_topology_summary summary;
	struct weft_cpuset allowed; /* by mask and cgroup */
	struct weft_cpuset worker_pool;
	struct weft_cpuset control_pool;
	struct weft_cpuset isolated; /* those of the worker pool */
	struct weft_cpuset reserved; /* workers take these last: the core where control would go */
	uint64_t cpu_milli;
	int *near_nodes;             /* per near device: its NUMA index, -1 unknown */
	struct plan_load *cpu_loads; /* by position in the topology */
	struct plan_load *core_loads;
};

/* Places every entry (pure). */
void weft__topo_place(struct plan_input *in, struct weft_plan *plan);
/* The NUMA index that a worker wants, or -1. */
int weft__topo_wanted_node(const struct plan_input *in, unsigned int worker);
/* Says what the placed plan could not have. */
void weft__topo_explain(const struct plan_input *in, struct weft_plan *plan);

#endif

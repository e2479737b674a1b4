/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places threads on CPUs, one after the other, each where it costs least. Workers choose before control does, because
 * control sleeps and can share; they avoid the core that control would take first as long as that costs them nothing
 * that matters more.
 */
#include "topo/plan_private.h"

#include <string.h>

#define COSTS 6

/* Compared from the first on; the position in the topology decides between equals. */
struct cost {
	unsigned int terms[COSTS];
};

static bool is_cheaper(const struct cost *a, const struct cost *b)
{
	for (unsigned int i = 0; i < COSTS; i++)
		if (a->terms[i] != b->terms[i])
			return a->terms[i] < b->terms[i];
	return false;
}

int weft__topo_wanted_node(const struct plan_input *in, unsigned int worker)
{
	return in->opts.near_count ? in->near_nodes[worker % in->opts.near_count] : -1;
}

/* What other CPUs of the same core carry. */
static struct plan_load sibling_load(const struct plan_input *in, unsigned int at, unsigned int core)
{
	struct plan_load load = in->core_loads[core];

	load.workers -= in->cpu_loads[at].workers;
	load.controls -= in->cpu_loads[at].controls;
	return load;
}

static struct cost worker_cost(const struct plan_input *in, unsigned int at, const struct weft_topology_cpu *cpu,
			       unsigned int home)
{
	struct plan_load siblings = sibling_load(in, at, cpu->core);

	return (struct cost){{
		in->cpu_loads[at].workers,
		siblings.workers,
		!weft_cpuset_has(&in->isolated, cpu->cpu),
		weft_topology_distance(in->topology, home, cpu->numa),
		weft_cpuset_has(&in->reserved, cpu->cpu),
		0,
	}};
}

static struct cost control_cost(const struct plan_input *in, unsigned int at, const struct weft_topology_cpu *cpu,
				unsigned int home)
{
	struct plan_load siblings = sibling_load(in, at, cpu->core);

	return (struct cost){{
		in->cpu_loads[at].workers,
		in->cpu_loads[at].controls,
		weft_cpuset_has(&in->isolated, cpu->cpu),
		siblings.workers,
		siblings.controls,
		weft_topology_distance(in->topology, home, cpu->numa),
	}};
}

/* Finds the cheapest CPU of the role's pool and writes the entry. The pool is never empty. */
static void place_one(struct plan_input *in, enum weft_role role, unsigned int index, unsigned int home,
		      struct weft_plan_entry *entry)
{
	const struct weft_cpuset *pool = role == WEFT_ROLE_WORKER ? &in->worker_pool : &in->control_pool;
	struct weft_topology_cpu cpu, best_cpu = {.cpu = 0};
	unsigned int best = in->summary.cpus;
	struct cost cost, least = {{0}};

	for (unsigned int at = 0; weft_topology_cpu_at(in->topology, at, &cpu); at++) {
		if (!weft_cpuset_has(pool, cpu.cpu))
			continue;
		cost = role == WEFT_ROLE_WORKER ? worker_cost(in, at, &cpu, home) : control_cost(in, at, &cpu, home);
		if (best < in->summary.cpus && !is_cheaper(&cost, &least))
			continue;
		best = at;
		best_cpu = cpu;
		least = cost;
	}
	*entry = (struct weft_plan_entry){.role = role,
					  .index = index,
					  .cpu = best_cpu.cpu,
					  .core = best_cpu.core,
					  .package = best_cpu.package,
					  .numa = best_cpu.numa,
					  .idle = role == WEFT_ROLE_WORKER ? in->opts.idle : WEFT_IDLE_BLOCK};
	if (role == WEFT_ROLE_WORKER) {
		in->cpu_loads[best].workers++;
		in->core_loads[best_cpu.core].workers++;
	} else {
		in->cpu_loads[best].controls++;
		in->core_loads[best_cpu.core].controls++;
	}
}

/* Which entries share, now that all stand. A worker that shares its CPU must not spin on it. */
static void mark_sharing(const struct plan_input *in, struct weft_plan *plan)
{
	struct weft_topology_cpu cpu;

	for (unsigned int i = 0; i < plan->count; i++) {
		struct weft_plan_entry *entry = &plan->entries[i];
		struct plan_load here = {0}, core = in->core_loads[entry->core];

		for (unsigned int at = 0; weft_topology_cpu_at(in->topology, at, &cpu); at++)
			if (cpu.cpu == entry->cpu)
				here = in->cpu_loads[at];
		entry->shares_cpu = here.workers + here.controls > 1;
		entry->shares_core = core.workers + core.controls > here.workers + here.controls;
		if (entry->role == WEFT_ROLE_WORKER && entry->shares_cpu && entry->idle != WEFT_IDLE_BLOCK)
			entry->idle = WEFT_IDLE_YIELD;
	}
}

/* Where control would go on an empty machine; workers leave that whole core to it while they can. */
static void reserve(struct plan_input *in)
{
	struct weft_topology_cpu cpu;
	struct weft_topology_core core;
	bool found = false;

	weft_cpuset_zero(&in->reserved);
	for (unsigned int at = 0; in->opts.controls && weft_topology_cpu_at(in->topology, at, &cpu); at++) {
		bool isolated = weft_cpuset_has(&in->isolated, cpu.cpu);

		if (!weft_cpuset_has(&in->control_pool, cpu.cpu) || (found && isolated))
			continue;
		weft_topology_core_at(in->topology, cpu.core, &core);
		in->reserved = core.cpus;
		if (!isolated)
			break;
		found = true;
	}
}

void weft__topo_place(struct plan_input *in, struct weft_plan *plan)
{
	struct weft_topology_cpu first = {.numa = 0};
	unsigned int home;

	reserve(in);
	weft_topology_find_cpu(in->topology,
			       weft_cpuset_next(in->opts.controls ? &in->control_pool : &in->worker_pool, 0), &first);
	home = first.numa;
	for (unsigned int i = 0; i < plan->workers; i++) {
		int wanted = weft__topo_wanted_node(in, i);

		place_one(in, WEFT_ROLE_WORKER, i, wanted < 0 ? home : (unsigned int)wanted,
			  &plan->entries[plan->controls + i]);
	}
	for (unsigned int i = 0; i < plan->controls; i++)
		place_one(in, WEFT_ROLE_CONTROL, i, home, &plan->entries[i]);
	mark_sharing(in, plan);
}

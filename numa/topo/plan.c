/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a plan: brings the input into shape and checks it; place.c chooses, reasons.c explains.
 */
#include "topo/plan_private.h"

#include <weft/errors.h>

#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct weft_plan_opts) == 56, "a new field goes to the end, and changes this number");

void weft_plan_opts_init(struct weft_plan_opts *opts, size_t size)
{
	struct weft_plan_opts defaults = {.size = size, .workers = 1, .controls = 1, .idle = WEFT_IDLE_ADAPTIVE};

	memcpy(opts, &defaults, size < sizeof defaults ? size : sizeof defaults);
}

/* A list must lie within what is allowed; says who forbids the first CPU that does not. */
static int check_list(const struct plan_input *in, const struct weft_cpu_limits *limits, const char *who,
		      const struct weft_cpuset *list)
{
	struct weft_cpuset outside;
	struct weft_topology_cpu found;
	unsigned int cpu;

	if (weft_cpuset_is_empty(list))
		return weft_set_error(WEFT_EINVAL, "the list of CPUs for %s is empty", who);
	weft_cpuset_andnot(&outside, list, &in->allowed);
	cpu = weft_cpuset_next(&outside, 0);
	if (cpu == WEFT_CPU_MAX)
		return 0;
	if (!weft_topology_find_cpu(in->topology, cpu, &found))
		return weft_set_error(WEFT_ERANGE, "CPU %u, listed for %s, does not exist on this machine", cpu, who);
	if (!weft_cpuset_is_empty(&limits->affinity) && !weft_cpuset_has(&limits->affinity, cpu))
		return weft_set_error(
			WEFT_ERANGE,
			"CPU %u, listed for %s, is outside the affinity mask of this process: widen it (taskset, the launcher) or list others",
			cpu, who);
	return weft_set_error(WEFT_ERANGE,
			      "CPU %u, listed for %s, is outside the cpuset of the cgroup: widen it or list others",
			      cpu, who);
}

static int set_pools(struct plan_input *in, const struct weft_cpu_limits *limits)
{
	const struct weft_cpuset *workers = in->opts.worker_cpus, *control = in->opts.control_cpus;
	struct weft_cpuset rest;
	int err = 0;

	weft_topology_cpus(in->topology, &in->allowed);
	if (!weft_cpuset_is_empty(&limits->affinity))
		weft_cpuset_and(&in->allowed, &in->allowed, &limits->affinity);
	if (!weft_cpuset_is_empty(&limits->cgroup.cpus))
		weft_cpuset_and(&in->allowed, &in->allowed, &limits->cgroup.cpus);
	if (weft_cpuset_is_empty(&in->allowed))
		return weft_set_error(
			WEFT_EINVAL,
			"no CPU is left: the affinity mask and the cgroup's cpuset have none of this machine in common");
	if (workers)
		err = check_list(in, limits, "workers", workers);
	if (!err && control)
		err = check_list(in, limits, "control", control);
	if (err)
		return err;
	in->worker_pool = workers ? *workers : in->allowed;
	in->control_pool = control ? *control : in->allowed;
	/* A list for one role keeps the other one off it, as long as anything else is left. */
	weft_cpuset_andnot(&rest, &in->allowed, workers ? workers : &in->control_pool);
	if (workers && !control && !weft_cpuset_is_empty(&rest))
		in->control_pool = rest;
	if (control && !workers && in->opts.controls && !weft_cpuset_is_empty(&rest))
		in->worker_pool = rest;
	weft_cpuset_and(&in->isolated, &limits->isolated, &in->worker_pool);
	in->cpu_milli = limits->cgroup.cpu_milli;
	return 0;
}

static int set_near(struct plan_input *in)
{
	struct weft_topology_device device;
	int err;

	for (unsigned int i = 0; i < in->opts.near_count; i++) {
		err = weft_topology_find_device(in->topology, in->opts.near_devices[i], &device);
		if (err)
			return err;
		in->near_nodes[i] = device.numa;
	}
	return 0;
}

static int check_opts(const struct weft_plan_opts *opts)
{
	if (opts->workers > WEFT_CPU_MAX)
		return weft_set_error(WEFT_EINVAL, "%u workers are too many: the limit is %d", opts->workers,
				      WEFT_CPU_MAX);
	if (opts->controls > 1)
		return weft_set_error(WEFT_EINVAL, "%u control threads: there is one, or none", opts->controls);
	if (opts->workers + opts->controls == 0)
		return weft_set_error(WEFT_EINVAL, "a plan needs a worker or a control thread");
	if (opts->near_count > WEFT_CPU_MAX || (opts->near_count && !opts->near_devices))
		return weft_set_error(WEFT_EINVAL, "the list of near devices is missing or too long");
	if ((unsigned int)opts->idle > WEFT_IDLE_BLOCK)
		return weft_set_error(WEFT_EINVAL, "unknown idle strategy %u", (unsigned int)opts->idle);
	return 0;
}

static void input_fini(struct plan_input *in)
{
	free(in->near_nodes);
	free(in->cpu_loads);
	free(in->core_loads);
}

static int input_init(struct plan_input *in, const struct weft_topology *topology, const struct weft_cpu_limits *limits,
		      const struct weft_plan_opts *opts)
{
	int err;

	memset(in, 0, sizeof *in);
	in->topology = topology;
	weft_plan_opts_init(&in->opts, sizeof in->opts);
	if (opts)
		memcpy(&in->opts, opts, opts->size < sizeof in->opts ? opts->size : sizeof in->opts);
	weft_topology_describe(topology, &in->summary);
	err = check_opts(&in->opts);
	if (!err)
		err = set_pools(in, limits);
	if (err)
		return err;
	in->near_nodes = calloc(in->opts.near_count + 1, sizeof *in->near_nodes);
	in->cpu_loads = calloc(in->summary.cpus + 1, sizeof *in->cpu_loads);
	in->core_loads = calloc(in->summary.cores + 1, sizeof *in->core_loads);
	if (!in->near_nodes || !in->cpu_loads || !in->core_loads)
		err = weft_set_error(WEFT_ENOMEM, "out of memory for the core plan");
	else
		err = set_near(in);
	if (err)
		input_fini(in);
	return err;
}

int weft_plan_open(const struct weft_topology *topology, const struct weft_cpu_limits *limits,
		   const struct weft_plan_opts *opts, struct weft_plan **out)
{
	struct plan_input in;
	struct weft_plan *plan;
	int err;

	err = input_init(&in, topology, limits, opts);
	if (err)
		return err;
	plan = calloc(1, sizeof *plan);
	if (!plan) {
		err = weft_set_error(WEFT_ENOMEM, "out of memory for the core plan");
		goto fini_input;
	}
	plan->controls = in.opts.controls;
	plan->workers = in.opts.workers;
	plan->count = plan->controls + plan->workers;
	plan->entries = calloc(plan->count, sizeof *plan->entries);
	if (!plan->entries) {
		err = weft_set_error(WEFT_ENOMEM, "out of memory for the core plan");
		goto free_plan;
	}
	weft__topo_place(&in, plan);
	weft__topo_explain(&in, plan);
	input_fini(&in);
	*out = plan;
	return 0;

free_plan:
	free(plan);
fini_input:
	input_fini(&in);
	return err;
}

void weft_plan_close(struct weft_plan **plan)
{
	if (*plan)
		free((*plan)->entries);
	free(*plan);
	*plan = NULL;
}

unsigned int weft_plan_count(const struct weft_plan *plan)
{
	return plan->count;
}

const struct weft_plan_entry *weft_plan_at(const struct weft_plan *plan, unsigned int i)
{
	return i < plan->count ? &plan->entries[i] : NULL;
}

const struct weft_plan_entry *weft_plan_find(const struct weft_plan *plan, enum weft_role role, unsigned int index)
{
	unsigned int first = role == WEFT_ROLE_CONTROL ? 0 : plan->controls;
	unsigned int count = role == WEFT_ROLE_CONTROL ? plan->controls : plan->workers;

	return index < count ? &plan->entries[first + index] : NULL;
}

const struct weft_plan_reason *weft_plan_reason_at(const struct weft_plan *plan, unsigned int i)
{
	return i < plan->reason_count ? &plan->reasons[i] : NULL;
}

int weft_plan_bind(const struct weft_topology *topology, const struct weft_plan_entry *entry)
{
	struct weft_cpuset cpus;

	weft_cpuset_zero(&cpus);
	weft_cpuset_add(&cpus, entry->cpu);
	return weft_topology_bind(topology, &cpus);
}

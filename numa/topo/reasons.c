/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Says in sentences what a plan could not have. One reason a kind, with counts, so that a plan for a hundred workers
 * does not say the same thing a hundred times.
 */
#include "topo/plan_private.h"

#include <stdarg.h>
#include <stdio.h>

static void WEFT_PRINTF(3, 4) add(struct weft_plan *plan, enum weft_plan_code code, const char *format, ...)
{
	struct weft_plan_reason *reason = &plan->reasons[plan->reason_count++];
	va_list args;

	reason->code = code;
	va_start(args, format);
	vsnprintf(reason->text, sizeof reason->text, format, args);
	va_end(args);
}

static const char *plural(unsigned int count)
{
	return count == 1 ? "" : "s";
}

/* Workers on one CPU with another worker; distinct CPUs that workers have. */
static unsigned int count_crowded(const struct weft_plan *plan, unsigned int *distinct)
{
	struct weft_cpuset seen, twice;
	unsigned int crowded = 0;

	weft_cpuset_zero(&seen);
	weft_cpuset_zero(&twice);
	for (unsigned int i = plan->controls; i < plan->count; i++)
		weft_cpuset_add(weft_cpuset_has(&seen, plan->entries[i].cpu) ? &twice : &seen, plan->entries[i].cpu);
	for (unsigned int i = plan->controls; i < plan->count; i++)
		crowded += weft_cpuset_has(&twice, plan->entries[i].cpu);
	*distinct = weft_cpuset_count(&seen);
	return crowded;
}

static void explain_cpus(const struct plan_input *in, struct weft_plan *plan)
{
	unsigned int allowed = weft_cpuset_count(&in->worker_pool), distinct;
	unsigned int crowded = count_crowded(plan, &distinct);
	const struct weft_plan_entry *control = plan->entries;

	if (crowded)
		add(plan, WEFT_PLAN_WORKERS_SHARE_CPU,
		    "%u of %u workers share a CPU with another one and yield to it, because workers may use %u CPU%s: give this process more CPUs or ask for fewer workers",
		    crowded, plan->workers, allowed, plural(allowed));
	if (plan->controls && control->shares_cpu)
		add(plan, WEFT_PLAN_CONTROL_SHARES_CPU,
		    "the control thread shares CPU %u with a worker, which yields to it, because none is left for it: give this process one more CPU or ask for fewer workers",
		    control->cpu);
	if (in->cpu_milli != WEFT_UNLIMITED && plan->workers && in->cpu_milli < (uint64_t)distinct * 1000)
		add(plan, WEFT_PLAN_QUOTA,
		    "the cgroup grants %u.%02u CPUs of time and %u worker%s can use %u.00, so the kernel may stop them for part of each period: raise cpu.max (v1: cpu.cfs_quota_us) or ask for fewer workers",
		    (unsigned int)(in->cpu_milli / 1000), (unsigned int)(in->cpu_milli % 1000 / 10), plan->workers,
		    plural(plan->workers), distinct);
}

static void explain_places(const struct plan_input *in, struct weft_plan *plan)
{
	unsigned int siblings = 0, scheduled = 0, far = 0, first_far = 0;

	for (unsigned int i = 0; i < plan->count; i++) {
		const struct weft_plan_entry *entry = &plan->entries[i];
		int wanted = entry->role == WEFT_ROLE_WORKER ? weft__topo_wanted_node(in, entry->index) : -1;

		siblings += entry->shares_core;
		scheduled += entry->role == WEFT_ROLE_WORKER && !weft_cpuset_has(&in->isolated, entry->cpu);
		if (wanted >= 0 && (unsigned int)wanted != entry->numa && !far++)
			first_far = entry->index;
	}
	if (siblings)
		add(plan, WEFT_PLAN_SHARES_CORE,
		    "%u of %u threads share a core with another one as its hardware threads, because no whole core is free: give this process more cores or ask for fewer workers",
		    siblings, plan->count);
	if (scheduled && !weft_cpuset_is_empty(&in->isolated))
		add(plan, WEFT_PLAN_NOT_ISOLATED,
		    "%u of %u workers run on CPUs that are not isolated, because %u isolated ones may be used: isolate more (isolcpus=) or ask for fewer workers",
		    scheduled, plan->workers, weft_cpuset_count(&in->isolated));
	if (far)
		add(plan, WEFT_PLAN_FAR_FROM_DEVICE,
		    "%u of %u workers are not on the NUMA node of their device (worker %u serves %.40s): allow CPUs of that node or ask for fewer workers",
		    far, plan->workers, first_far, in->opts.near_devices[first_far % in->opts.near_count]);
}

void weft__topo_explain(const struct plan_input *in, struct weft_plan *plan)
{
	explain_cpus(in, plan);
	explain_places(in, plan);
}

const char *weft_role_name(enum weft_role role)
{
	return role == WEFT_ROLE_CONTROL ? "control" : "worker";
}

const char *weft_plan_code_name(enum weft_plan_code code)
{
	static const char *const names[WEFT_PLAN_CODE_COUNT] = {
		[WEFT_PLAN_WORKERS_SHARE_CPU] = "workers-share-cpu",
		[WEFT_PLAN_CONTROL_SHARES_CPU] = "control-shares-cpu",
		[WEFT_PLAN_SHARES_CORE] = "shares-core",
		[WEFT_PLAN_NOT_ISOLATED] = "not-isolated",
		[WEFT_PLAN_FAR_FROM_DEVICE] = "far-from-device",
		[WEFT_PLAN_QUOTA] = "quota",
	};

	return (unsigned int)code < WEFT_PLAN_CODE_COUNT ? names[code] : "?";
}

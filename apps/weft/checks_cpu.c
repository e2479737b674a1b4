/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the system gives of its CPUs: enough of them, at full speed, for workers alone, with a clock.
 */
#include "checks.h"
#include "system.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <weft/clock.h>

static void core_plan(const struct machine *machine, struct finding *out)
{
	const struct weft_plan_entry *control = weft_plan_find(machine->plan, WEFT_ROLE_CONTROL, 0);
	const struct weft_plan_reason *reason;

	measured(out, "%u worker%s on CPU %s", machine->plan_opts.workers, machine->plan_opts.workers == 1 ? "" : "s",
		 cpus_text(&machine->worker_cpus));
	if (control)
		measured(out, ", control on %u", control->cpu);
	needed(out, "a core for each worker, and one for the control thread");
	fix(out, "allow this process more CPUs (taskset -c, cpuset), or ask for fewer workers");
	for (unsigned int i = 0; (reason = weft_plan_reason_at(machine->plan, i)); i++) {
		if (reason->code == WEFT_PLAN_NOT_ISOLATED || reason->code == WEFT_PLAN_QUOTA)
			continue; /* they have checks of their own */
		measured(out, "; %s", weft_plan_code_name(reason->code));
		worsen(out, SEVERITY_WARN);
	}
}

/* A file of a CPU's frequency control. */
static const char *cpufreq(const struct machine *machine, unsigned int cpu, const char *file, char text[64])
{
	char path[96];

	snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/cpufreq/%s", cpu, file);
	return system_line(machine->root, path, text, 64);
}

static void governor(const struct machine *machine, struct finding *out)
{
	const struct weft_cpuset *workers = &machine->worker_cpus;
	struct weft_cpuset others = {{0}};
	char text[64], other[64] = "";
	bool known = false;

	needed(out, "performance, on every CPU of a worker");
	fix(out, "cpupower frequency-set -g performance");
	for (unsigned int cpu = weft_cpuset_next(workers, 0); cpu < WEFT_CPU_MAX;
	     cpu = weft_cpuset_next(workers, cpu + 1)) {
		if (!*cpufreq(machine, cpu, "scaling_governor", text))
			continue;
		known = true;
		if (strcmp(text, "performance") == 0)
			continue;
		weft_cpuset_add(&others, cpu);
		strcpy(other, text);
	}
	if (*other) {
		measured(out, "%s on CPU %s", other, cpus_text(&others));
		worsen(out, SEVERITY_WARN);
	} else {
		measured(out, "%s", known ? "performance" : "the system offers none");
	}
}

/* A ceiling below what the processor can do. */
static void frequency(const struct machine *machine, struct finding *out)
{
	const struct weft_cpuset *workers = &machine->worker_cpus;
	char path[96];
	bool known = false;

	needed(out, "no limit below the processor's own");
	fix(out, "cpupower frequency-set -u MAXIMUM; look for power and heat limits (turbostat)");
	for (unsigned int cpu = weft_cpuset_next(workers, 0); cpu < WEFT_CPU_MAX;
	     cpu = weft_cpuset_next(workers, cpu + 1)) {
		uint64_t allowed, possible;

		snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/cpufreq/scaling_max_freq", cpu);
		allowed = system_number(machine->root, path);
		snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/cpufreq/cpuinfo_max_freq", cpu);
		possible = system_number(machine->root, path);
		if (allowed == SYSTEM_UNKNOWN || possible == SYSTEM_UNKNOWN)
			continue;
		if (!known || allowed < possible)
			measured(out, "%sCPU %u: %u of %u MHz", known ? ", " : "", cpu, (unsigned int)(allowed / 1000),
				 (unsigned int)(possible / 1000));
		known = true;
		if (allowed < possible)
			worsen(out, SEVERITY_WARN);
	}
	if (!known)
		measured(out, "not told by the system");
}

static void clocksource(const struct machine *machine, struct finding *out)
{
	char text[64], available[128];
	struct weft_clock_info clock;

	system_line(machine->root, "/sys/devices/system/clocksource/clocksource0/current_clocksource", text,
		    sizeof text);
	system_line(machine->root, "/sys/devices/system/clocksource/clocksource0/available_clocksource", available,
		    sizeof available);
	measured(out, "%s", *text ? text : "not told by the system");
	needed(out, "tsc (arch_sys_counter on arm64): time is read without a call");
	if (strstr(available, "tsc")) {
		fix(out, "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource; boot with "
			 "clocksource=tsc");
	} else {
		available[strcspn(available, " ")] = '\0';
		fix(out,
		    "the kernel offers %s only: boot with tsc=reliable if the counter is sound; let a virtual machine "
		    "have "
		    "an invariant TSC",
		    *available ? available : "none");
	}
	if (strcmp(text, "tsc") != 0 && strcmp(text, "arch_sys_counter") != 0)
		worsen(out, SEVERITY_WARN);
	if (!machine->live)
		return;
	weft_clock_describe(&clock);
	if (clock.reason[0]) {
		measured(out, "; weft reads %s", clock.source);
		worsen(out, SEVERITY_WARN);
	}
}

static void isolated(const struct machine *machine, struct finding *out)
{
	struct weft_cpuset rest;

	weft_cpuset_andnot(&rest, &machine->worker_cpus, &machine->limits.isolated);
	measured(out, "%s", cpus_text(&machine->limits.isolated));
	needed(out, "isolated CPUs for workers: %s", cpus_text(&machine->worker_cpus));
	fix(out, "boot with isolcpus=LIST nohz_full=LIST and start weft with taskset -c LIST");
	if (!weft_cpuset_is_empty(&rest))
		worsen(out, SEVERITY_WARN);
}

/* The other hardware threads of the cores on which workers are. */
static void siblings_of(const struct machine *machine, struct weft_cpuset *out)
{
	struct weft_topology_core core;
	struct weft_cpuset shared;

	weft_cpuset_zero(out);
	for (unsigned int i = 0; weft_topology_core_at(machine->topology, i, &core); i++) {
		weft_cpuset_and(&shared, &core.cpus, &machine->worker_cpus);
		if (!weft_cpuset_is_empty(&shared))
			weft_cpuset_or(out, out, &core.cpus);
	}
	weft_cpuset_andnot(out, out, &machine->worker_cpus);
}

static void smt(const struct machine *machine, struct finding *out)
{
	struct weft_cpuset siblings, open;

	siblings_of(machine, &siblings);
	weft_cpuset_andnot(&open, &siblings, &machine->limits.isolated);
	needed(out, "the workers' cores for them alone");
	fix(out, "isolate CPU %s too and leave it idle, or echo off > /sys/devices/system/cpu/smt/control",
	    cpus_text(&siblings));
	if (weft_cpuset_is_empty(&siblings)) {
		measured(out, "%u hardware thread%s per core", machine->summary.smt,
			 machine->summary.smt == 1 ? "" : "s");
		return;
	}
	measured(out, "CPU %s share cores with workers", cpus_text(&siblings));
	if (weft_cpuset_is_empty(&open))
		measured(out, "; isolated");
	else
		worsen(out, SEVERITY_WARN);
}

static void quota(const struct machine *machine, struct finding *out)
{
	uint64_t milli = machine->limits.cgroup.cpu_milli;

	needed(out, "none: a worker that has used it up stands still for the rest of the period");
	fix(out, "set cpu.max (v1: cpu.cfs_quota_us) of control group %.100s to max (-1)", machine->limits.cgroup.path);
	if (milli == WEFT_UNLIMITED) {
		measured(out, "unlimited");
		return;
	}
	measured(out, "%.2f CPUs", (double)milli / 1000);
	worsen(out, SEVERITY_WARN);
}

static void numa_balancing(const struct machine *machine, struct finding *out)
{
	uint64_t value = system_number(machine->root, "/proc/sys/kernel/numa_balancing");

	needed(out, "0: the kernel does not move pages");
	fix(out, "sysctl kernel.numa_balancing=0");
	if (value == SYSTEM_UNKNOWN)
		measured(out, "the system offers none");
	else
		measured(out, "%llu", (unsigned long long)value);
	if (value != SYSTEM_UNKNOWN && value != 0 && machine->summary.numa_nodes > 1)
		worsen(out, SEVERITY_WARN);
}

static void realtime(const struct machine *machine, struct finding *out)
{
	uint64_t allowed_us = system_number(machine->root, "/proc/sys/kernel/sched_rt_runtime_us");
	int policy = machine->live ? sched_getscheduler(0) : SCHED_OTHER;

	if (allowed_us == SYSTEM_UNKNOWN)
		measured(out, "threads of real-time priority are not limited");
	else
		measured(out, "%llu us of each period for threads of real-time priority",
			 (unsigned long long)allowed_us);
	needed(out, "ordinary priority: two real-time workers on one CPU stop each other");
	fix(out, "start without chrt; if real-time it must be: a CPU for each worker, and sysctl "
		 "kernel.sched_rt_runtime_us=-1");
	if (policy != SCHED_FIFO && policy != SCHED_RR)
		return;
	measured(out, "; this process has it");
	worsen(out, SEVERITY_WARN);
}

const struct check cpu_checks[] = {
	{"core-plan", false, core_plan},     {"governor", false, governor},
	{"frequency", false, frequency},     {"clocksource", false, clocksource},
	{"isolated-cpus", false, isolated},  {"smt", false, smt},
	{"cpu-quota", false, quota},         {"numa-balancing", false, numa_balancing},
	{"realtime-limit", false, realtime}, {NULL, false, NULL},
};

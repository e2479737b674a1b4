/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the system does to CPUs.
 */
#include "checks.h"

#include <weft/plan.h>

#include <stdio.h>
#include <string.h>

static void governor(const char *root, struct finding *out)
{
	read_line(root, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", out->measured, sizeof out->measured);
	out->needed = "performance";
	out->fix = "cpupower frequency-set -g performance";
	if (out->measured[0] && strcmp(out->measured, "performance") != 0)
		out->severity = SEVERITY_WARN;
	if (!out->measured[0])
		strcpy(out->measured, "not offered by this system");
}

static void clocksource(const char *root, struct finding *out)
{
	read_line(root, "/sys/devices/system/clocksource/clocksource0/current_clocksource", out->measured,
		  sizeof out->measured);
	out->needed = "tsc (arch_sys_counter on arm64)";
	out->fix = "boot with clocksource=tsc tsc=reliable if the hardware's counter is sound";
	if (strcmp(out->measured, "tsc") != 0 && strcmp(out->measured, "arch_sys_counter") != 0)
		out->severity = SEVERITY_WARN;
}

static void isolated(const char *root, struct finding *out)
{
	struct weft_cpu_limits limits;

	weft_cpu_limits_read(root, &limits);
	weft_cpuset_format(&limits.isolated, out->measured, sizeof out->measured);
	out->needed = "isolated CPUs for workers";
	out->fix = "boot with isolcpus=LIST nohz_full=LIST and start weft with taskset -c LIST";
	if (weft_cpuset_is_empty(&limits.isolated))
		out->severity = SEVERITY_WARN;
}

static void smt(const char *root, struct finding *out)
{
	read_line(root, "/sys/devices/system/cpu/smt/active", out->measured, sizeof out->measured);
	out->needed = "0: one hardware thread per core";
	out->fix = "echo off > /sys/devices/system/cpu/smt/control, or leave siblings of workers idle";
	if (out->measured[0] == '1')
		out->severity = SEVERITY_WARN;
}

static void quota(const char *root, struct finding *out)
{
	struct weft_cgroup group;

	weft_cgroup_read(root, &group);
	out->needed = "no CPU quota";
	out->fix = "raise cpu.max (v1: cpu.cfs_quota_us) of the cgroup";
	if (group.cpu_milli == WEFT_UNLIMITED) {
		strcpy(out->measured, "unlimited");
		return;
	}
	snprintf(out->measured, sizeof out->measured, "%.2f CPUs", (double)group.cpu_milli / 1000);
	out->severity = SEVERITY_WARN;
}

static void numa_balancing(const char *root, struct finding *out)
{
	read_line(root, "/proc/sys/kernel/numa_balancing", out->measured, sizeof out->measured);
	out->needed = "0: the kernel does not move pages";
	out->fix = "sysctl kernel.numa_balancing=0";
	if (out->measured[0] && out->measured[0] != '0')
		out->severity = SEVERITY_WARN;
	if (!out->measured[0])
		strcpy(out->measured, "not offered by this system");
}

const struct check cpu_checks[] = {
	{"governor", governor}, {"clocksource", clocksource}, {"isolated-cpus", isolated}, {"smt", smt},
	{"cpu-quota", quota}, {"numa-balancing", numa_balancing}, {NULL, NULL},
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the system lets this process use: the affinity mask, isolated CPUs, and the cgroup (see cgroup.c).
 */
#include "topo/files.h"

#include <weft/plan.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void weft_cpu_limits_none(struct weft_cpu_limits *out)
{
	memset(out, 0, sizeof *out);
	out->cgroup.cpu_milli = WEFT_UNLIMITED;
	out->cgroup.memory_bytes = out->cgroup.memory_left_bytes = WEFT_UNLIMITED;
	out->cgroup.pids_left = WEFT_UNLIMITED;
}

static void affinity_of_this_thread(struct weft_cpuset *out)
{
	size_t size = CPU_ALLOC_SIZE(WEFT_CPU_MAX);
	cpu_set_t *set = CPU_ALLOC(WEFT_CPU_MAX);

	if (!set)
		return;
	CPU_ZERO_S(size, set);
	if (sched_getaffinity(0, size, set) == 0)
		for (unsigned int cpu = 0; cpu < WEFT_CPU_MAX; cpu++)
			if (CPU_ISSET_S(cpu, size, set))
				weft_cpuset_add(out, cpu);
	CPU_FREE(set);
}

static void affinity_of_file(const char *root, struct weft_cpuset *out)
{
	static const char label[] = "Cpus_allowed_list:";
	char text[8192], *line;

	if (weft__topo_read_file(root, "/proc/thread-self/status", text, sizeof text) < 0)
		return;
	line = strstr(text, label);
	if (!line)
		return;
	line += sizeof label - 1;
	line += strspn(line, " \t");
	line[strcspn(line, "\n")] = '\0';
	weft__topo_parse_kernel_list(line, out);
}

void weft_cpu_limits_read(const char *root, struct weft_cpu_limits *out)
{
	char text[4096];

	weft_cpu_limits_none(out);
	if (root && *root)
		affinity_of_file(root, &out->affinity);
	else
		affinity_of_this_thread(&out->affinity);
	if (weft__topo_read_file(root, "/sys/devices/system/cpu/isolated", text, sizeof text) == 0)
		weft__topo_parse_kernel_list(text, &out->isolated);
	weft_cgroup_read(root, &out->cgroup);
}

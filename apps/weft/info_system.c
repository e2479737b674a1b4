/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sections of `weft info` on the system: memory as a whole, clock, limits, what the kernel offers.
 */
#include "info.h"
#include "system.h"
#include "trial.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weft/clock.h>

/* ---- memory ---- */

/* All nodes together, as the kernel has them now. */
static uint64_t in_nodes(const json_t *all)
{
	const json_t *numa;
	uint64_t sum = 0;
	size_t i;

	json_array_foreach(json_object_get(all, "numa"), i, numa) sum += (uint64_t)info_number(numa, "total_bytes");
	return sum;
}

static void put_choice(const struct machine *machine, json_t *object, const char *key, const char *path)
{
	char text[32];

	if (*system_choice(machine->root, path, text, sizeof text))
		json_object_set_new(object, key, json_string(text));
}

static void find_memory(const struct machine *machine, json_t *all)
{
	json_t *object = json_object();
	struct machine_memory memory;

	json_object_set_new(all, "memory", object);
	if (machine->summary.numa_nodes && in_nodes(all))
		info_put(object, "in_nodes_bytes", in_nodes(all));
	if (!machine->root)
		return;
	system_memory(machine->root, &memory);
	info_put(object, "total_bytes", memory.total_bytes);
	info_put(object, "available_bytes", memory.available_bytes);
	info_put(object, "swap_total_bytes", memory.swap_total_bytes);
	info_put(object, "swap_free_bytes", memory.swap_free_bytes);
	put_choice(machine, object, "transparent_huge_pages", "/sys/kernel/mm/transparent_hugepage/enabled");
	put_choice(machine, object, "shmem_huge_pages", "/sys/kernel/mm/transparent_hugepage/shmem_enabled");
}

static void print_memory(const json_t *all)
{
	const json_t *memory = json_object_get(all, "memory");
	long long total = info_number(memory, "total_bytes"), in_nodes_bytes = info_number(memory, "in_nodes_bytes");

	if (!total)
		return;
	printf("memory    total %lld MiB  available %lld MiB  swap %s  transparent huge pages %s (shared memory %s)\n",
	       total >> 20, info_number(memory, "available_bytes") >> 20,
	       info_number(memory, "swap_total_bytes") ? info_size(memory, "swap_total_bytes") : "none",
	       info_has(memory, "transparent_huge_pages") ? info_text(memory, "transparent_huge_pages") : "none",
	       info_has(memory, "shmem_huge_pages") ? info_text(memory, "shmem_huge_pages") : "none");
	if (in_nodes_bytes < total / 10 * 9)
		printf("          the NUMA nodes have only %lld MiB of it at the moment: the kernel, or its host, adds "
		       "the rest when "
		       "it is used\n",
		       in_nodes_bytes >> 20);
}

/* ---- clock ---- */

static void find_clock(const struct machine *machine, json_t *all)
{
	json_t *object = json_object();
	struct weft_clock_info clock;
	char text[64];
	double ticks, elapsed_ns;

	json_object_set_new(all, "clock", object);
	if (machine->root &&
	    *system_line(machine->root, "/sys/devices/system/clocksource/clocksource0/current_clocksource", text,
			 sizeof text))
		json_object_set_new(object, "kernel_source", json_string(text));
	if (!machine->live)
		return;
	weft_clock_describe(&clock);
	json_object_set_new(object, "source", json_string(clock.source));
	json_object_set_new(object, "invariant_counter", json_boolean(!clock.reason[0]));
	json_object_set_new(object, "reason", json_string(clock.reason));
	json_object_set_new(object, "ticks_per_second", json_real(clock.ticks_per_second));
	json_object_set_new(object, "resolution_ns", json_real(clock.resolution_ns));
	json_object_set_new(object, "read_ns", json_real(clock.read_ns));
	if (strcmp(clock.source, "clock_gettime") == 0)
		return;
	/* How far the rate that was measured at the start is from the one over all the time since. */
	ticks = (double)(weft_clock_ticks() - machine->began_ticks);
	elapsed_ns = (double)(machine_monotonic_ns() - machine->began_ns);
	json_object_set_new(object, "error_ppm",
			    json_real((clock.ticks_per_second * elapsed_ns / 1e9 / ticks - 1) * 1e6));
	json_object_set_new(object, "error_over_ns", json_integer((json_int_t)elapsed_ns));
}

static void print_clock(const json_t *all)
{
	const json_t *clock = json_object_get(all, "clock");

	if (!info_has(clock, "source"))
		return;
	printf("clock     %s  step %.1f ns  read %.1f ns", info_text(clock, "source"),
	       json_real_value(json_object_get(clock, "resolution_ns")),
	       json_real_value(json_object_get(clock, "read_ns")));
	if (info_has(clock, "error_ppm"))
		printf("  %.3f MHz, %+.1f ppm from the kernel's over %lld ms",
		       json_real_value(json_object_get(clock, "ticks_per_second")) / 1e6,
		       json_real_value(json_object_get(clock, "error_ppm")),
		       info_number(clock, "error_over_ns") / 1000000);
	else
		printf("  not the counter: %s", info_text(clock, "reason"));
	printf("  kernel's %s\n", info_text(clock, "kernel_source"));
}

/* ---- limits ---- */

static void put_limit(const struct machine *machine, json_t *object, const char *key, const char *name)
{
	struct process_limit limit;
	json_t *pair = json_object();

	system_limit(machine->root, name, &limit);
	info_put(pair, "soft", limit.soft);
	info_put(pair, "hard", limit.hard);
	json_object_set_new(object, key, pair);
}

static void put_unless(json_t *object, const char *key, uint64_t value)
{
	info_put(object, key, value == WEFT_UNLIMITED ? SYSTEM_UNLIMITED : value);
}

static void find_limits(const struct machine *machine, json_t *all)
{
	const struct weft_cgroup *group = &machine->limits.cgroup;
	json_t *object = json_object(), *groups = json_object();

	if (!machine->root) {
		json_decref(object);
		json_decref(groups);
		return;
	}
	json_object_set_new(all, "affinity", info_cpus(&machine->limits.affinity));
	json_object_set_new(all, "isolated", info_cpus(&machine->limits.isolated));
	json_object_set_new(all, "limits", object);
	put_limit(machine, object, "memlock_bytes", "Max locked memory");
	put_limit(machine, object, "nofile", "Max open files");
	put_limit(machine, object, "processes", "Max processes");
	info_put(object, "realtime_us_per_second",
		 system_number(machine->root, "/proc/sys/kernel/sched_rt_runtime_us"));
	json_object_set_new(object, "cgroup", groups);
	info_put(groups, "version", (uint64_t)group->version);
	json_object_set_new(groups, "path", json_string(group->path));
	json_object_set_new(groups, "cpus", weft_cpuset_is_empty(&group->cpus) ? json_null() : info_cpus(&group->cpus));
	put_unless(groups, "cpu_milli", group->cpu_milli);
	put_unless(groups, "memory_bytes", group->memory_bytes);
	put_unless(groups, "memory_left_bytes", group->memory_left_bytes);
	put_unless(groups, "pids_left", group->pids_left);
}

static void print_limits(const json_t *all)
{
	const json_t *limits = json_object_get(all, "limits"), *group = json_object_get(limits, "cgroup");

	if (!limits)
		return;
	printf("cpus      allowed %s  isolated %s\n", info_text(all, "affinity"), info_text(all, "isolated"));
	printf("limits    memlock %s  files %s  processes %s\n",
	       info_size(json_object_get(limits, "memlock_bytes"), "soft"),
	       info_count(json_object_get(limits, "nofile"), "soft"),
	       info_count(json_object_get(limits, "processes"), "soft"));
	if (info_number(group, "version") == 0) {
		puts("cgroup    none");
		return;
	}
	printf("cgroup    v%lld %s  cpu ", info_number(group, "version"), info_text(group, "path"));
	if (json_is_null(json_object_get(group, "cpu_milli")))
		printf("unlimited");
	else
		printf("%.2f", (double)info_number(group, "cpu_milli") / 1000);
	printf("  memory %s", info_size(group, "memory_bytes"));
	if (!json_is_null(json_object_get(group, "memory_left_bytes")))
		printf(" (%s left)", info_size(group, "memory_left_bytes"));
	printf("  pids %s\n", info_count(group, "pids_left"));
}

/* ---- what the kernel offers ---- */

static void find_facilities(const struct machine *machine, json_t *all)
{
	if (!machine->live)
		return;
	json_object_set_new(all, "facilities",
			    json_pack("{s:b,s:b,s:b}", "memfd", trial_memfd() == 0, "pidfd", trial_pidfd() == 0,
				      "membarrier", trial_membarrier() == 0));
}

static void print_facilities(const json_t *all)
{
	const json_t *has = json_object_get(all, "facilities");

	if (has)
		printf("offers    memfd %s  pidfd %s  membarrier %s\n", info_flag(has, "memfd") ? "yes" : "no",
		       info_flag(has, "pidfd") ? "yes" : "no", info_flag(has, "membarrier") ? "yes" : "no");
}

const struct info_section system_sections[] = {
	{find_memory, print_memory},
	{find_clock, print_clock},
	{find_limits, print_limits},
	{find_facilities, print_facilities},
	{NULL, NULL},
};

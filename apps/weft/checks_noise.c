/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who else is on the workers' CPUs: other programs, the hypervisor, interrupts.
 */
#include "checks.h"
#include "system.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SAMPLE_MS 300
#define BUSY_PERCENT 20
#define STOLEN_PERCENT 2
#define CPUS_SHOWN 6

struct cpu_time {
	unsigned long long busy, stolen, all;
};

/* Lines "cpu3 user nice system idle iowait irq softirq steal ..." of /proc/stat. Gives an array of
 * WEFT_CPU_MAX, or NULL. */
static struct cpu_time *read_times(void)
{
	struct cpu_time *times = calloc(WEFT_CPU_MAX, sizeof *times);
	FILE *file = times ? fopen("/proc/stat", "re") : NULL;
	char line[512];

	while (file && fgets(line, sizeof line, file)) {
		unsigned long long t[8];
		unsigned int cpu;

		if (sscanf(line, "cpu%u %llu %llu %llu %llu %llu %llu %llu %llu", &cpu, &t[0], &t[1], &t[2], &t[3],
			   &t[4], &t[5], &t[6], &t[7]) != 9 ||
		    cpu >= WEFT_CPU_MAX)
			continue;
		times[cpu] = (struct cpu_time){t[0] + t[1] + t[2] + t[5] + t[6], t[7],
					       t[0] + t[1] + t[2] + t[3] + t[4] + t[5] + t[6] + t[7]};
	}
	if (file)
		fclose(file);
	return times;
}

static unsigned int percent(unsigned long long part, unsigned long long all)
{
	return all ? (unsigned int)(part * 100 / all) : 0;
}

static void judge_load(const struct machine *machine, const struct cpu_time *before, const struct cpu_time *after,
		       struct finding *out)
{
	const struct weft_cpuset *workers = &machine->worker_cpus;
	unsigned int shown = 0;

	for (unsigned int cpu = weft_cpuset_next(workers, 0); cpu < WEFT_CPU_MAX;
	     cpu = weft_cpuset_next(workers, cpu + 1)) {
		unsigned long long all = after[cpu].all - before[cpu].all;
		unsigned int busy = percent(after[cpu].busy - before[cpu].busy, all);
		unsigned int stolen = percent(after[cpu].stolen - before[cpu].stolen, all);
		bool bad = busy > BUSY_PERCENT || stolen > STOLEN_PERCENT;

		if (bad)
			worsen(out, SEVERITY_WARN);
		if (bad && shown++ < CPUS_SHOWN)
			measured(out, "%sCPU %u is %u %% busy, %u %% stolen", shown > 1 ? ", " : "", cpu, busy, stolen);
	}
	if (shown > CPUS_SHOWN)
		measured(out, ", and %u more", shown - CPUS_SHOWN);
	if (!shown)
		measured(out, "CPU %s at most %d %% busy", cpus_text(workers), BUSY_PERCENT);
}

static void load(const struct machine *machine, struct finding *out)
{
	struct timespec pause = {.tv_nsec = SAMPLE_MS * 1000000L};
	struct cpu_time *before = read_times(), *after;

	nanosleep(&pause, NULL);
	after = read_times();
	needed(out, "nothing else on the workers' CPUs, and no time stolen by a hypervisor (looked at for %d ms)",
	       SAMPLE_MS);
	fix(out, "find it with `top -1` or `ps -eLo psr,pcpu,comm`, move it with taskset; if weft itself runs there, "
		 "all is well");
	if (before && after)
		judge_load(machine, before, after, out);
	free(before);
	free(after);
}

/* The CPUs that an interrupt may come to; false when they are not told. */
static bool interrupt_cpus(const struct machine *machine, const char *number, struct weft_cpuset *out)
{
	char path[300], text[1024];

	snprintf(path, sizeof path, "/proc/irq/%s/effective_affinity_list", number);
	if (!*system_line(machine->root, path, text, sizeof text)) {
		snprintf(path, sizeof path, "/proc/irq/%s/smp_affinity_list", number);
		system_line(machine->root, path, text, sizeof text);
	}
	return *text && weft_cpuset_parse(text, out) == 0;
}

/* The folders below ROOT/path whose names are numbers. */
static void each_number(const struct machine *machine, const char *path,
			void (*visit)(const struct machine *machine, const char *number, void *user), void *user)
{
	char full[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	if (snprintf(full, sizeof full, "%s%s", machine->root, path) >= (int)sizeof full || !(dir = opendir(full)))
		return;
	while ((entry = readdir(dir)))
		if (entry->d_name[strspn(entry->d_name, "0123456789")] == '\0')
			visit(machine, entry->d_name, user);
	closedir(dir);
}

struct interrupts {
	unsigned int all, on_workers;
	bool balanced;
};

static void count_interrupt(const struct machine *machine, const char *number, void *user)
{
	struct interrupts *count = user;
	struct weft_cpuset cpus;

	if (!interrupt_cpus(machine, number, &cpus))
		return;
	count->all++;
	weft_cpuset_and(&cpus, &cpus, &machine->worker_cpus);
	count->on_workers += !weft_cpuset_is_empty(&cpus);
}

static void look_for_balancer(const struct machine *machine, const char *number, void *user)
{
	struct interrupts *count = user;
	char path[300], text[32];

	snprintf(path, sizeof path, "/proc/%s/comm", number);
	if (strcmp(system_line(machine->root, path, text, sizeof text), "irqbalance") == 0)
		count->balanced = true;
}

static void interrupts(const struct machine *machine, struct finding *out)
{
	struct interrupts count = {0};

	each_number(machine, "/proc/irq", count_interrupt, &count);
	each_number(machine, "/proc", look_for_balancer, &count);
	needed(out, "interrupts elsewhere than on the workers' CPUs");
	fix(out, "echo MASK > /proc/irq/default_smp_affinity (3: CPU 0-1), echo LIST > /proc/irq/N/smp_affinity_list%s",
	    count.balanced ? "; IRQBALANCE_BANNED_CPULIST=LIST in irqbalance's settings" : "");
	measured(out, "%u of %u may come to CPU %s%s", count.on_workers, count.all, cpus_text(&machine->worker_cpus),
		 count.balanced ? "; irqbalance moves them" : "");
	if (count.on_workers)
		worsen(out, SEVERITY_WARN);
}

const struct check noise_checks[] = {
	{"load", true, load},
	{"interrupts", false, interrupts},
	{NULL, false, NULL},
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory: enough of it on the workers' NUMA nodes, on huge pages, and not swapped out.
 */
#include "checks.h"
#include "system.h"
#include "trial.h"

#include <string.h>
#include <weft/errors.h>

#define MIB ((uint64_t)1 << 20)
/* A node takes about 70 MiB when it opens, and up to its memory_max_bytes, 1 GiB by default. */
#define NODE_LEAST_BYTES (128 * MIB)
#define NODE_MOST_BYTES (1024 * MIB)
#define HUGE_PAGES_WANTED 64

/* The i-th NUMA node that has workers; false past the end. */
static bool worker_numa(const struct machine *machine, unsigned int *i, struct weft_topology_numa *out)
{
	struct weft_cpuset shared;

	for (; weft_topology_numa_at(machine->topology, *i, out); (*i)++) {
		weft_cpuset_and(&shared, &out->cpus, &machine->worker_cpus);
		if (!weft_cpuset_is_empty(&shared))
			return true;
	}
	return false;
}

static void huge_pages(const struct machine *machine, struct finding *out)
{
	struct weft_topology_numa numa;
	struct node_memory memory;

	needed(out, "%d or more free pages of 2 MiB on each NUMA node with workers", HUGE_PAGES_WANTED);
	for (unsigned int i = 0; worker_numa(machine, &i, &numa); i++) {
		const struct huge_pool *pool;
		uint64_t free;

		system_node_memory(machine->root, numa.node, &memory);
		pool = system_pool(&memory, HUGE_PAGE_BYTES);
		free = pool ? pool->free : 0;
		measured(out, "%snode %u: %llu of %llu free", *out->measured ? ", " : "", numa.node,
			 (unsigned long long)free, (unsigned long long)(pool ? pool->total : 0));
		if (free >= HUGE_PAGES_WANTED)
			continue;
		worsen(out, SEVERITY_WARN);
		fix(out,
		    "echo 512 > /sys/devices/system/node/node%u/hugepages/hugepages-2048kB/nr_hugepages (early, before "
		    "memory is "
		    "in pieces; sysctl vm.nr_hugepages spreads over all nodes)",
		    numa.node);
	}
}

static void transparent(const struct machine *machine, struct finding *out)
{
	char enabled[32], shared[32];

	system_choice(machine->root, "/sys/kernel/mm/transparent_hugepage/enabled", enabled, sizeof enabled);
	system_choice(machine->root, "/sys/kernel/mm/transparent_hugepage/shmem_enabled", shared, sizeof shared);
	measured(out, "%s, for shared memory %s", *enabled ? enabled : "none", *shared ? shared : "none");
	needed(out, "madvise or always, and not deny for shared memory: where no page is reserved, 4 KiB pages are "
		    "collapsed");
	fix(out, "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled; echo never > .../shmem_enabled");
	if (!*enabled || strcmp(enabled, "never") == 0 || strcmp(shared, "deny") == 0)
		worsen(out, SEVERITY_WARN);
}

static void segment_pages(const struct machine *machine, struct finding *out)
{
	struct weft_topology_numa numa;

	needed(out, "hugetlb or collapsed, for a segment of 64 MiB on each NUMA node with workers");
	fix(out, "reserve huge pages (see huge-pages); allow mbind and set_mempolicy in the seccomp profile");
	if (!trial_has_room(machine)) {
		measured(out, "not tried: too little memory is left");
		return; /* cgroup-memory and node-memory say how much */
	}
	for (unsigned int i = 0; worker_numa(machine, &i, &numa); i++) {
		enum weft_pages pages;
		int rc = trial_pages(machine->summary.numa_nodes > 1 ? (int)numa.node : -1, TRIAL_DATA_BYTES, &pages);

		measured(out, "%snode %u: %s", *out->measured ? ", " : "", numa.node,
			 rc < 0 ? weft_last_error() : weft_pages_name(pages));
		if (rc < 0 || pages == WEFT_PAGES_SMALL)
			worsen(out, rc < 0 ? SEVERITY_FAIL : SEVERITY_WARN);
	}
}

/* Only drivers that register memory with a device lock it. */
static void memlock(const struct machine *machine, struct finding *out)
{
	struct weft_topology_device device;
	struct process_limit limit;
	bool registers = false;
	char text[32];

	system_limit(machine->root, "Max locked memory", &limit);
	for (unsigned int i = 0; weft_topology_device_at(machine->topology, i, &device); i++)
		registers = registers || device.kind == WEFT_DEVICE_RDMA;
	measured(out, "%s%s", system_mebibytes(limit.soft, text, sizeof text),
		 registers ? "" : "; no RDMA device is here, so nothing is locked");
	needed(out, "as much as nodes may share (1 GiB each), where an RDMA device is");
	fix(out, "ulimit -l unlimited, or LimitMEMLOCK=infinity in the unit file");
	if (registers && limit.soft < NODE_MOST_BYTES)
		worsen(out, SEVERITY_WARN);
}

static void cgroup_memory(const struct machine *machine, struct finding *out)
{
	const struct weft_cgroup *group = &machine->limits.cgroup;

	needed(out, "128 MiB left to open a node, 1 GiB for each to work as by default");
	fix(out,
	    "raise memory.max (v1: memory.limit_in_bytes) of control group %.100s, or lower memory_max_bytes of the "
	    "nodes",
	    group->path);
	if (group->memory_bytes == WEFT_UNLIMITED) {
		measured(out, "unlimited");
		return;
	}
	measured(out, "%llu of %llu MiB left", (unsigned long long)(group->memory_left_bytes / MIB),
		 (unsigned long long)(group->memory_bytes / MIB));
	if (group->memory_left_bytes < NODE_LEAST_BYTES)
		worsen(out, SEVERITY_FAIL);
	else if (group->memory_left_bytes < NODE_MOST_BYTES)
		worsen(out, SEVERITY_WARN);
}

static void judge_memory(struct finding *out, uint64_t usable_bytes)
{
	if (usable_bytes < NODE_LEAST_BYTES)
		worsen(out, SEVERITY_FAIL);
	else if (usable_bytes < NODE_MOST_BYTES)
		worsen(out, SEVERITY_WARN);
}

/* Free memory, the page cache, and reserved huge pages that nobody has. */
static void node_memory(const struct machine *machine, struct finding *out)
{
	struct weft_topology_numa numa;
	struct node_memory memory;

	needed(out, "128 MiB to open a node, 1 GiB for each to work as by default, on the NUMA nodes of its workers");
	fix(out, "see what uses it (numastat -m), or spread workers with --cores");
	for (unsigned int i = 0; worker_numa(machine, &i, &numa); i++) {
		const struct huge_pool *pool;
		uint64_t usable_bytes;

		system_node_memory(machine->root, numa.node, &memory);
		if (memory.free_bytes == SYSTEM_UNKNOWN)
			continue;
		pool = system_pool(&memory, HUGE_PAGE_BYTES);
		usable_bytes = memory.free_bytes + memory.cache_bytes + (pool ? pool->free * pool->size_bytes : 0);
		measured(out, "%snode %u: %llu of %llu MiB", *out->measured ? ", " : "", numa.node,
			 (unsigned long long)(usable_bytes / MIB), (unsigned long long)(memory.total_bytes / MIB));
		judge_memory(out, usable_bytes);
	}
	if (!*out->measured)
		measured(out, "not told by the system");
}

static void swap(const struct machine *machine, struct finding *out)
{
	struct machine_memory memory;

	system_memory(machine->root, &memory);
	needed(out, "none: what is swapped out is away for milliseconds (reserved huge pages never are)");
	fix(out, "swapoff -a, and out of /etc/fstab; or memory.swap.max=0 for the control group");
	if (memory.swap_total_bytes == SYSTEM_UNKNOWN || !memory.swap_total_bytes) {
		measured(out, "none");
		return;
	}
	measured(out, "%llu of %llu MiB used",
		 (unsigned long long)((memory.swap_total_bytes - memory.swap_free_bytes) / MIB),
		 (unsigned long long)(memory.swap_total_bytes / MIB));
	worsen(out, SEVERITY_WARN);
}

const struct check memory_checks[] = {
	{"huge-pages", false, huge_pages},
	{"transparent-huge-pages", false, transparent},
	{"segment-pages", true, segment_pages},
	{"memlock", false, memlock},
	{"cgroup-memory", false, cgroup_memory},
	{"node-memory", false, node_memory},
	{"swap", false, swap},
	{NULL, false, NULL},
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies CPUs, cores, NUMA nodes, caches and distances out of hwloc into flat arrays.
 */
#include "topo/topology_private.h"

#include <weft/errors.h>

#include <hwloc/distances.h>
#include <stdlib.h>

#define DISTANCE_LOCAL 10
#define DISTANCE_OTHER 20

int weft__topo_copy_set(hwloc_const_bitmap_t from, struct weft_cpuset *out)
{
	struct weft_cpuset set;

	weft_cpuset_zero(&set);
	for (int cpu = hwloc_bitmap_first(from); cpu >= 0; cpu = hwloc_bitmap_next(from, cpu)) {
		if (cpu >= WEFT_CPU_MAX)
			return weft_set_error(WEFT_ERANGE, "CPU %d has a number too high for weft: the highest is %d",
					      cpu, WEFT_CPU_MAX - 1);
		weft_cpuset_add(&set, (unsigned int)cpu);
	}
	*out = set;
	return 0;
}

/* At least one element, so that NULL always means out of memory. */
static void *array_of(unsigned int count, size_t size_bytes)
{
	return calloc(count ? count : 1, size_bytes);
}

static unsigned int count_of(hwloc_topology_t hwloc, hwloc_obj_type_t type)
{
	int count = hwloc_get_nbobjs_by_type(hwloc, type);

	return count > 0 ? (unsigned int)count : 0;
}

static int fill_numas(struct weft_topology *topology)
{
	int err;

	for (unsigned int i = 0; i < topology->summary.numa_nodes; i++) {
		hwloc_obj_t obj = hwloc_get_obj_by_type(topology->hwloc, HWLOC_OBJ_NUMANODE, i);
		struct weft_topology_numa *numa = &topology->numas[i];

		err = weft__topo_copy_set(obj->cpuset, &numa->cpus);
		if (err)
			return err;
		numa->node = obj->os_index;
		numa->memory_bytes = obj->attr->numanode.local_memory;
		topology->summary.memory_bytes += numa->memory_bytes;
	}
	return 0;
}

/* The NUMA node of a CPU: the first that has it, which is ordinary memory where several kinds are attached. */
static unsigned int numa_of(const struct weft_topology *topology, unsigned int cpu)
{
	for (unsigned int i = 0; i < topology->summary.numa_nodes; i++)
		if (weft_cpuset_has(&topology->numas[i].cpus, cpu))
			return i;
	return 0;
}

static unsigned int package_of(const struct weft_topology *topology, hwloc_obj_t obj)
{
	hwloc_obj_t package = hwloc_get_ancestor_obj_by_type(topology->hwloc, HWLOC_OBJ_PACKAGE, obj);

	return package ? package->logical_index : 0;
}

/*
 * Cores with their CPUs. A machine that tells no cores (some virtual ones, and descriptions without them) gets one
 * for each CPU.
 */
static int fill_cores(struct weft_topology *topology, hwloc_obj_type_t type)
{
	unsigned int filled = 0;
	int err;

	for (unsigned int i = 0; i < topology->summary.cores; i++) {
		hwloc_obj_t obj = hwloc_get_obj_by_type(topology->hwloc, type, i);
		struct weft_topology_core *core = &topology->cores[i];
		unsigned int sibling = 0;

		err = weft__topo_copy_set(obj->cpuset, &core->cpus);
		if (err)
			return err;
		core->package = package_of(topology, obj);
		core->numa = numa_of(topology, weft_cpuset_next(&core->cpus, 0));
		for (unsigned int cpu = weft_cpuset_next(&core->cpus, 0); cpu < WEFT_CPU_MAX;
		     cpu = weft_cpuset_next(&core->cpus, cpu + 1)) {
			if (filled == topology->summary.cpus)
				return weft_set_error(WEFT_EINVAL, "the topology has CPU %u in two cores", cpu);
			topology->cpus[filled++] = (struct weft_topology_cpu){.cpu = cpu,
									      .core = i,
									      .package = core->package,
									      .numa = numa_of(topology, cpu),
									      .sibling = sibling++};
			weft_cpuset_add(&topology->all, cpu);
		}
		if (sibling > topology->summary.smt)
			topology->summary.smt = sibling;
	}
	/* A hybrid description may have CPUs outside of any core: they are not counted, so they are never used. */
	topology->summary.cpus = filled;
	return 0;
}

static enum weft_cache_kind cache_kind(hwloc_obj_cache_type_t type)
{
	if (type == HWLOC_OBJ_CACHE_DATA)
		return WEFT_CACHE_DATA;
	return type == HWLOC_OBJ_CACHE_INSTRUCTION ? WEFT_CACHE_INSTRUCTION : WEFT_CACHE_UNIFIED;
}

/* Visits the caches, outermost first; only counts while there is no array yet. */
static int visit_caches(struct weft_topology *topology, unsigned int *count)
{
	unsigned int found = 0;
	int err;

	for (int depth = 0; depth < hwloc_topology_get_depth(topology->hwloc); depth++) {
		hwloc_obj_t obj = NULL;

		if (!hwloc_obj_type_is_cache(hwloc_get_depth_type(topology->hwloc, depth)))
			continue;
		while ((obj = hwloc_get_next_obj_by_depth(topology->hwloc, depth, obj))) {
			struct weft_topology_cache *cache = topology->caches ? &topology->caches[found] : NULL;

			found++;
			if (!cache)
				continue;
			err = weft__topo_copy_set(obj->cpuset, &cache->cpus);
			if (err)
				return err;
			cache->kind = cache_kind(obj->attr->cache.type);
			cache->level = obj->attr->cache.depth;
			cache->size_bytes = obj->attr->cache.size;
			cache->line_bytes = obj->attr->cache.linesize;
		}
	}
	*count = found;
	return 0;
}

/* What the firmware tells, or 10 and 20. */
static void fill_distances(struct weft_topology *topology)
{
	unsigned int count = topology->summary.numa_nodes, matrices = 1;
	struct hwloc_distances_s *told = NULL;

	for (unsigned int i = 0; i < count * count; i++)
		topology->distances[i] = i / count == i % count ? DISTANCE_LOCAL : DISTANCE_OTHER;
	if (hwloc_distances_get_by_type(topology->hwloc, HWLOC_OBJ_NUMANODE, &matrices, &told,
					HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0) < 0 ||
	    !matrices || !told)
		return;
	for (unsigned int from = 0; from < told->nbobjs; from++)
		for (unsigned int to = 0; to < told->nbobjs; to++) {
			unsigned int row = told->objs[from] ? told->objs[from]->logical_index : count;
			unsigned int column = told->objs[to] ? told->objs[to]->logical_index : count;

			if (row < count && column < count)
				topology->distances[row * count + column] =
					(unsigned int)told->values[from * told->nbobjs + to];
		}
	hwloc_distances_release(topology->hwloc, told);
}

int weft__topo_fill(struct weft_topology *topology)
{
	struct weft_topology_summary *summary = &topology->summary;
	hwloc_obj_type_t core_type = count_of(topology->hwloc, HWLOC_OBJ_CORE) ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
	int err;

	summary->packages = count_of(topology->hwloc, HWLOC_OBJ_PACKAGE);
	summary->numa_nodes = count_of(topology->hwloc, HWLOC_OBJ_NUMANODE);
	summary->cores = count_of(topology->hwloc, core_type);
	summary->cpus = count_of(topology->hwloc, HWLOC_OBJ_PU);
	err = visit_caches(topology, &summary->caches);
	if (err)
		return err;
	topology->numas = array_of(summary->numa_nodes, sizeof *topology->numas);
	topology->cores = array_of(summary->cores, sizeof *topology->cores);
	topology->cpus = array_of(summary->cpus, sizeof *topology->cpus);
	topology->caches = array_of(summary->caches, sizeof *topology->caches);
	topology->distances = array_of(summary->numa_nodes * summary->numa_nodes, sizeof *topology->distances);
	if (!topology->numas || !topology->cores || !topology->cpus || !topology->caches || !topology->distances)
		return weft_set_error(WEFT_ENOMEM, "out of memory for the topology");
	err = fill_numas(topology);
	if (!err)
		err = fill_cores(topology, core_type);
	if (!err)
		err = visit_caches(topology, &summary->caches);
	if (!err)
		fill_distances(topology);
	return err;
}

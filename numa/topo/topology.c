/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads a topology with hwloc and answers questions about the copies made from it.
 */
#include "topo/topology_private.h"

#include <weft/errors.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(sizeof(struct weft_topology_opts) == 32, "a new field goes to the end, and changes this number");

void weft_topology_opts_init(struct weft_topology_opts *opts, size_t size)
{
	struct weft_topology_opts defaults = {.size = size};

	memcpy(opts, &defaults, size < sizeof defaults ? size : sizeof defaults);
}

/* Where the description comes from: synthetic, a file, or (nothing to set) this machine. */
static int set_source(hwloc_topology_t hwloc, const struct weft_topology_opts *opts)
{
	if (opts->synthetic && opts->xml_path)
		return weft_set_error(
			WEFT_EINVAL,
			"a topology comes from a synthetic description or from an XML file, not from both");
	if (opts->synthetic && hwloc_topology_set_synthetic(hwloc, opts->synthetic) < 0)
		return weft_set_error(WEFT_EINVAL,
				      "bad synthetic topology '%.200s': write it like 'package:2 numa:2 core:8 pu:2'",
				      opts->synthetic);
	if (!opts->xml_path)
		return 0;
	if (access(opts->xml_path, R_OK) < 0)
		return weft_set_error(weft_error_from_errno(errno), "cannot read the topology file %s: %m",
				      opts->xml_path);
	if (hwloc_topology_set_xml(hwloc, opts->xml_path) < 0)
		return weft_set_error(WEFT_EINVAL, "%s is not an hwloc XML file: write one with `lstopo --of xml`",
				      opts->xml_path);
	return 0;
}

static int load(hwloc_topology_t hwloc, const struct weft_topology_opts *opts)
{
	/*
	 * All CPUs are wanted, also those that we may not use, so that an error can tell the two apart. Without
	 * DONT_CHANGE_BINDING hwloc's x86 back end visits every CPU with the calling thread.
	 */
	unsigned long flags = HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED | HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING;
	bool devices = opts->devices || opts->xml_path;
	int err = set_source(hwloc, opts);

	if (err)
		return err;
	hwloc_topology_set_io_types_filter(hwloc,
					   devices ? HWLOC_TYPE_FILTER_KEEP_IMPORTANT : HWLOC_TYPE_FILTER_KEEP_NONE);
	if (!devices)
		flags |= HWLOC_TOPOLOGY_FLAG_NO_CPUKINDS | HWLOC_TOPOLOGY_FLAG_NO_MEMATTRS;
	if (hwloc_topology_set_flags(hwloc, flags) == 0 && hwloc_topology_load(hwloc) == 0)
		return 0;
	if (errno == ENOMEM)
		return weft_set_error(WEFT_ENOMEM, "out of memory while reading the topology");
	if (opts->xml_path)
		return weft_set_error(WEFT_EINVAL, "%s does not describe a machine: write it with `lstopo --of xml`",
				      opts->xml_path);
	if (opts->synthetic)
		return weft_set_error(WEFT_EINVAL, "the synthetic topology '%.200s' does not describe a machine",
				      opts->synthetic);
	return weft_set_error(weft_error_from_errno(errno), "cannot read the topology of this machine from /sys: %m");
}

int weft_topology_open(const struct weft_topology_opts *opts, struct weft_topology **out)
{
	struct weft_topology_opts settings;
	struct weft_topology *topology;
	int err;

	weft_topology_opts_init(&settings, sizeof settings);
	if (opts)
		memcpy(&settings, opts, opts->size < sizeof settings ? opts->size : sizeof settings);
	topology = calloc(1, sizeof *topology);
	if (!topology)
		return weft_set_error(WEFT_ENOMEM, "out of memory for the topology");
	if (hwloc_topology_init(&topology->hwloc) < 0) {
		err = weft_set_error(WEFT_ENOMEM, "out of memory for the topology");
		goto free_topology;
	}
	err = load(topology->hwloc, &settings);
	if (err)
		goto destroy;
	topology->summary.this_machine = hwloc_topology_is_thissystem(topology->hwloc);
	topology->summary.knows_devices = settings.devices || settings.xml_path;
	err = weft__topo_fill(topology);
	if (!err && topology->summary.knows_devices)
		err = weft__topo_fill_devices(topology);
	if (err) {
		weft_topology_close(&topology);
		return err;
	}
	*out = topology;
	return 0;

destroy:
	hwloc_topology_destroy(topology->hwloc);
free_topology:
	free(topology);
	return err;
}

void weft_topology_close(struct weft_topology **topology)
{
	struct weft_topology *gone = *topology;

	*topology = NULL;
	if (!gone)
		return;
	hwloc_topology_destroy(gone->hwloc);
	free(gone->cpus);
	free(gone->cores);
	free(gone->numas);
	free(gone->caches);
	free(gone->devices);
	free(gone->distances);
	free(gone);
}

void weft_topology_describe(const struct weft_topology *topology, struct weft_topology_summary *out)
{
	*out = topology->summary;
}

void weft_topology_cpus(const struct weft_topology *topology, struct weft_cpuset *out)
{
	*out = topology->all;
}

bool weft_topology_cpu_at(const struct weft_topology *topology, unsigned int i, struct weft_topology_cpu *out)
{
	if (i >= topology->summary.cpus)
		return false;
	*out = topology->cpus[i];
	return true;
}

bool weft_topology_core_at(const struct weft_topology *topology, unsigned int i, struct weft_topology_core *out)
{
	if (i >= topology->summary.cores)
		return false;
	*out = topology->cores[i];
	return true;
}

bool weft_topology_numa_at(const struct weft_topology *topology, unsigned int i, struct weft_topology_numa *out)
{
	if (i >= topology->summary.numa_nodes)
		return false;
	*out = topology->numas[i];
	return true;
}

bool weft_topology_cache_at(const struct weft_topology *topology, unsigned int i, struct weft_topology_cache *out)
{
	if (i >= topology->summary.caches)
		return false;
	*out = topology->caches[i];
	return true;
}

bool weft_topology_find_cpu(const struct weft_topology *topology, unsigned int cpu, struct weft_topology_cpu *out)
{
	for (unsigned int i = 0; i < topology->summary.cpus; i++)
		if (topology->cpus[i].cpu == cpu) {
			*out = topology->cpus[i];
			return true;
		}
	return false;
}

unsigned int weft_topology_distance(const struct weft_topology *topology, unsigned int from, unsigned int to)
{
	unsigned int count = topology->summary.numa_nodes;

	return from < count && to < count ? topology->distances[from * count + to] : 0;
}

int weft_topology_bind(const struct weft_topology *topology, const struct weft_cpuset *cpus)
{
	hwloc_bitmap_t set;
	char text[64];
	int failed;

	weft_cpuset_format(cpus, text, sizeof text);
	if (!topology->summary.this_machine)
		return weft_set_error(WEFT_ENOTSUP, "cannot bind to CPU %s of a topology that is not this machine's",
				      text);
	set = hwloc_bitmap_alloc();
	if (!set)
		return weft_set_error(WEFT_ENOMEM, "out of memory while binding to CPU %s", text);
	for (unsigned int cpu = weft_cpuset_next(cpus, 0); cpu < WEFT_CPU_MAX; cpu = weft_cpuset_next(cpus, cpu + 1))
		if (hwloc_bitmap_set(set, cpu) < 0)
			break; /* out of memory; an incomplete set must not be bound to */
	failed = hwloc_bitmap_weight(set) != (int)weft_cpuset_count(cpus) ? ENOMEM : 0;
	if (!failed && hwloc_set_cpubind(topology->hwloc, set, HWLOC_CPUBIND_THREAD) < 0)
		failed = errno;
	hwloc_bitmap_free(set);
	errno = failed;
	if (failed == EINVAL || failed == EXDEV)
		return weft_set_error(WEFT_EINVAL,
				      "cannot bind to CPU %s: it is off line or outside this process's cpuset", text);
	if (failed)
		return weft_set_error(weft_error_from_errno(failed), "cannot bind to CPU %s: %m", text);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a topology holds: hwloc's own, and flat copies of what the rest of weft asks for.
 */
#ifndef TOPOLOGY_PRIVATE_H
#define TOPOLOGY_PRIVATE_H

#include <weft/topology.h>

#include <hwloc.h>

struct weft_topology {
	hwloc_topology_t hwloc;
	struct weft_topology_summary summary;
	struct weft_topology_cpu *cpus; /* hwloc's logical order */
	struct weft_topology_core *cores;
	struct weft_topology_numa *numas;
	struct weft_topology_cache *caches;
	struct weft_topology_device *devices;
	unsigned int *distances; /* numas squared, row by row */
	struct weft_cpuset all;
};

/* Copies a bitmap. -WEFT_ERANGE if it has CPUs that do not fit. */
int weft__topo_copy_set(hwloc_const_bitmap_t from, struct weft_cpuset *out);

/* Fill in the flat copies from the loaded hwloc. Errors leave freeing to the caller. */
int weft__topo_fill(struct weft_topology *topology);
int weft__topo_fill_devices(struct weft_topology *topology);

#endif

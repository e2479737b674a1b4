/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the calling thread is, for those who need nothing else of the topology.
 */
#include <weft/topology.h>

#include <numa.h>
#include <sched.h>

int weft_topology_numa_here(void)
{
	cpu_set_t mask;
	int here = -1;

	if (numa_available() < 0 || numa_max_node() == 0 || sched_getaffinity(0, sizeof mask, &mask) < 0)
		return -1;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		int node;

		if (!CPU_ISSET(cpu, &mask))
			continue;
		node = numa_node_of_cpu(cpu);
		if (node < 0 || (here >= 0 && node != here))
			return -1;
		here = node;
	}
	return here;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sections of `weft info` on the hardware: NUMA nodes with their memory, caches, cores, devices.
 */
#include "info.h"
#include "system.h"
#include "trial.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <weft/errors.h>

#define CORES_SHOWN 16

/* ---- machine ---- */

static void find_machine(const struct machine *machine, json_t *all)
{
	const struct weft_topology_summary *s = &machine->summary;
	struct utsname kernel;

	json_object_set_new(all, "version", json_string(WEFT_VERSION_TEXT));
	json_object_set_new(all, "this_machine", json_boolean(machine->live));
	if (machine->live && uname(&kernel) == 0)
		json_object_set_new(all, "kernel", json_string(kernel.release));
	info_put(all, "packages", s->packages);
	info_put(all, "numa_nodes", s->numa_nodes);
	info_put(all, "cores", s->cores);
	info_put(all, "cpus", s->cpus);
	info_put(all, "cpus_per_core", s->smt);
	if (!machine->topology_opts.synthetic) /* whose memory is invented */
		info_put(all, "memory_bytes", s->memory_bytes);
}

static void print_machine(const json_t *all)
{
	printf("machine   packages %lld  numa %lld  cores %lld  cpus %lld", info_number(all, "packages"),
	       info_number(all, "numa_nodes"), info_number(all, "cores"), info_number(all, "cpus"));
	if (info_has(all, "kernel"))
		printf("  kernel %s", info_text(all, "kernel"));
	putchar('\n');
}

/* ---- NUMA nodes ---- */

static json_t *pools_json(const struct node_memory *memory)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < memory->pool_count; i++) {
		json_t *pool = json_object();

		info_put(pool, "size_bytes", memory->pools[i].size_bytes);
		info_put(pool, "total", memory->pools[i].total);
		info_put(pool, "free", memory->pools[i].free);
		json_array_append_new(list, pool);
	}
	return list;
}

static void put_pages(json_t *object, const char *key, int numa_node, size_t len_bytes)
{
	enum weft_pages pages;
	int rc = trial_pages(numa_node, len_bytes, &pages);

	json_object_set_new(object, key, json_string(rc < 0 ? weft_last_error() : weft_pages_name(pages)));
}

/* What the kernel says of the node now, and which pages a segment gets there. */
static void put_memory(const struct machine *machine, unsigned int node, json_t *object)
{
	struct node_memory memory;

	system_node_memory(machine->root, node, &memory);
	info_put(object, "total_bytes", memory.total_bytes);
	info_put(object, "free_bytes", memory.free_bytes);
	info_put(object, "cache_bytes", memory.cache_bytes);
	json_object_set_new(object, "huge_pages", pools_json(&memory));
	if (!machine->live || !trial_has_room(machine))
		return;
	put_pages(object, "control_segment_pages", machine->summary.numa_nodes > 1 ? (int)node : -1,
		  TRIAL_CONTROL_BYTES);
	put_pages(object, "data_segment_pages", machine->summary.numa_nodes > 1 ? (int)node : -1, TRIAL_DATA_BYTES);
}

static void find_numa(const struct machine *machine, json_t *all)
{
	json_t *list = json_array();
	struct weft_topology_numa numa;

	for (unsigned int i = 0; weft_topology_numa_at(machine->topology, i, &numa); i++) {
		json_t *object = json_object(), *distances = json_array();

		info_put(object, "node", numa.node);
		json_object_set_new(object, "cpus", info_cpus(&numa.cpus));
		for (unsigned int to = 0; to < machine->summary.numa_nodes; to++)
			json_array_append_new(distances,
					      json_integer(weft_topology_distance(machine->topology, i, to)));
		json_object_set_new(object, "distances", distances);
		if (machine->root)
			put_memory(machine, numa.node, object);
		else if (machine->topology_opts.xml_path) /* a synthetic node has invented memory */
			info_put(object, "total_bytes", numa.memory_bytes);
		json_array_append_new(list, object);
	}
	json_object_set_new(all, "numa", list);
}

static void print_numa(const json_t *all)
{
	const json_t *numa, *pool;
	size_t i, j;

	json_array_foreach(json_object_get(all, "numa"), i, numa)
	{
		printf("numa %-4lld cpus %s", info_number(numa, "node"), info_text(numa, "cpus"));
		if (info_has(numa, "total_bytes"))
			printf("  memory %lld MiB", info_number(numa, "total_bytes") >> 20);
		if (info_has(numa, "free_bytes"))
			printf("  free %lld MiB", info_number(numa, "free_bytes") >> 20);
		json_array_foreach(json_object_get(numa, "huge_pages"), j, pool)
			printf("  %s pages %lld of %lld free", info_size(pool, "size_bytes"), info_number(pool, "free"),
			       info_number(pool, "total"));
		if (info_has(numa, "data_segment_pages"))
			printf("  segments %s", info_text(numa, "data_segment_pages"));
		if (strcmp(info_text(numa, "control_segment_pages"), info_text(numa, "data_segment_pages")) != 0)
			printf(" (small ones %s)", info_text(numa, "control_segment_pages"));
		putchar('\n');
	}
}

/* ---- caches ---- */

static void find_caches(const struct machine *machine, json_t *all)
{
	static const char *const kinds[] = {"unified", "data", "instruction"};
	struct weft_topology_cache cache;
	json_t *list = json_array();

	for (unsigned int i = 0; weft_topology_cache_at(machine->topology, i, &cache); i++) {
		json_t *object = json_object();

		info_put(object, "level", cache.level);
		json_object_set_new(object, "kind", json_string(kinds[cache.kind]));
		info_put(object, "size_bytes", cache.size_bytes);
		info_put(object, "line_bytes", cache.line_bytes);
		json_object_set_new(object, "cpus", info_cpus(&cache.cpus));
		json_array_append_new(list, object);
	}
	json_object_set_new(all, "caches", list);
}

static bool same_cache(const json_t *a, const json_t *b)
{
	return a && info_number(a, "level") == info_number(b, "level") &&
	       info_number(a, "size_bytes") == info_number(b, "size_bytes") &&
	       strcmp(info_text(a, "kind"), info_text(b, "kind")) == 0;
}

/* Equal ones together, with the CPUs of the first: "2 x L3 32 MiB of cpus 0-7". */
static void print_caches(const json_t *all)
{
	const json_t *list = json_object_get(all, "caches");
	size_t count = json_array_size(list);

	if (!count)
		return;
	printf("caches  ");
	for (size_t i = 0, next; i < count; i = next) {
		const json_t *cache = json_array_get(list, i);
		const char *kind = info_text(cache, "kind");

		for (next = i + 1; next < count && same_cache(json_array_get(list, next), cache);)
			next++;
		printf("  %zu x L%lld%s %s", next - i, info_number(cache, "level"),
		       *kind == 'd'   ? "d"
		       : *kind == 'i' ? "i"
				      : "",
		       info_size(cache, "size_bytes"));
		if (strpbrk(info_text(cache, "cpus"), "-,"))
			printf(" (cpus %s%s)", info_text(cache, "cpus"), next - i > 1 ? " ..." : "");
	}
	putchar('\n');
}

/* ---- cores ---- */

static void find_cores(const struct machine *machine, json_t *all)
{
	struct weft_topology_core core;
	json_t *list = json_array();

	for (unsigned int i = 0; weft_topology_core_at(machine->topology, i, &core); i++) {
		json_t *object = json_object();

		info_put(object, "core", i);
		json_object_set_new(object, "cpus", info_cpus(&core.cpus));
		info_put(object, "package", core.package);
		info_put(object, "numa", core.numa);
		json_array_append_new(list, object);
	}
	json_object_set_new(all, "core_list", list);
}

/* Cores say something only where they have several hardware threads. */
static void print_cores(const json_t *all)
{
	const json_t *core;
	size_t i;

	if (info_number(all, "cpus_per_core") < 2)
		return;
	printf("siblings ");
	json_array_foreach(json_object_get(all, "core_list"), i, core) if (i < CORES_SHOWN)
		printf(" %s", info_text(core, "cpus"));
	puts(i > CORES_SHOWN ? " ..." : "");
}

/* ---- devices ---- */

static void find_devices(const struct machine *machine, json_t *all)
{
	struct weft_topology_device device;
	json_t *list = json_array();

	for (unsigned int i = 0; weft_topology_device_at(machine->topology, i, &device); i++)
		json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:i}", "kind", weft_device_kind_name(device.kind),
						      "name", device.name, "pci", device.pci, "numa", device.numa));
	json_object_set_new(all, "devices", list);
}

static void print_devices(const json_t *all)
{
	const json_t *device;
	size_t i;

	json_array_foreach(json_object_get(all, "devices"), i, device)
		printf("device    %s %s %s  numa %lld\n", info_text(device, "kind"), info_text(device, "name"),
		       info_text(device, "pci"), info_number(device, "numa"));
}

const struct info_section hardware_sections[] = {
	{find_machine, print_machine}, {find_numa, print_numa},       {find_caches, print_caches},
	{find_cores, print_cores},     {find_devices, print_devices}, {NULL, NULL},
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves, on a machine with two NUMA nodes of two CPUs each and a disk on the second, that the topology and the core plan
 * see both nodes, and that threads run where the plan puts them: those of a plan, and those of a fabric node.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <weft/plan.h>
#include <weft/weft.h>

#define DISK "nvme0n1"

static struct weft_topology *open_topology(void)
{
	struct weft_topology_opts opts;
	struct weft_topology *topology = NULL;

	weft_topology_opts_init(&opts, sizeof opts);
	opts.devices = true;
	CU_ASSERT_EQUAL_FATAL(weft_topology_open(&opts, &topology), 0);
	return topology;
}

static void the_topology_has_both_nodes(void)
{
	static const char *const cpus[] = {"0-1", "2-3"};
	struct weft_topology *topology = open_topology();
	struct weft_topology_summary summary;
	struct weft_topology_numa numa;
	char text[64];

	weft_topology_describe(topology, &summary);
	CU_ASSERT_EQUAL(summary.packages, 2);
	CU_ASSERT_EQUAL(summary.cpus, 4);
	CU_ASSERT_EQUAL(summary.cores, 4);
	CU_ASSERT_EQUAL_FATAL(summary.numa_nodes, 2);
	for (unsigned int i = 0; i < 2; i++) {
		CU_ASSERT_TRUE_FATAL(weft_topology_numa_at(topology, i, &numa));
		CU_ASSERT_EQUAL(numa.node, i);
		CU_ASSERT_STRING_EQUAL(weft_cpuset_format(&numa.cpus, text, sizeof text), cpus[i]);
		CU_ASSERT_TRUE(numa.memory_bytes > (uint64_t)256 << 20);
		CU_ASSERT_EQUAL(weft_topology_distance(topology, i, i), 10);
		CU_ASSERT_EQUAL(weft_topology_distance(topology, i, 1 - i), 21);
	}
	weft_topology_close(&topology);
}

static void a_disk_is_seen_on_its_node(void)
{
	struct weft_topology *topology = open_topology();
	struct weft_topology_device device;
	char text[64];

	CU_ASSERT_EQUAL_FATAL(weft_topology_find_device(topology, DISK, &device), 0);
	CU_ASSERT_EQUAL(device.kind, WEFT_DEVICE_BLOCK);
	CU_ASSERT_EQUAL(device.numa, 1);
	CU_ASSERT_STRING_EQUAL(weft_cpuset_format(&device.cpus, text, sizeof text), "2-3");
	weft_topology_close(&topology);
}

/* The node of the CPU that the calling thread runs on, as the kernel says. */
static int running_on(void)
{
	unsigned int cpu, node;

	return getcpu(&cpu, &node) == 0 ? (int)node : -1;
}

struct bound {
	const struct weft_topology *topology;
	const struct weft_plan_entry *entry;
	unsigned int cpu;
	int node;
};

static void *bind_and_look(void *argument)
{
	struct bound *bound = argument;

	if (weft_plan_bind(bound->topology, bound->entry) == 0) {
		bound->cpu = (unsigned int)sched_getcpu();
		bound->node = running_on();
	}
	return NULL;
}

/* Makes a plan; binds a thread to each worker's place; all must be on that node. */
static void check_plan(const struct weft_topology *topology, const struct weft_plan_opts *opts, int node)
{
	struct weft_plan *plan = NULL;
	struct weft_cpu_limits limits;

	weft_cpu_limits_read(NULL, &limits);
	CU_ASSERT_EQUAL_FATAL(weft_plan_open(topology, &limits, opts, &plan), 0);
	for (unsigned int i = 0; i < opts->workers; i++) {
		struct bound bound = {.topology = topology, .node = -1};
		pthread_t thread;

		bound.entry = weft_plan_find(plan, WEFT_ROLE_WORKER, i);
		CU_ASSERT_PTR_NOT_NULL_FATAL(bound.entry);
		CU_ASSERT_EQUAL(bound.entry->numa, (unsigned int)node);
		CU_ASSERT_FALSE(bound.entry->shares_cpu);
		CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, bind_and_look, &bound), 0);
		pthread_join(thread, NULL);
		CU_ASSERT_EQUAL(bound.node, node);
		CU_ASSERT_EQUAL(bound.cpu, bound.entry->cpu);
	}
	weft_plan_close(&plan);
}

static void workers_go_to_the_node_of_their_device(void)
{
	static const char *const devices[] = {DISK};
	struct weft_topology *topology = open_topology();
	struct weft_plan_opts opts;

	weft_plan_opts_init(&opts, sizeof opts);
	opts.near_devices = devices;
	opts.near_count = 1;
	for (opts.workers = 1; opts.workers <= 2; opts.workers++)
		check_plan(topology, &opts, 1);
	weft_topology_close(&topology);
}

static void workers_go_to_the_node_that_is_listed(void)
{
	static const char *const lists[] = {"numa:0.pu:all", "numa:1.pu:all"};
	struct weft_topology *topology = open_topology();
	struct weft_cpuset cpus;
	struct weft_plan_opts opts;

	weft_plan_opts_init(&opts, sizeof opts);
	opts.worker_cpus = &cpus;
	for (int node = 0; node < 2; node++) {
		CU_ASSERT_EQUAL_FATAL(weft_topology_parse_cpus(topology, lists[node], &cpus), 0);
		for (opts.workers = 1; opts.workers <= 2; opts.workers++)
			check_plan(topology, &opts, node);
	}
	weft_topology_close(&topology);
}

static void look(struct weft_worker *worker, const struct weft_message *message)
{
	_Atomic int *place = message->with.pointers[0];

	(void)worker;
	/* pairs with the acquire in place_of */
	atomic_store_explicit(place, running_on(), memory_order_release);
}

static int place_of(struct weft_worker *worker)
{
	struct weft_message message = {.run = look};
	_Atomic int place = -2;
	int seen;

	message.with.pointers[0] = &place;
	CU_ASSERT_EQUAL_FATAL(weft_worker_post(worker, &message), 0);
	/* pairs with the release in look */
	while ((seen = atomic_load_explicit(&place, memory_order_acquire)) == -2)
		sched_yield();
	return seen;
}

static void workers_of_a_fabric_node_run_where_they_were_told(void)
{
	static const char *const cores[] = {"0-1", "numa:1.pu:all"};

	for (int place = 0; place < 2; place++) {
		struct weft_node_opts opts;
		struct weft_node *node = NULL;

		weft_node_opts_init(&opts, sizeof opts);
		opts.cores = cores[place];
		opts.worker_count = 2;
		CU_ASSERT_EQUAL_FATAL(weft_node_open(&opts, &node), 0);
		for (unsigned int i = 0; i < 2; i++)
			CU_ASSERT_EQUAL(place_of(weft_node_worker(node, i)), place);
		weft_node_close(&node);
	}
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(the_topology_has_both_nodes),
		SUITE_CASE(a_disk_is_seen_on_its_node),
		SUITE_CASE(workers_go_to_the_node_of_their_device),
		SUITE_CASE(workers_go_to_the_node_that_is_listed),
		SUITE_CASE(workers_of_a_fabric_node_run_where_they_were_told),
	};

	return suite_main("places on two nodes", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves, on a machine with two NUMA nodes of two CPUs each and a disk on the second, that the topology and the core plan
 * see both nodes, that threads run where the plan puts them (those of a plan, and those of a fabric node), and that a
 * fabric node's memory is where its workers are.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <numa.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Pages of shareable memory that this process maps, on that NUMA node. */
static unsigned long shared_pages(int node)
{
	FILE *file = fopen("/proc/self/numa_maps", "r");
	char line[1024], field[16];
	unsigned long sum = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	snprintf(field, sizeof field, " N%d=", node);
	while (fgets(line, sizeof line, file)) {
		const char *at = strstr(line, "memfd:weft") ? strstr(line, field) : NULL;
		unsigned long kib = strstr(line, "kernelpagesize_kB=2048") ? 2048 : 4;

		sum += at ? strtoul(at + strlen(field), NULL, 10) * kib / 4 : 0;
	}
	fclose(file);
	return sum;
}

static struct weft_node *open_node(const char *cores, unsigned int workers, enum weft_pages pages)
{
	struct weft_node_opts opts;
	struct weft_node *node = NULL;

	weft_node_opts_init(&opts, sizeof opts);
	opts.cores = cores;
	opts.worker_count = workers;
	opts.pages = pages;
	CU_ASSERT_EQUAL_FATAL(weft_node_open(&opts, &node), 0);
	return node;
}

static void memory_of_a_fabric_node_is_where_its_workers_are(void)
{
	static const char *const cores[] = {"numa:0.pu:all", "numa:1.pu:all"};
	static const enum weft_pages pages[] = {WEFT_PAGES_AUTO, WEFT_PAGES_COLLAPSE, WEFT_PAGES_SMALL};

	for (int place = 0; place < 2; place++)
		for (unsigned int i = 0; i < 3; i++) {
			struct weft_node *node = open_node(cores[place], 2, pages[i]);

			CU_ASSERT_TRUE(shared_pages(place) >= 2 * 512);
			CU_ASSERT_EQUAL(shared_pages(1 - place), 0);
			weft_node_close(&node);
		}
}

static void workers_on_two_numa_nodes_have_memory_on_each(void)
{
	struct weft_node *node = open_node("1,3", 2, WEFT_PAGES_AUTO);
	int first = place_of(weft_node_worker(node, 0));

	CU_ASSERT_EQUAL(place_of(weft_node_worker(node, 1)), 1 - first);
	CU_ASSERT_TRUE(shared_pages(0) >= 512);
	CU_ASSERT_TRUE(shared_pages(1) >= 512);
	weft_node_close(&node);
}

static void *attach_there(void *argument)
{
	struct weft_worker *worker = NULL;
	unsigned long before = shared_pages(1);

	CU_ASSERT_EQUAL(numa_run_on_node(1), 0);
	CU_ASSERT_EQUAL(weft_topology_numa_here(), 1);
	CU_ASSERT_EQUAL_FATAL(weft_attach(argument, "far", &worker), 0);
	CU_ASSERT_TRUE(shared_pages(1) >= before + 512);
	weft_detach(argument, &worker);
	return NULL;
}

static void an_attached_thread_has_memory_where_it_runs(void)
{
	struct weft_node *node;
	pthread_t thread;

	CU_ASSERT_EQUAL(weft_topology_numa_here(), -1);
	CU_ASSERT_EQUAL(numa_run_on_node(0), 0);
	node = open_node(NULL, 0, WEFT_PAGES_AUTO);
	CU_ASSERT_EQUAL(numa_run_on_node(-1), 0);
	CU_ASSERT_TRUE(shared_pages(0) >= 512);
	CU_ASSERT_EQUAL(shared_pages(1), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, attach_there, node), 0);
	pthread_join(thread, NULL);
	weft_node_close(&node);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(the_topology_has_both_nodes),
		SUITE_CASE(a_disk_is_seen_on_its_node),
		SUITE_CASE(workers_go_to_the_node_of_their_device),
		SUITE_CASE(workers_go_to_the_node_that_is_listed),
		SUITE_CASE(workers_of_a_fabric_node_run_where_they_were_told),
		SUITE_CASE(memory_of_a_fabric_node_is_where_its_workers_are),
		SUITE_CASE(workers_on_two_numa_nodes_have_memory_on_each),
		SUITE_CASE(an_attached_thread_has_memory_where_it_runs),
	};

	return suite_main("places on two nodes", cases, SUITE_COUNT(cases), argc, argv);
}

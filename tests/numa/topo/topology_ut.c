/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that topologies of this machine, of descriptions and of an XML file with PCI devices are read right, that
 * places in hwloc's form find the right CPUs, and that bad input is refused with a sentence.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <sched.h>
#include <string.h>
#include <weft/errors.h>
#include <weft/random.h>
#include <weft/topology.h>

static struct weft_topology *open_synthetic(const char *text)
{
	struct weft_topology_opts opts;
	struct weft_topology *topology = NULL;

	weft_topology_opts_init(&opts, sizeof opts);
	opts.synthetic = text;
	CU_ASSERT_EQUAL_FATAL(weft_topology_open(&opts, &topology), 0);
	return topology;
}

static struct weft_topology *open_xml(void)
{
	struct weft_topology_opts opts;
	struct weft_topology *topology = NULL;

	weft_topology_opts_init(&opts, sizeof opts);
	opts.xml_path = TEST_DATA "/two_nodes.xml";
	CU_ASSERT_EQUAL_FATAL(weft_topology_open(&opts, &topology), 0);
	return topology;
}

static void a_big_description_is_counted_right(void)
{
	struct weft_topology *topology = open_synthetic("package:2 numa:4 core:16 pu:2");
	struct weft_topology_summary summary;
	struct weft_topology_cpu cpu;
	struct weft_cpuset all;

	weft_topology_describe(topology, &summary);
	CU_ASSERT_EQUAL(summary.packages, 2);
	CU_ASSERT_EQUAL(summary.numa_nodes, 8);
	CU_ASSERT_EQUAL(summary.cores, 128);
	CU_ASSERT_EQUAL(summary.cpus, 256);
	CU_ASSERT_EQUAL(summary.smt, 2);
	CU_ASSERT_FALSE(summary.this_machine);
	weft_topology_cpus(topology, &all);
	CU_ASSERT_EQUAL(weft_cpuset_count(&all), 256);
	CU_ASSERT_TRUE(weft_topology_find_cpu(topology, 255, &cpu));
	CU_ASSERT_EQUAL(cpu.numa, 7);
	CU_ASSERT_EQUAL(cpu.package, 1);
	CU_ASSERT_EQUAL(cpu.core, 127);
	CU_ASSERT_EQUAL(cpu.sibling, 1);
	CU_ASSERT_FALSE(weft_topology_cpu_at(topology, 256, &cpu));
	CU_ASSERT_EQUAL(weft_topology_distance(topology, 3, 3), 10);
	CU_ASSERT_TRUE(weft_topology_distance(topology, 3, 4) > 10);
	weft_topology_close(&topology);
	CU_ASSERT_PTR_NULL(topology);
}

static void this_machine_has_the_cpus_we_run_on_and_keeps_our_binding(void)
{
	struct weft_topology *topology = NULL;
	struct weft_topology_summary summary;
	struct weft_topology_cpu cpu;
	struct weft_cpuset one;
	cpu_set_t before, after;

	sched_getaffinity(0, sizeof before, &before);
	CU_ASSERT_EQUAL_FATAL(weft_topology_open(NULL, &topology), 0);
	sched_getaffinity(0, sizeof after, &after);
	CU_ASSERT_TRUE(CPU_EQUAL(&before, &after));
	weft_topology_describe(topology, &summary);
	CU_ASSERT_TRUE(summary.this_machine);
	CU_ASSERT_TRUE(summary.memory_bytes > 0);
	CU_ASSERT_TRUE(weft_topology_find_cpu(topology, (unsigned int)sched_getcpu(), &cpu));
	weft_cpuset_zero(&one);
	weft_cpuset_add(&one, cpu.cpu);
	CU_ASSERT_EQUAL(weft_topology_bind(topology, &one), 0);
	sched_getaffinity(0, sizeof after, &after);
	CU_ASSERT_TRUE(CPU_COUNT(&after) == 1 && CPU_ISSET(cpu.cpu, &after));
	sched_setaffinity(0, sizeof before, &before);
	weft_topology_close(&topology);
}

static void binding_to_a_described_machine_is_refused(void)
{
	struct weft_topology *topology = open_synthetic("core:2 pu:1");
	struct weft_cpuset one;

	weft_cpuset_zero(&one);
	weft_cpuset_add(&one, 0);
	CU_ASSERT_EQUAL(weft_topology_bind(topology, &one), -WEFT_ENOTSUP);
	weft_topology_close(&topology);
}

static void devices_of_an_xml_file_have_their_place(void)
{
	struct weft_topology *topology = open_xml();
	struct weft_topology_device device;

	CU_ASSERT_EQUAL(weft_topology_find_device(topology, "eth1", &device), 0);
	CU_ASSERT_EQUAL(device.kind, WEFT_DEVICE_NETWORK);
	CU_ASSERT_EQUAL(device.numa, 1);
	CU_ASSERT_STRING_EQUAL(device.pci, "0000:81:00.0");
	CU_ASSERT_EQUAL(device.vendor_id, 0x15b3);
	CU_ASSERT_EQUAL(weft_topology_find_device(topology, "81:00.0", &device), 0);
	CU_ASSERT_EQUAL(weft_topology_find_device(topology, "mlx5_0", &device), 0);
	CU_ASSERT_EQUAL(device.kind, WEFT_DEVICE_RDMA);
	CU_ASSERT_EQUAL(weft_topology_find_device(topology, "nvme0n1", &device), 0);
	CU_ASSERT_EQUAL(device.numa, 0);
	CU_ASSERT_EQUAL(weft_topology_find_device(topology, "eth9", &device), -WEFT_ENODEV);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "eth1"));
	weft_topology_close(&topology);
}

static void places_find_the_right_cpus(void)
{
	static const struct {
		const char *text, *cpus;
	} rows[] = {
		{"0-3,8", "0-3,8"},
		{"core:2", "4-5"},
		{"package:1.core:0-1", "16-19"},
		{"pu:5", "5"},
		{"numa:1.core:0.pu:1", "9"},
		{"core:all.pu:0", "0,2,4,6,8,10,12,14,16,18,20,22,24,26,28,30"},
		{"core:14-", "28-31"},
		{"package:0.pu:odd", "1,3,5,7,9,11,13,15"},
		{"core:0,core:3", "0-1,6-7"},
		{"core:0 pu:31", "0-1,31"},
		{"socket:1", "16-31"},
		{"cpu:3", "3"},
	};
	struct weft_topology *topology = open_synthetic("package:2 numa:2 core:4 pu:2");
	struct weft_cpuset set;
	char text[128];

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		CU_ASSERT_EQUAL(weft_topology_parse_cpus(topology, rows[i].text, &set), 0);
		CU_ASSERT_STRING_EQUAL(weft_cpuset_format(&set, text, sizeof text), rows[i].cpus);
	}
	weft_topology_close(&topology);
}

static void bad_places_are_refused_and_the_token_is_named(void)
{
	static const struct {
		const char *text, *token;
		int code;
	} rows[] = {
		{"core:99", "'core:99'", WEFT_ERANGE},
		{"bogus:1", "'bogus:1'", WEFT_EINVAL},
		{"core:", "'core:'", WEFT_EINVAL},
		{"core:1,2", "'2'", WEFT_EINVAL},
		{"core", "'core'", WEFT_EINVAL},
		{"core:3-1", "'core:3-1'", WEFT_EINVAL},
		{"core:1,,core:2", "'core:1,,core:2'", WEFT_EINVAL},
		{"package:0.core:9", "'package:0.core:9'", WEFT_ERANGE},
		{"32", "CPU 32", WEFT_ERANGE},
		{"L3:0", "'L3:0'", WEFT_EINVAL},
		{"core:-1", "'core:-1'", WEFT_EINVAL},
		{"", "''", WEFT_EINVAL},
		{"core:0.core:0.core:0.core:0.core:0.core:0.core:0.core:0.core:0", "core:0", WEFT_EINVAL},
	};
	struct weft_topology *topology = open_synthetic("package:2 numa:2 core:4 pu:2");
	struct weft_cpuset set;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		CU_ASSERT_EQUAL(weft_topology_parse_cpus(topology, rows[i].text, &set), -rows[i].code);
		CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), rows[i].token));
	}
	weft_topology_close(&topology);
}

static void random_text_never_breaks_the_place_parser(void)
{
	static const char *const pieces[] = {"core", "pu", "package", ":", ".",  ",", "-",
					     "0",    "3",  "all",     " ", "L2", "x"};
	struct weft_topology *topology = open_synthetic("package:2 core:4 pu:2");
	struct weft_cpuset set, all, outside;
	struct weft_random random;

	weft_random_seed(&random, 4);
	weft_topology_cpus(topology, &all);
	for (int round = 0; round < 20000; round++) {
		char text[80] = "";

		for (uint64_t n = weft_random_below(&random, 10); n > 0; n--)
			strcat(text, pieces[weft_random_below(&random, sizeof pieces / sizeof *pieces)]);
		if (weft_topology_parse_cpus(topology, text, &set) < 0)
			continue;
		weft_cpuset_andnot(&outside, &set, &all);
		CU_ASSERT_TRUE(weft_cpuset_is_empty(&outside));
		CU_ASSERT_FALSE(weft_cpuset_is_empty(&set));
	}
	weft_topology_close(&topology);
}

static void bad_sources_are_refused(void)
{
	struct weft_topology_opts opts;
	struct weft_topology *topology = NULL;

	weft_topology_opts_init(&opts, sizeof opts);
	opts.synthetic = "nonsense";
	CU_ASSERT_EQUAL(weft_topology_open(&opts, &topology), -WEFT_EINVAL);
	opts.xml_path = "/nonexistent.xml";
	CU_ASSERT_EQUAL(weft_topology_open(&opts, &topology), -WEFT_EINVAL);
	opts.synthetic = NULL;
	CU_ASSERT_EQUAL(weft_topology_open(&opts, &topology), -WEFT_ENOENT);
	opts.xml_path = TEST_DATA "/CMakeLists.txt";
	CU_ASSERT_EQUAL(weft_topology_open(&opts, &topology), -WEFT_EINVAL);
	CU_ASSERT_PTR_NULL(topology);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_big_description_is_counted_right),
		SUITE_CASE(this_machine_has_the_cpus_we_run_on_and_keeps_our_binding),
		SUITE_CASE(binding_to_a_described_machine_is_refused),
		SUITE_CASE(devices_of_an_xml_file_have_their_place),
		SUITE_CASE(places_find_the_right_cpus),
		SUITE_CASE(bad_places_are_refused_and_the_token_is_named),
		SUITE_CASE(random_text_never_breaks_the_place_parser),
		SUITE_CASE(bad_sources_are_refused),
	};

	return suite_main("topology", cases, SUITE_COUNT(cases), argc, argv);
}

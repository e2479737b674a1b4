/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves, on a machine with two NUMA nodes, that arenas put every page where they are bound to, whatever kind of pages
 * they have and wherever the thread runs that makes them. The kernel is asked for each page, by move_pages.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <numa.h>
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/arena.h>
#include <weft/errors.h>

#define MIB ((size_t)1 << 20)
#define PAGE_BYTES 4096u
#define NODES 2
#define BYTES (8 * MIB)

static void run_on_node(int node)
{
	CU_ASSERT_EQUAL_FATAL(numa_run_on_node(node), 0);
}

/* How many 4 KiB pages of the range are not on that node, or not there at all. */
static size_t strays(const char *base, size_t len_bytes, int node)
{
	size_t count = len_bytes / PAGE_BYTES, wrong = 0;
	void **pages = calloc(count, sizeof *pages);
	int *status = calloc(count, sizeof *status);

	for (size_t i = 0; i < count; i++)
		pages[i] = (void *)(uintptr_t)(base + i * PAGE_BYTES);
	CU_ASSERT_EQUAL(move_pages(0, count, pages, NULL, status, 0), 0);
	for (size_t i = 0; i < count; i++)
		wrong += status[i] != node;
	free(pages);
	free(status);
	return wrong;
}

static struct weft_arena *open_arena(int node, enum weft_pages pages)
{
	struct weft_arena_opts opts;
	struct weft_arena *arena = NULL;

	weft_arena_opts_init(&opts, sizeof opts);
	opts.numa_node = node;
	opts.pages = pages;
	opts.incarnation = 5;
	CU_ASSERT_EQUAL_FATAL(weft_arena_open(&opts, &arena), 0);
	return arena;
}

/* A number of a node, from what the kernel says about its huge pages. */
static long huge_pages(int node, const char *what)
{
	char path[128];
	long value = -1;
	FILE *file;

	snprintf(path, sizeof path, "/sys/devices/system/node/node%d/hugepages/hugepages-2048kB/%s", node, what);
	file = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	CU_ASSERT_EQUAL(fscanf(file, "%ld", &value), 1);
	fclose(file);
	return value;
}

/* Every page of an arena's memory, seen by its owner and by a reader that runs at the other end of the machine. */
static void check_arena(int node, int maker, enum weft_pages wanted, enum weft_pages got)
{
	struct weft_arena *arena = open_arena(node, wanted);
	const struct weft_segment *data, *control;
	struct weft_carving carving;
	struct weft_mapping mapping;
	unsigned int sum = 0;

	run_on_node(maker);
	CU_ASSERT_EQUAL_FATAL(weft_arena_grow(arena, BYTES - MIB, &data), 0);
	CU_ASSERT_EQUAL_FATAL(weft_arena_carve(arena, 64, &carving), 0);
	control = weft_arena_segment(arena, carving.segment_id);
	CU_ASSERT_EQUAL(data->pages, got);
	CU_ASSERT_EQUAL(control->pages, got);
	CU_ASSERT_EQUAL(strays(data->base, data->len_bytes, node), 0);
	CU_ASSERT_EQUAL(strays(control->base, control->len_bytes, node), 0);
	memset(data->base + MIB, 1, data->len_bytes - MIB);

	run_on_node(1 - node);
	CU_ASSERT_EQUAL_FATAL(weft_mapping_open(data->fd, 5, data->segment_id, BYTES, &mapping), 0);
	for (size_t at = MIB; at < mapping.len_bytes; at += PAGE_BYTES)
		sum += (unsigned char)mapping.base[at];
	CU_ASSERT_EQUAL(sum, (BYTES - MIB) / PAGE_BYTES);
	/* The first block's page 0 holds the header; of the rest of that block nothing was read. */
	CU_ASSERT_EQUAL(strays(mapping.base + MIB, mapping.len_bytes - MIB, node), 0);
	CU_ASSERT_EQUAL(strays(data->base, data->len_bytes, node), 0);
	weft_mapping_close(&mapping);
	weft_arena_close(&arena);
	numa_run_on_node(-1);
}

static void check_everywhere(enum weft_pages wanted, enum weft_pages got)
{
	for (int node = 0; node < NODES; node++)
		for (int maker = 0; maker < NODES; maker++)
			check_arena(node, maker, wanted, got);
}

static void the_machine_has_two_nodes_with_huge_pages(void)
{
	CU_ASSERT_TRUE_FATAL(numa_available() >= 0);
	CU_ASSERT_EQUAL_FATAL(numa_num_configured_nodes(), NODES);
	for (int node = 0; node < NODES; node++)
		CU_ASSERT_TRUE_FATAL(huge_pages(node, "free_hugepages") >= 8);
}

static void small_pages_are_on_their_node(void)
{
	check_everywhere(WEFT_PAGES_SMALL, WEFT_PAGES_SMALL);
}

static void collapsed_pages_are_on_their_node(void)
{
	check_everywhere(WEFT_PAGES_COLLAPSE, WEFT_PAGES_COLLAPSE);
}

static void reserved_huge_pages_are_on_their_node(void)
{
	check_everywhere(WEFT_PAGES_HUGETLB, WEFT_PAGES_HUGETLB);
}

static void huge_pages_of_one_node_are_taken_and_come_home(void)
{
	for (int node = 0; node < NODES; node++) {
		long mine = huge_pages(node, "free_hugepages"), others = huge_pages(1 - node, "free_hugepages");
		struct weft_arena *arena = open_arena(node, WEFT_PAGES_AUTO);
		const struct weft_segment *segment;

		CU_ASSERT_EQUAL_FATAL(weft_arena_grow(arena, BYTES - MIB, &segment), 0);
		CU_ASSERT_EQUAL(segment->pages, WEFT_PAGES_HUGETLB);
		CU_ASSERT_EQUAL(huge_pages(node, "free_hugepages"), mine - (long)(BYTES / (2 * MIB)));
		CU_ASSERT_EQUAL(huge_pages(1 - node, "free_hugepages"), others);
		weft_arena_close(&arena);
		CU_ASSERT_EQUAL(huge_pages(node, "free_hugepages"), mine);
	}
}

static void a_node_without_free_huge_pages_does_not_take_the_others(void)
{
	for (int node = 0; node < NODES; node++) {
		long all = huge_pages(node, "free_hugepages"), others = huge_pages(1 - node, "free_hugepages");
		struct weft_arena *strict = open_arena(node, WEFT_PAGES_HUGETLB),
				  *any = open_arena(node, WEFT_PAGES_AUTO);
		const struct weft_segment *segment = NULL;
		struct weft_arena_stats stats;

		CU_ASSERT_TRUE_FATAL(others > 0);
		CU_ASSERT_EQUAL_FATAL(weft_arena_grow(strict, (size_t)all * 2 * MIB - MIB, &segment), 0);
		CU_ASSERT_EQUAL(huge_pages(node, "free_hugepages"), 0);
		CU_ASSERT_EQUAL(weft_arena_grow(strict, MIB, &segment), -WEFT_ENOMEM);
		CU_ASSERT_EQUAL_FATAL(weft_arena_grow(any, BYTES - MIB, &segment), 0);
		CU_ASSERT_EQUAL(segment->pages, WEFT_PAGES_COLLAPSE);
		CU_ASSERT_EQUAL(strays(segment->base, segment->len_bytes, node), 0);
		CU_ASSERT_EQUAL(huge_pages(1 - node, "free_hugepages"), others);
		weft_arena_describe(any, &stats);
		CU_ASSERT_EQUAL(stats.collapsed_bytes, BYTES);
		weft_arena_close(&strict);
		weft_arena_close(&any);
		CU_ASSERT_EQUAL(huge_pages(node, "free_hugepages"), all);
	}
}

static void the_makers_own_policy_stays_what_it_was(void)
{
	static const int modes[] = {MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE};
	unsigned long second = 2, none = 0, seen;
	int mode;

	for (unsigned int i = 0; i < sizeof modes / sizeof *modes; i++) {
		unsigned long wanted = modes[i] == MPOL_DEFAULT ? none : second;
		struct weft_arena *arena = open_arena(0, WEFT_PAGES_HUGETLB);
		const struct weft_segment *segment;

		CU_ASSERT_EQUAL_FATAL(set_mempolicy(modes[i], modes[i] == MPOL_DEFAULT ? NULL : &second, 64), 0);
		CU_ASSERT_EQUAL_FATAL(weft_arena_grow(arena, MIB, &segment), 0);
		CU_ASSERT_EQUAL(strays(segment->base, segment->len_bytes, 0), 0);
		seen = 0;
		CU_ASSERT_EQUAL(get_mempolicy(&mode, &seen, 64, NULL, 0), 0);
		CU_ASSERT_EQUAL(mode, modes[i]);
		CU_ASSERT_EQUAL(seen, wanted);
		weft_arena_close(&arena);
	}
	CU_ASSERT_EQUAL(set_mempolicy(MPOL_DEFAULT, NULL, 0), 0);
}

static void a_node_that_is_not_there_is_refused(void)
{
	struct weft_arena *arena = open_arena(NODES, WEFT_PAGES_AUTO);
	const struct weft_segment *segment = NULL;

	CU_ASSERT_EQUAL(weft_arena_grow(arena, 0, &segment), -WEFT_EINVAL);
	CU_ASSERT_PTR_NULL(segment);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "NUMA node 2"));
	weft_arena_close(&arena);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(the_machine_has_two_nodes_with_huge_pages),
		SUITE_CASE(small_pages_are_on_their_node),
		SUITE_CASE(collapsed_pages_are_on_their_node),
		SUITE_CASE(reserved_huge_pages_are_on_their_node),
		SUITE_CASE(huge_pages_of_one_node_are_taken_and_come_home),
		SUITE_CASE(a_node_without_free_huge_pages_does_not_take_the_others),
		SUITE_CASE(the_makers_own_policy_stays_what_it_was),
		SUITE_CASE(a_node_that_is_not_there_is_refused),
	};

	return suite_main("memory of two nodes", cases, SUITE_COUNT(cases), argc, argv);
}

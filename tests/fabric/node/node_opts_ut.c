/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a node is refused options that it could not hold to, with an error that says which and what is allowed.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <string.h>

#define GIB ((size_t)1 << 30)

/* Opens and closes a node that may have so much memory. */
static int try_memory(size_t memory_max_bytes)
{
	struct weft_node_opts opts;

	weft_node_opts_init(&opts, sizeof opts);
	opts.memory_max_bytes = memory_max_bytes;
	return pair_try(&opts);
}

static void memory_is_no_more_than_peers_map_of_it(void)
{
	CU_ASSERT_EQUAL(try_memory(64 * GIB), 0);
	CU_ASSERT_EQUAL(try_memory(64 * GIB + 1), -WEFT_EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "memory_max_bytes 68719476737"));
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "at most 68719476736"));
	CU_ASSERT_EQUAL(try_memory(SIZE_MAX), -WEFT_EINVAL);
}

static void memory_is_enough_for_a_node(void)
{
	CU_ASSERT_EQUAL(try_memory(GIB / 128), 0);
	CU_ASSERT_EQUAL(try_memory(GIB / 128 - 1), -WEFT_EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "at least 8388608"));
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(memory_is_no_more_than_peers_map_of_it),
		SUITE_CASE(memory_is_enough_for_a_node),
	};

	return suite_main("node_opts", cases, SUITE_COUNT(cases), argc, argv);
}

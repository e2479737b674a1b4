/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a connection of our own is known from its beginning to its end, and that those which have ended are not
 * gathered, also where nobody ever connects to us.
 */
#include "link/connecting.h"
#include "suite.h"

#include <CUnit/Basic.h>

static struct weft_node node;
static struct weft__station station = {.node = &node}, another = {.node = &node};

static unsigned int count_all(void)
{
	unsigned int count = 0;

	WEFT_LIST_FOR_EACH(at, &node.connecting)
		count++;
	return count;
}

static void a_connection_is_known_from_its_beginning_to_its_end(void)
{
	struct weft__connecting *first, *second;

	weft_list_init(&node.connecting);
	CU_ASSERT_FALSE(weft__connecting_to(&station, "peer"));
	first = weft__connecting_begin(&station, "peer");
	second = weft__connecting_begin(&station, "peer/worker");
	CU_ASSERT_TRUE(weft__connecting_to(&station, "peer"));
	CU_ASSERT_FALSE(weft__connecting_to(&another, "peer"));
	weft__connecting_end(first);
	CU_ASSERT_FALSE(weft__connecting_to(&station, "peer"));
	CU_ASSERT_TRUE(weft__connecting_to(&station, "peer/worker"));
	weft__connecting_end(second);
	CU_ASSERT_FALSE(weft__connecting_to(&station, "peer/worker"));
	CU_ASSERT_EQUAL(count_all(), 0);
	weft__connecting_end(NULL);
	weft__connecting_drop(&node);
}

/* As a sender does that waits for days for a peer which is not there. */
static void those_that_have_ended_are_not_gathered(void)
{
	struct weft__connecting *stays;

	weft_list_init(&node.connecting);
	stays = weft__connecting_begin(&station, "stays");
	for (unsigned int i = 0; i < 1000; i++) {
		weft__connecting_end(weft__connecting_begin(&station, "peer"));
		CU_ASSERT_TRUE(count_all() <= 2);
	}
	CU_ASSERT_TRUE(weft__connecting_to(&station, "stays"));
	weft__connecting_end(stays);
	weft__connecting_drop(&node);
	CU_ASSERT_EQUAL(count_all(), 0);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_connection_is_known_from_its_beginning_to_its_end),
		SUITE_CASE(those_that_have_ended_are_not_gathered),
	};

	return suite_main("connecting", cases, SUITE_COUNT(cases), argc, argv);
}

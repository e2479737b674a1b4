/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that what a node tells of its memory in use goes up and comes back.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>

static uint64_t buffers_of(struct weft_node *node)
{
	struct weft_node_stats stats;

	weft_node_describe(node, &stats);
	return stats.buffers_out;
}

static void keep(struct weft_rx *rx, void *user)
{
	CU_ASSERT_EQUAL(weft_rx_keep(rx, user), 0);
}

static void buffers_are_counted_while_they_are_out(void)
{
	struct weft_loan *loan, *kept = NULL;
	uint64_t near_before, far_before;
	struct pair pair;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, keep, &kept);
	pair_connect(&pair);
	near_before = buffers_of(pair.near);
	far_before = buffers_of(pair.far);
	CU_ASSERT_EQUAL_FATAL(weft_loan_get(pair.near_worker, 1000, &loan), 0);
	CU_ASSERT_EQUAL(buffers_of(pair.near), near_before + 1);
	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, weft_send_loan(pair.sender, loan, NULL) == 0));
	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, kept != NULL));
	/* It is the lender's, wherever it is. */
	CU_ASSERT_EQUAL(buffers_of(pair.near), near_before + 1);
	CU_ASSERT_EQUAL(buffers_of(pair.far), far_before);
	weft_loan_release(kept);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, buffers_of(pair.near) == near_before));
	/* A small message that is kept takes none. */
	kept = NULL;
	CU_ASSERT_EQUAL(weft_send(pair.sender, "x", 1), 0);
	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, kept != NULL));
	CU_ASSERT_EQUAL(buffers_of(pair.far), far_before);
	weft_loan_release(kept);
	CU_ASSERT_EQUAL(buffers_of(pair.far), far_before);
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(buffers_are_counted_while_they_are_out),
	};

	return suite_main("describe", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a run with the same seed is the same run, that another seed makes another one, and that what happens on one
 * link does not depend on others.
 */
#include "node.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <string.h>
#include <weft/random.h>

#define HOSTS 8u
#define STEPS 3000u

static const struct weft_sim_link wild = {
	.delay = WEFT_SIM_HEAVY,
	.delay_ns = 20000,
	.spread_ns = 8000,
	.bits_per_second = 1000000000,
	.queue_bytes = 30000,
	.mark_bytes = 10000,
	.payload_max = 1472,
	.loss = 0.05,
	.duplicate = 0.02,
	.corrupt = 0.03,
	.reorder = 0.1,
	.reorder_ns = 100000,
};

static struct node hosts[HOSTS];
static struct weft_net_route *ways[HOSTS][HOSTS];

static void open_all(uint64_t seed)
{
	node_sim_open(seed, &wild);
	for (unsigned int i = 0; i < HOSTS; i++)
		node_open(&hosts[i], 2, (unsigned int[]){0, 1});
	for (unsigned int i = 0; i < HOSTS; i++)
		for (unsigned int j = 0; j < HOSTS; j++)
			ways[i][j] = node_route(&hosts[i].ports[0], &hosts[j]);
}

static void close_all(void)
{
	for (unsigned int i = 0; i < HOSTS; i++)
		for (unsigned int j = 0; j < HOSTS; j++)
			node_driver->route_close(&ways[i][j]);
	for (unsigned int i = 0; i < HOSTS; i++)
		node_close(&hosts[i]);
	node_sim_close();
}

static void name_of(const struct node *node, char *text)
{
	node_driver->address_write(&node->address, text);
}

/* Sends, cuts, clogs and lets time pass, by a stream of the test's own. */
static void step(struct weft_random *random)
{
	unsigned int from = (unsigned int)weft_random_below(random, HOSTS),
		     to = (unsigned int)weft_random_below(random, HOSTS);
	uint64_t what = weft_random_below(random, 100);
	int rc = 0;
	char names[2][WEFT_NET_TEXT_MAX];

	name_of(&hosts[from], names[0]);
	name_of(&hosts[to], names[1]);
	if (what < 2)
		rc = weft_sim_cut(node_sim, names[0], names[1], what == 0);
	else if (what < 4)
		rc = weft_sim_clog(node_sim, names[0], names[1], what == 2);
	else if (what < 80)
		rc = node_send(ways[from][to], (unsigned int)what % 2, (uint32_t)what, 100 + (uint32_t)what) ? 0 : -1;
	else
		nodes_turn();
	CU_ASSERT_EQUAL(rc, 0);
}

static struct weft_sim_stats run(uint64_t seed, uint64_t test_seed)
{
	struct weft_sim_stats stats;
	struct weft_random random;

	open_all(seed);
	weft_random_seed(&random, test_seed);
	for (unsigned int i = 0; i < STEPS; i++)
		step(&random);
	weft_sim_describe(node_sim, &stats);
	close_all();
	return stats;
}

static void the_same_seed_makes_the_same_run(void)
{
	for (uint64_t seed = 0; seed < 5; seed++) {
		struct weft_sim_stats once = run(seed, 77), again = run(seed, 77);

		CU_ASSERT_EQUAL(memcmp(&once, &again, sizeof once), 0);
		CU_ASSERT_TRUE(once.delivered > 500 && once.lost && once.cut && once.duplicated);
	}
}

static void another_seed_makes_another_run(void)
{
	uint64_t traces[20];

	for (uint64_t seed = 0; seed < 20; seed++) {
		traces[seed] = run(seed, 77).trace;
		for (uint64_t other = 0; other < seed; other++)
			CU_ASSERT_NOT_EQUAL(traces[seed], traces[other]);
	}
}

static void other_calls_make_another_run(void)
{
	CU_ASSERT_NOT_EQUAL(run(1, 77).trace, run(1, 78).trace);
}

/* The numbers of the packets that arrive from host 0 at host 1, as a hash, while others are silent or not. */
static uint64_t fate_of_one_link(bool others)
{
	uint64_t fate = 0;

	open_all(9);
	for (uint32_t i = 0; i < 1000; i++) {
		uint64_t got = hosts[1].ports[0].got;

		CU_ASSERT_TRUE(node_send(ways[0][1], 0, i, 200));
		for (unsigned int j = 2; others && j < HOSTS; j++)
			CU_ASSERT_TRUE(node_send(ways[j][2], 0, i, 900));
		while (weft_sim_next_ns(node_sim) != WEFT_NEVER)
			nodes_turn();
		fate = fate * 31 + (hosts[1].ports[0].got - got);
	}
	close_all();
	return fate;
}

static void what_happens_on_one_link_depends_on_no_other(void)
{
	CU_ASSERT_EQUAL(fate_of_one_link(false), fate_of_one_link(true));
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(the_same_seed_makes_the_same_run),
		SUITE_CASE(another_seed_makes_another_run),
		SUITE_CASE(other_calls_make_another_run),
		SUITE_CASE(what_happens_on_one_link_depends_on_no_other),
	};

	return suite_main("trace of the simulated network", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that whoever is refused because all links are taken, however often, is logged once until there is room again.
 */
#include "fabric/pair.h"
#include "stranger.h"
#include "suite.h"
#include "wire/control.h"

#include <CUnit/Basic.h>
#include <stdatomic.h>
#include <string.h>
#include <weft/log.h>

#define KNOCKS 20u

static atomic_uint refusals; /* lines of the log */

static void count_refusals(enum weft_log_level level, const char *component, const char *line, void *user)
{
	(void)level, (void)component, (void)user;
	if (strstr(line, "refused") && strstr(line, "links"))
		atomic_fetch_add_explicit(&refusals, 1, memory_order_relaxed);
}

static unsigned int logged(void)
{
	return atomic_load_explicit(&refusals, memory_order_relaxed);
}

static void begin(void)
{
	atomic_store_explicit(&refusals, 0, memory_order_relaxed);
	weft_log_set_sink(count_refusals, WEFT_LOG_WARN, NULL);
}

static unsigned int links_of(struct weft_node *node)
{
	struct weft_node_stats stats;

	weft_node_describe(node, &stats);
	return stats.links;
}

static void knock(struct side *side, struct stranger *on)
{
	struct weft__hello hello = {.role = WEFT_NODE_LEAF};
	unsigned int failures = side->ends[0].failures;
	struct weft_hello bytes;

	strcpy(hello.node, side->name);
	weft__hello_encode(&hello, &bytes);
	CU_ASSERT_EQUAL_FATAL(side->driver->connect(side->ends[0].port, weft_node_name(on->node), &bytes, NULL), 0);
	CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(on, side->ends[0].failures > failures));
	CU_ASSERT_EQUAL(side->ends[0].error, -WEFT_ENOSPC);
}

static void peers_who_are_refused_again_and_again_are_logged_once(void)
{
	struct stranger first, second;
	struct weft_node_opts opts;
	struct side side;

	begin();
	weft_node_opts_init(&opts, sizeof opts);
	opts.links_max = 1;
	stranger_open(&first, &opts);
	side_open(&side, "knocks", 1, 0);
	for (unsigned int i = 0; i < KNOCKS; i++)
		knock(&side, &first);
	CU_ASSERT_EQUAL(logged(), 1);
	/* There is room, and then there is none. */
	stranger_leave(&first);
	CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(&first, links_of(first.node) == 0));
	stranger_join(&second, &first, "second");
	knock(&side, &first);
	knock(&side, &first);
	CU_ASSERT_EQUAL(logged(), 2);
	side_close(&side);
	stranger_part(&second);
	stranger_close(&first);
	weft_log_set_sink(NULL, WEFT_LOG_WARN, NULL);
}

static void senders_that_are_refused_again_and_again_are_logged_once(void)
{
	struct weft_sender *sender, *other;
	struct pair pair;

	begin();
	pair_open_limited(&pair, 1, 2);
	/* One that is still being made is in use. */
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.near_worker, pair.near_channel, weft_node_name(pair.far), NULL,
					       &sender),
			      0);
	for (unsigned int i = 0; i < KNOCKS; i++)
		CU_ASSERT_EQUAL(weft_sender_open(pair.near_worker, pair.near_channel, "other", NULL, &other),
				-WEFT_ENOSPC);
	CU_ASSERT_EQUAL(logged(), 1);
	pair_close(&pair);
	weft_log_set_sink(NULL, WEFT_LOG_WARN, NULL);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(peers_who_are_refused_again_and_again_are_logged_once),
		SUITE_CASE(senders_that_are_refused_again_and_again_are_logged_once),
	};

	return suite_main("link full", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a worker with nothing to do is woken by its back-stop ever less often, and that work brings it back to
 * where it began.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <weft/worker.h>

#define BACKSTOP_NS 1000000u

static uint64_t sleep_once(struct weft_worker *worker)
{
	uint64_t before_ns = weft_clock_now(weft_clock_real());

	weft_worker_turn(worker, WEFT_NEVER);
	return weft_clock_now(weft_clock_real()) - before_ns;
}

static void nothing(struct weft_worker *worker, const struct weft_message *message)
{
	(void)worker;
	(void)message;
}

/* Sleeps never end early, so what they last at least is certain. */
static void the_backstop_comes_less_often_while_it_finds_nothing(void)
{
	const struct weft_message message = {.run = nothing};
	struct weft_worker_stats stats;
	struct weft_worker_opts opts;
	struct weft_worker *worker;

	weft_worker_opts_init(&opts, sizeof opts);
	opts.idle = WEFT_IDLE_BLOCK;
	opts.backstop_ns = BACKSTOP_NS;
	CU_ASSERT_EQUAL_FATAL(weft_worker_open(&opts, &worker), 0);
	weft_worker_describe(worker, &stats);
	if (stats.membarrier) {
		for (unsigned int i = 0; i < 6; i++)
			CU_ASSERT_TRUE(sleep_once(worker) >= (uint64_t)BACKSTOP_NS << (i < 4 ? i : 4));
		CU_ASSERT_EQUAL(weft_worker_post(worker, &message), 0);
		CU_ASSERT_EQUAL(weft_worker_turn(worker, WEFT_NEVER), 1);
		weft_worker_turn(worker, WEFT_NEVER);
		CU_ASSERT_TRUE(sleep_once(worker) >= BACKSTOP_NS);
		weft_worker_describe(worker, &stats);
		CU_ASSERT_EQUAL(stats.sleeps, stats.wakes_by_backstop);
	} else {
		CU_ASSERT_TRUE(sleep_once(worker) >= BACKSTOP_NS);
		CU_ASSERT_TRUE(sleep_once(worker) >= BACKSTOP_NS);
	}
	weft_worker_close(&worker);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(the_backstop_comes_less_often_while_it_finds_nothing),
	};

	return suite_main("idle", cases, SUITE_COUNT(cases), argc, argv);
}

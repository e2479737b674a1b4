/* SPDX-License-Identifier: Apache-2.0 */
#include "simulated.h"

#include <CUnit/Basic.h>

void simulated_open(struct simulated *simulated, const struct weft_sim_opts *opts, weft__stream_fn *stream_of)
{
	struct weft_sim_opts with_clock = *opts;

	CU_ASSERT_EQUAL_FATAL(weft_clock_virtual_open(1000000000, &simulated->clock), 0);
	with_clock.clock = simulated->clock;
	CU_ASSERT_EQUAL_FATAL(weft_sim_open(&with_clock, &simulated->sim), 0);
	side_driver = weft__path_driver_over(weft_sim_driver(simulated->sim), stream_of);
	side_clock = simulated->clock;
}

void simulated_close(struct simulated *simulated)
{
	weft_sim_close(&simulated->sim);
	weft_clock_virtual_close(&simulated->clock);
	side_clock = NULL;
}

uint64_t simulated_now_ns(const struct simulated *simulated)
{
	return weft_clock_now(simulated->clock);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t simulated_next_ns(uint64_t next_ns, const struct side *side)
{
	next_ns = sooner(next_ns, weft_worker_next_ns(side->runner));
	return sooner(next_ns, weft_worker_next_ns(side->ends[0].worker));
}

void simulated_go_on(struct simulated *simulated, uint64_t next_ns, uint64_t step_ns)
{
	uint64_t now_ns = simulated_now_ns(simulated);

	weft_clock_virtual_set(simulated->clock, next_ns > now_ns + step_ns ? next_ns : now_ns + step_ns);
}

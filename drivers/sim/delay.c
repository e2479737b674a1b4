/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a packet is under way. In whole numbers, so that it is the same on every machine.
 */
#include "sim/sim_private.h"

#define HEAVY_STEPS (UINT64_C(1) << 20)
#define HEAVY_MAX 1000u

/* The sum of four uniform numbers (Irwin and Hall), about its middle. */
static uint64_t normal(const struct weft_sim_link *link, struct weft_random *random)
{
	uint64_t sum = link->delay_ns;

	for (unsigned int i = 0; i < 4; i++)
		sum += weft_random_below(random, link->spread_ns + 1);
	return sum > 2 * link->spread_ns ? sum - 2 * link->spread_ns : 0;
}

/* The tail of a Pareto distribution with exponent 1: beyond n times the spread lies one in n + 1. */
static uint64_t heavy(const struct weft_sim_link *link, struct weft_random *random)
{
	uint64_t part = weft_random_below(random, HEAVY_STEPS) + 1;
	uint64_t more_ns = link->spread_ns * (HEAVY_STEPS - part) / part, most_ns = HEAVY_MAX * link->spread_ns;

	return link->delay_ns + (more_ns < most_ns ? more_ns : most_ns);
}

uint64_t weft__sim_delay_draw(const struct weft_sim_link *link, struct weft_random *random)
{
	switch (link->delay) {
	case WEFT_SIM_CONSTANT:
		break;
	case WEFT_SIM_UNIFORM:
		return link->delay_ns + weft_random_below(random, link->spread_ns + 1);
	case WEFT_SIM_NORMAL:
		return normal(link, random);
	case WEFT_SIM_HEAVY:
		return heavy(link, random);
	}
	return link->delay_ns;
}

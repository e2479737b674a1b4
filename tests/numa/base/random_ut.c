/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a seed always gives the same sequence, that ranges are respected and evenly filled, and that the
 * system's entropy is not constant.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <weft/random.h>

static void a_seed_always_gives_the_same_sequence(void)
{
	struct weft_random one, same, other;
	int differing = 0;

	weft_random_seed(&one, 42);
	weft_random_seed(&same, 42);
	weft_random_seed(&other, 43);
	for (int i = 0; i < 100; i++) {
		uint64_t value = weft_random_next(&one);

		CU_ASSERT_EQUAL(value, weft_random_next(&same));
		differing += value != weft_random_next(&other);
	}
	CU_ASSERT_EQUAL(differing, 100);
}

static void the_generator_is_xoshiro256_starstar(void)
{
	/* First outputs for the state {1, 2, 3, 4}, as the reference implementation gives them. */
	struct weft_random random = {{1, 2, 3, 4}};

	CU_ASSERT_EQUAL(weft_random_next(&random), 11520);
	CU_ASSERT_EQUAL(weft_random_next(&random), 0);
	CU_ASSERT_EQUAL(weft_random_next(&random), 1509978240);
	CU_ASSERT_EQUAL(weft_random_next(&random), 1215971899390074240);
}

static void below_fills_its_range_evenly(void)
{
	struct weft_random random;
	unsigned int seen[10] = {0};

	weft_random_seed(&random, 7);
	for (int i = 0; i < 100000; i++)
		seen[weft_random_below(&random, 10)]++;
	for (int i = 0; i < 10; i++)
		CU_ASSERT_TRUE(seen[i] > 9500 && seen[i] < 10500);
}

static void unit_stays_below_one(void)
{
	struct weft_random random;
	double sum = 0;

	weft_random_seed(&random, 9);
	for (int i = 0; i < 100000; i++) {
		double value = weft_random_unit(&random);

		CU_ASSERT_TRUE(value >= 0 && value < 1);
		sum += value;
	}
	CU_ASSERT_TRUE(sum > 49000 && sum < 51000);
}

static void the_systems_entropy_is_not_constant(void)
{
	uint64_t one = 0, two = 0;

	CU_ASSERT_EQUAL(weft_random_system(&one), 0);
	CU_ASSERT_EQUAL(weft_random_system(&two), 0);
	CU_ASSERT_NOT_EQUAL(one, two);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_seed_always_gives_the_same_sequence), SUITE_CASE(the_generator_is_xoshiro256_starstar),
		SUITE_CASE(below_fills_its_range_evenly),          SUITE_CASE(unit_stays_below_one),
		SUITE_CASE(the_systems_entropy_is_not_constant),
	};

	return suite_main("random", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that doubles are told from news, that the list is what has come, newest first, and that it stays short; by cases
 * and against a set of bits. Prints its seed; give one in WEFT_TEST_SEED to repeat it.
 */
#include "path/ranges.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/random.h>

static struct weft__ranges ranges;

static void begin(void)
{
	memset(&ranges, 0xee, sizeof ranges);
	weft__ranges_init(&ranges);
}

static bool is(unsigned int i, uint64_t first, uint64_t last)
{
	return i < ranges.count && ranges.at[i].first == first && ranges.at[i].last == last;
}

static void a_number_is_new_once(void)
{
	begin();
	CU_ASSERT_TRUE(weft__ranges_is_new(&ranges, 0));
	CU_ASSERT_TRUE(weft__ranges_add(&ranges, 0));
	CU_ASSERT_FALSE(weft__ranges_is_new(&ranges, 0));
	CU_ASSERT_FALSE(weft__ranges_add(&ranges, 0));
	CU_ASSERT_TRUE(weft__ranges_add(&ranges, 1));
	CU_ASSERT_EQUAL(ranges.count, 1);
	CU_ASSERT_TRUE(is(0, 0, 1));
}

static void a_gap_is_closed_by_what_was_missing(void)
{
	begin();
	weft__ranges_add(&ranges, 5);
	weft__ranges_add(&ranges, 7);
	weft__ranges_add(&ranges, 9);
	CU_ASSERT_EQUAL(ranges.count, 3);
	CU_ASSERT_TRUE(weft__ranges_add(&ranges, 8));
	CU_ASSERT_EQUAL(ranges.count, 2);
	CU_ASSERT_TRUE(is(0, 7, 9));
	CU_ASSERT_TRUE(is(1, 5, 5));
	CU_ASSERT_TRUE(weft__ranges_add(&ranges, 4));
	CU_ASSERT_TRUE(weft__ranges_add(&ranges, 6));
	CU_ASSERT_EQUAL(ranges.count, 1);
	CU_ASSERT_TRUE(is(0, 4, 9));
}

static void too_many_ranges_forget_the_oldest(void)
{
	begin();
	for (uint64_t i = 0; i < WEFT__RANGES_MAX; i++)
		CU_ASSERT_TRUE(weft__ranges_add(&ranges, 100 + 2 * i));
	CU_ASSERT_EQUAL(ranges.count, WEFT__RANGES_MAX);
	CU_ASSERT_FALSE(weft__ranges_is_new(&ranges, 50)); /* no place for it */
	CU_ASSERT_FALSE(weft__ranges_add(&ranges, 50));
	CU_ASSERT_TRUE(weft__ranges_is_new(&ranges, 99)); /* needs none */
	CU_ASSERT_TRUE(weft__ranges_add(&ranges, 1000));
	CU_ASSERT_EQUAL(ranges.count, WEFT__RANGES_MAX);
	CU_ASSERT_TRUE(is(0, 1000, 1000));
	CU_ASSERT_TRUE(is(WEFT__RANGES_MAX - 1, 102, 102));
	CU_ASSERT_FALSE(weft__ranges_add(&ranges, 99));
	CU_ASSERT_TRUE(weft__ranges_add(&ranges, 101));
}

static void the_largest_numbers_do_no_harm(void)
{
	begin();
	CU_ASSERT_FALSE(weft__ranges_is_new(&ranges, UINT64_MAX));
	CU_ASSERT_FALSE(weft__ranges_add(&ranges, UINT64_MAX));
	CU_ASSERT_TRUE(weft__ranges_add(&ranges, UINT64_MAX - 1));
	CU_ASSERT_FALSE(weft__ranges_add(&ranges, UINT64_MAX));
	CU_ASSERT_TRUE(weft__ranges_add(&ranges, 0));
	CU_ASSERT_EQUAL(ranges.count, 2);
	CU_ASSERT_TRUE(is(0, UINT64_MAX - 1, UINT64_MAX - 1));
	CU_ASSERT_TRUE(is(1, 0, 0));
}

/* The list, drawn: newest first, with gaps, above what is forgotten. */
static bool same_as_bits(const bool *known, uint64_t size)
{
	uint64_t above = size + 1;

	for (unsigned int i = 0; i < ranges.count; i++) {
		uint64_t first = ranges.at[i].first, last = ranges.at[i].last;

		if (first > last || last + 1 >= above || first < ranges.below)
			return false;
		for (uint64_t n = last + 1; n < above && n < size; n++)
			if (known[n])
				return false;
		for (uint64_t n = first; n <= last; n++)
			if (!known[n])
				return false;
		above = first;
	}
	for (uint64_t n = ranges.below; n < above && n < size; n++)
		if (known[n])
			return false;
	return true;
}

enum { NUMBERS = 600 };

/* Numbers come with gaps and late, some twice. */
static unsigned int differ_in_a_round(struct weft_random *random)
{
	static bool known[NUMBERS]; /* as far as it is not forgotten */
	uint64_t newest = 0;
	unsigned int wrong = 0;

	begin();
	memset(known, 0, sizeof known);
	for (unsigned int step = 0; step < 2 * NUMBERS; step++) {
		uint64_t number = weft_random_below(random, 3) ? newest + weft_random_below(random, 3)
							       : weft_random_below(random, newest + 1);
		bool is_new, added;

		if (number >= NUMBERS)
			continue;
		is_new = weft__ranges_is_new(&ranges, number);
		added = weft__ranges_add(&ranges, number);
		wrong += is_new != added || (added && known[number]);
		wrong += !added && !known[number] && number >= ranges.below && ranges.count < WEFT__RANGES_MAX;
		known[number] |= added;
		newest = number > newest ? number : newest;
		wrong += !same_as_bits(known, NUMBERS);
	}
	return wrong;
}

static void it_agrees_with_a_set_of_bits(void)
{
	const char *given = getenv("WEFT_TEST_SEED");
	struct weft_random random;
	uint64_t seed = given ? strtoull(given, NULL, 0) : 0;
	unsigned int wrong = 0;

	if (!given)
		weft_random_system(&seed);
	printf("seed %#llx ", (unsigned long long)seed);
	weft_random_seed(&random, seed);
	for (unsigned int round = 0; round < 100; round++)
		wrong += differ_in_a_round(&random);
	CU_ASSERT_EQUAL(wrong, 0);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_number_is_new_once),
		SUITE_CASE(a_gap_is_closed_by_what_was_missing),
		SUITE_CASE(too_many_ranges_forget_the_oldest),
		SUITE_CASE(the_largest_numbers_do_no_harm),
		SUITE_CASE(it_agrees_with_a_set_of_bits),
	};

	return suite_main("ranges", cases, SUITE_COUNT(cases), argc, argv);
}

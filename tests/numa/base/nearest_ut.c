/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that the nearest word is the one with the fewest edits, whatever is asked for.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <weft/nearest.h>

static const char *const words[] = {"seed", "again", "delay", "drop"};

static const char *nearest(const char *word)
{
	return weft_nearest(word, words, 4);
}

static void a_word_is_nearest_to_itself(void)
{
	for (unsigned int i = 0; i < 4; i++)
		CU_ASSERT_STRING_EQUAL(nearest(words[i]), words[i]);
}

static void one_slip_of_each_kind_is_seen_through(void)
{
	CU_ASSERT_STRING_EQUAL(nearest("aggain"), "again");
	CU_ASSERT_STRING_EQUAL(nearest("dlay"), "delay");
	CU_ASSERT_STRING_EQUAL(nearest("drip"), "drop");
	CU_ASSERT_STRING_EQUAL(nearest("seeds"), "seed");
}

static void of_equals_the_first_is_named(void)
{
	CU_ASSERT_STRING_EQUAL(nearest(""), "seed");
}

static void what_is_longer_than_any_word_has_an_answer_too(void)
{
	CU_ASSERT_STRING_EQUAL(nearest("dropdropdropdropdropdropdropdropdropdropdrop"), "seed");
	CU_ASSERT_STRING_EQUAL(nearest("drop567890123456789012345678901"), "drop"); /* 31 bytes: the longest compared */
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_word_is_nearest_to_itself),
		SUITE_CASE(one_slip_of_each_kind_is_seen_through),
		SUITE_CASE(of_equals_the_first_is_named),
		SUITE_CASE(what_is_longer_than_any_word_has_an_answer_too),
	};

	return suite_main("nearest word", cases, SUITE_COUNT(cases), argc, argv);
}

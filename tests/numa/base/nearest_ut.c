/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that the nearest word is the one with the fewest edits, and that a word that is near to none names none: by a table
 * of what was typed and what is to be named.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <weft/nearest.h>

static const char *const words[] = {"seed", "again", "delay", "drop", "security", "send", "info", "doctor", "to"};

struct row {
	const char *typed, *named; /* NULL: nothing is near */
};

static void check(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *named = weft_nearest(rows[i].typed, words, sizeof words / sizeof *words);
		bool same = named && rows[i].named ? strcmp(named, rows[i].named) == 0 : named == rows[i].named;

		if (!same)
			printf("\"%s\" names %s\n", rows[i].typed, named ? named : "nothing");
		CU_ASSERT_TRUE(same);
	}
}

static void a_word_is_nearest_to_itself(void)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		check(&(struct row){words[i], words[i]}, 1);
}

static void one_slip_of_each_kind_is_seen_through(void)
{
	static const struct row rows[] = {
		{"aggain", "again"}, {"dlay", "delay"}, {"drip", "drop"}, {"seeds", "seed"},
		{"agani", "again"},  {"sedn", "send"},  {"ot", "to"},     {"t", "to"},
	};

	check(rows, SUITE_COUNT(rows));
}

static void a_long_word_has_a_slip_for_each_three_letters(void)
{
	static const struct row rows[] = {
		{"secrity", "security"}, {"sekurity", "security"}, {"sekuritty", "security"},
		{"scrty", NULL},         {"docktr", "doctor"},     {"dokktr", NULL},
	};

	check(rows, SUITE_COUNT(rows));
}

static void what_is_far_from_every_word_names_none(void)
{
	static const struct row rows[] = {
		{"bogus", NULL}, {"nonsense", NULL}, {"", NULL}, {"x", NULL}, {"inner", NULL}, {"dolly", NULL},
	};

	check(rows, SUITE_COUNT(rows));
}

static void of_equals_the_first_is_named(void)
{
	static const struct row rows[] = {{"seend", "seed"}, {"sed", "seed"}};

	check(rows, SUITE_COUNT(rows));
}

static void what_is_longer_than_any_word_is_near_to_none(void)
{
	static const char *const longs[] = {"drop567890123456789012345678901", "drop5678901234567890123456789012"};

	CU_ASSERT_PTR_NULL(weft_nearest("dropdropdropdropdropdropdropdropdropdropdrop", words, 4));
	CU_ASSERT_PTR_EQUAL(weft_nearest("drop567890123456789012345678900", longs, 2),
			    longs[0]); /* 31 bytes: compared */
	CU_ASSERT_PTR_NULL(weft_nearest(longs[1], &longs[1], 1));
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_word_is_nearest_to_itself),
		SUITE_CASE(one_slip_of_each_kind_is_seen_through),
		SUITE_CASE(a_long_word_has_a_slip_for_each_three_letters),
		SUITE_CASE(what_is_far_from_every_word_names_none),
		SUITE_CASE(of_equals_the_first_is_named),
		SUITE_CASE(what_is_longer_than_any_word_is_near_to_none),
	};

	return suite_main("nearest word", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that sets behave like an array of booleans, that the list form survives a round trip, that bad lists are
 * refused with the bad token in the sentence, and that random text never breaks the parser.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>
#include <weft/cpuset.h>
#include <weft/errors.h>
#include <weft/random.h>

static void a_set_behaves_like_an_array_of_booleans(void)
{
	static bool model[WEFT_CPU_MAX];
	struct weft_cpuset set;
	struct weft_random random;
	unsigned int count = 0, next = 0;

	weft_random_seed(&random, 1);
	weft_cpuset_zero(&set);
	for (int i = 0; i < 5000; i++) {
		unsigned int cpu = (unsigned int)weft_random_below(&random, WEFT_CPU_MAX);

		model[cpu] = weft_random_below(&random, 2);
		(model[cpu] ? weft_cpuset_add : weft_cpuset_remove)(&set, cpu);
	}
	for (unsigned int cpu = 0; cpu < WEFT_CPU_MAX; cpu++) {
		CU_ASSERT_EQUAL(weft_cpuset_has(&set, cpu), model[cpu]);
		if (!model[cpu])
			continue;
		count++;
		next = weft_cpuset_next(&set, next);
		CU_ASSERT_EQUAL(next++, cpu);
	}
	CU_ASSERT_EQUAL(weft_cpuset_count(&set), count);
	CU_ASSERT_EQUAL(weft_cpuset_next(&set, next), WEFT_CPU_MAX);
}

static void numbers_past_the_end_are_ignored(void)
{
	struct weft_cpuset set, empty;

	weft_cpuset_zero(&set);
	weft_cpuset_zero(&empty);
	weft_cpuset_add(&set, WEFT_CPU_MAX);
	weft_cpuset_add(&set, 4000000000u);
	CU_ASSERT_TRUE(weft_cpuset_equal(&set, &empty));
	CU_ASSERT_TRUE(weft_cpuset_is_empty(&set));
	CU_ASSERT_FALSE(weft_cpuset_has(&set, WEFT_CPU_MAX));
}

static void the_list_form_survives_a_round_trip(void)
{
	static char text[WEFT_CPU_MAX * 5];
	struct weft_cpuset set, again;
	struct weft_random random;

	weft_random_seed(&random, 2);
	for (int round = 0; round < 200; round++) {
		uint64_t density = 1 + weft_random_below(&random, 20);

		weft_cpuset_zero(&set);
		weft_cpuset_add(&set, (unsigned int)weft_random_below(&random, WEFT_CPU_MAX));
		for (unsigned int cpu = 0; cpu < WEFT_CPU_MAX; cpu++)
			if (!weft_random_below(&random, density))
				weft_cpuset_add(&set, cpu);
		CU_ASSERT_EQUAL(weft_cpuset_parse(weft_cpuset_format(&set, text, sizeof text), &again), 0);
		CU_ASSERT_TRUE(weft_cpuset_equal(&set, &again));
	}
}

static void a_long_list_is_cut_with_dots(void)
{
	struct weft_cpuset set;
	char text[16];

	CU_ASSERT_EQUAL(weft_cpuset_parse("0,2,4,6,8,10,12,14", &set), 0);
	for (size_t size = 4; size <= sizeof text; size++) {
		weft_cpuset_format(&set, text, size);
		CU_ASSERT_TRUE(strlen(text) < size);
		CU_ASSERT_STRING_EQUAL(text + strlen(text) - 3, "...");
	}
	weft_cpuset_zero(&set);
	CU_ASSERT_STRING_EQUAL(weft_cpuset_format(&set, text, sizeof text), "none");
}

static void bad_lists_are_refused_and_the_token_is_named(void)
{
	static const struct {
		const char *text, *token;
		int code;
	} rows[] = {
		{"", "''", WEFT_EINVAL},         {"a", "'a'", WEFT_EINVAL},
		{"0-3,x,5", "'x'", WEFT_EINVAL}, {"0,,2", "''", WEFT_EINVAL},
		{"1-", "'1-'", WEFT_EINVAL},     {"-1", "'-1'", WEFT_EINVAL},
		{"5-2", "'5-2'", WEFT_EINVAL},   {"1,", "''", WEFT_EINVAL},
		{"+1", "'+1'", WEFT_EINVAL},     {"0x3", "'0x3'", WEFT_EINVAL},
		{"4096", "'4096'", WEFT_ERANGE}, {"3,99999999999999999999", "'99999999999999999999'", WEFT_ERANGE},
		{"0 1", "'0 1'", WEFT_EINVAL},
	};
	struct weft_cpuset set, before;

	weft_cpuset_zero(&before);
	weft_cpuset_add(&before, 77);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		set = before;
		CU_ASSERT_EQUAL(weft_cpuset_parse(rows[i].text, &set), -rows[i].code);
		CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), rows[i].token));
		CU_ASSERT_TRUE(weft_cpuset_equal(&set, &before));
	}
}

static void random_text_never_breaks_the_parser(void)
{
	static const char alphabet[] = "0123456789--,,, x:\n";
	struct weft_cpuset set, again;
	struct weft_random random;
	static char formatted[WEFT_CPU_MAX * 5];
	char text[24];

	weft_random_seed(&random, 3);
	for (int round = 0; round < 50000; round++) {
		size_t len = (size_t)weft_random_below(&random, sizeof text);

		for (size_t i = 0; i < len; i++)
			text[i] = alphabet[weft_random_below(&random, sizeof alphabet - 1)];
		text[len] = '\0';
		if (weft_cpuset_parse(text, &set) < 0)
			continue;
		CU_ASSERT_FALSE(weft_cpuset_is_empty(&set));
		weft_cpuset_parse(weft_cpuset_format(&set, formatted, sizeof formatted), &again);
		CU_ASSERT_TRUE(weft_cpuset_equal(&set, &again));
	}
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_set_behaves_like_an_array_of_booleans),
		SUITE_CASE(numbers_past_the_end_are_ignored),
		SUITE_CASE(the_list_form_survives_a_round_trip),
		SUITE_CASE(a_long_list_is_cut_with_dots),
		SUITE_CASE(bad_lists_are_refused_and_the_token_is_named),
		SUITE_CASE(random_text_never_breaks_the_parser),
	};

	return suite_main("cpuset", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a specification is read as it is written, that everything else is refused with what is wrong, and that a
 * refused one changes nothing.
 */
#include "fault/spec.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>
#include <weft/errors.h>

static struct fault_spec read_spec(const char *text)
{
	struct fault_spec spec;

	memset(&spec, 0xee, sizeof spec);
	CU_ASSERT_EQUAL_FATAL(weft__fault_spec_parse(text, &spec), 0);
	return spec;
}

/* Whether it is refused with a sentence that has this part, and nothing is written. */
static bool refused(const char *text, const char *part)
{
	struct fault_spec spec, before;
	bool right;

	memset(&spec, 0xee, sizeof spec);
	before = spec;
	right = weft__fault_spec_parse(text, &spec) == -WEFT_EINVAL && strstr(weft_last_error(), part) &&
		memcmp(&spec, &before, sizeof spec) == 0;
	if (!right)
		printf("\n\t%s: %s ", text, weft_last_error());
	return right;
}

static void nothing_means_that_nothing_goes_wrong(void)
{
	static const char *const nothing[] = {NULL, ""};

	for (unsigned int i = 0; i < 2; i++) {
		struct fault_spec spec = read_spec(nothing[i]);

		CU_ASSERT_FALSE(spec.has_seed);
		CU_ASSERT_EQUAL(spec.again + spec.delay + spec.drop + spec.duplicate + spec.corrupt + spec.reorder, 0);
		CU_ASSERT_EQUAL(spec.again_at + spec.cut, 0);
		CU_ASSERT_EQUAL(spec.delay_us, 100);
		CU_ASSERT_EQUAL(spec.reorder_by, 3);
		for (unsigned int op = 0; op < FAULT_OP_COUNT; op++)
			CU_ASSERT_EQUAL(spec.fail_at[op], 0);
		CU_ASSERT_PTR_NULL(weft__fault_spec_loses(&spec));
		CU_ASSERT_PTR_NULL(weft__fault_spec_needs_paths(&spec));
	}
}

static void each_key_is_read(void)
{
	struct fault_spec spec = read_spec(
		"seed=0x1F,again=0.05,again_at=3,delay=1,delay_us=10000000,cut=1000,drop=0.000000001,"
		"duplicate=0.999999999,corrupt=0.5,reorder=0.25,reorder_by=1000,fail=connect:3,fail=share,fail=port_open:1");

	CU_ASSERT_TRUE(spec.has_seed);
	CU_ASSERT_EQUAL(spec.seed, 31);
	CU_ASSERT_EQUAL(spec.again, 50000000);
	CU_ASSERT_EQUAL(spec.again_at, 3);
	CU_ASSERT_EQUAL(spec.delay, FAULT_PER);
	CU_ASSERT_EQUAL(spec.delay_us, 10000000);
	CU_ASSERT_EQUAL(spec.cut, 1000);
	CU_ASSERT_EQUAL(spec.drop, 1);
	CU_ASSERT_EQUAL(spec.duplicate, 999999999);
	CU_ASSERT_EQUAL(spec.corrupt, 500000000);
	CU_ASSERT_EQUAL(spec.reorder, 250000000);
	CU_ASSERT_EQUAL(spec.reorder_by, 1000);
	CU_ASSERT_EQUAL(spec.fail_at[FAULT_CONNECT], 3);
	CU_ASSERT_EQUAL(spec.fail_at[FAULT_SHARE], FAULT_EACH);
	CU_ASSERT_EQUAL(spec.fail_at[FAULT_PORT_OPEN], 1);
	CU_ASSERT_EQUAL(spec.fail_at[FAULT_ACCEPT] + spec.fail_at[FAULT_DEVICE_OPEN], 0);
}

static void the_largest_seed_is_one_and_a_larger_is_none(void)
{
	CU_ASSERT_EQUAL(read_spec("seed=18446744073709551615").seed, UINT64_MAX);
	CU_ASSERT_EQUAL(read_spec("seed=0xffffffffffffffff").seed, UINT64_MAX);
	CU_ASSERT_EQUAL(read_spec("seed=010").seed, 10); /* not octal */
	CU_ASSERT_TRUE(refused("seed=18446744073709551616", "seed=\"18446744073709551616\""));
}

static void an_unknown_key_names_the_nearest(void)
{
	CU_ASSERT_TRUE(refused("aggain=0.1", "unknown key \"aggain\"; the nearest known one is \"again\""));
	CU_ASSERT_TRUE(refused("seed=1,delya=0.1", "\"delay\""));
	CU_ASSERT_TRUE(refused("fail=konnect", "\"konnect\" is no operation; the nearest is \"connect\""));
	CU_ASSERT_TRUE(refused("fail=nothing", "\"nothing\" is no operation; there are device_open"));
	CU_ASSERT_TRUE(refused("Seed=1", "unknown key"));
	CU_ASSERT_TRUE(refused("bogus=1", "unknown key \"bogus\"; docs/fault.md"));
	CU_ASSERT_TRUE(refused(" seed=1", "unknown key"));
}

static void what_is_no_probability_is_refused(void)
{
	static const char *const values[] = {"",     ".",    "0.",           "1.1",  "1.000000001", "2",
					     "-0.1", "+0.1", "0.0000000001", "5%",   "0,5",         "nan",
					     "1e-3", "0x1",  " 0.1",         "0.1 ", "00.1",        "10"};

	for (unsigned int i = 0; i < sizeof values / sizeof *values; i++) {
		char text[64];

		snprintf(text, sizeof text, "again=%s", values[i]);
		CU_ASSERT_TRUE(refused(text, strchr(values[i], ',') ? "not KEY=VALUE" : "no probability"));
	}
	CU_ASSERT_EQUAL(read_spec("again=0").again, 0);
	CU_ASSERT_EQUAL(read_spec("again=1.000000000").again, FAULT_PER);
}

static void what_is_no_number_is_refused(void)
{
	static const char *const values[] = {"", "-1", "+1", "1.0", "0x", "0xg", "1 ", " 1", "one", "1e3", "0"};

	for (unsigned int i = 0; i < sizeof values / sizeof *values; i++) {
		char text[64];

		snprintf(text, sizeof text, "cut=%s", values[i]);
		CU_ASSERT_TRUE(refused(text, "is no number from 1"));
		snprintf(text, sizeof text, "fail=accept:%s", values[i]);
		CU_ASSERT_TRUE(refused(text, "no number of a call"));
	}
	CU_ASSERT_TRUE(refused("delay_us=10000001", "from 1 to 10000000"));
	CU_ASSERT_TRUE(refused("reorder_by=1001", "from 1 to 1000"));
}

static void what_is_given_twice_or_in_another_form_is_refused(void)
{
	CU_ASSERT_TRUE(refused("again=0.1,again=0.1", "again is given twice"));
	CU_ASSERT_TRUE(refused("seed=0,seed=0", "seed is given twice"));
	CU_ASSERT_TRUE(refused("fail=share:1,fail=share:2", "fail=share is given twice"));
	CU_ASSERT_TRUE(refused("again", "\"again\" is not KEY=VALUE"));
	CU_ASSERT_TRUE(refused("again=0.1,", "nothing after the last comma"));
	CU_ASSERT_TRUE(refused(",again=0.1", "\"\" is not KEY=VALUE"));
	CU_ASSERT_TRUE(refused("again=0.1,,cut=1", "\"\" is not KEY=VALUE"));
	CU_ASSERT_TRUE(refused("=1", "unknown key \"\""));
}

static void what_is_too_long_is_refused(void)
{
	char text[1100];

	memset(text, '1', sizeof text);
	memcpy(text, "seed=", 5);
	text[sizeof text - 1] = '\0';
	CU_ASSERT_TRUE(refused(text, "longer than 1024 bytes"));
	text[1000] = '\0';
	CU_ASSERT_TRUE(refused(text, "longer than 63 bytes"));
}

static void what_loses_is_known_by_its_key(void)
{
	struct fault_spec spec = read_spec("corrupt=0.1");

	CU_ASSERT_STRING_EQUAL(weft__fault_spec_loses(&spec), "corrupt");
	spec = read_spec("duplicate=0.1");
	CU_ASSERT_STRING_EQUAL(weft__fault_spec_loses(&spec), "duplicate");
	spec = read_spec("drop=0.1");
	CU_ASSERT_STRING_EQUAL(weft__fault_spec_loses(&spec), "drop");
	spec = read_spec("again=1,delay=1,cut=1,fail=connect,drop=0");
	CU_ASSERT_PTR_NULL(weft__fault_spec_loses(&spec));
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(nothing_means_that_nothing_goes_wrong),
		SUITE_CASE(each_key_is_read),
		SUITE_CASE(the_largest_seed_is_one_and_a_larger_is_none),
		SUITE_CASE(an_unknown_key_names_the_nearest),
		SUITE_CASE(what_is_no_probability_is_refused),
		SUITE_CASE(what_is_no_number_is_refused),
		SUITE_CASE(what_is_given_twice_or_in_another_form_is_refused),
		SUITE_CASE(what_is_too_long_is_refused),
		SUITE_CASE(what_loses_is_known_by_its_key),
	};

	return suite_main("fault specification", cases, SUITE_COUNT(cases), argc, argv);
}

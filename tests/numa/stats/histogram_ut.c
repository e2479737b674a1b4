/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves the histogram against sorted values: percentiles within 1/64, exact count, minimum, maximum and mean, and
 * that merging equals recording everything in one.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <weft/histogram.h>
#include <weft/random.h>

#define VALUES 5000u

static struct weft_histogram *fresh(void)
{
	struct weft_histogram *histogram = NULL;

	CU_ASSERT_EQUAL_FATAL(weft_histogram_open(&histogram), 0);
	return histogram;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void an_empty_one_reports_zeros(void)
{
	struct weft_histogram *histogram = fresh();

	CU_ASSERT_EQUAL(weft_histogram_count(histogram), 0);
	CU_ASSERT_EQUAL(weft_histogram_min(histogram), 0);
	CU_ASSERT_EQUAL(weft_histogram_max(histogram), 0);
	CU_ASSERT_EQUAL(weft_histogram_percentile(histogram, 50), 0);
	CU_ASSERT_EQUAL(weft_histogram_mean(histogram), 0);
	weft_histogram_record_many(histogram, 7, 0);
	CU_ASSERT_EQUAL(weft_histogram_count(histogram), 0);
	weft_histogram_close(&histogram);
	CU_ASSERT_PTR_NULL(histogram);
}

static void small_values_are_exact(void)
{
	struct weft_histogram *histogram = fresh();

	for (uint64_t value = 1; value <= 100; value++)
		weft_histogram_record(histogram, value);
	for (unsigned int percent = 1; percent <= 100; percent++)
		CU_ASSERT_EQUAL(weft_histogram_percentile(histogram, percent), percent);
	CU_ASSERT_EQUAL(weft_histogram_percentile(histogram, 0), 1);
	CU_ASSERT_DOUBLE_EQUAL(weft_histogram_mean(histogram), 50.5, 1e-9);
	weft_histogram_reset(histogram);
	CU_ASSERT_EQUAL(weft_histogram_count(histogram), 0);
	weft_histogram_close(&histogram);
}

static void percentiles_are_at_most_a_64th_too_high(void)
{
	struct weft_histogram *histogram = fresh();
	uint64_t seed = 0, *values = calloc(VALUES, sizeof *values);
	struct weft_random random;

	CU_ASSERT_PTR_NOT_NULL_FATAL(values);
	CU_ASSERT_EQUAL(weft_random_system(&seed), 0);
	printf(" seed %llu ", (unsigned long long)seed);
	weft_random_seed(&random, seed);
	for (unsigned int i = 0; i < VALUES; i++) {
		values[i] = weft_random_next(&random) >> (1 + weft_random_below(&random, 62));
		weft_histogram_record(histogram, values[i]);
	}
	qsort(values, VALUES, sizeof *values, by_value);
	for (unsigned int rank = 1; rank <= VALUES; rank++) {
		uint64_t exact = values[rank - 1];
		/* Half a rank down, so that rounding cannot reach the next one. */
		uint64_t told = weft_histogram_percentile(histogram, 100.0 * (rank - 0.5) / VALUES);

		CU_ASSERT_TRUE(told >= exact && told - exact <= exact / 64);
	}
	CU_ASSERT_EQUAL(weft_histogram_percentile(histogram, 100), values[VALUES - 1]);
	CU_ASSERT_EQUAL(weft_histogram_percentile(histogram, 0), values[0]);
	CU_ASSERT_EQUAL(weft_histogram_count(histogram), VALUES);
	free(values);
	weft_histogram_close(&histogram);
}

static void the_largest_values_have_buckets(void)
{
	struct weft_histogram *histogram = fresh();

	weft_histogram_record(histogram, INT64_MAX);
	weft_histogram_record(histogram, UINT64_MAX);
	CU_ASSERT_EQUAL(weft_histogram_percentile(histogram, 50), INT64_MAX);
	CU_ASSERT_EQUAL(weft_histogram_percentile(histogram, 100), UINT64_MAX);
	weft_histogram_close(&histogram);
}

struct walk {
	uint64_t count, next_low;
	bool rising;
};

static void step(uint64_t low, uint64_t high, uint64_t count, void *user)
{
	struct walk *walk = user;

	walk->rising = walk->rising && low >= walk->next_low && high >= low && count > 0;
	walk->next_low = high + 1;
	walk->count += count;
}

static void merged_halves_equal_the_whole(void)
{
	struct weft_histogram *halves[2] = {fresh(), fresh()}, *whole = fresh();
	struct walk walk = {.rising = true};

	for (uint64_t i = 0; i < 1000; i++) {
		weft_histogram_record_many(halves[i % 2], i * i * i, i % 3);
		weft_histogram_record_many(whole, i * i * i, i % 3);
	}
	weft_histogram_merge(halves[0], halves[1]);
	for (unsigned int percent = 0; percent <= 100; percent++)
		CU_ASSERT_EQUAL(weft_histogram_percentile(halves[0], percent),
				weft_histogram_percentile(whole, percent));
	CU_ASSERT_EQUAL(weft_histogram_count(halves[0]), weft_histogram_count(whole));
	CU_ASSERT_EQUAL(weft_histogram_min(halves[0]), weft_histogram_min(whole));
	CU_ASSERT_EQUAL(weft_histogram_max(halves[0]), weft_histogram_max(whole));
	CU_ASSERT_DOUBLE_EQUAL(weft_histogram_mean(halves[0]), weft_histogram_mean(whole), 1e-3);
	weft_histogram_each(whole, step, &walk);
	CU_ASSERT_TRUE(walk.rising);
	CU_ASSERT_EQUAL(walk.count, weft_histogram_count(whole));
	weft_histogram_close(&halves[0]);
	weft_histogram_close(&halves[1]);
	weft_histogram_close(&whole);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(an_empty_one_reports_zeros),
		SUITE_CASE(small_values_are_exact),
		SUITE_CASE(percentiles_are_at_most_a_64th_too_high),
		SUITE_CASE(the_largest_values_have_buckets),
		SUITE_CASE(merged_halves_equal_the_whole),
	};

	return suite_main("histogram", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a test of `weft perf` has found: distributions and single figures, by name.
 */
#include "perf.h"

#include <string.h>
#include <weft/assert.h>

int perf_result_open(struct perf_result *result)
{
	memset(result, 0, sizeof *result);
	return weft_histogram_open(&result->latency_ns);
}

void perf_result_close(struct perf_result *result)
{
	weft_histogram_close(&result->latency_ns);
	while (result->distribution_count)
		weft_histogram_close(&result->distributions[--result->distribution_count].ns);
}

void perf_figure(struct perf_result *result, const char *name, double value)
{
	WEFT_ASSERT(result->figure_count < PERF_FIGURES);
	result->figures[result->figure_count].name = name;
	result->figures[result->figure_count++].value = value;
}

int perf_distribution(struct perf_result *result, const char *name, struct weft_histogram **out)
{
	int rc = weft_histogram_open(out);

	WEFT_ASSERT(result->distribution_count < PERF_DISTRIBUTIONS);
	if (rc < 0)
		return rc;
	result->distributions[result->distribution_count].name = name;
	result->distributions[result->distribution_count++].ns = *out;
	return 0;
}

void perf_record_ticks(struct weft_histogram *histogram, uint64_t ticks)
{
	weft_histogram_record(histogram, (uint64_t)(weft_clock_ticks_to_ns(ticks) + 0.5));
}

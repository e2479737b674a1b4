/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options, and the way from raw spans to percentiles.
 */
#include "bare.h"
#include "timing.h"

#include <weft/errors.h>

#include <string.h>

void floor_opts_init(struct floor_opts *opts, size_t size)
{
	struct floor_opts defaults = {
		.size = size,
		.receiver_core = 0,
		.sender_core = 1,
		.timeout_ns = 10000000000u,
	};

	memcpy(opts, &defaults, size < sizeof defaults ? size : sizeof defaults);
}

const char *floor_wake_name(enum floor_wake kind)
{
	static const char *const names[] = {"eventfd", "epoll", "futex"};

	return names[kind];
}

const double floor_sampled[FLOOR_SAMPLES] = {0, 1, 5, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 100};

void floor_latency_from(const struct weft_histogram *histogram, struct floor_latency *out)
{
	out->count = weft_histogram_count(histogram);
	out->min = (double)weft_histogram_min(histogram);
	out->p50 = (double)weft_histogram_percentile(histogram, 50);
	out->p90 = (double)weft_histogram_percentile(histogram, 90);
	out->p99 = (double)weft_histogram_percentile(histogram, 99);
	out->p999 = (double)weft_histogram_percentile(histogram, 99.9);
	out->p9999 = (double)weft_histogram_percentile(histogram, 99.99);
	out->max = (double)weft_histogram_max(histogram);
	out->mean = weft_histogram_mean(histogram);
}

int floor_timing_finish(const uint32_t *spans, uint64_t count, struct weft_histogram *histogram,
			struct floor_latency *out)
{
	struct weft_histogram *own;
	int err = weft_histogram_open(&own);

	if (err)
		return err;
	for (uint64_t i = 0; i < count; i++)
		weft_histogram_record(own, (uint64_t)(weft_clock_ticks_to_ns(spans[i]) + 0.5));
	floor_latency_from(own, out);
	if (histogram)
		weft_histogram_merge(histogram, own);
	weft_histogram_close(&own);
	return 0;
}

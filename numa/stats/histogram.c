/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The histogram: values below 64 have a bucket each; each power of two above is cut into 64 buckets of equal width,
 * so a bucket is at most 1/64 of its lowest value wide.
 */
#include <weft/errors.h>
#include <weft/histogram.h>

#include <stdlib.h>
#include <string.h>

#define SUB_BITS 6u
#define SUB_COUNT (1u << SUB_BITS)
#define BUCKET_COUNT ((64 - SUB_BITS + 1) * SUB_COUNT)

struct weft_histogram {
	uint64_t count, min, max;
	double sum;
	uint64_t buckets[BUCKET_COUNT];
};

static unsigned int bucket_of(uint64_t value)
{
	unsigned int shift;

	if (value < SUB_COUNT)
		return (unsigned int)value;
	shift = 63 - (unsigned int)__builtin_clzll(value) - SUB_BITS;
	return (shift << SUB_BITS) + (unsigned int)(value >> shift);
}

static uint64_t bucket_low(unsigned int bucket)
{
	unsigned int shift;

	if (bucket < 2 * SUB_COUNT)
		return bucket;
	shift = (bucket >> SUB_BITS) - 1;
	return (uint64_t)(SUB_COUNT + (bucket & (SUB_COUNT - 1))) << shift;
}

static uint64_t bucket_high(unsigned int bucket)
{
	return bucket + 1 < BUCKET_COUNT ? bucket_low(bucket + 1) - 1 : UINT64_MAX;
}

int weft_histogram_open(struct weft_histogram **out)
{
	struct weft_histogram *histogram = malloc(sizeof *histogram);

	if (histogram == NULL)
		return weft_set_error(WEFT_ENOMEM, "no memory for a histogram of %zu bytes", sizeof *histogram);
	weft_histogram_reset(histogram);
	*out = histogram;
	return 0;
}

void weft_histogram_close(struct weft_histogram **histogram)
{
	free(*histogram);
	*histogram = NULL;
}

void weft_histogram_reset(struct weft_histogram *histogram)
{
	memset(histogram, 0, sizeof *histogram);
	histogram->min = UINT64_MAX;
}

void weft_histogram_record(struct weft_histogram *histogram, uint64_t value)
{
	weft_histogram_record_many(histogram, value, 1);
}

void weft_histogram_record_many(struct weft_histogram *histogram, uint64_t value, uint64_t count)
{
	if (count == 0)
		return;
	histogram->buckets[bucket_of(value)] += count;
	histogram->count += count;
	histogram->sum += (double)value * (double)count;
	if (value < histogram->min)
		histogram->min = value;
	if (value > histogram->max)
		histogram->max = value;
}

void weft_histogram_merge(struct weft_histogram *into, const struct weft_histogram *from)
{
	for (unsigned int i = 0; i < BUCKET_COUNT; i++)
		into->buckets[i] += from->buckets[i];
	into->count += from->count;
	into->sum += from->sum;
	if (from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
}

/* How many values lie at or below the percentile: at least one, at most all. */
static uint64_t rank_of(uint64_t count, double percent)
{
	/* Less what rounding may have added, so that 7 % of 100 is 7. */
	double exact = percent * (double)count / 100 * (1 - 1e-12);
	uint64_t rank;

	if (exact >= (double)count)
		return count;
	rank = (uint64_t)exact;
	if ((double)rank < exact)
		rank++;
	return rank == 0 ? 1 : rank;
}

uint64_t weft_histogram_percentile(const struct weft_histogram *histogram, double percent)
{
	uint64_t rank, seen = 0, value;
	unsigned int bucket = 0;

	if (histogram->count == 0)
		return 0;
	if (!(percent > 0))
		return histogram->min;
	rank = rank_of(histogram->count, percent);
	while (bucket < BUCKET_COUNT && (seen += histogram->buckets[bucket]) < rank)
		bucket++;
	value = bucket < BUCKET_COUNT ? bucket_high(bucket) : histogram->max;
	if (value < histogram->min)
		return histogram->min;
	return value < histogram->max ? value : histogram->max;
}

uint64_t weft_histogram_count(const struct weft_histogram *histogram)
{
	return histogram->count;
}

uint64_t weft_histogram_min(const struct weft_histogram *histogram)
{
	return histogram->count == 0 ? 0 : histogram->min;
}

uint64_t weft_histogram_max(const struct weft_histogram *histogram)
{
	return histogram->max;
}

double weft_histogram_mean(const struct weft_histogram *histogram)
{
	return histogram->count == 0 ? 0 : histogram->sum / (double)histogram->count;
}

void weft_histogram_each(const struct weft_histogram *histogram, weft_histogram_bucket_fn *fn, void *user)
{
	for (unsigned int i = 0; i < BUCKET_COUNT; i++) {
		if (histogram->buckets[i] != 0)
			fn(bucket_low(i), bucket_high(i), histogram->buckets[i], user);
	}
}

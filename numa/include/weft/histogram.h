/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log-bucket histogram: values up to 2^63 in buckets whose relative width is bounded (1/64, so a reported
 * percentile is at most 1.6 % off), in fixed memory, mergeable, without allocation when recording.
 */
#ifndef WEFT_HISTOGRAM_H
#define WEFT_HISTOGRAM_H

#include <weft/api.h>

WEFT_BEGIN_DECLS

struct weft_histogram;

/* Gives. -WEFT_ENOMEM. Thread: any. */
WEFT_API int weft_histogram_open(struct weft_histogram **out);
WEFT_API void weft_histogram_close(struct weft_histogram **histogram);
/* Counts one value, or count times the same. Thread: owner. */
WEFT_API void weft_histogram_record(struct weft_histogram *histogram, uint64_t value);
WEFT_API void weft_histogram_record_many(struct weft_histogram *histogram, uint64_t value, uint64_t count);
/* Adds all of `from`; borrows it. Thread: owner of both. */
WEFT_API void weft_histogram_merge(struct weft_histogram *into, const struct weft_histogram *from);
WEFT_API void weft_histogram_reset(struct weft_histogram *histogram);
/* The value below or at which `percent` (0 to 100) of all lie; never beyond the exact minimum and maximum; 0 when empty. Thread: owner. */
WEFT_API uint64_t weft_histogram_percentile(const struct weft_histogram *histogram, double percent);
/* Exact. Thread: owner. */
WEFT_API uint64_t weft_histogram_count(const struct weft_histogram *histogram);
WEFT_API uint64_t weft_histogram_min(const struct weft_histogram *histogram);
WEFT_API uint64_t weft_histogram_max(const struct weft_histogram *histogram);
WEFT_API double weft_histogram_mean(const struct weft_histogram *histogram);

typedef void weft_histogram_bucket_fn(uint64_t low, uint64_t high, uint64_t count, void *user);
/* Calls fn for each bucket that holds something, in rising order. Thread: owner. */
WEFT_API void weft_histogram_each(const struct weft_histogram *histogram, weft_histogram_bucket_fn *fn, void *user);

WEFT_END_DECLS

#endif

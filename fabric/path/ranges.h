/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which packet numbers have come: to tell doubles from news, and to acknowledge.
 */
#ifndef RANGES_H
#define RANGES_H

#include <stdbool.h>
#include <stdint.h>

#define WEFT__RANGES_MAX 32u

struct weft__ranges {
	unsigned int count;
	uint64_t below; /* all numbers below are forgotten: they count as known */
	struct {
		uint64_t first, last;
	} at[WEFT__RANGES_MAX]; /* newest first; at least one number lies between two */
};

void weft__ranges_init(struct weft__ranges *ranges);
/*
 * False: it came before, or is too old to know: then whoever sent it will send again what it carried. When there are too
 * many ranges the oldest one is forgotten. UINT64_MAX is no number.
 */
bool weft__ranges_add(struct weft__ranges *ranges, uint64_t number);
/* Whether add would say true. */
bool weft__ranges_is_new(const struct weft__ranges *ranges, uint64_t number);

#endif

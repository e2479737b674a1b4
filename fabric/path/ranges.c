/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A short sorted list: packets come mostly in order, so what is looked for is mostly at its head.
 */
#include "path/ranges.h"

#include <string.h>

void weft__ranges_init(struct weft__ranges *ranges)
{
	ranges->count = 0;
	ranges->below = 0;
}

/* The newest range that does not lie wholly above number. */
static unsigned int find(const struct weft__ranges *ranges, uint64_t number)
{
	unsigned int i = 0;

	while (i < ranges->count && number < ranges->at[i].first)
		i++;
	return i;
}

static bool joins_newer(const struct weft__ranges *ranges, unsigned int i, uint64_t number)
{
	return i > 0 && number + 1 == ranges->at[i - 1].first;
}

static bool joins_older(const struct weft__ranges *ranges, unsigned int i, uint64_t number)
{
	return i < ranges->count && ranges->at[i].last + 1 == number;
}

static bool is_new_at(const struct weft__ranges *ranges, unsigned int i, uint64_t number)
{
	if (number < ranges->below || number == UINT64_MAX)
		return false;
	if (i < ranges->count)
		return number > ranges->at[i].last;
	/* Older than all: only if there is a place for it. */
	return ranges->count < WEFT__RANGES_MAX || joins_newer(ranges, i, number);
}

bool weft__ranges_is_new(const struct weft__ranges *ranges, uint64_t number)
{
	return is_new_at(ranges, find(ranges, number), number);
}

static void move(struct weft__ranges *ranges, unsigned int from, unsigned int to)
{
	memmove(&ranges->at[to], &ranges->at[from], (ranges->count - from) * sizeof *ranges->at);
	ranges->count += to - from;
}

static void insert(struct weft__ranges *ranges, unsigned int i, uint64_t number)
{
	if (ranges->count == WEFT__RANGES_MAX)
		ranges->below = ranges->at[--ranges->count].last + 1;
	move(ranges, i, i + 1);
	ranges->at[i].first = ranges->at[i].last = number;
}

bool weft__ranges_add(struct weft__ranges *ranges, uint64_t number)
{
	unsigned int i = find(ranges, number);

	if (!is_new_at(ranges, i, number))
		return false;
	if (joins_newer(ranges, i, number)) {
		ranges->at[i - 1].first = number;
		if (joins_older(ranges, i, number)) {
			ranges->at[i - 1].first = ranges->at[i].first;
			move(ranges, i + 1, i);
		}
	} else if (joins_older(ranges, i, number)) {
		ranges->at[i].last = number;
	} else {
		insert(ranges, i, number);
	}
	return true;
}

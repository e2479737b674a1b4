/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets of CPUs, and their list form "0-3,8".
 */
#include <weft/cpuset.h>
#include <weft/errors.h>

#include <stdio.h>
#include <string.h>

#define WORDS (WEFT_CPU_MAX / 64)

void weft_cpuset_zero(struct weft_cpuset *set)
{
	memset(set, 0, sizeof *set);
}

void weft_cpuset_add(struct weft_cpuset *set, unsigned int cpu)
{
	if (cpu < WEFT_CPU_MAX)
		set->words[cpu / 64] |= UINT64_C(1) << (cpu % 64);
}

void weft_cpuset_remove(struct weft_cpuset *set, unsigned int cpu)
{
	if (cpu < WEFT_CPU_MAX)
		set->words[cpu / 64] &= ~(UINT64_C(1) << (cpu % 64));
}

bool weft_cpuset_has(const struct weft_cpuset *set, unsigned int cpu)
{
	return cpu < WEFT_CPU_MAX && (set->words[cpu / 64] >> (cpu % 64) & 1);
}

unsigned int weft_cpuset_count(const struct weft_cpuset *set)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < WORDS; i++)
		count += (unsigned int)__builtin_popcountll(set->words[i]);
	return count;
}

bool weft_cpuset_is_empty(const struct weft_cpuset *set)
{
	return weft_cpuset_next(set, 0) == WEFT_CPU_MAX;
}

bool weft_cpuset_equal(const struct weft_cpuset *a, const struct weft_cpuset *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

unsigned int weft_cpuset_next(const struct weft_cpuset *set, unsigned int from)
{
	uint64_t word;

	if (from >= WEFT_CPU_MAX)
		return WEFT_CPU_MAX;
	word = set->words[from / 64] & (UINT64_MAX << (from % 64));
	for (unsigned int i = from / 64;;) {
		if (word)
			return i * 64 + (unsigned int)__builtin_ctzll(word);
		if (++i == WORDS)
			return WEFT_CPU_MAX;
		word = set->words[i];
	}
}

void weft_cpuset_and(struct weft_cpuset *out, const struct weft_cpuset *a, const struct weft_cpuset *b)
{
	for (unsigned int i = 0; i < WORDS; i++)
		out->words[i] = a->words[i] & b->words[i];
}

void weft_cpuset_or(struct weft_cpuset *out, const struct weft_cpuset *a, const struct weft_cpuset *b)
{
	for (unsigned int i = 0; i < WORDS; i++)
		out->words[i] = a->words[i] | b->words[i];
}

void weft_cpuset_andnot(struct weft_cpuset *out, const struct weft_cpuset *a, const struct weft_cpuset *b)
{
	for (unsigned int i = 0; i < WORDS; i++)
		out->words[i] = a->words[i] & ~b->words[i];
}

/* Reads digits; values that do not fit a CPU number stop at WEFT_CPU_MAX. NULL if there is no digit. */
static const char *read_number(const char *at, unsigned int *out)
{
	unsigned int value = 0;

	if (*at < '0' || *at > '9')
		return NULL;
	for (; *at >= '0' && *at <= '9'; at++)
		if (value < WEFT_CPU_MAX)
			value = value * 10 + (unsigned int)(*at - '0');
	*out = value < WEFT_CPU_MAX ? value : WEFT_CPU_MAX;
	return at;
}

/* How much of a bad token an error quotes. */
static int quoted(const char *token)
{
	size_t len = strcspn(token, ",");

	return len < 40 ? (int)len : 40;
}

int weft_cpuset_parse(const char *text, struct weft_cpuset *out)
{
	struct weft_cpuset set;
	unsigned int first, last;
	const char *token = text, *at;

	weft_cpuset_zero(&set);
	for (;; token = at + 1) {
		at = read_number(token, &first);
		last = first;
		if (at && *at == '-')
			at = read_number(at + 1, &last);
		if (!at || (*at && *at != ','))
			return weft_set_error(
				WEFT_EINVAL,
				"bad token '%.*s' in the CPU list '%.80s': write numbers and ranges, as in 0-3,8",
				quoted(token), token, text);
		if (first >= WEFT_CPU_MAX || last >= WEFT_CPU_MAX)
			return weft_set_error(
				WEFT_ERANGE,
				"'%.*s' in the CPU list '%.80s' is out of range: the highest CPU number is %d",
				quoted(token), token, text, WEFT_CPU_MAX - 1);
		if (first > last)
			return weft_set_error(WEFT_EINVAL, "the range '%.*s' in the CPU list '%.80s' runs backwards",
					      quoted(token), token, text);
		for (; first <= last; first++)
			weft_cpuset_add(&set, first);
		if (!*at)
			break;
	}
	*out = set;
	return 0;
}

const char *weft_cpuset_format(const struct weft_cpuset *set, char *text, size_t size_bytes)
{
	unsigned int first = weft_cpuset_next(set, 0), last;
	size_t len = 0;
	char range[24];

	if (!size_bytes)
		return text;
	snprintf(text, size_bytes, "%s", first == WEFT_CPU_MAX ? "none" : "");
	while (first < WEFT_CPU_MAX) {
		for (last = first; weft_cpuset_has(set, last + 1);)
			last++;
		if (first == last)
			snprintf(range, sizeof range, "%s%u", len ? "," : "", first);
		else
			snprintf(range, sizeof range, "%s%u-%u", len ? "," : "", first, last);
		first = weft_cpuset_next(set, last + 1);
		/* Room for this range, and for the dots unless it is the last. */
		if (len + strlen(range) + (first < WEFT_CPU_MAX ? 4 : 0) >= size_bytes) {
			snprintf(text + len, size_bytes - len, "...");
			break;
		}
		len += (size_t)snprintf(text + len, size_bytes - len, "%s", range);
	}
	return text;
}

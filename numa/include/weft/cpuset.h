/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A set of CPUs by the numbers that the operating system gives them, as a plain value. Its text form is the one of
 * the kernel and of taskset: "0-3,8".
 */
#ifndef WEFT_CPUSET_H
#define WEFT_CPUSET_H

#include <weft/api.h>

WEFT_BEGIN_DECLS

/* CPU numbers below this fit. */
#define WEFT_CPU_MAX 4096

struct weft_cpuset {
	uint64_t words[WEFT_CPU_MAX / 64];
};

/* Empties the set. Thread: owner. */
WEFT_API void weft_cpuset_zero(struct weft_cpuset *set);
/* Adds or removes a CPU; numbers from WEFT_CPU_MAX on are ignored. Thread: owner. */
WEFT_API void weft_cpuset_add(struct weft_cpuset *set, unsigned int cpu);
WEFT_API void weft_cpuset_remove(struct weft_cpuset *set, unsigned int cpu);
/* Whether the CPU is in it; never for numbers from WEFT_CPU_MAX on. Thread: any. */
WEFT_API bool weft_cpuset_has(const struct weft_cpuset *set, unsigned int cpu);
/* How many CPUs are in it. Thread: any. */
WEFT_API unsigned int weft_cpuset_count(const struct weft_cpuset *set);
/* Thread: any. */
WEFT_API bool weft_cpuset_is_empty(const struct weft_cpuset *set);
WEFT_API bool weft_cpuset_equal(const struct weft_cpuset *a, const struct weft_cpuset *b);
/*
 * The lowest CPU that is at least `from`, or WEFT_CPU_MAX: for (c = weft_cpuset_next(s, 0); c < WEFT_CPU_MAX;
 * c = weft_cpuset_next(s, c + 1)). Thread: any.
 */
WEFT_API unsigned int weft_cpuset_next(const struct weft_cpuset *set, unsigned int from);

/* *out = a and b, a or b, a without b; out may be a or b. Thread: owner of out. */
WEFT_API void weft_cpuset_and(struct weft_cpuset *out, const struct weft_cpuset *a, const struct weft_cpuset *b);
WEFT_API void weft_cpuset_or(struct weft_cpuset *out, const struct weft_cpuset *a, const struct weft_cpuset *b);
WEFT_API void weft_cpuset_andnot(struct weft_cpuset *out, const struct weft_cpuset *a, const struct weft_cpuset *b);

/*
 * Reads "0-3,8": numbers and ranges separated by commas, nothing else. Borrows text. -WEFT_EINVAL for what is
 * malformed or empty and -WEFT_ERANGE for numbers from WEFT_CPU_MAX on; the last error quotes the bad token.
 * Thread: any.
 */
WEFT_API int weft_cpuset_parse(const char *text, struct weft_cpuset *out);

/*
 * Writes the list form, cut short with "..." if it does not fit; the empty set is "none". Always terminates if
 * size_bytes is not 0. Gives text back. Thread: any.
 */
WEFT_API const char *weft_cpuset_format(const struct weft_cpuset *set, char *text, size_t size_bytes);

WEFT_END_DECLS

#endif

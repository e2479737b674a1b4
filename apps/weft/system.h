/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel says in its files, below a root ("": the real ones), for `weft info` to show and `weft doctor` to
 * judge. What cannot be read is not known: empty, or SYSTEM_UNKNOWN.
 */
#ifndef SYSTEM_H
#define SYSTEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYSTEM_UNKNOWN UINT64_MAX
#define SYSTEM_UNLIMITED (UINT64_MAX - 1)
#define SYSTEM_POOLS_MAX 4
#define HUGE_PAGE_BYTES ((uint64_t)2 << 20)

/* Reads the first line of ROOT/path; "" if it cannot be read. Gives text. */
const char *system_line(const char *root, const char *path, char *text, size_t size_bytes);
/* The number that a file begins with. */
uint64_t system_number(const char *root, const char *path);
/* The word in brackets of "always [madvise] never"; "" if there is none. Gives text. */
const char *system_choice(const char *root, const char *path, char *text, size_t size_bytes);

/* Reserved pages of one size. */
struct huge_pool {
	uint64_t size_bytes, total, free;
};

/* The memory of one NUMA node. */
struct node_memory {
	uint64_t total_bytes, free_bytes;
	uint64_t cache_bytes;                     /* file pages, which the kernel gives up when memory is wanted */
	struct huge_pool pools[SYSTEM_POOLS_MAX]; /* the smallest first */
	unsigned int pool_count;
};
/* Without files of that node: what the machine has as a whole. */
void system_node_memory(const char *root, unsigned int node, struct node_memory *out);
/* The pool of that size, or NULL. */
const struct huge_pool *system_pool(const struct node_memory *memory, uint64_t size_bytes);

struct machine_memory {
	uint64_t total_bytes, available_bytes, swap_total_bytes, swap_free_bytes;
};
void system_memory(const char *root, struct machine_memory *out);

/* A limit of this process by its name in /proc/self/limits, "Max open files"; SYSTEM_UNLIMITED for no limit. */
struct process_limit {
	uint64_t soft, hard;
};
void system_limit(const char *root, const char *name, struct process_limit *out);

/* "24105 MiB"; "unlimited"; "?". Gives text. */
const char *system_mebibytes(uint64_t bytes, char *text, size_t size_bytes);

#endif

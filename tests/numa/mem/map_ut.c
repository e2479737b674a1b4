/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves, by what the kernel says of each mapping, that neither memory of our own that is shared nor a peer's stands in core
 * dumps or goes to forked children: it may hold anybody's data, and is far larger than the program's own.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <weft/arena.h>

#define MIB ((size_t)1 << 20)
#define INCARNATION 7

/* Whether all mappings that lie in these bytes, and that are all of them, have a flag of proc(5)'s VmFlags. */
static bool has_flag(const void *base, size_t len_bytes, const char *flag)
{
	uintptr_t from = (uintptr_t)base, to = from + len_bytes, begin, end, inside_bytes = 0;
	FILE *smaps = fopen("/proc/self/smaps", "re");
	size_t with_bytes = 0;
	char line[512];

	CU_ASSERT_PTR_NOT_NULL_FATAL(smaps);
	while (fgets(line, sizeof line, smaps)) {
		if (sscanf(line, "%lx-%lx ", &begin, &end) == 2) {
			begin = begin > from ? begin : from;
			end = end < to ? end : to;
			inside_bytes = begin < end ? end - begin : 0;
		} else if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line + 8, flag)) {
			with_bytes += inside_bytes;
		}
	}
	fclose(smaps);
	return with_bytes == len_bytes;
}

static void check(const void *base, size_t len_bytes)
{
	CU_ASSERT_TRUE(has_flag(base, len_bytes, " dd"));
	CU_ASSERT_TRUE(has_flag(base, len_bytes, " dc"));
}

static void memory_that_nobody_hid_is_seen_not_to_be(void)
{
	void *base = mmap(NULL, MIB, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CU_ASSERT_PTR_NOT_EQUAL_FATAL(base, MAP_FAILED);
	CU_ASSERT_TRUE(has_flag(base, MIB, " rd"));
	CU_ASSERT_FALSE(has_flag(base, MIB, " dd"));
	CU_ASSERT_FALSE(has_flag(base, MIB, " dc"));
	CU_ASSERT_EQUAL(madvise(base, MIB / 2, MADV_DONTDUMP), 0);
	CU_ASSERT_FALSE(has_flag(base, MIB, " dd")); /* half of it is */
	CU_ASSERT_TRUE(has_flag(base, MIB / 2, " dd"));
	munmap(base, MIB);
}

/* Of segments smaller and larger than a huge page, which are mapped in different ways. */
static void segments_of_an_arena_and_what_peers_map_of_them_are_hidden(void)
{
	static const size_t lens[] = {4096, 2 * MIB, 5 * MIB};
	struct weft_arena_opts opts;
	struct weft_arena *arena;

	weft_arena_opts_init(&opts, sizeof opts);
	opts.incarnation = INCARNATION;
	opts.pages = WEFT_PAGES_SMALL;
	CU_ASSERT_EQUAL_FATAL(weft_arena_open(&opts, &arena), 0);
	for (unsigned int i = 0; i < 3; i++) {
		const struct weft_segment *segment;
		struct weft_mapping mapping;

		CU_ASSERT_EQUAL_FATAL(weft_arena_grow(arena, lens[i], &segment), 0);
		check(segment->base, segment->len_bytes);
		CU_ASSERT_EQUAL_FATAL(weft_mapping_open(segment->fd, INCARNATION, segment->segment_id,
							segment->len_bytes, &mapping),
				      0);
		check(mapping.base, mapping.len_bytes);
		weft_mapping_close(&mapping);
	}
	weft_arena_close(&arena);
}

static void pieces_for_control_are_hidden_as_well(void)
{
	struct weft_arena_opts opts;
	struct weft_carving carving;
	struct weft_arena *arena;

	weft_arena_opts_init(&opts, sizeof opts);
	CU_ASSERT_EQUAL_FATAL(weft_arena_open(&opts, &arena), 0);
	CU_ASSERT_EQUAL_FATAL(weft_arena_carve(arena, 4096, &carving), 0);
	check((const void *)((uintptr_t)carving.base & ~(uintptr_t)(sysconf(_SC_PAGESIZE) - 1)), 4096);
	weft_arena_uncarve(arena, &carving);
	weft_arena_close(&arena);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(memory_that_nobody_hid_is_seen_not_to_be),
		SUITE_CASE(segments_of_an_arena_and_what_peers_map_of_them_are_hidden),
		SUITE_CASE(pieces_for_control_are_hidden_as_well),
	};

	return suite_main("map", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that an arena grows to its limit and no further, that carvings are zeroed, aligned, disjoint and used
 * again, that segment numbers are not, and that everything is gone after close.
 */
#include "fault.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <weft/arena.h>
#include <weft/errors.h>
#include <weft/random.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

static struct weft_arena *open_arena(size_t max_bytes)
{
	struct weft_arena_opts opts;
	struct weft_arena *arena = NULL;

	weft_arena_opts_init(&opts, sizeof opts);
	opts.incarnation = 12;
	opts.data_segment_bytes = 4 * MIB;
	opts.control_segment_bytes = 64 * KIB;
	opts.max_bytes = max_bytes;
	opts.pages = WEFT_PAGES_SMALL;
	CU_ASSERT_EQUAL_FATAL(weft_arena_open(&opts, &arena), 0);
	return arena;
}

static unsigned int descriptor_count(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void an_arena_takes_no_memory_until_it_is_asked(void)
{
	struct weft_arena *arena = open_arena(16 * MIB);
	struct weft_arena_stats stats;

	weft_arena_describe(arena, &stats);
	CU_ASSERT_EQUAL(stats.segment_count, 0);
	CU_ASSERT_EQUAL(stats.total_bytes, 0);
	CU_ASSERT_EQUAL(stats.max_bytes, 16 * MIB);
	CU_ASSERT_PTR_NULL(weft_arena_segment(arena, 1));
	weft_arena_close(&arena);
	CU_ASSERT_PTR_NULL(arena);
	weft_arena_close(&arena);
}

static void growing_gives_room_for_the_payload_after_the_first_block(void)
{
	static const size_t sizes[][2] = {
		{0, 4 * MIB}, {1, 2 * MIB}, {MIB, 2 * MIB}, {MIB + 1, 4 * MIB}, {3 * MIB, 4 * MIB}, {4 * MIB, 6 * MIB},
	};
	struct weft_arena *arena = open_arena(64 * MIB);
	const struct weft_segment *segment;
	struct weft_arena_stats stats;
	unsigned int before = descriptor_count();

	for (uint32_t i = 0; i < 6; i++) {
		CU_ASSERT_EQUAL_FATAL(weft_arena_grow(arena, sizes[i][0], &segment), 0);
		CU_ASSERT_EQUAL(segment->len_bytes, sizes[i][1]);
		CU_ASSERT_EQUAL(segment->segment_id, i + 1);
		CU_ASSERT_PTR_EQUAL(weft_arena_segment(arena, i + 1), segment);
	}
	weft_arena_describe(arena, &stats);
	CU_ASSERT_EQUAL(stats.segment_count, 6);
	CU_ASSERT_EQUAL(stats.total_bytes, 22 * MIB);
	CU_ASSERT_EQUAL(stats.small_bytes, 22 * MIB);
	CU_ASSERT_EQUAL(stats.hugetlb_bytes + stats.collapsed_bytes, 0);
	weft_arena_close(&arena);
	CU_ASSERT_EQUAL(descriptor_count(), before);
}

static void the_quota_is_kept(void)
{
	struct weft_arena *arena = open_arena(8 * MIB);
	const struct weft_segment *first, *second, *third = NULL;

	CU_ASSERT_EQUAL(weft_arena_grow(arena, 8 * MIB, &third), -WEFT_EQUOTA);
	CU_ASSERT_EQUAL(weft_arena_grow(arena, SIZE_MAX, &third), -WEFT_EQUOTA);
	CU_ASSERT_EQUAL_FATAL(weft_arena_grow(arena, 0, &first), 0);
	CU_ASSERT_EQUAL_FATAL(weft_arena_grow(arena, 0, &second), 0);
	CU_ASSERT_EQUAL(weft_arena_grow(arena, 1, &third), -WEFT_EQUOTA);
	CU_ASSERT_PTR_NULL(third);
	weft_arena_close(&arena);
}

static void carvings_are_zeroed_and_aligned_and_their_place_is_used_again(void)
{
	struct weft_arena *arena = open_arena(4 * MIB);
	struct weft_carving first, second, again;
	struct weft_arena_stats stats;

	CU_ASSERT_EQUAL_FATAL(weft_arena_carve(arena, 1, &first), 0);
	CU_ASSERT_EQUAL(first.len_bytes, 64);
	CU_ASSERT_EQUAL(first.offset_bytes, 64);
	CU_ASSERT_PTR_EQUAL(first.base, weft_arena_segment(arena, first.segment_id)->base + first.offset_bytes);
	CU_ASSERT_EQUAL_FATAL(weft_arena_carve(arena, 100, &second), 0);
	CU_ASSERT_EQUAL(second.len_bytes, 128);
	CU_ASSERT_EQUAL(second.offset_bytes, 128);
	memset(first.base, 0xff, first.len_bytes);
	weft_arena_uncarve(arena, &first);
	CU_ASSERT_EQUAL_FATAL(weft_arena_carve(arena, 64, &again), 0);
	CU_ASSERT_PTR_EQUAL(again.base, first.base);
	for (unsigned int i = 0; i < again.len_bytes; i++)
		CU_ASSERT_EQUAL(((char *)again.base)[i], 0);
	weft_arena_describe(arena, &stats);
	CU_ASSERT_EQUAL(stats.carved_bytes, 192);
	CU_ASSERT_EQUAL(stats.segment_count, 1);
	weft_arena_close(&arena);
}

static void carvings_larger_than_a_control_segment_get_their_own(void)
{
	struct weft_arena *arena = open_arena(4 * MIB);
	struct weft_carving carving = {.segment_id = 7};

	CU_ASSERT_EQUAL(weft_arena_carve(arena, MIB, &carving), 0);
	CU_ASSERT_EQUAL(carving.len_bytes, MIB);
	CU_ASSERT_EQUAL(weft_arena_segment(arena, carving.segment_id)->len_bytes, MIB + 4096);
	CU_ASSERT_EQUAL(weft_arena_carve(arena, 0, &carving), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(weft_arena_carve(arena, SIZE_MAX, &carving), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(weft_arena_carve(arena, 4 * MIB, &carving), -WEFT_EQUOTA);
	CU_ASSERT_EQUAL(carving.segment_id, 1);
	weft_arena_close(&arena);
}

static void random_carvings_never_overlap(void)
{
	enum { SLOTS = 64 };
	struct weft_arena *arena = open_arena(4 * MIB);
	struct weft_carving carvings[SLOTS];
	bool held[SLOTS] = {false};
	struct weft_random random;
	struct weft_arena_stats stats;

	weft_random_seed(&random, 2026);
	for (unsigned int i = 0; i < 20000; i++) {
		unsigned int slot = (unsigned int)weft_random_below(&random, SLOTS);
		struct weft_carving *carving = &carvings[slot];
		unsigned char *bytes;
		size_t wrong = 0;

		if (!held[slot]) {
			size_t len_bytes = 1 + weft_random_below(&random, weft_random_below(&random, 8) ? 600 : 9000);

			CU_ASSERT_EQUAL_FATAL(weft_arena_carve(arena, len_bytes, carving), 0);
			CU_ASSERT_TRUE(carving->len_bytes >= len_bytes && (uintptr_t)carving->base % 64 == 0);
		}
		bytes = carving->base;
		for (size_t at = 0; at < carving->len_bytes; at++)
			wrong += bytes[at] != (held[slot] ? slot + 1 : 0);
		CU_ASSERT_EQUAL(wrong, 0);
		memset(bytes, (int)slot + 1, carving->len_bytes);
		if (held[slot])
			weft_arena_uncarve(arena, carving);
		held[slot] = !held[slot];
	}
	for (unsigned int slot = 0; slot < SLOTS; slot++)
		if (held[slot])
			weft_arena_uncarve(arena, &carvings[slot]);
	weft_arena_describe(arena, &stats);
	CU_ASSERT_EQUAL(stats.carved_bytes, 0);
	weft_arena_close(&arena);
}

static void *carve_and_uncarve(void *arena)
{
	uintptr_t failed = 0;

	for (int i = 0; i < 2000; i++) {
		struct weft_carving carving;

		if (weft_arena_carve(arena, 200, &carving)) {
			failed++;
			continue;
		}
		failed += weft_arena_segment(arena, carving.segment_id) == NULL;
		memset(carving.base, i, carving.len_bytes);
		weft_arena_uncarve(arena, &carving);
	}
	return (void *)failed;
}

static void threads_may_carve_at_the_same_time(void)
{
	struct weft_arena *arena = open_arena(4 * MIB);
	pthread_t threads[4];
	void *failed;

	for (int i = 0; i < 4; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, carve_and_uncarve, arena), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &failed);
		CU_ASSERT_PTR_NULL(failed);
	}
	weft_arena_close(&arena);
}

static void options_out_of_range_are_refused(void)
{
	struct weft_arena_opts good, opts;
	struct weft_arena *arena = NULL;

	weft_arena_opts_init(&good, sizeof good);
	opts = good;
	opts.size++;
	CU_ASSERT_EQUAL(weft_arena_open(&opts, &arena), -WEFT_EINVAL);
	opts = good;
	opts.control_segment_bytes = 0;
	CU_ASSERT_EQUAL(weft_arena_open(&opts, &arena), -WEFT_EINVAL);
	opts = good;
	opts.data_segment_bytes = 3 * MIB;
	CU_ASSERT_EQUAL(weft_arena_open(&opts, &arena), -WEFT_EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "data_segment_bytes"));
	opts = good;
	opts.max_bytes = MIB;
	CU_ASSERT_EQUAL(weft_arena_open(&opts, &arena), -WEFT_EINVAL);
	opts = good;
	opts.max_bytes = SIZE_MAX;
	CU_ASSERT_EQUAL(weft_arena_open(&opts, &arena), -WEFT_EINVAL);
	CU_ASSERT_PTR_NULL(arena);
}

static void each_step_of_an_arena_can_fail_without_a_trace(void)
{
	unsigned long kept = fault_count_kept();
	bool struck = true;

	for (unsigned int skip = 0; struck; skip++) {
		struct weft_arena_opts opts;
		struct weft_arena *arena = NULL;
		const struct weft_segment *segment = NULL;
		struct weft_carving carving = {.base = NULL};
		struct weft_arena_stats stats;
		int rc;

		weft_arena_opts_init(&opts, sizeof opts);
		opts.pages = WEFT_PAGES_SMALL;
		fault_arm(skip);
		rc = weft_arena_open(&opts, &arena);
		CU_ASSERT_EQUAL(rc == 0, arena != NULL);
		if (arena) {
			CU_ASSERT_EQUAL(weft_arena_grow(arena, 1, &segment) == 0, segment != NULL);
			CU_ASSERT_EQUAL(weft_arena_carve(arena, 1, &carving) == 0, carving.base != NULL);
			struck = fault_disarm();
			weft_arena_describe(arena, &stats);
			CU_ASSERT_EQUAL(stats.segment_count, (segment != NULL) + (carving.base != NULL));
			CU_ASSERT_EQUAL(stats.total_bytes, stats.segment_count * 2 * MIB);
			CU_ASSERT_EQUAL(weft_arena_grow(arena, 1, &segment), 0);
			CU_ASSERT_EQUAL(weft_arena_carve(arena, 1, &carving), 0);
		}
		fault_disarm();
		weft_arena_close(&arena);
		CU_ASSERT_EQUAL(fault_count_kept(), kept);
	}
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(an_arena_takes_no_memory_until_it_is_asked),
		SUITE_CASE(growing_gives_room_for_the_payload_after_the_first_block),
		SUITE_CASE(the_quota_is_kept),
		SUITE_CASE(carvings_are_zeroed_and_aligned_and_their_place_is_used_again),
		SUITE_CASE(carvings_larger_than_a_control_segment_get_their_own),
		SUITE_CASE(random_carvings_never_overlap),
		SUITE_CASE(threads_may_carve_at_the_same_time),
		SUITE_CASE(options_out_of_range_are_refused),
		SUITE_CASE(each_step_of_an_arena_can_fail_without_a_trace),
	};

	return suite_main("arena", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that buffers are as large as asked, never overlap and come home once; that memory moves between the size
 * classes and joins again; that what is lacking is remembered; and that other threads' puts come home. The random
 * test prints its seed; give one in WEFT_TEST_SEED to repeat it.
 */
#include "fault.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>
#include <weft/pool.h>
#include <weft/random.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
/* What block 0 has besides the header and what the smallest class leaves at its begin. */
#define FIXED_BYTES (255 * 256 + 32 * 2 * KIB + 8 * 16 * KIB + 12 * 64 * KIB)

struct fixture {
	struct weft_arena *arena;
	struct weft_pool *pool;
};

static void grow(struct fixture *fixture, size_t payload_bytes)
{
	const struct weft_segment *segment;

	CU_ASSERT_EQUAL_FATAL(weft_arena_grow(fixture->arena, payload_bytes, &segment), 0);
	CU_ASSERT_EQUAL_FATAL(weft_pool_adopt(fixture->pool, segment), 0);
}

static struct fixture set_up(size_t payload_bytes)
{
	struct weft_arena_opts arena_opts;
	struct weft_pool_opts pool_opts;
	struct fixture fixture = {NULL, NULL};

	weft_arena_opts_init(&arena_opts, sizeof arena_opts);
	arena_opts.pages = WEFT_PAGES_SMALL;
	weft_pool_opts_init(&pool_opts, sizeof pool_opts);
	pool_opts.remote_put_slots = 64;
	CU_ASSERT_EQUAL_FATAL(weft_arena_open(&arena_opts, &fixture.arena), 0);
	CU_ASSERT_EQUAL_FATAL(weft_pool_open(&pool_opts, &fixture.pool), 0);
	if (payload_bytes)
		grow(&fixture, payload_bytes);
	return fixture;
}

static void tear_down(struct fixture *fixture)
{
	weft_pool_close(&fixture->pool);
	CU_ASSERT_PTR_NULL(fixture->pool);
	weft_arena_close(&fixture->arena);
}

static struct weft_pool_stats stats_of(const struct fixture *fixture)
{
	struct weft_pool_stats stats;

	weft_pool_describe(fixture->pool, &stats);
	return stats;
}

/* Gets until nothing fits; gives a list through next. */
static struct weft_buf *get_all(struct fixture *fixture, size_t len_bytes, unsigned int *count)
{
	struct weft_buf *list = NULL, *buf;

	for (*count = 0; !weft_pool_get(fixture->pool, len_bytes, &buf); ++*count) {
		CU_ASSERT_TRUE(buf->capacity_bytes >= len_bytes);
		buf->next = list;
		list = buf;
	}
	return list;
}

static void put_all(struct weft_buf *list)
{
	while (list) {
		struct weft_buf *next = list->next;

		weft_buf_put(list);
		list = next;
	}
}

static void a_pool_without_memory_says_what_it_wants(void)
{
	struct fixture fixture = set_up(0);
	struct weft_buf *buf = NULL;

	CU_ASSERT_EQUAL(weft_pool_wants(fixture.pool), 0);
	CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, 100, &buf), -WEFT_EAGAIN);
	CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, 5 * MIB, &buf), -WEFT_EAGAIN);
	CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, 3000, &buf), -WEFT_EAGAIN);
	CU_ASSERT_PTR_NULL(buf);
	CU_ASSERT_EQUAL(weft_pool_wants(fixture.pool), 5 * MIB);
	CU_ASSERT_EQUAL(weft_pool_wants(fixture.pool), 0);
	CU_ASSERT_EQUAL(stats_of(&fixture).misses, 3);
	grow(&fixture, 5 * MIB);
	CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, 5 * MIB, &buf), 0);
	CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, ((size_t)1 << 30) + 1, &buf), -WEFT_EMSGSIZE);
	CU_ASSERT_EQUAL(weft_pool_wants(fixture.pool), 0);
	tear_down(&fixture);
}

static void each_length_gets_the_class_that_fits(void)
{
	static const struct {
		size_t len_bytes, capacity_bytes;
	} rows[] = {
		{0, 256}, {1, 256}, {256, 256}, {257, 2 * KIB}, {2 * KIB, 2 * KIB}, {2 * KIB + 1, 16 * KIB},
		{16 * KIB + 1, 64 * KIB}, {64 * KIB, 64 * KIB}, {64 * KIB + 1, MIB}, {MIB, MIB}, {MIB + 1, 2 * MIB},
		{7 * MIB, 7 * MIB},
	};
	struct fixture fixture = set_up(7 * MIB);

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct weft_buf *buf = NULL;

		CU_ASSERT_EQUAL_FATAL(weft_pool_get(fixture.pool, rows[i].len_bytes, &buf), 0);
		CU_ASSERT_EQUAL(buf->capacity_bytes, rows[i].capacity_bytes);
		CU_ASSERT_EQUAL(buf->refs, 1);
		CU_ASSERT_EQUAL((uintptr_t)buf->data % 64, 0);
		CU_ASSERT_TRUE(buf->offset_bytes >= 64);
		CU_ASSERT_PTR_EQUAL(weft_arena_segment(fixture.arena, buf->segment_id)->base + buf->offset_bytes,
				    buf->data);
		weft_buf_put(buf);
	}
	tear_down(&fixture);
}

static void the_buffer_freed_last_is_handed_out_first(void)
{
	static const size_t lens[] = {256, 2 * KIB, 16 * KIB, 64 * KIB};
	struct fixture fixture = set_up(MIB);

	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
		struct weft_buf *bufs[3], *again;

		for (int j = 0; j < 3; j++)
			CU_ASSERT_EQUAL_FATAL(weft_pool_get(fixture.pool, lens[i], &bufs[j]), 0);
		for (int j = 0; j < 3; j++)
			weft_buf_put(bufs[j]);
		CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, lens[i], &again), 0);
		CU_ASSERT_PTR_EQUAL(again, bufs[2]);
		weft_buf_put(again);
	}
	tear_down(&fixture);
}

static void the_last_holder_sends_it_home(void)
{
	struct fixture fixture = set_up(MIB);
	size_t all_bytes = stats_of(&fixture).free_bytes;
	struct weft_buf *buf;

	CU_ASSERT_EQUAL(all_bytes, MIB + FIXED_BYTES);
	CU_ASSERT_EQUAL_FATAL(weft_pool_get(fixture.pool, 10, &buf), 0);
	weft_buf_ref(buf);
	weft_buf_ref(buf);
	CU_ASSERT_EQUAL(buf->refs, 3);
	weft_buf_put(buf);
	weft_buf_put(buf);
	CU_ASSERT_EQUAL(stats_of(&fixture).out_count, 1);
	CU_ASSERT_EQUAL(stats_of(&fixture).free_bytes, all_bytes - 256);
	weft_buf_put(buf);
	CU_ASSERT_EQUAL(stats_of(&fixture).out_count, 0);
	CU_ASSERT_EQUAL(stats_of(&fixture).free_bytes, all_bytes);
	CU_ASSERT_EQUAL(stats_of(&fixture).gets, 1);
	CU_ASSERT_EQUAL(stats_of(&fixture).puts, 1);
	tear_down(&fixture);
}

static void a_segment_of_2_mib_serves_every_small_class(void)
{
	static const size_t lens[] = {256, 2 * KIB, 16 * KIB, 64 * KIB};
	struct fixture fixture = set_up(1);
	struct weft_buf *large, *lists[4];
	unsigned int count;

	CU_ASSERT_EQUAL_FATAL(weft_pool_get(fixture.pool, MIB, &large), 0);
	for (int i = 3; i >= 0; i--) {
		lists[i] = get_all(&fixture, lens[i], &count);
		CU_ASSERT_TRUE(count >= 8);
	}
	CU_ASSERT_EQUAL(stats_of(&fixture).free_bytes, 0);
	for (int i = 0; i < 4; i++)
		put_all(lists[i]);
	weft_buf_put(large);
	tear_down(&fixture);
}

static void memory_moves_between_all_classes(void)
{
	static const size_t lens[] = {256, 2 * KIB, 16 * KIB, 64 * KIB, MIB, 3 * MIB, 7 * MIB};
	struct fixture fixture = set_up(7 * MIB);
	size_t all_bytes = stats_of(&fixture).free_bytes;

	for (size_t i = 0; i < 7; i++)
		for (size_t j = 0; j < 7; j++) {
			unsigned int count;

			put_all(get_all(&fixture, lens[i], &count));
			CU_ASSERT_TRUE(count >= 7 * MIB / lens[i]);
			put_all(get_all(&fixture, lens[j], &count));
			CU_ASSERT_TRUE(count >= 7 * MIB / lens[j]);
			CU_ASSERT_EQUAL(stats_of(&fixture).free_bytes, all_bytes);
		}
	tear_down(&fixture);
}

static void one_small_buffer_keeps_only_its_own_block(void)
{
	struct fixture fixture = set_up(7 * MIB);
	struct weft_buf *list, *kept = NULL, *large;
	unsigned int count;

	list = get_all(&fixture, 2 * KIB, &count);
	while (list) {
		struct weft_buf *next = list->next;

		if (!kept && list->capacity_bytes == 2 * KIB && list->offset_bytes >= MIB)
			kept = list;
		else
			weft_buf_put(list);
		list = next;
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(kept);
	CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, 7 * MIB, &large), -WEFT_EAGAIN);
	list = get_all(&fixture, MIB, &count);
	CU_ASSERT_TRUE(count >= 6);
	put_all(list);
	weft_buf_put(kept);
	CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, 7 * MIB, &large), 0);
	tear_down(&fixture);
}

static void runs_join_in_any_order_of_putting(void)
{
	static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	struct fixture fixture = set_up(7 * MIB);

	for (size_t i = 0; i < 6; i++) {
		struct weft_buf *parts[3], *whole = NULL;

		CU_ASSERT_EQUAL_FATAL(weft_pool_get(fixture.pool, 2 * MIB, &parts[0]), 0);
		CU_ASSERT_EQUAL_FATAL(weft_pool_get(fixture.pool, 4 * MIB, &parts[1]), 0);
		CU_ASSERT_EQUAL_FATAL(weft_pool_get(fixture.pool, MIB, &parts[2]), 0);
		for (int j = 0; j < 3; j++) {
			CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, 7 * MIB, &whole), -WEFT_EAGAIN);
			weft_buf_put(parts[orders[i][j]]);
		}
		CU_ASSERT_EQUAL_FATAL(weft_pool_get(fixture.pool, 7 * MIB, &whole), 0);
		weft_buf_put(whole);
	}
	tear_down(&fixture);
}

static void segments_do_not_join(void)
{
	struct fixture fixture = set_up(3 * MIB);
	struct weft_buf *buf;

	grow(&fixture, 3 * MIB);
	CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, 4 * MIB, &buf), -WEFT_EAGAIN);
	CU_ASSERT_EQUAL(weft_pool_adopt(fixture.pool, weft_arena_segment(fixture.arena, 2)), -WEFT_EEXIST);
	tear_down(&fixture);
}

static void below_the_low_water_mark_it_is_low(void)
{
	struct fixture fixture = set_up(7 * MIB);
	struct weft_buf *seven, *rest;
	unsigned int count;

	CU_ASSERT_FALSE(weft_pool_is_low(fixture.pool));
	CU_ASSERT_EQUAL_FATAL(weft_pool_get(fixture.pool, 7 * MIB, &seven), 0);
	rest = get_all(&fixture, 64 * KIB, &count);
	CU_ASSERT_TRUE(weft_pool_is_low(fixture.pool));
	put_all(rest);
	weft_buf_put(seven);
	CU_ASSERT_FALSE(weft_pool_is_low(fixture.pool));
	tear_down(&fixture);
}

struct held {
	struct weft_buf *buf;
	unsigned int extra_refs;
	uint64_t tag;
};

/* Every byte of small buffers, one word in each 1 KiB of large ones; slabs' buffers would show up in both. */
static size_t step_of(const struct weft_buf *buf)
{
	return buf->capacity_bytes > 64 * KIB ? KIB : sizeof(uint64_t);
}

static void write_pattern(const struct held *held)
{
	for (size_t at = 0; at < held->buf->capacity_bytes; at += step_of(held->buf)) {
		uint64_t word = held->tag + at;

		memcpy(held->buf->data + at, &word, sizeof word);
	}
}

static bool has_pattern(const struct held *held)
{
	for (size_t at = 0; at < held->buf->capacity_bytes; at += step_of(held->buf)) {
		uint64_t word;

		memcpy(&word, held->buf->data + at, sizeof word);
		if (word != held->tag + at)
			return false;
	}
	return true;
}

static size_t random_len(struct weft_random *random)
{
	static const size_t limits[] = {256, 256, 2 * KIB, 2 * KIB, 16 * KIB, 64 * KIB, MIB, 6 * MIB};

	return weft_random_below(random, limits[weft_random_below(random, 8)] + 1);
}

static void let_go(struct held *held)
{
	CU_ASSERT_TRUE(has_pattern(held));
	while (held->extra_refs--)
		weft_buf_put(held->buf);
	weft_buf_put(held->buf);
	held->buf = NULL;
}

static void random_use_never_overlaps_or_loses_memory(void)
{
	enum { SLOTS = 400, STEPS = 30000 };
	static struct held slots[SLOTS];
	const char *given = getenv("WEFT_TEST_SEED");
	struct fixture fixture = set_up(15 * MIB);
	size_t out_bytes = 0, all_bytes;
	struct weft_random random;
	uint64_t seed = 0;

	if (given)
		seed = strtoull(given, NULL, 0);
	else
		CU_ASSERT_EQUAL(weft_random_system(&seed), 0);
	printf("seed %#llx ", (unsigned long long)seed);
	weft_random_seed(&random, seed);
	memset(slots, 0, sizeof slots);
	grow(&fixture, 7 * MIB);
	all_bytes = stats_of(&fixture).total_bytes;
	for (uint64_t step = 0; step < STEPS; step++) {
		struct held *held = &slots[weft_random_below(&random, SLOTS)];
		size_t len_bytes = random_len(&random);

		if (held->buf) {
			out_bytes -= held->buf->capacity_bytes;
			let_go(held);
		} else if (!weft_pool_get(fixture.pool, len_bytes, &held->buf)) {
			CU_ASSERT_TRUE(held->buf->capacity_bytes >= len_bytes);
			out_bytes += held->buf->capacity_bytes;
			held->tag = step << 32;
			held->extra_refs = (unsigned int)weft_random_below(&random, 3);
			for (unsigned int i = 0; i < held->extra_refs; i++)
				weft_buf_ref(held->buf);
			write_pattern(held);
		}
		CU_ASSERT_EQUAL(stats_of(&fixture).free_bytes, all_bytes - out_bytes);
	}
	for (unsigned int i = 0; i < SLOTS; i++)
		if (slots[i].buf)
			let_go(&slots[i]);
	CU_ASSERT_EQUAL(stats_of(&fixture).free_bytes, all_bytes);
	CU_ASSERT_EQUAL(stats_of(&fixture).out_count, 0);
	CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, 15 * MIB, &slots[0].buf), 0);
	CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, 7 * MIB, &slots[1].buf), 0);
	tear_down(&fixture);
}

struct remote {
	struct weft_buf *bufs[500];
	unsigned int count;
};

static void *put_from_elsewhere(void *argument)
{
	struct remote *remote = argument;

	for (unsigned int i = 0; i < remote->count; i++)
		while (!weft_buf_put_remote(remote->bufs[i]))
			sched_yield();
	return NULL;
}

static void what_other_threads_put_comes_home(void)
{
	static struct remote remotes[2];
	struct fixture fixture = set_up(7 * MIB);
	size_t all_bytes = stats_of(&fixture).free_bytes;
	pthread_t threads[2];
	unsigned int home = 0;

	for (int i = 0; i < 2; i++) {
		remotes[i].count = 0;
		while (remotes[i].count < 500) {
			struct weft_buf **buf = &remotes[i].bufs[remotes[i].count];

			CU_ASSERT_EQUAL_FATAL(weft_pool_get(fixture.pool, remotes[i].count % 3000, buf), 0);
			remotes[i].count++;
		}
	}
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, put_from_elsewhere, &remotes[i]), 0);
	while (home < 1000) {
		unsigned int count = weft_pool_drain(fixture.pool, 10);

		CU_ASSERT_TRUE(count <= 10);
		if (!count)
			sched_yield();
		home += count;
	}
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	CU_ASSERT_EQUAL(weft_pool_drain(fixture.pool, 10), 0);
	CU_ASSERT_EQUAL(stats_of(&fixture).free_bytes, all_bytes);
	CU_ASSERT_EQUAL(stats_of(&fixture).remote_puts, 1000);
	tear_down(&fixture);
}

static void a_full_ring_home_refuses(void)
{
	struct fixture fixture = set_up(MIB);
	struct weft_buf *buf;
	unsigned int count = 0;

	CU_ASSERT_EQUAL_FATAL(weft_pool_get(fixture.pool, 1, &buf), 0);
	for (int i = 0; i < 100; i++)
		weft_buf_ref(buf);
	while (weft_buf_put_remote(buf))
		count++;
	CU_ASSERT_EQUAL(count, 64);
	CU_ASSERT_EQUAL(weft_pool_drain(fixture.pool, 1000), 64);
	CU_ASSERT_EQUAL(buf->refs, 37);
	tear_down(&fixture);
}

static void options_and_segments_out_of_range_are_refused(void)
{
	struct weft_pool_opts good, opts;
	struct weft_pool *pool = NULL;
	struct weft_segment small = {.len_bytes = MIB};

	weft_pool_opts_init(&good, sizeof good);
	opts = good;
	opts.size = 0;
	CU_ASSERT_EQUAL(weft_pool_open(&opts, &pool), -WEFT_EINVAL);
	opts = good;
	opts.remote_put_slots = 1000;
	CU_ASSERT_EQUAL(weft_pool_open(&opts, &pool), -WEFT_EINVAL);
	CU_ASSERT_PTR_NULL(pool);
	CU_ASSERT_EQUAL_FATAL(weft_pool_open(&good, &pool), 0);
	CU_ASSERT_EQUAL(weft_pool_adopt(pool, &small), -WEFT_EINVAL);
	weft_pool_close(&pool);
	weft_pool_close(&pool);
}

static void each_step_of_a_pool_can_fail_without_a_trace(void)
{
	struct fixture fixture = set_up(1);
	const struct weft_segment *segment = weft_arena_segment(fixture.arena, 1);
	struct weft_pool_opts opts;
	bool struck = true;

	weft_pool_opts_init(&opts, sizeof opts);
	for (unsigned int skip = 0; struck; skip++) {
		struct weft_pool *pool = NULL;
		struct weft_buf *buf;
		int rc;

		fault_arm(skip);
		rc = weft_pool_open(&opts, &pool);
		CU_ASSERT_EQUAL(rc == 0, pool != NULL);
		if (pool) {
			rc = weft_pool_adopt(pool, segment);
			struck = fault_disarm();
			CU_ASSERT_EQUAL(weft_pool_get(pool, 1, &buf), rc ? -WEFT_EAGAIN : 0);
			CU_ASSERT_EQUAL(rc != 0, struck);
			CU_ASSERT_EQUAL(weft_pool_adopt(pool, segment), rc ? 0 : -WEFT_EEXIST);
		}
		fault_disarm();
		weft_pool_close(&pool);
	}
	tear_down(&fixture);
}

static void getting_and_putting_never_ask_the_system_for_anything(void)
{
	static const size_t lens[] = {1, 2 * KIB, 16 * KIB, 64 * KIB, MIB, 3 * MIB};
	struct fixture fixture = set_up(7 * MIB);
	unsigned int count;

	fault_arm(0);
	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++)
		put_all(get_all(&fixture, lens[i], &count));
	CU_ASSERT_FALSE(fault_disarm());
	tear_down(&fixture);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_pool_without_memory_says_what_it_wants),
		SUITE_CASE(each_length_gets_the_class_that_fits),
		SUITE_CASE(the_buffer_freed_last_is_handed_out_first),
		SUITE_CASE(the_last_holder_sends_it_home),
		SUITE_CASE(a_segment_of_2_mib_serves_every_small_class),
		SUITE_CASE(memory_moves_between_all_classes),
		SUITE_CASE(one_small_buffer_keeps_only_its_own_block),
		SUITE_CASE(runs_join_in_any_order_of_putting),
		SUITE_CASE(segments_do_not_join),
		SUITE_CASE(below_the_low_water_mark_it_is_low),
		SUITE_CASE(random_use_never_overlaps_or_loses_memory),
		SUITE_CASE(what_other_threads_put_comes_home),
		SUITE_CASE(a_full_ring_home_refuses),
		SUITE_CASE(options_and_segments_out_of_range_are_refused),
		SUITE_CASE(each_step_of_a_pool_can_fail_without_a_trace),
		SUITE_CASE(getting_and_putting_never_ask_the_system_for_anything),
	};

	return suite_main("pool", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that buffers are as large as asked and come home once, after their last holder; that what is lacking is
 * remembered; that other threads' puts come home; and that nothing is allocated after a segment was adopted.
 */
#include "fault.h"
#include "pool_fixture.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <pthread.h>
#include <sched.h>
#include <weft/errors.h>

/* What block 0 has besides the header and what the smallest class leaves at its begin. */
#define FIXED_BYTES (255 * 256 + 32 * 2 * KIB + 8 * 16 * KIB + 12 * 64 * KIB)

static void a_pool_without_memory_says_what_it_wants(void)
{
	struct pool_fixture fixture = pool_fixture_set_up(0);
	struct weft_buf *buf = NULL;

	CU_ASSERT_EQUAL(weft_pool_wants(fixture.pool), 0);
	CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, 100, &buf), -WEFT_EAGAIN);
	CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, 5 * MIB, &buf), -WEFT_EAGAIN);
	CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, 3000, &buf), -WEFT_EAGAIN);
	CU_ASSERT_PTR_NULL(buf);
	CU_ASSERT_EQUAL(weft_pool_wants(fixture.pool), 5 * MIB);
	CU_ASSERT_EQUAL(weft_pool_wants(fixture.pool), 0);
	CU_ASSERT_EQUAL(pool_fixture_stats(&fixture).misses, 3);
	pool_fixture_grow(&fixture, 5 * MIB);
	CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, 5 * MIB, &buf), 0);
	CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, ((size_t)1 << 30) + 1, &buf), -WEFT_EMSGSIZE);
	CU_ASSERT_EQUAL(weft_pool_wants(fixture.pool), 0);
	pool_fixture_tear_down(&fixture);
}

static void each_length_gets_the_class_that_fits(void)
{
	static const struct {
		size_t len_bytes, capacity_bytes;
	} rows[] = {
		{0, 256},
		{1, 256},
		{256, 256},
		{257, 2 * KIB},
		{2 * KIB, 2 * KIB},
		{2 * KIB + 1, 16 * KIB},
		{16 * KIB + 1, 64 * KIB},
		{64 * KIB, 64 * KIB},
		{64 * KIB + 1, MIB},
		{MIB, MIB},
		{MIB + 1, 2 * MIB},
		{7 * MIB, 7 * MIB},
	};
	struct pool_fixture fixture = pool_fixture_set_up(7 * MIB);

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
	pool_fixture_tear_down(&fixture);
}

static void the_last_holder_sends_it_home(void)
{
	struct pool_fixture fixture = pool_fixture_set_up(MIB);
	size_t all_bytes = pool_fixture_stats(&fixture).free_bytes;
	struct weft_buf *buf;

	CU_ASSERT_EQUAL(all_bytes, MIB + FIXED_BYTES);
	CU_ASSERT_EQUAL_FATAL(weft_pool_get(fixture.pool, 10, &buf), 0);
	weft_buf_ref(buf);
	weft_buf_ref(buf);
	CU_ASSERT_EQUAL(buf->refs, 3);
	weft_buf_put(buf);
	weft_buf_put(buf);
	CU_ASSERT_EQUAL(pool_fixture_stats(&fixture).out_count, 1);
	CU_ASSERT_EQUAL(pool_fixture_stats(&fixture).free_bytes, all_bytes - 256);
	weft_buf_put(buf);
	CU_ASSERT_EQUAL(pool_fixture_stats(&fixture).out_count, 0);
	CU_ASSERT_EQUAL(pool_fixture_stats(&fixture).free_bytes, all_bytes);
	CU_ASSERT_EQUAL(pool_fixture_stats(&fixture).gets, 1);
	CU_ASSERT_EQUAL(pool_fixture_stats(&fixture).puts, 1);
	pool_fixture_tear_down(&fixture);
}

static void below_the_low_water_mark_it_is_low(void)
{
	struct pool_fixture fixture = pool_fixture_set_up(7 * MIB);
	struct weft_buf *seven, *rest;
	unsigned int count;

	CU_ASSERT_FALSE(weft_pool_is_low(fixture.pool));
	CU_ASSERT_EQUAL_FATAL(weft_pool_get(fixture.pool, 7 * MIB, &seven), 0);
	rest = pool_fixture_get_all(&fixture, 64 * KIB, &count);
	CU_ASSERT_TRUE(weft_pool_is_low(fixture.pool));
	pool_fixture_put_all(rest);
	weft_buf_put(seven);
	CU_ASSERT_FALSE(weft_pool_is_low(fixture.pool));
	pool_fixture_tear_down(&fixture);
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
	struct pool_fixture fixture = pool_fixture_set_up(7 * MIB);
	size_t all_bytes = pool_fixture_stats(&fixture).free_bytes;
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
	CU_ASSERT_EQUAL(pool_fixture_stats(&fixture).free_bytes, all_bytes);
	CU_ASSERT_EQUAL(pool_fixture_stats(&fixture).remote_puts, 1000);
	pool_fixture_tear_down(&fixture);
}

static void a_full_ring_home_refuses(void)
{
	struct pool_fixture fixture = pool_fixture_set_up(MIB);
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
	pool_fixture_tear_down(&fixture);
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
	struct pool_fixture fixture = pool_fixture_set_up(1);
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
	pool_fixture_tear_down(&fixture);
}

static void getting_and_putting_never_ask_the_system_for_anything(void)
{
	static const size_t lens[] = {1, 2 * KIB, 16 * KIB, 64 * KIB, MIB, 3 * MIB};
	struct pool_fixture fixture = pool_fixture_set_up(7 * MIB);
	unsigned int count;

	fault_arm(0);
	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++)
		pool_fixture_put_all(pool_fixture_get_all(&fixture, lens[i], &count));
	CU_ASSERT_FALSE(fault_disarm());
	pool_fixture_tear_down(&fixture);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_pool_without_memory_says_what_it_wants),
		SUITE_CASE(each_length_gets_the_class_that_fits),
		SUITE_CASE(the_last_holder_sends_it_home),
		SUITE_CASE(below_the_low_water_mark_it_is_low),
		SUITE_CASE(what_other_threads_put_comes_home),
		SUITE_CASE(a_full_ring_home_refuses),
		SUITE_CASE(options_and_segments_out_of_range_are_refused),
		SUITE_CASE(each_step_of_a_pool_can_fail_without_a_trace),
		SUITE_CASE(getting_and_putting_never_ask_the_system_for_anything),
	};

	return suite_main("pool", cases, SUITE_COUNT(cases), argc, argv);
}

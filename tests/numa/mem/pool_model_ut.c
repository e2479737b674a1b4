/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that in random use of all sizes no two buffers overlap, the count of free memory is right at every step, and
 * everything joins again at the end. Prints its seed; give one in WEFT_TEST_SEED to repeat it.
 */
#include "pool_fixture.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/random.h>

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
	struct pool_fixture fixture = pool_fixture_set_up(15 * MIB);
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
	pool_fixture_grow(&fixture, 7 * MIB);
	all_bytes = pool_fixture_stats(&fixture).total_bytes;
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
		CU_ASSERT_EQUAL(pool_fixture_stats(&fixture).free_bytes, all_bytes - out_bytes);
	}
	for (unsigned int i = 0; i < SLOTS; i++)
		if (slots[i].buf)
			let_go(&slots[i]);
	CU_ASSERT_EQUAL(pool_fixture_stats(&fixture).free_bytes, all_bytes);
	CU_ASSERT_EQUAL(pool_fixture_stats(&fixture).out_count, 0);
	CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, 15 * MIB, &slots[0].buf), 0);
	CU_ASSERT_EQUAL(weft_pool_get(fixture.pool, 7 * MIB, &slots[1].buf), 0);
	pool_fixture_tear_down(&fixture);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(random_use_never_overlaps_or_loses_memory),
	};

	return suite_main("pool_model", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves what only datagrams may suffer: some are lost, some come twice, some are changed in one bit. Over a small driver
 * of datagrams that is a module, so that loading one and making faults over it are proven to go together.
 */
#include "conformance/side.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#define SENT 1000u
#define LEN 32u

static struct side near, far;
static struct side_end *const here = &near.ends[0], *const there = &far.ends[0];

static struct {
	unsigned int times[SENT];
	unsigned int flipped_bits, changed, backwards;
	uint64_t last;
} seen;

static void note(struct side_end *end, const struct weft_rx_frame *frame)
{
	unsigned int bits = 0;

	if (frame->meta >= SENT || frame->len_bytes != LEN) {
		end->wrong++;
		return;
	}
	for (unsigned int i = 0; i < LEN; i++)
		bits += (unsigned int)__builtin_popcount(((const unsigned char *)frame->data)[i] ^
							 side_byte(frame->meta, i));
	seen.times[frame->meta]++;
	seen.changed += bits != 0;
	seen.flipped_bits += bits;
	seen.backwards += frame->meta < seen.last;
	seen.last = frame->meta;
	end->got++;
}

static void carry(const char *far_faults)
{
	unsigned char bytes[LEN];

	memset(&seen, 0, sizeof seen);
	side_faults = NULL;
	side_open(&near, "near", 1, 0);
	side_faults = far_faults;
	side_open(&far, "far", 1, 0);
	side_faults = NULL;
	there->on_frame = here->on_frame = note;
	side_join(here, there);
	for (uint64_t i = 0; i < SENT; i++) {
		side_fill(bytes, LEN, i);
		CU_ASSERT_EQUAL(here->port->send(here->path, WEFT_CLASS_NORMAL, i, bytes, LEN, 0), 0);
		sides_turn();
	}
	for (unsigned int i = 0; i < 10; i++)
		sides_turn();
	CU_ASSERT_EQUAL(there->wrong, 0);
	CU_ASSERT_EQUAL(seen.backwards, 0);
	side_close(&near);
	side_close(&far);
}

static unsigned int count_that_came(unsigned int times)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < SENT; i++)
		count += seen.times[i] == times;
	return count;
}

static void without_faults_all_come_once(void)
{
	carry(NULL);
	CU_ASSERT_EQUAL(count_that_came(1), SENT);
	CU_ASSERT_EQUAL(seen.changed, 0);
}

static void some_are_lost_and_the_others_come_once(void)
{
	carry("seed=1,drop=0.1");
	CU_ASSERT_TRUE(count_that_came(0) > 50 && count_that_came(0) < 150);
	CU_ASSERT_EQUAL(count_that_came(0) + count_that_came(1), SENT);
	CU_ASSERT_EQUAL(seen.changed, 0);
}

static void some_come_twice_and_none_is_lost(void)
{
	carry("seed=2,duplicate=0.1");
	CU_ASSERT_TRUE(count_that_came(2) > 50 && count_that_came(2) < 150);
	CU_ASSERT_EQUAL(count_that_came(1) + count_that_came(2), SENT);
	CU_ASSERT_EQUAL(seen.changed, 0);
}

static void some_are_changed_in_one_bit(void)
{
	carry("seed=3,corrupt=0.1");
	CU_ASSERT_EQUAL(count_that_came(1), SENT);
	CU_ASSERT_TRUE(seen.changed > 50 && seen.changed < 150);
	CU_ASSERT_EQUAL(seen.flipped_bits, seen.changed);
}

static void all_of_it_at_once_is_the_same_with_the_same_seed(void)
{
	unsigned int times[SENT];

	carry("seed=4,drop=0.1,duplicate=0.1,corrupt=0.1");
	memcpy(times, seen.times, sizeof times);
	carry("seed=4,drop=0.1,duplicate=0.1,corrupt=0.1");
	CU_ASSERT_EQUAL(memcmp(times, seen.times, sizeof times), 0);
	CU_ASSERT_TRUE(count_that_came(0) > 0 && count_that_came(1) > 0 && count_that_came(2) > 0);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(without_faults_all_come_once),
		SUITE_CASE(some_are_lost_and_the_others_come_once),
		SUITE_CASE(some_come_twice_and_none_is_lost),
		SUITE_CASE(some_are_changed_in_one_bit),
		SUITE_CASE(all_of_it_at_once_is_the_same_with_the_same_seed),
	};

	setenv("WEFT_MODULE_PATH", WEFT_TEST_MODULES, 1);
	side_driver = weft_driver_find("fault+testdrv");
	if (!side_driver)
		return weft_fail(NULL);
	return suite_main("datagram faults", cases, SUITE_COUNT(cases), argc, argv);
}

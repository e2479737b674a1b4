/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Knocks that come again, and many at once: each that was good makes one path, however often it is repeated, and whoever knocks a
 * lot does not keep out others.
 */
#include "stranger.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define KNOCKS 4200u /* more than are remembered */

static void on_frame(struct side_end *end, const struct weft_rx_frame *frame)
{
	(void)frame;
	end->got++;
}

static struct stranger *meet(uint64_t seed)
{
	world_open(seed, 0);
	world.far.ends[0].on_frame = on_frame;
	return stranger_open("stranger");
}

static void a_knock_that_is_replayed_makes_no_second_path_while_its_cookie_is_good(void)
{
	struct stranger *stranger = meet(1);
	unsigned char cookie[WEFT__COOKIE_BYTES];

	CU_ASSERT_PTR_NOT_NULL_FATAL(stranger_join(stranger));
	CU_ASSERT_EQUAL_FATAL(world.far.ends[0].ups, 1);
	memcpy(cookie, stranger->cookie, sizeof cookie);
	for (unsigned int i = 0; i < 120; i++) {
		memcpy(stranger->cookie, cookie, sizeof cookie);
		stranger_knock(stranger, 1, true);
		world_pass(100 * MS);
	}
	CU_ASSERT_EQUAL(world.far.ends[0].ups, 1);
	CU_ASSERT_TRUE(stranger->accepts > 30); /* and it got its answer as long */
	world_close();
}

static void many_knocks_of_one_machine_do_not_keep_others_out(void)
{
	struct stranger *stranger = meet(2), *other = stranger_open("other");
	uint64_t start_ns = world_now_ns();

	for (uint32_t name = 1; name <= KNOCKS; name++) {
		unsigned int cookies = stranger->cookies;

		stranger_knock(stranger, name, false);
		CU_ASSERT_TRUE_FATAL(WORLD_WITHIN(100 * MS, stranger->cookies > cookies));
		stranger_knock(stranger, name, true);
	}
	world_pass(MS);
	CU_ASSERT_TRUE_FATAL(world_now_ns() - start_ns < WEFT__COOKIE_LIFE_NS);
	CU_ASSERT_TRUE(world.far.ends[0].ups > 1000);
	CU_ASSERT_PTR_NOT_NULL(stranger_join(other));
	world_close();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_knock_that_is_replayed_makes_no_second_path_while_its_cookie_is_good),
		SUITE_CASE(many_knocks_of_one_machine_do_not_keep_others_out),
	};

	return suite_main("path accepted", cases, SUITE_COUNT(cases), argc, argv);
}

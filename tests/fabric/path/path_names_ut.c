/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of paths cannot be guessed: each bit that is drawn changes about every second time from one path to the next, and the
 * slots are not taken in a row.
 */
#include "stranger.h"
#include "suite.h"

#include <CUnit/Basic.h>

#define PATHS 200u
#define DRAWN_BITS 48u

static void from_one_path_to_the_next_nothing_stays_or_counts(void)
{
	unsigned int changes[64] = {0}, in_a_row = 0;
	struct stranger *stranger;
	uint64_t before = 0;

	world_open(1, 0);
	stranger = stranger_open("stranger");
	for (unsigned int i = 0; i < PATHS; i++) {
		struct stranger_path *path = stranger_join(stranger);

		CU_ASSERT_PTR_NOT_NULL_FATAL(path);
		for (unsigned int bit = 0; bit < 64; bit++)
			changes[bit] += (path->id ^ before) >> bit & 1;
		in_a_row += (path->id - before) % WEFT__PORT_SLOTS == 1;
		before = path->id;
	}
	/* Of 200 even chances fewer than 40 or more than 160 come less than once in 10^14 runs. */
	for (unsigned int bit = 64 - DRAWN_BITS; bit < 64; bit++)
		CU_ASSERT_TRUE(changes[bit] > 40 && changes[bit] < 160);
	CU_ASSERT_TRUE(in_a_row < PATHS / 10);
	world_close();
}

static void a_packet_with_half_of_the_name_is_dropped(void)
{
	static const unsigned char ping[WEFT__FRAME_HEAD] = {WEFT__FRAME_PING};
	struct stranger *stranger;
	struct stranger_path *path;
	struct weft__path_stats before, after;

	world_open(2, 0);
	stranger = stranger_open("stranger");
	path = stranger_join(stranger);
	CU_ASSERT_PTR_NOT_NULL_FATAL(path);
	weft__path_describe(world.far.ends[0].port, &before);
	for (unsigned int bit = 0; bit < 64; bit++) {
		path->id ^= UINT64_C(1) << bit;
		stranger_say(stranger, path, ping, sizeof ping);
		path->id ^= UINT64_C(1) << bit;
	}
	world_pass(1000000);
	weft__path_describe(world.far.ends[0].port, &after);
	CU_ASSERT_EQUAL(after.bad_packets - before.bad_packets, 64);
	world_close();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(from_one_path_to_the_next_nothing_stays_or_counts),
		SUITE_CASE(a_packet_with_half_of_the_name_is_dropped),
	};

	return suite_main("path names", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who gets grants for large messages when some ask for them and do not use them: a stranger lets four stall, and another
 * peer's longer message comes all the same.
 */
#include "stranger.h"
#include "suite.h"

#include <CUnit/Basic.h>

#define LONG_BYTES (UINT64_C(4) << 20)
#define STALLED_BYTES (UINT64_C(1536) << 10) /* shorter, and longer than what is granted at once */
#define PIECE_BYTES 1280u
#define MS UINT64_C(1000000)

static void on_frame(struct side_end *end, const struct weft_rx_frame *frame)
{
	end->got++;
	end->wrong += !frame->loan_data || !side_holds(frame->loan_data, frame->loan_len_bytes, LONG_BYTES);
	frame->path->port->release(frame->path, frame->loan_id);
}

static void send_long(void)
{
	struct side_end *end = &world.near.ends[0];
	struct weft_tx_frame frame = {.loan_len_bytes = LONG_BYTES};

	side_grow(end, LONG_BYTES);
	CU_ASSERT_EQUAL_FATAL(weft_pool_get(end->pool, LONG_BYTES, &frame.loan), 0);
	side_fill(frame.loan->data, LONG_BYTES, LONG_BYTES);
	CU_ASSERT_EQUAL_FATAL(end->port->tx(end->path, WEFT_CLASS_NORMAL, &frame, 1, 0, NULL), 1);
	weft_buf_put(frame.loan);
}

/* Says the head of a large message until it is granted: first there may be no memory for it. */
static void begin(struct stranger *stranger, struct stranger_path *path, uint8_t stream, uint64_t total_bytes)
{
	path->granted_bytes = 0;
	for (unsigned int i = 0; i < 5 && !path->granted_bytes; i++) {
		stranger_say_large(stranger, path, stream, 0, total_bytes, 0, 0);
		(void)WORLD_WITHIN(10 * MS, path->granted_bytes);
	}
	CU_ASSERT_TRUE_FATAL(path->granted_bytes > 0);
}

/* A stranger with so many large messages that were granted, each on a stream of its own. */
static struct stranger_path *stall(struct stranger **stranger, uint8_t count)
{
	struct stranger_path *path;

	*stranger = stranger_open("stranger");
	path = stranger_join(*stranger);
	CU_ASSERT_PTR_NOT_NULL_FATAL(path);
	for (uint8_t stream = 0; stream < count; stream++)
		begin(*stranger, path, stream, STALLED_BYTES);
	return path;
}

static void meet(uint64_t seed)
{
	world_open(seed, 0);
	world.near.ends[0].on_frame = world.far.ends[0].on_frame = on_frame;
	CU_ASSERT_EQUAL_FATAL(side_connect(&world.near.ends[0], world.far.name, 0, &world), 0);
	CU_ASSERT_TRUE_FATAL(WORLD_WITHIN(100 * MS, world.near.ends[0].path && world.far.ends[0].path));
}

static void four_stalled_messages_hold_up_no_others(void)
{
	struct stranger *stranger;

	meet(1);
	stall(&stranger, 4);
	send_long();
	CU_ASSERT_TRUE(WORLD_WITHIN(500 * MS, world.far.ends[0].got == 1));
	CU_ASSERT_EQUAL(world.far.ends[0].wrong, 0);
	world_close();
}

static void one_that_stalled_and_goes_on_is_served_again(void)
{
	struct stranger *stranger;
	struct stranger_path *path;

	meet(2);
	path = stall(&stranger, 1);
	begin(stranger, path, 9, LONG_BYTES);
	world_pass(300 * MS);
	for (uint64_t at = 0; at < 2 * WEFT__WINDOW_BYTES; at += PIECE_BYTES) {
		CU_ASSERT_TRUE_FATAL(WORLD_WITHIN(100 * MS, path->granted_bytes >= at + PIECE_BYTES));
		stranger_say_large(stranger, path, 9, 0, LONG_BYTES, at, PIECE_BYTES);
	}
	CU_ASSERT_FALSE(path->closed);
	world_close();
}

/* They bring a grain each now and then, so that none of them is stalled. */
static void one_path_has_two_of_the_places_while_others_wait(void)
{
	struct stranger *stranger;
	struct stranger_path *path;

	meet(3);
	path = stall(&stranger, 4);
	for (uint64_t at = 0; at < WEFT__GRAIN_BYTES * 200 && !world.far.ends[0].got; at += WEFT__GRAIN_BYTES) {
		if (at == WEFT__GRAIN_BYTES)
			send_long();
		for (uint8_t stream = 0; stream < 4; stream++)
			stranger_say_large(stranger, path, stream, 0, STALLED_BYTES, at, WEFT__GRAIN_BYTES);
		world_pass(100000);
	}
	CU_ASSERT_EQUAL(world.far.ends[0].got, 1);
	CU_ASSERT_FALSE(path->closed);
	world_close();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(four_stalled_messages_hold_up_no_others),
		SUITE_CASE(one_that_stalled_and_goes_on_is_served_again),
		SUITE_CASE(one_path_has_two_of_the_places_while_others_wait),
	};

	return suite_main("path grants", cases, SUITE_COUNT(cases), argc, argv);
}

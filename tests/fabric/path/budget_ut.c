/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What marks of congestion do to the budget of grants: a crowd of strangers sends large messages as they are granted, and one
 * of them, or all, mark their packets as if they had met congestion.
 */
#include "stranger.h"
#include "suite.h"

#include <CUnit/Basic.h>

#define CROWD 8u
#define LONG_BYTES (UINT64_C(4) << 20)
#define PIECE_BYTES 1280u
#define MANY_BYTES 100000u /* granted at a time, where marks have not made it less; round trips may have */
#define FEW_BYTES 65536u
#define MS UINT64_C(1000000)

/* Large messages of one stranger, one after the other. */
struct flow {
	struct stranger *stranger;
	struct stranger_path *path;
	uint32_t sequence;
	uint64_t sent_bytes;                             /* of this one */
	uint64_t all_bytes, open_bytes, most_open_bytes; /* sent; granted and not sent, at most */
};

static struct flow flows[CROWD];

static void on_frame(struct side_end *end, const struct weft_rx_frame *frame)
{
	end->got++;
	frame->path->port->release(frame->path, frame->loan_id);
}

/* What he was granted; or that he has more to say, if he was granted nothing yet. */
static void feed(struct flow *flow)
{
	struct stranger_path *path = flow->path;

	if (flow->sent_bytes == LONG_BYTES) {
		path->granted_bytes = flow->sent_bytes = 0;
		flow->sequence++;
	}
	if (!path->granted_bytes)
		stranger_say_large(flow->stranger, path, 0, flow->sequence, LONG_BYTES, 0, 0);
	flow->open_bytes = path->granted_bytes - flow->sent_bytes;
	if (flow->open_bytes > flow->most_open_bytes)
		flow->most_open_bytes = flow->open_bytes;
	while (flow->sent_bytes < path->granted_bytes) {
		uint64_t left_bytes = path->granted_bytes - flow->sent_bytes;
		uint32_t len_bytes = left_bytes < PIECE_BYTES ? (uint32_t)left_bytes : PIECE_BYTES;

		stranger_say_large(flow->stranger, path, 0, flow->sequence, LONG_BYTES, flow->sent_bytes, len_bytes);
		flow->sent_bytes += len_bytes;
		flow->all_bytes += len_bytes;
	}
}

static void feed_all_for(uint64_t span_ns)
{
	uint64_t until_ns = world_now_ns() + span_ns;

	for (unsigned int i = 0; i < CROWD; i++)
		flows[i].most_open_bytes = flows[i].all_bytes = 0;
	while (world_now_ns() < until_ns) {
		for (unsigned int i = 0; i < CROWD; i++)
			feed(&flows[i]);
		world_pass(MS / 20);
	}
}

static void gather(uint64_t seed)
{
	char name[16];

	world_open(seed, 0);
	world.far.ends[0].on_frame = on_frame;
	side_grow(&world.far.ends[0], 64 << 20);
	for (unsigned int i = 0; i < CROWD; i++) {
		snprintf(name, sizeof name, "stranger-%u", i);
		flows[i] = (struct flow){.stranger = stranger_open(name)};
		flows[i].path = stranger_join(flows[i].stranger);
		CU_ASSERT_PTR_NOT_NULL_FATAL(flows[i].path);
	}
}

static void who_marks_his_own_packets_makes_nobody_wait(void)
{
	gather(1);
	flows[0].stranger->marks = true;
	feed_all_for(30 * MS);
	feed_all_for(20 * MS);
	for (unsigned int i = 1; i < CROWD; i++) {
		CU_ASSERT_TRUE(flows[i].most_open_bytes > MANY_BYTES);
		CU_ASSERT_TRUE(flows[i].all_bytes > 2 * LONG_BYTES);
		CU_ASSERT_FALSE(flows[i].path->closed);
	}
	world_close();
}

static void what_all_find_marked_is_granted_less_to_all(void)
{
	gather(2);
	for (unsigned int i = 0; i < CROWD; i++)
		flows[i].stranger->marks = true;
	feed_all_for(30 * MS);
	feed_all_for(20 * MS);
	for (unsigned int i = 0; i < CROWD; i++)
		CU_ASSERT_TRUE(flows[i].most_open_bytes < FEW_BYTES);
	world_close();
}

/* He has sent alone for long. */
static void who_comes_after_one_that_marks_his_packets_has_as_much_as_any(void)
{
	uint64_t until_ns;

	gather(3);
	flows[0].stranger->marks = true;
	for (until_ns = world_now_ns() + 30 * MS; world_now_ns() < until_ns; world_pass(MS / 20))
		feed(&flows[0]);
	CU_ASSERT_TRUE(flows[0].all_bytes > 2 * LONG_BYTES);
	CU_ASSERT_TRUE(weft__port_of(world.far.ends[0].port)->budget_bytes > LONG_BYTES);
	feed_all_for(20 * MS);
	for (unsigned int i = 1; i < CROWD; i++)
		CU_ASSERT_TRUE(flows[i].most_open_bytes > MANY_BYTES);
	world_close();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(who_marks_his_own_packets_makes_nobody_wait),
		SUITE_CASE(what_all_find_marked_is_granted_less_to_all),
		SUITE_CASE(who_comes_after_one_that_marks_his_packets_has_as_much_as_any),
	};

	return suite_main("path budget", cases, SUITE_COUNT(cases), argc, argv);
}

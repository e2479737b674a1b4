/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One machine with many paths has one share of a port: whatever a stranger takes, there is room for others.
 */
#include "stranger.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdatomic.h>

#define MS UINT64_C(1000000)
#define ABOVE_FIRST_BYTES (UINT64_C(80) << 10) /* of a large message: more than goes without a grant */
#define HOG_PATHS 16u
#define QUOTA_BYTES (UINT64_C(512) << 10)

static void on_frame(struct side_end *end, const struct weft_rx_frame *frame)
{
	end->got++;
	if (frame->loan_data)
		frame->path->port->release(frame->path, frame->loan_id);
}

static void meet(uint64_t seed, uint64_t loan_quota_bytes)
{
	world_open(seed, loan_quota_bytes);
	world.near.ends[0].on_frame = world.far.ends[0].on_frame = on_frame;
	CU_ASSERT_EQUAL_FATAL(side_connect(&world.near.ends[0], world.far.name, 0, &world), 0);
	CU_ASSERT_TRUE_FATAL(WORLD_WITHIN(100 * MS, world.near.ends[0].path && world.far.ends[0].path));
}

static const struct weft__path_port *far_port(void)
{
	return weft__port_of(world.far.ends[0].port);
}

static void send_large(void)
{
	struct side_end *end = &world.near.ends[0];
	struct weft_tx_frame frame = {.loan_len_bytes = ABOVE_FIRST_BYTES};

	CU_ASSERT_EQUAL_FATAL(weft_pool_get(end->pool, ABOVE_FIRST_BYTES, &frame.loan), 0);
	CU_ASSERT_EQUAL_FATAL(end->port->tx(end->path, WEFT_CLASS_NORMAL, &frame, 1, 0, NULL), 1);
	weft_buf_put(frame.loan);
}

static void many_paths_of_one_machine_leave_large_messages_of_others_a_place(void)
{
	struct stranger *stranger;

	meet(1, 0);
	side_grow(&world.far.ends[0], 64 << 20);
	stranger = stranger_open("stranger");
	for (unsigned int i = 0; i < HOG_PATHS; i++) {
		struct stranger_path *path = stranger_join(stranger);

		CU_ASSERT_PTR_NOT_NULL_FATAL(path);
		for (uint32_t number = 0; number < 32; number++)
			stranger_say_large(stranger, path, 0, number, ABOVE_FIRST_BYTES, 0, 0);
		world_pass(MS);
	}
	CU_ASSERT_TRUE(far_port()->used[WEFT__TABLE_WINDOWS] >= WEFT__PORT_WINDOWS / 2 - 1);
	send_large();
	CU_ASSERT_TRUE(WORLD_WITHIN(500 * MS, world.far.ends[0].got == 1));
	world_close();
}

/* Many in a packet, all of them one ahead of their turn. */
static void say_early(struct stranger *stranger, struct stranger_path *path, uint32_t first)
{
	_Alignas(8) unsigned char frames[80 * WEFT__MESSAGE_HEAD] = {0};

	for (uint32_t i = 0; i < 80; i++)
		weft__message_write(frames + i * WEFT__MESSAGE_HEAD, WEFT_CLASS_NORMAL, 0, first + i, 0, 0);
	stranger_say(stranger, path, frames, sizeof frames);
}

static void many_paths_of_one_machine_hold_no_more_than_half_of_what_comes_early(void)
{
	struct stranger *stranger;

	meet(2, 0);
	side_grow(&world.far.ends[0], 64 << 20);
	stranger = stranger_open("stranger");
	for (unsigned int i = 0; i < 5; i++) {
		struct stranger_path *path = stranger_join(stranger);

		CU_ASSERT_PTR_NOT_NULL_FATAL(path);
		for (uint32_t first = 1; first < WEFT__PATH_HELD; first += 80) {
			say_early(stranger, path, first);
			if (first % 1600 == 1)
				world_pass(MS / 10);
		}
		world_pass(MS);
	}
	CU_ASSERT_TRUE(far_port()->used[WEFT__TABLE_HELD] >= WEFT__PORT_HELD / 2 - 100);
	CU_ASSERT_TRUE(far_port()->used[WEFT__TABLE_HELD] <= WEFT__PORT_HELD / 2);
	world_close();
}

static const struct weft__source *source_of(const struct stranger *stranger)
{
	struct weft_net_address address;

	weft_sim_driver(world.net.sim)->address(stranger->net, &address);
	return weft__source_of(weft__port_of(world.far.ends[0].port), &address);
}

/* Each packet has one message, which is early, and a long one that came before. */
static void packets_with_something_held_count_as_a_whole_for_the_quota(void)
{
	_Alignas(8) unsigned char frames[2 * WEFT__MESSAGE_HEAD + 1024] = {0};
	struct stranger *stranger;

	meet(4, QUOTA_BYTES);
	stranger = stranger_open("stranger");
	for (unsigned int i = 0; i < 4; i++) {
		struct stranger_path *path = stranger_join(stranger);

		CU_ASSERT_PTR_NOT_NULL_FATAL(path);
		weft__message_write(frames, WEFT_CLASS_NORMAL, 0, UINT32_MAX, 0, 1024);
		for (uint32_t number = 1; number < 1000; number++) {
			weft__message_write(frames + WEFT__MESSAGE_HEAD + 1024, WEFT_CLASS_NORMAL, 0, number, 0, 0);
			stranger_say(stranger, path, frames, sizeof frames);
			if (number % 30 == 0)
				world_pass(MS / 10);
		}
	}
	world_pass(MS);
	CU_ASSERT_TRUE(source_of(stranger)->bytes > QUOTA_BYTES);
	CU_ASSERT_TRUE(source_of(stranger)->bytes <= 2 * QUOTA_BYTES);
	CU_ASSERT_TRUE(weft_pool_out_count(world.far.ends[0].pool) <= 2 * QUOTA_BYTES / 1024 + 64);
	/* It is given back with the paths. */
	while (world.far.ends[0].ups > 1 + world.far.ends[0].downs) {
		stranger->silent = true;
		world_pass(1000 * MS);
	}
	CU_ASSERT_EQUAL(source_of(stranger)->bytes, 0);
	world_close();
}

static void many_paths_of_one_machine_have_one_message_beyond_the_quota(void)
{
	struct stranger *stranger;

	meet(5, QUOTA_BYTES);
	side_grow(&world.far.ends[0], 64 << 20);
	stranger = stranger_open("stranger");
	for (unsigned int i = 0; i < 8; i++) {
		struct stranger_path *path = stranger_join(stranger);

		CU_ASSERT_PTR_NOT_NULL_FATAL(path);
		stranger_say_large(stranger, path, 0, 0, 3 * QUOTA_BYTES, 0, 0);
		world_pass(MS);
	}
	CU_ASSERT_EQUAL(source_of(stranger)->bytes, 3 * QUOTA_BYTES);
	world_close();
}

/* A short one that comes after it is there already, and waits for it. */
static void what_is_beyond_the_quota_is_taken_when_its_turn_has_come(void)
{
	struct stranger *stranger;
	struct stranger_path *path;

	meet(6, QUOTA_BYTES);
	side_grow(&world.far.ends[0], 64 << 20);
	stranger = stranger_open("stranger");
	path = stranger_join(stranger);
	CU_ASSERT_PTR_NOT_NULL_FATAL(path);
	stranger_say_large(stranger, path, 0, 1, 64, 0, 64);
	world_pass(MS);
	stranger_say_large(stranger, path, 0, 0, 2 * QUOTA_BYTES, 0, 0);
	CU_ASSERT_TRUE(WORLD_WITHIN(10 * MS, path->granted_bytes > 0));
	CU_ASSERT_FALSE(path->closed);
	world_close();
}

static void one_machine_has_half_of_the_slots_and_the_others_are_let_in(void)
{
	struct stranger *stranger, *other;
	struct weft__source *source;

	meet(3, 0);
	stranger = stranger_open("stranger");
	other = stranger_open("other");
	CU_ASSERT_PTR_NOT_NULL_FATAL(stranger_join(stranger));
	source = weft__source_of(weft__port_of(world.far.ends[0].port), &weft__path_of(world.far.ends[0].path)->to);
	CU_ASSERT_EQUAL(atomic_load_explicit(&source->paths, memory_order_relaxed), 1);
	/* As if it had so many. */
	atomic_fetch_add_explicit(&source->paths, WEFT__SOURCE_PATHS - 2, memory_order_relaxed);
	CU_ASSERT_PTR_NOT_NULL(stranger_join(stranger));
	CU_ASSERT_PTR_NULL(stranger_join(stranger));
	CU_ASSERT_EQUAL(stranger->refusals, 1);
	CU_ASSERT_EQUAL(stranger->refused_with, WEFT_EAGAIN);
	CU_ASSERT_PTR_NOT_NULL(stranger_join(other));
	world_close();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(many_paths_of_one_machine_leave_large_messages_of_others_a_place),
		SUITE_CASE(many_paths_of_one_machine_hold_no_more_than_half_of_what_comes_early),
		SUITE_CASE(packets_with_something_held_count_as_a_whole_for_the_quota),
		SUITE_CASE(many_paths_of_one_machine_have_one_message_beyond_the_quota),
		SUITE_CASE(what_is_beyond_the_quota_is_taken_when_its_turn_has_come),
		SUITE_CASE(one_machine_has_half_of_the_slots_and_the_others_are_let_in),
	};

	return suite_main("path shares", cases, SUITE_COUNT(cases), argc, argv);
}

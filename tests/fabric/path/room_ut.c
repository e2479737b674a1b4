/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large messages that find no room: a reader keeps what it is lent, so that the quota of its path is used up. What comes then
 * waits at its sender, but for first bytes; nothing is sent in vain, and all of it comes when the reader goes on.
 */
#include "path/path.h"
#include "stranger.h"
#include "suite.h"

#include <CUnit/Basic.h>

#define MS UINT64_C(1000000)
#define QUOTA_BYTES (UINT64_C(512) << 10)
#define STREAMS 4u
#define MESSAGES 40u
#define KEPT_MAX 64u

static struct {
	struct weft_rx_frame kept[KEPT_MAX];
	unsigned int count, released;
	uint64_t got[STREAMS], wrong;
	bool reads;
} reader;

static void let_go(void)
{
	const struct weft_rx_frame *frame = &reader.kept[reader.released++];

	reader.wrong += !side_holds(frame->loan_data, frame->loan_len_bytes, frame->meta);
	frame->path->port->release(frame->path, frame->loan_id);
}

static void on_frame(struct side_end *end, const struct weft_rx_frame *frame)
{
	end->got++;
	reader.wrong += !frame->loan_data || frame->meta >> 8 != reader.got[frame->meta % STREAMS]++ ||
			reader.count == KEPT_MAX;
	if (reader.count < KEPT_MAX)
		reader.kept[reader.count++] = *frame;
	if (reader.reads)
		let_go();
}

static void meet(uint64_t seed)
{
	memset(&reader, 0, sizeof reader);
	world_open(seed, QUOTA_BYTES);
	world.far.ends[0].on_frame = on_frame;
	side_grow(&world.near.ends[0], 64 << 20);
	side_grow(&world.far.ends[0], 64 << 20);
	CU_ASSERT_EQUAL_FATAL(side_connect(&world.near.ends[0], world.far.name, 0, &world), 0);
	CU_ASSERT_TRUE_FATAL(WORLD_WITHIN(100 * MS, world.near.ends[0].path && world.far.ends[0].path));
}

/* The n-th on the streams in turn. */
static void send(uint64_t number, uint64_t len_bytes)
{
	struct side_end *end = &world.near.ends[0];
	struct weft_tx_frame frame = {.meta = number % STREAMS | number / STREAMS << 8, .loan_len_bytes = len_bytes};

	CU_ASSERT_EQUAL_FATAL(weft_pool_get(end->pool, len_bytes, &frame.loan), 0);
	side_fill(frame.loan->data, len_bytes, frame.meta);
	CU_ASSERT_EQUAL_FATAL(end->port->tx(end->path, WEFT_CLASS_NORMAL, &frame, 1, 0, NULL), 1);
	weft_buf_put(frame.loan);
}

static const struct weft__path *far_path(void)
{
	return weft__path_of(world.far.ends[0].path);
}

static struct weft__path_stats stats_of(const struct side *side)
{
	struct weft__path_stats stats;

	weft__path_describe(side->ends[0].port, &stats);
	return stats;
}

static void all_is_read(unsigned int count)
{
	reader.reads = true;
	while (reader.released < reader.count)
		let_go();
	CU_ASSERT_TRUE(WORLD_WITHIN(1000 * MS, world.far.ends[0].got == count));
	CU_ASSERT_EQUAL(reader.wrong, 0);
	CU_ASSERT_EQUAL(far_path()->incoming_bytes, 0);
	CU_ASSERT_EQUAL(far_path()->early_bytes, 0);
}

static void what_a_stalled_reader_has_no_room_for_waits_at_its_sender(void)
{
	uint64_t packets;

	meet(1);
	for (uint64_t i = 0; i < MESSAGES; i++)
		send(i, 100000);
	world_pass(100 * MS);
	packets = stats_of(&world.near).tx_packets;
	world_pass(2000 * MS);
	CU_ASSERT_TRUE(reader.count >= QUOTA_BYTES / 100000);
	CU_ASSERT_TRUE(far_path()->incoming_bytes <= QUOTA_BYTES + 100000 + WEFT__UNSCHEDULED_BYTES);
	CU_ASSERT_TRUE(weft_pool_out_count(world.far.ends[0].pool) < 16);
	CU_ASSERT_EQUAL(stats_of(&world.far).refused, 0);
	CU_ASSERT_EQUAL(stats_of(&world.near).resent, 0);
	CU_ASSERT_TRUE(stats_of(&world.near).tx_packets <= packets + 20); /* that they are there */
	/* One goes, and one comes; but for the first, since one was beyond the quota. */
	let_go();
	for (unsigned int i = 0; i < 10; i++) {
		unsigned int count = reader.count;

		let_go();
		CU_ASSERT_TRUE(WORLD_WITHIN(20 * MS, reader.count > count));
	}
	all_is_read(MESSAGES);
	CU_ASSERT_EQUAL(stats_of(&world.far).refused, 0);
	world_close();
}

static void short_ones_are_announced_first_when_there_is_little_room(void)
{
	meet(2);
	for (unsigned int i = 0; i < MESSAGES; i++) {
		send(i, 20000);
		world_pass(MS);
	}
	world_pass(500 * MS);
	CU_ASSERT_TRUE(far_path()->incoming_bytes <= QUOTA_BYTES + WEFT__UNSCHEDULED_BYTES);
	CU_ASSERT_EQUAL(far_path()->allowed_bytes, 0);
	CU_ASSERT_EQUAL(stats_of(&world.far).refused, 0);
	all_is_read(MESSAGES);
	/* And the next knows that there is room again. */
	for (unsigned int i = 0; i < 2 * STREAMS; i++) {
		send(MESSAGES + i, 20000);
		CU_ASSERT_TRUE(WORLD_WITHIN(100 * MS, world.far.ends[0].got == MESSAGES + i + 1));
	}
	CU_ASSERT_TRUE(far_path()->allowed_bytes > 0);
	world_close();
}

static void one_beyond_the_quota_waits_for_those_before_it(void)
{
	meet(3);
	for (uint64_t i = 0; i < STREAMS; i++)
		send(i, 400000);
	send(STREAMS, 2 * QUOTA_BYTES);
	world_pass(500 * MS);
	CU_ASSERT_TRUE(far_path()->incoming_bytes <= 800000 + WEFT__UNSCHEDULED_BYTES);
	CU_ASSERT_EQUAL(stats_of(&world.far).refused, 0);
	all_is_read(STREAMS + 1);
	world_close();
}

/* He sends the first bytes of all at once, whatever he was told. */
static void who_sends_more_first_bytes_than_he_may_is_not_heard(void)
{
	struct stranger *stranger;
	struct stranger_path *path;

	meet(4);
	stranger = stranger_open("stranger");
	path = stranger_join(stranger);
	CU_ASSERT_PTR_NOT_NULL_FATAL(path);
	for (uint64_t at = 0; at < WEFT__UNSCHEDULED_BYTES; at += 1280) {
		for (uint8_t stream = 0; stream < 30; stream++) {
			uint64_t left_bytes = WEFT__UNSCHEDULED_BYTES - at;

			stranger_say_large(stranger, path, stream, 1, 100000, at,
					   left_bytes < 1280 ? (uint32_t)left_bytes : 1280);
		}
		world_pass(MS);
	}
	CU_ASSERT_TRUE(stats_of(&world.far).refused > 0);
	CU_ASSERT_TRUE(far_path()->incoming_bytes <= QUOTA_BYTES + 100000 + WEFT__UNSCHEDULED_BYTES);
	CU_ASSERT_TRUE(far_path()->early_bytes <= WEFT__UNSCHEDULED_BYTES);
	CU_ASSERT_FALSE(path->closed);
	world_close();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(what_a_stalled_reader_has_no_room_for_waits_at_its_sender),
		SUITE_CASE(short_ones_are_announced_first_when_there_is_little_room),
		SUITE_CASE(one_beyond_the_quota_waits_for_those_before_it),
		SUITE_CASE(who_sends_more_first_bytes_than_he_may_is_not_heard),
	};

	return suite_main("path room", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a peer which takes what it is given and gives nothing back (asks and does not read, sends what nobody
 * receives) takes no more than its share of a worker's tables, and harms no other peer.
 */
#include "stranger.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#define LANES 8
#define WINDOW 1024
#define MANY 16

static struct stranger stranger;
static struct weft_channel *channel;
static unsigned int asked, refused;
static struct stranger many[MANY];

static const char long_answer[16384] = "answer";
static size_t answer_len_bytes;

static void answer(struct weft_rx *rx, void *user)
{
	int rc;

	(void)user;
	if (!rx->is_request)
		return;
	rc = weft_reply(rx, long_answer, answer_len_bytes);
	asked++;
	CU_ASSERT_TRUE(rc == 0 || rc == -WEFT_EAGAIN);
	refused += rc < 0;
}

static void set_up(weft_rx_fn *handler)
{
	struct weft_node_opts node_opts;

	asked = refused = 0;
	answer_len_bytes = 6;
	weft_node_opts_init(&node_opts, sizeof node_opts);
	stranger_open(&stranger, &node_opts);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(stranger.node, "test", NULL, &channel), 0);
	if (handler)
		weft_channel_handle(channel, handler, NULL);
}

/* More peers of the same node, each with lanes. */
static void set_up_many(uint16_t lanes_each)
{
	for (unsigned int i = 0; i < MANY; i++) {
		char name[16];

		snprintf(name, sizeof name, "peer-%u", i);
		stranger_join(&many[i], &stranger, name);
		for (uint16_t lane = 0; lane < lanes_each; lane++)
			stranger_open_lane(&many[i], lane, "test");
	}
}

static void part_many(void)
{
	for (unsigned int i = 0; i < MANY; i++)
		stranger_part(&many[i]);
}

/* Turns the node only: the stranger reads nothing. */
static void node_turns(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		weft_worker_poll(stranger.worker);
}

/* Sends count frames on the lane from sequence number first on. */
static void pour(struct stranger *from, enum weft__kind kind, uint16_t lane, uint32_t first, uint32_t count)
{
	uint64_t id = 7;

	for (uint32_t i = 0; i < count; i++)
		while (!stranger_say(from, WEFT_CLASS_NORMAL, weft__meta(kind, 0, lane, first + i), &id, sizeof id))
			node_turns(1);
	node_turns(10);
}

/* ---- answers ---- */

static void who_asks_and_does_not_read_gets_half_of_the_operations(void)
{
	char buffers[64];
	unsigned int credits;

	set_up(answer);
	for (uint16_t i = 0; i < LANES; i++)
		stranger_open_lane(&stranger, i, "test");
	credits = stranger.heard[WEFT__CREDIT];
	for (uint16_t i = 0; i < LANES; i++)
		pour(&stranger, WEFT__REQUEST, i, 0, WINDOW);
	CU_ASSERT_EQUAL(asked, LANES * WINDOW);
	CU_ASSERT_TRUE(refused > LANES * WINDOW / 4);
	/* Whatever else the node does still finds room. */
	for (unsigned int i = 0; i < sizeof buffers; i++)
		CU_ASSERT_EQUAL(weft_recv_post(stranger.worker, channel, &buffers[i], 1, 1, UINT64_MAX, NULL, NULL,
					       NULL),
				0);
	/* It gets all that were taken, and only then credit for more. */
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__REPLY] == asked - refused));
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__CREDIT] >= credits + LANES));
	CU_ASSERT_EQUAL(stranger_node_stats(&stranger).violations, 0);
	stranger_close(&stranger);
}

/* Enough to be refused one, and one more whose answer is too long for the ring itself. */
static void ask_in_vain(struct stranger *from)
{
	unsigned int refused_before = refused, asked_before;

	for (uint16_t lane = 0; lane < LANES - 1 && refused == refused_before; lane++)
		pour(from, WEFT__REQUEST, lane, 0, WINDOW);
	CU_ASSERT_TRUE(refused > refused_before);
	refused_before = refused;
	asked_before = asked;
	answer_len_bytes = sizeof long_answer;
	pour(from, WEFT__REQUEST, LANES - 1, 0, 1);
	answer_len_bytes = 6;
	CU_ASSERT_EQUAL(asked, asked_before + 1);
	CU_ASSERT_EQUAL(refused, refused_before + 1);
}

static void whatever_answers_others_do_not_read_the_first_of_a_peer_is_taken(void)
{
	set_up(answer);
	set_up_many(LANES);
	for (unsigned int i = 0; i < MANY - 1; i++)
		ask_in_vain(&many[i]);
	refused = 0;
	answer_len_bytes = sizeof long_answer;
	pour(&many[MANY - 1], WEFT__REQUEST, 0, 0, 1);
	CU_ASSERT_EQUAL(refused, 0);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, many[MANY - 1].heard[WEFT__REPLY] == 1));
	CU_ASSERT_EQUAL(stranger_node_stats(&stranger).violations, 0);
	part_many();
	stranger_close(&stranger);
}

static unsigned int early[LANES]; /* credit for each lane that was sent while answers were not read */

static void note_order(struct side_end *end, const struct weft_rx_frame *frame)
{
	struct stranger *to = end->user;
	unsigned int kind = weft__meta_kind(frame->meta);

	/* Express frames are read first: what comes before the first answer was there before the answers were read. */
	if (kind == WEFT__CREDIT && !to->heard[WEFT__REPLY])
		early[weft__meta_lane(frame->meta) % LANES]++;
	to->heard[kind]++;
	to->last[kind] = frame->meta;
}

static void the_lane_of_unread_answers_gets_no_credit_and_others_do(void)
{
	set_up(answer);
	stranger_open_lane(&stranger, 0, "test");
	stranger_open_lane(&stranger, 1, "test");
	memset(early, 0, sizeof early);
	memset(stranger.heard, 0, sizeof stranger.heard);
	stranger.last[WEFT__CREDIT] = UINT64_MAX;
	stranger.end->on_frame = note_order;
	pour(&stranger, WEFT__REQUEST, 0, 0, WINDOW);
	pour(&stranger, WEFT__DATA, 1, 0, WINDOW);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__REPLY] == WINDOW));
	CU_ASSERT_EQUAL(early[0], 0);
	CU_ASSERT_TRUE(early[1] > 0);
	CU_ASSERT_EQUAL(refused, 0);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, weft__meta_lane(stranger.last[WEFT__CREDIT]) == 0));
	stranger_close(&stranger);
}

/* ---- messages that nobody receives ---- */

static unsigned int received;

static void count_received(struct weft_op *op, int status, const struct weft_received *what, void *user)
{
	(void)op, (void)what, (void)user;
	received += status == 0;
}

static void receive(uint64_t tag)
{
	static char buffer[64];

	CU_ASSERT_EQUAL(weft_recv_post(stranger.worker, channel, buffer, sizeof buffer, tag, UINT64_MAX, count_received,
				       NULL, NULL),
			0);
}

/* Message number sequence on lane 0, with a tag. */
static void say(struct stranger *from, uint32_t sequence, uint64_t tag)
{
	uint64_t header[2] = {tag, 0};

	CU_ASSERT_TRUE(STRANGER_UNTIL(from, stranger_say(from, WEFT_CLASS_NORMAL,
							 weft__meta(WEFT__DATA, WEFT__HAS_HEADER, 0, sequence), header,
							 sizeof header)));
}

/* Opens lane 0 and sends so many, as far as there is credit. Returns how many. */
static uint32_t fill_a_lane(struct stranger *from, uint32_t count, uint64_t tag)
{
	unsigned int vain = 0;
	uint32_t sent = 0;

	stranger_open_lane(from, 0, "test");
	while (sent < count && vain++ < 1000) {
		while (sent < count && sent < from->limits[0]) {
			say(from, sent++, tag);
			vain = 0;
		}
		stranger_turn(from);
	}
	for (unsigned int i = 0; i < 10; i++)
		stranger_turn(from);
	return sent;
}

static void close_lane(struct stranger *from)
{
	CU_ASSERT_TRUE(STRANGER_UNTIL(from, stranger_say(from, WEFT_CLASS_NORMAL, weft__meta(WEFT__LANE_CLOSE, 0, 0, 0),
							 NULL, 0)));
}

/* Another peer's messages find room, and are received. */
static void check_innocent(unsigned int count)
{
	uint64_t before = stranger_node_stats(&stranger).violations;
	struct stranger innocent;

	received = 0;
	stranger_join(&innocent, &stranger, "innocent");
	CU_ASSERT_EQUAL(fill_a_lane(&innocent, count, 5), count);
	for (unsigned int i = 0; i < count; i++)
		receive(5);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&innocent, received == count));
	CU_ASSERT_EQUAL(stranger_node_stats(&stranger).violations, before);
	CU_ASSERT_EQUAL(innocent.end->downs, 0);
	stranger_part(&innocent);
}

static void a_window_that_nobody_receives_waits_as_it_may(void)
{
	set_up(NULL);
	receive(999);
	CU_ASSERT_EQUAL(fill_a_lane(&stranger, WINDOW, 1), WINDOW);
	CU_ASSERT_EQUAL(stranger_node_stats(&stranger).violations, 0);
	check_innocent(100);
	received = 0;
	for (unsigned int i = 0; i < WINDOW; i++)
		receive(1);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, received == WINDOW));
	stranger_close(&stranger);
}

static void a_lane_opened_anew_brings_no_new_share(void)
{
	set_up(NULL);
	receive(999);
	CU_ASSERT_EQUAL(fill_a_lane(&stranger, WINDOW, 1), WINDOW);
	for (unsigned int i = 0; i < 10; i++) {
		close_lane(&stranger);
		CU_ASSERT_EQUAL(fill_a_lane(&stranger, WINDOW, 1), 0);
	}
	CU_ASSERT_EQUAL(stranger_node_stats(&stranger).violations, 0);
	check_innocent(100);
	/* And if it sends all the same it is ended. */
	say(&stranger, 0, 1);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger.end->downs == 1));
	CU_ASSERT_EQUAL(stranger_node_stats(&stranger).violations, 1);
	check_innocent(100);
	stranger_close(&stranger);
}

static void a_peer_that_comes_again_and_again_leaves_room_for_others(void)
{
	set_up(NULL);
	receive(999);
	for (unsigned int i = 0; i < 6; i++) {
		uint32_t sent = fill_a_lane(&stranger, 600, 1);

		CU_ASSERT_TRUE(i < 2 ? sent == 600 : sent > 100);
		CU_ASSERT_EQUAL(stranger_node_stats(&stranger).violations, 0);
		stranger_leave(&stranger);
		CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(&stranger, stranger_node_stats(&stranger).links == 0));
		stranger_connect(&stranger);
	}
	check_innocent(100);
	/* What it sent first is still there, as much as may stay. */
	received = 0;
	for (unsigned int i = 0; i < WINDOW; i++)
		receive(1);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, received == WINDOW));
	receive(1);
	for (unsigned int turn = 0; turn < 100; turn++)
		stranger_turn(&stranger);
	CU_ASSERT_EQUAL(received, WINDOW);
	stranger_close(&stranger);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(who_asks_and_does_not_read_gets_half_of_the_operations),
		SUITE_CASE(whatever_answers_others_do_not_read_the_first_of_a_peer_is_taken),
		SUITE_CASE(the_lane_of_unread_answers_gets_no_credit_and_others_do),
		SUITE_CASE(a_window_that_nobody_receives_waits_as_it_may),
		SUITE_CASE(a_lane_opened_anew_brings_no_new_share),
		SUITE_CASE(a_peer_that_comes_again_and_again_leaves_room_for_others),
	};

	return suite_main("greedy", cases, SUITE_COUNT(cases), argc, argv);
}

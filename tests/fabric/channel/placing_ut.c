/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that large messages reach posted buffers, places and streams in pieces, whole, with other messages in between, and
 * that whatever ends half-way ends once and gives its memory back.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#define LARGE ((size_t)4 << 20)

struct got {
	unsigned int calls;
	int status;
	size_t len_bytes;
	char peer[65];
};

static void on_received(struct weft_op *op, int status, const struct weft_received *received, void *user)
{
	struct got *got = user;

	(void)op;
	got->calls++;
	got->status = status;
	got->len_bytes = received->len_bytes;
	strcpy(got->peer, received->peer ? received->peer : "");
}

struct place {
	char *buffer;
	struct got got;
};

static int choose(const struct weft_rx *rx, size_t total_len_bytes, struct weft_placement *out, void *user)
{
	struct place *place = user;

	(void)rx;
	(void)total_len_bytes;
	*out = (struct weft_placement){.buffer = place->buffer, .done = on_received, .user = &place->got};
	return 0;
}

static void open_large(struct pair *pair)
{
	struct weft_channel_opts opts;

	weft_channel_opts_init(&opts, sizeof opts);
	opts.max_message_bytes = 2 * LARGE;
	pair_open(pair, &opts);
}

static void send_large(struct pair *pair, size_t len_bytes, const struct weft_send_opts *how)
{
	struct weft_loan *loan = NULL;
	char *data;

	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(pair, weft_loan_get(pair->near_worker, len_bytes, &loan) == 0));
	data = weft_loan_data(loan);
	for (size_t i = 0; i < len_bytes; i++)
		data[i] = (char)(i * 7 + i / 4096);
	CU_ASSERT_TRUE(PAIR_UNTIL(pair, weft_send_loan(pair->sender, loan, how) == 0));
}

static bool is_whole(const char *data, size_t len_bytes)
{
	for (size_t i = 0; i < len_bytes; i++)
		if (data[i] != (char)(i * 7 + i / 4096))
			return false;
	return true;
}

static struct weft_op *post(struct pair *pair, void *buffer, size_t len_bytes, struct got *got)
{
	struct weft_op *op = NULL;

	CU_ASSERT_EQUAL(weft_recv_post(pair->far_worker, pair->far_channel, buffer, len_bytes, 0, 0, on_received, got,
				       &op),
			0);
	return op;
}

static bool all_home(struct pair *pair)
{
	struct weft_node_stats stats;

	return PAIR_UNTIL(pair, (weft_node_describe(pair->near, &stats), stats.loans_out == 0));
}

static void on_done(struct weft_op *op, int status, void *user)
{
	(void)op;
	*(int *)user = status;
}

static void a_large_message_is_placed_whole_and_then_told_as_delivered(void)
{
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	struct place place = {.buffer = malloc(LARGE)};
	struct pair pair;
	int delivered = 1;

	open_large(&pair);
	weft_channel_place(pair.far_channel, choose, &place);
	pair_connect(&pair);
	how.completion = WEFT_DELIVERED;
	how.done = on_done;
	how.user = &delivered;
	send_large(&pair, LARGE, &how);
	while (place.got.calls == 0) {
		CU_ASSERT_EQUAL_FATAL(delivered, 1);
		pair_turn(&pair);
	}
	CU_ASSERT_EQUAL(place.got.status, 0);
	CU_ASSERT_EQUAL(place.got.len_bytes, LARGE);
	CU_ASSERT_STRING_EQUAL(place.got.peer, weft_node_name(pair.near));
	CU_ASSERT_TRUE(is_whole(place.buffer, LARGE));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, delivered == 0));
	CU_ASSERT_TRUE(all_home(&pair));
	pair_close(&pair);
	free(place.buffer);
}

static void count(struct weft_rx *rx, void *user)
{
	(void)rx;
	++*(unsigned int *)user;
}

static void other_messages_arrive_while_a_large_one_is_copied(void)
{
	struct place place = {.buffer = malloc(LARGE)};
	struct weft_channel *near_small, *far_small;
	struct weft_sender *small;
	unsigned int got = 0;
	struct pair pair;

	open_large(&pair);
	weft_channel_place(pair.far_channel, choose, &place);
	pair_connect(&pair);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair.near, "small", NULL, &near_small), 0);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair.far, "small", NULL, &far_small), 0);
	weft_channel_handle(far_small, count, &got);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.near_worker, near_small, weft_node_name(pair.far), NULL, &small),
			      0);
	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, weft_sender_status(small) == 0));
	send_large(&pair, LARGE, NULL);
	while (place.got.calls == 0) {
		weft_send(small, "x", 1);
		pair_turn(&pair);
	}
	CU_ASSERT_TRUE(got >= LARGE / 65536 - 2); /* one in each turn, and no turn copies more */
	CU_ASSERT_TRUE(is_whole(place.buffer, LARGE));
	pair_close(&pair);
	free(place.buffer);
}

static void a_posted_buffer_takes_a_large_message_that_comes_before_or_after_it(void)
{
	struct got first = {0}, second = {0};
	char *buffer = malloc(2 * LARGE);
	struct pair pair;

	open_large(&pair);
	post(&pair, buffer, LARGE, &first);
	pair_connect(&pair);
	send_large(&pair, LARGE, NULL);
	send_large(&pair, LARGE, NULL);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, first.calls == 1));
	post(&pair, buffer + LARGE, LARGE / 2, &second);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, second.calls == 1));
	CU_ASSERT_EQUAL(first.status, 0);
	CU_ASSERT_EQUAL(second.status, -WEFT_ETRUNCATED);
	CU_ASSERT_EQUAL(second.len_bytes, LARGE);
	CU_ASSERT_TRUE(is_whole(buffer, LARGE) && is_whole(buffer + LARGE, LARGE / 2));
	CU_ASSERT_TRUE(all_home(&pair));
	pair_close(&pair);
	free(buffer);
}

static void a_receive_can_be_cancelled_half_way(void)
{
	char *buffer = calloc(1, LARGE);
	struct got got = {0};
	struct weft_op *op;
	struct pair pair;

	open_large(&pair);
	op = post(&pair, buffer, LARGE, &got);
	pair_connect(&pair);
	send_large(&pair, LARGE, NULL);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, buffer[1] != 0));
	CU_ASSERT_EQUAL(got.calls, 0);
	weft_op_cancel(op);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got.calls == 1));
	CU_ASSERT_EQUAL(got.status, -WEFT_ECANCELED);
	CU_ASSERT_TRUE(all_home(&pair));
	pair_close(&pair);
	free(buffer);
}

static void a_channel_closed_half_way_ends_what_is_being_placed(void)
{
	struct place place = {.buffer = calloc(1, LARGE)};
	struct pair pair;

	open_large(&pair);
	weft_channel_place(pair.far_channel, choose, &place);
	pair_connect(&pair);
	send_large(&pair, LARGE, NULL);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, place.buffer[1] != 0));
	weft_channel_close(&pair.far_channel);
	CU_ASSERT_EQUAL(place.got.calls, 1);
	CU_ASSERT_EQUAL(place.got.status, -WEFT_ECLOSED);
	CU_ASSERT_TRUE(all_home(&pair));
	pair_close(&pair);
	free(place.buffer);
}

static void what_a_sender_that_is_gone_had_sent_is_still_placed(void)
{
	struct place place = {.buffer = calloc(1, LARGE)};
	struct pair pair;

	open_large(&pair);
	weft_channel_place(pair.far_channel, choose, &place);
	pair_connect(&pair);
	send_large(&pair, LARGE, NULL);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, place.buffer[1] != 0));
	weft_node_close(&pair.near);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, place.got.calls == 1));
	CU_ASSERT_EQUAL(place.got.status, 0);
	CU_ASSERT_TRUE(is_whole(place.buffer, LARGE));
	pair_close(&pair);
	free(place.buffer);
}

struct streamed {
	size_t next_bytes; /* where the next piece must begin */
	unsigned int pieces;
	bool wrong;
	struct got got;
};

static void on_piece(const void *data, size_t len_bytes, size_t offset_bytes, void *user)
{
	struct streamed *streamed = user;
	const char *bytes = data;

	streamed->pieces++;
	streamed->wrong |= offset_bytes != streamed->next_bytes || !len_bytes || len_bytes > 65536 ||
			   streamed->got.calls;
	for (size_t i = 0; i < len_bytes; i++)
		streamed->wrong |= bytes[i] != (char)((offset_bytes + i) * 7 + (offset_bytes + i) / 4096);
	streamed->next_bytes += len_bytes;
}

static void on_streamed(struct weft_op *op, int status, const struct weft_received *received, void *user)
{
	on_received(op, status, received, &((struct streamed *)user)->got);
}

static int choose_stream(const struct weft_rx *rx, size_t total_len_bytes, struct weft_placement *out, void *user)
{
	(void)rx;
	(void)total_len_bytes;
	*out = (struct weft_placement){.done = on_streamed, .user = user, .stream = on_piece};
	return 0;
}

static void a_message_is_streamed_in_pieces_and_copied_nowhere(void)
{
	static const size_t lengths[] = {16, 65536, LARGE};
	struct weft_node_stats before, after;
	struct streamed streamed = {0};
	struct pair pair;

	open_large(&pair);
	weft_channel_place(pair.far_channel, choose_stream, &streamed);
	pair_connect(&pair);
	weft_node_describe(pair.far, &before);
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		streamed = (struct streamed){0};
		send_large(&pair, lengths[i], NULL);
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, streamed.got.calls == 1));
		CU_ASSERT_EQUAL(streamed.got.status, 0);
		CU_ASSERT_EQUAL(streamed.got.len_bytes, lengths[i]);
		CU_ASSERT_EQUAL(streamed.next_bytes, lengths[i]);
		CU_ASSERT_TRUE(streamed.pieces >= lengths[i] / 65536);
		CU_ASSERT_FALSE(streamed.wrong);
	}
	weft_node_describe(pair.far, &after);
	CU_ASSERT_EQUAL(after.copied_bytes, before.copied_bytes);
	CU_ASSERT_TRUE(all_home(&pair));
	pair_close(&pair);
}

static void an_empty_message_has_no_pieces_but_is_told(void)
{
	struct streamed streamed = {0};
	struct pair pair;

	open_large(&pair);
	weft_channel_place(pair.far_channel, choose_stream, &streamed);
	pair_connect(&pair);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_send(pair.sender, NULL, 0) == 0));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, streamed.got.calls == 1));
	CU_ASSERT_EQUAL(streamed.pieces, 0);
	CU_ASSERT_EQUAL(streamed.got.status, 0);
	pair_close(&pair);
}

static void a_channel_closed_half_way_ends_what_is_being_streamed(void)
{
	struct streamed streamed = {0};
	struct pair pair;

	open_large(&pair);
	weft_channel_place(pair.far_channel, choose_stream, &streamed);
	pair_connect(&pair);
	send_large(&pair, LARGE, NULL);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, streamed.pieces > 1));
	weft_channel_close(&pair.far_channel);
	CU_ASSERT_EQUAL(streamed.got.calls, 1);
	CU_ASSERT_EQUAL(streamed.got.status, -WEFT_ECLOSED);
	CU_ASSERT_FALSE(streamed.wrong);
	CU_ASSERT_TRUE(all_home(&pair));
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_large_message_is_placed_whole_and_then_told_as_delivered),
		SUITE_CASE(other_messages_arrive_while_a_large_one_is_copied),
		SUITE_CASE(a_posted_buffer_takes_a_large_message_that_comes_before_or_after_it),
		SUITE_CASE(a_receive_can_be_cancelled_half_way),
		SUITE_CASE(a_channel_closed_half_way_ends_what_is_being_placed),
		SUITE_CASE(what_a_sender_that_is_gone_had_sent_is_still_placed),
		SUITE_CASE(a_message_is_streamed_in_pieces_and_copied_nowhere),
		SUITE_CASE(an_empty_message_has_no_pieces_but_is_told),
		SUITE_CASE(a_channel_closed_half_way_ends_what_is_being_streamed),
	};

	return suite_main("placing", cases, SUITE_COUNT(cases), argc, argv);
}

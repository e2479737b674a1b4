/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that foreign memory in many pieces is sent as one message, and that the room for its iovecs has limits and comes
 * back, however the send ends.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <string.h>

#define OPERATIONS 4096

static struct pair pair;
static struct iovec iov[WEFT_IOV_MAX + 1];
static unsigned char data[3 * (WEFT_IOV_MAX + 1)];
static unsigned int got, ends;
static size_t expected_bytes;
static bool good;
static int result;

static void check(struct weft_rx *rx, void *user)
{
	(void)user;
	got++;
	good = rx->len_bytes == expected_bytes && memcmp(rx->data, data, rx->len_bytes) == 0;
}

static void note_end(struct weft_op *op, int status, void *user)
{
	(void)op, (void)user;
	ends++;
	result = status;
}

/* Pieces of 0 to 3 bytes, one after the other. */
static void set_up(void)
{
	size_t at = 0;

	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (unsigned char)(i * 7 + (i >> 8));
	for (unsigned int i = 0; i <= WEFT_IOV_MAX; i++) {
		iov[i] = (struct iovec){data + at, i % 4};
		at += i % 4;
	}
	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, check, NULL);
	pair_connect(&pair);
	got = ends = 0;
}

static int send_pieces(unsigned int count, struct weft_op **op)
{
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;

	expected_bytes = 0;
	for (unsigned int i = 0; i < count; i++)
		expected_bytes += iov[i].iov_len;
	how.done = note_end;
	how.op = op;
	return weft_sendv(pair.sender, iov, count, &how);
}

static void any_number_of_pieces_is_one_message(void)
{
	static const unsigned int counts[] = {1, 3, 4, 5, 11, 12, 13, 20, 21, 1000, WEFT_IOV_MAX - 1, WEFT_IOV_MAX};

	set_up();
	for (unsigned int i = 0; i < sizeof counts / sizeof *counts; i++) {
		CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, send_pieces(counts[i], NULL) == 0));
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got == i + 1 && ends == i + 1));
		CU_ASSERT_EQUAL(result, 0);
		CU_ASSERT_TRUE(good);
	}
	CU_ASSERT_EQUAL(send_pieces(WEFT_IOV_MAX + 1, NULL), -WEFT_EINVAL);
	pair_close(&pair);
}

static void the_room_for_pieces_comes_back(void)
{
	struct weft_op *op;

	set_up();
	/* Each takes more than a hundred operations. */
	for (unsigned int i = 1; i <= 100; i++) {
		CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, send_pieces(1000, &op) == 0));
		if (i % 2)
			weft_op_cancel(op);
		CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, ends == i));
	}
	CU_ASSERT_EQUAL(got, 50);
	pair_close(&pair);
}

static void without_room_for_the_pieces_it_is_back_pressure(void)
{
	static char buffers[OPERATIONS];

	set_up();
	for (unsigned int i = 0; i < OPERATIONS - 100; i++)
		CU_ASSERT_EQUAL_FATAL(weft_recv_post(pair.near_worker, pair.near_channel, &buffers[i], 1, 0, 0, NULL,
						     NULL, NULL),
				      0);
	CU_ASSERT_EQUAL(send_pieces(WEFT_IOV_MAX, NULL), -WEFT_EAGAIN);
	CU_ASSERT_EQUAL(send_pieces(700, NULL), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got == 1 && ends == 1));
	CU_ASSERT_TRUE(good);
	pair_close(&pair);
}

static void what_is_still_being_copied_when_its_sender_is_closed_is_not_sent(void)
{
	set_up();
	CU_ASSERT_EQUAL(send_pieces(WEFT_IOV_MAX, NULL), 0);
	weft_sender_close(&pair.sender);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, ends == 1));
	CU_ASSERT_EQUAL(result, -WEFT_ECLOSED);
	for (unsigned int i = 0; i < 1000; i++)
		pair_turn(&pair);
	CU_ASSERT_EQUAL(got, 0);
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(any_number_of_pieces_is_one_message),
		SUITE_CASE(the_room_for_pieces_comes_back),
		SUITE_CASE(what_is_still_being_copied_when_its_sender_is_closed_is_not_sent),
		SUITE_CASE(without_room_for_the_pieces_it_is_back_pressure),
	};

	return suite_main("staged", cases, SUITE_COUNT(cases), argc, argv);
}

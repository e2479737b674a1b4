/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that messages of every size and kind arrive once, in order and unaltered, that back-pressure is seen and ends,
 * and that nothing is copied that need not be.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>
#include <weft/random.h>

struct inbox {
	unsigned int count;
	bool good;
	size_t last_len;
	uint64_t tag, immediate;
};

static unsigned char byte_of(unsigned int message, size_t at)
{
	return (unsigned char)(message * 31 + at * 7);
}

static void fill(unsigned char *data, size_t len_bytes, unsigned int message)
{
	for (size_t i = 0; i < len_bytes; i++)
		data[i] = byte_of(message, i);
}

static void check(struct weft_rx *rx, void *user)
{
	struct inbox *inbox = user;
	const unsigned char *data = rx->data;

	for (size_t i = 0; i < rx->len_bytes; i++)
		inbox->good &= data[i] == byte_of(inbox->count, i);
	inbox->last_len = rx->len_bytes;
	inbox->tag = rx->tag;
	inbox->immediate = rx->immediate;
	inbox->count++;
}

static int send_until_taken(struct pair *pair, const void *data, size_t len_bytes, const struct weft_send_opts *how)
{
	int rc = -WEFT_EAGAIN;

	(void)PAIR_UNTIL(pair, (rc = weft_send_with(pair->sender, data, len_bytes, how)) != -WEFT_EAGAIN);
	return rc;
}

static void open_checked(struct pair *pair, struct inbox *inbox, const struct weft_channel_opts *opts)
{
	*inbox = (struct inbox){.good = true};
	pair_open(pair, opts);
	weft_channel_handle(pair->far_channel, check, inbox);
	pair_connect(pair);
}

static void messages_of_every_size_arrive_unaltered(void)
{
	static const size_t sizes[] = {0,   1,   3,   8,    15,   16,   17,    31,    32,    47,    48,     49,
				       63,  64,  65,  111,  112,  113,  175,   176,   177,   239,   240,    241,
				       256, 257, 512, 2048, 2049, 8192, 16384, 16385, 65536, 65537, 262144, 1048576};
	unsigned char *data = malloc(1048576);
	struct inbox inbox;
	struct pair pair;

	open_checked(&pair, &inbox, NULL);
	for (unsigned int i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		fill(data, sizes[i], i);
		CU_ASSERT_EQUAL(send_until_taken(&pair, data, sizes[i], NULL), 0);
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, inbox.count == i + 1));
		CU_ASSERT_EQUAL(inbox.last_len, sizes[i]);
	}
	CU_ASSERT_TRUE(inbox.good);
	pair_close(&pair);
	free(data);
}

static void a_hundred_thousand_random_messages_keep_their_order(void)
{
	unsigned char *data = malloc(4096);
	struct weft_random random;
	struct inbox inbox;
	struct pair pair;

	weft_random_seed(&random, 1);
	open_checked(&pair, &inbox, NULL);
	for (unsigned int i = 0; i < 100000; i++) {
		size_t len_bytes = weft_random_below(&random, i % 64 ? 256 : 4096);
		struct weft_send_opts how = WEFT_SEND_OPTS_INIT;

		how.flags = weft_random_below(&random, 2) ? WEFT_MORE : 0;
		fill(data, len_bytes, i);
		CU_ASSERT_EQUAL_FATAL(send_until_taken(&pair, data, len_bytes, &how), 0);
		if (weft_random_below(&random, 100) == 0)
			pair_turn(&pair);
	}
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, inbox.count == 100000));
	CU_ASSERT_TRUE(inbox.good);
	pair_close(&pair);
	free(data);
}

static void a_header_travels_with_small_and_large_messages(void)
{
	unsigned char data[5000];
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	struct inbox inbox;
	struct pair pair;

	open_checked(&pair, &inbox, NULL);
	how.has_header = true;
	for (unsigned int i = 0; i < 2; i++) {
		size_t len_bytes = i ? sizeof data : 100;

		how.tag = 77 + i;
		how.immediate = UINT64_MAX - i;
		fill(data, len_bytes, i);
		CU_ASSERT_EQUAL(send_until_taken(&pair, data, len_bytes, &how), 0);
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, inbox.count == i + 1));
		CU_ASSERT_EQUAL(inbox.tag, 77 + i);
		CU_ASSERT_EQUAL(inbox.immediate, UINT64_MAX - i);
	}
	CU_ASSERT_TRUE(inbox.good);
	pair_close(&pair);
}

static void a_message_beyond_the_maximum_is_refused(void)
{
	struct weft_channel_opts opts;
	struct inbox inbox;
	struct pair pair;
	char data[101] = {0};

	weft_channel_opts_init(&opts, sizeof opts);
	opts.max_message_bytes = 100;
	open_checked(&pair, &inbox, &opts);
	CU_ASSERT_EQUAL(weft_send(pair.sender, data, 101), -WEFT_EMSGSIZE);
	CU_ASSERT_EQUAL(weft_send(pair.sender, data, 100), 0);
	pair_close(&pair);
}

static void a_full_window_is_seen_and_its_end_is_told(void)
{
	struct weft_channel_opts opts;
	struct inbox inbox;
	struct pair pair;
	unsigned int sent = 0;
	unsigned char data[8];

	weft_channel_opts_init(&opts, sizeof opts);
	opts.window_messages = 8;
	open_checked(&pair, &inbox, &opts);
	for (;; sent++) {
		fill(data, sizeof data, sent);
		if (weft_send(pair.sender, data, sizeof data) == -WEFT_EAGAIN)
			break;
	}
	CU_ASSERT_EQUAL(sent, 8);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, pair.events[WEFT_SENDER_WRITABLE] > 0));
	CU_ASSERT_EQUAL(inbox.count, 8);
	fill(data, sizeof data, sent);
	CU_ASSERT_EQUAL(weft_send(pair.sender, data, sizeof data), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, inbox.count == 9));
	CU_ASSERT_TRUE(inbox.good);
	pair_close(&pair);
}

static void on_done(struct weft_op *op, int status, void *user)
{
	int *result = user;

	(void)op;
	*result = status;
}

static void delivery_is_reported_after_the_handler_has_run(void)
{
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	struct inbox inbox;
	struct pair pair;
	int result = 1;

	open_checked(&pair, &inbox, NULL);
	how.completion = WEFT_DELIVERED;
	how.done = on_done;
	how.user = &result;
	CU_ASSERT_EQUAL(weft_send_with(pair.sender, "", 0, &how), 0);
	weft_worker_poll(pair.near_worker);
	CU_ASSERT_EQUAL(result, 1);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, result != 1));
	CU_ASSERT_EQUAL(result, 0);
	CU_ASSERT_EQUAL(inbox.count, 1);
	pair_close(&pair);
}

static void what_is_cut_off_may_have_been_delivered(void)
{
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	struct inbox inbox;
	struct pair pair;
	int result = 1;

	open_checked(&pair, &inbox, NULL);
	how.completion = WEFT_DELIVERED;
	how.done = on_done;
	how.user = &result;
	CU_ASSERT_EQUAL(weft_send_with(pair.sender, "", 0, &how), 0);
	while (!inbox.count)
		weft_worker_poll(pair.far_worker);
	weft_sender_close(&pair.sender);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, result != 1));
	CU_ASSERT_EQUAL(result, -WEFT_ECLOSED);
	pair_close(&pair);
}

static struct weft_loan *get_loan(struct pair *pair, size_t len_bytes)
{
	struct weft_loan *loan = NULL;

	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(pair, weft_loan_get(pair->near_worker, len_bytes, &loan) == 0));
	return loan;
}

static void a_loan_is_handed_over_without_a_copy_and_comes_home(void)
{
	static const size_t sizes[] = {1, 4096, 1 << 20};
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	struct weft_node_stats stats;
	struct inbox inbox;
	struct pair pair;

	open_checked(&pair, &inbox, NULL);
	how.completion = WEFT_SENT;
	how.done = on_done;
	for (unsigned int i = 0; i < 3; i++) {
		struct weft_loan *loan = get_loan(&pair, sizes[i]);
		int home = 1;

		fill(weft_loan_data(loan), sizes[i], i);
		how.user = &home;
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_send_loan(pair.sender, loan, &how) == 0));
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, home == 0));
		CU_ASSERT_EQUAL(inbox.last_len, sizes[i]);
	}
	CU_ASSERT_TRUE(inbox.good);
	weft_node_describe(pair.near, &stats);
	CU_ASSERT_EQUAL(stats.lent_messages, 3);
	CU_ASSERT_EQUAL(stats.copied_messages, 0);
	CU_ASSERT_EQUAL(stats.loans_out, 0);
	weft_node_describe(pair.far, &stats);
	CU_ASSERT_EQUAL(stats.copied_messages, 0);
	pair_close(&pair);
}

static struct weft_loan *kept;

static void keep(struct weft_rx *rx, void *user);

static void what_would_be_copied_is_refused_when_no_copy_is_allowed(void)
{
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	struct iovec iov = {"foreign", 7};
	unsigned int count = 0;
	struct weft_node_stats stats;
	struct weft_loan *loan;
	struct pair pair;
	int result = 1;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, keep, &count);
	pair_connect(&pair);
	how.flags = WEFT_ZERO_COPY;
	how.done = on_done;
	how.user = &result;
	CU_ASSERT_EQUAL(weft_send_with(pair.sender, "small", 5, &how), -WEFT_EDEGRADED);
	CU_ASSERT_EQUAL(weft_sendv(pair.sender, &iov, 1, &how), -WEFT_EDEGRADED);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "weft_loan_get"));
	loan = get_loan(&pair, 100000);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_send_loan(pair.sender, loan, &how) == 0));
	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, count == 1));
	weft_node_describe(pair.near, &stats);
	CU_ASSERT_EQUAL(stats.copied_messages, 0);
	CU_ASSERT_EQUAL(stats.lent_messages, 1);
	weft_loan_release(kept);
	/* Nothing to lend is nothing to copy. */
	loan = get_loan(&pair, 1);
	weft_loan_trim(loan, 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_send_loan(pair.sender, loan, &how) == 0));
	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, count == 2));
	weft_loan_release(kept);
	pair_close(&pair);
}

static void a_received_loan_is_not_sent_on_when_no_copy_is_allowed(void)
{
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	struct weft_sender *back;
	unsigned int count = 0;
	struct weft_loan *loan;
	struct pair pair;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, keep, &count);
	weft_channel_handle(pair.near_channel, keep, &count);
	pair_connect(&pair);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.far_worker, pair.far_channel, weft_node_name(pair.near), NULL,
					       &back),
			      0);
	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, weft_sender_status(back) == 0));
	loan = get_loan(&pair, 100000);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_send_loan(pair.sender, loan, NULL) == 0));
	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, count == 1));
	how.flags = WEFT_ZERO_COPY;
	weft_loan_share(kept);
	CU_ASSERT_EQUAL(weft_send_loan(back, kept, &how), -WEFT_EDEGRADED); /* and has taken one hold */
	weft_loan_release(kept);
	pair_close(&pair);
}

static void keep(struct weft_rx *rx, void *user)
{
	unsigned int *count = user;

	CU_ASSERT_EQUAL(weft_rx_keep(rx, &kept), 0);
	++*count;
}

static bool loans_are_home(struct pair *pair)
{
	struct weft_node_stats stats;

	return PAIR_UNTIL(pair, (weft_node_describe(pair->near, &stats), stats.loans_out == 0));
}

static void a_kept_message_stays_readable_until_it_is_released(void)
{
	struct weft_node_stats stats;
	unsigned int count = 0;
	struct weft_loan *loan;
	struct pair pair;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, keep, &count);
	pair_connect(&pair);
	loan = get_loan(&pair, 100000);
	fill(weft_loan_data(loan), 100000, 5);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_send_loan(pair.sender, loan, NULL) == 0));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, count == 1));
	for (int i = 0; i < 100; i++)
		pair_turn(&pair);
	weft_node_describe(pair.near, &stats);
	/* What was copied on its way is home when its arrival is confirmed. */
	CU_ASSERT_TRUE(pair_is_apart() ? loans_are_home(&pair) : stats.loans_out == 1);
	CU_ASSERT_EQUAL(weft_loan_len(kept), 100000);
	CU_ASSERT_EQUAL(((unsigned char *)weft_loan_data(kept))[99999], byte_of(5, 99999));
	weft_loan_release(kept);
	CU_ASSERT_TRUE(loans_are_home(&pair));
	pair_close(&pair);
}

static void foreign_memory_is_sent_in_pieces_and_then_given_back(void)
{
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	unsigned char *data = malloc(500000);
	struct iovec iov[6];
	struct inbox inbox;
	struct pair pair;
	int result = 1;

	open_checked(&pair, &inbox, NULL);
	fill(data, 500000, 0);
	for (unsigned int i = 0; i < 6; i++)
		iov[i] = (struct iovec){data + i * 80000, i < 5 ? 80000 : 100000};
	how.done = on_done;
	how.user = &result;
	CU_ASSERT_EQUAL(weft_sendv(pair.sender, iov, 6, &how), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, result == 0 && inbox.count == 1));
	CU_ASSERT_EQUAL(inbox.last_len, 500000);
	CU_ASSERT_TRUE(inbox.good);
	pair_close(&pair);
	free(data);
}

static void foreign_memory_may_be_little_or_nothing(void)
{
	static const size_t lens[] = {0, 1, 200, 241};
	unsigned char data[241];
	struct inbox inbox;
	struct pair pair;

	open_checked(&pair, &inbox, NULL);
	for (unsigned int i = 0; i < sizeof lens / sizeof *lens; i++) {
		struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
		struct iovec iov[2] = {{data, 0}, {data, lens[i]}};
		int result = 1;

		fill(data, lens[i], i);
		how.done = on_done;
		how.user = &result;
		how.has_header = i % 2;
		how.completion = i % 2 ? WEFT_DELIVERED : WEFT_SENT;
		CU_ASSERT_EQUAL(weft_sendv(pair.sender, iov, 2, &how), 0);
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, result != 1 && inbox.count == i + 1));
		CU_ASSERT_EQUAL(result, 0);
		CU_ASSERT_EQUAL(inbox.last_len, lens[i]);
	}
	CU_ASSERT_TRUE(inbox.good);
	CU_ASSERT_EQUAL(pair.events[WEFT_SENDER_LOST], 0);
	pair_close(&pair);
}

static void a_staged_send_can_be_cancelled(void)
{
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	unsigned char *data = calloc(1, 1 << 20);
	struct iovec iov = {data, 1 << 20};
	struct weft_op *op;
	struct inbox inbox;
	struct pair pair;
	int result = 1;

	open_checked(&pair, &inbox, NULL);
	how.done = on_done;
	how.user = &result;
	how.op = &op;
	CU_ASSERT_EQUAL(weft_sendv(pair.sender, &iov, 1, &how), 0);
	weft_op_cancel(op);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, result != 1));
	CU_ASSERT_EQUAL(result, -WEFT_ECANCELED);
	CU_ASSERT_EQUAL(inbox.count, 0);
	pair_close(&pair);
	free(data);
}

static void options_of_another_size_are_refused(void)
{
	struct weft_sender_opts sender_opts = {.wait_for_peer = true};
	struct weft_send_opts how = {.completion = WEFT_ACCEPTED};
	struct weft_sender *sender;
	struct weft_loan *loan;
	struct inbox inbox;
	struct pair pair;

	open_checked(&pair, &inbox, NULL);
	CU_ASSERT_EQUAL(weft_sender_open(pair.near_worker, pair.near_channel, weft_node_name(pair.far), &sender_opts,
					 &sender),
			-WEFT_EINVAL);
	CU_ASSERT_EQUAL(weft_send_with(pair.sender, "x", 1, &how), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(weft_sendv(pair.sender, &(struct iovec){"x", 1}, 1, &how), -WEFT_EINVAL);
	CU_ASSERT_EQUAL_FATAL(weft_loan_get(pair.near_worker, 1, &loan), 0);
	CU_ASSERT_EQUAL(weft_send_loan(pair.sender, loan, &how), -WEFT_EINVAL);
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(messages_of_every_size_arrive_unaltered),
		SUITE_CASE(a_hundred_thousand_random_messages_keep_their_order),
		SUITE_CASE(a_header_travels_with_small_and_large_messages),
		SUITE_CASE(a_message_beyond_the_maximum_is_refused),
		SUITE_CASE(options_of_another_size_are_refused),
		SUITE_CASE(a_full_window_is_seen_and_its_end_is_told),
		SUITE_CASE(delivery_is_reported_after_the_handler_has_run),
		SUITE_CASE(what_is_cut_off_may_have_been_delivered),
		SUITE_CASE(a_loan_is_handed_over_without_a_copy_and_comes_home),
		SUITE_CASE(what_would_be_copied_is_refused_when_no_copy_is_allowed),
		SUITE_CASE(a_received_loan_is_not_sent_on_when_no_copy_is_allowed),
		SUITE_CASE(a_kept_message_stays_readable_until_it_is_released),
		SUITE_CASE(foreign_memory_is_sent_in_pieces_and_then_given_back),
		SUITE_CASE(foreign_memory_may_be_little_or_nothing),
		SUITE_CASE(a_staged_send_can_be_cancelled),
	};

	return suite_main("send", cases, SUITE_COUNT(cases), argc, argv);
}

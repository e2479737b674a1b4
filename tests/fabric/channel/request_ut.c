/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that each request ends exactly once: by its reply, its deadline, its cancel or its peer; and that a late reply
 * answers nobody.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

struct end {
	unsigned int calls;
	int status;
	uint64_t value;
	size_t len_bytes;
};

static void on_reply(struct weft_rx *reply, int status, void *user)
{
	struct end *end = user;

	end->calls++;
	end->status = status;
	if (reply && reply->len_bytes >= sizeof end->value)
		memcpy(&end->value, reply->data, sizeof end->value);
	end->len_bytes = reply ? reply->len_bytes : 0;
}

static void add_one(struct weft_rx *rx, void *user)
{
	uint64_t value;

	(void)user;
	CU_ASSERT_TRUE(rx->is_request);
	memcpy(&value, rx->data, sizeof value);
	value++;
	CU_ASSERT_EQUAL(weft_reply(rx, &value, sizeof value), 0);
	CU_ASSERT_EQUAL(weft_reply(rx, &value, sizeof value), -WEFT_EINVAL);
}

static int ask(struct pair *pair, uint64_t value, uint64_t deadline_ns, struct end *end, struct weft_op **op)
{
	*end = (struct end){.status = 1};
	return weft_request(pair->sender, &value, sizeof value, deadline_ns, on_reply, end, op);
}

static void a_request_is_answered(void)
{
	struct pair pair;
	struct end end;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, add_one, NULL);
	pair_connect(&pair);
	CU_ASSERT_EQUAL(ask(&pair, 41, WEFT_NEVER, &end, NULL), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, end.calls));
	CU_ASSERT_EQUAL(end.status, 0);
	CU_ASSERT_EQUAL(end.value, 42);
	pair_close(&pair);
}

static void a_window_of_requests_is_answered_each_with_its_own(void)
{
	static struct end ends[1024];
	struct pair pair;
	struct end one;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, add_one, NULL);
	pair_connect(&pair);
	for (unsigned int round = 0; round < 20; round++) {
		for (unsigned int i = 0; i < 1024; i++)
			CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, ask(&pair, i, WEFT_NEVER, &ends[i], NULL) == 0));
		for (unsigned int i = 0; i < 1024; i++) {
			CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, ends[i].calls == 1));
			CU_ASSERT_EQUAL(ends[i].value, i + 1);
		}
	}
	CU_ASSERT_EQUAL(ask(&pair, 1, WEFT_NEVER, &one, NULL), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, one.calls == 1));
	pair_close(&pair);
}

static void more_than_the_window_is_back_pressure(void)
{
	struct weft_channel_opts opts;
	struct end ends[5];
	struct pair pair;

	weft_channel_opts_init(&opts, sizeof opts);
	opts.request_window = 4;
	pair_open(&pair, &opts);
	weft_channel_handle(pair.far_channel, add_one, NULL);
	pair_connect(&pair);
	for (unsigned int i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(ask(&pair, i, WEFT_NEVER, &ends[i], NULL), 0);
	CU_ASSERT_EQUAL(ask(&pair, 4, WEFT_NEVER, &ends[4], NULL), -WEFT_EAGAIN);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, pair.events[WEFT_SENDER_WRITABLE] > 0));
	CU_ASSERT_EQUAL(ask(&pair, 4, WEFT_NEVER, &ends[4], NULL), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, ends[4].calls == 1));
	pair_close(&pair);
}

static struct weft_call *deferred;

static void defer(struct weft_rx *rx, void *user)
{
	unsigned int *count = user;

	CU_ASSERT_EQUAL(weft_rx_defer(rx, &deferred), 0);
	++*count;
}

static void a_request_can_be_answered_later(void)
{
	unsigned int count = 0;
	uint64_t value = 7;
	struct pair pair;
	struct end end;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, defer, &count);
	pair_connect(&pair);
	CU_ASSERT_EQUAL(ask(&pair, 1, WEFT_NEVER, &end, NULL), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, count == 1));
	CU_ASSERT_EQUAL(end.calls, 0);
	CU_ASSERT_EQUAL(weft_call_reply(deferred, 0, &value, sizeof value), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, end.calls == 1));
	CU_ASSERT_EQUAL(end.value, 7);
	pair_close(&pair);
}

static void a_deadline_ends_a_request_and_the_late_reply_answers_nobody(void)
{
	unsigned int count = 0;
	uint64_t value = 7, now_ns = weft_clock_now(weft_clock_real());
	struct end end, second;
	struct pair pair;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, defer, &count);
	pair_connect(&pair);
	CU_ASSERT_EQUAL(ask(&pair, 1, now_ns + 2000000, &end, NULL), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, end.calls == 1));
	CU_ASSERT_EQUAL(end.status, -WEFT_ETIMEDOUT);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, count == 1));
	weft_channel_handle(pair.far_channel, add_one, NULL);
	CU_ASSERT_EQUAL(ask(&pair, 100, WEFT_NEVER, &second, NULL), 0);
	CU_ASSERT_EQUAL(weft_call_reply(deferred, 0, &value, sizeof value), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, second.calls == 1));
	CU_ASSERT_EQUAL(second.value, 101);
	CU_ASSERT_EQUAL(end.calls, 1);
	pair_close(&pair);
}

static void a_cancelled_request_ends_once(void)
{
	unsigned int count = 0;
	struct weft_op *op;
	struct pair pair;
	struct end end;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, defer, &count);
	pair_connect(&pair);
	CU_ASSERT_EQUAL(ask(&pair, 1, WEFT_NEVER, &end, &op), 0);
	weft_op_cancel(op);
	CU_ASSERT_EQUAL(end.calls, 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, end.calls == 1 && count == 1));
	CU_ASSERT_EQUAL(end.status, -WEFT_ECANCELED);
	CU_ASSERT_EQUAL(weft_call_reply(deferred, 0, "", 0), 0);
	for (int i = 0; i < 1000; i++)
		pair_turn(&pair);
	CU_ASSERT_EQUAL(end.calls, 1);
	pair_close(&pair);
}

static void refuse(struct weft_rx *rx, void *user)
{
	(void)user;
	CU_ASSERT_EQUAL(weft_reply_error(rx, -WEFT_EACCES), 0);
}

static void an_error_can_be_the_answer(void)
{
	struct pair pair;
	struct end end;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, refuse, NULL);
	pair_connect(&pair);
	CU_ASSERT_EQUAL(ask(&pair, 1, WEFT_NEVER, &end, NULL), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, end.calls == 1));
	CU_ASSERT_EQUAL(end.status, -WEFT_EACCES);
	pair_close(&pair);
}

static void large(struct weft_rx *rx, void *user)
{
	CU_ASSERT_TRUE(rx->len_bytes == 50000);
	(void)weft_reply(rx, user, 60000);
}

static void large_requests_and_replies_are_lent(void)
{
	unsigned char *data = calloc(1, 60000);
	struct end end = {.status = 1};
	struct pair pair;

	data[0] = 9;
	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, large, data);
	pair_connect(&pair);
	CU_ASSERT_TRUE(
		PAIR_UNTIL(&pair, weft_request(pair.sender, data, 50000, WEFT_NEVER, on_reply, &end, NULL) == 0));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, end.calls == 1));
	CU_ASSERT_EQUAL(end.status, 0);
	CU_ASSERT_EQUAL(end.len_bytes, 60000);
	CU_ASSERT_EQUAL(end.value & 0xff, 9);
	pair_close(&pair);
	free(data);
}

static void echo(struct weft_rx *rx, void *user)
{
	(void)user;
	CU_ASSERT_EQUAL(weft_reply(rx, rx->data, rx->len_bytes), 0);
}

static void keep_reply(struct weft_rx *reply, int status, void *user)
{
	CU_ASSERT_EQUAL_FATAL(status, 0);
	CU_ASSERT_EQUAL(weft_rx_keep(reply, user), 0);
}

static void replies_small_and_large_can_be_kept(void)
{
	static const size_t lens_bytes[] = {1, 100000};
	char *data = malloc(lens_bytes[1]);
	struct weft_loan *kept;
	struct pair pair;

	memset(data, 'r', lens_bytes[1]);
	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, echo, NULL);
	pair_connect(&pair);
	for (unsigned int i = 0; i < 2; i++) {
		kept = NULL;
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_request(pair.sender, data, lens_bytes[i], WEFT_NEVER, keep_reply,
							      &kept, NULL) == 0));
		CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, kept != NULL));
		pair_turn(&pair);
		CU_ASSERT_EQUAL_FATAL(weft_loan_len(kept), lens_bytes[i]);
		CU_ASSERT_EQUAL(memcmp(weft_loan_data(kept), data, lens_bytes[i]), 0);
		weft_loan_release(kept);
	}
	pair_close(&pair);
	free(data);
}

static void a_lost_peer_ends_its_requests(void)
{
	unsigned int count = 0;
	struct pair pair;
	struct end end;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, defer, &count);
	pair_connect(&pair);
	CU_ASSERT_EQUAL(ask(&pair, 1, WEFT_NEVER, &end, NULL), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, count == 1));
	weft_node_close(&pair.far);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, end.calls == 1));
	CU_ASSERT_EQUAL(end.status, -WEFT_ECLOSED);
	pair_close(&pair);
}

/* The numbers of the requests in the order in which they were answered. */
static uint64_t answered[64];
static unsigned int answered_count;

static void note(struct weft_rx *reply, int status, void *user)
{
	CU_ASSERT_EQUAL(status, 0);
	(void)user;
	if (reply)
		memcpy(&answered[answered_count++ % 64], reply->data, 8);
}

static void requests_that_go_together_are_answered_in_order(void)
{
	struct pair pair;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, add_one, NULL);
	pair_connect(&pair);
	for (unsigned int together = 1; together <= 20; together++) {
		answered_count = 0;
		for (uint64_t i = 0; i < together; i++)
			CU_ASSERT_EQUAL(weft_request_more(pair.sender, &i, sizeof i, WEFT_NEVER, note, NULL, NULL), 0);
		/* The end of the turn commits what is still held back. */
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, answered_count == together));
		for (uint64_t i = 0; i < together; i++)
			CU_ASSERT_EQUAL(answered[i], i + 1);
	}
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_request_is_answered),
		SUITE_CASE(requests_that_go_together_are_answered_in_order),
		SUITE_CASE(a_window_of_requests_is_answered_each_with_its_own),
		SUITE_CASE(more_than_the_window_is_back_pressure),
		SUITE_CASE(a_request_can_be_answered_later),
		SUITE_CASE(a_deadline_ends_a_request_and_the_late_reply_answers_nobody),
		SUITE_CASE(a_cancelled_request_ends_once),
		SUITE_CASE(an_error_can_be_the_answer),
		SUITE_CASE(large_requests_and_replies_are_lent),
		SUITE_CASE(replies_small_and_large_can_be_kept),
		SUITE_CASE(a_lost_peer_ends_its_requests),
	};

	return suite_main("request", cases, SUITE_COUNT(cases), argc, argv);
}

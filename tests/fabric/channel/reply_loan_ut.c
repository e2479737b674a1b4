/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that an answer can be a loan: handed over without a copy at any size, taken unless it fails, and home when the
 * requester has read it; a received loan is passed on as a copy.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <string.h>

#define LARGE_BYTES 300000u

static struct {
	size_t len_bytes; /* of the answer */
	bool pass_on;     /* the request itself, kept */
	int rc, again_rc; /* of the answers */
	unsigned int replies;
	int status;
	size_t got_bytes;
	bool whole;
} talk;

static void answer(struct weft_rx *rx, void *user)
{
	struct weft_loan *loan = NULL;
	int rc;

	(void)user;
	if (talk.pass_on)
		rc = weft_rx_keep(rx, &loan);
	else
		rc = weft_loan_get(rx->worker, talk.len_bytes, &loan);
	if (rc == -WEFT_EAGAIN) { /* memory of that size is being made */
		CU_ASSERT_EQUAL(weft_reply_error(rx, rc), 0);
		return;
	}
	CU_ASSERT_EQUAL_FATAL(rc, 0);
	if (!talk.pass_on && talk.len_bytes)
		memset(weft_loan_data(loan), 'a', talk.len_bytes);
	weft_loan_share(loan);
	talk.rc = weft_reply_loan(rx, loan);
	if (talk.rc == -WEFT_EAGAIN) { /* for a copy there was none: the loan stays here, and so does the answer */
		weft_loan_release(loan);
		CU_ASSERT_EQUAL(weft_reply_error(rx, talk.rc), 0);
	}
	talk.again_rc = weft_reply_loan(rx, loan); /* which fails, and leaves the loan here */
	weft_loan_release(loan);
}

static void on_reply(struct weft_rx *reply, int status, void *user)
{
	const char *data = reply ? reply->data : NULL;

	(void)user;
	talk.replies++;
	talk.status = status;
	if (!reply)
		return;
	talk.got_bytes = reply->len_bytes;
	talk.whole = true;
	for (size_t i = 0; i < reply->len_bytes; i++)
		talk.whole &= data[i] == 'a';
}

/* Asks until there was memory for the answer. */
static void ask(struct pair *pair, const void *data, size_t len_bytes)
{
	unsigned int before;

	do {
		before = talk.replies;
		CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(pair, weft_request(pair->sender, data, len_bytes, WEFT_NEVER, on_reply,
								   NULL, NULL) == 0));
		CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(pair, talk.replies == before + 1));
	} while (talk.status == -WEFT_EAGAIN);
}

static struct weft_node_stats stats_of(struct weft_node *node)
{
	struct weft_node_stats stats;

	weft_node_describe(node, &stats);
	return stats;
}

static void answers_of_every_size_are_handed_over_and_come_home(void)
{
	static const size_t lens[] = {0, 1, 200, 5000, LARGE_BYTES};
	struct pair pair;

	memset(&talk, 0, sizeof talk);
	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, answer, NULL);
	pair_connect(&pair);
	for (unsigned int i = 0; i < sizeof lens / sizeof *lens; i++) {
		talk.len_bytes = lens[i];
		ask(&pair, "?", 1);
		CU_ASSERT_EQUAL(talk.rc, 0);
		CU_ASSERT_EQUAL(talk.again_rc, -WEFT_EINVAL);
		CU_ASSERT_EQUAL(talk.status, 0);
		CU_ASSERT_EQUAL(talk.got_bytes, lens[i]);
		CU_ASSERT_TRUE(talk.whole);
	}
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, stats_of(pair.far).loans_out == 0));
	CU_ASSERT_EQUAL(stats_of(pair.far).copied_bytes, 0);
	pair_close(&pair);
}

static void a_received_loan_is_answered_with_as_a_copy(void)
{
	static char data[LARGE_BYTES];
	struct pair pair;

	memset(&talk, 0, sizeof talk);
	memset(data, 'a', sizeof data);
	talk.pass_on = true;
	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, answer, NULL);
	pair_connect(&pair);
	ask(&pair, data, sizeof data);
	CU_ASSERT_EQUAL(talk.got_bytes, sizeof data);
	CU_ASSERT_TRUE(talk.whole);
	CU_ASSERT_TRUE(stats_of(pair.far).copied_bytes >= sizeof data);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, stats_of(pair.near).loans_out == 0 && stats_of(pair.far).loans_out == 0));
	pair_close(&pair);
}

static unsigned int plain;

static void answer_no_request(struct weft_rx *rx, void *user)
{
	struct weft_loan *loan;

	(void)user;
	CU_ASSERT_EQUAL_FATAL(weft_loan_get(rx->worker, 100, &loan), 0);
	CU_ASSERT_EQUAL(weft_reply_loan(rx, loan), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(weft_loan_len(loan), 100); /* still ours */
	weft_loan_release(loan);
	plain++;
}

static void what_is_no_request_is_not_answered_and_the_loan_stays(void)
{
	struct pair pair;

	plain = 0;
	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, answer_no_request, NULL);
	pair_connect(&pair);
	CU_ASSERT_EQUAL(weft_send(pair.sender, "!", 1), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, plain == 1));
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(answers_of_every_size_are_handed_over_and_come_home),
		SUITE_CASE(a_received_loan_is_answered_with_as_a_copy),
		SUITE_CASE(what_is_no_request_is_not_answered_and_the_loan_stays),
	};

	return suite_main("reply with a loan", cases, SUITE_COUNT(cases), argc, argv);
}

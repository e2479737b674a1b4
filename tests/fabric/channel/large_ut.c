/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a message is either sent, however long it is, or refused by a code that says why: none is told to try again
 * for ever.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#define MIB ((size_t)1 << 20)
#define LIMIT_BYTES (24 * MIB)
#define BEYOND_BYTES (40 * MIB)

static void check_message(struct weft_rx *rx, void *user)
{
	const char *bytes = rx->data;

	*(size_t *)user = rx->len_bytes && bytes[0] == 'a' && bytes[rx->len_bytes - 1] == 'z' ? rx->len_bytes : 0;
}

static void open_limited(struct pair *pair, size_t memory_max_bytes, size_t *got)
{
	struct weft_channel_opts opts;

	weft_channel_opts_init(&opts, sizeof opts);
	opts.max_message_bytes = (size_t)1 << 30;
	*got = 0;
	pair_open_memory(pair, &opts, memory_max_bytes);
	weft_channel_handle(pair->far_channel, check_message, got);
	pair_connect(pair);
}

static int get_loan(struct pair *pair, size_t len_bytes, struct weft_loan **loan)
{
	int rc = -WEFT_EAGAIN;

	(void)PAIR_UNTIL(pair, (rc = weft_loan_get(pair->near_worker, len_bytes, loan)) != -WEFT_EAGAIN);
	return rc;
}

static void fill(struct weft_loan *loan)
{
	char *bytes = weft_loan_data(loan);

	bytes[0] = 'a';
	bytes[weft_loan_len(loan) - 1] = 'z';
}

static bool loan_arrives(struct pair *pair, size_t len_bytes, const size_t *got)
{
	struct weft_loan *loan = NULL;
	int rc = -WEFT_EAGAIN;

	CU_ASSERT_EQUAL_FATAL(get_loan(pair, len_bytes, &loan), 0);
	fill(loan);
	return PAIR_UNTIL(pair, (rc = weft_send_loan(pair->sender, loan, NULL)) != -WEFT_EAGAIN) && rc == 0 &&
	       PAIR_UNTIL(pair, *got == len_bytes);
}

static void a_message_longer_than_a_segment_arrives(void)
{
	struct pair pair;
	size_t got;

	/* More than a segment, than the window, and than a quarter of the memory, which is what a peer may hold else. */
	open_limited(&pair, 256 * MIB, &got);
	CU_ASSERT_TRUE(loan_arrives(&pair, 80 * MIB, &got));
	CU_ASSERT_TRUE(loan_arrives(&pair, 80 * MIB, &got));
	pair_close(&pair);
}

static void a_loan_beyond_the_limit_is_refused_for_good(void)
{
	struct weft_loan *loan = NULL;
	struct pair pair;
	size_t got;

	open_limited(&pair, LIMIT_BYTES, &got);
	CU_ASSERT_EQUAL(get_loan(&pair, BEYOND_BYTES, &loan), -WEFT_ENOMEM);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "memory_max_bytes"));
	CU_ASSERT_EQUAL(weft_loan_get(pair.near_worker, (size_t)2 << 30, &loan), -WEFT_EMSGSIZE);
	/* What fits still does. */
	CU_ASSERT_TRUE(loan_arrives(&pair, 4 * MIB, &got));
	pair_close(&pair);
}

static void a_copy_beyond_the_limit_is_refused_for_good(void)
{
	char *data = calloc(1, BEYOND_BYTES);
	int rc = -WEFT_EAGAIN;
	struct pair pair;
	size_t got;

	open_limited(&pair, LIMIT_BYTES, &got);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, (rc = weft_send(pair.sender, data, BEYOND_BYTES)) != -WEFT_EAGAIN));
	CU_ASSERT_EQUAL(rc, -WEFT_ENOMEM);
	CU_ASSERT_EQUAL(weft_send(pair.sender, "small", 5), 0);
	pair_close(&pair);
	free(data);
}

static void count_status(struct weft_op *op, int status, void *user)
{
	int *statuses = user;

	(void)op;
	statuses[0]++;
	statuses[1] = status;
}

static void foreign_memory_beyond_the_limit_ends_once_with_why(void)
{
	struct iovec iov = {calloc(1, BEYOND_BYTES), BEYOND_BYTES};
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	int statuses[2] = {0, 1};
	struct pair pair;
	size_t got;

	open_limited(&pair, LIMIT_BYTES, &got);
	how.done = count_status;
	how.user = statuses;
	CU_ASSERT_EQUAL(weft_sendv(pair.sender, &iov, 1, &how), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, statuses[0] == 1));
	CU_ASSERT_EQUAL(statuses[1], -WEFT_ENOMEM);
	/* The lane goes on. */
	CU_ASSERT_EQUAL(weft_send(pair.sender, "small", 5), 0);
	pair_close(&pair);
	CU_ASSERT_EQUAL(statuses[0], 1);
	free(iov.iov_base);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_message_longer_than_a_segment_arrives),
		SUITE_CASE(a_loan_beyond_the_limit_is_refused_for_good),
		SUITE_CASE(a_copy_beyond_the_limit_is_refused_for_good),
		SUITE_CASE(foreign_memory_beyond_the_limit_ends_once_with_why),
	};

	return suite_main("large", cases, SUITE_COUNT(cases), argc, argv);
}

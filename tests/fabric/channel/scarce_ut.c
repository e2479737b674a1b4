/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that what a node lends comes home soon when its memory runs out, whatever its readers keep, and only then; and
 * that one without memory still takes what comes to it.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <string.h>

#define MIB ((size_t)1 << 20)
#define LIMIT_BYTES (24 * MIB)
#define TAKEN_MAX 2000

struct keeper {
	struct weft_loan *kept;
	size_t len_bytes;
};

struct taken {
	struct weft_loan *loans[TAKEN_MAX];
	unsigned int count;
};

static void keep(struct weft_rx *rx, void *user)
{
	struct keeper *keeper = user;

	CU_ASSERT_EQUAL(weft_rx_keep(rx, &keeper->kept), 0);
	keeper->len_bytes = rx->len_bytes;
	CU_ASSERT_EQUAL(((const char *)rx->data)[rx->len_bytes - 1], 'z'); /* still there after it was kept */
}

static void open_scarce(struct pair *pair, struct keeper *keeper)
{
	*keeper = (struct keeper){0};
	pair_open_memory(pair, NULL, LIMIT_BYTES);
	weft_channel_handle(pair->far_channel, keep, keeper);
	pair_connect(pair);
}

/* Takes what memory of a node there is now. */
static void take_all(struct weft_worker *worker, struct taken *taken)
{
	static const size_t classes[] = {MIB, 64 << 10, 16 << 10, 2 << 10, 256};

	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
		while (taken->count < TAKEN_MAX && weft_loan_get(worker, classes[i], &taken->loans[taken->count]) == 0)
			taken->count++;
}

static void take_memory(struct pair *pair, struct taken *taken)
{
	take_all(pair->near_worker, taken);
}

static void give_back(struct taken *taken)
{
	while (taken->count)
		weft_loan_release(taken->loans[--taken->count]);
}

static struct weft_loan *get(struct pair *pair, size_t len_bytes)
{
	struct weft_loan *loan = NULL;

	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(pair, weft_loan_get(pair->near_worker, len_bytes, &loan) == 0));
	return loan;
}

static void send_and_have_kept(struct pair *pair, struct keeper *keeper, struct weft_loan *loan)
{
	size_t len_bytes = weft_loan_len(loan);
	char *data = weft_loan_data(loan);

	memset(data, 'a', len_bytes);
	data[len_bytes - 1] = 'z';
	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(pair, weft_send_loan(pair->sender, loan, NULL) == 0));
	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(pair, keeper->kept != NULL));
	CU_ASSERT_EQUAL(keeper->len_bytes, len_bytes);
	CU_ASSERT_EQUAL(weft_loan_len(keeper->kept), len_bytes);
}

static uint64_t loans_out(struct pair *pair)
{
	struct weft_node_stats stats;

	weft_node_describe(pair->near, &stats);
	return stats.loans_out;
}

static bool is_whole(const struct keeper *keeper)
{
	const char *data = weft_loan_data(keeper->kept);

	for (size_t i = 0; i + 1 < keeper->len_bytes; i++)
		if (data[i] != 'a')
			return false;
	return data[keeper->len_bytes - 1] == 'z';
}

static void let_go(struct pair *pair, struct keeper *keeper)
{
	weft_loan_release(keeper->kept);
	keeper->kept = NULL;
	CU_ASSERT_TRUE(PAIR_UNTIL(pair, loans_out(pair) == 0));
}

/* Whether what is lent comes home while the reader keeps the message. */
static bool is_spared(struct pair *pair, struct keeper *keeper, struct weft_loan *loan)
{
	bool spared = false;

	send_and_have_kept(pair, keeper, loan);
	for (unsigned int i = 0; i < 1000 && !spared; i++) {
		pair_turn(pair);
		spared = loans_out(pair) == 0;
	}
	CU_ASSERT_TRUE(is_whole(keeper));
	let_go(pair, keeper);
	return spared;
}

static void a_kept_message_of_a_sender_without_memory_is_a_copy(void)
{
	static struct taken taken;
	struct keeper keeper;
	struct pair pair;
	struct weft_loan *loan;

	open_scarce(&pair, &keeper);
	loan = get(&pair, 16 << 10);
	/* The runner may still find some memory, until the limit. */
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, (take_memory(&pair, &taken), is_spared(&pair, &keeper, loan)) ||
						 (loan = get(&pair, 16 << 10), false)));
	give_back(&taken);
	pair_close(&pair);
}

static void one_of_a_sender_with_memory_stays_where_it_is(void)
{
	struct keeper keeper;
	struct pair pair;

	open_scarce(&pair, &keeper);
	CU_ASSERT_FALSE(is_spared(&pair, &keeper, get(&pair, 16 << 10)));
	pair_close(&pair);
}

static void a_long_one_stays_where_it_is(void)
{
	static struct taken taken;
	struct weft_loan *loan, *longer;
	struct keeper keeper;
	struct pair pair;

	open_scarce(&pair, &keeper);
	longer = get(&pair, 100 << 10);
	loan = get(&pair, 16 << 10);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, (take_memory(&pair, &taken), is_spared(&pair, &keeper, loan)) ||
						 (loan = get(&pair, 16 << 10), false)));
	CU_ASSERT_FALSE(is_spared(&pair, &keeper, longer));
	give_back(&taken);
	pair_close(&pair);
}

static unsigned int got;

static void check_received(struct weft_op *op, int status, const struct weft_received *received, void *user)
{
	(void)op, (void)user;
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(*(const unsigned char *)received->data, got);
	got++;
}

static void what_nobody_receives_yet_waits_also_where_there_is_no_memory(void)
{
	static struct taken taken;
	struct weft_loan *loan;
	struct pair pair;
	char buffer[8];

	got = 0;
	pair_open_memory(&pair, NULL, 8 * MIB);
	CU_ASSERT_EQUAL(weft_recv_post(pair.far_worker, pair.far_channel, buffer, sizeof buffer, 999, UINT64_MAX, NULL,
				       NULL, NULL),
			0);
	pair_connect(&pair);
	for (unsigned int i = 0; i < 100; i++) { /* with what the runner still finds */
		take_all(pair.far_worker, &taken);
		pair_turn(&pair);
	}
	CU_ASSERT_TRUE(taken.count < TAKEN_MAX);
	CU_ASSERT_EQUAL(weft_loan_get(pair.far_worker, 1, &loan), -WEFT_EAGAIN);
	for (unsigned char i = 0; i < 10; i++)
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_send(pair.sender, &i, 1) == 0));
	for (unsigned int i = 0; i < 100; i++)
		pair_turn(&pair);
	for (unsigned int i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(weft_recv_post(pair.far_worker, pair.far_channel, buffer, sizeof buffer, 0, UINT64_MAX,
					       check_received, NULL, NULL),
				0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got == 10));
	CU_ASSERT_EQUAL(weft_sender_status(pair.sender), 0);
	give_back(&taken);
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_kept_message_of_a_sender_without_memory_is_a_copy),
		SUITE_CASE(one_of_a_sender_with_memory_stays_where_it_is),
		SUITE_CASE(a_long_one_stays_where_it_is),
		SUITE_CASE(what_nobody_receives_yet_waits_also_where_there_is_no_memory),
	};

	return suite_main("scarce", cases, SUITE_COUNT(cases), argc, argv);
}

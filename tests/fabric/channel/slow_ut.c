/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that whoever is slow holds up nobody else: a channel whose messages nothing takes, a peer that does not turn, and
 * a reader that keeps all that it was lent, each beside others that go on as if it were not there.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MANY 2000u
#define KEPT_MAX 64u
#define LOAN_BYTES ((size_t)1 << 20)

static struct weft_loan *kept[KEPT_MAX];
static unsigned int kept_count;

static void count(struct weft_rx *rx, void *user)
{
	(void)rx;
	++*(unsigned int *)user;
}

static void keep(struct weft_rx *rx, void *user)
{
	(void)user;
	if (kept_count < KEPT_MAX && weft_rx_keep(rx, &kept[kept_count]) == 0)
		kept_count++;
}

static void let_go(void)
{
	while (kept_count)
		weft_loan_release(kept[--kept_count]);
}

/* One more node with the channel of the pair. */
struct third {
	struct weft_node *node;
	struct weft_worker *worker;
	struct weft_channel *channel;
	struct weft_sender *sender; /* from near to it */
};

static void third_open(struct third *third, struct pair *pair, weft_rx_fn *handler, void *user)
{
	struct weft_node_opts opts;
	char name[48];

	snprintf(name, sizeof name, "test-%d-third", (int)getpid());
	weft_node_opts_init(&opts, sizeof opts);
	opts.name = name;
	opts.worker_count = 0;
	CU_ASSERT_EQUAL_FATAL(weft_node_open(&opts, &third->node), 0);
	third->worker = weft_node_worker(third->node, 0);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(third->node, "test", NULL, &third->channel), 0);
	weft_channel_handle(third->channel, handler, user);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair->near_worker, pair->near_channel, name, NULL, &third->sender), 0);
	CU_ASSERT_TRUE_FATAL(
		PAIR_UNTIL(pair, (weft_worker_poll(third->worker), weft_sender_status(third->sender) == 0)));
}

static void turn_without_far(const struct pair *pair, const struct third *third)
{
	weft_worker_poll(pair->near_worker);
	weft_worker_poll(third->worker);
}

/* Until the condition holds, with far standing still. */
#define WITHOUT_FAR_UNTIL(pair, third, condition) PATIENCE_UNTIL(turn_without_far(pair, third), condition)

static bool send_to(struct weft_sender *sender, unsigned int *sent)
{
	*sent += weft_send(sender, sent, sizeof *sent) == 0;
	return *sent == MANY;
}

/* Sends until nothing has been taken for many turns; returns how much was. The first may wait for memory to be shared. */
static unsigned int send_until_stuck(struct pair *pair, struct weft_sender *sender, const void *data, size_t len_bytes)
{
	unsigned int sent = PAIR_UNTIL(pair, weft_send(sender, data, len_bytes) == 0);

	for (unsigned int refused = 0; sent && refused < 3 * MANY; refused++) {
		while (weft_send(sender, data, len_bytes) == 0) {
			sent++;
			refused = 0;
		}
		pair_turn(pair);
	}
	return sent;
}

static void a_channel_whose_messages_nobody_takes_holds_up_no_other_of_its_link(void)
{
	static const size_t lens[] = {8, 5000};
	char buffer[8];

	for (unsigned int i = 0; i < sizeof lens / sizeof *lens; i++) {
		struct weft_channel *near_stuck, *far_stuck;
		unsigned int sent = 0, got = 0, stuck_sent;
		static char data[5000];
		struct weft_sender *stuck;
		struct pair pair;

		pair_open(&pair, NULL);
		weft_channel_handle(pair.far_channel, count, &got);
		pair_connect(&pair);
		CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair.near, "stuck", NULL, &near_stuck), 0);
		CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair.far, "stuck", NULL, &far_stuck), 0);
		/* A receive that nothing fits: so there is credit, and what comes waits. */
		CU_ASSERT_EQUAL(weft_recv_post(pair.far_worker, far_stuck, buffer, sizeof buffer, 1, UINT64_MAX, NULL,
					       NULL, NULL),
				0);
		CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.near_worker, near_stuck, weft_node_name(pair.far), NULL,
						       &stuck),
				      0);
		CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, weft_sender_status(stuck) == 0));
		stuck_sent = send_until_stuck(&pair, stuck, data, lens[i]);
		CU_ASSERT_TRUE(stuck_sent >= 10 && stuck_sent <= 1024);
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, send_to(pair.sender, &sent)));
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got == MANY));
		CU_ASSERT_EQUAL(weft_sender_status(stuck), 0);
		pair_close(&pair);
	}
}

static void a_peer_that_stands_still_holds_up_no_other(void)
{
	unsigned int far_got = 0, third_got = 0, far_sent = 0, third_sent = 0;
	static char data[5000];
	struct third third;
	struct pair pair;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, count, &far_got);
	pair_connect(&pair);
	third_open(&third, &pair, count, &third_got);
	/* Until its ring is full of loans and of small messages, and then on. */
	for (unsigned int turn = 0; turn < MANY; turn++) {
		far_sent += weft_send(pair.sender, data, sizeof data) == 0;
		far_sent += weft_send(pair.sender, data, 8) == 0;
		weft_worker_poll(pair.near_worker);
	}
	CU_ASSERT_TRUE(far_sent > 0);
	CU_ASSERT_EQUAL(weft_send(pair.sender, data, 8), -WEFT_EAGAIN);
	CU_ASSERT_TRUE(WITHOUT_FAR_UNTIL(&pair, &third, send_to(third.sender, &third_sent)));
	CU_ASSERT_TRUE(WITHOUT_FAR_UNTIL(&pair, &third, third_got == MANY));
	/* And when it turns again it gets everything. */
	CU_ASSERT_EQUAL(far_got, 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, far_got == far_sent));
	weft_node_close(&third.node);
	pair_close(&pair);
}

/* Fills a loan and lends it to both; returns whether the third was lent it. */
static bool fan_out(struct pair *pair, struct third *third, unsigned int *far_lent)
{
	struct weft_loan *loan;
	bool lent;

	if (weft_loan_get(pair->near_worker, LOAN_BYTES, &loan) < 0)
		return false;
	memset(weft_loan_data(loan), 'x', LOAN_BYTES);
	weft_loan_share(loan);
	if (weft_send_loan(pair->sender, loan, NULL) == 0)
		++*far_lent;
	else
		weft_loan_release(loan);
	lent = weft_send_loan(third->sender, loan, NULL) == 0;
	if (!lent)
		weft_loan_release(loan);
	return lent;
}

static void a_reader_that_keeps_all_it_was_lent_leaves_the_others_theirs(void)
{
	unsigned int third_got = 0, far_lent = 0, third_lent = 0;
	struct weft_node_stats stats;
	struct third third;
	struct pair pair;

	kept_count = 0;
	pair_open_memory(&pair, NULL, (size_t)64 << 20);
	weft_channel_handle(pair.far_channel, keep, NULL);
	pair_connect(&pair);
	third_open(&third, &pair, count, &third_got);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, (weft_worker_poll(third.worker),
					  (third_lent += fan_out(&pair, &third, &far_lent)) == 300)));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, (weft_worker_poll(third.worker), third_got == 300)));
	/* A quarter of the memory at the most, and all of it again at the end. */
	CU_ASSERT_TRUE(far_lent > 0 && far_lent <= 16);
	CU_ASSERT_EQUAL(kept_count, far_lent);
	let_go();
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, (weft_worker_poll(third.worker), weft_node_describe(pair.near, &stats),
					  stats.loans_out == 0)));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, (weft_worker_poll(third.worker), fan_out(&pair, &third, &far_lent))));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, (weft_worker_poll(third.worker), third_got == 301 && kept_count == 1)));
	let_go();
	weft_node_close(&third.node);
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_channel_whose_messages_nobody_takes_holds_up_no_other_of_its_link),
		SUITE_CASE(a_peer_that_stands_still_holds_up_no_other),
		SUITE_CASE(a_reader_that_keeps_all_it_was_lent_leaves_the_others_theirs),
	};

	return suite_main("slow", cases, SUITE_COUNT(cases), argc, argv);
}

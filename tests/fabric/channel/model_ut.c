/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves channels, credits and loans against a simple reference: random copies and loans on random lanes to a receiver
 * that keeps some messages for a while. Each arrives once, whole and in the order of its lane; no lane ever has more
 * unconsumed than its window; what was refused never arrives; what is said to be delivered or sent is so, once; and at
 * the end every buffer is home. Prints its seed; give one in WEFT_TEST_SEED to repeat it.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/random.h>

#define STEPS 4000u
#define ROUNDS 6u
#define LANES 4u
#define KEPT_MAX 64u

struct message {
	uint32_t len_bytes;
	uint32_t seed;
	uint8_t lane;
	enum weft_completion completion;
	bool is_loan, arrived, consumed, done;
};

static struct {
	struct weft_random random;
	struct weft_channel_opts opts;
	struct message messages[2 * STEPS];
	uint32_t count; /* accepted so far */
	struct {
		uint32_t fifo[2 * STEPS]; /* messages in the order in which they were accepted */
		uint32_t head, tail;
		uint64_t out_messages, out_bytes; /* accepted and not consumed */
	} lanes[LANES];
	struct {
		struct weft_loan *loan;
		uint32_t number;
	} kept[KEPT_MAX];
	unsigned int kept_count;
	unsigned int wrong, dones, arrived;
} model;

/* Counts what the reference does not have, and says the first of it. */
static void expect(bool holds, const char *what)
{
	if (holds)
		return;
	if (!model.wrong++)
		printf("\n\tnot so: %s (message %u) ", what, model.count);
}
#define EXPECT(condition) expect(condition, #condition)

static uint32_t below(uint32_t bound)
{
	return (uint32_t)weft_random_below(&model.random, bound);
}

static unsigned char byte_of(uint32_t seed, size_t at)
{
	return (unsigned char)(seed * 13 + at * 3 + (at >> 9));
}

static void fill(void *to, size_t len_bytes, uint32_t seed)
{
	for (size_t i = 0; i < len_bytes; i++)
		((unsigned char *)to)[i] = byte_of(seed, i);
}

static bool holds(const void *bytes, size_t len_bytes, uint32_t seed)
{
	for (size_t i = 0; i < len_bytes; i++)
		if (((const unsigned char *)bytes)[i] != byte_of(seed, i))
			return false;
	return true;
}

/* ---- the receiver ---- */

static void consume(uint32_t number)
{
	struct message *message = &model.messages[number];

	EXPECT(!message->consumed);
	message->consumed = true;
	model.lanes[message->lane].out_messages--;
	model.lanes[message->lane].out_bytes -= message->len_bytes;
}

static void on_message(struct weft_rx *rx, void *user)
{
	uint32_t number = (uint32_t)rx->tag, lane = (uint32_t)rx->immediate;
	struct message *message;

	(void)user;
	if (lane >= LANES || model.lanes[lane].head == model.lanes[lane].tail ||
	    model.lanes[lane].fifo[model.lanes[lane].head++] != number) {
		expect(false, "it is next on its lane");
		return;
	}
	message = &model.messages[number];
	message->arrived = true;
	EXPECT(rx->len_bytes == message->len_bytes && holds(rx->data, rx->len_bytes, message->seed));
	if (model.kept_count < KEPT_MAX && below(4) == 0 && weft_rx_keep(rx, &model.kept[model.kept_count].loan) == 0)
		model.kept[model.kept_count++].number = number;
	else
		consume(number);
}

static void on_any(struct weft_rx *rx, void *user)
{
	(void)rx;
	(void)user;
	model.arrived++;
}

static void let_go(unsigned int i)
{
	uint32_t number = model.kept[i].number;

	EXPECT(holds(weft_loan_data(model.kept[i].loan), model.messages[number].len_bytes,
		     model.messages[number].seed));
	consume(number);
	weft_loan_release(model.kept[i].loan);
	model.kept[i] = model.kept[--model.kept_count];
}

/* ---- the sender ---- */

static void on_done(struct weft_op *op, int status, void *user)
{
	struct message *message = user;

	(void)op;
	EXPECT(status == 0);
	EXPECT(message->completion != WEFT_ACCEPTED && !message->done);
	/* Delivered: the handler has returned. Sent: the memory is ours again, for a loan when it was given back. */
	EXPECT(message->completion != WEFT_DELIVERED || message->arrived);
	EXPECT(message->completion != WEFT_SENT || !message->is_loan || message->consumed || pair_is_apart());
	message->done = true;
	model.dones++;
}

/* Sends one message as copy (loan NULL) or loan; returns whether it was taken. */
static bool send_one(struct pair *pair, const void *bytes, struct weft_loan *loan, uint32_t len_bytes, uint32_t seed)
{
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	uint32_t number = model.count, lane = below(model.opts.lanes);
	struct message *message = &model.messages[number];
	int rc;

	*message = (struct message){.len_bytes = len_bytes, .seed = seed, .lane = (uint8_t)lane, .is_loan = loan};
	how.has_header = true;
	how.tag = number;
	how.immediate = lane;
	how.partition_key = lane;
	if (below(5) == 0) {
		how.completion = message->completion = below(2) ? WEFT_DELIVERED : WEFT_SENT;
		how.done = on_done;
		how.user = message;
	} else if (below(3) == 0) {
		how.flags = WEFT_MORE;
	}
	rc = loan ? weft_send_loan(pair->sender, loan, &how) : weft_send_with(pair->sender, bytes, len_bytes, &how);
	EXPECT(rc == 0 || rc == -WEFT_EAGAIN);
	if (rc < 0)
		return false;
	model.count++;
	EXPECT(model.lanes[lane].out_messages < model.opts.window_messages);
	EXPECT(!model.lanes[lane].out_bytes || model.lanes[lane].out_bytes + len_bytes <= model.opts.window_bytes);
	model.lanes[lane].fifo[model.lanes[lane].tail++] = number;
	model.lanes[lane].out_messages++;
	model.lanes[lane].out_bytes += len_bytes;
	return true;
}

static uint32_t random_len(void)
{
	static const uint32_t limits[] = {1, 24, 64, 240, 300, 3000, 20000, 70000};

	return below(limits[below(8)] + 1);
}

static void send_copy(struct pair *pair)
{
	static unsigned char bytes[70000];
	uint32_t len_bytes = random_len(), seed = model.count;

	fill(bytes, len_bytes, seed);
	send_one(pair, bytes, NULL, len_bytes, seed);
	memset(bytes, 0, len_bytes); /* the copy was taken at once, or nothing was */
}

/* Once or twice the same loan. */
static void send_loan(struct pair *pair)
{
	uint32_t len_bytes = random_len() + 1, seed = model.count;
	struct weft_loan *loan;
	bool twice = below(3) == 0;

	if (weft_loan_get(pair->near_worker, len_bytes, &loan) < 0)
		return;
	fill(weft_loan_data(loan), len_bytes, seed);
	if (twice)
		weft_loan_share(loan);
	for (unsigned int i = 0; i < 1u + twice; i++)
		if (!send_one(pair, NULL, loan, len_bytes, seed))
			weft_loan_release(loan);
}

static bool all_done(void)
{
	unsigned int wanted = 0;

	for (uint32_t i = 0; i < model.count; i++) {
		if (!model.messages[i].consumed)
			return false;
		wanted += model.messages[i].completion != WEFT_ACCEPTED;
	}
	return wanted == model.dones;
}

static bool all_home(struct pair *pair)
{
	struct weft_node_stats near, far;

	weft_node_describe(pair->near, &near);
	weft_node_describe(pair->far, &far);
	return near.loans_out == 0 && far.loans_out == 0;
}

static void run_round(uint64_t seed)
{
	static const unsigned int windows[] = {1, 2, 16, 1024};
	struct pair pair;

	memset(&model, 0, sizeof model);
	weft_random_seed(&model.random, seed);
	weft_channel_opts_init(&model.opts, sizeof model.opts);
	model.opts.lanes = 1 + below(LANES);
	model.opts.window_messages = windows[below(4)];
	model.opts.window_bytes = below(2) ? 4 << 20 : 50000;
	model.opts.priority = (enum weft_priority)below(WEFT_PRIORITY_COUNT);
	pair_open(&pair, &model.opts);
	weft_channel_handle(pair.far_channel, on_message, NULL);
	pair_connect(&pair);
	for (unsigned int step = 0; step < STEPS; step++) {
		switch (below(4)) {
		case 0:
			send_copy(&pair);
			break;
		case 1:
			send_loan(&pair);
			break;
		case 2:
			if (model.kept_count)
				let_go(below(model.kept_count));
			break;
		default:
			pair_turn(&pair);
		}
	}
	while (model.kept_count)
		let_go(0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, (!model.kept_count || (let_go(0), false)) && all_done()));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, all_home(&pair)));
	CU_ASSERT_TRUE(model.count > 0);
	CU_ASSERT_EQUAL(model.wrong, 0);
	if (model.wrong || !all_done())
		printf("\n\tround seed %#llx: %u wrong ", (unsigned long long)seed, model.wrong);
	pair_close(&pair);
}

static void channels_do_what_a_simple_reference_does(void)
{
	const char *given = getenv("WEFT_TEST_SEED");
	uint64_t seed = 0;

	if (given)
		seed = strtoull(given, NULL, 0);
	else
		CU_ASSERT_EQUAL(weft_random_system(&seed), 0);
	printf("seed %#llx ", (unsigned long long)seed);
	for (unsigned int i = 0; i < ROUNDS; i++)
		run_round(seed + i);
}

/* Whoever waits for an empty lane must hear that it is empty, however little was on it. */
static void a_message_beyond_the_window_goes_when_the_lane_is_empty(void)
{
	static char big[70000];
	struct pair pair;

	memset(&model, 0, sizeof model);
	weft_channel_opts_init(&model.opts, sizeof model.opts);
	model.opts.window_bytes = 50000;
	pair_open(&pair, &model.opts);
	weft_channel_handle(pair.far_channel, on_any, NULL);
	pair_connect(&pair);
	for (unsigned int i = 1; i <= 10; i++) {
		CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, weft_send(pair.sender, big, 100) == 0));
		CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, weft_send(pair.sender, big, sizeof big) == 0));
		CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, model.arrived == 2 * i));
	}
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(channels_do_what_a_simple_reference_does),
		SUITE_CASE(a_message_beyond_the_window_goes_when_the_lane_is_empty),
	};

	return suite_main("channel model", cases, SUITE_COUNT(cases), argc, argv);
}

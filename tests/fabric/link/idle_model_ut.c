/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves the closing of idle links against a simple reference: two nodes send, ask, answer late, keep what they got, pause
 * and turn at random, with links that are closed whenever both find nothing to do. Each message arrives once and in its
 * order, each request ends once with its own answer, nobody hears of a loss, and links are closed again and again.
 * Prints its seed; give one in WEFT_TEST_SEED to repeat it, as far as threads let it.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/random.h>

#define ROUNDS_MIN 8u
#define ROUNDS_MAX 200u /* on a machine so busy that little goes on in one */
#define STEPS 3000u
#define KEPT_MAX 16u
#define CALLS_MAX 16u
#define CLOSINGS_MIN 20u /* of all rounds; eight have some eighty */

/* One node, and what the reference knows of it. */
struct end {
	struct weft_node *node;
	struct weft_worker *worker;
	struct weft_channel *channel;
	struct weft_sender *sender;
	uint32_t sent, got;       /* messages: numbers in their order */
	uint32_t asked, answered; /* requests: any order */
	uint32_t next_number;     /* of those that it sends, requests among them */
	uint32_t expected;        /* of those that it receives */
	struct weft_loan *kept[KEPT_MAX];
	struct weft_call *calls[CALLS_MAX];
	uint32_t call_numbers[CALLS_MAX];
	unsigned int kept_count, call_count;
};

static struct {
	struct weft_random random;
	struct end ends[2];
	unsigned int wrong, losses;
	unsigned int closings, sent[2], asked[2]; /* of all rounds */
	bool open;
} model;

static uint32_t below(uint32_t bound)
{
	return (uint32_t)weft_random_below(&model.random, bound);
}

static void expect(bool holds, const char *what)
{
	if (!holds && !model.wrong++)
		printf("\n\tnot so: %s ", what);
}
#define EXPECT(condition) expect(condition, #condition)

/* ---- receiving ---- */

static void on_message(struct weft_rx *rx, void *user)
{
	struct end *end = user;
	uint32_t number;

	if (rx->len_bytes < sizeof number) {
		expect(false, "it holds a number");
		return;
	}
	memcpy(&number, rx->data, sizeof number);
	EXPECT(number == end->expected);
	end->expected = number + 1;
	if (!rx->is_request) {
		end->got++;
		if (end->kept_count < KEPT_MAX && below(8) == 0 && weft_rx_keep(rx, &end->kept[end->kept_count]) == 0)
			end->kept_count++;
		return;
	}
	if (end->call_count < CALLS_MAX && below(3) == 0 && weft_rx_defer(rx, &end->calls[end->call_count]) == 0)
		end->call_numbers[end->call_count++] = number;
	else
		EXPECT(weft_reply(rx, &number, sizeof number) == 0);
}

static void on_reply(struct weft_rx *reply, int status, void *user)
{
	struct end *end = user;

	EXPECT(status == 0 && reply && reply->len_bytes == sizeof(uint32_t));
	end->answered++;
}

static void on_event(struct weft_sender *sender, enum weft_sender_event event, int cause, void *user)
{
	(void)sender, (void)cause, (void)user;
	model.losses += event >= WEFT_SENDER_LOST;
}

/* ---- what may happen ---- */

static void send_message(struct end *end)
{
	static unsigned char bytes[20000];
	static const size_t lens[] = {4, 60, 240, 1000, 20000};
	size_t len_bytes = lens[below(5)];
	int rc;

	memcpy(bytes, &end->next_number, sizeof end->next_number);
	rc = weft_send(end->sender, bytes, len_bytes);
	EXPECT(rc == 0 || rc == -WEFT_EAGAIN);
	end->sent += rc == 0;
	end->next_number += rc == 0;
}

static void ask(struct end *end)
{
	int rc = weft_request(end->sender, &end->next_number, sizeof end->next_number, WEFT_NEVER, on_reply, end, NULL);

	EXPECT(rc == 0 || rc == -WEFT_EAGAIN);
	end->asked += rc == 0;
	end->next_number += rc == 0;
}

static void let_go(struct end *end)
{
	if (end->kept_count)
		weft_loan_release(end->kept[--end->kept_count]);
	if (end->call_count) {
		end->call_count--;
		EXPECT(weft_call_reply(end->calls[end->call_count], 0, &end->call_numbers[end->call_count],
				       sizeof(uint32_t)) == 0);
	}
}

static unsigned int links_of(const struct end *end)
{
	struct weft_node_stats stats;

	weft_node_describe(end->node, &stats);
	return stats.links;
}

static void look_at_links(void)
{
	bool open = links_of(&model.ends[0]) || links_of(&model.ends[1]);

	model.closings += model.open && !open;
	model.open = open;
}

/* Now both in turn, now one alone, so that one of the two is behind. */
static void turn_some(struct pair *pair)
{
	uint32_t who = below(4);

	for (uint32_t i = below(20); i > 0; i--)
		if (who < 2)
			weft_worker_poll(model.ends[who].worker);
		else
			pair_turn(pair);
}

/* About as long as it takes until a link is found idle, and closed; mostly with nothing that would keep it open. */
static void pause_some(struct pair *pair)
{
	uint64_t until_ns = weft_clock_now(weft_clock_real()) + 500000 + below(2000000);

	for (unsigned int i = below(2 * KEPT_MAX); i > 0; i--) {
		let_go(&model.ends[0]);
		let_go(&model.ends[1]);
	}
	for (unsigned int i = 0; i < 300 || weft_clock_now(weft_clock_real()) < until_ns; i++) {
		pair_turn(pair);
		look_at_links();
	}
}

static void step(struct pair *pair)
{
	struct end *end = &model.ends[below(2)];

	switch (below(64)) {
	case 0:
		pause_some(pair);
		break;
	case 1 ... 6:
		ask(end);
		break;
	case 7 ... 20:
		send_message(end);
		break;
	case 21 ... 28:
		let_go(end);
		break;
	default:
		turn_some(pair);
	}
	look_at_links();
}

/* ---- rounds ---- */

static void open_end(struct end *end, struct weft_node *node, struct weft_worker *worker, struct weft_channel *channel,
		     const char *peer)
{
	struct weft_sender_opts opts = {.size = sizeof opts, .on_event = on_event};

	*end = (struct end){.node = node, .worker = worker, .channel = channel};
	weft_channel_handle(channel, on_message, end);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(worker, channel, peer, &opts, &end->sender), 0);
}

static bool all_over(void)
{
	const struct end *a = &model.ends[0], *b = &model.ends[1];

	while (model.ends[0].kept_count || model.ends[0].call_count || model.ends[1].kept_count ||
	       model.ends[1].call_count) {
		let_go(&model.ends[0]);
		let_go(&model.ends[1]);
	}
	return a->got == b->sent && b->got == a->sent && a->answered == a->asked && b->answered == b->asked;
}

static void run_round(uint64_t seed)
{
	struct weft_channel_opts opts;
	struct pair pair;

	weft_random_seed(&model.random, seed);
	model.losses = model.wrong = 0;
	model.open = false;
	weft_channel_opts_init(&opts, sizeof opts);
	opts.priority = (enum weft_priority)below(WEFT_PRIORITY_COUNT);
	opts.window_messages = below(2) ? 4 : 1024;
	opts.request_window = below(2) ? 2 : 64;
	pair_open_idle(&pair, &opts, 1); /* at every look, which is each millisecond */
	open_end(&model.ends[0], pair.near, pair.near_worker, pair.near_channel, weft_node_name(pair.far));
	open_end(&model.ends[1], pair.far, pair.far_worker, pair.far_channel, weft_node_name(pair.near));
	for (unsigned int i = 0; i < STEPS; i++)
		step(&pair);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, all_over()));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, !links_of(&model.ends[0]) && !links_of(&model.ends[1])));
	/* And nothing comes twice. */
	for (unsigned int i = 0; i < 100; i++)
		pair_turn(&pair);
	CU_ASSERT_TRUE(all_over());
	for (unsigned int i = 0; i < 2; i++) {
		model.sent[i] += model.ends[i].sent;
		model.asked[i] += model.ends[i].asked;
	}
	CU_ASSERT_EQUAL(model.wrong, 0);
	CU_ASSERT_EQUAL(model.losses, 0);
	if (model.wrong || model.losses || !all_over())
		printf("\n\tround seed %#llx: %u wrong, %u losses ", (unsigned long long)seed, model.wrong,
		       model.losses);
	pair_close(&pair);
}

/* Whether enough has happened to prove something. */
static bool has_seen_enough(void)
{
	return model.closings >= CLOSINGS_MIN && model.sent[0] && model.sent[1] && model.asked[0] && model.asked[1];
}

static void links_close_and_open_as_if_they_had_always_been_there(void)
{
	const char *given = getenv("WEFT_TEST_SEED");
	uint64_t seed = 0;

	if (given)
		seed = strtoull(given, NULL, 0);
	else
		CU_ASSERT_EQUAL(weft_random_system(&seed), 0);
	printf("seed %#llx ", (unsigned long long)seed);
	model.closings = 0;
	for (unsigned int i = 0; i < ROUNDS_MIN || (i < ROUNDS_MAX && !has_seen_enough()); i++)
		run_round(seed + i);
	printf("closings %u ", model.closings);
	CU_ASSERT_TRUE(has_seen_enough());
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(links_close_and_open_as_if_they_had_always_been_there),
	};

	return suite_main("idle model", cases, SUITE_COUNT(cases), argc, argv);
}

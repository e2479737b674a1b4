/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that more urgent channels come first on a link, and that channels of the same priority share it.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#define BULK_MESSAGES 12u
#define BULK_BYTES ((size_t)1 << 20)

/* What arrived, in order: the channel's user pointer is its letter. */
static char arrivals[4096];
static unsigned int arrived;

static void note(struct weft_rx *rx, void *user)
{
	(void)rx;
	if (arrived < sizeof arrivals)
		arrivals[arrived++] = *(const char *)user;
}

static void ignore(struct weft_op *op, int status, void *user)
{
	(void)op;
	(void)status;
	(void)user;
}

/* A second channel beside the fixture's, with a sender that is ready. */
static struct weft_sender *second_channel(struct pair *pair, const struct weft_channel_opts *opts, weft_rx_fn *handler,
					  void *user, const struct weft_sender_opts *sender_opts)
{
	struct weft_channel *near_channel, *far_channel;
	struct weft_sender *sender = NULL;

	CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair->near, "second", opts, &near_channel), 0);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair->far, "second", opts, &far_channel), 0);
	weft_channel_handle(far_channel, handler, user);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair->near_worker, near_channel, weft_node_name(pair->far), sender_opts,
					       &sender),
			      0);
	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(pair, weft_sender_status(sender) == 0));
	return sender;
}

static void stage(struct weft_sender *sender, void *data, size_t len_bytes, unsigned int count)
{
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	struct iovec iov = {data, len_bytes};

	how.done = ignore;
	while (count--)
		CU_ASSERT_EQUAL(weft_sendv(sender, &iov, 1, &how), 0);
}

/* Stages a bulk stream, then one message on another channel; returns how many bulk messages came before that. */
static unsigned int bulk_before_other(enum weft_priority bulk, enum weft_priority other, size_t other_bytes)
{
	static char letters[] = "bo";
	char *data = calloc(1, BULK_BYTES), *at;
	struct weft_channel_opts opts;
	struct weft_sender *sender;
	struct pair pair;

	weft_channel_opts_init(&opts, sizeof opts);
	opts.window_bytes = 2 * BULK_MESSAGES * BULK_BYTES;
	opts.priority = bulk;
	arrived = 0;
	memset(arrivals, 0, sizeof arrivals);
	pair_open(&pair, &opts);
	weft_channel_handle(pair.far_channel, note, &letters[0]);
	pair_connect(&pair);
	opts.priority = other;
	sender = second_channel(&pair, &opts, note, &letters[1], NULL);
	/* Both lanes have had turns before, of which nothing may be left but the memory that they needed. */
	stage(pair.sender, data, BULK_BYTES, 4);
	stage(sender, data, other_bytes, 4);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, arrived == 8));
	arrived = 0;
	memset(arrivals, 0, sizeof arrivals);
	stage(pair.sender, data, BULK_BYTES, BULK_MESSAGES);
	stage(sender, data, other_bytes, 1);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, arrived == BULK_MESSAGES + 1));
	at = strchr(arrivals, 'o');
	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	pair_close(&pair);
	free(data);
	return (unsigned int)(at - arrivals);
}

static void the_more_urgent_channel_is_copied_first(void)
{
	CU_ASSERT_EQUAL(bulk_before_other(WEFT_PRIORITY_BULK, WEFT_PRIORITY_NORMAL, BULK_BYTES), 0);
	CU_ASSERT_EQUAL(bulk_before_other(WEFT_PRIORITY_NORMAL, WEFT_PRIORITY_URGENT, BULK_BYTES), 0);
}

static void channels_of_one_priority_take_turns(void)
{
	/* Its turns come as often as the stream's, so by the time that it is through the stream has copied no more. */
	CU_ASSERT_TRUE(bulk_before_other(WEFT_PRIORITY_NORMAL, WEFT_PRIORITY_NORMAL, BULK_BYTES / 2) <= 1);
	CU_ASSERT_TRUE(bulk_before_other(WEFT_PRIORITY_BULK, WEFT_PRIORITY_BULK, 3 * BULK_BYTES / 4) <= 1);
}

/* A sender that fills the ring whenever it hears that there is room. */
static void fill(struct weft_sender *sender, enum weft_sender_event event, int cause, void *user)
{
	(void)cause;
	(void)user;
	if (event == WEFT_SENDER_WRITABLE || event == WEFT_SENDER_READY)
		while (weft_send(sender, "small", 5) == 0)
			;
}

static void count(struct weft_rx *rx, void *user)
{
	(void)rx;
	++*(unsigned int *)user;
}

static void who_finds_the_ring_full_comes_first_the_next_time(void)
{
	struct weft_sender_opts sender_opts = {.size = sizeof sender_opts, .on_event = fill};
	unsigned int first = 0, second = 0;
	struct weft_channel_opts opts;
	struct pair pair;

	weft_channel_opts_init(&opts, sizeof opts);
	opts.window_messages = 1u << 16; /* the ring is what is short */
	opts.window_bytes = (size_t)64 << 20;
	pair_open(&pair, &opts);
	weft_channel_handle(pair.far_channel, count, &first);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.near_worker, pair.near_channel, weft_node_name(pair.far),
					       &sender_opts, &pair.sender),
			      0);
	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, weft_sender_status(pair.sender) == 0));
	second_channel(&pair, &opts, count, &second, &sender_opts);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, first + second > 20000));
	CU_ASSERT_TRUE(first > 4000 && second > 4000);
	pair_close(&pair);
}

static void answer(struct weft_rx *rx, void *user)
{
	(void)user;
	CU_ASSERT_EQUAL(weft_reply(rx, "!", 1), 0);
}

struct seen {
	unsigned int *normal, normal_at_reply;
	bool replied;
};

static void on_reply(struct weft_rx *reply, int status, void *user)
{
	struct seen *seen = user;

	(void)reply;
	CU_ASSERT_EQUAL(status, 0);
	seen->normal_at_reply = *seen->normal;
	seen->replied = true;
}

static void an_urgent_answer_overtakes_what_fills_the_ring(void)
{
	struct weft_channel_opts opts;
	struct weft_channel *near_bulk, *far_bulk;
	struct weft_sender *back;
	unsigned int normal = 0;
	struct seen seen = {.normal = &normal};
	struct pair pair;

	weft_channel_opts_init(&opts, sizeof opts);
	opts.priority = WEFT_PRIORITY_URGENT;
	pair_open(&pair, &opts);
	weft_channel_handle(pair.far_channel, answer, NULL);
	pair_connect(&pair);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair.near, "bulk", NULL, &near_bulk), 0);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair.far, "bulk", NULL, &far_bulk), 0);
	weft_channel_handle(near_bulk, count, &normal);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.far_worker, far_bulk, weft_node_name(pair.near), NULL, &back), 0);
	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, weft_sender_status(back) == 0));
	CU_ASSERT_EQUAL(weft_request(pair.sender, "?", 1, WEFT_NEVER, on_reply, &seen, NULL), 0);
	while (weft_send(back, "bulk", 4) == 0)
		;
	for (unsigned int i = 0; i < 1000; i++)
		weft_worker_poll(pair.far_worker);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, seen.replied));
	CU_ASSERT_EQUAL(seen.normal_at_reply, 0);
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(the_more_urgent_channel_is_copied_first),
		SUITE_CASE(channels_of_one_priority_take_turns),
		SUITE_CASE(who_finds_the_ring_full_comes_first_the_next_time),
		SUITE_CASE(an_urgent_answer_overtakes_what_fills_the_ring),
	};

	return suite_main("priority", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that opening, changing and closing channels waits for no worker: neither for one that does not turn and whose
 * mailbox is full, nor for one that is in a callback which does the same.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <pthread.h>
#include <semaphore.h>

static void count(struct weft_rx *rx, void *user)
{
	(void)rx;
	++*(unsigned int *)user;
}

/* Whether the worker knows the channel: only then anything can be posted on it. */
static bool knows(struct weft_worker *worker, struct weft_channel *channel)
{
	struct weft_op *op;

	if (weft_recv_post(worker, channel, NULL, 0, 0, 0, NULL, NULL, &op) < 0)
		return false;
	weft_op_cancel(op);
	return true;
}

/* ---- a worker of another thread ---- */

struct other {
	struct weft_node *node;
	struct weft_worker *worker;
	struct weft_channel *channel; /* that its callback opens */
	sem_t there, go_on;
	_Atomic bool opened, done;
	pthread_t thread;
};

static void open_one(struct weft_worker *worker, const struct weft_message *message)
{
	struct other *other = message->with.pointers[0];

	sem_post(&other->there);
	sem_wait(&other->go_on);
	CU_ASSERT_EQUAL(weft_channel_open(other->node, "inside", NULL, &other->channel), 0);
	CU_ASSERT_TRUE(knows(worker, other->channel));
	other->opened = true;
}

/* In its first turn it opens a channel; then it turns until it is done. */
static void *turn_other(void *argument)
{
	struct other *other = argument;
	struct weft_message message = {.run = open_one, .with.pointers = {other}};

	CU_ASSERT_EQUAL_FATAL(weft_attach(other->node, "other", &other->worker), 0);
	CU_ASSERT_EQUAL(weft_worker_post(other->worker, &message), 0);
	do
		weft_worker_poll(other->worker);
	while (!other->done);
	weft_detach(other->node, &other->worker);
	return NULL;
}

/* Never turns. */
static void *stand_still(void *argument)
{
	struct other *other = argument;

	CU_ASSERT_EQUAL_FATAL(weft_attach(other->node, "other", &other->worker), 0);
	sem_post(&other->there);
	sem_wait(&other->go_on);
	weft_detach(other->node, &other->worker);
	return NULL;
}

/* Starts it, and waits until it is there. */
static void other_start(struct other *other, struct weft_node *node, void *(*life)(void *other))
{
	*other = (struct other){.node = node};
	sem_init(&other->there, 0, 0);
	sem_init(&other->go_on, 0, 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&other->thread, NULL, life, other), 0);
	sem_wait(&other->there);
}

static void other_end(struct other *other)
{
	other->done = true;
	pthread_join(other->thread, NULL);
	sem_destroy(&other->there);
	sem_destroy(&other->go_on);
}

static void a_worker_with_a_full_mailbox_whose_callback_opens_a_channel_holds_up_nobody(void)
{
	struct weft_channel *outside, *gone;
	struct other other;
	struct pair pair;
	unsigned int got = 0;

	pair_open(&pair, NULL);
	other_start(&other, pair.near, turn_other);
	pair_fill_mailbox(other.worker);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair.near, "outside", NULL, &outside), 0);
	weft_channel_handle(outside, count, &got);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair.near, "gone", NULL, &gone), 0);
	weft_channel_close(&gone);
	sem_post(&other.go_on);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, other.opened));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, knows(pair.near_worker, other.channel)));
	other_end(&other);
	CU_ASSERT_EQUAL(weft_channel_open(pair.near, "gone", NULL, &gone), 0);
	pair_close(&pair);
}

static void what_a_worker_never_learnt_goes_with_it(void)
{
	struct weft_worker *worker;
	struct weft_channel *late, *gone;
	unsigned int got = 0;
	struct other other;
	struct pair pair;

	pair_open(&pair, NULL);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair.near, "gone", NULL, &gone), 0);
	other_start(&other, pair.near, stand_still);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair.near, "late", NULL, &late), 0);
	weft_channel_handle(late, count, &got);
	weft_channel_close(&gone);
	sem_post(&other.go_on);
	other_end(&other);
	/* Whoever gets its place knows what there is. */
	CU_ASSERT_EQUAL_FATAL(weft_attach(pair.near, "other", &worker), 0);
	CU_ASSERT_TRUE(knows(worker, late));
	CU_ASSERT_TRUE(knows(pair.near_worker, late));
	CU_ASSERT_EQUAL(weft_channel_open(pair.near, "gone", NULL, &gone), 0);
	weft_detach(pair.near, &worker);
	weft_channel_close(&late);
	pair_close(&pair);
}

/* ---- a worker and another thread of its node at one channel ---- */

static void *close_it(void *channel)
{
	weft_channel_close(channel);
	return NULL;
}

struct opening {
	struct weft_node *node;
	const char *name;
	struct weft_channel *channel;
};

static void *open_it(void *argument)
{
	struct opening *opening = argument;

	CU_ASSERT_EQUAL(weft_channel_open(opening->node, opening->name, NULL, &opening->channel), 0);
	return NULL;
}

struct handling {
	struct weft_channel *channel;
	unsigned int *got;
};

static void *handle_it(void *argument)
{
	struct handling *handling = argument;

	weft_channel_handle(handling->channel, count, handling->got);
	return NULL;
}

/* Has another thread do it, while the workers are this one's, which have not heard of it when this returns. */
static void elsewhere(struct pair *pair, void *(*what)(void *argument), void *argument)
{
	pthread_t thread;

	pair_turn(pair);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, what, argument), 0);
	pthread_join(thread, NULL);
}

static bool sent(struct pair *pair)
{
	return weft_send(pair->sender, "x", 1) == 0;
}

static void a_channel_closed_elsewhere_and_opened_again_by_the_worker_keeps_its_senders(void)
{
	unsigned int old = 0, got = 0;
	struct pair pair;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, count, &old);
	pair_connect(&pair);
	elsewhere(&pair, close_it, &pair.far_channel);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair.far, "test", NULL, &pair.far_channel), 0);
	weft_channel_handle(pair.far_channel, count, &got);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, pair.events[WEFT_SENDER_READY] == 2));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, sent(&pair)));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got == 1));
	CU_ASSERT_EQUAL(old, 0);
	pair_close(&pair);
}

static void a_handler_that_the_worker_sets_before_it_heard_of_the_channel_holds(void)
{
	struct opening opening = {.name = "test"};
	unsigned int got = 0;
	struct pair pair;

	pair_open(&pair, NULL);
	weft_channel_close(&pair.far_channel);
	opening.node = pair.far;
	elsewhere(&pair, open_it, &opening);
	pair.far_channel = opening.channel;
	weft_channel_handle(pair.far_channel, count, &got);
	pair_connect(&pair);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, sent(&pair)));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got == 1));
	pair_close(&pair);
}

static void the_last_handler_holds_whoever_set_it(void)
{
	unsigned int older = 0, newer = 0;
	struct handling handling = {.got = &older};
	struct pair pair;

	pair_open(&pair, NULL);
	handling.channel = pair.far_channel;
	elsewhere(&pair, handle_it, &handling);
	weft_channel_handle(pair.far_channel, count, &newer);
	pair_connect(&pair);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, sent(&pair)));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, older + newer == 1));
	CU_ASSERT_EQUAL(older, 0);
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_worker_with_a_full_mailbox_whose_callback_opens_a_channel_holds_up_nobody),
		SUITE_CASE(what_a_worker_never_learnt_goes_with_it),
		SUITE_CASE(a_channel_closed_elsewhere_and_opened_again_by_the_worker_keeps_its_senders),
		SUITE_CASE(a_handler_that_the_worker_sets_before_it_heard_of_the_channel_holds),
		SUITE_CASE(the_last_handler_holds_whoever_set_it),
	};

	return suite_main("errand", cases, SUITE_COUNT(cases), argc, argv);
}

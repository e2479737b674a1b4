/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that posted receives are matched by tag and mask in order on both sides, that a place hook decides before them,
 * and that messages nobody takes wait inside their sender's window.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

struct got {
	int status;
	unsigned int calls;
	size_t len_bytes;
	uint64_t tag;
};

static void on_received(struct weft_op *op, int status, const struct weft_received *received, void *user)
{
	struct got *got = user;

	(void)op;
	got->status = status;
	got->calls++;
	got->len_bytes = received->len_bytes;
	got->tag = received->tag;
}

static void post(struct pair *pair, void *buffer, size_t len_bytes, uint64_t tag, uint64_t mask, struct got *got,
		 struct weft_op **op)
{
	*got = (struct got){.status = 1};
	CU_ASSERT_EQUAL(weft_recv_post(pair->far_worker, pair->far_channel, buffer, len_bytes, tag, mask, on_received,
				       got, op),
			0);
}

static void send_tagged(struct pair *pair, uint64_t tag, const char *text)
{
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;

	how.has_header = true;
	how.tag = tag;
	CU_ASSERT_EQUAL(weft_send_with(pair->sender, text, strlen(text), &how), 0);
}

static void posted_buffers_take_messages_by_tag_and_mask(void)
{
	char one[16] = "", two[16] = "", any[16] = "";
	struct got got_one, got_two, got_any;
	struct pair pair;

	pair_open(&pair, NULL);
	post(&pair, one, sizeof one, 1, UINT64_MAX, &got_one, NULL);
	post(&pair, two, sizeof two, 0x20, 0xf0, &got_two, NULL);
	post(&pair, any, sizeof any, 0, 0, &got_any, NULL);
	pair_connect(&pair);
	send_tagged(&pair, 0x2f, "two");
	send_tagged(&pair, 99, "any");
	send_tagged(&pair, 1, "one");
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got_one.calls && got_two.calls && got_any.calls));
	CU_ASSERT_STRING_EQUAL(one, "one");
	CU_ASSERT_STRING_EQUAL(two, "two");
	CU_ASSERT_STRING_EQUAL(any, "any");
	CU_ASSERT_EQUAL(got_two.tag, 0x2f);
	pair_close(&pair);
}

static void messages_that_came_first_wait_for_their_receive(void)
{
	char first[16] = "", second[16] = "", other[16] = "";
	struct got got, got_other;
	struct pair pair;

	pair_open(&pair, NULL);
	post(&pair, other, sizeof other, 7, UINT64_MAX, &got_other, NULL);
	pair_connect(&pair);
	send_tagged(&pair, 5, "first");
	send_tagged(&pair, 6, "six");
	send_tagged(&pair, 5, "second");
	for (int i = 0; i < 1000; i++)
		pair_turn(&pair);
	post(&pair, first, sizeof first, 5, UINT64_MAX, &got, NULL);
	CU_ASSERT_EQUAL(got.calls, 0); /* callbacks never come from inside a call */
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got.calls == 1));
	post(&pair, second, sizeof second, 5, UINT64_MAX, &got, NULL);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got.calls == 1));
	CU_ASSERT_STRING_EQUAL(first, "first");
	CU_ASSERT_STRING_EQUAL(second, "second");
	CU_ASSERT_EQUAL(got_other.calls, 0);
	pair_close(&pair);
}

static void a_message_longer_than_its_buffer_is_cut_and_said(void)
{
	char buffer[4];
	struct got got;
	struct pair pair;

	pair_open(&pair, NULL);
	post(&pair, buffer, sizeof buffer, 0, 0, &got, NULL);
	pair_connect(&pair);
	send_tagged(&pair, 0, "longer");
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got.calls == 1));
	CU_ASSERT_EQUAL(got.status, -WEFT_ETRUNCATED);
	CU_ASSERT_EQUAL(got.len_bytes, 6);
	CU_ASSERT_EQUAL(memcmp(buffer, "long", 4), 0);
	pair_close(&pair);
}

static void a_posted_receive_can_be_cancelled(void)
{
	char buffer[16];
	struct weft_op *op;
	struct got got;
	struct pair pair;

	pair_open(&pair, NULL);
	post(&pair, buffer, sizeof buffer, 0, 0, &got, &op);
	weft_op_cancel(op);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got.calls == 1));
	CU_ASSERT_EQUAL(got.status, -WEFT_ECANCELED);
	pair_close(&pair);
}

static void closing_a_channel_ends_its_posted_receives(void)
{
	char buffer[16];
	struct got got;
	struct pair pair;

	pair_open(&pair, NULL);
	post(&pair, buffer, sizeof buffer, 0, 0, &got, NULL);
	weft_channel_close(&pair.far_channel);
	CU_ASSERT_EQUAL(got.calls, 1);
	CU_ASSERT_EQUAL(got.status, -WEFT_ECLOSED);
	pair_close(&pair);
}

static void count(struct weft_rx *rx, void *user)
{
	unsigned int *handled = user;

	(void)rx;
	++*handled;
}

static void messages_without_a_taker_stay_inside_the_window(void)
{
	struct weft_channel_opts opts;
	unsigned int sent = 0, handled = 0;
	char buffer[16];
	struct got got;
	struct pair pair;

	weft_channel_opts_init(&opts, sizeof opts);
	opts.window_messages = 4;
	pair_open(&pair, &opts);
	post(&pair, buffer, sizeof buffer, 1000, UINT64_MAX, &got, NULL);
	pair_connect(&pair);
	for (int i = 0; i < 2000; i++) {
		sent += weft_send(pair.sender, "x", 1) == 0;
		pair_turn(&pair);
	}
	CU_ASSERT_EQUAL(sent, 4);
	weft_channel_handle(pair.far_channel, count, &handled);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, handled == 4));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_send(pair.sender, "x", 1) == 0));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, handled == 5));
	pair_close(&pair);
}

struct placer {
	char buffer[70000];
	size_t asked_len;
	struct got got;
};

static int choose(const struct weft_rx *rx, size_t total_len_bytes, struct weft_placement *out, void *user)
{
	struct placer *placer = user;

	if (rx->tag == 1)
		return -WEFT_EAGAIN;
	if (rx->tag == 2)
		return -WEFT_EMSGSIZE;
	placer->asked_len = total_len_bytes;
	*out = (struct weft_placement){.buffer = placer->buffer, .done = on_received, .user = &placer->got};
	return 0;
}

static void a_place_hook_chooses_passes_on_or_refuses(void)
{
	static struct placer placer;
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	static char data[70000];
	unsigned int handled = 0;
	struct pair pair;

	memset(data, 'p', sizeof data);
	pair_open(&pair, NULL);
	weft_channel_place(pair.far_channel, choose, &placer);
	weft_channel_handle(pair.far_channel, count, &handled);
	pair_connect(&pair);
	send_tagged(&pair, 2, "refused");
	send_tagged(&pair, 1, "handled");
	how.has_header = true;
	how.tag = 3;
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_send_with(pair.sender, data, sizeof data, &how) == 0));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, placer.got.calls == 1));
	CU_ASSERT_EQUAL(placer.asked_len, sizeof data);
	CU_ASSERT_EQUAL(memcmp(placer.buffer, data, sizeof data), 0);
	CU_ASSERT_EQUAL(handled, 1);
	pair_close(&pair);
}

static void a_channel_that_opens_later_gets_what_waits_for_it(void)
{
	struct weft_channel *near_late, *far_late;
	struct weft_sender *sender;
	unsigned int handled = 0;
	struct pair pair;

	pair_open(&pair, NULL);
	CU_ASSERT_EQUAL(weft_channel_open(pair.near, "late", NULL, &near_late), 0);
	CU_ASSERT_EQUAL(weft_sender_open(pair.near_worker, near_late, weft_node_name(pair.far), NULL, &sender), 0);
	for (int i = 0; i < 5000; i++)
		pair_turn(&pair);
	CU_ASSERT_EQUAL(weft_sender_status(sender), -WEFT_EAGAIN);
	CU_ASSERT_EQUAL(weft_channel_open(pair.far, "late", NULL, &far_late), 0);
	weft_channel_handle(far_late, count, &handled);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_send(sender, "x", 1) == 0));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, handled == 1));
	pair_close(&pair);
}

static void a_worker_that_is_attached_later_has_the_handlers_set_before(void)
{
	struct weft_sender *sender;
	struct weft_worker *late;
	unsigned int handled = 0;
	char to[2 * WEFT_NAME_MAX];
	struct pair pair;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, count, &handled);
	CU_ASSERT_EQUAL_FATAL(weft_attach(pair.far, "late", &late), 0);
	snprintf(to, sizeof to, "%s/late", weft_node_name(pair.far));
	CU_ASSERT_EQUAL(weft_sender_open(pair.near_worker, pair.near_channel, to, NULL, &sender), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, (weft_worker_poll(late), weft_send(sender, "x", 1) == 0)));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, (weft_worker_poll(late), handled == 1)));
	weft_detach(pair.far, &late);
	pair_close(&pair);
}

static struct weft_channel *other;

static void close_other(struct weft_rx *rx, void *user)
{
	(void)rx;
	++*(unsigned int *)user;
	weft_channel_close(&other);
}

static void a_handler_may_close_another_channel_whose_messages_wait_too(void)
{
	struct weft_channel *near_other;
	struct weft_sender *second;
	unsigned int handled = 0;
	char buffer[8];
	struct got got;
	struct pair pair;

	pair_open(&pair, NULL);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair.near, "other", NULL, &near_other), 0);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair.far, "other", NULL, &other), 0);
	/* A receive that nothing fits: so messages come, and wait. */
	post(&pair, buffer, sizeof buffer, 99, UINT64_MAX, &got, NULL);
	CU_ASSERT_EQUAL(weft_recv_post(pair.far_worker, other, buffer, sizeof buffer, 99, UINT64_MAX, on_received, &got,
				       NULL),
			0);
	pair_connect(&pair);
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.near_worker, near_other, weft_node_name(pair.far), NULL, &second),
			      0);
	CU_ASSERT_TRUE_FATAL(PAIR_UNTIL(&pair, weft_sender_status(second) == 0));
	CU_ASSERT_EQUAL(weft_send(pair.sender, "1", 1), 0);
	CU_ASSERT_EQUAL(weft_send(second, "2", 1), 0);
	for (unsigned int i = 0; i < 100; i++)
		pair_turn(&pair);
	/* Whichever comes first closes the other, or is the other's last. */
	weft_channel_handle(pair.far_channel, close_other, &handled);
	weft_channel_handle(other, close_other, &handled);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, handled == 1));
	CU_ASSERT_PTR_NULL(other);
	/* The lane to it was reset, the link stands. */
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_sender_status(second) == -WEFT_EAGAIN));
	CU_ASSERT_EQUAL(weft_sender_status(pair.sender), 0);
	pair_close(&pair);
}

struct curious {
	struct pair *pair;
	struct weft_channel *next;
	int rc;
};

/* What the end of a posted receive may lead to: a look at the node, and another channel. */
static void look_and_go_on(struct weft_op *op, int status, const struct weft_received *received, void *user)
{
	struct curious *curious = user;
	struct weft_node_stats stats;

	(void)op, (void)received;
	CU_ASSERT_EQUAL(status, -WEFT_ECLOSED);
	weft_node_describe(curious->pair->far, &stats);
	curious->rc = weft_channel_open(curious->pair->far, "next", NULL, &curious->next);
}

static void a_callback_of_a_channel_that_is_being_closed_may_use_the_node(void)
{
	struct curious curious = {.rc = 1};
	char buffer[8];
	struct pair pair;

	pair_open(&pair, NULL);
	curious.pair = &pair;
	CU_ASSERT_EQUAL(weft_recv_post(pair.far_worker, pair.far_channel, buffer, sizeof buffer, 0, 0, look_and_go_on,
				       &curious, NULL),
			0);
	weft_channel_close(&pair.far_channel);
	CU_ASSERT_EQUAL(curious.rc, 0);
	CU_ASSERT_STRING_EQUAL(weft_channel_name(curious.next), "next");
	weft_channel_close(&curious.next);
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(posted_buffers_take_messages_by_tag_and_mask),
		SUITE_CASE(messages_that_came_first_wait_for_their_receive),
		SUITE_CASE(a_message_longer_than_its_buffer_is_cut_and_said),
		SUITE_CASE(a_posted_receive_can_be_cancelled),
		SUITE_CASE(closing_a_channel_ends_its_posted_receives),
		SUITE_CASE(messages_without_a_taker_stay_inside_the_window),
		SUITE_CASE(a_place_hook_chooses_passes_on_or_refuses),
		SUITE_CASE(a_channel_that_opens_later_gets_what_waits_for_it),
		SUITE_CASE(a_worker_that_is_attached_later_has_the_handlers_set_before),
		SUITE_CASE(a_handler_may_close_another_channel_whose_messages_wait_too),
		SUITE_CASE(a_callback_of_a_channel_that_is_being_closed_may_use_the_node),
	};

	return suite_main("receive", cases, SUITE_COUNT(cases), argc, argv);
}

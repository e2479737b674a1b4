/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A link whose path breaks goes on by another one: nothing is lost, repeated or out of order, and the application
 * notices nothing. Two nodes that reach each other over shared memory, which is cut, and over udp.
 */
#include "patience.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/errors.h>
#include <weft/log.h>
#include <weft/weft.h>

#define LENGTHS 5

static struct weft_node *near_node, *far_node;
static struct weft_worker *near_worker, *far_worker;
static struct weft_channel *near_channel, *far_channel;
static struct weft_sender *sender;
static unsigned int went_on_udp, went_on_shm, lost_count, refused_count;

/* From the runner, too, but these lines are the workers', and those are ours. */
static void on_line(enum weft_log_level level, const char *component, const char *line, void *user)
{
	(void)level;
	(void)component;
	(void)user;
	went_on_udp += strstr(line, "goes on driver udp") != NULL;
	went_on_shm += strstr(line, "goes on driver fault+shm") != NULL;
}

static void on_event(struct weft_sender *at, enum weft_sender_event event, int cause, void *user)
{
	(void)at;
	(void)cause;
	(void)user;
	lost_count += event == WEFT_SENDER_LOST || event == WEFT_SENDER_FAILED;
}

static void turn(void)
{
	weft_worker_poll(near_worker);
	weft_worker_poll(far_worker);
}

#define TURNS_UNTIL(condition) PATIENCE_UNTIL(turn(), condition)

static struct weft_node *open_node(struct weft_node_opts *opts, const char *which)
{
	struct weft_node *node = NULL;
	char name[48];

	snprintf(name, sizeof name, "move-%d-%s", (int)getpid(), which);
	opts->name = name;
	opts->worker_count = 0;
	opts->driver = "fault+shm";
	CU_ASSERT_EQUAL_FATAL(weft_node_open(opts, &node), 0);
	return node;
}

/* With faults on near's shared memory; ways: near knows far's address, too. */
static void open_both(const char *faults, bool ways)
{
	struct weft_node_opts near_opts, far_opts;
	char address[96], peers[192];

	weft_node_opts_init(&near_opts, sizeof near_opts);
	far_opts = near_opts;
	far_opts.listen = "udp:127.0.0.1:0";
	far_opts.faults = "";
	far_node = open_node(&far_opts, "far");
	CU_ASSERT_EQUAL_FATAL(weft_node_address(far_node, 0, address, sizeof address), 0);
	snprintf(peers, sizeof peers, "%s=%s", weft_node_name(far_node), address);
	near_opts.peers = ways ? peers : NULL;
	near_opts.faults = faults;
	near_node = open_node(&near_opts, "near");
	near_worker = weft_node_worker(near_node, 0);
	far_worker = weft_node_worker(far_node, 0);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(near_node, "test", NULL, &near_channel), 0);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(far_node, "test", NULL, &far_channel), 0);
	went_on_udp = went_on_shm = lost_count = refused_count = 0;
	sender = NULL;
	weft_log_set_sink(on_line, WEFT_LOG_INFO, NULL);
}

static void connect_both(void)
{
	struct weft_sender_opts opts;

	weft_sender_opts_init(&opts, sizeof opts);
	opts.on_event = on_event;
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(near_worker, near_channel, weft_node_name(far_node), &opts, &sender), 0);
	CU_ASSERT_TRUE_FATAL(TURNS_UNTIL(weft_sender_status(sender) == 0));
}

static void close_both(void)
{
	weft_log_set_sink(NULL, WEFT_LOG_WARN, NULL);
	weft_sender_close(&sender);
	weft_node_close(&near_node);
	weft_node_close(&far_node);
}

/* ---- messages ---- */

static const size_t lengths[LENGTHS] = {8, 100, 1000, 5000, 200000};
static uint32_t arrived, wrong;

static size_t length_of(uint32_t number)
{
	/* One in 64 is large, one in 8 is lent. */
	return lengths[number % 64 == 63 ? 4 : number % 8 == 7 ? 3 : number % 3];
}

static void fill(unsigned char *to, uint32_t number)
{
	size_t len_bytes = length_of(number);

	memset(to, (int)(number * 7), len_bytes);
	memcpy(to, &number, sizeof number);
	memcpy(to + len_bytes - sizeof number, &number, sizeof number);
}

static void on_message(struct weft_rx *rx, void *user)
{
	static unsigned char expected[200000];

	(void)user;
	fill(expected, arrived);
	wrong += rx->len_bytes != length_of(arrived) || memcmp(rx->data, expected, rx->len_bytes) != 0;
	arrived++;
}

/* Sends one: by copy, or as a loan; false: not now. */
static bool send_one(uint32_t number)
{
	static unsigned char bytes[200000];
	struct weft_loan *loan;
	int rc;

	if (number % 2) {
		fill(bytes, number);
		rc = weft_send(sender, bytes, length_of(number));
	} else {
		rc = weft_loan_get(near_worker, length_of(number), &loan);
		if (rc == 0) {
			fill(weft_loan_data(loan), number);
			rc = weft_send_loan(sender, loan, NULL);
			if (rc == -WEFT_EAGAIN)
				weft_loan_release(loan);
		}
	}
	refused_count += rc < 0 && rc != -WEFT_EAGAIN;
	return rc == 0;
}

static void send_all(uint32_t count)
{
	uint32_t number = 0;

	arrived = wrong = 0;
	weft_channel_handle(far_channel, on_message, NULL);
	connect_both();
	CU_ASSERT_TRUE(PATIENCE_UNTIL(
		{
			while (number < count && send_one(number))
				number++;
			turn();
		},
		number == count || refused_count));
	CU_ASSERT_TRUE(TURNS_UNTIL(arrived == count || refused_count || lost_count));
	for (unsigned int i = 0; i < 100; i++) /* none comes twice */
		turn();
	CU_ASSERT_EQUAL(arrived, count);
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(lost_count, 0);
	CU_ASSERT_EQUAL(refused_count, 0);
}

static void messages_arrive_once_and_in_order_though_the_path_breaks(void)
{
	open_both("cut=700", true);
	send_all(4000);
	CU_ASSERT_TRUE(went_on_udp > 0);
	close_both();
}

static void a_link_goes_back_to_the_better_way(void)
{
	open_both("cut=50", true);
	send_all(100);
	CU_ASSERT_TRUE(went_on_udp > 0);
	CU_ASSERT_TRUE(TURNS_UNTIL(went_on_shm > 0));
	close_both();
}

static void a_link_breaks_wherever_it_may(void)
{
	char faults[32];

	for (unsigned int cut = 1; cut <= 100; cut++) {
		snprintf(faults, sizeof faults, "cut=%u", cut * 3);
		open_both(faults, true);
		send_all(120);
		close_both();
	}
}

static void without_another_way_a_link_ends_with_its_path(void)
{
	open_both("cut=50", false);
	arrived = wrong = 0;
	weft_channel_handle(far_channel, on_message, NULL);
	connect_both();
	for (uint32_t number = 0; lost_count == 0 && number < 1000;) {
		number += send_one(number);
		turn();
	}
	CU_ASSERT_TRUE(TURNS_UNTIL(lost_count == 1));
	CU_ASSERT_EQUAL(went_on_udp + went_on_shm, 0);
	close_both();
}

static void what_a_closed_sender_has_sent_arrives(void)
{
	uint32_t number = 0;

	open_both("cut=60", true);
	arrived = wrong = 0;
	weft_channel_handle(far_channel, on_message, NULL);
	connect_both();
	while (number < 50)
		if (send_one(number))
			number++;
		else
			turn();
	weft_sender_close(&sender);
	CU_ASSERT_TRUE(TURNS_UNTIL(arrived == 50));
	CU_ASSERT_EQUAL(wrong, 0);
	close_both();
}

/* ---- both ways ---- */

static uint32_t back_arrived, back_wrong;

static void on_number(struct weft_rx *rx, void *user)
{
	uint32_t number = 0;

	(void)user;
	memcpy(&number, rx->data, rx->len_bytes == sizeof number ? sizeof number : 0);
	back_wrong += number != back_arrived;
	back_arrived++;
}

static void both_directions_go_on(void)
{
	struct weft_sender *back = NULL;
	uint32_t number = 0, back_number = 0;

	arrived = wrong = back_arrived = back_wrong = 0;
	open_both("cut=400", true);
	weft_channel_handle(far_channel, on_message, NULL);
	weft_channel_handle(near_channel, on_number, NULL);
	connect_both();
	CU_ASSERT_EQUAL_FATAL(weft_sender_open(far_worker, far_channel, weft_node_name(near_node), NULL, &back), 0);
	CU_ASSERT_TRUE(PATIENCE_UNTIL(
		{
			number += number < 2000 && send_one(number);
			back_number += back_number < 3000 && weft_send(back, &back_number, sizeof back_number) == 0;
			turn();
		},
		arrived == 2000 && back_arrived == 3000));
	CU_ASSERT_TRUE(went_on_udp > 0);
	CU_ASSERT_EQUAL(wrong + back_wrong, 0);
	CU_ASSERT_EQUAL(weft_sender_status(back), 0);
	weft_sender_close(&back);
	close_both();
}

/* ---- what the receiver keeps ---- */

#define KEPT 40
static struct weft_loan *kept[KEPT];
static struct weft_call *calls[KEPT];
static unsigned int kept_count, call_count;

static void keep_message(struct weft_rx *rx, void *user)
{
	(void)user;
	if (rx->is_request) {
		if (call_count < KEPT && weft_rx_defer(rx, &calls[call_count]) == 0)
			call_count++;
	} else if (kept_count < KEPT && weft_rx_keep(rx, &kept[kept_count]) == 0) {
		kept_count++;
	}
}

static void no_reply(struct weft_rx *rx, int status, void *user)
{
	(void)rx;
	*(int *)user += status == -WEFT_EPEERRESET;
}

static void what_is_kept_stays_readable_and_who_asked_is_told(void)
{
	static unsigned char expected[200000];
	int told = 0;
	uint32_t number = 0;

	kept_count = call_count = 0;
	open_both("cut=60", true);
	weft_channel_handle(far_channel, keep_message, NULL);
	connect_both();
	CU_ASSERT_EQUAL(weft_request(sender, "?", 1, WEFT_NEVER, no_reply, &told, NULL), 0);
	CU_ASSERT_TRUE(TURNS_UNTIL(call_count == 1));
	CU_ASSERT_TRUE(PATIENCE_UNTIL(
		{
			number += number < 200 && send_one(number);
			turn();
			if (kept_count == KEPT) /* room for the others */
				weft_channel_handle(far_channel, on_number, NULL);
		},
		number == 200 && went_on_udp));
	CU_ASSERT_TRUE(TURNS_UNTIL(told == 1));
	CU_ASSERT_EQUAL(weft_call_reply(calls[0], 0, "!", 1), -WEFT_EPEERRESET);
	for (unsigned int i = 0; i < kept_count; i++) {
		fill(expected, i);
		CU_ASSERT_EQUAL(weft_loan_len(kept[i]), length_of(i));
		CU_ASSERT_EQUAL(memcmp(weft_loan_data(kept[i]), expected, length_of(i)), 0);
		weft_loan_release(kept[i]);
	}
	close_both();
}

/* ---- the peer is another one ---- */

static void who_comes_again_as_another_is_not_mistaken_for_the_first(void)
{
	struct weft_node_opts opts;
	char listen[96];
	uint32_t number = 0;

	open_both("cut=60", true);
	CU_ASSERT_EQUAL_FATAL(weft_node_address(far_node, 0, listen, sizeof listen), 0);
	arrived = wrong = 0;
	weft_channel_handle(far_channel, on_message, NULL);
	connect_both();
	/* Until it is cut; far does not get to see that. */
	for (unsigned int i = 0; i < 100000 && weft_sender_status(sender) == 0 && !went_on_udp && number < 60; i++) {
		number += send_one(number);
		weft_worker_poll(near_worker);
	}
	weft_node_close(&far_node);
	weft_node_opts_init(&opts, sizeof opts);
	opts.listen = listen;
	opts.faults = "";
	far_node = open_node(&opts, "far");
	far_worker = weft_node_worker(far_node, 0);
	CU_ASSERT_EQUAL_FATAL(weft_channel_open(far_node, "test", NULL, &far_channel), 0);
	CU_ASSERT_TRUE(TURNS_UNTIL(lost_count == 1));
	CU_ASSERT_TRUE(weft_sender_status(sender) < 0);
	close_both();
}

/* ---- requests ---- */

#define REQUESTS 2000
#define WINDOW 16

static unsigned char asked[REQUESTS], answered[REQUESTS], reset[REQUESTS];
static unsigned int out, ended, bad_answers;

static void on_request(struct weft_rx *rx, void *user)
{
	uint32_t number;

	(void)user;
	memcpy(&number, rx->data, sizeof number);
	asked[number]++;
	number += 1000000;
	weft_reply(rx, &number, sizeof number);
}

static void on_reply(struct weft_rx *rx, int status, void *user)
{
	uint32_t number = (uint32_t)(uintptr_t)user, answer = 0;

	out--;
	ended++;
	if (status == 0) {
		memcpy(&answer, rx->data, sizeof answer);
		bad_answers += answer != number + 1000000;
		answered[number]++;
	} else {
		bad_answers += status != -WEFT_EPEERRESET;
		reset[number]++;
	}
}

static void requests_end_once_with_an_answer_or_a_reset(void)
{
	uint32_t number = 0;
	unsigned int resets = 0;

	memset(asked, 0, sizeof asked);
	memset(answered, 0, sizeof answered);
	memset(reset, 0, sizeof reset);
	out = ended = bad_answers = 0;
	open_both("cut=501", true);
	weft_channel_handle(far_channel, on_request, NULL);
	connect_both();
	CU_ASSERT_TRUE(PATIENCE_UNTIL(
		{
			while (number < REQUESTS && out < WINDOW &&
			       weft_request(sender, &number, sizeof number, WEFT_NEVER, on_reply,
					    (void *)(uintptr_t)number, NULL) == 0) {
				number++;
				out++;
			}
			turn();
		},
		ended == REQUESTS));
	CU_ASSERT_EQUAL(bad_answers, 0);
	CU_ASSERT_EQUAL(lost_count, 0);
	CU_ASSERT_TRUE(went_on_udp > 0);
	for (unsigned int i = 0; i < REQUESTS; i++) {
		CU_ASSERT_TRUE(asked[i] == 1 && answered[i] + reset[i] == 1);
		resets += reset[i];
	}
	CU_ASSERT_TRUE(resets <= WINDOW * (went_on_udp + went_on_shm));
	close_both();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(messages_arrive_once_and_in_order_though_the_path_breaks),
		SUITE_CASE(a_link_goes_back_to_the_better_way),
		SUITE_CASE(a_link_breaks_wherever_it_may),
		SUITE_CASE(without_another_way_a_link_ends_with_its_path),
		SUITE_CASE(what_a_closed_sender_has_sent_arrives),
		SUITE_CASE(both_directions_go_on),
		SUITE_CASE(what_is_kept_stays_readable_and_who_asked_is_told),
		SUITE_CASE(who_comes_again_as_another_is_not_mistaken_for_the_first),
		SUITE_CASE(requests_end_once_with_an_answer_or_a_reset),
	};

	return suite_main("move", cases, SUITE_COUNT(cases), argc, argv);
}

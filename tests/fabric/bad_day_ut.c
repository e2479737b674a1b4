/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves what the fabric promises when its driver has a bad day (fault+shm): sends that are refused and frames that come
 * late lose and repeat nothing; a path that is cut, after whichever frame, ends each operation exactly once, with the right
 * code, and every loan comes home; whoever waits for its peer goes on; and what fails at opening is said.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPS 200u
#define CUTS 90u

/* What is sent, and how often and how each of it ended. */
static struct {
	struct {
		unsigned int ends, arrived;
		int status;
		bool asks, lends;
	} ops[OPS];
	unsigned int sent, arrived, wrong;
} day;

/* Each lane hands up what it was given, in that order: here there is one. */
static void on_message(struct weft_rx *rx, void *user)
{
	uint32_t number = 0;

	(void)user;
	memcpy(&number, rx->data, sizeof number);
	day.wrong += number != day.arrived;
	day.arrived++;
	if (number < OPS)
		day.ops[number].arrived++;
	if (rx->is_request)
		day.wrong += weft_reply(rx, &number, sizeof number) != 0;
}

static void ended(uint32_t number, int status)
{
	day.ops[number].ends++;
	day.ops[number].status = status;
}

static void on_done(struct weft_op *op, int status, void *user)
{
	(void)op;
	ended((uint32_t)(uintptr_t)user, status);
}

static void on_reply(struct weft_rx *reply, int status, void *user)
{
	uint32_t number = (uint32_t)(uintptr_t)user;

	day.wrong += status == 0 && memcmp(reply->data, &number, sizeof number) != 0;
	ended(number, status);
}

static int lend(struct pair *pair, uint32_t number, const struct weft_send_opts *how)
{
	struct weft_loan *loan = NULL;
	int rc = weft_loan_get(pair->near_worker, 3000, &loan);

	if (rc < 0)
		return rc;
	memcpy(weft_loan_data(loan), &number, sizeof number);
	rc = weft_send_loan(pair->sender, loan, how);
	if (rc == -WEFT_EAGAIN)
		weft_loan_release(loan);
	return rc;
}

/* The next is a request, a loan or a copy, in turn. */
static int send_next(struct pair *pair)
{
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	uint32_t number = day.sent;
	int rc;

	how.completion = number % 2 ? WEFT_DELIVERED : WEFT_SENT;
	how.done = on_done;
	how.user = (void *)(uintptr_t)number;
	day.ops[number].asks = number % 3 == 0;
	day.ops[number].lends = number % 3 == 1;
	if (day.ops[number].asks)
		rc = weft_request(pair->sender, &number, sizeof number, WEFT_NEVER, on_reply, how.user, NULL);
	else if (day.ops[number].lends)
		rc = lend(pair, number, &how);
	else
		rc = weft_send_with(pair->sender, &number, sizeof number, &how);
	day.sent += rc == 0;
	return rc;
}

static bool all_ended(void)
{
	for (unsigned int i = 0; i < day.sent; i++)
		if (!day.ops[i].ends)
			return false;
	return true;
}

static bool all_home(struct pair *pair)
{
	struct weft_node_stats near, far;

	weft_node_describe(pair->near, &near);
	weft_node_describe(pair->far, &far);
	return near.loans_out + far.loans_out == 0;
}

static void start(struct pair *pair, const char *near_faults, const char *far_faults)
{
	memset(&day, 0, sizeof day);
	pair_open_faults(pair, NULL, near_faults, far_faults);
	weft_channel_handle(pair->far_channel, on_message, NULL);
}

static void refusals_and_delays_lose_and_repeat_nothing(void)
{
	const char *given = getenv("WEFT_TEST_SEED");
	unsigned long seed = given ? strtoul(given, NULL, 0) : 1;

	for (unsigned long round = 0; round < 10; round++) {
		char faults[96];
		struct pair pair;

		snprintf(faults, sizeof faults, "seed=%lu,again=0.2,delay=0.1,delay_us=100", seed + round);
		start(&pair, faults, faults);
		pair_connect(&pair);
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, (day.sent < OPS && (send_next(&pair), false)) || day.sent == OPS));
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, all_ended() && all_home(&pair)));
		for (unsigned int i = 0; i < OPS; i++)
			day.wrong += day.ops[i].ends != 1 || day.ops[i].status != 0 || day.ops[i].arrived != 1;
		CU_ASSERT_EQUAL(day.wrong, 0);
		if (day.wrong)
			printf("\n\tWEFT_TEST_SEED=%lu ", seed + round);
		CU_ASSERT_EQUAL(pair.events[WEFT_SENDER_LOST], 0);
		pair_close(&pair);
	}
}

static void on_event(struct weft_sender *sender, enum weft_sender_event event, int cause, void *user)
{
	struct pair *pair = user;

	(void)sender;
	pair->events[event]++;
	if (event == WEFT_SENDER_LOST || event == WEFT_SENDER_FAILED)
		pair->cause = cause;
}

static void open_sender(struct pair *pair, bool wait_for_peer)
{
	struct weft_sender_opts opts = {.size = sizeof opts,
					.on_event = on_event,
					.wait_for_peer = wait_for_peer,
					.user = pair};

	CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair->near_worker, pair->near_channel, weft_node_name(pair->far), &opts,
					       &pair->sender),
			      0);
}

static bool lost(const struct pair *pair)
{
	return pair->events[WEFT_SENDER_LOST] + pair->events[WEFT_SENDER_FAILED] > 0;
}

/* Sends until the path is cut, and looks at how everything ended. Returns how much was sent. */
static unsigned int cut_once(const char *near_faults, const char *far_faults, int cause)
{
	struct pair pair;

	start(&pair, near_faults, far_faults);
	open_sender(&pair, false);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, (day.sent < OPS && weft_sender_status(pair.sender) == 0 &&
					  send_next(&pair) == 0 && false) ||
						 lost(&pair)));
	CU_ASSERT_EQUAL(pair.cause, cause);
	CU_ASSERT_EQUAL(weft_sender_status(pair.sender), cause);
	CU_ASSERT_EQUAL(weft_send(pair.sender, "x", 1), cause);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, all_ended() && all_home(&pair)));
	for (unsigned int i = 0; i < day.sent; i++) {
		CU_ASSERT_EQUAL(day.ops[i].ends, 1);
		CU_ASSERT_TRUE(day.ops[i].status == 0 || day.ops[i].status == cause);
		CU_ASSERT_TRUE(day.ops[i].arrived <= 1);
		/* What was answered or delivered has arrived. */
		if (day.ops[i].status == 0 && (day.ops[i].asks || i % 2))
			CU_ASSERT_EQUAL(day.ops[i].arrived, 1);
	}
	CU_ASSERT_EQUAL(day.wrong, 0);
	CU_ASSERT_EQUAL(pair.events[WEFT_SENDER_LOST] + pair.events[WEFT_SENDER_FAILED], 1);
	pair_close(&pair);
	return day.sent;
}

static void a_cut_on_our_side_ends_everything_once_as_unknown(void)
{
	unsigned int most = 0;

	for (unsigned int cut = 1; cut <= CUTS; cut++) {
		char faults[32];
		unsigned int sent;

		snprintf(faults, sizeof faults, "seed=1,cut=%u", cut);
		sent = cut_once(faults, NULL, -WEFT_EPEERRESET);
		most = sent > most ? sent : most;
	}
	CU_ASSERT_TRUE(most > CUTS / 4);
}

static void a_cut_on_the_other_side_ends_everything_once_as_closed(void)
{
	for (unsigned int cut = 1; cut <= CUTS; cut++) {
		char faults[32];

		snprintf(faults, sizeof faults, "seed=1,cut=%u", cut);
		cut_once(NULL, faults, -WEFT_ECLOSED);
	}
}

static uint64_t last_tag;

static void on_tag(struct weft_rx *rx, void *user)
{
	unsigned int *count = user;

	day.wrong += rx->tag <= last_tag;
	last_tag = rx->tag;
	++*count;
}

static void whoever_waits_for_its_peer_goes_on_after_each_cut(void)
{
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	unsigned int count = 0;
	struct pair pair;

	start(&pair, "seed=1,cut=100", NULL);
	weft_channel_handle(pair.far_channel, on_tag, &count);
	last_tag = 0;
	open_sender(&pair, true);
	how.has_header = true;
	how.tag = 1;
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, (how.tag += weft_send_with(pair.sender, "x", 1, &how) == 0,
					  pair.events[WEFT_SENDER_LOST] >= 5)));
	CU_ASSERT_EQUAL(pair.cause, -WEFT_EPEERRESET);
	CU_ASSERT_EQUAL(pair.events[WEFT_SENDER_FAILED], 0);
	CU_ASSERT_TRUE(pair.events[WEFT_SENDER_READY] >= 5);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_send_with(pair.sender, "x", 1, &how) == 0));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, last_tag == how.tag));
	CU_ASSERT_TRUE(count > 200);
	CU_ASSERT_EQUAL(day.wrong, 0);
	pair_close(&pair);
}

static void a_connection_that_fails_is_said_or_tried_again(void)
{
	static const char *const near_faults[] = {"fail=connect:1", NULL}, *const far_faults[] = {NULL,
												  "fail=accept:1"};

	for (unsigned int i = 0; i < 2; i++) {
		struct pair pair;

		start(&pair, near_faults[i], far_faults[i]);
		open_sender(&pair, false);
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, pair.events[WEFT_SENDER_FAILED]));
		CU_ASSERT_EQUAL(pair.cause, -WEFT_EIO);
		pair_close(&pair);
		start(&pair, near_faults[i], far_faults[i]);
		open_sender(&pair, true);
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, weft_sender_status(pair.sender) == 0));
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, send_next(&pair) == 0));
		CU_ASSERT_TRUE(PAIR_UNTIL(&pair, all_ended() && day.arrived == 1));
		pair_close(&pair);
	}
}

static void memory_that_cannot_be_shared_at_first_is_lent_later(void)
{
	struct pair pair;

	start(&pair, "fail=share:1", NULL);
	pair_connect(&pair);
	day.sent = 1; /* the next is a loan */
	day.arrived = 1;
	day.ops[0].ends = 1;
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, send_next(&pair) == 0));
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, all_ended() && all_home(&pair)));
	CU_ASSERT_EQUAL(day.ops[1].status, 0);
	CU_ASSERT_EQUAL(day.ops[1].arrived, 1);
	pair_close(&pair);
}

/* What weft_node_open says with these options. */
static int open_with(const char *driver, const char *faults)
{
	struct weft_node_opts opts;

	weft_node_opts_init(&opts, sizeof opts);
	opts.driver = driver;
	opts.faults = faults;
	return pair_try(&opts);
}

static bool says(const char *part)
{
	return strstr(weft_last_error(), part) != NULL;
}

static void a_node_that_cannot_be_opened_says_why_and_leaves_nothing(void)
{
	CU_ASSERT_EQUAL(open_with("fault+shm", "fail=device_open"), -WEFT_EIO);
	CU_ASSERT_TRUE(says("opening the device failed"));
	CU_ASSERT_EQUAL(open_with("fault+shm", "fail=port_open:1"), -WEFT_EIO);
	CU_ASSERT_EQUAL(open_with("fault+shm", "fail=port_open:2"), 0);
	CU_ASSERT_EQUAL(open_with("fault+shm", "aggain=0.5"), -WEFT_EINVAL);
	CU_ASSERT_TRUE(says("\"again\""));
	CU_ASSERT_EQUAL(open_with("shm", "again=0.5"), -WEFT_EINVAL);
	CU_ASSERT_TRUE(says("use driver fault+shm"));
	CU_ASSERT_EQUAL(open_with("shn", NULL), -WEFT_ENODEV);
	CU_ASSERT_TRUE(says("there is no driver \"shn\""));
	CU_ASSERT_EQUAL(open_with("shm", NULL), 0);
}

static void the_environment_says_what_options_leave_open(void)
{
	char *driver = getenv("WEFT_DRIVER"), *faults = getenv("WEFT_FAULT");

	setenv("WEFT_DRIVER", "fault+shm", 1);
	setenv("WEFT_FAULT", "fail=device_open", 1);
	CU_ASSERT_EQUAL(open_with(NULL, NULL), -WEFT_EIO);
	CU_ASSERT_EQUAL(open_with(NULL, ""), 0);
	CU_ASSERT_EQUAL(open_with("shm", NULL), -WEFT_EINVAL); /* faults that nobody would make */
	setenv("WEFT_DRIVER", "", 1);
	setenv("WEFT_FAULT", "", 1);
	CU_ASSERT_EQUAL(open_with(NULL, NULL), 0);
	driver ? setenv("WEFT_DRIVER", driver, 1) : unsetenv("WEFT_DRIVER");
	faults ? setenv("WEFT_FAULT", faults, 1) : unsetenv("WEFT_FAULT");
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(refusals_and_delays_lose_and_repeat_nothing),
		SUITE_CASE(a_cut_on_our_side_ends_everything_once_as_unknown),
		SUITE_CASE(a_cut_on_the_other_side_ends_everything_once_as_closed),
		SUITE_CASE(whoever_waits_for_its_peer_goes_on_after_each_cut),
		SUITE_CASE(a_connection_that_fails_is_said_or_tried_again),
		SUITE_CASE(memory_that_cannot_be_shared_at_first_is_lent_later),
		SUITE_CASE(a_node_that_cannot_be_opened_says_why_and_leaves_nothing),
		SUITE_CASE(the_environment_says_what_options_leave_open),
	};

	return suite_main("bad day", cases, SUITE_COUNT(cases), argc, argv);
}

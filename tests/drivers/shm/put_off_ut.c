/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a peer which says "not now" is asked again, and cannot have that go on for ever: after ten seconds of nothing else
 * the connector is told that it failed, and the log says so once. Time is the test's own.
 */
#include "shm/attach.h"
#include "suite.h"
#include "two_sides.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STEP_NS UINT64_C(500000000)
#define STEPS (SHM_PUT_OFF_NS / STEP_NS)
#define LONG_NS (SHM_HANDSHAKE_NS - UINT64_C(50000000)) /* for an answer */
#define RETRY_NS UINT64_C(100000000)                    /* the longest after which the fabric asks again */

static struct side_end *const here = &near.ends[0], *const there = &far.ends[0];

static void pass_ns(uint64_t span_ns)
{
	weft_clock_virtual_set(side_clock, weft_clock_now(side_clock) + span_ns);
}

/* What comes of a connection, by return or, as long after the question, by event. */
static int ask_slow(const char *to, uint64_t takes_ns)
{
	unsigned int failures = here->failures;
	int rc = side_connect(here, to, 0, NULL);

	if (rc < 0)
		return rc;
	pass_ns(takes_ns);
	CU_ASSERT_TRUE(SIDES_UNTIL(here->failures > failures));
	return here->error;
}

static int ask(const char *to)
{
	return ask_slow(to, 0);
}

/* It is asked for as long as it may say so, and once more. */
static void is_put_off_for_so_long_and_no_longer(const char *to, int said)
{
	for (unsigned int i = 0; i < STEPS; i++) {
		CU_ASSERT_EQUAL(ask(to), said);
		pass_ns(STEP_NS);
	}
	CU_ASSERT_EQUAL(lines, 0);
	CU_ASSERT_EQUAL(ask(to), -WEFT_ETIMEDOUT);
	pass_ns(STEP_NS);
	CU_ASSERT_EQUAL(ask(to), -WEFT_ETIMEDOUT);
	CU_ASSERT_EQUAL(lines, 1);
}

static void who_says_nothing_but_not_now_is_given_up_after_a_time(void)
{
	two_sides_open("puts us off");
	far.refuse_with = -WEFT_EBUSY;
	is_put_off_for_so_long_and_no_longer(far.name, -WEFT_EBUSY);
	two_sides_close();
	two_sides_open("puts us off");
	far.refuse_with = -WEFT_EAGAIN;
	is_put_off_for_so_long_and_no_longer(far.name, -WEFT_EAGAIN);
	two_sides_close();
}

/* Its answers lie further apart than any handshake takes, and still it says nothing else. */
static void who_takes_its_time_to_say_it_is_given_up_as_well(void)
{
	const uint64_t apart_ns = LONG_NS + RETRY_NS;

	two_sides_open("puts us off");
	far.refuse_with = -WEFT_EBUSY;
	for (uint64_t said_ns = 0; said_ns < SHM_PUT_OFF_NS; said_ns += apart_ns) {
		CU_ASSERT_EQUAL(ask_slow(far.name, LONG_NS), -WEFT_EBUSY);
		pass_ns(RETRY_NS);
	}
	CU_ASSERT_EQUAL(lines, 0);
	CU_ASSERT_EQUAL(ask_slow(far.name, LONG_NS), -WEFT_ETIMEDOUT);
	CU_ASSERT_EQUAL(lines, 1);
	two_sides_close();
}

static void who_lets_us_in_meanwhile_may_say_it_as_long_again(void)
{
	two_sides_open("puts us off");
	far.refuse_with = -WEFT_EBUSY;
	for (unsigned int i = 0; i < STEPS; i++) {
		CU_ASSERT_EQUAL(ask(far.name), -WEFT_EBUSY);
		pass_ns(STEP_NS);
	}
	far.refuse_with = 0;
	side_join(here, there);
	far.refuse_with = -WEFT_EBUSY;
	is_put_off_for_so_long_and_no_longer(far.name, -WEFT_EBUSY);
	two_sides_close();
}

static void who_was_not_asked_for_long_may_say_it_as_long_again(void)
{
	two_sides_open("puts us off");
	far.refuse_with = -WEFT_EBUSY;
	CU_ASSERT_EQUAL(ask(far.name), -WEFT_EBUSY);
	pass_ns(SHM_PUT_OFF_GAP_NS + STEP_NS);
	is_put_off_for_so_long_and_no_longer(far.name, -WEFT_EBUSY);
	two_sides_close();
}

/* A process that is stopped accepts nobody, and soon nobody gets as far as to ask it. */
static void who_does_not_even_listen_is_given_up_as_well(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	char name[48];
	socklen_t len;

	side_name(name, "deaf", (int)getpid());
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1);
	len += (socklen_t)snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "weft/%u/%s", geteuid(), name);
	CU_ASSERT_EQUAL_FATAL(bind(listener, (struct sockaddr *)&address, len), 0);
	CU_ASSERT_EQUAL_FATAL(listen(listener, 0), 0);
	two_sides_open("puts us off");
	while (side_connect(here, name, 0, NULL) == 0)
		;
	is_put_off_for_so_long_and_no_longer(name, -WEFT_EBUSY);
	close(listener);
	two_sides_close();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(who_says_nothing_but_not_now_is_given_up_after_a_time),
		SUITE_CASE(who_takes_its_time_to_say_it_is_given_up_as_well),
		SUITE_CASE(who_lets_us_in_meanwhile_may_say_it_as_long_again),
		SUITE_CASE(who_was_not_asked_for_long_may_say_it_as_long_again),
		SUITE_CASE(who_does_not_even_listen_is_given_up_as_well),
	};

	return suite_main("shm put off", cases, SUITE_COUNT(cases), argc, argv);
}

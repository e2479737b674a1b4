/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices, ports and paths: they come, know who is there, and go in good order.
 */
#include "conformance.h"
#include "side.h"

#include <CUnit/Basic.h>
#include <string.h>
#include <unistd.h>

static struct side near, far;

static void open_both(void)
{
	side_open(&near, "near", 1, 0);
	side_open(&far, "far", 1, 0);
}

static void close_both(void)
{
	side_close(&near);
	side_close(&far);
}

static void count_frame(struct side_end *end, const struct weft_rx_frame *frame)
{
	end->wrong += frame->meta != end->got;
	end->got++;
}

static void the_driver_says_what_it_is(void)
{
	CU_ASSERT_STRING_EQUAL(side_driver->name, conformance_driver(side_driver->name)->name);
	side_open(&near, "near", 1, 0);
	CU_ASSERT_PTR_EQUAL(near.ends[0].port->driver, side_driver);
	CU_ASSERT_PTR_EQUAL(near.ends[0].port->device, near.device);
	CU_ASSERT_TRUE(near.ends[0].port->inline_max >= 64);
	CU_ASSERT_TRUE(near.ends[0].port->max_burst >= 1);
	side_close(&near);
}

static void a_device_opens_and_closes_many_times_under_one_name(void)
{
	for (unsigned int i = 0; i < 10; i++) {
		side_open(&near, "near", 2, 0);
		sides_turn();
		side_close(&near);
		CU_ASSERT_PTR_NULL(near.device);
	}
}

static void a_name_that_is_in_use_is_refused(void)
{
	struct weft_device_opts opts;
	struct weft_device *second = NULL;

	side_open(&near, "near", 1, 0);
	weft_device_opts_init(&opts, sizeof opts);
	opts.name = near.name;
	opts.runner = near.runner;
	opts.arena = near.arena;
	CU_ASSERT_EQUAL(weft_device_open(side_driver, &opts, &second), -WEFT_EADDRINUSE);
	CU_ASSERT_PTR_NULL(second);
	CU_ASSERT_NOT_EQUAL(weft_last_error()[0], '\0');
	side_close(&near);
}

static void a_device_without_a_name_opens(void)
{
	struct weft_worker *runner = NULL;
	struct weft_arena *arena = NULL;
	struct weft_device *device = NULL;
	struct weft_worker_opts worker_opts;
	struct weft_arena_opts arena_opts;
	struct weft_device_opts opts;

	weft_worker_opts_init(&worker_opts, sizeof worker_opts);
	weft_arena_opts_init(&arena_opts, sizeof arena_opts);
	CU_ASSERT_EQUAL_FATAL(weft_worker_open(&worker_opts, &runner), 0);
	CU_ASSERT_EQUAL_FATAL(weft_arena_open(&arena_opts, &arena), 0);
	weft_device_opts_init(&opts, sizeof opts);
	opts.runner = runner;
	opts.arena = arena;
	CU_ASSERT_EQUAL_FATAL(weft_device_open(side_driver, &opts, &device), 0);
	side_driver->device_close(&device);
	CU_ASSERT_PTR_NULL(device);
	weft_worker_close(&runner);
	weft_arena_close(&arena);
}

static void nobody_there_is_said_by_return_or_by_event(void)
{
	struct side_end *end = &near.ends[0];
	int rc;

	side_open(&near, "near", 1, 0);
	rc = side_connect(end, side_driver->caps & WEFT_DRIVER_LOCAL ? "conformance-nobody" : "127.0.0.1:1", 0, &near);
	if (rc == 0) {
		CU_ASSERT_TRUE(SIDES_UNTIL(end->failures == 1));
		CU_ASSERT_PTR_EQUAL(end->request, &near);
		rc = end->error;
	}
	CU_ASSERT_EQUAL(rc, side_driver->caps & WEFT_DRIVER_LOCAL ? -WEFT_ECONNREFUSED : -WEFT_EUNREACHABLE);
	CU_ASSERT_EQUAL(end->ups, 0);
	side_close(&near);
}

static void who_refuses_is_heard_with_its_reason(void)
{
	open_both();
	far.refuse_with = -WEFT_EQUOTA;
	CU_ASSERT_EQUAL(side_connect(&near.ends[0], far.name, 0, &far), 0);
	CU_ASSERT_TRUE(SIDES_UNTIL(near.ends[0].failures == 1));
	CU_ASSERT_EQUAL(near.ends[0].error, -WEFT_EQUOTA);
	CU_ASSERT_PTR_EQUAL(near.ends[0].request, &far);
	CU_ASSERT_EQUAL(far.ends[0].ups + near.ends[0].ups, 0);
	far.refuse_with = 0;
	side_join(&near.ends[0], &far.ends[0]);
	close_both();
}

static void both_learn_who_the_other_is(void)
{
	struct weft_hello longest = {.len_bytes = WEFT_HELLO_MAX};
	char text[WEFT_DEVICE_ADDRESS_MAX];
	struct side_end *here = &near.ends[0], *there = &far.ends[0];

	for (unsigned int i = 1; i < WEFT_HELLO_MAX; i++)
		longest.bytes[i] = (unsigned char)i;
	open_both();
	CU_ASSERT_EQUAL(side_driver->connect(here->port, side_address(far.name, text), &longest, &longest), 0);
	CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(here->ups == 1 && there->ups == 1));
	CU_ASSERT_PTR_EQUAL(here->request, &longest);
	CU_ASSERT_PTR_NULL(there->request);
	CU_ASSERT_EQUAL(there->hello.len_bytes, WEFT_HELLO_MAX);
	CU_ASSERT_EQUAL(memcmp(there->hello.bytes, longest.bytes, WEFT_HELLO_MAX), 0);
	CU_ASSERT_EQUAL(here->hello.len_bytes, WEFT_HELLO_MAX);
	CU_ASSERT_EQUAL(here->hello.bytes[0], 255);
	CU_ASSERT_EQUAL(here->path->peer.incarnation, far.incarnation);
	CU_ASSERT_EQUAL(there->path->peer.incarnation, near.incarnation);
	CU_ASSERT_EQUAL(far.asker.incarnation, near.incarnation);
	if (side_driver->caps & WEFT_DRIVER_LOCAL) {
		CU_ASSERT_EQUAL(here->path->peer.pid, getpid());
		CU_ASSERT_EQUAL(there->path->peer.pid, getpid());
		CU_ASSERT_EQUAL(there->path->peer.uid, geteuid());
	}
	CU_ASSERT_PTR_EQUAL(here->path->port, here->port);
	CU_ASSERT_PTR_NULL(here->path->user);
	close_both();
}

static void what_was_sent_before_a_disconnect_arrives_before_its_end(void)
{
	struct side_end *here = &near.ends[0], *there = &far.ends[0];
	unsigned int sent = 0;

	open_both();
	side_join(here, there);
	while (sent < 20 && here->port->send(here->path, WEFT_CLASS_NORMAL, sent, "last words", 10, 0) == 0)
		sent++;
	CU_ASSERT_EQUAL(sent, 20);
	side_driver->disconnect(here->path);
	here->path = NULL;
	there->on_frame = count_frame;
	CU_ASSERT_TRUE(SIDES_UNTIL(there->downs == 1));
	CU_ASSERT_EQUAL(there->got, sent);
	CU_ASSERT_EQUAL(there->wrong, 0);
	CU_ASSERT_EQUAL(there->reason, WEFT_DOWN_CLOSED);
	CU_ASSERT_EQUAL(here->downs, 0);
	CU_ASSERT_TRUE(SIDES_UNTIL(side_stats(here).paths == 0 && side_stats(there).paths == 0));
	close_both();
}

static void a_port_that_closes_takes_leave_on_all_its_paths(void)
{
	struct side_end *there = &far.ends[0];

	open_both();
	for (unsigned int i = 0; i < 3; i++)
		side_join(&near.ends[0], there);
	there->on_frame = count_frame;
	side_close(&near);
	CU_ASSERT_TRUE(SIDES_UNTIL(there->downs == 3));
	CU_ASSERT_EQUAL(there->reason, WEFT_DOWN_CLOSED);
	CU_ASSERT_EQUAL(there->got, 0);
	side_close(&far);
}

static void after_the_end_of_a_path_nothing_is_taken_and_a_new_one_can_be_made(void)
{
	struct side_end *here = &near.ends[0], *there = &far.ends[0];

	open_both();
	side_join(here, there);
	here->keep_down = true;
	here->on_frame = there->on_frame = count_frame;
	side_driver->disconnect(there->path);
	CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(here->downs == 1));
	CU_ASSERT_TRUE(here->port->send(here->path, WEFT_CLASS_NORMAL, 0, "x", 1, 0) < 0);
	CU_ASSERT_EQUAL(here->port->tx(here->path, WEFT_CLASS_NORMAL, &(struct weft_tx_frame){.meta = 0}, 1, 0, NULL),
			0);
	side_driver->disconnect(here->path);
	here->keep_down = false;
	side_join(here, there);
	CU_ASSERT_EQUAL(here->port->send(here->path, WEFT_CLASS_NORMAL, 0, "x", 1, 0), 0);
	CU_ASSERT_TRUE(SIDES_UNTIL(there->got == 1));
	CU_ASSERT_EQUAL(here->downs, 1);
	close_both();
}

static void two_connect_to_each_other_at_once_and_have_two_paths(void)
{
	struct side_end *here = &near.ends[0], *there = &far.ends[0];

	open_both();
	CU_ASSERT_EQUAL(side_connect(here, far.name, 0, here), 0);
	CU_ASSERT_EQUAL(side_connect(there, near.name, 0, there), 0);
	CU_ASSERT_TRUE(SIDES_UNTIL(here->ups == 2 && there->ups == 2));
	CU_ASSERT_EQUAL(side_stats(here).paths, 2);
	close_both();
}

static void closing_in_the_middle_of_a_handshake_leaves_nothing(void)
{
	for (unsigned int turns = 0; turns < 80; turns += 4) {
		open_both();
		CU_ASSERT_EQUAL(side_connect(&near.ends[0], far.name, 0, NULL), 0);
		for (unsigned int i = 0; i < turns; i++)
			sides_turn();
		if (turns % 8)
			close_both();
		side_close(&far);
		side_close(&near);
	}
}

const struct conformance_case conformance_life[] = {
	CONFORMANCE_CASE(the_driver_says_what_it_is, 0),
	CONFORMANCE_CASE(a_device_opens_and_closes_many_times_under_one_name, 0),
	CONFORMANCE_CASE(a_name_that_is_in_use_is_refused, WEFT_DRIVER_LOCAL),
	CONFORMANCE_CASE(a_device_without_a_name_opens, 0),
	CONFORMANCE_CASE(nobody_there_is_said_by_return_or_by_event, WEFT_DRIVER_RELIABLE),
	CONFORMANCE_CASE(who_refuses_is_heard_with_its_reason, 0),
	CONFORMANCE_CASE(both_learn_who_the_other_is, 0),
	CONFORMANCE_CASE(what_was_sent_before_a_disconnect_arrives_before_its_end, WEFT_DRIVER_RELIABLE),
	CONFORMANCE_CASE(a_port_that_closes_takes_leave_on_all_its_paths, 0),
	CONFORMANCE_CASE(after_the_end_of_a_path_nothing_is_taken_and_a_new_one_can_be_made, 0),
	CONFORMANCE_CASE(two_connect_to_each_other_at_once_and_have_two_paths, 0),
	CONFORMANCE_CASE(closing_in_the_middle_of_a_handshake_leaves_nothing, 0),
	CONFORMANCE_END,
};

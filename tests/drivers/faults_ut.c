/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that every constructor of a driver fails cleanly, whichever call for memory or descriptors it is that fails:
 * the error is said once, nothing stays behind, and the next attempt succeeds: faults_ut DRIVER [WORDS...].
 */
#include "conformance/side.h"
#include "fault.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MANY 2000u

static struct side near, far;
static struct side_end *const here = &near.ends[0], *const there = &far.ends[0];

/* What a lack of memory, descriptors or watches may be called. */
static bool is_lack(int error)
{
	return error == -WEFT_ENOMEM || error == -WEFT_EMFILE || error == -WEFT_ENOSPC || error == -WEFT_EIO ||
	       error == -WEFT_EPERM;
}

/* And what the other side calls it, which only sees that nothing came of it. */
static bool is_lack_over_there(int error)
{
	return is_lack(error) || error == -WEFT_ECONNREFUSED || error == -WEFT_EPIPE || error == -WEFT_ETIMEDOUT ||
	       error == -WEFT_EAGAIN;
}

static void check_error(int rc, bool right)
{
	if (!right)
		printf("\n\tafter %s: %s ", fault_name(), weft_error_name(rc));
	CU_ASSERT_TRUE(right);
}

/* Nobody did wrong. (When the call that asks for seals fails, they seem to be missing: it never lacks anything.) */
static void check_that_nobody_is_blamed(void)
{
	if (strcmp(fault_name(), "fcntl") != 0)
		CU_ASSERT_EQUAL(side_stats(here).violations + side_stats(there).violations, 0);
}

static int open_device(struct weft_device **device)
{
	struct weft_device_opts opts;
	uint32_t uids[] = {12345};
	char name[48];

	side_name(name, "another", (int)getpid());
	weft_device_opts_init(&opts, sizeof opts);
	opts.name = name;
	opts.runner = near.runner;
	opts.arena = near.arena;
	opts.allowed_uids = uids;
	opts.allowed_uid_count = 1;
	return weft_device_open(side_driver, &opts, device);
}

static int open_port(struct weft_port **port)
{
	struct weft_port_opts opts;

	weft_port_opts_init(&opts, sizeof opts);
	opts.worker = here->worker;
	opts.pool = here->pool;
	return weft_port_open(side_driver, near.device, &opts, port);
}

static void a_device_that_cannot_be_opened_leaves_nothing(void)
{
	unsigned int skip = 0;
	bool struck = true;

	side_open(&near, "near", 1, 0);
	for (; struck && skip < MANY; skip++) {
		unsigned long kept = fault_count_kept();
		struct weft_device *device = NULL;
		int rc;

		fault_arm(skip);
		rc = open_device(&device);
		struck = fault_disarm();
		check_error(rc, rc == 0 || (struck && is_lack(rc)));
		CU_ASSERT_EQUAL(rc == 0, device != NULL);
		if (device)
			side_driver->device_close(&device);
		CU_ASSERT_TRUE(fault_keeps_only(kept));
	}
	CU_ASSERT_TRUE(skip > 3);
	side_close(&near);
}

static void a_port_that_cannot_be_opened_leaves_nothing(void)
{
	unsigned int skip = 0;
	bool struck = true;

	for (; struck && skip < MANY; skip++) {
		unsigned long kept = fault_count_kept();
		struct weft_port *port = NULL;
		int rc;

		side_open(&near, "near", 1, 0); /* anew, so that the arena has to grow for it */
		fault_arm(skip);
		rc = open_port(&port);
		struck = fault_disarm();
		check_error(rc, rc == 0 || (struck && is_lack(rc)));
		CU_ASSERT_EQUAL(rc == 0, port != NULL);
		if (port)
			side_driver->port_close(&port);
		side_close(&near);
		CU_ASSERT_TRUE(fault_keeps_only(kept));
	}
	CU_ASSERT_TRUE(skip > 2);
}

static void count_frame(struct side_end *end, const struct weft_rx_frame *frame)
{
	end->got++;
	if (frame->loan_data)
		frame->path->port->release(frame->path, frame->loan_id);
}

/* Both have a path and know it, or neither has. */
static bool settled(int rc)
{
	unsigned int near_paths = here->ups - here->downs, far_paths = there->ups - there->downs;

	return (rc < 0 || here->ups + here->failures == 1) && near_paths == far_paths;
}

static void check_that_all_is_well(void)
{
	uint64_t got = there->got;

	side_join(here, there);
	CU_ASSERT_EQUAL(here->port->send(here->path, WEFT_CLASS_NORMAL, 0, "", 0, 0), 0);
	CU_ASSERT_TRUE(SIDES_UNTIL(there->got == got + 1));
}

static void a_connection_that_cannot_be_made_is_said_once_and_leaves_nothing(void)
{
	unsigned int skip = 0;
	bool struck = true;

	for (; struck && skip < MANY; skip++) {
		unsigned long kept = fault_count_kept();
		int rc;

		side_open(&near, "near", 1, 0);
		side_open(&far, "far", 1, 0);
		there->on_frame = here->on_frame = count_frame;
		fault_arm(skip);
		rc = side_connect(here, far.name, 0, here);
		if (!SIDES_UNTIL(settled(rc))) {
			printf("\n\tafter %s: silence (%d; %u %u %u, %u %u %u) ", fault_name(), rc, here->ups,
			       here->downs, here->failures, there->ups, there->downs, there->failures);
			CU_FAIL("silence");
		}
		struck = fault_disarm();
		check_error(rc, rc == 0 || (struck && is_lack(rc)));
		if (here->failures)
			check_error(here->error,
				    struck && (is_lack_over_there(here->error) || !strcmp(fault_name(), "fcntl")));
		check_that_nobody_is_blamed();
		check_that_all_is_well();
		side_close(&near);
		side_close(&far);
		CU_ASSERT_TRUE(fault_keeps_only(kept));
	}
	CU_ASSERT_TRUE(skip > 10);
}

/* The first loan: memory is shared, mapped and booked on both sides. It may cost the path, but blames nobody. */
static void a_loan_that_cannot_be_made_is_tried_again_or_ends_the_path(void)
{
	unsigned int skip = 0;
	bool struck = true;

	for (; struck && skip < MANY; skip++) {
		unsigned long kept = fault_count_kept();
		struct weft_tx_frame frame = {.loan_len_bytes = 1000, .cookie = 1};
		int why = 0;

		side_open(&near, "near", 1, 0);
		side_open(&far, "far", 1, 0);
		there->on_frame = here->on_frame = count_frame;
		side_join(here, there);
		CU_ASSERT_EQUAL_FATAL(weft_pool_get(here->pool, 1000, &frame.loan), 0);
		fault_arm(skip);
		CU_ASSERT_TRUE(SIDES_UNTIL(
			here->homes == 1 || here->downs || there->downs ||
			(!there->got && !here->port->tx(here->path, WEFT_CLASS_NORMAL, &frame, 1, 0, &why) &&
			 why == -WEFT_ENXIO && side_driver->share(here->path, frame.loan->segment_id) < 0)));
		struck = fault_disarm();
		CU_ASSERT_TRUE(struck || here->homes == 1);
		check_that_nobody_is_blamed();
		CU_ASSERT_TRUE(SIDES_UNTIL(here->downs == there->downs));
		if (here->downs)
			check_that_all_is_well();
		CU_ASSERT_TRUE(SIDES_UNTIL(side_stats(here).loans_out == 0));
		CU_ASSERT_EQUAL(frame.loan->refs, 1);
		weft_buf_put(frame.loan);
		side_close(&near);
		side_close(&far);
		CU_ASSERT_TRUE(fault_keeps_only(kept));
	}
	CU_ASSERT_TRUE(skip > 2);
}

static rlim_t next_descriptor(void)
{
	int fd = dup(0);

	close(fd);
	return (rlim_t)fd;
}

/* Really none left, instead of one call that fails: now that many descriptors are left, now one more. */
static void without_descriptors_a_connection_fails_and_others_live_on(void)
{
	struct rlimit before, few;
	struct weft_path *old;
	bool made = false;

	getrlimit(RLIMIT_NOFILE, &before);
	for (rlim_t left = 0; !made && left < 100; left++) {
		unsigned long kept = fault_count_kept();
		uint64_t got;
		int rc;

		side_open(&near, "near", 1, 0);
		side_open(&far, "far", 1, 0);
		there->on_frame = here->on_frame = count_frame;
		side_join(here, there);
		old = here->path;
		few = (struct rlimit){next_descriptor() + left, before.rlim_max};
		CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &few), 0);
		rc = side_connect(here, far.name, 0, here);
		for (unsigned int i = 0; i < 400; i++)
			sides_turn();
		got = there->got;
		CU_ASSERT_EQUAL(here->port->send(old, WEFT_CLASS_NORMAL, 0, "", 0, 0), 0);
		CU_ASSERT_TRUE(SIDES_UNTIL(there->got == got + 1));
		CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &before), 0);
		check_error(rc, rc == 0 || rc == -WEFT_EMFILE);
		/* What was only waiting for a descriptor is made now. */
		CU_ASSERT_TRUE(SIDES_UNTIL(rc < 0 || (here->ups + here->failures == 2 &&
						      here->ups - here->downs == there->ups - there->downs)));
		made = here->ups == 2 && !here->downs && rc == 0;
		CU_ASSERT_EQUAL(side_stats(here).violations + side_stats(there).violations, 0);
		check_that_all_is_well();
		side_close(&near);
		side_close(&far);
		CU_ASSERT_TRUE(fault_keeps_only(kept));
	}
	CU_ASSERT_TRUE(made);
}

/* It needs a descriptor to map what it borrows from. That it has none is nobody's fault, and passes. */
static void a_loan_waits_until_its_borrower_has_descriptors(void)
{
	struct weft_tx_frame frame = {.loan_len_bytes = 1000, .cookie = 1};
	struct rlimit before, none;

	side_open(&near, "near", 1, 0);
	side_open(&far, "far", 1, 0);
	there->on_frame = here->on_frame = count_frame;
	side_join(here, there);
	CU_ASSERT_EQUAL_FATAL(weft_pool_get(here->pool, 1000, &frame.loan), 0);
	getrlimit(RLIMIT_NOFILE, &before);
	none = (struct rlimit){next_descriptor(), before.rlim_max};
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (unsigned int i = 0; i < 400; i++) {
		int why = 0;

		CU_ASSERT_EQUAL(here->port->tx(here->path, WEFT_CLASS_NORMAL, &frame, 1, 0, &why), 0);
		CU_ASSERT_EQUAL(why, -WEFT_ENXIO);
		CU_ASSERT_EQUAL(side_driver->share(here->path, frame.loan->segment_id), 0);
		sides_turn();
	}
	CU_ASSERT_EQUAL(here->downs + there->downs, 0);
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &before), 0);
	CU_ASSERT_TRUE(side_lend(here->path, &frame));
	CU_ASSERT_TRUE(SIDES_UNTIL(there->got == 1 && here->homes == 1));
	CU_ASSERT_EQUAL(here->downs + there->downs, 0);
	weft_buf_put(frame.loan);
	side_close(&near);
	side_close(&far);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_device_that_cannot_be_opened_leaves_nothing),
		SUITE_CASE(a_port_that_cannot_be_opened_leaves_nothing),
		SUITE_CASE(a_connection_that_cannot_be_made_is_said_once_and_leaves_nothing),
		SUITE_CASE(a_loan_that_cannot_be_made_is_tried_again_or_ends_the_path),
		SUITE_CASE(without_descriptors_a_connection_fails_and_others_live_on),
		SUITE_CASE(a_loan_waits_until_its_borrower_has_descriptors),
	};

	side_driver = argc > 1 ? weft_driver_find(argv[1]) : NULL;
	if (!side_driver) {
		fprintf(stderr, "usage: faults_ut DRIVER [WORDS...]: %s\n", weft_last_error());
		return 2;
	}
	return suite_main(argv[1], cases, SUITE_COUNT(cases), argc - 1, argv + 1);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a connector hears why, and may come again, when the listener cannot even say that it accepts: as where too many
 * descriptors of a user are on their way. The listener says so once in the log, and nothing of the attempt stays.
 */
#include "conformance/side.h"
#include "fault.h"
#include "shm/shm.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <weft/log.h>

static struct side near, far;
static struct side_end *const here = &near.ends[0], *const there = &far.ends[0];
static unsigned int lines;
static int accepts_fail_with; /* 0: they do not */
static bool refusals_fail;

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	const struct shm_wire *wire = message->msg_iov->iov_base;

	if (accepts_fail_with && (wire->type == SHM_ACCEPT || (wire->type == SHM_REFUSE && refusals_fail))) {
		errno = accepts_fail_with;
		return -1;
	}
	return __real_sendmsg(fd, message, flags);
}

static void count_line(enum weft_log_level level, const char *component, const char *line, void *user)
{
	(void)level, (void)component, (void)user;
	lines += strstr(line, "cannot accept") != NULL;
}

static void open_both(void)
{
	side_driver = weft_driver_find("shm");
	side_open(&near, "near", 1, 0);
	side_open(&far, "far", 1, 0);
	weft_log_set_sink(count_line, WEFT_LOG_WARN, NULL);
	lines = 0;
}

static void close_both(void)
{
	weft_log_set_sink(NULL, WEFT_LOG_ERROR, NULL);
	side_close(&near);
	side_close(&far);
}

static int ask(void)
{
	unsigned int failures = here->failures;

	CU_ASSERT_EQUAL_FATAL(side_connect(here, far.name, 0, NULL), 0);
	CU_ASSERT_TRUE(SIDES_UNTIL(here->failures > failures));
	return here->error;
}

static void who_cannot_be_told_that_it_is_accepted_is_told_to_try_again(void)
{
	static const int errors[] = {ETOOMANYREFS, ENOBUFS, EAGAIN};
	unsigned long kept;

	open_both();
	side_join(here, there); /* once all is warm */
	kept = fault_count_kept();
	for (unsigned int i = 0; i < 3; i++) {
		accepts_fail_with = errors[i];
		CU_ASSERT_EQUAL(ask(), -WEFT_EAGAIN);
	}
	accepts_fail_with = 0;
	CU_ASSERT_EQUAL(lines, 1);
	CU_ASSERT_TRUE(SIDES_UNTIL(fault_count_kept() == kept));
	CU_ASSERT_EQUAL(there->ups, 1);
	CU_ASSERT_EQUAL(here->downs + there->downs, 0);
	side_join(here, there);
	close_both();
}

static void who_cannot_even_be_told_so_sees_the_end_at_once(void)
{
	open_both();
	accepts_fail_with = ENOBUFS;
	refusals_fail = true;
	CU_ASSERT_EQUAL(ask(), -WEFT_ECONNREFUSED);
	refusals_fail = false;
	accepts_fail_with = 0;
	CU_ASSERT_EQUAL(lines, 1);
	side_join(here, there);
	close_both();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(who_cannot_be_told_that_it_is_accepted_is_told_to_try_again),
		SUITE_CASE(who_cannot_even_be_told_so_sees_the_end_at_once),
	};

	return suite_main("shm accept", cases, SUITE_COUNT(cases), argc, argv);
}

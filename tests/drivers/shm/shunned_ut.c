/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that closing what processes sent waits for nobody: what does not get on holds up neither the caller nor what
 * others sent, and is held against its sender until it is closed; and that a forked child begins anew.
 */
#include "fault.h"
#include "hostile/hostile.h"
#include "shm/foreign.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOW (INT64_C(1) << 40) /* no process has these numbers */
#define QUICK (SLOW + 1)
#define WAIT_MS 20000

/* Waits until the writing end of a pipe is closed everywhere. */
static bool is_closed(int fd)
{
	struct pollfd end = {.fd = fd};

	return poll(&end, 1, WAIT_MS) == 1 && end.revents & POLLHUP;
}

static void what_one_sent_holds_up_nothing_that_another_sent(void)
{
	unsigned long kept = fault_count_kept();
	int ends[20][2], readers[20];

	for (unsigned int i = 0; i < 20; i++)
		shm_foreign_close(hostile_lingering(&readers[i]), SLOW);
	CU_ASSERT_TRUE(shm_foreign_is_shunned(SLOW));
	CU_ASSERT_FALSE(shm_foreign_is_shunned(QUICK));
	for (unsigned int i = 0; i < 20; i++) {
		CU_ASSERT_EQUAL_FATAL(pipe2(ends[i], O_CLOEXEC), 0);
		shm_foreign_close(ends[i][1], QUICK);
	}
	for (unsigned int i = 0; i < 20; i++) {
		CU_ASSERT_TRUE(is_closed(ends[i][0]));
		close(ends[i][0]);
	}
	CU_ASSERT_TRUE(shm_foreign_is_shunned(SLOW));
	for (unsigned int i = 0; i < 20; i++)
		close(readers[i]); /* and so they can be closed */
	CU_ASSERT_TRUE(fault_keeps_only(kept));
	CU_ASSERT_FALSE(shm_foreign_is_shunned(SLOW));
	CU_ASSERT_FALSE(shm_foreign_is_shunned(QUICK));
}

#ifndef __SANITIZE_THREAD__ /* which starts no threads in the child of a process with many */
/* Whether what somebody sent to this process is closed. */
static bool closes(int64_t pid)
{
	int ends[2];
	bool closed;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	shm_foreign_close(ends[1], pid);
	closed = is_closed(ends[0]);
	close(ends[0]);
	return closed;
}

/* It has a copy of what its parent's threads were doing, and not the threads. */
static void a_forked_child_closes_what_is_sent_to_it(void)
{
	unsigned long kept = fault_count_kept();
	int readers[20], status = -1;
	pid_t child;

	for (unsigned int i = 0; i < 20; i++)
		shm_foreign_close(hostile_lingering(&readers[i]), SLOW + i / 5);
	child = fork();
	if (child == 0)
		_exit(shm_foreign_is_shunned(SLOW) || !closes(QUICK));
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(status, 0);
	for (unsigned int i = 0; i < 20; i++)
		close(readers[i]);
	CU_ASSERT_TRUE(fault_keeps_only(kept));
}
#endif

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(what_one_sent_holds_up_nothing_that_another_sent),
#ifndef __SANITIZE_THREAD__
		SUITE_CASE(a_forked_child_closes_what_is_sent_to_it),
#endif
	};

	return suite_main("shm shunned", cases, SUITE_COUNT(cases), argc, argv);
}

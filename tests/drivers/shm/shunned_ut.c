/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that closing what processes sent waits for nobody: what does not get on holds up neither the caller nor what
 * others sent, and is held against its sender until it is closed.
 */
#include "fault.h"
#include "hostile/hostile.h"
#include "shm/foreign.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weft/clock.h>
#include <weft/errors.h>

#define SLOW (INT64_C(1) << 40) /* no process has these numbers */
#define QUICK (SLOW + 1)
#define WAIT_MS 20000
#define LINGER_NS UINT64_C(10000000000)

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

/* Lets this process have so many more descriptors; returns the limit as it was. */
static struct rlimit leave_room(unsigned int count)
{
	struct rlimit before, now;
	int spare[64];

	for (unsigned int i = 0; i < count; i++)
		spare[i] = dup(STDERR_FILENO);
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
	now = before;
	now.rlim_cur = (rlim_t)spare[count - 1] + 1;
	for (unsigned int i = 0; i < count; i++)
		close(spare[i]);
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &now), 0);
	return before;
}

/* The kernel closes what there is no number for, in the call that receives it. */
static void what_there_is_no_room_for_is_left_where_it_is(void)
{
	unsigned long kept = fault_count_kept();
	struct shm_wire wire = hostile_control(SHM_BYE, 0), got;
	int ends[2], fds[SHM_FDS_MAX], readers[12], things[12];
	struct rlimit before;
	unsigned int count;
	uint64_t begin_ns;

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	for (unsigned int i = 0; i < 12; i++)
		things[i] = hostile_lingering(&readers[i]);
	CU_ASSERT_TRUE(hostile_send(ends[0], &wire, sizeof wire, things, 12));
	for (unsigned int i = 0; i < 12; i++)
		close(things[i]);
	begin_ns = weft_clock_now(weft_clock_real());
	before = leave_room(11);
	CU_ASSERT_EQUAL(shm_wire_receive(ends[1], SLOW, &got, fds, &count), -WEFT_EMFILE);
	CU_ASSERT_EQUAL(count, 0);
	CU_ASSERT_TRUE(weft_clock_now(weft_clock_real()) - begin_ns < LINGER_NS);
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
	before = leave_room(20);
	CU_ASSERT_EQUAL(shm_wire_receive(ends[1], SLOW, &got, fds, &count), -WEFT_EPROTO);
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
	for (unsigned int i = 0; i < 12; i++)
		close(readers[i]);
	close(ends[0]);
	close(ends[1]);
	CU_ASSERT_TRUE(fault_keeps_only(kept));
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(what_one_sent_holds_up_nothing_that_another_sent),
		SUITE_CASE(what_there_is_no_room_for_is_left_where_it_is),
	};

	return suite_main("shm shunned", cases, SUITE_COUNT(cases), argc, argv);
}

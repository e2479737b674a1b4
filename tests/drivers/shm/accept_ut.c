/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a connector hears why, and may come again, when the listener cannot even say that it accepts: as where too many
 * descriptors of a user are on their way; and when it cannot even begin, because of memory or of the many others. The listener
 * says so once in the log, and nothing of the attempt stays. Time stands still: no handshake is given up.
 */
#include "fault.h"
#include "fork.h"
#include "shm/shm.h"
#include "suite.h"
#include "two_sides.h"

#include <CUnit/Basic.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL_MAX 64                                         /* handshakes that others may have begun */
#define APART 16                                           /* of them for processes that have none */
#define OF_ONE_MAX ((ALL_MAX - APART) / 2)                 /* of the rest by a process that is alone */
#define OF_SECOND_MAX ((ALL_MAX - APART - OF_ONE_MAX) / 2) /* by one that comes after it */

static struct side_end *const here = &near.ends[0], *const there = &far.ends[0];
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

static int ask(void)
{
	unsigned int failures = here->failures;

	CU_ASSERT_EQUAL_FATAL(side_connect(here, far.name, 0, NULL), 0);
	CU_ASSERT_TRUE(SIDES_UNTIL(here->failures > failures));
	return here->error;
}

/* Somebody who connects and says nothing. */
static int connect_silently(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1);

	len += (socklen_t)snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "weft/%u/%s", geteuid(),
				   far.name);
	CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address, len), 0);
	return fd;
}

static void who_cannot_be_told_that_it_is_accepted_is_told_to_try_again(void)
{
	static const int errors[] = {ETOOMANYREFS, ENOBUFS, EAGAIN};
	unsigned long kept;

	two_sides_open("cannot accept");
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
	two_sides_close();
}

static void who_cannot_even_be_told_so_sees_the_end_at_once(void)
{
	two_sides_open("cannot accept");
	accepts_fail_with = ENOBUFS;
	refusals_fail = true;
	CU_ASSERT_EQUAL(ask(), -WEFT_ECONNREFUSED);
	refusals_fail = false;
	accepts_fail_with = 0;
	CU_ASSERT_EQUAL(lines, 1);
	side_join(here, there);
	two_sides_close();
}

/* It may not be its own doing: the processes of another user have all of theirs together. */
static void who_is_one_too_many_is_told_to_try_again(void)
{
	struct shm_device *device;
	int silent[OF_ONE_MAX];

	two_sides_open("cannot accept");
	device = (struct shm_device *)(void *)far.device;
	for (unsigned int i = 0; i < OF_ONE_MAX; i++)
		silent[i] = connect_silently();
	CU_ASSERT_EQUAL(ask(), -WEFT_EAGAIN);
	CU_ASSERT_EQUAL(ask(), -WEFT_EAGAIN);
	CU_ASSERT_EQUAL(far.asked, 0);
	CU_ASSERT_EQUAL(lines, 1);
	close(silent[0]);
	CU_ASSERT_TRUE(SIDES_UNTIL(device->accepted_count == OF_ONE_MAX - 1));
	side_join(here, there);
	for (unsigned int i = 1; i < OF_ONE_MAX; i++)
		close(silent[i]);
	two_sides_close();
}

struct crowd {
	pid_t pid;
	int said_fd; /* readable when it has begun all */
};

/* A process that begins more than it may, and ends none. */
static struct crowd begin_many(void)
{
	struct crowd crowd;
	int said[2];

	CU_ASSERT_EQUAL_FATAL(pipe2(said, O_CLOEXEC), 0);
	crowd = (struct crowd){fork_alone(), said[0]};
	CU_ASSERT_TRUE_FATAL(crowd.pid >= 0);
	if (crowd.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (unsigned int i = 0; i < ALL_MAX; i++)
			connect_silently();
		(void)!write(said[1], "d", 1);
		for (;;)
			pause();
	}
	close(said[1]);
	return crowd;
}

/* And how many of these the listener has accepted, once it has looked at all. */
static unsigned int accepted_of(const struct crowd *crowd)
{
	const struct shm_device *device = (struct shm_device *)(void *)far.device;
	struct pollfd said = {.fd = crowd->said_fd, .events = POLLIN};
	unsigned int before = device->accepted_count;

	CU_ASSERT_TRUE(SIDES_UNTIL(poll(&said, 1, 0) == 1));
	for (unsigned int i = 0; i < 2 * ALL_MAX; i++)
		sides_turn();
	return device->accepted_count - before;
}

static void end_crowd(const struct crowd *crowd)
{
	kill(crowd->pid, SIGKILL);
	CU_ASSERT_EQUAL(waitpid(crowd->pid, NULL, 0), crowd->pid);
	close(crowd->said_fd);
}

static void processes_that_begin_many_and_end_none_leave_room_for_the_next(void)
{
	const struct shm_device *device;
	struct crowd crowds[10];
	unsigned int all = 0;

	two_sides_open("cannot accept");
	device = (struct shm_device *)(void *)far.device;
	for (unsigned int i = 0; i < 10; i++) {
		unsigned int accepted;

		crowds[i] = begin_many();
		accepted = accepted_of(&crowds[i]);
		all += accepted;
		CU_ASSERT_TRUE(i == 0 ? accepted == OF_ONE_MAX : i == 1 ? accepted == OF_SECOND_MAX : accepted >= 1);
	}
	CU_ASSERT_EQUAL(device->accepted_count, all);
	side_join(here, there);
	for (unsigned int i = 0; i < 10; i++)
		end_crowd(&crowds[i]);
	CU_ASSERT_TRUE(SIDES_UNTIL(device->accepted_count == 0));
	two_sides_close();
}

/* The first that is asked for memory is the listener, for the handshake. */
static void who_comes_when_there_is_no_memory_is_told_to_try_again(void)
{
	unsigned int failures;

	two_sides_open("cannot accept");
	side_join(here, there);
	failures = here->failures;
	CU_ASSERT_EQUAL_FATAL(side_connect(here, far.name, 0, NULL), 0);
	fault_arm(0);
	CU_ASSERT_TRUE(SIDES_UNTIL(here->failures > failures));
	CU_ASSERT_TRUE(fault_disarm());
	CU_ASSERT_STRING_EQUAL(fault_name(), "calloc");
	CU_ASSERT_EQUAL(here->error, -WEFT_EAGAIN);
	CU_ASSERT_EQUAL(lines, 1);
	side_join(here, there);
	two_sides_close();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(who_cannot_be_told_that_it_is_accepted_is_told_to_try_again),
		SUITE_CASE(who_cannot_even_be_told_so_sees_the_end_at_once),
		SUITE_CASE(who_is_one_too_many_is_told_to_try_again),
		SUITE_CASE(processes_that_begin_many_and_end_none_leave_room_for_the_next),
		SUITE_CASE(who_comes_when_there_is_no_memory_is_told_to_try_again),
	};

	return suite_main("shm accept", cases, SUITE_COUNT(cases), argc, argv);
}

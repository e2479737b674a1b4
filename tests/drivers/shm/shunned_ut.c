/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that closing what processes sent waits for nobody: what does not get on holds up neither the caller nor what
 * others sent, and is held against its sender until it is closed; and that a forked child begins anew.
 */
#include "fault.h"
#include "hostile/hostile.h"
#include "patience.h"
#include "shm/foreign.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/errors.h>

#define SLOW (INT64_C(1) << 40) /* no process has these numbers */
#define QUICK (SLOW + 1)

/* Waits until the writing end of a pipe is closed everywhere. */
static bool is_closed(int fd)
{
	struct pollfd end = {.fd = fd};

	return poll(&end, 1, PATIENCE_NS / 1000000) == 1 && end.revents & POLLHUP;
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

static void pair(int ends[2])
{
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* What SLOW has sent is being closed, and that takes as long as these readers are open. */
static void hold_up(int readers[4])
{
	int fds[4];

	for (unsigned int i = 0; i < 4; i++)
		fds[i] = hostile_lingering(&readers[i]);
	for (unsigned int i = 0; i < 4; i++)
		shm_foreign_close(fds[i], SLOW);
	/* All four at once: the number is free as soon as the closing begins. */
	for (unsigned int i = 0; i < 4; i++)
		CU_ASSERT_TRUE(PATIENCE_UNTIL(usleep(1000), !is_open(fds[i])));
}

static void let_go(const int readers[4])
{
	for (unsigned int i = 0; i < 4; i++)
		close(readers[i]);
}

/* Or who connects and hangs up again and again would fill us up with connections. */
static void a_connection_in_which_nothing_lies_is_closed_at_once(void)
{
	unsigned long kept = fault_count_kept();
	int readers[4], ends[2];

	hold_up(readers);
	for (unsigned int i = 0; i < 1000; i++) {
		pair(ends);
		for (unsigned int j = 0; j < i % 4; j++)
			CU_ASSERT_TRUE(hostile_send(ends[0], "fine", j, NULL, 0));
		if (i % 2)
			close(ends[0]);
		shm_foreign_hang_up(ends[1], SLOW);
		CU_ASSERT_FALSE(is_open(ends[1]));
		if (!(i % 2))
			close(ends[0]);
	}
	let_go(readers);
	CU_ASSERT_TRUE(fault_keeps_only(kept));
}

static void what_lies_behind_nothing_is_found(void)
{
	unsigned long kept = fault_count_kept();
	int readers[4], reader, thing, ends[2];

	hold_up(readers);
	pair(ends);
	thing = hostile_lingering(&reader);
	CU_ASSERT_TRUE(hostile_send(ends[0], "", 0, NULL, 0));
	CU_ASSERT_TRUE(hostile_send(ends[0], "fine", 4, NULL, 0));
	CU_ASSERT_TRUE(hostile_send(ends[0], "", 0, &thing, 1));
	close(thing);
	shm_foreign_hang_up(ends[1], SLOW);
	CU_ASSERT_TRUE(is_open(ends[1])); /* nobody has waited for it to be closed */
	close(ends[0]);
	close(reader);
	let_go(readers);
	CU_ASSERT_TRUE(fault_keeps_only(kept));
}

/* What another sends meanwhile waits, but for what brings nothing to be closed. */
static void what_cannot_be_closed_fills_us_up_to_here_and_no_further(void)
{
	unsigned long kept = fault_count_kept();
	struct shm_wire wire = hostile_control(SHM_SHARE, 0), got;
	int readers[4], ends[2], others[2], fds[SHM_FDS_MAX];
	unsigned int count = 0, fd_count;

	hold_up(readers);
	while (count < 4096 && !shm_foreign_is_full()) {
		pair(ends);
		CU_ASSERT_TRUE(hostile_send(ends[0], "", 0, ends, 1));
		close(ends[0]);
		shm_foreign_hang_up(ends[1], SLOW);
		count++;
	}
	CU_ASSERT_TRUE(count >= 508 && count <= 512); /* with what holds up, if no thread has begun with that yet */
	pair(others);
	CU_ASSERT_TRUE(hostile_send(others[0], &wire, sizeof wire, NULL, 0));
	CU_ASSERT_TRUE(hostile_send(others[0], &wire, sizeof wire, others, 1));
	CU_ASSERT_EQUAL(shm_wire_receive(others[1], QUICK, &got, fds, &fd_count), 1);
	CU_ASSERT_EQUAL(shm_wire_receive(others[1], QUICK, &got, fds, &fd_count), -WEFT_EMFILE);
	let_go(readers);
	CU_ASSERT_TRUE(PATIENCE_UNTIL(usleep(1000), !shm_foreign_is_full()));
	CU_ASSERT_EQUAL(shm_wire_receive(others[1], QUICK, &got, fds, &fd_count), 1);
	CU_ASSERT_EQUAL_FATAL(fd_count, 1);
	close(fds[0]);
	close(others[0]);
	close(others[1]);
	CU_ASSERT_TRUE(fault_keeps_only(kept));
}

/* Whoever is the last to let go of memory frees it, which takes its time where it is much. */
static void much_memory_goes_aside_and_little_at_once(void)
{
	static const size_t len_bytes[] = {4096, (size_t)64 << 20};
	unsigned long kept = fault_count_kept();
	unsigned char resident;
	int readers[4];

	hold_up(readers);
	for (unsigned int i = 0; i < 2; i++) {
		struct weft_mapping *mapping = malloc(sizeof *mapping);
		void *base = mmap(NULL, len_bytes[i], PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		CU_ASSERT_TRUE_FATAL(mapping && base != MAP_FAILED);
		*mapping = (struct weft_mapping){.base = base, .len_bytes = len_bytes[i]};
		shm_foreign_unmap(mapping, 1, SLOW);
		CU_ASSERT_EQUAL(mincore(base, 4096, &resident), i ? 0 : -1);
	}
	let_go(readers);
	CU_ASSERT_TRUE(fault_keeps_only(kept));
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

/* How many descriptors wait in a socket. */
static unsigned int count_waiting(int fd)
{
	char path[48], line[128];
	unsigned int count = 0;
	FILE *info;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "re");
	CU_ASSERT_PTR_NOT_NULL_FATAL(info);
	while (fgets(line, sizeof line, info))
		(void)sscanf(line, "scm_fds: %u", &count);
	fclose(info);
	return count;
}

/* The kernel closes what there is no number for, in the call that receives it. */
static void what_there_is_no_room_for_is_left_where_it_is(void)
{
	unsigned long kept = fault_count_kept();
	struct shm_wire wire = hostile_control(SHM_BYE, 0), got;
	int ends[2], fds[SHM_FDS_MAX], readers[12], things[12];
	struct rlimit before;
	unsigned int count;

	pair(ends);
	for (unsigned int i = 0; i < 12; i++)
		things[i] = hostile_lingering(&readers[i]);
	CU_ASSERT_TRUE(hostile_send(ends[0], &wire, sizeof wire, things, 12));
	for (unsigned int i = 0; i < 12; i++)
		close(things[i]);
	before = leave_room(11);
	CU_ASSERT_EQUAL(shm_wire_receive(ends[1], SLOW, &got, fds, &count), -WEFT_EMFILE);
	CU_ASSERT_EQUAL(count, 0);
	CU_ASSERT_EQUAL(count_waiting(ends[1]), 12);
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

static unsigned int count_open(const int *fds, unsigned int count)
{
	unsigned int open = 0;

	for (unsigned int i = 0; i < count; i++)
		open += is_open(fds[i]);
	return open;
}

/* It has a copy of what its parent's threads were doing, and not the threads. */
static void a_forked_child_closes_what_is_sent_to_it(void)
{
	unsigned long kept = fault_count_kept();
	int things[20], readers[20], status = -1;
	pid_t child;

	for (unsigned int i = 0; i < 20; i++)
		things[i] = hostile_lingering(&readers[i]);
	for (unsigned int i = 0; i < 20; i++)
		shm_foreign_close(things[i], SLOW + i / 5);
	/* AddressSanitizer cannot start threads in a child that was forked while some were starting here. */
	CU_ASSERT_TRUE(PATIENCE_UNTIL(usleep(1000), count_open(things, 20) <= 4));
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
		SUITE_CASE(a_connection_in_which_nothing_lies_is_closed_at_once),
		SUITE_CASE(what_lies_behind_nothing_is_found),
		SUITE_CASE(what_cannot_be_closed_fills_us_up_to_here_and_no_further),
		SUITE_CASE(much_memory_goes_aside_and_little_at_once),
		SUITE_CASE(what_there_is_no_room_for_is_left_where_it_is),
#ifndef __SANITIZE_THREAD__
		SUITE_CASE(a_forked_child_closes_what_is_sent_to_it),
#endif
	};

	return suite_main("shm shunned", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a worker which listens for a bell takes bytes out of it and nothing else, also where the kernel lets
 * descriptors through; and that none of them is closed by the worker.
 */
#include "fault.h"
#include "shm/shm.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A bell as it is made, or as it would be on a kernel that keeps nothing out. */
static struct shm_bell make(bool keeps_out, int *theirs)
{
	struct shm_bell bell;
	int ends[2];

	if (keeps_out) {
		CU_ASSERT_EQUAL_FATAL(shm_bell_make(&bell, theirs), 0);
		return bell;
	}
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	*theirs = ends[1];
	return (struct shm_bell){.fd = ends[0]};
}

static bool send_descriptor(int to, size_t len_bytes, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.bytes = {0}};
	struct iovec iov = {(void *)(uintptr_t) "x", len_bytes};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof control.bytes};

	control.align = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
					 .cmsg_type = SCM_RIGHTS,
					 .cmsg_len = CMSG_LEN(sizeof(int))};
	memcpy(CMSG_DATA(&control.align), &fd, sizeof fd);
	return sendmsg(to, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)len_bytes;
}

/* Whether the other end of a pipe is closed everywhere: nobody has it any more. */
static bool is_gone(int pipe_fd)
{
	char byte;

	return read(pipe_fd, &byte, 1) == 0;
}

static void rings_are_heard_until_the_other_end_is_closed(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		unsigned long kept = fault_count_kept();
		int theirs;
		struct shm_bell bell = make(i, &theirs);

		CU_ASSERT_TRUE(shm_bell_hear(&bell)); /* for nothing */
		CU_ASSERT_TRUE(shm_bell_ring(theirs) && shm_bell_ring(theirs));
		CU_ASSERT_TRUE(shm_bell_hear(&bell) && shm_bell_hear(&bell) && shm_bell_hear(&bell));
		while (shm_bell_ring(theirs)) /* full: nobody waits */
			;
		CU_ASSERT_TRUE(shm_bell_hear(&bell));
		close(theirs);
		while (shm_bell_hear(&bell))
			;
		shm_bell_close(&bell, 0);
		CU_ASSERT_EQUAL(bell.fd, -1);
		CU_ASSERT_TRUE(fault_keeps_only(kept));
	}
}

/* With one byte, and as an empty packet. */
static void descriptors_stay_where_they_are_until_the_bell_is_closed(void)
{
	for (unsigned int i = 0; i < 4; i++) {
		unsigned long kept = fault_count_kept();
		int theirs, ends[2];
		struct shm_bell bell = make(i & 1, &theirs);
		bool sent;

		CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
		CU_ASSERT_TRUE(shm_bell_ring(theirs));
		sent = send_descriptor(theirs, i / 2, ends[1]);
		close(ends[1]);
		CU_ASSERT_EQUAL(sent, !bell.bare);
		CU_ASSERT_TRUE(shm_bell_hear(&bell));
		CU_ASSERT_EQUAL(shm_bell_hear(&bell), !sent);
		CU_ASSERT_EQUAL(shm_bell_hear(&bell), !sent);
		CU_ASSERT_EQUAL(is_gone(ends[0]), !sent);
		shm_bell_close(&bell, 0);
		close(theirs);
		close(ends[0]);
		CU_ASSERT_TRUE(fault_keeps_only(kept));
	}
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(rings_are_heard_until_the_other_end_is_closed),
		SUITE_CASE(descriptors_stay_where_they_are_until_the_bell_is_closed),
	};

	return suite_main("shm bell", cases, SUITE_COUNT(cases), argc, argv);
}

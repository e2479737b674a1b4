/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that processes are told apart also where their numbers cannot be seen, as from a container: what one of them does
 * is not held against the others. A process in a namespace of its own looks at the sockets of some outside. Another user is
 * one, whatever its processes are.
 */
#include "shm/shm.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum verdict { TOLD_APART, MIXED_UP, CANNOT_SAY };

static struct sockaddr_un name;
static socklen_t name_len = sizeof name;
static int listener;

/* A process that connects twice; ends gets ours. */
static pid_t start(int ends[2])
{
	pid_t child = fork();

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (unsigned int i = 0; i < 2; i++)
			if (connect(socket(AF_UNIX, SOCK_SEQPACKET, 0), (struct sockaddr *)&name, name_len) < 0)
				_exit(1);
		for (;;)
			pause();
	}
	for (unsigned int i = 0; i < 2; i++)
		ends[i] = accept(listener, NULL, NULL);
	return child;
}

static int64_t who(int fd)
{
	struct weft_peer_identity peer = {0};
	struct ucred cred;
	socklen_t len = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -1;
	peer.pid = cred.pid;
	peer.uid = geteuid();
	return shm_who_is(fd, &peer);
}

static enum verdict look(const int one[2], const int other[2])
{
	if (!who(one[0]))
		return CANNOT_SAY; /* a kernel older than 6.9 */
	return who(one[0]) == who(one[1]) && who(other[0]) == who(other[1]) && who(one[0]) != who(other[0]) ? TOLD_APART
													    : MIXED_UP;
}

/* As look, by a process that sees none of them. */
static enum verdict look_from_elsewhere(const int one[2], const int other[2])
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		if (unshare(CLONE_NEWPID) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0)
			_exit(CANNOT_SAY);
		child = fork();
		if (child == 0)
			_exit((int)(who(one[0]) > 0 ? MIXED_UP : look(one, other)));
		waitpid(child, &status, 0);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : MIXED_UP);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? (enum verdict)WEXITSTATUS(status) : MIXED_UP;
}

static void processes_are_told_apart_also_where_they_cannot_be_seen(void)
{
	struct sockaddr none = {.sa_family = AF_UNIX};
	int one[2], other[2];
	pid_t children[2];
	enum verdict elsewhere;

	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL_FATAL(bind(listener, &none, sizeof none.sa_family), 0);
	CU_ASSERT_EQUAL_FATAL(listen(listener, 4), 0);
	CU_ASSERT_EQUAL_FATAL(getsockname(listener, (struct sockaddr *)&name, &name_len), 0);
	children[0] = start(one);
	children[1] = start(other);
	CU_ASSERT_EQUAL(who(one[0]), children[0]);
	CU_ASSERT_EQUAL(look(one, other), TOLD_APART);
	elsewhere = look_from_elsewhere(one, other);
	CU_ASSERT_NOT_EQUAL(elsewhere, MIXED_UP);
	if (elsewhere == CANNOT_SAY)
		puts("\tno namespace to look from, or an old kernel: skipped");
	for (unsigned int i = 0; i < 2; i++) {
		kill(children[i], SIGKILL);
		waitpid(children[i], NULL, 0);
		close(one[i]);
		close(other[i]);
	}
	close(listener);
}

static void another_user_is_one_however_many_processes_it_has(void)
{
	const struct weft_peer_identity peers[] = {
		{.pid = 100, .uid = geteuid() + 1},
		{.pid = 101, .uid = geteuid() + 1},
		{.uid = geteuid() + 1}, /* not visible */
		{.pid = 100, .uid = geteuid() + 2},
	};
	char text[SHM_WHO_TEXT], wanted[SHM_WHO_TEXT];

	snprintf(wanted, sizeof wanted, "uid %u", peers[0].uid);
	for (unsigned int i = 0; i < 3; i++)
		CU_ASSERT_STRING_EQUAL(shm_who_text(shm_who_is(-1, &peers[i]), text), wanted);
	CU_ASSERT_EQUAL(shm_who_is(-1, &peers[0]), shm_who_is(-1, &peers[1]));
	CU_ASSERT_EQUAL(shm_who_is(-1, &peers[0]), shm_who_is(-1, &peers[2]));
	CU_ASSERT_NOT_EQUAL(shm_who_is(-1, &peers[0]), shm_who_is(-1, &peers[3]));
	CU_ASSERT_STRING_EQUAL(shm_who_text(getpid(), text) + 4,
			       (snprintf(wanted, sizeof wanted, "%d", getpid()), wanted));
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(processes_are_told_apart_also_where_they_cannot_be_seen),
		SUITE_CASE(another_user_is_one_however_many_processes_it_has),
	};

	return suite_main("shm who", cases, SUITE_COUNT(cases), argc, argv);
}

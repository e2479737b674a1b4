/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a user who may connect, and binds the name of somebody else's node, is not taken for that node. It needs
 * two users, and so root to be either.
 */
#include "fork.h"
#include "shm/shm.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/errors.h>

#define OTHER 65534u

static char name[48];

/* A process of the other user that listens as node `name` of user uid. */
static pid_t start_listener(uint32_t uid)
{
	int ready[2];
	char byte;
	pid_t child;

	snprintf(name, sizeof name, "names-%d-%u", (int)getpid(), uid);
	CU_ASSERT_EQUAL_FATAL(pipe(ready), 0);
	child = fork_alone();
	if (child == 0) {
		struct sockaddr_un address = {.sun_family = AF_UNIX};
		int len = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "weft/%u/%s", uid, name);
		int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (setuid(OTHER) != 0 ||
		    bind(fd, (struct sockaddr *)&address,
			 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) != 0 ||
		    listen(fd, 1) != 0 || write(ready[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	CU_ASSERT_EQUAL_FATAL(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return child;
}

static int connect_to(uint32_t listens_as)
{
	uint32_t uids[] = {OTHER};
	struct shm_device device = {.allowed_uids = uids, .opts.allowed_uid_count = 1};
	pid_t listener = start_listener(listens_as);
	int fd = -1, rc = shm_rendezvous_connect(&device, name, &fd);

	if (rc == 0)
		close(fd);
	kill(listener, SIGKILL);
	waitpid(listener, NULL, 0);
	return rc;
}

static void who_has_a_name_of_his_own_is_connected_to(void)
{
	CU_ASSERT_EQUAL(connect_to(OTHER), 0);
}

static void who_has_taken_the_name_of_another_user_is_not(void)
{
	CU_ASSERT_EQUAL(connect_to(geteuid()), -WEFT_EACCES);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(who_has_a_name_of_his_own_is_connected_to),
		SUITE_CASE(who_has_taken_the_name_of_another_user_is_not),
	};

	if (geteuid() != 0) {
		printf("skipped: it takes root to be two users\n");
		return 77;
	}
	return suite_main("shm names", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that the limit of paths of one process is that of a worker, so that two processes of many workers each can have a
 * path between each two; and that it is not beyond what there are descriptors for.
 */
#include "conformance/side.h"
#include "hostile/hostile.h"
#include "shm/shm.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENOUGH (8 * (2 * SHM_PATHS_OF_ONE_MAX + 2)) /* descriptors for all of them */

/* Attaches to this end until it is refused; returns how often it was not. */
static unsigned char crowd(struct hostile *h, unsigned char end)
{
	struct shm_wire answer;
	unsigned char count = 0;

	h->attach.hello[0] = end;
	for (;; count++) {
		hostile_say_attach(h);
		if (hostile_receive(h, &answer, h->their_fds) != SHM_ACCEPT)
			break;
		for (unsigned int i = 0; i < SHM_FDS_MAX; i++)
			close(h->their_fds[i]);
	}
	HOSTILE_EXPECT(answer.type == SHM_REFUSE && answer.error == -WEFT_EQUOTA);
	return count;
}

/* How many paths to either of two ends another process gets. */
static void crowd_both(rlim_t descriptors, unsigned char out[2])
{
	struct rlimit before, now;
	struct side victim = {0};
	char name[48];
	int begins[2], says[2];
	pid_t child;

	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
	CU_ASSERT_EQUAL_FATAL(pipe2(begins, O_CLOEXEC), 0);
	CU_ASSERT_EQUAL_FATAL(pipe2(says, O_CLOEXEC | O_NONBLOCK), 0);
	side_name(name, "crowded", (int)getpid());
	side_driver = weft_driver_find("shm");
	child = fork();
	if (child == 0) {
		struct hostile h = {.victim = name};
		unsigned char counts[2];
		char byte;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		HOSTILE_EXPECT(read(begins[0], &byte, 1) == 1);
		hostile_prepare(&h);
		counts[0] = crowd(&h, 0);
		counts[1] = crowd(&h, 1);
		HOSTILE_EXPECT(write(says[1], counts, 2) == 2);
		for (;;)
			pause();
	}
	now = before;
	now.rlim_cur = descriptors;
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &now), 0);
	side_open(&victim, "crowded", 2, 0);
	CU_ASSERT_EQUAL_FATAL(write(begins[1], "g", 1), 1);
	CU_ASSERT_TRUE(SIDES_UNTIL(read(says[0], out, 2) == 2));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	side_close(&victim);
	for (unsigned int i = 0; i < 2; i++) {
		close(begins[i]);
		close(says[i]);
	}
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void a_process_may_have_so_many_paths_to_each_worker(void)
{
	unsigned char counts[2] = {0};
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < ENOUGH) {
		puts("\ttoo few descriptors for it: skipped");
		return;
	}
	crowd_both(ENOUGH, counts);
	CU_ASSERT_EQUAL(counts[0], SHM_PATHS_OF_ONE_MAX);
	CU_ASSERT_EQUAL(counts[1], SHM_PATHS_OF_ONE_MAX);
}

static void but_no_more_than_half_of_the_descriptors_are_for(void)
{
	unsigned char counts[2] = {0};

	crowd_both(1024, counts);
	CU_ASSERT_EQUAL(counts[0], SHM_PATHS_OF_ONE_MAX);
	CU_ASSERT_EQUAL(counts[1], 0);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_process_may_have_so_many_paths_to_each_worker),
		SUITE_CASE(but_no_more_than_half_of_the_descriptors_are_for),
	};

	return suite_main("shm crowd", cases, SUITE_COUNT(cases), argc, argv);
}

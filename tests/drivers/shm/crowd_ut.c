/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that the limit of paths of one process is that of a worker, so that two processes of many workers each can have a
 * path between each two; that it is not beyond what there are descriptors for; and that another user's processes have it
 * together.
 */
#include "conformance/side.h"
#include "fork.h"
#include "hostile/hostile.h"
#include "shm/shm.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define ENOUGH (8 * (2 * SHM_PATHS_OF_ONE_MAX + 2)) /* descriptors for all of them */
#define SOMEBODY 54321u

/* Attaches to this end so many times, or until it is refused; returns how often it was not. */
static unsigned char crowd(struct hostile *h, unsigned char end, unsigned char most)
{
	struct shm_wire answer;
	unsigned char count = 0;

	h->attach.hello[0] = end;
	for (; count < most; count++) {
		hostile_say_attach(h);
		if (hostile_receive(h, &answer, h->their_fds) != SHM_ACCEPT)
			break;
		for (unsigned int i = 0; i < SHM_FDS_MAX; i++)
			close(h->their_fds[i]);
	}
	HOSTILE_EXPECT(count == most || (answer.type == SHM_REFUSE && answer.error == -WEFT_EQUOTA));
	return count;
}

struct crowd {
	pid_t pid;
	int begins[2], says[2];
};

/* A process of that user, which waits for the word to connect to both ends. */
static struct crowd crowd_start(uid_t uid, unsigned char most)
{
	struct crowd one;
	char name[48];

	CU_ASSERT_EQUAL_FATAL(pipe2(one.begins, O_CLOEXEC), 0);
	CU_ASSERT_EQUAL_FATAL(pipe2(one.says, O_CLOEXEC | O_NONBLOCK), 0);
	side_name(name, "crowded", (int)getpid());
	one.pid = fork_alone();
	if (one.pid == 0) {
		struct hostile h = {.victim = name};
		unsigned char counts[2];
		char byte;

		HOSTILE_EXPECT(seteuid(uid) == 0); /* the name goes by its real user */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		HOSTILE_EXPECT(read(one.begins[0], &byte, 1) == 1);
		hostile_prepare(&h);
		counts[0] = crowd(&h, 0, most);
		counts[1] = crowd(&h, 1, most);
		HOSTILE_EXPECT(write(one.says[1], counts, 2) == 2);
		for (;;)
			pause();
	}
	return one;
}

/* How many paths to either of the two ends it gets. */
static void crowd_go(const struct crowd *one, unsigned char out[2])
{
	CU_ASSERT_EQUAL_FATAL(write(one->begins[1], "g", 1), 1);
	CU_ASSERT_TRUE(SIDES_UNTIL(read(one->says[0], out, 2) == 2));
}

static void crowd_end(const struct crowd *one)
{
	kill(one->pid, SIGKILL);
	waitpid(one->pid, NULL, 0);
	for (unsigned int i = 0; i < 2; i++) {
		close(one->begins[i]);
		close(one->says[i]);
	}
}

/* Opens the victim with so many descriptors; returns the limit as it was. */
static struct rlimit open_victim(struct side *victim, rlim_t descriptors)
{
	struct rlimit before, now;

	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
	now = before;
	now.rlim_cur = descriptors;
	CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &now), 0);
	side_driver = weft_driver_find("shm");
	side_open(victim, "crowded", 2, 0);
	return before;
}

/* How many paths to either of two ends another process gets. */
static void crowd_both(rlim_t descriptors, unsigned char out[2])
{
	struct crowd one = crowd_start(geteuid(), UCHAR_MAX);
	struct side victim = {0};
	struct rlimit before = open_victim(&victim, descriptors);

	crowd_go(&one, out);
	crowd_end(&one);
	side_close(&victim);
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static bool may_have(rlim_t descriptors)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max >= descriptors)
		return true;
	puts("\ttoo few descriptors for it: skipped");
	return false;
}

static void a_process_may_have_so_many_paths_to_each_worker(void)
{
	unsigned char counts[2] = {0};

	if (!may_have(ENOUGH))
		return;
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

/* Or it would have as many as it likes, by forking. */
static void the_processes_of_another_user_have_them_together(void)
{
	unsigned char first[2] = {0}, second[2] = {0};
	struct crowd crowds[2];
	struct side victim = {0};
	struct rlimit before;

	if (!may_have(ENOUGH))
		return;
	if (geteuid() != 0) {
		puts("\tonly root can be two users: skipped");
		return;
	}
	crowds[0] = crowd_start(SOMEBODY, 100);
	crowds[1] = crowd_start(SOMEBODY, UCHAR_MAX);
	side_allowed_uid = SOMEBODY;
	before = open_victim(&victim, ENOUGH);
	side_allowed_uid = UINT32_MAX;
	crowd_go(&crowds[0], first);
	crowd_go(&crowds[1], second);
	CU_ASSERT_EQUAL(first[0], 100);
	CU_ASSERT_EQUAL(second[0], SHM_PATHS_OF_ONE_MAX - 100);
	CU_ASSERT_EQUAL(first[1] + second[1], SHM_PATHS_OF_ONE_MAX);
	crowd_end(&crowds[0]);
	crowd_end(&crowds[1]);
	side_close(&victim);
	CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_process_may_have_so_many_paths_to_each_worker),
		SUITE_CASE(but_no_more_than_half_of_the_descriptors_are_for),
		SUITE_CASE(the_processes_of_another_user_have_them_together),
	};

	return suite_main("shm crowd", cases, SUITE_COUNT(cases), argc, argv);
}

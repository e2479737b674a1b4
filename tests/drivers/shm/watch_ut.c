/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves what a process leaves in its word of life: a mark when it is killed, none when it closes in good order, and none
 * when a thread or a child of it ends; and that a wait that failed is begun again. The peer is one that does its handshake by hand and reads the word itself; what a
 * device makes of a peer's word is tested by hostile_ut.
 */
#include "conformance/side.h"
#include "fork.h"
#include "hostile/hostile.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Calls of futex_waitv that fail from now on, as they would without memory; of this process and its children. */
static _Atomic int failing_waits;

long __real_syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	if (number == SYS_futex_waitv && atomic_load(&failing_waits) > 0) {
		atomic_fetch_sub(&failing_waits, 1);
		errno = ENOMEM;
		return -1;
	}
	return __real_syscall(number, a, b, c, d, e, f);
}

static struct side side;
static int ready_fd, close_fd;
static bool mourns; /* it waits for the end of its path, and says so */

/* ---- the process that is watched ---- */

static void ignore(struct side_end *end, const struct weft_rx_frame *frame)
{
	(void)end;
	(void)frame;
}

static void *make_path(void *unused)
{
	(void)unused;
	weft_worker_take(side.runner);
	weft_worker_take(side.ends[0].worker);
	while (!side.ends[0].ups)
		sides_turn();
	return NULL;
}

static void run_watched(void)
{
	pthread_t thread;
	pid_t child;
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	side_driver = weft_driver_find("shm");
	side_open(&side, "watched", 1, 0);
	side.ends[0].on_frame = ignore;
	if (write(ready_fd, "r", 1) != 1 || pthread_create(&thread, NULL, make_path, NULL) != 0)
		_exit(1);
	pthread_join(thread, NULL);
	weft_worker_take(side.runner);
	weft_worker_take(side.ends[0].worker);
	child = fork();
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	if (write(ready_fd, "u", 1) != 1)
		_exit(1);
	if (mourns) {
		while (!side.ends[0].downs)
			sides_turn();
		(void)!write(ready_fd, "d", 1);
	}
	if (read(close_fd, &byte, 1) != 1)
		_exit(1);
	side_close(&side);
	_exit(0);
}

/* ---- its peer ---- */

static struct hostile h;

struct watched {
	pid_t pid;
	int ready_fd, close_fd;
	const _Atomic uint32_t *word;
};

static struct watched meet(void)
{
	struct watched watched;
	int ready[2], closing[2];
	static char name[48];
	unsigned char *view;
	char byte;

	CU_ASSERT_EQUAL_FATAL(pipe(ready), 0);
	CU_ASSERT_EQUAL_FATAL(pipe(closing), 0);
	watched = (struct watched){.pid = fork_alone(), .ready_fd = ready[0], .close_fd = closing[1]};
	CU_ASSERT_TRUE_FATAL(watched.pid >= 0);
	if (watched.pid == 0) {
		ready_fd = ready[1];
		close_fd = closing[0];
		run_watched();
	}
	close(ready[1]);
	close(closing[0]);
	side_name(name, "watched", (int)watched.pid);
	h = (struct hostile){.victim = name};
	hostile_prepare(&h);
	CU_ASSERT_EQUAL_FATAL(read(watched.ready_fd, &byte, 1), 1);
	hostile_attach(&h);
	CU_ASSERT_EQUAL_FATAL(read(watched.ready_fd, &byte, 1), 1);
	CU_ASSERT_TRUE_FATAL(h.accept.life.offset_bytes > 0);
	view = mmap(NULL, h.accept.life.offset_bytes + sizeof(struct shm_life), PROT_READ, MAP_SHARED, h.their_fds[2],
		    0);
	CU_ASSERT_TRUE_FATAL(view != MAP_FAILED);
	watched.word = &((const struct shm_life *)(const void *)(view + h.accept.life.offset_bytes))->word;
	return watched;
}

static void part(struct watched *watched)
{
	close(watched->ready_fd);
	close(watched->close_fd);
}

static void whoever_is_killed_leaves_a_mark(void)
{
	struct watched watched = meet();
	uint32_t word = atomic_load(watched.word);

	/* Held, although the thread that made the path has ended, and a child too. */
	CU_ASSERT_TRUE(word & FUTEX_TID_MASK);
	CU_ASSERT_TRUE(word & FUTEX_WAITERS);
	CU_ASSERT_FALSE(word & FUTEX_OWNER_DIED);
	kill(watched.pid, SIGKILL);
	waitpid(watched.pid, NULL, 0);
	CU_ASSERT_TRUE(atomic_load(watched.word) & FUTEX_OWNER_DIED);
	part(&watched);
}

static void whoever_closes_in_good_order_leaves_none(void)
{
	struct watched watched = meet();
	int status = -1;

	CU_ASSERT_EQUAL(write(watched.close_fd, "c", 1), 1);
	waitpid(watched.pid, &status, 0);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(atomic_load(watched.word), 0);
	part(&watched);
}

/* Nothing else tells of it: the peer lives, and its socket is open. */
static void a_wait_that_failed_for_a_while_makes_nobody_deaf(void)
{
	struct watched watched;
	struct pollfd told;
	char byte = 0;

	mourns = true;
	atomic_store(&failing_waits, 3);
	watched = meet();
	atomic_store(&failing_waits, 0);
	mourns = false;
	hostile_set_life(&h, FUTEX_WAITERS | FUTEX_OWNER_DIED);
	hostile_wake_life(&h);
	told = (struct pollfd){.fd = watched.ready_fd, .events = POLLIN};
	CU_ASSERT_TRUE(poll(&told, 1, 20000) == 1 && read(watched.ready_fd, &byte, 1) == 1 && byte == 'd');
	kill(watched.pid, SIGKILL);
	waitpid(watched.pid, NULL, 0);
	part(&watched);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(whoever_is_killed_leaves_a_mark),
		SUITE_CASE(whoever_closes_in_good_order_leaves_none),
		SUITE_CASE(a_wait_that_failed_for_a_while_makes_nobody_deaf),
	};

	return suite_main("shm watch", cases, SUITE_COUNT(cases), argc, argv);
}

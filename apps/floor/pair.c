/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two forked, pinned processes. The parent sleeps until both have ended, and kills both at the deadline, so that the
 * loops under measurement need no check of their own.
 */
#include "pair_private.h"

#include <weft/clock.h>
#include <weft/errors.h>

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ITERATIONS_MAX 100000000u
/* Exit status of a process that could not be pinned. */
#define EXIT_PIN 3

struct member {
	pid_t pid;
	int fd; /* its pidfd, or -1 when it has ended */
	int status;
};

int floor__shared_map(size_t bytes, void **out)
{
	void *shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (shared == MAP_FAILED)
		return weft_set_error(WEFT_ENOMEM, "cannot map %zu bytes of shared memory: %s", bytes, strerror(errno));
	*out = shared;
	return 0;
}

void floor__shared_unmap(void *shared, size_t bytes)
{
	munmap(shared, bytes);
}

static int core_check(const char *role, int core)
{
	cpu_set_t allowed;

	if (core < 0 || core >= CPU_SETSIZE)
		return weft_set_error(WEFT_EINVAL, "%s core %d does not exist", role, core);
	if (sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_ISSET(core, &allowed))
		return 0;
	return weft_set_error(WEFT_EINVAL, "%s core %d is not one that this process may use; see taskset -p %d", role,
			      core, (int)getpid());
}

int floor__opts_check(const struct floor_opts *opts, bool same, uint64_t iterations_default, struct floor_opts *out)
{
	struct floor_opts checked;
	int err;

	floor_opts_init(&checked, sizeof checked);
	if (!opts || opts->size > sizeof checked || opts->size < offsetof(struct floor_opts, timeout_ns))
		return weft_set_error(WEFT_EINVAL, "floor options of a wrong size; call floor_opts_init first");
	memcpy(&checked, opts, opts->size);
	if (!checked.iterations)
		checked.iterations = iterations_default;
	if (!checked.warmup)
		checked.warmup = checked.iterations / 10;
	if (checked.iterations > ITERATIONS_MAX || checked.warmup > ITERATIONS_MAX)
		return weft_set_error(WEFT_ERANGE, "more than %u iterations asked of the floor", ITERATIONS_MAX);
	if (same)
		checked.sender_core = checked.receiver_core;
	else if (checked.sender_core == checked.receiver_core)
		return weft_set_error(WEFT_EINVAL,
				      "sender and receiver are both on core %d; two spinning processes "
				      "need two cores",
				      checked.sender_core);
	if ((err = core_check("sender", checked.sender_core)) || (err = core_check("receiver", checked.receiver_core)))
		return err;
	*out = checked;
	return 0;
}

static _Noreturn void member_main(pid_t parent, int core, floor__body_fn *body, void *shared)
{
	cpu_set_t set;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	CPU_ZERO(&set);
	CPU_SET(core, &set);
	if (sched_setaffinity(0, sizeof set, &set) < 0)
		_exit(EXIT_PIN);
	body(shared);
	_exit(0);
}

static int member_start(struct member *member, int core, floor__body_fn *body, void *shared)
{
	pid_t parent = getpid();
	int saved;

	member->pid = fork();
	if (member->pid == 0)
		member_main(parent, core, body, shared);
	if (member->pid < 0)
		return weft_set_error(weft_error_from_errno(errno), "cannot fork: %s", strerror(errno));
	member->fd = (int)syscall(SYS_pidfd_open, member->pid, 0);
	if (member->fd >= 0)
		return 0;
	saved = errno;
	kill(member->pid, SIGKILL);
	waitpid(member->pid, NULL, 0);
	return weft_set_error(weft_error_from_errno(saved), "cannot watch a process: pidfd_open: %s", strerror(saved));
}

static void member_end(struct member *member)
{
	while (waitpid(member->pid, &member->status, 0) < 0 && errno == EINTR)
		;
	close(member->fd);
	member->fd = -1;
}

static void members_kill(struct member *members, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (members[i].fd < 0)
			continue;
		kill(members[i].pid, SIGKILL);
		member_end(&members[i]);
	}
}

static bool member_failed(const struct member *member)
{
	return !WIFEXITED(member->status) || WEXITSTATUS(member->status);
}

/* Waits for all, and no longer than until deadline_ns; one that fails ends the wait, since the other waits for it. */
static int members_watch(struct member *members, unsigned int count, uint64_t deadline_ns)
{
	struct pollfd polled[2];
	unsigned int running = count;

	while (running) {
		uint64_t now = weft_clock_now(weft_clock_real());

		if (now >= deadline_ns)
			return weft_set_error(WEFT_ETIMEDOUT, "a floor test did not end in time and was killed; "
							      "is something else running on its cores?");
		for (unsigned int i = 0; i < count; i++)
			polled[i] = (struct pollfd){.fd = members[i].fd, .events = POLLIN};
		if (poll(polled, count, (int)((deadline_ns - now) / 1000000u) + 1) < 0 && errno != EINTR)
			return weft_set_error(weft_error_from_errno(errno), "cannot wait: poll: %s", strerror(errno));
		for (unsigned int i = 0; i < count; i++) {
			if (members[i].fd < 0 || !(polled[i].revents & POLLIN))
				continue;
			member_end(&members[i]);
			running--;
			if (member_failed(&members[i]))
				return weft_set_error(WEFT_EIO, "a process of a floor test %s",
						      WIFEXITED(members[i].status) &&
								      WEXITSTATUS(members[i].status) == EXIT_PIN
							      ? "could not be pinned to its core"
							      : "died");
		}
	}
	return 0;
}

int floor__pair_run(const struct floor_opts *opts, floor__body_fn *sender, floor__body_fn *receiver, void *shared)
{
	struct member members[2] = {{.fd = -1}, {.fd = -1}};
	unsigned int count = receiver ? 2 : 1;
	/* Calibrates the clock before the fork, so that both processes inherit one rate. */
	uint64_t deadline_ns = weft_clock_now(weft_clock_real()) + opts->timeout_ns;
	int err = 0;

	if (receiver)
		err = member_start(&members[1], opts->receiver_core, receiver, shared);
	if (!err)
		err = member_start(&members[0], opts->sender_core, sender, shared);
	if (!err)
		err = members_watch(members, count, deadline_ns);
	members_kill(members, 2);
	return err;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that users are kept apart: a peer of another user is refused, and told so, unless both sides allow it; a runtime
 * directory that others may write to is not used; and a hardened node cannot be looked into. Needs root, to be others.
 */
#include "fork.h"
#include "patience.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/weft.h>

#define STRANGER 65534u /* nobody */

enum outcome { ARRIVED = 10, REFUSED, OTHERWISE };

struct end {
	struct weft_node *node;
	struct weft_worker *worker;
	struct weft_channel *channel;
};

static void node_name(char out[48], const char *which, pid_t pid)
{
	snprintf(out, 48, "test-%d-%s", (int)pid, which);
}

/* A node that lets one other user in, or none (UINT32_MAX). */
static int end_open(struct end *end, const char *name, uint32_t allowed_uid)
{
	struct weft_node_opts opts;
	int rc;

	weft_node_opts_init(&opts, sizeof opts);
	opts.name = name;
	opts.worker_count = 0;
	opts.allowed_uids = &allowed_uid;
	opts.allowed_uid_count = allowed_uid != UINT32_MAX;
	rc = weft_node_open(&opts, &end->node);
	if (rc == 0)
		rc = weft_channel_open(end->node, "test", NULL, &end->channel);
	if (rc == 0)
		end->worker = weft_node_worker(end->node, 0);
	return rc;
}

/* ---- the stranger: another process of another user ---- */

static int become(uint32_t uid)
{
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		return -1;
	return prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void on_event(struct weft_sender *sender, enum weft_sender_event event, int cause, void *user)
{
	(void)sender;
	if (event == WEFT_SENDER_FAILED || event == WEFT_SENDER_LOST)
		*(int *)user = cause;
}

static void on_done(struct weft_op *op, int status, void *user)
{
	(void)op;
	*(bool *)user = status == 0;
}

static enum outcome talk(const char *to)
{
	struct weft_sender_opts sender_opts = {.size = sizeof sender_opts, .on_event = on_event};
	uint64_t end_ns = patience_end_ns();
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	bool asked = false, delivered = false;
	struct weft_sender *sender;
	struct end end;
	char name[48];
	int cause = 0;

	node_name(name, "stranger", getpid());
	sender_opts.user = &cause;
	if (end_open(&end, name, 0) < 0 || weft_sender_open(end.worker, end.channel, to, &sender_opts, &sender) < 0)
		return OTHERWISE;
	how.completion = WEFT_DELIVERED;
	how.done = on_done;
	how.user = &delivered;
	while (!delivered && !cause && weft_clock_now(weft_clock_real()) < end_ns) {
		weft_worker_poll(end.worker);
		if (!asked && weft_sender_status(sender) == 0)
			asked = weft_send_with(sender, "hello", 5, &how) == 0;
	}
	weft_node_close(&end.node);
	return delivered ? ARRIVED : cause == -WEFT_EACCES ? REFUSED : OTHERWISE;
}

/* Begun while this process has one thread; waits until it is told to go on. */
static pid_t start_stranger(const char *to, int *go_fd)
{
	int go[2];
	pid_t child;
	char byte;

	CU_ASSERT_EQUAL_FATAL(pipe2(go, O_CLOEXEC), 0);
	fflush(stdout);
	child = fork_alone();
	CU_ASSERT_TRUE_FATAL(child >= 0);
	if (child == 0) {
		if (become(STRANGER) < 0 || read(go[0], &byte, 1) != 1)
			_exit(OTHERWISE);
		_exit(talk(to));
	}
	close(go[0]);
	*go_fd = go[1];
	return child;
}

/* ---- this side ---- */

static struct {
	unsigned int got, came;
	uint32_t uid;
} seen;

static void on_message(struct weft_rx *rx, void *user)
{
	(void)rx, (void)user;
	seen.got++;
}

static void on_peer(enum weft_peer_event event, const struct weft_peer *peer, void *user)
{
	(void)user;
	seen.came += event == WEFT_PEER_CAME;
	seen.uid = peer->uid;
}

/* What becomes of a stranger's message to a node that allows so. */
static enum outcome meet(uint32_t allowed_uid)
{
	struct end end;
	int go_fd, status = 0;
	char name[48];
	pid_t child;

	memset(&seen, 0, sizeof seen);
	node_name(name, "host", getpid());
	child = start_stranger(name, &go_fd);
	CU_ASSERT_EQUAL_FATAL(end_open(&end, name, allowed_uid), 0);
	weft_channel_handle(end.channel, on_message, NULL);
	weft_channel_on_peer(end.channel, on_peer, NULL);
	CU_ASSERT_EQUAL(write(go_fd, "g", 1), 1);
	while (waitpid(child, &status, WNOHANG) == 0)
		weft_worker_poll(end.worker);
	close(go_fd);
	weft_node_close(&end.node);
	CU_ASSERT_TRUE_FATAL(WIFEXITED(status));
	return (enum outcome)WEXITSTATUS(status);
}

static void a_peer_of_another_user_is_refused_and_told_so(void)
{
	CU_ASSERT_EQUAL(meet(UINT32_MAX), REFUSED);
	CU_ASSERT_EQUAL(seen.got + seen.came, 0);
	CU_ASSERT_EQUAL(meet(12345), REFUSED);
	CU_ASSERT_EQUAL(seen.got + seen.came, 0);
}

static void a_user_whom_both_sides_allow_is_let_in_and_named(void)
{
	CU_ASSERT_EQUAL(meet(STRANGER), ARRIVED);
	CU_ASSERT_EQUAL(seen.got, 1);
	CU_ASSERT_EQUAL(seen.came, 1);
	CU_ASSERT_EQUAL(seen.uid, STRANGER);
}

/* ---- directories ---- */

static int open_in(const char *directory)
{
	struct weft_node_opts opts;
	struct weft_node *node = NULL;
	int rc;

	weft_node_opts_init(&opts, sizeof opts);
	opts.name = "permissions";
	opts.worker_count = 0;
	opts.runtime_dir = directory;
	rc = weft_node_open(&opts, &node);
	CU_ASSERT_TRUE(rc == 0 || (strstr(weft_last_error(), directory) &&
				   strstr(weft_last_error(), "name one that is for this alone")));
	weft_node_close(&node);
	return rc;
}

static void a_directory_of_another_user_or_open_to_others_is_not_used(void)
{
	char directory[] = "/tmp/weft-permissions-XXXXXX";

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
	CU_ASSERT_EQUAL(open_in(directory), 0);
	CU_ASSERT_EQUAL(chmod(directory, 0770), 0);
	CU_ASSERT_EQUAL(open_in(directory), -WEFT_EACCES);
	CU_ASSERT_EQUAL(chmod(directory, 0707), 0);
	CU_ASSERT_EQUAL(open_in(directory), -WEFT_EACCES);
	CU_ASSERT_EQUAL(chmod(directory, 0700), 0);
	CU_ASSERT_EQUAL(chown(directory, STRANGER, STRANGER), 0);
	CU_ASSERT_EQUAL(open_in(directory), -WEFT_EACCES);
	CU_ASSERT_EQUAL(rmdir(directory), 0); /* nothing was left in it */
}

/* ---- hardening ---- */

/* Whether another process of the same user could look into one whose node was opened so: 0 no, 1 yes. */
static int is_open_to_its_user(bool hardening)
{
	struct weft_node_opts opts;
	struct weft_node *node;
	struct stat status;

	if (become(STRANGER) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0)
		return OTHERWISE;
	weft_node_opts_init(&opts, sizeof opts);
	opts.worker_count = 0;
	opts.hardening = hardening;
	if (weft_node_open(&opts, &node) < 0 || stat("/proc/self/mem", &status) < 0)
		return OTHERWISE;
	/* What may not be looked into belongs to root there. */
	if ((prctl(PR_GET_DUMPABLE) == 1) != (status.st_uid == STRANGER))
		return OTHERWISE;
	weft_node_close(&node);
	return status.st_uid == STRANGER;
}

static void a_hardened_node_cannot_be_looked_into(void)
{
	for (int hardening = 0; hardening < 2; hardening++) {
		int status = 0;
		pid_t child;

		fflush(stdout);
		child = fork_alone();
		CU_ASSERT_TRUE_FATAL(child >= 0);
		if (child == 0)
			_exit(is_open_to_its_user(hardening));
		CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
		CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == !hardening);
	}
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_peer_of_another_user_is_refused_and_told_so),
		SUITE_CASE(a_user_whom_both_sides_allow_is_let_in_and_named),
		SUITE_CASE(a_directory_of_another_user_or_open_to_others_is_not_used),
		SUITE_CASE(a_hardened_node_cannot_be_looked_into),
	};

	if (geteuid() != 0) {
		puts("skipped: needs root, to be another user");
		return 77;
	}
	return suite_main("permissions", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Limits on descriptors and threads, kernel features that weft builds on, who may look in, and whether a node opens.
 */
#include "checks.h"
#include "system.h"
#include "trial.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <weft/errors.h>

static void nofile(const struct machine *machine, struct finding *out)
{
	struct process_limit limit;

	system_limit(machine->root, "Max open files", &limit);
	needed(out, "4096 or more: a node takes some 10, each peer 4; below 256 connections soon fail");
	fix(out, "ulimit -n 65536, or LimitNOFILE=65536 in the unit file");
	if (limit.soft == SYSTEM_UNKNOWN || limit.soft == SYSTEM_UNLIMITED) {
		measured(out, "%s", limit.soft == SYSTEM_UNKNOWN ? "not told by the system" : "unlimited");
		return;
	}
	measured(out, "%llu", (unsigned long long)limit.soft);
	if (limit.soft < 4096)
		worsen(out, limit.soft < 256 ? SEVERITY_FAIL : SEVERITY_WARN);
}

static void threads(const struct machine *machine, struct finding *out)
{
	uint64_t left = machine->limits.cgroup.pids_left, wanted = machine->plan_opts.workers + 1u;

	needed(out, "%llu threads for a node with its workers, some more for the program", (unsigned long long)wanted);
	fix(out, "raise pids.max of the control group, or TasksMax= in the unit file");
	if (left == WEFT_UNLIMITED) {
		measured(out, "the control groups set no limit");
		return;
	}
	measured(out, "%llu more", (unsigned long long)left);
	if (left < wanted)
		worsen(out, SEVERITY_FAIL);
	else if (left < 4 * wanted)
		worsen(out, SEVERITY_WARN);
}

static void judge_trial(struct finding *out, int error, enum severity severity)
{
	measured(out, "%s", error ? strerror(error) : "works");
	if (error)
		worsen(out, severity);
}

static void memfd(const struct machine *machine, struct finding *out)
{
	(void)machine;
	needed(out, "memfd_create with sealing");
	fix(out, "run Linux 5.1 or newer, and allow memfd_create in the seccomp profile");
	judge_trial(out, trial_memfd(), SEVERITY_FAIL);
}

static void pidfd(const struct machine *machine, struct finding *out)
{
	(void)machine;
	needed(out, "pidfd_open: deaths of peers are seen at once");
	fix(out, "run Linux 5.3 or newer, and allow pidfd_open in the seccomp profile");
	judge_trial(out, trial_pidfd(), SEVERITY_WARN);
}

static void membarrier(const struct machine *machine, struct finding *out)
{
	(void)machine;
	needed(out, "global expedited membarrier: sleepers are woken at once");
	fix(out, "run Linux 4.16 or newer, and allow membarrier in the seccomp profile");
	judge_trial(out, trial_membarrier(), SEVERITY_WARN);
}

static void ptrace_scope(const struct machine *machine, struct finding *out)
{
	uint64_t scope = system_number(machine->root, "/proc/sys/kernel/yama/ptrace_scope");

	needed(out, "1 or more; or hardening on in the nodes' options; or a user for each group that trusts itself");
	fix(out, "%s",
	    scope == SYSTEM_UNKNOWN ? "set hardening in the nodes' options: this kernel has no yama"
				    : "sysctl kernel.yama.ptrace_scope=1, or set hardening in the nodes' options");
	if (scope == SYSTEM_UNKNOWN || scope == 0) {
		measured(out, "%s: a process may read the memory of any other of its user",
			 scope ? "not offered" : "0");
		worsen(out, SEVERITY_WARN);
		return;
	}
	measured(out, "%llu", (unsigned long long)scope);
}

/* Whether its parent is there and may be written. */
static bool may_be_made(const char *directory)
{
	char parent[PATH_MAX];

	if (strlen(directory) >= sizeof parent)
		return false;
	return access(dirname(strcpy(parent, directory)), W_OK | X_OK) == 0;
}

/* Owner, mode and length of the path, as nodes want it. */
static void judge_directory(const char *directory, struct finding *out)
{
	struct sockaddr_un address;
	struct stat info;

	measured(out, "%.120s", directory);
	if (directory[0] != '/') {
		measured(out, " is no absolute path");
		worsen(out, SEVERITY_FAIL);
		return;
	}
	if (strlen(directory) + 1 + WEFT_NAME_MAX >= sizeof address.sun_path) {
		measured(out, ": so long a path leaves no room for %d characters of a node's name", WEFT_NAME_MAX);
		fix(out, "choose a path of at most %zu characters", sizeof address.sun_path - WEFT_NAME_MAX - 2);
		worsen(out, strlen(directory) + 2 >= sizeof address.sun_path ? SEVERITY_FAIL : SEVERITY_WARN);
	}
	if (lstat(directory, &info) < 0) {
		/* Nodes make it, if they may. */
		bool may = errno == ENOENT && may_be_made(directory);

		measured(out, ": %s", may ? "is made by the first node" : strerror(errno));
		worsen(out, may ? SEVERITY_OK : SEVERITY_FAIL);
		return;
	}
	measured(out, ": mode %04o of user %u", (unsigned int)info.st_mode & 07777, (unsigned int)info.st_uid);
	if (!S_ISDIR(info.st_mode) || info.st_uid != geteuid() || info.st_mode & 022)
		worsen(out, SEVERITY_FAIL);
}

static void rendezvous(const struct machine *machine, struct finding *out)
{
	const char *directory = machine_runtime_dir();

	(void)machine;
	needed(out, "the absolute path of a folder of user %u that nobody else may write, or WEFT_RUNTIME_DIR unset",
	       (unsigned int)geteuid());
	fix(out, "mkdir -m 700 DIR and WEFT_RUNTIME_DIR=DIR");
	if (directory)
		judge_directory(directory, out);
	else
		measured(out, "abstract sockets, among the processes of this network namespace");
}

/* All together: what a program with default options gets. */
static void node(const struct machine *machine, struct finding *out)
{
	struct weft_node *opened;
	unsigned int lacks = 0;

	needed(out, "a node opens and can have everything (`weft info` says why it cannot)");
	fix(out, "see the checks above");
	if (!trial_has_room(machine)) {
		measured(out, "not tried: too little memory is left");
		return; /* cgroup-memory and node-memory say how much */
	}
	if (trial_node(machine, &opened) < 0) {
		measured(out, "%s", weft_last_error());
		fix(out, "what the message says");
		worsen(out, SEVERITY_FAIL);
		return;
	}
	for (unsigned int i = 0; weft_node_degraded(opened, i); i++)
		lacks |= weft_node_degraded_require(opened, i);
	measured(out, "opens%s", lacks ? ", without" : "");
	for (unsigned int bit = 1; bit && bit <= lacks; bit <<= 1)
		if (lacks & bit)
			measured(out, " %s", weft_require_name((enum weft_require)bit));
	if (lacks)
		worsen(out, SEVERITY_WARN);
	weft_node_close(&opened);
}

/* That of --to. */
static void peer(const struct machine *machine, struct finding *out)
{
	char name[WEFT_NAME_MAX + 1];

	needed(out, "a node answers at that address");
	fix(out, "start it, with this address in its listen (WEFT_LISTEN), and let both ways through the firewall");
	if (trial_reach(machine, name) == 0) {
		measured(out, "%.100s: \"%s\" answers", machine->to, name);
		return;
	}
	measured(out, "%.100s: %.120s", machine->to, weft_last_error());
	worsen(out, SEVERITY_FAIL);
}

const struct check peer_checks[] = {
	{"peer", true, peer},
	{NULL, false, NULL},
};

const struct check system_checks[] = {
	{"nofile", false, nofile},
	{"threads", false, threads},
	{"memfd", true, memfd},
	{"pidfd", true, pidfd},
	{"membarrier", true, membarrier},
	{"ptrace-scope", false, ptrace_scope},
	{"rendezvous", true, rendezvous},
	{"node", true, node},
	{NULL, false, NULL},
};

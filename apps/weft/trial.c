/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries what a node does when it opens.
 */
#include "trial.h"

#include "command.h"
#include "system.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <weft/errors.h>
#include <weft/net.h>
#include <weft/weft.h>

#define ROOM_BYTES ((uint64_t)512 << 20)
#define ASKED "weft.who-is-there"
#define ASK_NS UINT64_C(4000000000)

bool trial_has_room(const struct machine *machine)
{
	struct machine_memory memory;

	system_memory(machine->root, &memory);
	return memory.available_bytes >= ROOM_BYTES && machine->limits.cgroup.memory_left_bytes >= ROOM_BYTES;
}

int trial_pages(int numa_node, size_t len_bytes, enum weft_pages *out)
{
	struct weft_segment_opts opts;
	struct weft_segment segment;
	int rc;

	weft_segment_opts_init(&opts, sizeof opts);
	opts.len_bytes = len_bytes;
	opts.numa_node = numa_node;
	rc = weft_segment_open(&opts, &segment);
	if (rc < 0)
		return rc;
	*out = segment.pages;
	weft_segment_close(&segment);
	return 0;
}

int trial_node(const struct machine *machine, struct weft_node **out)
{
	struct weft_node_opts opts;
	char listen[96];

	weft_node_opts_init(&opts, sizeof opts);
	opts.worker_count = machine->plan_opts.workers;
	opts.cores = machine->cores;
	opts.security = machine->security;
	if (machine->driver && weft_net_driver_find(machine->driver)) {
		snprintf(listen, sizeof listen, "%s:127.0.0.1:0", machine->driver);
		opts.listen = listen;
	} else {
		opts.driver = machine->driver;
	}
	return weft_node_open(&opts, out);
}

/* Nobody has the name that is asked for, and so whoever answers is named. */
static int ask(struct weft_node *node, char name[WEFT_NAME_MAX + 1])
{
	struct weft_channel *channel;
	struct weft_sender *sender;
	int rc = weft_channel_open(node, ASKED, NULL, &channel);

	if (rc == 0)
		rc = weft_sender_open(weft_node_worker(node, 0), channel, ASKED, NULL, &sender);
	if (rc < 0)
		return rc;
	rc = weft_sender_wait(sender, weft_clock_now(weft_clock_real()) + ASK_NS);
	if (rc == 0 || weft_sender_stranger(sender)) {
		snprintf(name, WEFT_NAME_MAX + 1, "%s", rc == 0 ? ASKED : weft_sender_stranger(sender));
		return 0;
	}
	return weft_set_error(rc, "no node answers: nobody listens there, or a firewall is between");
}

int trial_reach(const struct machine *machine, char name[WEFT_NAME_MAX + 1])
{
	struct weft_node_opts opts;
	struct weft_node *node;
	char peers[512];
	int rc;

	weft_node_opts_init(&opts, sizeof opts);
	opts.worker_count = 0;
	opts.security = machine->security;
	opts.peers = peers;
	if (snprintf(peers, sizeof peers, ASKED "=%s", machine->to) >= (int)sizeof peers)
		usage_error("--to '%.80s' is longer than any address", machine->to);
	rc = weft_node_open(&opts, &node);
	if (rc == -WEFT_EINVAL || rc == -WEFT_ENODEV || rc == -WEFT_EACCES)
		usage_error("--to: %s", weft_last_error());
	if (rc < 0)
		return rc;
	rc = ask(node, name);
	weft_node_close(&node);
	return rc;
}

static int close_or_errno(int fd)
{
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

int trial_memfd(void)
{
	return close_or_errno(memfd_create("weft-trial", MFD_CLOEXEC | MFD_ALLOW_SEALING));
}

int trial_pidfd(void)
{
	return close_or_errno((int)syscall(SYS_pidfd_open, getpid(), 0));
}

int trial_membarrier(void)
{
	long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	if (commands < 0)
		return errno;
	return commands & MEMBARRIER_CMD_GLOBAL_EXPEDITED ? 0 : ENOSYS;
}

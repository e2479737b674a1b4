/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tries what a node does when it opens.
 */
#include "trial.h"

#include "system.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <weft/errors.h>

#define ROOM_BYTES ((uint64_t)512 << 20)

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

	weft_node_opts_init(&opts, sizeof opts);
	opts.worker_count = machine->plan_opts.workers;
	opts.cores = machine->cores;
	return weft_node_open(&opts, out);
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

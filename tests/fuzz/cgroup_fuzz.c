/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's files about limits, with anything in them: what is read is within its bounds, and what makes no sense
 * counts as no limit. The input is cut at zero bytes into the files below, which stand under a root of our own.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weft/plan.h>

static const char *const files[] = {
	"/proc/self/cgroup",
	"/proc/self/mountinfo",
	"/proc/thread-self/status",
	"/sys/devices/system/cpu/isolated",
	"/sys/fs/cgroup/cpu.max",
	"/sys/fs/cgroup/memory.max",
	"/sys/fs/cgroup/cpuset.cpus.effective",
	"/sys/fs/cgroup/a/cpu.max",
	"/sys/fs/cgroup/a/cpu.cfs_quota_us",
	"/sys/fs/cgroup/a/cpu.cfs_period_us",
	"/sys/fs/cgroup/a/memory.limit_in_bytes",
	"/sys/fs/cgroup/a/cpuset.cpus",
};
#define FILE_COUNT (sizeof files / sizeof *files)

static char root[64];

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static void remove_root(void)
{
	nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_root(void)
{
	static const char *const directories[] = {"/proc",
						  "/proc/self",
						  "/proc/thread-self",
						  "/sys",
						  "/sys/fs",
						  "/sys/fs/cgroup",
						  "/sys/fs/cgroup/a",
						  "/sys/devices",
						  "/sys/devices/system",
						  "/sys/devices/system/cpu"};
	char path[256];

	strcpy(root, "/tmp/weft-cgroup-fuzz-XXXXXX");
	if (!mkdtemp(root))
		abort();
	atexit(remove_root);
	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
		snprintf(path, sizeof path, "%s%s", root, directories[i]);
		if (mkdir(path, 0700) < 0)
			abort();
	}
}

/* Without a piece of the input a file is not there. */
static void make_file(const char *name, const uint8_t *bytes, size_t len_bytes)
{
	char path[256];
	int fd;

	snprintf(path, sizeof path, "%s%s", root, name);
	if (!bytes) {
		unlink(path);
		return;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, bytes, len_bytes) != (ssize_t)len_bytes)
		abort();
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
	struct weft_cpu_limits limits;

	if (!root[0])
		make_root();
	for (size_t i = 0; i < FILE_COUNT; i++) {
		const uint8_t *end = len_bytes ? memchr(data, 0, len_bytes) : NULL;
		size_t piece = end ? (size_t)(end - data) : len_bytes;

		make_file(files[i], len_bytes ? data : NULL, piece);
		piece += end != NULL;
		data += piece;
		len_bytes -= piece;
	}
	weft_cpu_limits_read(root, &limits);
	if (!memchr(limits.cgroup.path, 0, sizeof limits.cgroup.path))
		abort();
	if (limits.cgroup.version < 0 || limits.cgroup.version > 2)
		abort();
	if (limits.cgroup.memory_bytes != WEFT_UNLIMITED && limits.cgroup.memory_bytes > INT64_MAX)
		abort();
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory, descriptors, and kernel features that weft builds on.
 */
#include "checks.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void huge_pages(const char *root, struct finding *out)
{
	char text[32];

	read_line(root, "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", text, sizeof text);
	snprintf(out->measured, sizeof out->measured, "%ld free pages of 2 MiB", strtol(text, NULL, 10));
	out->needed = "64 or more";
	out->fix = "sysctl vm.nr_hugepages=512";
	if (strtol(text, NULL, 10) < 64)
		out->severity = SEVERITY_WARN;
}

static void transparent(const char *root, struct finding *out)
{
	read_line(root, "/sys/kernel/mm/transparent_hugepage/enabled", out->measured, sizeof out->measured);
	out->needed = "madvise or always";
	out->fix = "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled";
	if (!out->measured[0] || strstr(out->measured, "[never]"))
		out->severity = SEVERITY_WARN;
}

static void limit(int what, rlim_t needed, enum severity severity, struct finding *out)
{
	struct rlimit now;

	if (getrlimit(what, &now) < 0)
		return;
	if (now.rlim_cur == RLIM_INFINITY)
		strcpy(out->measured, "unlimited");
	else
		snprintf(out->measured, sizeof out->measured, "%llu", (unsigned long long)now.rlim_cur);
	if (now.rlim_cur < needed)
		out->severity = severity;
}

static void memlock(const char *root, struct finding *out)
{
	(void)root;
	out->needed = "64 MiB or more (bytes)";
	out->fix = "ulimit -l unlimited, or LimitMEMLOCK=infinity in the unit file";
	limit(RLIMIT_MEMLOCK, 64 << 20, SEVERITY_WARN, out);
}

static void nofile(const char *root, struct finding *out)
{
	(void)root;
	out->needed = "4096 or more; under 256 nodes will not open";
	out->fix = "ulimit -n 65536, or LimitNOFILE=65536 in the unit file";
	limit(RLIMIT_NOFILE, 4096, SEVERITY_WARN, out);
	limit(RLIMIT_NOFILE, 256, SEVERITY_FAIL, out);
}

static void memfd(const char *root, struct finding *out)
{
	int fd = memfd_create("weft-doctor", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	(void)root;
	out->needed = "memfd_create with sealing";
	out->fix = "run Linux 5.1 or newer, and allow memfd_create in the seccomp profile";
	snprintf(out->measured, sizeof out->measured, "%s", fd < 0 ? strerror(errno) : "works");
	if (fd < 0)
		out->severity = SEVERITY_FAIL;
	else
		close(fd);
}

static void pidfd(const char *root, struct finding *out)
{
	int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);

	(void)root;
	out->needed = "pidfd_open: deaths of peers are seen at once";
	out->fix = "run Linux 5.3 or newer, and allow pidfd_open in the seccomp profile";
	snprintf(out->measured, sizeof out->measured, "%s", fd < 0 ? strerror(errno) : "works");
	if (fd < 0)
		out->severity = SEVERITY_WARN;
	else
		close(fd);
}

static void membarrier_check(const char *root, struct finding *out)
{
	long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);

	(void)root;
	out->needed = "global expedited membarrier: sleepers are woken at once";
	out->fix = "run Linux 4.16 or newer, and allow membarrier in the seccomp profile";
	strcpy(out->measured, "works");
	if (commands >= 0 && (commands & MEMBARRIER_CMD_GLOBAL_EXPEDITED))
		return;
	strcpy(out->measured, "not available");
	out->severity = SEVERITY_WARN;
}

const struct check memory_checks[] = {
	{"huge-pages", huge_pages}, {"transparent-huge-pages", transparent}, {"memlock", memlock}, {"nofile", nofile},
	{"memfd", memfd}, {"pidfd", pidfd}, {"membarrier", membarrier_check}, {NULL, NULL},
};

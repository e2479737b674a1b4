/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that limits are read right from trees of files that look like the kernel's: cgroup v2 and v1, limits on
 * upper levels, groups inside a container, and nothing at all.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <weft/plan.h>

static char root[64];

static void set_up(void)
{
	strcpy(root, "/tmp/weft-limits-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(root));
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
	(void)status, (void)type, (void)at;
	return remove(path);
}

static void tear_down(void)
{
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Writes a file below the root and makes the folders on its way. */
static void put(const char *path, const char *text)
{
	char full[512];
	FILE *file;

	snprintf(full, sizeof full, "%s%s", root, path);
	for (char *slash = strchr(full + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(full, 0755);
		*slash = '/';
	}
	file = fopen(full, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	fputs(text, file);
	fclose(file);
}

static const char *cpus(const struct weft_cpuset *set)
{
	static char text[128];

	return weft_cpuset_format(set, text, sizeof text);
}

static void nothing_readable_means_no_limit(void)
{
	struct weft_cpu_limits limits;

	set_up();
	weft_cpu_limits_read(root, &limits);
	CU_ASSERT_EQUAL(limits.cgroup.version, 0);
	CU_ASSERT_EQUAL(limits.cgroup.cpu_milli, WEFT_UNLIMITED);
	CU_ASSERT_EQUAL(limits.cgroup.memory_bytes, WEFT_UNLIMITED);
	CU_ASSERT_EQUAL(limits.cgroup.memory_left_bytes, WEFT_UNLIMITED);
	CU_ASSERT_EQUAL(limits.cgroup.pids_left, WEFT_UNLIMITED);
	CU_ASSERT_TRUE(weft_cpuset_is_empty(&limits.cgroup.cpus));
	CU_ASSERT_TRUE(weft_cpuset_is_empty(&limits.affinity));
	tear_down();
}

static void affinity_and_isolated_cpus_are_read(void)
{
	struct weft_cpu_limits limits;

	set_up();
	put("/proc/thread-self/status",
	    "Name:\tx\nCpus_allowed:\tf\nCpus_allowed_list:\t0-2,7\nMems_allowed_list:\t0\n");
	put("/sys/devices/system/cpu/isolated", "2-3\n");
	weft_cpu_limits_read(root, &limits);
	CU_ASSERT_STRING_EQUAL(cpus(&limits.affinity), "0-2,7");
	CU_ASSERT_STRING_EQUAL(cpus(&limits.isolated), "2-3");
	put("/sys/devices/system/cpu/isolated", "\n");
	weft_cpu_limits_read(root, &limits);
	CU_ASSERT_TRUE(weft_cpuset_is_empty(&limits.isolated));
	tear_down();
}

static void the_least_of_all_v2_levels_counts(void)
{
	struct weft_cgroup group;

	set_up();
	put("/proc/self/cgroup", "0::/jobs/one\n");
	put("/proc/self/mountinfo", "30 23 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n");
	put("/sys/fs/cgroup/jobs/one/cpu.max", "max 100000\n");
	put("/sys/fs/cgroup/jobs/cpu.max", "150000 100000\n");
	put("/sys/fs/cgroup/jobs/one/memory.max", "1073741824\n");
	put("/sys/fs/cgroup/jobs/memory.max", "max\n");
	put("/sys/fs/cgroup/jobs/cpuset.cpus.effective", "0-3\n");
	weft_cgroup_read(root, &group);
	CU_ASSERT_EQUAL(group.version, 2);
	CU_ASSERT_EQUAL(group.cpu_milli, 1500);
	CU_ASSERT_EQUAL(group.memory_bytes, 1073741824);
	CU_ASSERT_STRING_EQUAL(cpus(&group.cpus), "0-3");
	CU_ASSERT_STRING_EQUAL(group.path, "/jobs/one");
	tear_down();
}

static void v1_controllers_are_found_where_they_are_mounted(void)
{
	struct weft_cgroup group;

	set_up();
	put("/proc/self/cgroup", "4:memory:/m/x\n3:cpuset:/\n2:cpu,cpuacct:/docker/abc\n0::/\n");
	put("/proc/self/mountinfo", "32 31 0:29 /docker/abc /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
				    "34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
				    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
	put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000\n");
	put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
	put("/sys/fs/cgroup/cpuset/cpuset.cpus", "0-1\n");
	put("/sys/fs/cgroup/memory/m/memory.limit_in_bytes", "4096000\n");
	put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
	weft_cgroup_read(root, &group);
	CU_ASSERT_EQUAL(group.version, 1);
	CU_ASSERT_EQUAL(group.cpu_milli, 500);
	CU_ASSERT_EQUAL(group.memory_bytes, 4096000);
	CU_ASSERT_STRING_EQUAL(cpus(&group.cpus), "0-1");
	tear_down();
}

static void what_is_left_is_the_least_of_all_levels(void)
{
	struct weft_cgroup group;

	set_up();
	put("/proc/self/cgroup", "5:pids:/p\n0::/jobs/one\n");
	put("/proc/self/mountinfo",
	    "30 23 0:27 / /cg rw - cgroup2 cgroup2 rw\n31 23 0:28 / /pids rw - cgroup cgroup rw,pids\n");
	put("/cg/jobs/one/memory.max", "1000000\n");
	put("/cg/jobs/one/memory.current", "100000\n");
	put("/cg/jobs/memory.max", "2000000\n");
	put("/cg/jobs/memory.current", "1999000\n");
	put("/pids/p/pids.max", "max\n");
	put("/pids/pids.max", "100\n");
	put("/pids/pids.current", "101\n");
	weft_cgroup_read(root, &group);
	CU_ASSERT_EQUAL(group.memory_bytes, 1000000);
	CU_ASSERT_EQUAL(group.memory_left_bytes, 1000);
	CU_ASSERT_EQUAL(group.pids_left, 0);
	put("/pids/pids.current", "40\n");
	put("/cg/jobs/memory.max", "max\n");
	weft_cgroup_read(root, &group);
	CU_ASSERT_EQUAL(group.memory_left_bytes, 900000);
	CU_ASSERT_EQUAL(group.pids_left, 60);
	tear_down();
}

static void malformed_files_are_no_limit(void)
{
	static const char *const garbage[] = {"", "\n", "x", "1", "-5 100000", "1 0", "99999999999999999999 1", "max"};
	struct weft_cgroup group;

	set_up();
	put("/proc/self/cgroup", "garbage\n0::/a\n:::\n");
	put("/proc/self/mountinfo", "short\n - \n30 23 0:27 / /cg rw - cgroup2 cgroup2 rw\n1 2 3 - x\n");
	for (size_t i = 0; i < sizeof garbage / sizeof *garbage; i++) {
		put("/cg/a/cpu.max", garbage[i]);
		put("/cg/a/cpuset.cpus.effective", "zz");
		weft_cgroup_read(root, &group);
		CU_ASSERT_EQUAL(group.version, 2);
		CU_ASSERT_EQUAL(group.cpu_milli, WEFT_UNLIMITED);
		CU_ASSERT_TRUE(weft_cpuset_is_empty(&group.cpus));
	}
	tear_down();
}

static void this_process_has_an_affinity(void)
{
	struct weft_cpu_limits limits;

	weft_cpu_limits_read(NULL, &limits);
	CU_ASSERT_FALSE(weft_cpuset_is_empty(&limits.affinity));
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(nothing_readable_means_no_limit),
		SUITE_CASE(affinity_and_isolated_cpus_are_read),
		SUITE_CASE(the_least_of_all_v2_levels_counts),
		SUITE_CASE(v1_controllers_are_found_where_they_are_mounted),
		SUITE_CASE(what_is_left_is_the_least_of_all_levels),
		SUITE_CASE(malformed_files_are_no_limit),
		SUITE_CASE(this_process_has_an_affinity),
	};

	return suite_main("limits", cases, SUITE_COUNT(cases), argc, argv);
}

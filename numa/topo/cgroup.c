/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the control groups of this process, v2 and v1, and the least that any level of them allows.
 *
 * /proc/self/cgroup tells the group's path, /proc/self/mountinfo where a hierarchy is mounted and which part of it is
 * visible there. Limits count at every level, so each level up to the mount point is asked.
 */
#include "topo/files.h"

#include <weft/plan.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One hierarchy: where it is mounted, and the group in it. */
struct hierarchy {
	char mount[512];
	char group[512]; /* relative to the mount point: "" or "/a/b" */
	bool found;
};

/* Whether a comma-separated list has a word. */
static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
		if (strncmp(at, word, len) == 0 && (at[len] == ',' || !at[len]))
			return true;
	return false;
}

/* The group's path in /proc/self/cgroup; controller NULL: v2, whose line starts with "0::". */
static bool find_group(const char *root, const char *controller, char *out, size_t size_bytes)
{
	char text[8192], *rest = text, *line;

	if (weft__topo_read_file(root, "/proc/self/cgroup", text, sizeof text) < 0)
		return false;
	while ((line = strsep(&rest, "\n"))) {
		char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		controllers++;
		if (controller ? !has_word(controllers, controller) : *controllers != '\0')
			continue;
		return snprintf(out, size_bytes, "%s", path) < (int)size_bytes;
	}
	return false;
}

/*
 * One line of mountinfo: "36 35 98:0 /root /mount options ... - type source super-options". Cuts it into the three
 * pieces that matter.
 */
static bool split_mount(char *line, char **visible, char **mount, char **type, char **options)
{
	char *tail = strstr(line, " - "), *field = NULL;

	if (!tail)
		return false;
	*tail = '\0';
	for (int i = 0; i < 5 && (field = strsep(&line, " ")); i++) {
		if (i == 3)
			*visible = field;
		if (i == 4)
			*mount = field;
	}
	tail += 3;
	*type = strsep(&tail, " ");
	strsep(&tail, " ");
	*options = tail ? tail : *type;
	return field != NULL;
}

static void find_hierarchy(const char *root, const char *mounts, const char *controller, struct hierarchy *out)
{
	char group[512], *copy, *rest, *line, *visible, *mount, *type, *options;

	out->found = false;
	copy = strdup(mounts);
	if (!copy || !find_group(root, controller, group, sizeof group)) {
		free(copy);
		return;
	}
	for (rest = copy; (line = strsep(&rest, "\n"));) {
		size_t hidden;

		if (!split_mount(line, &visible, &mount, &type, &options))
			continue;
		if (controller ? strcmp(type, "cgroup") != 0 || !has_word(options, controller)
			       : strcmp(type, "cgroup2") != 0)
			continue;
		/* Only the part below `visible` is mounted: that much of the path is hidden from us. */
		hidden = strcmp(visible, "/") == 0 ? 0 : strlen(visible);
		if (strncmp(group, visible, hidden) != 0 || (hidden && group[hidden] && group[hidden] != '/'))
			hidden = strlen(group);
		snprintf(out->mount, sizeof out->mount, "%s", mount);
		snprintf(out->group, sizeof out->group, "%s", strcmp(group + hidden, "/") == 0 ? "" : group + hidden);
		out->found = true;
		break;
	}
	free(copy);
}

/* Reads a file of a group. */
static int read_group(const char *root, const struct hierarchy *h, const char *group, const char *file, char *text,
		      size_t size_bytes)
{
	char path[1280];

	snprintf(path, sizeof path, "%s%s/%s", h->mount, group, file);
	return weft__topo_read_file(root, path, text, size_bytes);
}

/* Goes one level up; false at the mount point. */
static bool parent_of(char *group)
{
	char *slash = strrchr(group, '/');

	if (!slash)
		return false;
	*slash = '\0';
	return true;
}

static void lower(uint64_t *least, uint64_t value)
{
	if (value < *least)
		*least = value;
}

/* CPU time of one level: v2 "150000 100000" or "max 100000"; v1 in two files, -1 for none. */
static void take_cpu(const char *root, const struct hierarchy *h, const char *group, int version, uint64_t *least)
{
	char text[128], period[64];
	long long quota_us = -1, period_us = 0;

	if (version == 2) {
		if (read_group(root, h, group, "cpu.max", text, sizeof text) < 0 ||
		    sscanf(text, "%lld %lld", &quota_us, &period_us) != 2)
			return;
	} else {
		if (read_group(root, h, group, "cpu.cfs_quota_us", text, sizeof text) < 0 ||
		    read_group(root, h, group, "cpu.cfs_period_us", period, sizeof period) < 0)
			return;
		quota_us = strtoll(text, NULL, 10);
		period_us = strtoll(period, NULL, 10);
	}
	if (quota_us > 0 && period_us > 0 && quota_us < INT64_MAX / 1000)
		lower(least, (uint64_t)quota_us * 1000 / (uint64_t)period_us);
}

/* A number of a group's file; WEFT_UNLIMITED where it says "max", or cannot be read. */
static uint64_t number_of(const char *root, const struct hierarchy *h, const char *group, const char *file)
{
	char text[64], *end;
	unsigned long long value;

	if (read_group(root, h, group, file, text, sizeof text) < 0)
		return WEFT_UNLIMITED;
	value = strtoull(text, &end, 10);
	/* v1 writes "no limit" as the highest multiple of a page. */
	return end != text && value < INT64_MAX - 65536 ? value : WEFT_UNLIMITED;
}

/* What a limit leaves; all of it where the use is not known. */
static uint64_t left_of(uint64_t limit, uint64_t used)
{
	if (limit == WEFT_UNLIMITED || used == WEFT_UNLIMITED)
		return limit;
	return used < limit ? limit - used : 0;
}

static void take_memory(const char *root, const struct hierarchy *h, const char *group, int version,
			struct weft_cgroup *out)
{
	uint64_t limit = number_of(root, h, group, version == 2 ? "memory.max" : "memory.limit_in_bytes");
	uint64_t used = number_of(root, h, group, version == 2 ? "memory.current" : "memory.usage_in_bytes");

	lower(&out->memory_bytes, limit);
	lower(&out->memory_left_bytes, left_of(limit, used));
}

static void take_pids(const char *root, const struct hierarchy *h, const char *group, uint64_t *least)
{
	lower(least, left_of(number_of(root, h, group, "pids.max"), number_of(root, h, group, "pids.current")));
}

/* The CPUs of the lowest level that says any. */
static void take_cpus(const char *root, const struct hierarchy *h, const char *group, int version,
		      struct weft_cpuset *cpus)
{
	char text[4096];

	if (!weft_cpuset_is_empty(cpus))
		return;
	if (read_group(root, h, group, version == 2 ? "cpuset.cpus.effective" : "cpuset.effective_cpus", text,
		       sizeof text) == 0)
		weft__topo_parse_kernel_list(text, cpus);
	if (version == 1 && weft_cpuset_is_empty(cpus) &&
	    read_group(root, h, group, "cpuset.cpus", text, sizeof text) == 0)
		weft__topo_parse_kernel_list(text, cpus);
}

/* Asks each level of one hierarchy for what it has of the four. */
static void walk(const char *root, const struct hierarchy *h, int version, struct weft_cgroup *out)
{
	char group[sizeof h->group];

	if (!h->found)
		return;
	if (!out->version || version == 1)
		out->version = version;
	if (!out->path[0] || strcmp(out->path, "/") == 0)
		snprintf(out->path, sizeof out->path, "%.255s", h->group[0] ? h->group : "/");
	memcpy(group, h->group, sizeof group);
	do {
		take_cpu(root, h, group, version, &out->cpu_milli);
		take_memory(root, h, group, version, out);
		take_pids(root, h, group, &out->pids_left);
		take_cpus(root, h, group, version, &out->cpus);
	} while (parent_of(group));
}

void weft_cgroup_read(const char *root, struct weft_cgroup *out)
{
	static const char *const controllers[] = {NULL, "cpu", "cpuset", "memory", "pids"};
	const size_t size_bytes = 1 << 18;
	struct hierarchy h;
	char *mounts;

	memset(out, 0, sizeof *out);
	out->cpu_milli = WEFT_UNLIMITED;
	out->memory_bytes = out->memory_left_bytes = WEFT_UNLIMITED;
	out->pids_left = WEFT_UNLIMITED;
	mounts = malloc(size_bytes);
	if (mounts && weft__topo_read_file(root, "/proc/self/mountinfo", mounts, size_bytes) == 0)
		for (size_t i = 0; i < sizeof controllers / sizeof *controllers; i++) {
			find_hierarchy(root, mounts, controllers[i], &h);
			walk(root, &h, controllers[i] ? 1 : 2, out);
		}
	free(mounts);
}

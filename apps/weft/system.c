/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the kernel's files. A path that does not fit counts as one that cannot be read.
 */
#include "system.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *open_below(const char *root, const char *path)
{
	char full[PATH_MAX];

	if (snprintf(full, sizeof full, "%s%s", root, path) >= (int)sizeof full)
		return NULL;
	return fopen(full, "re");
}

const char *system_line(const char *root, const char *path, char *text, size_t size_bytes)
{
	FILE *file = open_below(root, path);

	*text = '\0';
	if (!file)
		return text;
	if (!fgets(text, (int)size_bytes, file))
		*text = '\0';
	text[strcspn(text, "\n")] = '\0';
	fclose(file);
	return text;
}

static uint64_t number_in(const char *text)
{
	char *end;
	uint64_t value;

	text += strspn(text, " \t");
	errno = 0;
	value = strtoull(text, &end, 10);
	return *text < '0' || *text > '9' || errno ? SYSTEM_UNKNOWN : value;
}

uint64_t system_number(const char *root, const char *path)
{
	char text[64];

	return number_in(system_line(root, path, text, sizeof text));
}

const char *system_choice(const char *root, const char *path, char *text, size_t size_bytes)
{
	char line[128], *open, *end;

	system_line(root, path, line, sizeof line);
	open = strchr(line, '[');
	end = open ? strchr(open, ']') : NULL;
	if (end)
		*end = '\0';
	snprintf(text, size_bytes, "%s", end ? open + 1 : "");
	return text;
}

/* The number after `label` anywhere in a file of lines "Node 0 MemTotal:   5072672 kB". */
static uint64_t labelled(const char *root, const char *path, const char *label)
{
	FILE *file = open_below(root, path);
	uint64_t found = SYSTEM_UNKNOWN;
	char line[256];

	if (!file)
		return found;
	while (found == SYSTEM_UNKNOWN && fgets(line, sizeof line, file)) {
		char *at = strstr(line, label);

		if (at && (at == line || at[-1] == ' '))
			found = number_in(at + strlen(label));
	}
	fclose(file);
	return found;
}

static uint64_t kibibytes(const char *root, const char *path, const char *label)
{
	uint64_t value = labelled(root, path, label);

	return value < SYSTEM_UNLIMITED >> 10 ? value << 10 : SYSTEM_UNKNOWN;
}

static int by_size(const void *a, const void *b)
{
	const struct huge_pool *one = a, *other = b;

	return (one->size_bytes > other->size_bytes) - (one->size_bytes < other->size_bytes);
}

static void read_pools(const char *root, const char *folder, struct node_memory *out)
{
	char path[PATH_MAX], full[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	if (snprintf(full, sizeof full, "%s%s", root, folder) >= (int)sizeof full || !(dir = opendir(full)))
		return;
	while ((entry = readdir(dir)) && out->pool_count < SYSTEM_POOLS_MAX) {
		struct huge_pool *pool = &out->pools[out->pool_count];
		unsigned int kib;

		if (sscanf(entry->d_name, "hugepages-%ukB", &kib) != 1)
			continue;
		snprintf(path, sizeof path, "%s/hugepages-%ukB/nr_hugepages", folder, kib);
		pool->total = system_number(root, path);
		snprintf(path, sizeof path, "%s/hugepages-%ukB/free_hugepages", folder, kib);
		pool->free = system_number(root, path);
		pool->size_bytes = (uint64_t)kib << 10;
		if (pool->total != SYSTEM_UNKNOWN && pool->free != SYSTEM_UNKNOWN)
			out->pool_count++;
	}
	closedir(dir);
	qsort(out->pools, out->pool_count, sizeof *out->pools, by_size);
}

void system_node_memory(const char *root, unsigned int node, struct node_memory *out)
{
	char file[80], folder[80];

	memset(out, 0, sizeof *out);
	snprintf(file, sizeof file, "/sys/devices/system/node/node%u/meminfo", node);
	snprintf(folder, sizeof folder, "/sys/devices/system/node/node%u/hugepages", node);
	out->total_bytes = kibibytes(root, file, "MemTotal:");
	if (out->total_bytes == SYSTEM_UNKNOWN) {
		strcpy(file, "/proc/meminfo");
		strcpy(folder, "/sys/kernel/mm/hugepages");
		out->total_bytes = kibibytes(root, file, "MemTotal:");
	}
	out->free_bytes = kibibytes(root, file, "MemFree:");
	/* Files of tmpfs count as file pages and are never given up, so only what is on the file lists does. */
	out->cache_bytes = kibibytes(root, file, "Inactive(file):");
	if (out->cache_bytes == SYSTEM_UNKNOWN)
		out->cache_bytes = 0;
	read_pools(root, folder, out);
}

const struct huge_pool *system_pool(const struct node_memory *memory, uint64_t size_bytes)
{
	for (unsigned int i = 0; i < memory->pool_count; i++)
		if (memory->pools[i].size_bytes == size_bytes)
			return &memory->pools[i];
	return NULL;
}

void system_memory(const char *root, struct machine_memory *out)
{
	out->total_bytes = kibibytes(root, "/proc/meminfo", "MemTotal:");
	out->available_bytes = kibibytes(root, "/proc/meminfo", "MemAvailable:");
	out->swap_total_bytes = kibibytes(root, "/proc/meminfo", "SwapTotal:");
	out->swap_free_bytes = kibibytes(root, "/proc/meminfo", "SwapFree:");
}

static uint64_t limit_in(const char *text)
{
	return strncmp(text, "unlimited", 9) == 0 ? SYSTEM_UNLIMITED : number_in(text);
}

void system_limit(const char *root, const char *name, struct process_limit *out)
{
	FILE *file = open_below(root, "/proc/self/limits");
	size_t len = strlen(name);
	char line[256];

	out->soft = out->hard = SYSTEM_UNKNOWN;
	if (!file)
		return;
	while (fgets(line, sizeof line, file)) {
		char *soft = line + len, *hard;

		if (strncmp(line, name, len) != 0 || *soft != ' ')
			continue;
		soft += strspn(soft, " ");
		hard = soft + strcspn(soft, " ");
		hard += strspn(hard, " ");
		out->soft = limit_in(soft);
		out->hard = limit_in(hard);
		break;
	}
	fclose(file);
}

const char *system_mebibytes(uint64_t bytes, char *text, size_t size_bytes)
{
	if (bytes == SYSTEM_UNKNOWN || bytes == SYSTEM_UNLIMITED)
		snprintf(text, size_bytes, "%s", bytes == SYSTEM_UNKNOWN ? "?" : "unlimited");
	else
		snprintf(text, size_bytes, "%" PRIu64 " %s", bytes >> (bytes < 1 << 20 ? 10 : 20),
			 bytes < 1 << 20 ? "KiB" : "MiB");
	return text;
}

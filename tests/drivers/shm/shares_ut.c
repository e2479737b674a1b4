/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that what peers make a process map has limits, for one path, for one process and for all: by bytes and by number.
 * Mapping itself is tested elsewhere (tests/numa/mem): here it is only said to have been done, since the limits are larger
 * than what a test can be expected to have.
 */
#include "fork.h"
#include "patience.h"
#include "shm/shm.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/errors.h>

#define LARGE_BYTES (UINT64_C(1) << 30)
#define PATH_SHARES (SHM_PATH_BYTES / LARGE_BYTES)
#define PATHS_MAX 80u
#define STRANGER (INT64_C(1) << 40) /* no process has this number, nor those after it */

static struct shm_device device;
static struct shm_path *paths[PATHS_MAX];
static unsigned int path_count;
static uint64_t len_bytes;          /* of what is shared from now on */
static _Atomic unsigned int mapped; /* and not unmapped, which is done aside where it is much */

int __wrap_weft_mapping_open(int fd, uint64_t incarnation, uint32_t segment_id, size_t max_len_bytes,
			     struct weft_mapping *out);
int __wrap_weft_mapping_open(int fd, uint64_t incarnation, uint32_t segment_id, size_t max_len_bytes,
			     struct weft_mapping *out)
{
	(void)fd, (void)incarnation;
	if (len_bytes > max_len_bytes)
		return -WEFT_EPROTO;
	*out = (struct weft_mapping){.len_bytes = len_bytes, .segment_id = segment_id};
	mapped++;
	return 0;
}

void __wrap_weft_mapping_close(struct weft_mapping *mapping);
void __wrap_weft_mapping_close(struct weft_mapping *mapping)
{
	(void)mapping;
	mapped--;
}

static void begin(uint64_t shared_bytes)
{
	len_bytes = shared_bytes;
	path_count = 0;
	weft_list_init(&device.paths);
}

static struct shm_path *add_path_of(struct shm_device *to, int64_t pid)
{
	struct shm_path *path = aligned_alloc(64, (sizeof *path + 63) & ~(size_t)63);

	CU_ASSERT_PTR_NOT_NULL_FATAL(path);
	CU_ASSERT_FATAL(path_count < PATHS_MAX);
	memset(path, 0, sizeof *path);
	path->device = to;
	path->who = pid;
	weft_list_push_back(&to->paths, &path->in_device);
	paths[path_count++] = path;
	return path;
}

/* A path to a process. */
static struct shm_path *add_path(int64_t pid)
{
	return add_path_of(&device, pid);
}

static void free_path(struct shm_path *path)
{
	weft_list_remove(&path->in_device);
	shm_mappings_free(path);
	CU_ASSERT_EQUAL(path->mapped.count, 0);
	CU_ASSERT_EQUAL(path->mapped.bytes, 0);
	free(path);
}

static void end(void)
{
	while (path_count)
		free_path(paths[--path_count]);
	CU_ASSERT_TRUE(PATIENCE_UNTIL(usleep(1000), mapped == 0));
}

static int share(struct shm_path *path, uint32_t segment_id)
{
	return shm_shares_add(path, segment_id, -1);
}

/* Shares over paths to that process, each as far as it goes, until one gets nothing; returns the code that ended that. */
static int share_all(int64_t pid, uint32_t shares_of_path)
{
	unsigned int before;
	int rc = 0;

	do {
		struct shm_path *path = add_path(pid);

		before = mapped;
		for (uint32_t i = 0; i < shares_of_path && (rc = share(path, i)) == 0; i++)
			;
	} while (mapped > before);
	return rc;
}

static void one_path_maps_so_many_bytes_and_no_more(void)
{
	struct shm_path *path;
	uint32_t i = 0;

	begin(LARGE_BYTES);
	path = add_path(getpid());
	while (i < SHM_SEGMENTS && share(path, i) == 0)
		i++;
	CU_ASSERT_EQUAL(i, PATH_SHARES);
	CU_ASSERT_EQUAL(share(path, i), -WEFT_EQUOTA);
	CU_ASSERT_EQUAL(mapped, PATH_SHARES);
	CU_ASSERT_EQUAL(share(add_path(getpid()), 0), 0); /* it is the path's own affair */
	end();
}

static void all_together_map_so_many_bytes_and_no_more(void)
{
	begin(LARGE_BYTES);
	CU_ASSERT_EQUAL(share_all(getpid(), PATH_SHARES), -WEFT_ENOMEM);
	CU_ASSERT_EQUAL(mapped, SHM_MAPPED_MAX_BYTES / LARGE_BYTES);
	free_path(paths[--path_count]);
	CU_ASSERT_EQUAL(share(add_path(getpid()), 0), -WEFT_ENOMEM);
	free_path(paths[--path_count]);
	free_path(paths[--path_count]); /* and then there is room again */
	CU_ASSERT_EQUAL(share(add_path(STRANGER), 0), 0);
	end();
}

static void all_together_map_so_many_segments_and_no_more(void)
{
	begin(4096);
	CU_ASSERT_EQUAL(share_all(getpid(), SHM_SEGMENTS), -WEFT_ENOMEM);
	CU_ASSERT_EQUAL(mapped, SHM_MAPPED_MAX);
	end();
}

/* By number, and by bytes: it may have twice what is free. */
static void one_process_leaves_room_for_others(void)
{
	begin(4096);
	CU_ASSERT_EQUAL(share_all(STRANGER, SHM_SEGMENTS), -WEFT_EQUOTA);
	CU_ASSERT_TRUE(mapped > SHM_MAPPED_MAX / 2 && mapped < SHM_MAPPED_MAX * 3 / 4);
	CU_ASSERT_EQUAL(share_all(STRANGER + 1, SHM_SEGMENTS), -WEFT_EQUOTA);
	CU_ASSERT_TRUE(mapped > SHM_MAPPED_MAX * 3 / 4 && mapped < SHM_MAPPED_MAX);
	end();
	begin(LARGE_BYTES);
	CU_ASSERT_EQUAL(share_all(STRANGER, PATH_SHARES), -WEFT_EQUOTA);
	CU_ASSERT_TRUE(mapped > SHM_MAPPED_MAX_BYTES / LARGE_BYTES / 2);
	CU_ASSERT_EQUAL(share(add_path(STRANGER + 1), 0), 0);
	end();
}

/* What it maps by one counts for the other, and what it does not map any more does not. */
static void one_process_has_its_share_of_all_devices_together(void)
{
	static struct shm_device another;
	struct shm_path *path;

	begin(4096);
	weft_list_init(&another.paths);
	CU_ASSERT_EQUAL(share_all(STRANGER, SHM_SEGMENTS), -WEFT_EQUOTA);
	path = add_path_of(&another, STRANGER);
	CU_ASSERT_EQUAL(share(path, 0), -WEFT_EQUOTA);
	CU_ASSERT_EQUAL(share(add_path_of(&another, STRANGER + 1), 0), 0);
	free_path(paths[0]);
	paths[0] = paths[--path_count];
	CU_ASSERT_EQUAL(share(path, 0), 0);
	end();
}

/* Mappings of peers are not inherited. */
static void a_forked_child_begins_with_nothing_mapped(void)
{
	int status = -1;
	pid_t child;

	begin(4096);
	CU_ASSERT_EQUAL(share_all(STRANGER, SHM_SEGMENTS), -WEFT_EQUOTA);
	child = fork_alone();
	if (child == 0)
		_exit(shm_ledger_add(STRANGER, 4096) != 0);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(share(add_path(STRANGER), 0), -WEFT_EQUOTA);
	end();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(one_path_maps_so_many_bytes_and_no_more),
		SUITE_CASE(all_together_map_so_many_bytes_and_no_more),
		SUITE_CASE(all_together_map_so_many_segments_and_no_more),
		SUITE_CASE(one_process_leaves_room_for_others),
		SUITE_CASE(one_process_has_its_share_of_all_devices_together),
		SUITE_CASE(a_forked_child_begins_with_nothing_mapped),
	};

	return suite_main("shm shares", cases, SUITE_COUNT(cases), argc, argv);
}

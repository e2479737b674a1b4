/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that what peers make a process map has limits, for one path and for all: by bytes and by number, although the
 * same memory is shared again and again, which costs its owner nothing.
 */
#include "fault.h"
#include "shm/shm.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <weft/errors.h>

#define LEN_BYTES ((size_t)320 << 20)
#define PATH_SHARES (SHM_PATH_BYTES / LEN_BYTES)
#define PATHS_MAX 80u /* more than it takes */

static struct shm_path *paths[PATHS_MAX];
static struct shm_device device;
static struct weft_segment_header *header;

/* Memory whose owner can say at any time that it is another segment. */
static int make_memory(size_t len_bytes)
{
	int fd = memfd_create("weft-shares", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	CU_ASSERT_EQUAL_FATAL(ftruncate(fd, (off_t)len_bytes), 0);
	CU_ASSERT_EQUAL_FATAL(fallocate(fd, 0, 0, (off_t)len_bytes), 0);
	header = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CU_ASSERT_TRUE_FATAL(header != MAP_FAILED);
	*header = (struct weft_segment_header){.magic = WEFT_SEGMENT_MAGIC, .layout = WEFT_SEGMENT_LAYOUT, .len_bytes = len_bytes};
	CU_ASSERT_EQUAL_FATAL(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE), 0);
	return fd;
}

static int share(struct shm_path *path, uint32_t segment_id, int fd)
{
	header->segment_id = segment_id;
	return shm_shares_add(path, segment_id, fd);
}

/* Paths of one process: of ours, which may have all. */
static void begin(unsigned int path_count)
{
	weft_list_init(&device.paths);
	for (unsigned int i = 0; i < path_count; i++) {
		paths[i] = aligned_alloc(64, (sizeof *paths[i] + 63) & ~(size_t)63);
		CU_ASSERT_PTR_NOT_NULL_FATAL(paths[i]);
		memset(paths[i], 0, sizeof *paths[i]);
		paths[i]->device = &device;
		paths[i]->who = getpid();
		weft_list_push_back(&device.paths, &paths[i]->in_device);
	}
}

static void free_path(unsigned int i)
{
	shm_shares_free(paths[i]);
	CU_ASSERT_EQUAL(paths[i]->mapped.count, 0);
	CU_ASSERT_EQUAL(paths[i]->mapped.bytes, 0);
	weft_list_remove(&paths[i]->in_device);
	free(paths[i]);
}

static void end(unsigned int path_count, int fd)
{
	for (unsigned int i = 0; i < path_count; i++)
		free_path(i);
	munmap(header, 4096);
	close(fd);
}

static void one_path_maps_so_many_bytes_and_no_more(void)
{
	unsigned long kept = fault_count_kept();
	int fd = make_memory(LEN_BYTES);
	uint32_t i = 0;

	begin(2);
	while (i < SHM_SEGMENTS && share(paths[0], i, fd) == 0)
		i++;
	CU_ASSERT_EQUAL(i, PATH_SHARES);
	CU_ASSERT_EQUAL(share(paths[0], i, fd), -WEFT_EQUOTA);
	CU_ASSERT_EQUAL(share(paths[1], i, fd), 0); /* it is the path's own affair */
	end(2, fd);
	CU_ASSERT_EQUAL(fault_count_kept(), kept);
}

#ifndef __SANITIZE_THREAD__ /* which has no room for as much */
static void one_process_maps_so_many_bytes_and_no_more(void)
{
	int fd = make_memory(LEN_BYTES);
	uint64_t count = 0;
	int rc = 0;

	begin(PATHS_MAX);
	for (unsigned int i = 0; i < PATHS_MAX && rc == 0; i++)
		for (uint32_t j = 0; j < PATH_SHARES && (rc = share(paths[i], j, fd)) == 0; j++)
			count++;
	CU_ASSERT_EQUAL(rc, -WEFT_ENOMEM);
	CU_ASSERT_EQUAL(count, SHM_MAPPED_MAX_BYTES / LEN_BYTES);
	free_path(PATHS_MAX - 1);
	CU_ASSERT_EQUAL(share(paths[PATHS_MAX - 2], 0, fd), -WEFT_ENOMEM);
	free_path(0); /* and then there is room again */
	CU_ASSERT_EQUAL(share(paths[PATHS_MAX - 2], 0, fd), 0);
	for (unsigned int i = 1; i < PATHS_MAX - 1; i++)
		free_path(i);
	end(0, fd);
}
#endif

static void one_process_maps_so_many_segments_and_no_more(void)
{
	int fd = make_memory(4096);
	unsigned int count = 0;
	int rc = 0;

	begin(SHM_MAPPED_MAX / SHM_SEGMENTS + 1);
	for (unsigned int i = 0; rc == 0; i++)
		for (uint32_t j = 0; j < SHM_SEGMENTS && (rc = share(paths[i], j, fd)) == 0; j++)
			count++;
	CU_ASSERT_EQUAL(rc, -WEFT_ENOMEM);
	CU_ASSERT_EQUAL(count, SHM_MAPPED_MAX);
	end(SHM_MAPPED_MAX / SHM_SEGMENTS + 1, fd);
}

/* As many as they are, by all paths of a process: the last of the others gets some too. */
static void no_process_takes_all_that_can_be_mapped(void)
{
	int fd = make_memory(4096);
	unsigned int count = 0;
	int rc = 0;

	begin(SHM_MAPPED_MAX / SHM_SEGMENTS);
	for (unsigned int i = 0; i < SHM_MAPPED_MAX / SHM_SEGMENTS; i++)
		paths[i]->who = i < SHM_MAPPED_MAX / SHM_SEGMENTS - 1 ? INT64_C(1) << 40 : (INT64_C(1) << 40) + 1;
	for (unsigned int i = 0; rc == 0; i++)
		for (uint32_t j = 0; j < SHM_SEGMENTS && (rc = share(paths[i], j, fd)) == 0; j++)
			count++;
	CU_ASSERT_EQUAL(rc, -WEFT_EQUOTA);
	CU_ASSERT_TRUE(count >= SHM_MAPPED_MAX / 2 && count <= SHM_MAPPED_MAX * 3 / 4);
	for (uint32_t j = 0; j < SHM_SEGMENTS; j++)
		CU_ASSERT_EQUAL(share(paths[SHM_MAPPED_MAX / SHM_SEGMENTS - 1], j, fd), 0);
	end(SHM_MAPPED_MAX / SHM_SEGMENTS, fd);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(one_path_maps_so_many_bytes_and_no_more),
#ifndef __SANITIZE_THREAD__
		SUITE_CASE(one_process_maps_so_many_bytes_and_no_more),
#endif
		SUITE_CASE(one_process_maps_so_many_segments_and_no_more),
		SUITE_CASE(no_process_takes_all_that_can_be_mapped),
	};

	return suite_main("shm shares", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a segment is populated, sealed and written only by its owner: whoever holds its descriptor cannot map
 * it writable, write to it, resize it, punch holes or add seals; that forked children do not have it; and that
 * options out of range are refused.
 */
#include "fault.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/errors.h>
#include <weft/segment.h>

#define MIB ((size_t)1 << 20)

static int open_one(size_t len_bytes, enum weft_pages pages, struct weft_segment *segment)
{
	struct weft_segment_opts opts;

	weft_segment_opts_init(&opts, sizeof opts);
	opts.len_bytes = len_bytes;
	opts.pages = pages;
	opts.incarnation = 77;
	opts.segment_id = 5;
	return weft_segment_open(&opts, segment);
}

static void the_owner_writes_and_the_header_says_what_it_is(void)
{
	struct weft_segment segment;
	struct weft_segment_header header;

	CU_ASSERT_EQUAL_FATAL(open_one(4 * MIB, WEFT_PAGES_AUTO, &segment), 0);
	memcpy(&header, segment.base, sizeof header);
	CU_ASSERT_EQUAL(header.magic, WEFT_SEGMENT_MAGIC);
	CU_ASSERT_EQUAL(memcmp(segment.base, "WFTSEG01", 8), 0);
	CU_ASSERT_EQUAL(header.layout, WEFT_SEGMENT_LAYOUT);
	CU_ASSERT_EQUAL(header.features, 0);
	CU_ASSERT_EQUAL(header.len_bytes, 4 * MIB);
	CU_ASSERT_EQUAL(header.incarnation, 77);
	CU_ASSERT_EQUAL(header.segment_id, 5);
	CU_ASSERT_NOT_EQUAL(segment.pages, WEFT_PAGES_AUTO);
	CU_ASSERT_EQUAL((uintptr_t)segment.base % (2 * MIB), 0);
	memset(segment.base + sizeof header, 0x5a, segment.len_bytes - sizeof header);
	weft_segment_close(&segment);
	CU_ASSERT_PTR_NULL(segment.base);
	weft_segment_close(&segment);
}

static void lengths_are_rounded_up_to_pages_and_all_of_it_is_there(void)
{
	struct weft_segment segment;
	struct stat status;

	CU_ASSERT_EQUAL_FATAL(open_one(4097, WEFT_PAGES_AUTO, &segment), 0);
	CU_ASSERT_EQUAL(segment.len_bytes, 8192);
	CU_ASSERT_EQUAL(segment.pages, WEFT_PAGES_SMALL);
	CU_ASSERT_EQUAL(fstat(segment.fd, &status), 0);
	CU_ASSERT_EQUAL(status.st_size, 8192);
	CU_ASSERT_TRUE(status.st_blocks * 512 >= 8192);
	CU_ASSERT_TRUE(fcntl(segment.fd, F_GETFD) & FD_CLOEXEC);
	weft_segment_close(&segment);
}

static void whoever_has_the_descriptor_can_only_read(void)
{
	struct weft_segment segment;
	char byte = 1;
	char *view;
	int seals;

	CU_ASSERT_EQUAL_FATAL(open_one(2 * MIB, WEFT_PAGES_SMALL, &segment), 0);
	CU_ASSERT_EQUAL(mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, segment.fd, 0), MAP_FAILED);
	CU_ASSERT_EQUAL(mmap(NULL, 2 * MIB, PROT_WRITE, MAP_SHARED, segment.fd, 0), MAP_FAILED);
	view = mmap(NULL, 2 * MIB, PROT_READ, MAP_SHARED, segment.fd, 0);
	CU_ASSERT_NOT_EQUAL_FATAL(view, MAP_FAILED);
	CU_ASSERT_NOT_EQUAL(mprotect(view, 2 * MIB, PROT_READ | PROT_WRITE), 0);
	CU_ASSERT_NOT_EQUAL(madvise(view, 4096, MADV_REMOVE), 0);
	munmap(view, 2 * MIB);
	CU_ASSERT_EQUAL(pwrite(segment.fd, &byte, 1, 0), -1);
	CU_ASSERT_NOT_EQUAL(ftruncate(segment.fd, (off_t)MIB), 0);
	CU_ASSERT_NOT_EQUAL(ftruncate(segment.fd, (off_t)(4 * MIB)), 0);
	CU_ASSERT_NOT_EQUAL(fallocate(segment.fd, 0, (off_t)(2 * MIB), 4096), 0);
	CU_ASSERT_NOT_EQUAL(fallocate(segment.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
	CU_ASSERT_NOT_EQUAL(fcntl(segment.fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	seals = fcntl(segment.fd, F_GET_SEALS);
	CU_ASSERT_TRUE(seals & F_SEAL_SEAL && seals & F_SEAL_FUTURE_WRITE);
	CU_ASSERT_EQUAL(segment.base[0], 'W');
	weft_segment_close(&segment);
}

/* Only system calls: it runs in a child of fork. */
static bool is_mapped(void)
{
	static char maps[1 << 20];
	size_t len_bytes = 0;
	ssize_t got;
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

	while ((got = read(fd, maps + len_bytes, sizeof maps - len_bytes)) > 0)
		len_bytes += (size_t)got;
	close(fd);
	return memmem(maps, len_bytes, "/memfd:weft", 11) != NULL;
}

static void a_forked_child_does_not_have_it(void)
{
	struct weft_segment segment;
	int status;
	pid_t child;

	CU_ASSERT_EQUAL_FATAL(open_one(2 * MIB, WEFT_PAGES_AUTO, &segment), 0);
	CU_ASSERT_TRUE(is_mapped());
	child = fork();
	if (!child)
		_exit(is_mapped() ? 1 : 0);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	weft_segment_close(&segment);
}

static void each_kind_of_pages_is_given_or_said_not_to_be(void)
{
	struct weft_segment segment;
	int rc;

	CU_ASSERT_EQUAL_FATAL(open_one(2 * MIB, WEFT_PAGES_SMALL, &segment), 0);
	CU_ASSERT_EQUAL(segment.pages, WEFT_PAGES_SMALL);
	weft_segment_close(&segment);
	CU_ASSERT_EQUAL_FATAL(open_one(2 * MIB, WEFT_PAGES_COLLAPSE, &segment), 0);
	CU_ASSERT_TRUE(segment.pages == WEFT_PAGES_COLLAPSE || segment.pages == WEFT_PAGES_SMALL);
	segment.base[2 * MIB - 1] = 1;
	weft_segment_close(&segment);
	rc = open_one(MIB, WEFT_PAGES_HUGETLB, &segment);
	if (rc) {
		CU_ASSERT_EQUAL(rc, -WEFT_ENOMEM);
		CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "hugetlb"));
		return;
	}
	CU_ASSERT_EQUAL(segment.pages, WEFT_PAGES_HUGETLB);
	CU_ASSERT_EQUAL(segment.len_bytes, 2 * MIB);
	segment.base[2 * MIB - 1] = 1;
	CU_ASSERT_EQUAL(mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, segment.fd, 0), MAP_FAILED);
	weft_segment_close(&segment);
}

static void more_reserved_pages_than_there_are_fall_back_or_fail(void)
{
	struct weft_segment segment;

	CU_ASSERT_EQUAL(open_one((size_t)1 << 45, WEFT_PAGES_HUGETLB, &segment), -WEFT_ENOMEM);
}

static void memory_is_bound_to_a_node(void)
{
	struct weft_segment_opts opts;
	struct weft_segment segment;
	int rc;

	weft_segment_opts_init(&opts, sizeof opts);
	opts.len_bytes = 4096;
	opts.numa_node = 0;
	rc = weft_segment_open(&opts, &segment);
	if (rc) {
		CU_ASSERT_EQUAL(rc, -WEFT_EPERM);
		return;
	}
	CU_ASSERT_EQUAL(segment.numa_node, 0);
	weft_segment_close(&segment);
	opts.numa_node = 1000;
	CU_ASSERT_EQUAL(weft_segment_open(&opts, &segment), -WEFT_EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "1000"));
}

static void options_out_of_range_are_refused(void)
{
	struct weft_segment_opts opts, good;
	struct weft_segment segment = {.fd = -5};

	weft_segment_opts_init(&good, sizeof good);
	good.len_bytes = 4096;
	opts = good;
	opts.size--;
	CU_ASSERT_EQUAL(weft_segment_open(&opts, &segment), -WEFT_EINVAL);
	opts = good;
	opts.len_bytes = 0;
	CU_ASSERT_EQUAL(weft_segment_open(&opts, &segment), -WEFT_EINVAL);
	opts.len_bytes = SIZE_MAX;
	CU_ASSERT_EQUAL(weft_segment_open(&opts, &segment), -WEFT_EINVAL);
	opts = good;
	opts.numa_node = -2;
	CU_ASSERT_EQUAL(weft_segment_open(&opts, &segment), -WEFT_EINVAL);
	opts.numa_node = 1 << 20;
	CU_ASSERT_EQUAL(weft_segment_open(&opts, &segment), -WEFT_EINVAL);
	opts = good;
	opts.pages = (enum weft_pages)9;
	CU_ASSERT_EQUAL(weft_segment_open(&opts, &segment), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(segment.fd, -5);
}

static void kinds_of_pages_have_names(void)
{
	CU_ASSERT_STRING_EQUAL(weft_pages_name(WEFT_PAGES_AUTO), "auto");
	CU_ASSERT_STRING_EQUAL(weft_pages_name(WEFT_PAGES_SMALL), "4 KiB");
	CU_ASSERT_STRING_EQUAL(weft_pages_name(WEFT_PAGES_COLLAPSE), "collapsed");
	CU_ASSERT_STRING_EQUAL(weft_pages_name(WEFT_PAGES_HUGETLB), "hugetlb");
}

static void a_segment_that_cannot_be_made_leaves_nothing_behind(void)
{
	static const enum weft_pages kinds[] = {WEFT_PAGES_AUTO, WEFT_PAGES_COLLAPSE, WEFT_PAGES_SMALL};

	for (unsigned int i = 0; i < 3; i++) {
		unsigned long kept = fault_count_kept();
		unsigned int failed_count = 0;

		for (unsigned int skip = 0;; skip++) {
			struct weft_segment segment = {.fd = -5};
			int rc;

			fault_arm(skip);
			rc = open_one(2 * MIB, kinds[i], &segment);
			failed_count += rc != 0;
			if (rc) {
				CU_ASSERT_STRING_NOT_EQUAL(weft_error_name(rc), "WEFT_E?");
				CU_ASSERT_EQUAL(segment.fd, -5);
			} else {
				memset(segment.base + 64, 1, segment.len_bytes - 64);
				weft_segment_close(&segment);
			}
			CU_ASSERT_EQUAL(fault_count_kept(), kept);
			if (!fault_disarm())
				break;
		}
		/* AUTO can do without what it tries first, so with reserved pages no single failure stops it. */
		CU_ASSERT_TRUE(failed_count >= 1 || kinds[i] == WEFT_PAGES_AUTO);
	}
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(the_owner_writes_and_the_header_says_what_it_is),
		SUITE_CASE(lengths_are_rounded_up_to_pages_and_all_of_it_is_there),
		SUITE_CASE(whoever_has_the_descriptor_can_only_read),
		SUITE_CASE(a_forked_child_does_not_have_it),
		SUITE_CASE(each_kind_of_pages_is_given_or_said_not_to_be),
		SUITE_CASE(more_reserved_pages_than_there_are_fall_back_or_fail),
		SUITE_CASE(memory_is_bound_to_a_node),
		SUITE_CASE(options_out_of_range_are_refused),
		SUITE_CASE(kinds_of_pages_have_names),
		SUITE_CASE(a_segment_that_cannot_be_made_leaves_nothing_behind),
	};

	return suite_main("segment", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a segment can be mapped read-only from its descriptor alone, and that every descriptor that is not
 * exactly what was announced is refused, with nothing left mapped or closed.
 */
#include "fault.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <weft/errors.h>
#include <weft/segment.h>

#define MIB ((size_t)1 << 20)
#define INCARNATION UINT64_C(0x1122334455667788)
#define LEN ((size_t)8192)
#define ALL_SEALS (F_SEAL_FUTURE_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)

static struct weft_segment_header good_header(void)
{
	return (struct weft_segment_header){
		.magic = WEFT_SEGMENT_MAGIC,
		.layout = WEFT_SEGMENT_LAYOUT,
		.len_bytes = LEN,
		.incarnation = INCARNATION,
		.segment_id = 3,
	};
}

/* A segment as a peer that does not keep to the rules could make it. */
static int forge(const struct weft_segment_header *header, size_t len_bytes, int seals, bool populated)
{
	int fd = memfd_create("forged", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	CU_ASSERT_TRUE_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(ftruncate(fd, (off_t)len_bytes), 0);
	if (populated)
		CU_ASSERT_EQUAL(fallocate(fd, 0, 0, (off_t)len_bytes), 0);
	CU_ASSERT_EQUAL(pwrite(fd, header, sizeof *header, 0), (ssize_t)sizeof *header);
	CU_ASSERT_EQUAL(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static unsigned int mapped_count(void)
{
	char line[512];
	unsigned int count = 0;
	FILE *maps = fopen("/proc/self/maps", "re");

	CU_ASSERT_PTR_NOT_NULL_FATAL(maps);
	while (fgets(line, sizeof line, maps))
		count += strstr(line, "/memfd:") != NULL;
	fclose(maps);
	return count;
}

/* Takes fd. */
static void expect_refusal(int fd, int code, const char *word)
{
	struct weft_mapping mapping = {.segment_id = 99};
	unsigned int before = mapped_count();

	CU_ASSERT_EQUAL(weft_mapping_open(fd, INCARNATION, 3, MIB, &mapping), -code);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), word));
	CU_ASSERT_EQUAL(mapping.segment_id, 99);
	CU_ASSERT_PTR_NULL(mapping.base);
	CU_ASSERT_EQUAL(mapped_count(), before);
	CU_ASSERT_TRUE(fcntl(fd, F_GETFD) >= 0);
	close(fd);
}

static void what_the_owner_writes_can_be_read(void)
{
	static const size_t lens[] = {4096, 2 * MIB, 6 * MIB};

	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
		struct weft_segment_opts opts;
		struct weft_segment segment;
		struct weft_mapping mapping;

		weft_segment_opts_init(&opts, sizeof opts);
		opts.len_bytes = lens[i];
		opts.incarnation = INCARNATION;
		opts.segment_id = 3;
		CU_ASSERT_EQUAL_FATAL(weft_segment_open(&opts, &segment), 0);
		CU_ASSERT_EQUAL_FATAL(weft_mapping_open(segment.fd, INCARNATION, 3, 8 * MIB, &mapping), 0);
		CU_ASSERT_EQUAL(mapping.len_bytes, lens[i]);
		CU_ASSERT_EQUAL(mapping.segment_id, 3);
		strcpy(segment.base + lens[i] - 8, "hello");
		CU_ASSERT_STRING_EQUAL(mapping.base + lens[i] - 8, "hello");
		CU_ASSERT_NOT_EQUAL(mprotect((void *)mapping.base, 4096, PROT_READ | PROT_WRITE), 0);
		weft_segment_close(&segment);
		CU_ASSERT_STRING_EQUAL(mapping.base + lens[i] - 8, "hello");
		weft_mapping_close(&mapping);
		CU_ASSERT_PTR_NULL(mapping.base);
		weft_mapping_close(&mapping);
	}
	CU_ASSERT_EQUAL(mapped_count(), 0);
}

static void descriptors_that_are_no_memfd_are_refused(void)
{
	char path[] = "/tmp/weft-mapping-XXXXXX";
	int ends[2], fd;

	CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_CLOEXEC), 0);
	close(ends[1]);
	expect_refusal(ends[0], WEFT_EPROTO, "seals");
	fd = mkstemp(path);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	unlink(path);
	CU_ASSERT_EQUAL(ftruncate(fd, LEN), 0);
	expect_refusal(fd, WEFT_EPROTO, "seals");
	expect_refusal(open("/dev/zero", O_RDWR | O_CLOEXEC), WEFT_EPROTO, "seals");
}

static void a_closed_descriptor_is_refused(void)
{
	struct weft_mapping mapping;

	CU_ASSERT_EQUAL(weft_mapping_open(-1, INCARNATION, 3, MIB, &mapping), -WEFT_EPROTO);
}

static void each_seal_is_needed(void)
{
	static const int seals[] = {F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_SHRINK, F_SEAL_SEAL};
	struct weft_segment_header header = good_header();

	for (size_t i = 0; i < sizeof seals / sizeof *seals; i++)
		expect_refusal(forge(&header, LEN, ALL_SEALS & ~seals[i], true), WEFT_EPROTO, "seals");
}

static void sizes_out_of_bounds_are_refused(void)
{
	struct weft_segment_header header = good_header();

	expect_refusal(forge(&header, 64, ALL_SEALS, true), WEFT_EPROTO, "bytes");
	expect_refusal(forge(&header, LEN - 100, ALL_SEALS, true), WEFT_EPROTO, "bytes");
	expect_refusal(forge(&header, MIB + 4096, ALL_SEALS, true), WEFT_EPROTO, "bytes");
	expect_refusal(forge(&header, 2 * LEN, ALL_SEALS, true), WEFT_EPROTO, "bytes");
}

static void memory_that_is_not_there_yet_is_refused(void)
{
	struct weft_segment_header header = good_header();

	expect_refusal(forge(&header, LEN, ALL_SEALS, false), WEFT_EPROTO, "populated");
}

static void each_field_of_the_header_is_checked(void)
{
	struct weft_segment_header header = good_header();
	struct weft_mapping mapping;
	int fd = forge(&header, LEN, ALL_SEALS, true);

	CU_ASSERT_EQUAL_FATAL(weft_mapping_open(fd, INCARNATION, 3, LEN, &mapping), 0);
	weft_mapping_close(&mapping);
	close(fd);
	header.magic++;
	expect_refusal(forge(&header, LEN, ALL_SEALS, true), WEFT_EPROTO, "magic");
	header = good_header();
	header.layout++;
	expect_refusal(forge(&header, LEN, ALL_SEALS, true), WEFT_EVERSION, "layout");
	header = good_header();
	header.features = 1;
	expect_refusal(forge(&header, LEN, ALL_SEALS, true), WEFT_EVERSION, "features");
	header = good_header();
	header.len_bytes += 4096;
	expect_refusal(forge(&header, LEN, ALL_SEALS, true), WEFT_EPROTO, "bytes");
	header = good_header();
	header.incarnation++;
	expect_refusal(forge(&header, LEN, ALL_SEALS, true), WEFT_EPROTO, "incarnation");
	header = good_header();
	header.segment_id++;
	expect_refusal(forge(&header, LEN, ALL_SEALS, true), WEFT_EPROTO, "number");
}

static void a_mapping_that_cannot_be_made_leaves_nothing_behind(void)
{
	struct weft_segment_opts opts;
	struct weft_segment segment;
	unsigned long kept;
	unsigned int skip = 0;

	weft_segment_opts_init(&opts, sizeof opts);
	opts.len_bytes = 2 * MIB;
	opts.incarnation = INCARNATION;
	opts.segment_id = 3;
	CU_ASSERT_EQUAL_FATAL(weft_segment_open(&opts, &segment), 0);
	kept = fault_count_kept();
	for (;; skip++) {
		struct weft_mapping mapping = {.base = NULL};
		int rc;

		fault_arm(skip);
		rc = weft_mapping_open(segment.fd, INCARNATION, 3, 2 * MIB, &mapping);
		if (!fault_disarm()) {
			CU_ASSERT_EQUAL(rc, 0);
			weft_mapping_close(&mapping);
			break;
		}
		CU_ASSERT_NOT_EQUAL(rc, 0);
		CU_ASSERT_PTR_NULL(mapping.base);
		CU_ASSERT_EQUAL(fault_count_kept(), kept);
	}
	CU_ASSERT_TRUE(skip >= 3);
	weft_segment_close(&segment);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(what_the_owner_writes_can_be_read),
		SUITE_CASE(descriptors_that_are_no_memfd_are_refused),
		SUITE_CASE(a_closed_descriptor_is_refused),
		SUITE_CASE(each_seal_is_needed),
		SUITE_CASE(sizes_out_of_bounds_are_refused),
		SUITE_CASE(memory_that_is_not_there_yet_is_refused),
		SUITE_CASE(each_field_of_the_header_is_checked),
		SUITE_CASE(a_mapping_that_cannot_be_made_leaves_nothing_behind),
	};

	return suite_main("mapping", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes segments: memfd, huge pages if they can be had, binding, population, header, seals.
 */
#include <weft/errors.h>
#include <weft/segment.h>

#include "mem/map_private.h"

#include <errno.h>
#include <fcntl.h>
#include <numaif.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Newer than the oldest C library that is supported. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif
#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB (21U << 26)
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define NODES_MAX 1024
#define WORD_BITS (8 * sizeof(unsigned long))

_Static_assert(sizeof(struct weft_segment_header) == 64, "readers of other builds expect one cache line");
_Static_assert(sizeof(struct weft_segment_opts) == 40, "new fields go to the end");

void weft_segment_opts_init(struct weft_segment_opts *opts, size_t size)
{
	memset(opts, 0, size);
	opts->size = size;
	opts->pages = WEFT_PAGES_AUTO;
	opts->numa_node = -1;
}

const char *weft_pages_name(enum weft_pages pages)
{
	switch (pages) {
	case WEFT_PAGES_SMALL:
		return "4 KiB";
	case WEFT_PAGES_COLLAPSE:
		return "collapsed";
	case WEFT_PAGES_HUGETLB:
		return "hugetlb";
	case WEFT_PAGES_AUTO:
		break;
	}
	return "auto";
}

static int check_opts(const struct weft_segment_opts *opts)
{
	if (opts->size != sizeof *opts)
		return weft_set_error(WEFT_EINVAL, "segment options of %zu bytes, not %zu: call weft_segment_opts_init",
				      opts->size, sizeof *opts);
	if (!opts->len_bytes || opts->len_bytes > (size_t)1 << 46)
		return weft_set_error(WEFT_EINVAL, "a segment cannot have %zu bytes: ask for 1 to 2^46",
				      opts->len_bytes);
	if (opts->numa_node < -1 || opts->numa_node >= NODES_MAX)
		return weft_set_error(WEFT_EINVAL, "there is no NUMA node %d: give -1 for any", opts->numa_node);
	if ((unsigned int)opts->pages > WEFT_PAGES_HUGETLB)
		return weft_set_error(WEFT_EINVAL, "kind of pages %d is not known", (int)opts->pages);
	return 0;
}

/* Kernels before 6.3 do not know NOEXEC_SEAL; with it the file can never be made executable. */
static int open_memfd(unsigned int flags)
{
	int fd;

	flags |= MFD_CLOEXEC | MFD_ALLOW_SEALING;
	fd = memfd_create("weft", flags | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("weft", flags);
	return fd;
}

/* A set of NUMA nodes as the kernel wants it, which takes one bit less than it is told. */
struct node_mask {
	unsigned long words[NODES_MAX / WORD_BITS];
};
#define NODE_MASK_BITS (NODES_MAX + 1)

static struct node_mask only_node(size_t node)
{
	struct node_mask mask = {.words = {0}};

	mask.words[node / WORD_BITS] = 1UL << node % WORD_BITS;
	return mask;
}

static int bind_node(const struct weft_segment *segment)
{
	size_t node = (size_t)segment->numa_node;
	struct node_mask mask;

	if (segment->numa_node < 0)
		return 0;
	mask = only_node(node);
	if (!mbind(segment->base, segment->len_bytes, MPOL_BIND, mask.words, NODE_MASK_BITS, 0))
		return 0;
	if (errno == ENOSYS && !node)
		return 0; /* a kernel without NUMA has only this node */
	return weft_set_error(weft_error_from_errno(errno),
			      "cannot bind a segment to NUMA node %zu: %m; give -1, or allow mbind", node);
}

static int allocate(const struct weft_segment *segment)
{
	int rc;

	do
		rc = fallocate(segment->fd, 0, 0, (off_t)segment->len_bytes);
	while (rc && errno == EINTR);
	return rc;
}

/*
 * On hugetlb the binding is the mapping's, not the file's, and fallocate looks at that of the thread instead: it gets
 * ours for so long.
 */
static int allocate_bound(const struct weft_segment *segment)
{
	struct node_mask mask = only_node((size_t)segment->numa_node), before = {.words = {0}};
	int mode, rc, saved;

	if (get_mempolicy(&mode, before.words, NODE_MASK_BITS, NULL, 0) ||
	    set_mempolicy(MPOL_BIND, mask.words, NODE_MASK_BITS))
		return errno == ENOSYS && !segment->numa_node ? allocate(segment) : -1;
	rc = allocate(segment);
	saved = errno;
	(void)set_mempolicy(mode, mode == MPOL_DEFAULT ? NULL : before.words, NODE_MASK_BITS);
	errno = saved;
	return rc;
}

static int populate(const struct weft_segment *segment)
{
	bool bound = segment->pages == WEFT_PAGES_HUGETLB && segment->numa_node >= 0;

	if (!(bound ? allocate_bound(segment) : allocate(segment)))
		return 0;
	return weft_set_error(errno == ENOSPC ? WEFT_ENOMEM : weft_error_from_errno(errno),
			      "cannot populate a segment of %zu bytes with %s pages: %m", segment->len_bytes,
			      weft_pages_name(segment->pages));
}

static void collapse(struct weft_segment *segment)
{
	size_t whole_bytes = segment->len_bytes & ~(MEM_HUGE_BYTES - 1);

	/* Linux 6.1 collapses only where there is a page table: one touch in each huge page makes it. */
	for (size_t at = 0; at < whole_bytes; at += MEM_HUGE_BYTES)
		(void)*(volatile const char *)(segment->base + at);
	if (whole_bytes && !madvise(segment->base, whole_bytes, MADV_COLLAPSE))
		segment->pages = WEFT_PAGES_COLLAPSE;
}

/* What is mapped writable stays so after the seals; nothing can be mapped writable after them. */
static int seal(const struct weft_segment_opts *opts, struct weft_segment *segment)
{
	struct weft_segment_header header = {
		.magic = WEFT_SEGMENT_MAGIC,
		.layout = WEFT_SEGMENT_LAYOUT,
		.len_bytes = segment->len_bytes,
		.incarnation = opts->incarnation,
		.segment_id = opts->segment_id,
	};

	memcpy(segment->base, &header, sizeof header);
	if (fcntl(segment->fd, F_ADD_SEALS, MEM_SEALS))
		return weft_set_error(weft_error_from_errno(errno), "cannot seal a segment: %m; Linux 5.1 is needed");
	return 0;
}

/* pages is SMALL, COLLAPSE or HUGETLB here. */
static int make(const struct weft_segment_opts *opts, enum weft_pages pages, struct weft_segment *out)
{
	bool hugetlb = pages == WEFT_PAGES_HUGETLB;
	struct weft_segment segment = {
		.len_bytes = mem_round_up(opts->len_bytes, hugetlb ? MEM_HUGE_BYTES : weft__mem_page_bytes()),
		.numa_node = opts->numa_node,
		.segment_id = opts->segment_id,
		.pages = hugetlb ? WEFT_PAGES_HUGETLB : WEFT_PAGES_SMALL,
	};
	int rc;

	segment.fd = open_memfd(hugetlb ? MFD_HUGETLB | MFD_HUGE_2MB : 0);
	if (segment.fd < 0)
		return weft_set_error(errno == ENFILE ? WEFT_EMFILE : weft_error_from_errno(errno),
				      "cannot make a memfd with %s pages: %m", weft_pages_name(segment.pages));
	if (ftruncate(segment.fd, (off_t)segment.len_bytes) ||
	    !(segment.base = weft__mem_map(segment.fd, segment.len_bytes, PROT_READ | PROT_WRITE))) {
		rc = weft_set_error(weft_error_from_errno(errno), "cannot map a segment of %zu bytes, %s pages: %m",
				    segment.len_bytes, weft_pages_name(segment.pages));
		goto close_fd;
	}
	/* Bound before the first page is there, and populated before the first byte is touched. */
	rc = bind_node(&segment);
	if (!rc)
		rc = populate(&segment);
	if (rc)
		goto unmap;
	if (pages == WEFT_PAGES_COLLAPSE)
		collapse(&segment);
	/* Saves page faults later; kernels before 5.14 do not know it. */
	(void)madvise(segment.base, segment.len_bytes, MADV_POPULATE_WRITE);
	rc = seal(opts, &segment);
	if (rc)
		goto unmap;
	*out = segment;
	return 0;

unmap:
	munmap(segment.base, segment.len_bytes);
close_fd:
	close(segment.fd);
	return rc;
}

int weft_segment_open(const struct weft_segment_opts *opts, struct weft_segment *out)
{
	enum weft_pages pages = opts->pages;
	int rc = check_opts(opts);

	if (rc)
		return rc;
	if (pages == WEFT_PAGES_AUTO) {
		/* Reserved pages are few: none is wasted on what would not fill them. */
		if (opts->len_bytes % MEM_HUGE_BYTES == 0 && !make(opts, WEFT_PAGES_HUGETLB, out))
			return 0;
		pages = WEFT_PAGES_COLLAPSE;
	}
	return make(opts, pages, out);
}

void weft_segment_close(struct weft_segment *segment)
{
	if (!segment->base)
		return;
	munmap(segment->base, segment->len_bytes);
	close(segment->fd);
	*segment = (struct weft_segment){.fd = -1};
}

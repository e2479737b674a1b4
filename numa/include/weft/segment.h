/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment: a piece of memory that its owner can write and everybody it is handed to can only read.
 *
 * It is a memfd, bound to a NUMA node, populated whole (so nobody ever gets SIGBUS), mapped writable once by its
 * owner and then sealed with F_SEAL_FUTURE_WRITE, GROW, SHRINK and SEAL. It has no name anywhere; it ends when the
 * last descriptor and mapping end. A segment is only ever dropped whole. Forked children and core dumps do not get it.
 *
 * A mapping is the other side: a read-only view of somebody else's segment, made from the descriptor that came over
 * a Unix socket, after everything about it was checked.
 */
#ifndef WEFT_SEGMENT_H
#define WEFT_SEGMENT_H

#include <weft/api.h>

WEFT_BEGIN_DECLS

#define WEFT_SEGMENT_MAGIC UINT64_C(0x3130474553544657) /* "WFTSEG01" read as little-endian */
#define WEFT_SEGMENT_LAYOUT 1

/* What backs a segment's memory. */
enum weft_pages {
	WEFT_PAGES_AUTO,     /* hugetlb if free, else collapsed, else 4 KiB */
	WEFT_PAGES_SMALL,    /* 4 KiB */
	WEFT_PAGES_COLLAPSE, /* 2 MiB by MADV_COLLAPSE (Linux 6.1), else 4 KiB */
	WEFT_PAGES_HUGETLB,  /* 2 MiB from the reserved pool, else an error */
};

/* The first line of every segment, written before sealing. Readers copy it out once and check the copy. */
struct weft_segment_header {
	uint64_t magic;
	uint32_t layout;      /* WEFT_SEGMENT_LAYOUT */
	uint32_t features;    /* bits a reader must know; unknown ones are refused */
	uint64_t len_bytes;   /* of the whole segment, this line included */
	uint64_t incarnation; /* of the node that owns it */
	uint32_t segment_id;  /* unique within that node */
	uint32_t reserved[7];
};

struct weft_segment_opts {
	size_t size;
	size_t len_bytes; /* rounded up to whole pages; at least one */
	enum weft_pages pages;
	int numa_node; /* -1: wherever the first touch falls */
	uint64_t incarnation;
	uint32_t segment_id;
};

struct weft_segment {
	char *base;
	size_t len_bytes;
	int fd;
	int numa_node;
	uint32_t segment_id;
	enum weft_pages pages; /* what it got: never WEFT_PAGES_AUTO */
};

/* Fills in the defaults (AUTO pages, any node). Thread: any. */
WEFT_API void weft_segment_opts_init(struct weft_segment_opts *opts, size_t size);

/*
 * Makes a segment; slow (it touches every page), so never on a data-path thread. Gives. -WEFT_ENOMEM, -WEFT_EMFILE,
 * -WEFT_EPERM (binding refused), -WEFT_EINVAL; the last error says what to do. Thread: any.
 */
WEFT_API int weft_segment_open(const struct weft_segment_opts *opts, struct weft_segment *out);
/* Unmaps and closes; others' mappings live on. Thread: owner. */
WEFT_API void weft_segment_close(struct weft_segment *segment);

/* A read-only view of another process's segment. */
struct weft_mapping {
	const char *base;
	size_t len_bytes;
	uint32_t segment_id;
};

/*
 * Maps a descriptor received from a peer, read-only, if it is a memfd with all four seals, its size is
 * between one page and max_len_bytes, and its header is of a known layout and says the same length, incarnation and
 * segment_id. Borrows fd (the caller closes it). -WEFT_EPROTO says which check failed, -WEFT_EVERSION a layout
 * or feature that is not known, -WEFT_ENOMEM. Slow: never on a data-path thread. Thread: any.
 */
WEFT_API int weft_mapping_open(int fd, uint64_t incarnation, uint32_t segment_id, size_t max_len_bytes,
			       struct weft_mapping *out);
/* Unmaps. Thread: owner. */
WEFT_API void weft_mapping_close(struct weft_mapping *mapping);

/* "hugetlb", "collapsed", "4 KiB" or "auto". Thread: any. */
WEFT_API const char *weft_pages_name(enum weft_pages pages);

WEFT_END_DECLS

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two processes share, byte by byte: slots of rings, and the words beside them. Each is written by one process
 * only. A change here is a new WEFT__SHM_VERSION.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <stdatomic.h>
#include <weft/api.h>

#define WEFT__SHM_VERSION 4

#define SHM_SLOT_BYTES 64u /* rings are measured in these */
#define SHM_UNIT_BYTES 16u
#define SHM_LINE_UNITS 4u
#define SHM_LINE_DATA 48u /* of a message that begins a line */
#define SHM_INLINE_MAX 240u
#define SHM_UNITS_MAX (1 + SHM_INLINE_MAX / SHM_UNIT_BYTES)
#define SHM_LOAN_HEAD_MAX 24
#define SHM_SLOTS_MIN 16u
#define SHM_SLOTS_MAX 65536u
#define SHM_RELEASES_MAX 60u /* in one message */

enum shm_kind {
	SHM_INLINE = 1, /* small data: len_bytes of it */
	SHM_LOAN,       /* a struct shm_loan, then small data: len_bytes of both */
	SHM_RELEASE,    /* len_bytes / 4 loan ids that go home */
	SHM_MOVE,       /* a struct shm_move: what follows stands in another ring, at the positions that come next */
};

/*
 * In the producer's segment, an array of a power of two. A message is a header and units of data behind it:
 *
 *   start   bits 0..31 the header's position in the stream plus one, stored last; 32..39 kind; 40..47 units of the message
 *           with its header and with those that are left empty at its end; 48..55 len_bytes; 56..63 lines that
 *           follow the header's and were published with it, for fetching them ahead: as good as it may be, 0 is never wrong
 *   meta    the layer above's
 */
struct shm_unit {
	_Atomic uint64_t start;
	uint64_t meta;
};

struct shm_loan {
	uint32_t segment_id;
	uint32_t loan_id;
	uint64_t offset_bytes;
	uint64_t len_bytes;
};

struct shm_move {
	uint32_t segment_id; /* shared before */
	uint32_t slots;
	uint64_t offset_bytes;
};

/* In the consumer's segment: how far it has read. A line of its own. */
struct shm_head {
	_Atomic uint32_t position;
	unsigned char pad[60];
};

/* One for each port: odd while its worker sleeps. */
struct shm_armed {
	_Atomic uint32_t epoch;
	unsigned char pad[60];
};

/*
 * One for each peer: a robust futex that a thread of its owner holds until that end of the path is closed. 0: closed, or
 * not yet open. The thread's number is in the owner's PID namespace, so only a change means something.
 */
struct shm_life {
	_Atomic uint32_t word;
	uint32_t pad;
};

_Static_assert(sizeof(struct shm_unit) == SHM_UNIT_BYTES && offsetof(struct shm_unit, meta) == 8,
	       "the layout is fixed");
_Static_assert(SHM_LINE_UNITS *SHM_UNIT_BYTES == SHM_SLOT_BYTES, "a line is a slot");
_Static_assert(sizeof(struct shm_loan) + SHM_LOAN_HEAD_MAX == SHM_LINE_DATA, "a loan and its head fit a line");
_Static_assert(sizeof(struct shm_head) == 64 && sizeof(struct shm_armed) == 64, "a line each");
_Static_assert(sizeof(struct shm_life) == 8, "the size of a pointer");

#endif

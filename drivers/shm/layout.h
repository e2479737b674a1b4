/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What two processes share, byte by byte: slots of rings, and the words beside them. Each is written by one process
 * only. A change here is a new WEFT__SHM_VERSION.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

#include <stdatomic.h>
#include <weft/api.h>

#define WEFT__SHM_VERSION 1

#define SHM_SLOT_BYTES 64
#define SHM_SLOT_INLINE 48
#define SHM_INLINE_MAX 240
#define SHM_LOAN_HEAD_MAX 24
#define SHM_SLOTS_MIN 16u
#define SHM_SLOTS_MAX 65536u
#define SHM_RELEASES_PER_SLOT 12

enum shm_kind {
	SHM_INLINE = 1, /* small data: len_bytes of it, in this slot and up to three that follow */
	SHM_LOAN,       /* a struct shm_loan, then len_bytes of small data */
	SHM_RELEASE,    /* len_bytes / 4 loan ids that go home */
};

/*
 * In the producer's segment. A slot that begins a message holds its position in the stream plus one as sequence, stored
 * last. The slots that continue a message are 64 bytes of data each.
 */
struct shm_slot {
	_Atomic uint32_t sequence;
	uint32_t kind_len; /* kind in the low 8 bits, len_bytes above */
	uint64_t meta;
	unsigned char data[SHM_SLOT_INLINE];
};

struct shm_loan {
	uint32_t segment_id;
	uint32_t loan_id;
	uint64_t offset_bytes;
	uint64_t len_bytes;
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

_Static_assert(sizeof(struct shm_slot) == SHM_SLOT_BYTES, "a slot is a line");
_Static_assert(offsetof(struct shm_slot, meta) == 8 && offsetof(struct shm_slot, data) == 16, "the layout is fixed");
_Static_assert(sizeof(struct shm_loan) + SHM_LOAN_HEAD_MAX == SHM_SLOT_INLINE, "a loan and its head fit a slot");
_Static_assert(sizeof(struct shm_head) == 64 && sizeof(struct shm_armed) == 64, "a line each");

#endif

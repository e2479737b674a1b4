/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages on the Unix socket of a path: the handshake, then shared memory and the farewell. Both ends are on one
 * machine, so numbers are in its order. The decoder trusts nothing.
 */
#ifndef WIRE_H
#define WIRE_H

#include "shm/layout.h"

#include <weft/driver.h>

enum shm_message_type {
	/* connector: where my rings, armed line and word of life are, with their segments and an end of my bell */
	SHM_ATTACH = 1,
	SHM_ACCEPT, /* listener: the same */
	SHM_REFUSE, /* listener: error and why */
	SHM_SHARE,  /* a segment, with its descriptor */
	SHM_SHARED, /* the segment is mapped */
	SHM_BYE,    /* nothing more comes; I have given back what I held */
};

#define SHM_WIRE_MAGIC UINT32_C(0x54464557) /* "WEFT" */
#define SHM_FDS_MAX 4
#define SHM_FDS_SENT_MAX 253 /* that the kernel lets anybody put into one message */
#define SHM_SEGMENT_FDS 3    /* of a half: rings, armed line, word of life */

struct shm_place {
	uint32_t segment_id;
	uint32_t reserved;
	uint64_t offset_bytes;
};

struct shm_wire {
	uint32_t magic;
	uint16_t version;
	uint16_t type;
	uint32_t features; /* none yet: others are refused */
	int32_t error;     /* of REFUSE */
	uint64_t incarnation;
	uint64_t segment_len_bytes[2]; /* of rings' and armed line's segments; of SHARE's in the first */
	struct shm_place rings;        /* express slots, normal slots, two head lines: one piece */
	struct shm_place armed;
	struct shm_place life; /* offset 0: none, and the descriptor is the armed line's once more */
	uint32_t slots[WEFT_CLASS_COUNT];
	uint16_t hello_len_bytes;
	uint16_t reserved[3];
	unsigned char hello[WEFT_HELLO_MAX]; /* of REFUSE: why, as text */
};

/* Bytes of the piece that `rings` names, by its slots. */
static inline uint64_t shm_rings_bytes(const uint32_t slots[WEFT_CLASS_COUNT])
{
	return ((uint64_t)slots[0] + slots[1]) * SHM_SLOT_BYTES + WEFT_CLASS_COUNT * sizeof(struct shm_head);
}

/* Copies a message out of len_bytes as received, if all that can be checked without memory is right: 0, -WEFT_EPROTO,
 * -WEFT_EVERSION. */
int shm_wire_decode(const void *bytes, size_t len_bytes, struct shm_wire *out);
/* Whether rings, armed line and word of life lie within segments of these lengths. */
bool shm_wire_fits(const struct shm_wire *wire, uint64_t rings_len_bytes, uint64_t armed_len_bytes,
		   uint64_t life_len_bytes);

/* Sends one message with up to SHM_FDS_MAX descriptors (borrows): 0 or -WEFT_EPIPE, -WEFT_EAGAIN. */
int shm_wire_send(int fd, const struct shm_wire *wire, const int *fds, unsigned int fd_count);
/*
 * Receives one message of process who; gives fds, closed on exec. 1 a message, 0 end of file, -WEFT_EAGAIN nothing there,
 * -WEFT_EMFILE there is no room for its descriptors, and it waits; -WEFT_EPROTO, -WEFT_EVERSION or -WEFT_ENOMEM (it is lost;
 * no descriptor is left open).
 */
int shm_wire_receive(int fd, int64_t who, struct shm_wire *out, int fds[SHM_FDS_MAX], unsigned int *fd_count);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A peer that means harm, in a process of its own. It knows the protocol from the layout headers alone, does a right
 * handshake by hand, and then whatever its attack says.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "shm/ring.h"
#include "shm/wire.h"

#include <sys/time.h>
#include <sys/types.h>

#define HOSTILE_MEMORY_BYTES ((size_t)65536)
#define HOSTILE_SLOTS 64u
#define HOSTILE_BELL SHM_SEGMENT_FDS       /* which of the descriptors is the bell */
#define HOSTILE_ALIVE UINT32_C(0x80000001) /* of our word: held by thread 1, and somebody waits */
#define HOSTILE_ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE)

struct hostile {
	const char *victim; /* the name it listens under */
	int say_fd, hear_fd;
	int control_fd, bell_fd; /* the one that we would hear */
	/* our half of the path */
	int memory_fd;
	unsigned char *memory;
	uint32_t tails[WEFT_CLASS_COUNT], heads[WEFT_CLASS_COUNT];
	/* what is sent as ATTACH: right, until an attack spoils it */
	struct shm_wire attach;
	size_t attach_len_bytes;
	int attach_fds[8];
	unsigned int attach_fd_count;
	/* the victim's half */
	struct shm_wire accept;
	int their_fds[SHM_FDS_MAX]; /* the last one is what we ring */
	const unsigned char *theirs;
};

/* What becomes of the path when the attack is over. */
enum hostile_outcome {
	HOSTILE_REFUSED,   /* never made */
	HOSTILE_VIOLATION, /* closed by the victim, and counted */
	HOSTILE_DIED,      /* ended with the attacker */
	HOSTILE_HUNG_UP,   /* ended by an attacker that lives on */
	HOSTILE_CLOSED,    /* ended in good order */
	HOSTILE_STAYS,     /* nothing that could do harm: it goes on */
	HOSTILE_SHUNNED,   /* closed by the victim, with another one of the same attacker */
	HOSTILE_FULL,      /* has as many paths as one process may have */
	HOSTILE_FORGED,    /* the same, but releases of nothing are counted */
	HOSTILE_ANY,       /* stays, or ends for whichever reason */
	HOSTILE_GONE,      /* was never made, or ended with the attacker */
};

struct hostile_attack {
	const char *name;
	void (*run)(struct hostile *h);
	enum hostile_outcome outcome;
};
#define HOSTILE_ATTACK(function, outcome)    \
	{                                    \
#function, function, outcome \
	}
extern const struct hostile_attack hostile_handshakes[], hostile_messages[], hostile_controls[], hostile_lives[];

/* Ends the attacker with a word on standard error; the test fails by its exit status. */
void hostile_expect(bool holds, const char *what);
#define HOSTILE_EXPECT(condition) hostile_expect(condition, #condition)

/* ---- hostile.c: sockets and memory ---- */

/* Makes everything that a right handshake needs, but says nothing yet. */
void hostile_prepare(struct hostile *h);
/* A memfd of len_bytes that says of itself what is asked. Returns its descriptor, and its writable view if wanted. */
int hostile_memfd(size_t len_bytes, const struct weft_segment_header *header, unsigned int seals, unsigned char **view);
/* What our word of life says. */
void hostile_set_life(struct hostile *h, uint32_t word);
/* Wakes whoever waits for it. */
void hostile_wake_life(struct hostile *h);
/* -1: the victim lets nobody in, not within that time (0: it may take as long as it likes). */
int hostile_try_to_connect(const struct hostile *h, const struct timeval *patience);
int hostile_connect(const struct hostile *h);
/* Sends any bytes with any descriptors; false when the other end is gone. */
bool hostile_send(int fd, const void *bytes, size_t len_bytes, const int *fds, unsigned int fd_count);
/* From now on the victim's process looks at nothing; until it is told to. */
void hostile_hold_victim(struct hostile *h);
void hostile_let_victim_go(struct hostile *h);
/* A socket whose last closing takes until the reader is closed, which reads nothing. Gives both. */
int hostile_lingering(int *reader);
/* Sends one message of len_bytes with that many of these, and lets go of them. False when the other end is gone. */
bool hostile_send_lingering(int fd, const void *bytes, size_t len_bytes, unsigned int count);
/* Waits for a message: its type, 0 at the end of file. */
int hostile_receive(struct hostile *h, struct shm_wire *wire, int fds[SHM_FDS_MAX]);
/* Sends what is prepared. */
void hostile_say_attach(struct hostile *h);
/* All of a right handshake. */
void hostile_attach(struct hostile *h);
/* Says ATTACH and expects no for an answer. */
void hostile_be_refused(struct hostile *h);
/* A control message of that type about a segment. */
struct shm_wire hostile_control(enum shm_message_type type, uint32_t segment_id);
/* Shares a segment of ours with the victim, and does not wait. */
void hostile_say_share(struct hostile *h, uint32_t segment_id);
/* Shares a segment of ours with the victim and waits until it has mapped it. Its length is HOSTILE_MEMORY_BYTES. */
void hostile_share(struct hostile *h, uint32_t segment_id);
/* Waits until the victim shares a segment, maps it and says so. Gives the descriptor. */
int hostile_take_share(struct hostile *h);
/* Whether the victim has closed the path; forgets what else it said. */
bool hostile_over(struct hostile *h);

/* ---- ring.c: the only place that knows how a ring is laid out ---- */

/* Writes one message: kind and length as claimed, data as given (at most 48 bytes), and publishes it. False: over. */
bool hostile_put(struct hostile *h, enum weft_class class_, unsigned int kind, uint32_t claimed_len_bytes,
		 const void *data, size_t data_len_bytes);
/* The same, with the units of the message as claimed. */
bool hostile_put_units(struct hostile *h, enum weft_class class_, unsigned int kind, uint32_t claimed_units,
		       uint32_t claimed_len_bytes, const void *data, size_t data_len_bytes);
/* Whether put would have to wait for the victim. */
bool hostile_is_full(const struct hostile *h, enum weft_class class_);
/* Reads all that the victim has sent, and says so. */
void hostile_skip(struct hostile *h, enum weft_class class_);
/* Says how far we have read in the victim's ring, true or not. */
void hostile_set_head(struct hostile *h, enum weft_class class_, uint32_t position);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attacks through memory, after a right handshake: rings, heads, loans and releases.
 */
#include "hostile.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weft/random.h>

#define NORMAL WEFT_CLASS_NORMAL
#define SHARED_ID 7u

static void behaves(struct hostile *h)
{
	hostile_attach(h);
	for (uint32_t i = 0; i < 1000; i++)
		hostile_put(h, i % WEFT_CLASS_COUNT, SHM_INLINE, 40, "forty bytes that are as they should be, ", 40);
	hostile_share(h, SHARED_ID);
	for (uint32_t i = 0; i < 100; i++) {
		struct shm_loan loan = {SHARED_ID, i, 4096 + i, 1000};

		hostile_put(h, NORMAL, SHM_LOAN, sizeof loan, &loan, sizeof loan);
	}
}

/* MESSAGE(name, kind, claimed length): one message that cannot be. */
#define MESSAGE(name, kind, len)                                  \
	static void name(struct hostile *h)                       \
	{                                                         \
		hostile_attach(h);                                \
		hostile_put(h, NORMAL, SHM_INLINE, 4, "fine", 4); \
		hostile_put(h, NORMAL, kind, len, "", 1);         \
	}

MESSAGE(kind_zero, 0, 4)
MESSAGE(kind_unknown, SHM_MOVE + 1, 4)
MESSAGE(kind_largest, 255, 4)
MESSAGE(data_too_long, SHM_INLINE, SHM_INLINE_MAX + 1)
MESSAGE(data_far_too_long, SHM_INLINE, 0xffff)
MESSAGE(loan_that_was_not_shared, SHM_LOAN, sizeof(struct shm_loan))
MESSAGE(loan_cut_short, SHM_LOAN, sizeof(struct shm_loan) - 1)
MESSAGE(words_beside_a_loan_too_long, SHM_LOAN, sizeof(struct shm_loan) + SHM_LOAN_HEAD_MAX + 1)
MESSAGE(releases_of_odd_length, SHM_RELEASE, 5)
MESSAGE(too_many_releases, SHM_RELEASE, 4 * (SHM_RELEASES_MAX + 1))
MESSAGE(releases_far_too_long, SHM_RELEASE, 0xfffc)

/* UNITS(name, units, claimed length): a message that says it takes more or less room than it can. */
#define UNITS(name, units, len)                                              \
	static void name(struct hostile *h)                                  \
	{                                                                    \
		hostile_attach(h);                                           \
		hostile_put(h, NORMAL, SHM_INLINE, 4, "fine", 4);            \
		hostile_put_units(h, NORMAL, SHM_INLINE, units, len, "", 1); \
	}

UNITS(no_units, 0, 0)
UNITS(no_units_and_data, 0, 4)
UNITS(header_only_and_data, 1, 1)
UNITS(a_unit_too_few, 4, 49)
UNITS(a_line_too_many, 8, 48)
UNITS(all_units_that_can_be_said, 255, 240)

/* LOAN(name, segment, offset, length): one descriptor that cannot be, of memory that is shared. */
#define LOAN(name, segment, offset, len)                                           \
	static void name(struct hostile *h)                                        \
	{                                                                          \
		struct shm_loan loan = {segment, 1, offset, len};                  \
		hostile_attach(h);                                                 \
		hostile_share(h, SHARED_ID);                                       \
		hostile_put(h, NORMAL, SHM_LOAN, sizeof loan, &loan, sizeof loan); \
	}

LOAN(loan_of_another_segment, SHARED_ID + 1, 64, 100)
LOAN(loan_of_no_segment, UINT32_MAX, 64, 100)
LOAN(loan_of_the_first_segment_beyond, 1024, 64, 100)
LOAN(loan_of_nothing, SHARED_ID, 64, 0)
LOAN(loan_beyond_the_end, SHARED_ID, HOSTILE_MEMORY_BYTES, 1)
LOAN(loan_over_the_end, SHARED_ID, HOSTILE_MEMORY_BYTES - 100, 101)
LOAN(loan_that_wraps, SHARED_ID, UINT64_MAX - 10, 20)
LOAN(loan_longer_than_memory, SHARED_ID, 64, UINT64_MAX - 64)

/* The victim keeps a part of what it is lent; who lends without end finds its limit. */
static void more_loans_than_can_be(struct hostile *h)
{
	hostile_attach(h);
	hostile_share(h, SHARED_ID);
	for (uint32_t i = 0; i < 10000; i++) {
		struct shm_loan loan = {SHARED_ID, i / 1024 << 16 | i % 1024, 4096, 100};

		if (!hostile_put(h, NORMAL, SHM_LOAN, sizeof loan, &loan, sizeof loan))
			return;
	}
}

static void one_loan_lent_many_times(struct hostile *h)
{
	struct shm_loan loan = {SHARED_ID, 5, 4096, 100};

	hostile_attach(h);
	hostile_share(h, SHARED_ID);
	for (uint32_t i = 0; i < 500; i++)
		hostile_put(h, NORMAL, SHM_LOAN, sizeof loan, &loan, sizeof loan);
}

static void loan_of_an_index_beyond(struct hostile *h)
{
	struct shm_loan loan = {SHARED_ID, 1024, 4096, 100};

	hostile_attach(h);
	hostile_share(h, SHARED_ID);
	hostile_put(h, NORMAL, SHM_LOAN, sizeof loan, &loan, sizeof loan);
}

/* Most of them name nothing; the first may name a loan that we really have. All are sent again and again. */
static void forged_releases(struct hostile *h)
{
	static const uint32_t ids[] = {0, 1, 0x10000, 0xffff0000u, 1023, 1024, 0xffff, UINT32_MAX, 0x7fffffff, 77};

	hostile_attach(h);
	hostile_take_share(h);
	for (unsigned int i = 0; i < 200; i++)
		hostile_put(h, i % WEFT_CLASS_COUNT, SHM_RELEASE, sizeof ids, ids, sizeof ids);
}

static void releases_of_nothing(struct hostile *h)
{
	hostile_attach(h);
	for (unsigned int i = 0; i < 500; i++)
		hostile_put(h, i % WEFT_CLASS_COUNT, SHM_RELEASE, 0, "", 0);
}

/* MOVE(name, segment, slots, offset): the next messages shall stand where they cannot. */
#define MOVE(name, segment, slots_, offset)                                        \
	static void name(struct hostile *h)                                        \
	{                                                                          \
		struct shm_move move = {segment, slots_, offset};                  \
                                                                                   \
		hostile_attach(h);                                                 \
		hostile_share(h, SHARED_ID);                                       \
		hostile_put(h, NORMAL, SHM_MOVE, sizeof move, &move, sizeof move); \
	}

MOVE(move_to_memory_that_is_not_shared, SHARED_ID + 1, 64, 4096)
MOVE(move_to_a_segment_beyond, 1u << 20, 64, 4096)
MOVE(move_to_no_slots, SHARED_ID, 0, 4096)
MOVE(move_to_few_slots, SHARED_ID, 8, 4096)
MOVE(move_to_an_odd_number_of_slots, SHARED_ID, 100, 4096)
MOVE(move_to_too_many_slots, SHARED_ID, 1u << 17, 4096)
MOVE(move_between_two_lines, SHARED_ID, 64, 4104)
MOVE(move_over_the_end, SHARED_ID, 1024, 64)
MOVE(move_beyond_the_end, SHARED_ID, 64, HOSTILE_MEMORY_BYTES)
MOVE(move_that_wraps, SHARED_ID, 64, UINT64_MAX - 63)
MESSAGE(move_cut_short, SHM_MOVE, sizeof(struct shm_move) - 1)

/* All as it may be, but nothing comes there. */
MOVE(move_to_silence, SHARED_ID, 64, 4096)

/* HEAD(name, class, position): a reader that cannot stand there. */
#define HEAD(name, class_, position)                   \
	static void name(struct hostile *h)            \
	{                                              \
		hostile_attach(h);                     \
		hostile_set_head(h, class_, position); \
	}

HEAD(head_far_ahead, WEFT_CLASS_NORMAL, 1000000)
HEAD(head_before_the_beginning, WEFT_CLASS_NORMAL, UINT32_MAX - 1000)
HEAD(head_that_goes_back, WEFT_CLASS_NORMAL, UINT32_MAX)
HEAD(head_half_the_world_away, WEFT_CLASS_NORMAL, 0x80000000u)
HEAD(head_of_express_far_ahead, WEFT_CLASS_EXPRESS, 1000000)

/* Everything that we can write, all the time, with anything. */
static void scribbles_over_everything(struct hostile *h)
{
	struct weft_random random;

	weft_random_seed(&random, 1);
	hostile_attach(h);
	hostile_share(h, SHARED_ID);
	for (unsigned int round = 0; round < 100; round++) {
		for (size_t at = 0; at < HOSTILE_MEMORY_BYTES; at += 8) {
			/* Small numbers are what sequences, kinds and lengths look like. */
			uint64_t word = weft_random_next(&random) >> weft_random_below(&random, 64);

			memcpy(h->memory + at, &word, 8);
		}
		sched_yield();
	}
}

static void every_bit_set(struct hostile *h)
{
	hostile_attach(h);
	memset(h->memory, 0xff, HOSTILE_MEMORY_BYTES);
}

/* Plausible messages whose bytes change while they are read. When its next sequence is spoiled the victim waits for ever,
 * so we wait for a while only: of a clock, since yields take the longer the busier the machine is. */
static void changes_what_is_being_read(struct hostile *h)
{
	struct weft_random random;
	unsigned char *rings = h->memory + h->attach.rings.offset_bytes;

	weft_random_seed(&random, 2);
	hostile_attach(h);
	for (unsigned int i = 0; i < 5000; i++) {
		for (unsigned int ms = 0; hostile_is_full(h, NORMAL) && ms < 200; ms++)
			usleep(1000);
		if (hostile_is_full(h, NORMAL) || !hostile_put(h, NORMAL, SHM_INLINE, 40, "", 1))
			return;
		rings[weft_random_below(&random, shm_rings_bytes(h->attach.slots))] = (unsigned char)i;
		if (i % 64 == 63)
			sched_yield();
	}
}

/* ---- what we were handed ---- */

static bool refuses_writing(int fd)
{
	char path[64];
	size_t len_bytes = 4096;
	int again;

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 2; i++) {
		int at = i ? again : fd;
		void *view;

		if (at < 0)
			continue;
		if (mmap(NULL, len_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, at, 0) != MAP_FAILED)
			return false;
		view = mmap(NULL, len_bytes, PROT_READ, MAP_SHARED, at, 0);
		if (view == MAP_FAILED || mprotect(view, len_bytes, PROT_READ | PROT_WRITE) == 0 ||
		    madvise(view, len_bytes, MADV_REMOVE) == 0)
			return false;
		if (pwrite(at, "x", 1, 4096) > 0 || write(at, "x", 1) > 0 || ftruncate(at, 0) == 0 ||
		    ftruncate(at, (off_t)1 << 40) == 0 || fcntl(at, F_ADD_SEALS, F_SEAL_WRITE) == 0 ||
		    fallocate(at, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0 ||
		    fallocate(at, FALLOC_FL_ZERO_RANGE, 0, 4096) == 0)
			return false;
	}
	return true;
}

/* Flags belong to what both have open, so these are cleared for the victim too. */
static void clears_flags_on_what_it_was_handed(struct hostile *h)
{
	int fds[6], lent_fd;

	hostile_attach(h);
	lent_fd = hostile_take_share(h);
	fds[0] = h->their_fds[0];
	fds[1] = h->their_fds[1];
	fds[2] = h->their_fds[2];
	fds[3] = lent_fd;
	fds[4] = h->control_fd;
	fds[5] = h->attach_fds[HOSTILE_BELL]; /* the victim's end of the bell */
	for (unsigned int i = 0; i < 6; i++) {
		HOSTILE_EXPECT(i > 3 || refuses_writing(fds[i]));
		(void)fcntl(fds[i], F_SETFL, 0);
		(void)fcntl(fds[i], F_SETFL, O_APPEND | O_NONBLOCK);
		(void)fcntl(fds[i], F_SETFL, 0);
		(void)fcntl(fds[i], F_SETFD, 0);
		(void)fchmod(fds[i], 0);
		(void)lseek(fds[i], 12345, SEEK_SET);
	}
	/* And the bell is filled, so that the victim's next ring would block. */
	while (send(h->attach_fds[HOSTILE_BELL], h->memory, 4096, MSG_DONTWAIT) > 0)
		;
	while (send(h->bell_fd, h->memory, 4096, MSG_DONTWAIT) > 0)
		;
	for (uint32_t i = 0; i < 1000; i++)
		hostile_put(h, NORMAL, SHM_INLINE, 4, "fine", 4);
}

const struct hostile_attack hostile_messages[] = {
	HOSTILE_ATTACK(behaves, HOSTILE_STAYS),
	HOSTILE_ATTACK(kind_zero, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(kind_unknown, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(kind_largest, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(data_too_long, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(data_far_too_long, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(loan_that_was_not_shared, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(words_beside_a_loan_too_long, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(releases_of_odd_length, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(too_many_releases, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(releases_far_too_long, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(no_units, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(no_units_and_data, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(header_only_and_data, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(a_unit_too_few, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(a_line_too_many, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(all_units_that_can_be_said, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(loan_cut_short, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(loan_of_another_segment, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(loan_of_no_segment, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(loan_of_the_first_segment_beyond, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(loan_of_nothing, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(loan_beyond_the_end, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(loan_over_the_end, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(loan_that_wraps, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(loan_longer_than_memory, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(more_loans_than_can_be, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(one_loan_lent_many_times, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(loan_of_an_index_beyond, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(forged_releases, HOSTILE_FORGED),
	HOSTILE_ATTACK(releases_of_nothing, HOSTILE_STAYS),
	HOSTILE_ATTACK(move_to_memory_that_is_not_shared, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(move_to_a_segment_beyond, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(move_to_no_slots, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(move_to_few_slots, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(move_to_an_odd_number_of_slots, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(move_to_too_many_slots, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(move_between_two_lines, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(move_over_the_end, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(move_beyond_the_end, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(move_that_wraps, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(move_cut_short, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(move_to_silence, HOSTILE_STAYS),
	HOSTILE_ATTACK(head_far_ahead, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(head_before_the_beginning, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(head_that_goes_back, HOSTILE_ANY), /* noticed if the ring is full by then */
	HOSTILE_ATTACK(head_half_the_world_away, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(head_of_express_far_ahead, HOSTILE_VIOLATION),
	HOSTILE_ATTACK(scribbles_over_everything, HOSTILE_ANY),
	HOSTILE_ATTACK(every_bit_set, HOSTILE_ANY),
	HOSTILE_ATTACK(changes_what_is_being_read, HOSTILE_ANY),
	HOSTILE_ATTACK(clears_flags_on_what_it_was_handed, HOSTILE_STAYS),
	{0},
};

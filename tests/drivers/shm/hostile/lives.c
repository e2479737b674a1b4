/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attackers that vanish, stop, fork, or only sit there.
 */
#include "hostile.h"

#include <linux/futex.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/clock.h>
#include <weft/errors.h>

#define IDLERS 100

/* Takes what the victim lends and gives nothing back. */
static void borrow(struct hostile *h)
{
	hostile_attach(h);
	hostile_take_share(h);
}

static void vanishes_before_it_speaks(struct hostile *h)
{
	hostile_connect(h);
	_exit(0);
}

static void vanishes_after_it_spoke(struct hostile *h)
{
	hostile_say_attach(h);
	_exit(0);
}

static void vanishes_when_accepted(struct hostile *h)
{
	hostile_attach(h);
	_exit(0);
}

static void vanishes_with_loans(struct hostile *h)
{
	borrow(h);
	_exit(0);
}

static void hangs_up_and_lives_on(struct hostile *h)
{
	borrow(h);
	close(h->control_fd);
}

static void takes_leave_with_loans(struct hostile *h)
{
	struct shm_wire wire = hostile_control(SHM_BYE, 0);

	borrow(h);
	HOSTILE_EXPECT(hostile_send(h->control_fd, &wire, sizeof wire, NULL, 0));
}

/* Its ring has still something in it: until that is read, the path stands. */
static void takes_leave_and_talks_on(struct hostile *h)
{
	struct shm_wire wire = hostile_control(SHM_BYE, 0);

	borrow(h);
	HOSTILE_EXPECT(hostile_send(h->control_fd, &wire, sizeof wire, NULL, 0));
	for (unsigned int i = 0; i < 200000 && hostile_put(h, WEFT_CLASS_NORMAL, SHM_INLINE, 4, "more", 4); i++)
		hostile_skip(h, WEFT_CLASS_NORMAL); /* there is room for more to be lent */
}

static void stops_with_loans(struct hostile *h)
{
	borrow(h); /* whoever stays is stopped when its attack is over */
}

/* Its path ends, and nothing more: what it has borrowed it can still read. */
static void says_that_it_is_dead_and_lives_on(struct hostile *h)
{
	borrow(h);
	hostile_set_life(h, FUTEX_WAITERS | FUTEX_OWNER_DIED);
	hostile_wake_life(h);
}

static void is_dead_from_the_beginning(struct hostile *h)
{
	hostile_set_life(h, FUTEX_OWNER_DIED);
	borrow(h);
}

static void lets_go_of_its_word_and_lives_on(struct hostile *h)
{
	borrow(h);
	hostile_set_life(h, 0);
	hostile_wake_life(h);
}

static void has_no_word(struct hostile *h)
{
	h->attach.life.offset_bytes = 0;
	borrow(h);
}

/* Changes its word and wakes its watcher for ever: the watcher grows tired of it. */
static void cries_without_end(struct hostile *h)
{
	borrow(h);
	for (unsigned int i = 0; i < 100000; i++)
		hostile_wake_life(h);
	for (uint32_t i = 0; i < 100000; i++) {
		hostile_set_life(h, i & FUTEX_TID_MASK);
		hostile_wake_life(h);
	}
}

/* The child has everything open and mapped; it ends when the victim's process lets go of its pipe. */
static void forks_and_vanishes(struct hostile *h)
{
	char byte;

	borrow(h);
	if (fork() == 0) {
		close(h->say_fd);
		while (read(h->hear_fd, &byte, 1) > 0)
			;
		_exit(0);
	}
	_exit(0);
}

static void forks_and_the_child_vanishes(struct hostile *h)
{
	pid_t child;

	borrow(h);
	child = fork();
	if (child == 0)
		_exit(0);
	HOSTILE_EXPECT(waitpid(child, NULL, 0) == child);
}

/* Connections that say nothing: others still get in. */
static void connects_and_is_silent(struct hostile *h)
{
	for (unsigned int i = 0; i < IDLERS; i++)
		hostile_connect(h);
}

/* More paths than one may have. */
static void connects_without_end(struct hostile *h)
{
	struct shm_wire answer;
	unsigned int count = 0;

	for (;; count++) {
		hostile_say_attach(h);
		if (hostile_receive(h, &answer, h->their_fds) != SHM_ACCEPT)
			break;
		for (unsigned int i = 0; i < SHM_FDS_MAX; i++)
			close(h->their_fds[i]);
	}
	HOSTILE_EXPECT(answer.type == SHM_REFUSE && answer.error == -WEFT_EQUOTA);
	HOSTILE_EXPECT(count == 224);
}

/* First what takes long to be closed, then connections with something unread in them, which wait behind it. Sooner or later
 * nobody is accepted any more, before all descriptors have ended there; or where the machine has much to do each of them is
 * accepted late, and this ends before the patience of who watches does. */
static void comes_again_with_what_cannot_be_closed(struct hostile *h)
{
	struct timeval patience = {.tv_sec = 3};
	uint64_t end_ns = weft_clock_now(weft_clock_real()) + UINT64_C(20000000000);
	unsigned int count = 0;
	int fd;

	for (unsigned int i = 0; i < 4; i++)
		HOSTILE_EXPECT(hostile_send_lingering(hostile_connect(h), "x", 1, 1));
	do {
		fd = hostile_try_to_connect(h, &patience);
		if (fd >= 0) {
			(void)hostile_send(fd, "x", 1, &h->memory_fd, 1);
			(void)hostile_send(fd, "x", 1, &h->memory_fd, 1);
			close(fd);
		}
	} while (fd >= 0 && ++count < 3000 && weft_clock_now(weft_clock_real()) < end_ns);
	HOSTILE_EXPECT(count < 1000);
}

/* Says half of everything, many times, in one breath. */
static void floods_with_handshakes(struct hostile *h)
{
	for (unsigned int i = 0; i < IDLERS; i++) {
		int fd = hostile_connect(h);

		(void)hostile_send(fd, &h->attach, i, h->attach_fds, i % 4);
		close(fd);
	}
}

const struct hostile_attack hostile_lives[] = {
	HOSTILE_ATTACK(vanishes_before_it_speaks, HOSTILE_GONE),
	HOSTILE_ATTACK(vanishes_after_it_spoke, HOSTILE_GONE),
	HOSTILE_ATTACK(vanishes_when_accepted, HOSTILE_DIED),
	HOSTILE_ATTACK(vanishes_with_loans, HOSTILE_DIED),
	HOSTILE_ATTACK(hangs_up_and_lives_on, HOSTILE_HUNG_UP),
	HOSTILE_ATTACK(takes_leave_with_loans, HOSTILE_CLOSED),
	HOSTILE_ATTACK(takes_leave_and_talks_on, HOSTILE_CLOSED),
	HOSTILE_ATTACK(stops_with_loans, HOSTILE_STAYS),
	HOSTILE_ATTACK(says_that_it_is_dead_and_lives_on, HOSTILE_DIED),
	HOSTILE_ATTACK(is_dead_from_the_beginning, HOSTILE_DIED),
	HOSTILE_ATTACK(lets_go_of_its_word_and_lives_on, HOSTILE_STAYS),
	HOSTILE_ATTACK(has_no_word, HOSTILE_STAYS),
	HOSTILE_ATTACK(cries_without_end, HOSTILE_STAYS),
	HOSTILE_ATTACK(forks_and_vanishes, HOSTILE_DIED),
	HOSTILE_ATTACK(forks_and_the_child_vanishes, HOSTILE_STAYS),
	HOSTILE_ATTACK(connects_and_is_silent, HOSTILE_REFUSED),
	HOSTILE_ATTACK(connects_without_end, HOSTILE_FULL),
	HOSTILE_ATTACK(comes_again_with_what_cannot_be_closed, HOSTILE_REFUSED),
	HOSTILE_ATTACK(floods_with_handshakes, HOSTILE_REFUSED),
	{0},
};

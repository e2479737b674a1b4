/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a process cannot be harmed by a peer: whatever it writes, sends, hands over or leaves undone, its victim
 * counts it and closes that link at the most; an honest peer's messages go on, before and after and meanwhile; what was
 * lent comes home when the attacker has ended; and the worker can sleep again.
 */
#include "conformance/side.h"
#include "fork.h"
#include "hostile.h"
#include "shm/shm.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRESS 50

static struct side victim_side, honest_side;
static struct side_end *const victim = &victim_side.ends[0], *const honest = &honest_side.ends[0];
static uint64_t to_honest, to_victim; /* messages sent */
static unsigned int loans_seen;
static struct weft_buf *lent;

struct attacker {
	pid_t pid;
	int go_fd, done_fd;
};

/* ---- the attacker's process, begun while this one has nothing open yet ---- */

static void run_attacker(const struct hostile_attack *attack, const char *name, int hear_fd, int say_fd)
{
	struct hostile h = {.victim = name, .say_fd = say_fd, .hear_fd = hear_fd};
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	HOSTILE_EXPECT(read(hear_fd, &byte, 1) == 1);
	hostile_prepare(&h);
	attack->run(&h);
	HOSTILE_EXPECT(write(say_fd, "d", 1) == 1);
	for (;;)
		pause();
}

static struct attacker attacker_start(const struct hostile_attack *attack)
{
	struct attacker attacker;
	int go[2], done[2];
	char name[48];

	side_name(name, "victim", (int)getpid());
	CU_ASSERT_EQUAL_FATAL(pipe2(go, O_CLOEXEC), 0);
	CU_ASSERT_EQUAL_FATAL(pipe2(done, O_CLOEXEC | O_NONBLOCK), 0);
	attacker = (struct attacker){.go_fd = go[1], .done_fd = done[0]};
	attacker.pid = fork_alone();
	CU_ASSERT_TRUE_FATAL(attacker.pid >= 0);
	if (attacker.pid == 0) {
		close(go[1]);
		close(done[0]);
		run_attacker(attack, name, go[0], done[1]);
	}
	close(go[0]);
	close(done[1]);
	return attacker;
}

/* Nothing is looked at until the attacker says so, or has ended. */
static void hold(const struct attacker *attacker)
{
	struct pollfd go = {.fd = attacker->done_fd, .events = POLLIN};

	(void)!write(attacker->go_fd, "h", 1);
	(void)poll(&go, 1, -1);
}

/* 'd' when the attack is done, 0 when its process has ended without a word, -1 not yet. */
static int attacker_says(const struct attacker *attacker)
{
	char byte = 0;
	ssize_t got = read(attacker->done_fd, &byte, 1);

	if (got > 0 && byte == 'h')
		hold(attacker);
	return got < 0 || byte == 'h' || byte == 'g' ? -1 : got == 0 ? 0 : byte;
}

/* ---- the victim, and somebody who means well ---- */

static void victim_frame(struct side_end *end, const struct weft_rx_frame *frame)
{
	const unsigned char *bytes = frame->loan_data ? frame->loan_data : frame->data;
	uint64_t len_bytes = frame->loan_data ? frame->loan_len_bytes : frame->len_bytes;
	volatile unsigned char sum = 0;

	if (frame->path == end->paths[0]) {
		end->wrong += frame->meta != end->got++ || !side_holds(frame->data, 20, frame->meta);
		return;
	}
	for (uint64_t i = 0; i < len_bytes; i++) /* all of it can be read */
		sum = (unsigned char)(sum + bytes[i]);
	if (frame->loan_data && loans_seen++ % 4)
		frame->path->port->release(frame->path, frame->loan_id);
}

static void honest_frame(struct side_end *end, const struct weft_rx_frame *frame)
{
	end->wrong += frame->meta != end->got++ || !side_holds(frame->data, 20, frame->meta);
}

static void send_to_attacker(struct weft_path *path)
{
	struct weft_tx_frame frame = {.loan = lent, .loan_len_bytes = 4000, .cookie = 1};
	int why = 0;

	for (unsigned int class_ = 0; class_ < WEFT_CLASS_COUNT && !victim->downs; class_++)
		victim->port->send(path, class_, 0, "something", 9, 0);
	if (!victim->downs && !victim->port->tx(path, WEFT_CLASS_NORMAL, &frame, 1, 0, &why) && why == -WEFT_ENXIO)
		side_driver->share(path, lent->segment_id);
}

/* One turn of both with traffic on all paths. One that waits for somebody never ends, and the time limit of the test tells. */
static void turn(void)
{
	unsigned char bytes[20];

	side_fill(bytes, sizeof bytes, to_honest);
	to_honest += victim->port->send(victim->paths[0], WEFT_CLASS_NORMAL, to_honest, bytes, sizeof bytes, 0) == 0;
	side_fill(bytes, sizeof bytes, to_victim);
	to_victim += honest->port->send(honest->path, WEFT_CLASS_NORMAL, to_victim, bytes, sizeof bytes, 0) == 0;
	if (victim->ups == 2 && !victim->downs)
		send_to_attacker(victim->paths[1]);
	sides_turn();
}

#define TURNS_UNTIL(condition) PATIENCE_UNTIL(turn(), condition)

static bool honest_goes_on(void)
{
	uint64_t got = honest->got + PROGRESS, given = victim->got + PROGRESS;

	return TURNS_UNTIL(honest->got >= got && victim->got >= given) && honest->downs == 0 && honest->wrong == 0 &&
	       victim->wrong == 0;
}

/* Nothing is left that would keep the worker awake. */
static bool can_sleep(void)
{
	struct pollfd woken = {.fd = weft_worker_fd(victim->worker), .events = POLLIN};
	bool asleep = weft_worker_arm(victim->worker) && poll(&woken, 1, 0) == 0;

	weft_worker_disarm(victim->worker);
	return asleep;
}

static void open_victim(void)
{
	to_honest = to_victim = loans_seen = 0;
	side_driver = weft_driver_find("shm");
	side_open(&victim_side, "victim", 1, 0);
	side_open(&honest_side, "honest", 1, 0);
	victim->on_frame = victim_frame;
	honest->on_frame = honest_frame;
	side_join(honest, victim);
	CU_ASSERT_EQUAL_FATAL(weft_pool_get(victim->pool, 4000, &lent), 0);
	CU_ASSERT_TRUE(honest_goes_on());
}

/* ---- one attack ---- */

static bool outcome_holds(const struct hostile_attack *attack)
{
	struct weft_driver_stats stats = side_stats(victim);
	bool ended = victim->ups == 2 && victim->downs == 1 && stats.violations == 0;

	switch (attack->outcome) {
	case HOSTILE_REFUSED:
		return victim->ups == 1 && victim->downs == 0;
	case HOSTILE_VIOLATION:
		return victim->downs == 1 && victim->reason == WEFT_DOWN_VIOLATION && stats.violations == 1;
	case HOSTILE_DIED:
		return ended && victim->reason == WEFT_DOWN_DIED;
	case HOSTILE_HUNG_UP:
		return ended && victim->reason == WEFT_DOWN_BROKEN;
	case HOSTILE_CLOSED:
		return ended && victim->reason == WEFT_DOWN_CLOSED;
	case HOSTILE_STAYS:
		return victim->ups == 2 && victim->downs == 0;
	case HOSTILE_SHUNNED:
		return victim->ups == 3 && victim->downs == 2 && stats.violations == 2;
	case HOSTILE_FULL:
		return victim->ups == 1 + SHM_PATHS_OF_ONE_MAX && victim->downs == 0 && stats.violations == 0;
	case HOSTILE_FORGED:
		return victim->ups == 2 && victim->downs == 0 && stats.bad_releases > 0;
	case HOSTILE_ANY:
		return victim->ups == 2;
	case HOSTILE_GONE:
		return victim->downs + 1 == victim->ups && stats.violations == 0;
	}
	return false;
}

static bool check(const struct hostile_attack *attack, bool holds, const char *what)
{
	if (!holds)
		printf("\n\t%s: not so: %s (ups %u downs %u reason %d) ", attack->name, what, victim->ups,
		       victim->downs, (int)victim->reason);
	return holds;
}

/* Whoever is still there has loans in its hands while it stands still. */
static bool survive_a_stopped_one(const struct hostile_attack *attack, pid_t attacker)
{
	uint64_t out;
	bool good;

	if (kill(attacker, SIGSTOP) < 0 || waitpid(attacker, NULL, WUNTRACED) != attacker)
		return check(attack, false, "it can be stopped");
	good = check(attack, honest_goes_on(), "the honest peer is served while the attacker is stopped");
	/* What it gave back before it stopped has come home by now; the rest it may be reading. */
	out = side_stats(victim).loans_out;
	good &= check(attack, honest_goes_on(), "the honest peer is served after that");
	good &= check(attack, side_stats(victim).loans_out >= out, "loans stay with it");
	return good;
}

static bool endure(const struct hostile_attack *attack)
{
	struct attacker attacker = attacker_start(attack);
	int word = -1;
	bool good;

	fprintf(stderr, "%s\n", attack->name); /* the last one is that which never ended */
	open_victim();
	good = check(attack, write(attacker.go_fd, "g", 1) == 1, "it begins");
	good &= check(attack, TURNS_UNTIL((word = attacker_says(&attacker)) >= 0), "it comes to an end");
	good &= check(attack, word == 'd' || attack->outcome == HOSTILE_DIED || attack->outcome == HOSTILE_GONE,
		      "it could do what it wanted");
	good &= check(attack, TURNS_UNTIL(outcome_holds(attack)), "its path has the end that it should have");
	good &= check(attack, honest_goes_on(), "the honest peer is served");
	if (word == 'd')
		good &= survive_a_stopped_one(attack, attacker.pid);
	good &= check(attack, SIDES_UNTIL(can_sleep()), "the worker can sleep");
	good &= check(attack, attack->outcome == HOSTILE_ANY || outcome_holds(attack), "the end stays what it was");
	kill(attacker.pid, SIGKILL);
	waitpid(attacker.pid, NULL, 0);
	close(attacker.go_fd);
	close(attacker.done_fd);
	good &= check(attack, TURNS_UNTIL(side_stats(victim).paths == 1 && side_stats(victim).loans_out == 0),
		      "all is home after its death");
	good &= check(attack, lent->refs == 1, "nothing holds the buffer");
	good &= check(attack, honest_goes_on(), "the honest peer is served after its death");
	weft_buf_put(lent);
	side_close(&honest_side);
	side_close(&victim_side);
	return good;
}

static const char *wanted; /* the only attack to endure; NULL: all */
static unsigned int endured;

static void endure_all(const struct hostile_attack *attacks)
{
	for (; attacks->name; attacks++) {
		if (wanted && strcmp(attacks->name, wanted) != 0)
			continue;
		CU_ASSERT_TRUE(endure(attacks));
		endured++;
	}
}

static void no_handshake_does_harm(void)
{
	endure_all(hostile_handshakes);
}

static void nothing_written_to_memory_does_harm(void)
{
	endure_all(hostile_messages);
}

static void nothing_said_over_the_socket_does_harm(void)
{
	endure_all(hostile_controls);
}

static void nobody_who_vanishes_stops_or_sits_there_does_harm(void)
{
	endure_all(hostile_lives);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(no_handshake_does_harm),
		SUITE_CASE(nothing_written_to_memory_does_harm),
		SUITE_CASE(nothing_said_over_the_socket_does_harm),
		SUITE_CASE(nobody_who_vanishes_stops_or_sits_there_does_harm),
	};

	/* --attack NAME: that one alone. */
	if (argc == 3 && strcmp(argv[1], "--attack") == 0) {
		wanted = argv[2];
		argc = 1;
	}
	return suite_main("hostile", cases, SUITE_COUNT(cases), argc, argv) || !endured;
}

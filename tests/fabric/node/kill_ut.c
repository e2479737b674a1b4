/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a process may be killed at any moment: its peer is told, every buffer that it held comes home, and no
 * descriptor, file or memory stays. Rounds come from WEFT_TEST_KILLS (default 20), moments from WEFT_TEST_SEED.
 */
#include "fork.h"
#include "patience.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/random.h>
#include <weft/weft.h>

#define KEEP 8

/* One side: sends copies and loans as fast as the other takes them, and keeps some of what comes. */
struct side {
	struct weft_node *node;
	struct weft_worker *worker;
	struct weft_channel *channel;
	struct weft_sender *sender;
	struct weft_loan *kept[KEEP];
	unsigned int received;
	bool lost;
	int cause;
};

static void on_message(struct weft_rx *rx, void *user)
{
	struct side *side = user;
	unsigned int slot = side->received++ % KEEP;

	if (side->kept[slot])
		weft_loan_release(side->kept[slot]);
	side->kept[slot] = NULL;
	if (weft_rx_keep(rx, &side->kept[slot]) < 0)
		side->kept[slot] = NULL;
}

static void on_event(struct weft_sender *sender, enum weft_sender_event event, int cause, void *user)
{
	struct side *side = user;

	(void)sender;
	if (event == WEFT_SENDER_LOST && !side->lost)
		side->cause = cause;
	side->lost |= event == WEFT_SENDER_LOST;
}

static int side_open(struct side *side, const char *name, const char *peer)
{
	struct weft_sender_opts sender_opts = {.size = sizeof sender_opts,
					       .on_event = on_event,
					       .wait_for_peer = true,
					       .user = side};
	struct weft_node_opts opts;

	memset(side, 0, sizeof *side);
	weft_node_opts_init(&opts, sizeof opts);
	opts.name = name;
	opts.worker_count = 0;
	if (weft_node_open(&opts, &side->node) < 0 || weft_channel_open(side->node, "kill", NULL, &side->channel) < 0)
		return -1;
	side->worker = weft_node_worker(side->node, 0);
	weft_channel_handle(side->channel, on_message, side);
	return weft_sender_open(side->worker, side->channel, peer, &sender_opts, &side->sender);
}

static void side_turn(struct side *side)
{
	static const char text[5000] = "in mid traffic";
	struct weft_loan *loan;

	weft_send(side->sender, text, 100);
	weft_send(side->sender, text, sizeof text);
	if (weft_loan_get(side->worker, 20000, &loan) == 0 && weft_send_loan(side->sender, loan, NULL) == -WEFT_EAGAIN)
		weft_loan_release(loan);
	weft_worker_poll(side->worker);
}

static void run_victim(const char *name, const char *peer)
{
	struct side side;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (side_open(&side, name, peer) < 0)
		_exit(1);
	for (;;)
		side_turn(&side);
}

static unsigned int count_entries(const char *path, const char *with)
{
	DIR *directory = opendir(path);
	unsigned int count = 0;

	if (!directory)
		return 0;
	for (struct dirent *entry; (entry = readdir(directory));)
		count += !with || strstr(entry->d_name, with);
	closedir(directory);
	return count;
}

static bool all_home(struct side *side)
{
	struct weft_node_stats stats;

	weft_node_describe(side->node, &stats);
	return side->lost && stats.loans_out == 0 && stats.links == 0;
}

/* A turn in which what is kept of a peer that is lost is let go. */
static void mourn(struct side *side)
{
	for (unsigned int i = 0; i < KEEP; i++)
		if (side->kept[i] && side->lost) {
			weft_loan_release(side->kept[i]);
			side->kept[i] = NULL;
		}
	weft_worker_turn(side->worker, patience_end_ns());
}

/* One life and death; the moment is some turns after traffic has begun. */
static void kill_once(uint64_t turns)
{
	char name[48], peer[48];
	struct side side;
	pid_t victim;

	snprintf(name, sizeof name, "survivor-%d", (int)getpid());
	snprintf(peer, sizeof peer, "victim-%d", (int)getpid());
	victim = fork_alone();
	if (victim == 0)
		run_victim(peer, name);
	CU_ASSERT_TRUE_FATAL(victim > 0);
	CU_ASSERT_EQUAL_FATAL(side_open(&side, name, peer), 0);
	CU_ASSERT_TRUE(PATIENCE_UNTIL(side_turn(&side), side.received > 0 && weft_sender_status(side.sender) == 0));
	while (turns--)
		side_turn(&side);
	kill(victim, SIGKILL);
	CU_ASSERT_TRUE(PATIENCE_UNTIL(mourn(&side), all_home(&side)));
	waitpid(victim, NULL, 0);
	weft_node_close(&side.node);
}

/* Whether so many descriptors are open, before long: what peers have sent is closed aside. */
static bool has_open(unsigned int count)
{
	return PATIENCE_UNTIL(usleep(1000), count_entries("/proc/self/fd", NULL) == count);
}

static void a_killed_peer_leaves_nothing_and_loses_nothing_of_ours(void)
{
	const char *rounds = getenv("WEFT_TEST_KILLS"), *seed_text = getenv("WEFT_TEST_SEED");
	uint64_t seed = seed_text ? strtoull(seed_text, NULL, 0) : 1;
	unsigned int before;
	struct weft_random random;

	printf("seed %llu ", (unsigned long long)seed);
	weft_random_seed(&random, seed);
	weft_clock_real();
	before = count_entries("/proc/self/fd", NULL);
	for (unsigned long i = rounds ? strtoul(rounds, NULL, 10) : 20; i > 0; i--)
		kill_once(weft_random_below(&random, 3000));
	CU_ASSERT_TRUE(has_open(before));
	CU_ASSERT_EQUAL(count_entries("/dev/shm", "weft"), 0);
	CU_ASSERT_EQUAL(count_entries("/run/weft", "victim-"), 0);
}

static bool keeps_a_loan(const struct side *side)
{
	for (unsigned int i = 0; i < KEEP; i++)
		if (side->kept[i] && weft_loan_len(side->kept[i]) > 4096)
			return true;
	return false;
}

/* Closes every descriptor once traffic flows and it holds something of the other's, and lives on. */
static void run_mute(const char *name, const char *peer)
{
	struct side side;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (side_open(&side, name, peer) < 0)
		_exit(1);
	while (side.received < 2 * KEEP || !keeps_a_loan(&side))
		side_turn(&side);
	close_range(0, ~0u, 0);
	for (;;)
		pause();
}

static void a_peer_that_hangs_up_and_lives_is_lost_and_keeps_what_it_borrowed_until_it_dies(void)
{
	struct weft_node_stats stats;
	char name[48], peer[48];
	struct side side;
	unsigned int before;
	pid_t mute;

	weft_clock_real();
	before = count_entries("/proc/self/fd", NULL);
	snprintf(name, sizeof name, "survivor-%d", (int)getpid());
	snprintf(peer, sizeof peer, "mute-%d", (int)getpid());
	fflush(stdout);
	mute = fork_alone();
	if (mute == 0)
		run_mute(peer, name);
	CU_ASSERT_EQUAL_FATAL(side_open(&side, name, peer), 0);
	CU_ASSERT_TRUE(PATIENCE_UNTIL(side_turn(&side), side.lost));
	CU_ASSERT_EQUAL(side.cause, -WEFT_EPEERRESET);
	for (unsigned int i = 0; i < 1000; i++)
		weft_worker_poll(side.worker);
	weft_node_describe(side.node, &stats);
	CU_ASSERT_TRUE(stats.loans_out > 0); /* it can still read them */
	kill(mute, SIGKILL);
	for (unsigned int i = 0; i < KEEP; i++)
		if (side.kept[i])
			weft_loan_release(side.kept[i]);
	CU_ASSERT_TRUE(PATIENCE_UNTIL(weft_worker_turn(side.worker, patience_end_ns()), all_home(&side)));
	waitpid(mute, NULL, 0);
	weft_node_close(&side.node);
	CU_ASSERT_TRUE(has_open(before));
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_peer_that_hangs_up_and_lives_is_lost_and_keeps_what_it_borrowed_until_it_dies),
		SUITE_CASE(a_killed_peer_leaves_nothing_and_loses_nothing_of_ours),
	};

	return suite_main("kill", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves how a worker runs, sleeps until something is due, is stopped, and is closed. Sleeps have a back-stop of a minute,
 * so a lost wake-up is a time-out.
 */
#include "suite.h"
#include "worker_fixture.h"

#include <CUnit/Basic.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- running and stopping ---- */

/* The thread has waited once: a sanitizer loses signals while it prepares a thread for them. */
static _Atomic bool begun;

static void *run(void *arg)
{
	(void)arg;
	usleep(1);
	atomic_store_explicit(&begun, true, memory_order_release); /* pairs with the acquire of whoever waits for it */
	weft_worker_run(worker);
	return NULL;
}

static void stop_on_signal(int number)
{
	(void)number;
	weft_worker_stop(worker);
}

static void a_sleeping_worker_is_stopped_from_a_signal_handler(void)
{
	struct sigaction act = {.sa_handler = stop_on_signal, .sa_flags = SA_RESTART}, before;
	struct weft_worker_stats stats;
	pthread_t thread;

	worker_set_up(WEFT_IDLE_BLOCK);
	sigaction(SIGUSR1, &act, &before);
	for (unsigned int i = 0; i < 100; i++) {
		atomic_store_explicit(&begun, false, memory_order_relaxed);
		CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, run, NULL), 0);
		while (!atomic_load_explicit(&begun, memory_order_acquire)) /* pairs with the release in run */
			sched_yield();
		if (i % 2 == 0)
			usleep(200);
		pthread_kill(thread, SIGUSR1);
		pthread_join(thread, NULL);
	}
	sigaction(SIGUSR1, &before, NULL);
	weft_worker_describe(worker, &stats);
	CU_ASSERT_EQUAL(stats.wakes_by_backstop, 0);
	worker_tear_down();
}

static unsigned int count_polls(void *user)
{
	++*(unsigned int *)user;
	return 0;
}

static void nothing(void *user)
{
	(void)user;
}

static void a_stop_before_a_run_ends_it_after_a_turn_and_does_not_keep_others_awake(void)
{
	unsigned int polls = 0;
	struct weft_poller poller = {.poll = count_polls, .arm = nothing, .disarm = nothing, .user = &polls};
	struct pollfd wait;

	worker_set_up(WEFT_IDLE_BLOCK);
	weft_worker_add_poller(worker, &poller);
	wait = (struct pollfd){.fd = weft_worker_fd(worker), .events = POLLIN};
	CU_ASSERT_TRUE(weft_worker_arm(worker));
	CU_ASSERT_EQUAL(poll(&wait, 1, 0), 0);
	weft_worker_stop(worker);
	CU_ASSERT_EQUAL(poll(&wait, 1, 0), 1);
	weft_worker_disarm(worker);
	CU_ASSERT_EQUAL(weft_worker_poll(worker), 0);
	for (unsigned int i = 0; i < 3; i++) {
		CU_ASSERT_TRUE(weft_worker_arm(worker));
		CU_ASSERT_EQUAL(poll(&wait, 1, 0), 0);
		weft_worker_disarm(worker);
	}
	polls = 0;
	weft_worker_stop(worker);
	weft_worker_run(worker);
	CU_ASSERT_EQUAL(polls, 2); /* the turn, and a look before sleeping, which finds the stop */
	CU_ASSERT_TRUE(weft_worker_arm(worker));
	weft_worker_disarm(worker);
	weft_worker_remove_poller(worker, &poller);
	worker_tear_down();
}

static void stop_here(struct weft_timer *timer, void *user)
{
	(void)timer, (void)user;
	weft_worker_stop(worker);
}

static void a_timer_ends_the_sleep_of_each_strategy(void)
{
	for (enum weft_idle idle = WEFT_IDLE_ADAPTIVE; idle <= WEFT_IDLE_BLOCK; idle++) {
		uint64_t deadline_ns = weft_clock_now(weft_clock_real()) + 3000000;
		struct weft_timer timer;

		worker_set_up(idle);
		weft_timer_init(&timer, stop_here, NULL);
		weft_timer_set(worker, &timer, deadline_ns);
		weft_worker_run(worker);
		CU_ASSERT_TRUE(weft_clock_now(weft_clock_real()) >= deadline_ns);
		CU_ASSERT_TRUE(weft_worker_now(worker) >= deadline_ns);
		worker_tear_down();
	}
}

static void a_turn_sleeps_until_its_deadline_at_most(void)
{
	uint64_t deadline_ns = weft_clock_now(weft_clock_real()) + 3000000;

	worker_set_up(WEFT_IDLE_ADAPTIVE);
	while (weft_clock_now(weft_clock_real()) < deadline_ns)
		weft_worker_turn(worker, deadline_ns);
	worker_tear_down();
}

static void a_worker_on_a_virtual_clock_never_sleeps(void)
{
	struct weft_clock *clock = NULL;
	struct weft_worker_stats stats;
	struct weft_worker_opts opts;

	CU_ASSERT_EQUAL_FATAL(weft_clock_virtual_open(1, &clock), 0);
	weft_worker_opts_init(&opts, sizeof opts);
	opts.clock = clock;
	opts.idle = WEFT_IDLE_BLOCK;
	CU_ASSERT_EQUAL_FATAL(weft_worker_open(&opts, &worker), 0);
	for (unsigned int i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(weft_worker_turn(worker, WEFT_NEVER), 0);
	weft_worker_describe(worker, &stats);
	CU_ASSERT_EQUAL(stats.sleeps, 0);
	CU_ASSERT_EQUAL(stats.turns, 100);
	worker_tear_down();
	weft_clock_virtual_close(&clock);
}

/* ---- closing ---- */

static void never(struct weft_timer *timer, void *user)
{
	(void)timer, (void)user;
}

/* Closes, in a process of its own, a worker with a timer set that far ahead. Returns the signal that ended it. */
static int close_with_timer(uint64_t span_ns)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		struct rlimit no_core = {0, 0};
		struct weft_timer timer;

		setrlimit(RLIMIT_CORE, &no_core);
		/* What it says is as it should be, and nobody needs to see it. */
		if (!freopen("/dev/null", "w", stderr))
			_exit(2);
		worker_set_up(WEFT_IDLE_BLOCK);
		weft_timer_init(&timer, never, NULL);
		weft_timer_set(worker, &timer, weft_worker_now(worker) + span_ns);
		if (span_ns == 1)
			weft_timer_cancel(worker, &timer);
		weft_worker_close(&worker);
		_exit(0);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

static void a_worker_with_timers_that_are_set_is_not_closed(void)
{
	CU_ASSERT_EQUAL(close_with_timer(1), 0); /* cancelled */
	for (uint64_t span_ns = 100; span_ns < UINT64_C(1) << 50; span_ns *= 30)
		CU_ASSERT_EQUAL(close_with_timer(span_ns), SIGABRT);
	CU_ASSERT_EQUAL(close_with_timer(0), SIGABRT);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_sleeping_worker_is_stopped_from_a_signal_handler),
		SUITE_CASE(a_stop_before_a_run_ends_it_after_a_turn_and_does_not_keep_others_awake),
		SUITE_CASE(a_timer_ends_the_sleep_of_each_strategy),
		SUITE_CASE(a_turn_sleeps_until_its_deadline_at_most),
		SUITE_CASE(a_worker_on_a_virtual_clock_never_sleeps),
		SUITE_CASE(a_worker_with_timers_that_are_set_is_not_closed),
	};

	return suite_main("running a worker", cases, SUITE_COUNT(cases), argc, argv);
}

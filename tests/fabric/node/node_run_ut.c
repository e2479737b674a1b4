/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that weft_node_run ends by weft_node_stop from anywhere, by SIGINT and by SIGTERM, whoever turns the workers; that
 * one signal ends it for all nodes that run; and that the application's signal dispositions are its own again afterwards.
 */
#include "patience.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weft/weft.h>

static struct weft_node *open_node(const char *which, unsigned int worker_count)
{
	struct weft_node_opts opts;
	struct weft_node *node = NULL;
	char name[48];

	snprintf(name, sizeof name, "run-%d-%s", (int)getpid(), which);
	weft_node_opts_init(&opts, sizeof opts);
	opts.name = name;
	opts.worker_count = worker_count;
	CU_ASSERT_EQUAL_FATAL(weft_node_open(&opts, &node), 0);
	return node;
}

static volatile sig_atomic_t own_signals;

static void on_own_signal(int number)
{
	(void)number;
	own_signals++;
}

/* ---- what ends it, from another thread ---- */

static void *stop_later(void *node)
{
	usleep(20000);
	weft_node_stop(node);
	return NULL;
}

/* Waits until a node that runs has taken the signal from the application, whose handler is on_own_signal. */
static void await_taken(int number)
{
	struct sigaction now;

	CU_ASSERT_TRUE(PATIENCE_UNTIL(usleep(1000), (sigaction(number, NULL, &now), now.sa_handler != on_own_signal)));
}

static void *signal_later(void *number)
{
	await_taken(*(const int *)number);
	kill(getpid(), *(const int *)number);
	return NULL;
}

/* Runs it while a thread does so; the thread takes no signals. */
static void run_and(struct weft_node *node, void *(*later)(void *argument), void *argument)
{
	sigset_t all, before;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, later, argument), 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	CU_ASSERT_EQUAL(weft_node_run(node), 0);
	pthread_join(thread, NULL);
}

static void a_stop_from_another_thread_ends_it(void)
{
	for (unsigned int workers = 0; workers < 3; workers++) {
		struct weft_node *node = open_node("stopped", workers);

		run_and(node, stop_later, node);
		weft_node_close(&node);
	}
}

static void a_stop_that_came_before_is_not_lost(void)
{
	for (unsigned int workers = 0; workers < 2; workers++) {
		struct weft_node *node = open_node("early", workers);

		weft_node_stop(node);
		CU_ASSERT_EQUAL(weft_node_run(node), 0);
		weft_node_close(&node);
	}
}

static void signals_end_it_and_are_the_applications_before_and_after(void)
{
	static const int numbers[] = {SIGINT, SIGTERM};

	for (unsigned int i = 0; i < 4; i++) {
		struct sigaction own = {.sa_handler = on_own_signal}, before, after;
		struct weft_node *node = open_node("signalled", i / 2);
		int number = numbers[i % 2];

		own_signals = 0;
		sigaction(number, &own, &before);
		run_and(node, signal_later, &number);
		CU_ASSERT_EQUAL(own_signals, 0);
		raise(number);
		CU_ASSERT_EQUAL(own_signals, 1);
		sigaction(number, &before, &after);
		CU_ASSERT_PTR_EQUAL((void *)(uintptr_t)after.sa_handler, (void *)(uintptr_t)on_own_signal);
		weft_node_close(&node);
	}
}

/* ---- several ---- */

static _Atomic unsigned int running;

static void note_running(struct weft_timer *timer, void *user)
{
	(void)timer, (void)user;
	atomic_fetch_add(&running, 1);
}

/* Runs a node whose worker is turned here; as soon as it is, that is counted. */
static void *run_here(void *user)
{
	struct weft_node *node = user;
	struct weft_worker *worker = weft_node_worker(node, 0);
	struct weft_timer timer;

	weft_timer_init(&timer, note_running, NULL);
	weft_timer_set(worker, &timer, weft_worker_now(worker));
	CU_ASSERT_EQUAL(weft_node_run(node), 0);
	return NULL;
}

/* Runs it in a thread of its own that takes no signals. */
static pthread_t run_beside(struct weft_node *node)
{
	sigset_t all, before;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, run_here, node), 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return thread;
}

static void await_running(unsigned int count)
{
	CU_ASSERT_TRUE(PATIENCE_UNTIL(usleep(1000), atomic_load(&running) == count));
}

static void several_that_run_share_signals_until_the_last_has_ended(void)
{
	for (unsigned int together = 0; together < 2; together++) {
		struct weft_node *first = open_node("first", 0), *second = open_node("second", 0);
		struct sigaction own = {.sa_handler = on_own_signal}, before;
		pthread_t first_thread, second_thread;

		own_signals = 0;
		atomic_store(&running, 0);
		sigaction(SIGTERM, &own, &before);
		first_thread = run_beside(first);
		await_running(1);
		second_thread = run_beside(second);
		await_running(2);
		if (!together) { /* the one that began first ends first, and then a signal comes for the other */
			weft_node_stop(first);
			pthread_join(first_thread, NULL);
		}
		kill(getpid(), SIGTERM);
		CU_ASSERT_EQUAL(own_signals, 0);
		if (own_signals) /* else they would run for ever */
			weft_node_stop(first), weft_node_stop(second);
		if (together)
			pthread_join(first_thread, NULL);
		pthread_join(second_thread, NULL);
		raise(SIGTERM);
		CU_ASSERT_EQUAL(own_signals, 1);
		sigaction(SIGTERM, &before, NULL);
		weft_node_close(&first);
		weft_node_close(&second);
	}
}

#define MANY 16

static void one_too_many_is_told_so_and_a_signal_ends_all_others(void)
{
	struct sigaction own = {.sa_handler = on_own_signal}, before;
	struct weft_node *nodes[MANY + 1];
	pthread_t threads[MANY];
	char name[8];

	own_signals = 0;
	atomic_store(&running, 0);
	sigaction(SIGTERM, &own, &before);
	for (unsigned int i = 0; i <= MANY; i++) {
		snprintf(name, sizeof name, "%u", i);
		nodes[i] = open_node(name, 0);
	}
	for (unsigned int i = 0; i < MANY; i++)
		threads[i] = run_beside(nodes[i]);
	await_running(MANY);
	CU_ASSERT_EQUAL(weft_node_run(nodes[MANY]), -WEFT_ENOSPC);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "16 nodes"));
	kill(getpid(), SIGTERM);
	CU_ASSERT_EQUAL(own_signals, 0);
	for (unsigned int i = 0; i < MANY; i++)
		pthread_join(threads[i], NULL);
	/* There is room again. */
	weft_node_stop(nodes[MANY]);
	CU_ASSERT_EQUAL(weft_node_run(nodes[MANY]), 0);
	sigaction(SIGTERM, &before, NULL);
	for (unsigned int i = 0; i <= MANY; i++)
		weft_node_close(&nodes[i]);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_stop_from_another_thread_ends_it),
		SUITE_CASE(a_stop_that_came_before_is_not_lost),
		SUITE_CASE(signals_end_it_and_are_the_applications_before_and_after),
		SUITE_CASE(several_that_run_share_signals_until_the_last_has_ended),
		SUITE_CASE(one_too_many_is_told_so_and_a_signal_ends_all_others),
	};

	return suite_main("run", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that weft_node_run ends by weft_node_stop from anywhere, by SIGINT and by SIGTERM, whoever turns the workers; that
 * one signal ends it for all nodes that run; and that the application's signal dispositions are its own again afterwards.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
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

static void *signal_later(void *number)
{
	usleep(20000);
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

static void *run_here(void *node)
{
	CU_ASSERT_EQUAL(weft_node_run(node), 0);
	return NULL;
}

/* Runs the second in a thread of its own that takes no signals. */
static pthread_t run_beside(struct weft_node *second)
{
	sigset_t all, before;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, run_here, second), 0);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	usleep(20000); /* most likely it runs by now; if not, what follows holds too */
	return thread;
}

/* The one that began first ends first, and then a signal comes for the other. */
static void *stop_and_signal_later(void *node)
{
	usleep(20000);
	weft_node_stop(node);
	usleep(20000);
	kill(getpid(), SIGTERM);
	return NULL;
}

static void several_that_run_share_signals_until_the_last_has_ended(void)
{
	for (unsigned int together = 0; together < 2; together++) {
		struct weft_node *first = open_node("first", 1), *second = open_node("second", 1);
		struct sigaction own = {.sa_handler = on_own_signal}, before;
		int number = SIGTERM;
		pthread_t thread;

		own_signals = 0;
		sigaction(SIGTERM, &own, &before);
		thread = run_beside(second);
		if (together)
			run_and(first, signal_later, &number);
		else
			run_and(first, stop_and_signal_later, second);
		CU_ASSERT_EQUAL(own_signals, 0);
		/* Should it have begun to run only now. */
		weft_node_stop(second);
		pthread_join(thread, NULL);
		own_signals = 0;
		raise(SIGTERM);
		CU_ASSERT_EQUAL(own_signals, 1);
		sigaction(SIGTERM, &before, NULL);
		weft_node_close(&first);
		weft_node_close(&second);
	}
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_stop_from_another_thread_ends_it),
		SUITE_CASE(a_stop_that_came_before_is_not_lost),
		SUITE_CASE(signals_end_it_and_are_the_applications_before_and_after),
		SUITE_CASE(several_that_run_share_signals_until_the_last_has_ended),
	};

	return suite_main("run", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runner: the thread for everything slow. It is a worker that sleeps whenever it has nothing to do.
 */
#include "node/node_private.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static void *run(void *argument)
{
	struct weft_node *node = argument;

	weft__thread_pin(node, &node->runner_thread);
	weft_worker_run(node->runner);
	return NULL;
}

/* Threads of the library take no signals: those are the application's. */
int weft__thread_start(struct weft__thread *thread, void *(*start)(void *), void *argument)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread->id, NULL, start, argument);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc)
		return weft_set_error(weft_error_from_errno(rc), "no thread could be started: %s", strerror(rc));
	thread->started = true;
	return 0;
}

void weft__thread_join(struct weft__thread *thread)
{
	if (thread->started)
		pthread_join(thread->id, NULL);
	thread->started = false;
}

int weft__runner_start(struct weft_node *node)
{
	return weft__thread_start(&node->runner_thread, run, node);
}

void weft__runner_stop(struct weft_node *node)
{
	if (!node->runner_thread.started)
		return;
	weft_worker_stop(node->runner);
	weft__thread_join(&node->runner_thread);
}

/* ---- calls that wait for their answer ---- */

struct runner_call {
	int (*fn)(void *argument);
	void *argument;
	int rc;
	bool done;
	pthread_mutex_t lock;
	pthread_cond_t finished;
	char error[512];
};

static void run_call(struct weft_worker *runner, const struct weft_message *message)
{
	struct runner_call *call = message->with.pointers[0];
	int rc = call->fn(call->argument);

	(void)runner;
	pthread_mutex_lock(&call->lock);
	call->rc = rc;
	call->done = true;
	strcpy(call->error, weft_last_error());
	pthread_cond_signal(&call->finished);
	pthread_mutex_unlock(&call->lock);
}

int weft__runner_call(struct weft_node *node, int (*fn)(void *argument), void *argument)
{
	struct runner_call call = {.fn = fn,
				   .argument = argument,
				   .lock = PTHREAD_MUTEX_INITIALIZER,
				   .finished = PTHREAD_COND_INITIALIZER};
	struct weft_message message = {.run = run_call, .with.pointers = {&call}};

	if (!node->runner_thread.started)
		return fn(argument);
	while (weft_worker_post(node->runner, &message) < 0)
		sched_yield(); /* a cold call: the runner's mailbox drains within a turn */
	pthread_mutex_lock(&call.lock);
	while (!call.done)
		pthread_cond_wait(&call.finished, &call.lock);
	pthread_mutex_unlock(&call.lock);
	if (call.rc < 0)
		weft_set_error(call.rc, "%s", call.error);
	return call.rc;
}

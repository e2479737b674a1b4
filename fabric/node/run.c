/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weft_node_run: the whole main loop of a simple program.
 */
#include "node/node_private.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

/* Signal dispositions belong to the process, and so does this: the nodes that SIGINT and SIGTERM stop. */
#define RUNNING_MAX 16
static struct weft_node *_Atomic running[RUNNING_MAX];

/* The first that runs takes the signals, the last that ends gives them back. */
static pthread_mutex_t signals_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int signals_taken;
static struct sigaction before_int, before_term;

static void stop_all(int signal_number)
{
	int saved = errno;

	(void)signal_number;
	for (unsigned int i = 0; i < RUNNING_MAX; i++) {
		/* acquire: pairs with the release in enter(), so that the node is whole. */
		struct weft_node *node = atomic_load_explicit(&running[i], memory_order_acquire);

		if (node)
			weft_node_stop(node);
	}
	errno = saved;
}

static void take_signals(void)
{
	struct sigaction stop = {.sa_handler = stop_all};

	sigemptyset(&stop.sa_mask);
	pthread_mutex_lock(&signals_lock);
	if (!signals_taken++) {
		sigaction(SIGINT, &stop, &before_int);
		sigaction(SIGTERM, &stop, &before_term);
	}
	pthread_mutex_unlock(&signals_lock);
}

static void give_signals_back(void)
{
	pthread_mutex_lock(&signals_lock);
	if (!--signals_taken) {
		sigaction(SIGINT, &before_int, NULL);
		sigaction(SIGTERM, &before_term, NULL);
	}
	pthread_mutex_unlock(&signals_lock);
}

/* Its place, or an error. */
static int enter(struct weft_node *node)
{
	for (int i = 0; i < RUNNING_MAX; i++) {
		struct weft_node *nobody = NULL;

		/* release: pairs with the acquire in stop_all(). */
		if (atomic_compare_exchange_strong_explicit(&running[i], &nobody, node, memory_order_release,
							    memory_order_relaxed))
			return i;
	}
	return weft_set_error(WEFT_ENOSPC,
			      "%d nodes run in this process already, and signals would not stop one more: turn its "
			      "worker, or wait, without weft_node_run",
			      RUNNING_MAX);
}

void weft_node_stop(struct weft_node *node)
{
	uint64_t one = 1;

	if (weft__node_forked(node))
		return; /* the descriptor is the parent's too */
	atomic_store_explicit(&node->stopped, true, memory_order_relaxed);
	if (write(node->stop_fd, &one, sizeof one) < 0)
		return; /* full: it has been told */
	if (!node->own_count)
		weft_worker_stop(node->stations[0]->worker);
}

static void wait_for_stop(struct weft_node *node)
{
	struct pollfd stop = {.fd = node->stop_fd, .events = POLLIN};

	while (!atomic_load_explicit(&node->stopped, memory_order_relaxed))
		poll(&stop, 1, -1);
}

int weft_node_run(struct weft_node *node)
{
	int slot, rc = weft__node_fork_check(node);

	if (rc < 0)
		return rc;
	slot = enter(node);
	if (slot < 0)
		return slot;
	take_signals();
	if (node->own_count)
		wait_for_stop(node);
	else if (!atomic_load_explicit(&node->stopped, memory_order_relaxed))
		weft_worker_run(node->stations[0]->worker);
	give_signals_back();
	atomic_store_explicit(&running[slot], NULL, memory_order_relaxed);
	return 0;
}

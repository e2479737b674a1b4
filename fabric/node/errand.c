/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errands of other threads to a station.
 */
#include "node/errand.h"

#include "node/node_private.h"

#define ERRANDS_A_TURN 32

void weft__errands_init(struct weft__errands *errands)
{
	pthread_mutex_init(&errands->lock, NULL);
	weft_list_init(&errands->list);
	atomic_init(&errands->waiting, false);
}

void weft__errands_fini(struct weft__errands *errands)
{
	pthread_mutex_destroy(&errands->lock);
}

static void run_waiting(struct weft_worker *worker, const struct weft_message *message)
{
	(void)message;
	weft__errands_run(weft__station_of(worker));
}

void weft__errand_send(struct weft__station *station, struct weft__errand *errand, weft__errand_fn *run)
{
	static const struct weft_message word = {.run = run_waiting};
	struct weft__errands *errands = &station->errands;

	if (weft_worker_is_owner(station->worker)) {
		run(station, errand);
		return;
	}
	errand->run = run;
	pthread_mutex_lock(&errands->lock);
	weft_list_push_back(&errands->list, &errand->link);
	/* seq_cst: before the look at the mailbox. If that is full, then the turn in which the worker has emptied it, awake
	 * or about to sleep, sees this. Pairs with the membarrier or exchange in weft_worker_arm. */
	atomic_store_explicit(&errands->waiting, true, memory_order_seq_cst);
	pthread_mutex_unlock(&errands->lock);
	/* In its place among the sender's own messages, which may need what it brings. */
	(void)weft_worker_post(station->worker, &word);
}

void weft__errand_withdraw(struct weft__station *station, struct weft__errand *errand)
{
	pthread_mutex_lock(&station->errands.lock);
	weft_list_remove(&errand->link);
	pthread_mutex_unlock(&station->errands.lock);
}

static struct weft__errand *take(struct weft__errands *errands)
{
	struct weft_list *link;

	pthread_mutex_lock(&errands->lock);
	link = weft_list_pop_front(&errands->list);
	if (!link)
		atomic_store_explicit(&errands->waiting, false, memory_order_relaxed);
	pthread_mutex_unlock(&errands->lock);
	return link ? WEFT_CONTAINER_OF(link, struct weft__errand, link) : NULL;
}

unsigned int weft__errands_run(struct weft__station *station)
{
	struct weft__errand *errand;
	unsigned int count = 0;

	if (!weft__errands_wait(&station->errands))
		return 0;
	while (count < ERRANDS_A_TURN && (errand = take(&station->errands))) {
		errand->run(station, errand);
		count++;
	}
	return count;
}

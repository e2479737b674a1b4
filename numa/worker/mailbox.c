/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mailbox: how other threads reach a worker.
 *
 * A poster publishes, then looks whether the worker sleeps; the worker says that it sleeps, then looks whether
 * something was published. Between its two steps the worker runs membarrier, which stands in for the fence that the
 * poster would need between its own; so a post to a worker that is awake is a ring push and one load.
 */
#include "worker/worker_private.h"

#include <weft/errors.h>

#include <errno.h>
#include <unistd.h>

_Static_assert(sizeof(struct weft_message) == 64, "a message is one line");

/* Makes the descriptor readable anew. The counter is never read: each write is an edge. Async-signal-safe. */
void weft__worker_kick(struct weft_worker *worker)
{
	static const uint64_t one = 1;
	int saved = errno;
	/* It can only fail when the counter is full, after 2^64 wakes. */
	ssize_t written = write(worker->event_fd, &one, sizeof one);

	(void)written;
	errno = saved;
}

static int look_at_sleeper(struct weft_worker *worker)
{
	if (worker->membarrier) {
		/* pairs with the membarrier in weft_worker_arm; the processor's half of the fence is there */
		atomic_signal_fence(memory_order_seq_cst);
		return atomic_load_explicit(&worker->sleeping, memory_order_relaxed);
	}
	/* pairs with the exchange in weft_worker_arm: one of the two comes first */
	return atomic_fetch_or_explicit(&worker->sleeping, 0, memory_order_seq_cst);
}

int weft_worker_post(struct weft_worker *worker, const struct weft_message *message)
{
	int asleep = WEFT__SLEEPING;

	if (!weft_mpsc_push(worker->mailbox, message))
		return -WEFT_EAGAIN;
	/* One poster wakes for all that come until the worker is up. */
	if (__builtin_expect(look_at_sleeper(worker) == WEFT__SLEEPING, 0) &&
	    atomic_compare_exchange_strong_explicit(&worker->sleeping, &asleep, WEFT__WOKEN, memory_order_relaxed,
						    memory_order_relaxed))
		weft__worker_kick(worker);
	return 0;
}

unsigned int weft__mailbox_drain(struct weft_worker *worker)
{
	struct weft_message message;
	unsigned int count = 0;

	while (count < WEFT__MAILBOX_BURST && weft_mpsc_pop(worker->mailbox, &message)) {
		count++;
		message.run(worker, &message);
	}
	weft__count(&worker->counters.messages, count);
	return count;
}

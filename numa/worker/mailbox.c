/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mailbox: how other threads reach a worker.
 *
 * A poster publishes, then looks whether the worker sleeps; the worker says that it sleeps, then looks whether
 * something was published. Between its two steps the worker runs membarrier, which stands in for the fence that the
 * poster would need between its own; so a post to a worker that is awake is a ring push and one load.
 *
 * One poster wakes for all that come until the worker is up, and says so only after it has: whoever is stopped between
 * the two makes others wake once more, but none of them waits for it. What it says counts for the sleep it has seen,
 * so that, however late, it does not hide the next one. (Stopped inside its push, a poster does hold up those that
 * pushed after it: the ring is in order. It wakes for all of them when it goes on.)
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

static uint32_t look_at_sleeper(struct weft_worker *worker)
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
	uint32_t seen;

	if (!weft_mpsc_push(worker->mailbox, message))
		return -WEFT_EAGAIN;
	seen = look_at_sleeper(worker);
	if (__builtin_expect((seen & WEFT__ASLEEP) != 0, 0)) {
		weft__worker_kick(worker);
		/* Nothing depends on it: whoever sees it only spares himself a system call that has been made. */
		atomic_compare_exchange_strong_explicit(&worker->sleeping, &seen, seen + 1, memory_order_relaxed,
							memory_order_relaxed);
	}
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

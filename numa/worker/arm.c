/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arming: what must happen before a worker may sleep so that no wake-up is lost.
 */
#include "worker/worker_private.h"

#include <weft/assert.h>

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

bool weft__membarrier_register(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0;
}

static void disarm(struct weft_worker *worker)
{
	atomic_store_explicit(&worker->sleeping, WEFT__AWAKE, memory_order_relaxed);
	worker->armed = false;
	WEFT_LIST_FOR_EACH(link, &worker->pollers) {
		struct weft_poller *poller = WEFT_CONTAINER_OF(link, struct weft_poller, link);

		if (poller->disarm != NULL)
			poller->disarm(poller->user);
	}
}

bool weft_worker_arm(struct weft_worker *worker)
{
	unsigned int done;

	if (!worker->claimed)
		weft__owner_claim(worker);
	worker->armed = true;
	worker->rearm = false;
	WEFT_LIST_FOR_EACH(link, &worker->pollers) {
		struct weft_poller *poller = WEFT_CONTAINER_OF(link, struct weft_poller, link);

		if (poller->arm != NULL)
			poller->arm(poller->user);
	}
	worker->sleep_number += 2;
	/* pairs with the fetch_or in look_at_sleeper, for systems without membarrier */
	atomic_exchange_explicit(&worker->sleeping, worker->sleep_number | WEFT__ASLEEP, memory_order_seq_cst);
	/*
	 * Either a producer's look at a flag comes after this and sees it raised, or what it published before is seen
	 * by the turn below. Pairs with the compiler fences of producers, here and in other processes.
	 */
	if (worker->membarrier)
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0);
	worker->countdown = 0;
	done = weft_worker_poll(worker);
	/* A stop before this may have been looked at already. Pairs with the release in weft_worker_stop */
	if (done == 0 && !worker->rearm &&
	    !(worker->running && atomic_load_explicit(&worker->stop, memory_order_acquire)))
		return true;
	disarm(worker);
	return false;
}

void weft_worker_disarm(struct weft_worker *worker)
{
	WEFT_DASSERT(weft_worker_is_owner(worker));
	if (worker->armed)
		disarm(worker);
	/* Time has passed and descriptors may be ready. */
	worker->countdown = 0;
	worker->fetch_ns = 0;
}

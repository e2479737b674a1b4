/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's timers, on its wheel.
 */
#include "worker/worker_private.h"

#include <weft/assert.h>

void weft_timer_init(struct weft_timer *timer, weft_timer_fn *fire, void *user)
{
	weft_list_init(&timer->link);
	timer->deadline_ns = WEFT_NEVER;
	timer->fire = fire;
	timer->user = user;
}

void weft_timer_set(struct weft_worker *worker, struct weft_timer *timer, uint64_t deadline_ns)
{
	WEFT_DASSERT(weft_worker_is_owner(worker));
	weft_list_remove(&timer->link);
	timer->deadline_ns = deadline_ns;
	if (weft__wheel_add(&worker->wheel, timer))
		worker->countdown = 0;
}

void weft_timer_cancel(struct weft_worker *worker, struct weft_timer *timer)
{
	(void)worker;
	WEFT_DASSERT(weft_worker_is_owner(worker));
	weft_list_remove(&timer->link);
}

bool weft_timer_is_set(const struct weft_timer *timer)
{
	return !weft_list_empty(&timer->link);
}

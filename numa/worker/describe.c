/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker tells about itself.
 */
#include "worker/worker_private.h"

int weft_worker_fd(const struct weft_worker *worker)
{
	return worker->epoll_fd;
}

uint64_t weft_worker_next_ns(const struct weft_worker *worker)
{
	uint64_t timer_ns = weft__wheel_next_ns(&worker->wheel);
	uint64_t backstop_ns = worker->now_ns + worker->backstop_ns;

	if (backstop_ns < worker->now_ns)
		backstop_ns = WEFT_NEVER;
	else if (worker->armless && worker->backstop_ns > WEFT__ARMLESS_SLEEP_NS)
		backstop_ns = worker->now_ns + WEFT__ARMLESS_SLEEP_NS;
	return timer_ns < backstop_ns ? timer_ns : backstop_ns;
}

uint64_t weft_worker_now(const struct weft_worker *worker)
{
	return worker->now_ns;
}

struct weft_clock *weft_worker_clock(const struct weft_worker *worker)
{
	return worker->clock;
}

const char *weft_worker_name(const struct weft_worker *worker)
{
	return worker->name;
}

void *weft_worker_user(const struct weft_worker *worker)
{
	return worker->user;
}

void weft_worker_describe(const struct weft_worker *worker, struct weft_worker_stats *out)
{
	const struct weft__counters *counters = &worker->counters;

	*out = (struct weft_worker_stats){
		.turns = atomic_load_explicit(&counters->turns, memory_order_relaxed),
		.busy_turns = atomic_load_explicit(&counters->busy_turns, memory_order_relaxed),
		.sleeps = atomic_load_explicit(&counters->sleeps, memory_order_relaxed),
		.wakes_by_backstop = atomic_load_explicit(&counters->wakes_by_backstop, memory_order_relaxed),
		.messages = atomic_load_explicit(&counters->messages, memory_order_relaxed),
		.timers_fired = atomic_load_explicit(&counters->timers_fired, memory_order_relaxed),
		.yields = atomic_load_explicit(&counters->yields, memory_order_relaxed),
		.spin_ns = atomic_load_explicit(&counters->spin_ns, memory_order_relaxed),
		.oversubscribed = atomic_load_explicit(&counters->oversubscribed, memory_order_relaxed),
		.membarrier = worker->membarrier,
	};
}

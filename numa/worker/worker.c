/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's life, its turns and its pollers.
 */
#include "ring/mpsc_private.h"
#include "worker/worker_private.h"

#include <weft/assert.h>
#include <weft/errors.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void weft_worker_opts_init(struct weft_worker_opts *opts, size_t size)
{
	struct weft_worker_opts defaults = {
		.size = size,
		.name = "weft",
		.idle = WEFT_IDLE_ADAPTIVE,
		.spin_ns = 50000,
		.backstop_ns = 100000000,
		.mailbox_slots = 1024,
	};

	memset(opts, 0, size);
	memcpy(opts, &defaults, size < sizeof defaults ? size : sizeof defaults);
}

static int check_opts(const struct weft_worker_opts *given, struct weft_worker_opts *opts)
{
	weft_worker_opts_init(opts, sizeof *opts);
	if (given == NULL)
		return 0;
	if (given->size < offsetof(struct weft_worker_opts, name) + sizeof given->name)
		return weft_set_error(WEFT_EINVAL, "worker options were not initialised: size is %zu", given->size);
	memcpy(opts, given, given->size < sizeof *opts ? given->size : sizeof *opts);
	if ((unsigned int)opts->idle > WEFT_IDLE_BLOCK)
		return weft_set_error(WEFT_EINVAL, "worker option idle is %d, which is no strategy", (int)opts->idle);
	if (opts->backstop_ns == 0)
		return weft_set_error(WEFT_EINVAL, "worker option backstop_ns must not be 0");
	if (opts->name == NULL)
		opts->name = "weft";
	if (opts->clock == NULL)
		opts->clock = weft_clock_real();
	return 0;
}

static void init(struct weft_worker *worker, const struct weft_worker_opts *opts)
{
	memset(worker, 0, sizeof *worker);
	strncpy(worker->name, opts->name, sizeof worker->name - 1);
	worker->user = opts->user;
	worker->clock = opts->clock;
	worker->is_virtual = weft_clock_is_virtual(opts->clock);
	worker->backstop_ns = opts->backstop_ns;
	worker->now_ns = weft_clock_now(worker->clock);
	weft_list_init(&worker->pollers);
	weft_list_init(&worker->watches);
	weft__wheel_init(&worker->wheel, worker->now_ns);
	weft__idle_init(worker, opts);
	weft__owner_init(worker);
	worker->membarrier = weft__membarrier_register();
}

int weft_worker_open(const struct weft_worker_opts *opts, struct weft_worker **out)
{
	struct weft_worker_opts full;
	struct weft_worker *worker;
	int rc = check_opts(opts, &full);

	if (rc < 0)
		return rc;
	worker = aligned_alloc(WEFT_CACHE_LINE, sizeof *worker);
	if (worker == NULL)
		return weft_set_error(WEFT_ENOMEM, "no memory for worker %s", full.name);
	init(worker, &full);
	rc = weft_mpsc_open(full.mailbox_slots, sizeof(struct weft_message), &worker->mailbox);
	if (rc < 0)
		goto free_worker;
	rc = weft__fds_open(worker);
	if (rc < 0)
		goto close_mailbox;
	*out = worker;
	return 0;

close_mailbox:
	weft_mpsc_close(&worker->mailbox);
free_worker:
	free(worker);
	return rc;
}

void weft_worker_close(struct weft_worker **worker)
{
	if (*worker == NULL)
		return;
	WEFT_ASSERT(weft_list_empty(&(*worker)->pollers));
	WEFT_ASSERT(weft_list_empty(&(*worker)->watches));
	WEFT_ASSERT(weft__wheel_empty(&(*worker)->wheel));
	weft__fds_close(*worker);
	weft_mpsc_close(&(*worker)->mailbox);
	free(*worker);
	*worker = NULL;
}

/* A system call takes as long as some messages: with traffic it is made seldom, so that few of them wait for it. */
static bool fds_due(const struct weft_worker *worker)
{
	if (worker->callbacks == 0)
		return worker->fetch_ns == 0; /* there may still be a wake-up of our own to take away */
	return worker->now_ns >= worker->fetch_ns || worker->is_virtual ||
	       (worker->eager > 0 && worker->idle.turns >= WEFT__TURNS_PER_TICK);
}

/* What is not worth doing each turn: time, timers, descriptors, counters. */
static __attribute__((noinline)) unsigned int tick(struct weft_worker *worker)
{
	unsigned int done, fired;

	if (!worker->claimed)
		weft__owner_claim(worker);
	worker->countdown = worker->is_virtual ? 0 : WEFT__TURNS_PER_TICK - 1;
	worker->now_ns = weft_clock_now(worker->clock);
	atomic_store_explicit(&worker->counters.turns, worker->turn_count, memory_order_relaxed);
	done = 0;
	/* While armed, an edge taken here would be missing where it ends the sleep. */
	if (fds_due(worker) && !worker->armed && !worker->fetching) {
		weft__fds_fetched(worker);
		done = weft__fds_poll(worker);
	}
	weft__wheel_advance(&worker->wheel, worker->now_ns);
	fired = weft__wheel_fire(&worker->wheel, WEFT__TIMER_BURST);
	if (fired > 0) {
		weft__count(&worker->counters.timers_fired, fired);
		if (!weft_list_empty(&worker->wheel.due))
			worker->countdown = 0;
	}
	return done + fired;
}

static unsigned int poll_all(struct weft_worker *worker)
{
	struct weft__walk walk = {.outer = worker->walks};
	unsigned int done = 0;

	worker->walks = &walk;
	for (struct weft_list *link = worker->pollers.next; link != &worker->pollers; link = walk.next) {
		struct weft_poller *poller = WEFT_CONTAINER_OF(link, struct weft_poller, link);

		walk.next = link->next;
		done += poller->poll(poller->user);
	}
	worker->walks = walk.outer;
	return done;
}

/* Whoever blocks when it is idle may take long over a message, and descriptors and timers are its work: they get their turn
 * after each burst, not after many. */
static __attribute__((noinline)) unsigned int drain(struct weft_worker *worker)
{
	if (worker->idle.strategy == WEFT_IDLE_BLOCK)
		worker->countdown = 0;
	return weft__mailbox_drain(worker);
}

unsigned int weft_worker_poll(struct weft_worker *worker)
{
	unsigned int done = 0;

	WEFT_DASSERT(weft_worker_is_owner(worker));
	worker->turn_count++;
	if (__builtin_expect(weft__mpsc_has(worker->mailbox), 0))
		done += drain(worker);
	if (__builtin_expect(worker->countdown-- == 0, 0))
		done += tick(worker);
	done += poll_all(worker);
	if (done > 0)
		weft__count(&worker->counters.busy_turns, 1);
	return done;
}

unsigned int weft_worker_turn(struct weft_worker *worker, uint64_t deadline_ns)
{
	unsigned int done = weft_worker_poll(worker);

	if (done == 0)
		weft__idle(worker, deadline_ns);
	else if (worker->idle.turns > 0)
		weft__idle_busy(worker);
	return done;
}

void weft_worker_run(struct weft_worker *worker)
{
	weft__owner_claim(worker);
	if (gettid() != getpid())
		pthread_setname_np(pthread_self(), worker->name);
	worker->running = true;
	do
		weft_worker_turn(worker, WEFT_NEVER);
	/* pairs with the release in weft_worker_stop */
	while (!atomic_load_explicit(&worker->stop, memory_order_acquire));
	atomic_store_explicit(&worker->stop, false, memory_order_relaxed);
	worker->running = false;
}

void weft_worker_stop(struct weft_worker *worker)
{
	/* pairs with the acquires in weft_worker_run and weft_worker_arm */
	atomic_store_explicit(&worker->stop, true, memory_order_release);
	weft__worker_kick(worker);
}

void weft_worker_add_poller(struct weft_worker *worker, struct weft_poller *poller)
{
	WEFT_DASSERT(weft_worker_is_owner(worker));
	weft_list_push_back(&worker->pollers, &poller->link);
	worker->armless += poller->arm == NULL;
	worker->rearm = true;
}

void weft_worker_remove_poller(struct weft_worker *worker, struct weft_poller *poller)
{
	WEFT_DASSERT(weft_worker_is_owner(worker));
	if (poller->link.next == NULL || weft_list_empty(&poller->link))
		return;
	for (struct weft__walk *walk = worker->walks; walk != NULL; walk = walk->outer) {
		if (walk->next == &poller->link)
			walk->next = poller->link.next;
	}
	weft_list_remove(&poller->link);
	worker->armless -= poller->arm == NULL;
	if (worker->armed && poller->disarm != NULL)
		poller->disarm(poller->user);
}

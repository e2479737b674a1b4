/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker does when a turn found nothing.
 *
 * The spin lasts twice the mean gap between busy turns, within 20 us and 1 ms: where work comes at such intervals
 * it is met awake, elsewhere spinning longer would not help. Gaps count as 2 ms at most.
 *
 * Spinning against somebody who needs the core to produce our work is worse than sleeping. It shows as involuntary
 * switches of this thread (a sched_yield that lets another run counts as one): they fill a bucket that leaks one
 * each 5 ms, and from 4 on the spin yields the core, until the bucket is empty. It does so after some empty turns
 * only, in which an answer from another core would have come: a yield takes as long as two round trips to there.
 */
#include "worker/worker_private.h"

#include <sched.h>
#include <sys/resource.h>

#define SPIN_MIN_NS 20000u
#define SPIN_MAX_NS 1000000u
#define GAP_MAX_NS 2000000u
#define QUIET_TURNS 2000u
#define ANSWER_TURNS 40u
#define LOOK_NS 1000000u
#define LEAK_NS 5000000u
#define BACKSTOP_MAX_NS 1000000000u
#define BACKSTOP_SHIFT_MAX 4u
#define SCORE_ON 4u
#define SCORE_MAX 20u

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return value < low ? low : value > high ? high : value;
}

static void refresh(struct weft_worker *worker)
{
	worker->now_ns = weft_clock_now(worker->clock);
}

static void set_spin(struct weft_worker *worker, uint64_t spin_ns)
{
	worker->idle.spin_ns = spin_ns;
	atomic_store_explicit(&worker->counters.spin_ns, spin_ns, memory_order_relaxed);
}

void weft__idle_init(struct weft_worker *worker, const struct weft_worker_opts *opts)
{
	worker->idle = (struct weft__idle){
		.strategy = opts->idle,
		.gap_ns = opts->spin_ns / 2,
	};
	set_spin(worker, opts->spin_ns);
}

/* Ends a gap: work has come. */
void weft__idle_busy(struct weft_worker *worker)
{
	struct weft__idle *idle = &worker->idle;
	uint64_t gap_ns;

	/* Gaps that ended before the clock was asked say nothing new, and asking would cost more than they last. */
	if (idle->strategy == WEFT_IDLE_ADAPTIVE && idle->turns > QUIET_TURNS && !idle->oversubscribed) {
		refresh(worker);
		gap_ns = worker->now_ns - idle->since_ns;
		gap_ns = gap_ns < GAP_MAX_NS ? gap_ns : GAP_MAX_NS;
		idle->gap_ns = idle->gap_ns - idle->gap_ns / 8 + gap_ns / 8;
		set_spin(worker,
			 idle->gap_ns < SPIN_MAX_NS ? clamp(2 * idle->gap_ns, SPIN_MIN_NS, SPIN_MAX_NS) : SPIN_MIN_NS);
	}
	idle->turns = 0;
	idle->vain_sleeps = 0;
}

/* Looks whether others wanted our core. Returns whether one has had it since the last look. */
static bool look_at_switches(struct weft_worker *worker)
{
	struct weft__idle *idle = &worker->idle;
	struct rusage usage;
	uint64_t more, leaks = (worker->now_ns - idle->leaked_ns) / LEAK_NS;

	if (getrusage(RUSAGE_THREAD, &usage) < 0)
		return false;
	more = (uint64_t)usage.ru_nivcsw - idle->switches;
	idle->switches = (uint64_t)usage.ru_nivcsw;
	if (leaks > 0) {
		idle->leaked_ns = worker->now_ns;
		idle->score = leaks < idle->score ? idle->score - (unsigned int)leaks : 0;
	}
	/* At the first look the count is that of the thread's life so far. */
	if (idle->looked_ns != 0)
		idle->score = more < SCORE_MAX - idle->score ? idle->score + (unsigned int)more : SCORE_MAX;
	idle->looked_ns = worker->now_ns;
	idle->oversubscribed = idle->oversubscribed ? idle->score > 0 : idle->score >= SCORE_ON;
	atomic_store_explicit(&worker->counters.oversubscribed, idle->oversubscribed, memory_order_relaxed);
	return more > 0;
}

static void yield(struct weft_worker *worker)
{
	weft__count(&worker->counters.yields, 1);
	sched_yield();
	/* Others may have had the core for long: the next turn looks at the time. */
	worker->countdown = 0;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Where nothing can be missed, the back-stop comes ever less often while it finds nothing. */
static uint64_t backstop_span_ns(const struct weft_worker *worker)
{
	if (worker->armless != 0)
		return earlier(worker->backstop_ns, WEFT__ARMLESS_SLEEP_NS);
	if (!worker->membarrier || worker->backstop_ns > BACKSTOP_MAX_NS)
		return worker->backstop_ns;
	return earlier(worker->backstop_ns << earlier(worker->idle.vain_sleeps, BACKSTOP_SHIFT_MAX), BACKSTOP_MAX_NS);
}

static void sleep_until(struct weft_worker *worker, uint64_t deadline_ns)
{
	uint64_t until_ns, backstop_ns;
	int count;

	/* Turned by a callback of a descriptor: the events kept are in use. */
	if (worker->fetching) {
		yield(worker);
		return;
	}
	if (!weft_worker_arm(worker)) {
		weft__idle_busy(worker);
		return;
	}
	refresh(worker);
	backstop_ns = worker->now_ns + earlier(backstop_span_ns(worker), WEFT_NEVER - 1 - worker->now_ns);
	until_ns = earlier(earlier(deadline_ns, backstop_ns), weft__wheel_next_ns(&worker->wheel));
	weft__count(&worker->counters.sleeps, 1);
	count = weft__fds_wait(worker, until_ns > worker->now_ns ? until_ns - worker->now_ns : 0);
	weft_worker_disarm(worker);
	refresh(worker);
	if (count == 0 && until_ns == backstop_ns) {
		weft__count(&worker->counters.wakes_by_backstop, 1);
		worker->idle.vain_sleeps++;
	} else {
		worker->idle.vain_sleeps = 0;
	}
	/* The wait has fetched what there was. */
	weft__fds_fetched(worker);
	if (weft__fds_dispatch(worker) > 0)
		weft__idle_busy(worker);
}

static inline void pause_core(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ __volatile__("isb");
#endif
}

/* The spin of the adaptive strategy, one turn of it. */
static void spin_or_sleep(struct weft_worker *worker, uint64_t deadline_ns)
{
	struct weft__idle *idle = &worker->idle;

	/* Nothing since the last sleep, not even the turn after it: nobody needs to be asked anything. */
	if (idle->vain_sleeps) {
		sleep_until(worker, deadline_ns);
		return;
	}
	if (worker->now_ns - idle->looked_ns >= LOOK_NS)
		look_at_switches(worker);
	if (worker->now_ns - idle->since_ns < idle->spin_ns) {
		if (idle->oversubscribed)
			yield(worker);
		else
			pause_core();
		return;
	}
	if (!idle->oversubscribed) {
		/* Somebody may wait for the core to bring what we wait for: then look again before sleeping. */
		look_at_switches(worker);
		yield(worker);
		if (look_at_switches(worker)) {
			idle->turns = 0;
			return;
		}
	}
	sleep_until(worker, deadline_ns);
}

static void idle_turn(struct weft_worker *worker, uint64_t deadline_ns)
{
	struct weft__idle *idle = &worker->idle;

	switch (idle->strategy) {
	case WEFT_IDLE_SPIN:
		if (idle->turns > QUIET_TURNS)
			pause_core();
		return;
	case WEFT_IDLE_BLOCK:
		sleep_until(worker, deadline_ns);
		return;
	case WEFT_IDLE_YIELD:
		if (worker->now_ns - idle->since_ns < idle->spin_ns)
			yield(worker);
		else
			sleep_until(worker, deadline_ns);
		return;
	case WEFT_IDLE_ADAPTIVE:
		if (idle->turns > QUIET_TURNS || (idle->oversubscribed && idle->turns > ANSWER_TURNS) ||
		    worker->now_ns - idle->since_ns >= idle->spin_ns)
			spin_or_sleep(worker, deadline_ns);
		return;
	}
}

void weft__idle(struct weft_worker *worker, uint64_t deadline_ns)
{
	struct weft__idle *idle = &worker->idle;

	if (worker->is_virtual)
		return;
	if (idle->turns++ == 0)
		idle->since_ns = worker->now_ns;
	if (worker->now_ns < deadline_ns)
		idle_turn(worker, deadline_ns);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves the timers on a virtual clock against a plain table of deadlines: random sets, moves, cancels and jumps of
 * the clock from nanoseconds to days; each fires once, never early, and in the first turn after its slot is over.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <weft/random.h>
#include <weft/worker.h>

#define TIMERS 200u
#define SLOT_NS 1024u

static struct weft_clock *clock_;
static struct weft_worker *worker;

static void set_up(uint64_t start_ns)
{
	struct weft_worker_opts opts;

	CU_ASSERT_EQUAL_FATAL(weft_clock_virtual_open(start_ns, &clock_), 0);
	weft_worker_opts_init(&opts, sizeof opts);
	opts.clock = clock_;
	CU_ASSERT_EQUAL_FATAL(weft_worker_open(&opts, &worker), 0);
}

static void tear_down(void)
{
	weft_worker_close(&worker);
	weft_clock_virtual_close(&clock_);
}

struct model {
	struct weft_timer timer;
	uint64_t deadline_ns; /* WEFT_NEVER: not set */
	unsigned int fired;
};

static unsigned int early;

static void note(struct weft_timer *timer, void *user)
{
	struct model *model = user;

	model->fired++;
	early += weft_clock_now(clock_) < model->deadline_ns || timer != &model->timer;
	model->deadline_ns = WEFT_NEVER;
}

static uint64_t random_span(struct weft_random *random)
{
	/* Spans of all orders of magnitude up to 2^48 ns, 3 days. */
	return weft_random_next(random) >> (16 + weft_random_below(random, 46));
}

static void change_some(struct weft_random *random, struct model *models)
{
	uint64_t now_ns = weft_clock_now(clock_);

	for (uint64_t i = weft_random_below(random, 20); i > 0; i--) {
		struct model *model = &models[weft_random_below(random, TIMERS)];

		if (weft_random_below(random, 4) == 0) {
			weft_timer_cancel(worker, &model->timer);
			model->deadline_ns = WEFT_NEVER;
		} else {
			uint64_t span_ns = random_span(random);

			model->deadline_ns = weft_random_below(random, 10) == 0 && span_ns < now_ns ? now_ns - span_ns
												    : now_ns + span_ns;
			weft_timer_set(worker, &model->timer, model->deadline_ns);
		}
	}
}

static unsigned int overdue(const struct model *models)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < TIMERS; i++) {
		if (models[i].deadline_ns != WEFT_NEVER)
			count += weft_clock_now(clock_) >= models[i].deadline_ns + SLOT_NS;
		CU_ASSERT_EQUAL(weft_timer_is_set(&models[i].timer), models[i].deadline_ns != WEFT_NEVER);
	}
	return count;
}

static void timers_fire_as_a_table_of_deadlines_says(void)
{
	static struct model models[TIMERS];
	struct weft_random random;
	uint64_t seed = 0, next_ns, now_ns;

	CU_ASSERT_EQUAL(weft_random_system(&seed), 0);
	printf(" seed %llu ", (unsigned long long)seed);
	weft_random_seed(&random, seed);
	set_up(weft_random_next(&random) >> 2);
	for (unsigned int i = 0; i < TIMERS; i++) {
		weft_timer_init(&models[i].timer, note, &models[i]);
		models[i].deadline_ns = WEFT_NEVER;
	}
	for (unsigned int step = 0; step < 20000; step++) {
		change_some(&random, models);
		now_ns = weft_clock_now(clock_);
		next_ns = weft_worker_next_ns(worker);
		/* Half of the time exactly to where the worker wants a turn. */
		if ((weft_random_next(&random) & 1) && next_ns > now_ns)
			weft_clock_virtual_set(clock_, next_ns);
		else
			weft_clock_virtual_set(clock_, now_ns + random_span(&random));
		while (weft_worker_poll(worker) > 0)
			;
		CU_ASSERT_EQUAL(overdue(models), 0);
	}
	CU_ASSERT_EQUAL(early, 0);
	for (unsigned int i = 0; i < TIMERS; i++)
		weft_timer_cancel(worker, &models[i].timer);
	tear_down();
}

static uint64_t last_slot;
static unsigned int misplaced;

static void note_order(struct weft_timer *timer, void *user)
{
	uint64_t slot = (timer->deadline_ns + SLOT_NS - 1) / SLOT_NS;

	(void)user;
	misplaced += slot < last_slot;
	last_slot = slot;
}

static void timers_that_become_due_together_fire_in_the_order_of_their_slots(void)
{
	static struct weft_timer timers[TIMERS];
	struct weft_random random;

	weft_random_seed(&random, 11);
	set_up(12345678901);
	for (unsigned int i = 0; i < TIMERS; i++)
		weft_timer_init(&timers[i], note_order, NULL);
	for (unsigned int round = 0; round < 300; round++) {
		unsigned int bits = 10 + (unsigned int)weft_random_below(&random, 38), fired = 0, done;
		uint64_t start_ns = weft_clock_now(clock_), span_ns = UINT64_C(1) << bits;

		for (unsigned int i = 0; i < TIMERS; i++) {
			/* On the way there, so that some come from coarse slots and some do not. */
			if (i == TIMERS / 2) {
				weft_clock_virtual_set(clock_, start_ns + span_ns / 2);
				while (weft_worker_poll(worker) > 0)
					;
				start_ns = weft_clock_now(clock_);
			}
			weft_timer_set(worker, &timers[i],
				       start_ns + span_ns / 2 + 1 + weft_random_below(&random, span_ns));
		}
		last_slot = 0;
		weft_clock_virtual_set(clock_, start_ns + 2 * span_ns + SLOT_NS);
		while ((done = weft_worker_poll(worker)) > 0)
			fired += done;
		CU_ASSERT_EQUAL(fired, TIMERS);
	}
	CU_ASSERT_EQUAL(misplaced, 0);
	tear_down();
}

static void at_most_32_fire_in_a_turn_and_none_is_left_behind(void)
{
	static struct model models[100];

	set_up(1);
	for (unsigned int i = 0; i < 100; i++) {
		weft_timer_init(&models[i].timer, note, &models[i]);
		models[i].deadline_ns = 1000000;
		weft_timer_set(worker, &models[i].timer, 1000000);
	}
	CU_ASSERT_EQUAL(weft_worker_poll(worker), 0);
	weft_clock_virtual_set(clock_, 1000000 + SLOT_NS);
	CU_ASSERT_EQUAL(weft_worker_poll(worker), 32);
	CU_ASSERT_EQUAL(weft_worker_poll(worker), 32);
	CU_ASSERT_EQUAL(weft_worker_poll(worker), 32);
	CU_ASSERT_EQUAL(weft_worker_poll(worker), 4);
	CU_ASSERT_EQUAL(weft_worker_poll(worker), 0);
	tear_down();
}

static struct model pair[2];

static void cancel_other(struct weft_timer *timer, void *user)
{
	struct model *model = user;

	(void)timer;
	model->fired++;
	weft_timer_cancel(worker, &pair[model == pair].timer);
}

static void a_timer_cancelled_by_one_of_the_same_slot_does_not_fire(void)
{
	set_up(1);
	for (unsigned int i = 0; i < 2; i++) {
		weft_timer_init(&pair[i].timer, cancel_other, &pair[i]);
		weft_timer_set(worker, &pair[i].timer, 5000);
	}
	weft_clock_virtual_set(clock_, 100000);
	CU_ASSERT_EQUAL(weft_worker_poll(worker), 1);
	CU_ASSERT_EQUAL(weft_worker_poll(worker), 0);
	CU_ASSERT_EQUAL(pair[0].fired + pair[1].fired, 1);
	tear_down();
}

static void again(struct weft_timer *timer, void *user)
{
	unsigned int *fired = user;

	++*fired;
	weft_timer_set(worker, timer, 0);
}

static void a_timer_that_sets_itself_into_the_past_fires_once_a_turn(void)
{
	struct weft_timer timer;
	unsigned int fired = 0;

	set_up(1000000);
	weft_timer_init(&timer, again, &fired);
	weft_timer_set(worker, &timer, 0);
	for (unsigned int turn = 1; turn < 10; turn++) {
		CU_ASSERT_EQUAL(weft_worker_poll(worker), 1);
		CU_ASSERT_EQUAL(fired, turn);
	}
	weft_timer_cancel(worker, &timer);
	CU_ASSERT_EQUAL(weft_worker_poll(worker), 0);
	tear_down();
}

static void a_timer_for_never_waits_for_ever(void)
{
	struct model model = {.deadline_ns = WEFT_NEVER};

	set_up(1);
	weft_timer_init(&model.timer, note, &model);
	weft_timer_set(worker, &model.timer, WEFT_NEVER);
	for (unsigned int shift = 10; shift < 62; shift++) {
		weft_clock_virtual_set(clock_, UINT64_C(1) << shift);
		CU_ASSERT_EQUAL(weft_worker_poll(worker), 0);
	}
	CU_ASSERT_TRUE(weft_timer_is_set(&model.timer));
	weft_timer_cancel(worker, &model.timer);
	weft_timer_cancel(worker, &model.timer);
	CU_ASSERT_FALSE(weft_timer_is_set(&model.timer));
	tear_down();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(timers_fire_as_a_table_of_deadlines_says),
		SUITE_CASE(timers_that_become_due_together_fire_in_the_order_of_their_slots),
		SUITE_CASE(at_most_32_fire_in_a_turn_and_none_is_left_behind),
		SUITE_CASE(a_timer_cancelled_by_one_of_the_same_slot_does_not_fire),
		SUITE_CASE(a_timer_that_sets_itself_into_the_past_fires_once_a_turn),
		SUITE_CASE(a_timer_for_never_waits_for_ever),
	};

	return suite_main("timer_wheel", cases, SUITE_COUNT(cases), argc, argv);
}

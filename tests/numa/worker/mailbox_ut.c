/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that messages run on the worker's thread, in order and each once, that a full mailbox says so, and that no
 * post is lost to a worker which is falling asleep: its back-stop is a minute, far beyond the test's time limit. Nor is
 * one when another poster is stopped at the worst moment, which a replaced write() shows.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/types.h>
#include <weft/errors.h>
#include <weft/worker.h>

#define MINUTE_NS 60000000000u
#define WAKES 5000u
#define POSTERS 3u
#define EACH 20000u

static struct weft_worker *open_worker(enum weft_idle idle, unsigned int mailbox_slots)
{
	struct weft_worker *worker = NULL;
	struct weft_worker_opts opts;

	weft_worker_opts_init(&opts, sizeof opts);
	opts.idle = idle;
	opts.backstop_ns = MINUTE_NS;
	opts.mailbox_slots = mailbox_slots;
	CU_ASSERT_EQUAL_FATAL(weft_worker_open(&opts, &worker), 0);
	return worker;
}

static void *run(void *worker)
{
	weft_worker_run(worker);
	return NULL;
}

static uint64_t ran;

static void append(struct weft_worker *worker, const struct weft_message *message)
{
	(void)worker;
	ran = ran * 10 + message->with.numbers[0];
}

static void messages_run_in_order_at_most_64_a_turn(void)
{
	struct weft_worker *worker = open_worker(WEFT_IDLE_SPIN, 128);
	struct weft_message message = {.run = append};

	ran = 0;
	for (uint64_t i = 1; i <= 5; i++) {
		message.with.numbers[0] = i;
		CU_ASSERT_EQUAL(weft_worker_post(worker, &message), 0);
	}
	CU_ASSERT_EQUAL(weft_worker_poll(worker), 5);
	CU_ASSERT_EQUAL(ran, 12345);
	for (unsigned int i = 0; i < 128; i++)
		CU_ASSERT_EQUAL(weft_worker_post(worker, &message), 0);
	CU_ASSERT_EQUAL(weft_worker_post(worker, &message), -WEFT_EAGAIN);
	CU_ASSERT_EQUAL(weft_worker_poll(worker), 64);
	CU_ASSERT_EQUAL(weft_worker_poll(worker), 64);
	CU_ASSERT_EQUAL(weft_worker_poll(worker), 0);
	weft_worker_close(&worker);
}

static _Atomic uint64_t echoed;

static void echo(struct weft_worker *worker, const struct weft_message *message)
{
	if (!weft_worker_is_owner(worker))
		return;
	/* pairs with the acquire in wait_for_echo */
	atomic_store_explicit(&echoed, message->with.numbers[0], memory_order_release);
}

static void wait_for_echo(uint64_t number)
{
	/* pairs with the release in echo */
	while (atomic_load_explicit(&echoed, memory_order_acquire) != number)
		sched_yield();
}

/* Pauses of all lengths around the spin, so that posts hit each moment of falling asleep. */
static void wake_it_again_and_again(enum weft_idle idle)
{
	struct weft_worker *worker = open_worker(idle, 1024);
	struct weft_message message = {.run = echo};
	struct weft_worker_stats stats;
	pthread_t thread;

	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, run, worker), 0);
	for (uint64_t number = 1; number <= WAKES; number++) {
		uint64_t until_ns = weft_clock_now(weft_clock_real()) + number * 7919 % 150000;

		while (weft_clock_now(weft_clock_real()) < until_ns)
			;
		message.with.numbers[0] = number;
		CU_ASSERT_EQUAL(weft_worker_post(worker, &message), 0);
		wait_for_echo(number);
	}
	weft_worker_stop(worker);
	pthread_join(thread, NULL);
	weft_worker_describe(worker, &stats);
	CU_ASSERT_EQUAL(stats.messages, WAKES);
	CU_ASSERT_EQUAL(stats.wakes_by_backstop, 0);
	weft_worker_close(&worker);
}

static void a_blocking_worker_misses_no_post(void)
{
	wake_it_again_and_again(WEFT_IDLE_BLOCK);
}

static void an_adaptive_worker_misses_no_post(void)
{
	wake_it_again_and_again(WEFT_IDLE_ADAPTIVE);
}

static void a_yielding_worker_misses_no_post(void)
{
	wake_it_again_and_again(WEFT_IDLE_YIELD);
}

static uint64_t received[POSTERS];
static unsigned int wrong;

static void collect(struct weft_worker *worker, const struct weft_message *message)
{
	uint64_t poster = message->with.numbers[0];

	wrong += message->with.numbers[1] != received[poster]++;
	if (received[0] + received[1] + received[2] == POSTERS * EACH)
		weft_worker_stop(worker);
}

struct poster {
	pthread_t thread;
	struct weft_worker *worker;
	uint64_t id;
};

static void *post_all(void *arg)
{
	const struct poster *poster = arg;
	struct weft_message message = {.run = collect, .with.numbers = {poster->id}};

	for (uint64_t number = 0; number < EACH; number++) {
		message.with.numbers[1] = number;
		while (weft_worker_post(poster->worker, &message) == -WEFT_EAGAIN)
			sched_yield();
	}
	return NULL;
}

static void many_posters_are_all_heard_in_their_order(void)
{
	struct weft_worker *worker = open_worker(WEFT_IDLE_BLOCK, 64);
	struct poster posters[POSTERS];

	for (unsigned int i = 0; i < POSTERS; i++) {
		posters[i] = (struct poster){.worker = worker, .id = i};
		CU_ASSERT_EQUAL_FATAL(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]), 0);
	}
	weft_worker_run(worker);
	for (unsigned int i = 0; i < POSTERS; i++) {
		pthread_join(posters[i].thread, NULL);
		CU_ASSERT_EQUAL(received[i], EACH);
	}
	CU_ASSERT_EQUAL(wrong, 0);
	weft_worker_close(&worker);
}

/* ---- posters that the system stops between two steps ---- */

/* What happens while a poster of this thread is about to write the worker's descriptor; NULL: nothing. The posters of
 * other cases write too, each in a thread of its own. */
static _Thread_local void (*meanwhile)(struct weft_worker *worker);
static _Thread_local struct weft_worker *woken;
static _Thread_local unsigned int wakes;

ssize_t __real_write(int fd, const void *bytes, size_t count);
ssize_t __wrap_write(int fd, const void *bytes, size_t count);
ssize_t __wrap_write(int fd, const void *bytes, size_t count)
{
	void (*happens)(struct weft_worker * worker) = meanwhile;

	meanwhile = NULL;
	wakes += woken != NULL;
	if (happens != NULL)
		happens(woken);
	return __real_write(fd, bytes, count);
}

static bool readable(struct weft_worker *worker)
{
	struct pollfd wait = {.fd = weft_worker_fd(worker), .events = POLLIN};

	return poll(&wait, 1, 0) == 1;
}

static void post_one(struct weft_worker *worker)
{
	struct weft_message message = {.run = append, .with.numbers = {1}};

	CU_ASSERT_EQUAL(weft_worker_post(worker, &message), 0);
}

static void post_and_expect_it_to_wake(struct weft_worker *worker)
{
	unsigned int before = wakes;

	post_one(worker);
	CU_ASSERT_EQUAL(wakes, before + 1);
	CU_ASSERT_TRUE(readable(worker));
}

static void a_poster_stopped_before_it_wakes_holds_up_nobody(void)
{
	woken = open_worker(WEFT_IDLE_BLOCK, 64);
	wakes = 0;
	CU_ASSERT_TRUE(weft_worker_arm(woken));
	meanwhile = post_and_expect_it_to_wake;
	post_one(woken);
	CU_ASSERT_EQUAL(wakes, 2);
	post_one(woken);
	CU_ASSERT_EQUAL(wakes, 2); /* it was woken: that is enough for all who come now */
	weft_worker_disarm(woken);
	CU_ASSERT_EQUAL(weft_worker_poll(woken), 3);
	weft_worker_close(&woken);
}

/* The worker finds the message by itself and sleeps once more. */
static void wake_and_sleep_again(struct weft_worker *worker)
{
	weft_worker_disarm(worker);
	CU_ASSERT_EQUAL(weft_worker_poll(worker), 1);
	CU_ASSERT_EQUAL(weft_worker_poll(worker), 0);
	CU_ASSERT_TRUE(weft_worker_arm(worker));
}

static void a_late_poster_does_not_hide_the_next_sleep(void)
{
	woken = open_worker(WEFT_IDLE_BLOCK, 64);
	wakes = 0;
	CU_ASSERT_TRUE(weft_worker_arm(woken));
	meanwhile = wake_and_sleep_again;
	post_one(woken);
	CU_ASSERT_EQUAL(wakes, 1);
	post_and_expect_it_to_wake(woken);
	weft_worker_disarm(woken);
	CU_ASSERT_EQUAL(weft_worker_poll(woken), 1);
	weft_worker_close(&woken);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(messages_run_in_order_at_most_64_a_turn),
		SUITE_CASE(a_blocking_worker_misses_no_post),
		SUITE_CASE(an_adaptive_worker_misses_no_post),
		SUITE_CASE(a_yielding_worker_misses_no_post),
		SUITE_CASE(a_poster_stopped_before_it_wakes_holds_up_nobody),
		SUITE_CASE(a_late_poster_does_not_hide_the_next_sleep),
		SUITE_CASE(many_posters_are_all_heard_in_their_order),
	};

	return suite_main("mailbox", cases, SUITE_COUNT(cases), argc, argv);
}

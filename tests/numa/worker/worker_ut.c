/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves a worker's turns: pollers and descriptors that come and go inside callbacks, arming, foreign event loops.
 * Sleeps have a back-stop of a minute, so a lost wake-up is a time-out.
 */
#include "suite.h"
#include "worker_fixture.h"

#include <CUnit/Basic.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <weft/errors.h>

/* ---- opening ---- */

static void open_refuses_bad_options_and_keeps_the_others(void)
{
	struct weft_worker_opts opts;

	worker = NULL;
	weft_worker_opts_init(&opts, sizeof opts);
	opts.mailbox_slots = 3;
	CU_ASSERT_EQUAL(weft_worker_open(&opts, &worker), -WEFT_EINVAL);
	weft_worker_opts_init(&opts, sizeof opts);
	opts.backstop_ns = 0;
	CU_ASSERT_EQUAL(weft_worker_open(&opts, &worker), -WEFT_EINVAL);
	weft_worker_opts_init(&opts, sizeof opts);
	opts.idle = (enum weft_idle)9;
	CU_ASSERT_EQUAL(weft_worker_open(&opts, &worker), -WEFT_EINVAL);
	opts.size = 0;
	CU_ASSERT_EQUAL(weft_worker_open(&opts, &worker), -WEFT_EINVAL);
	CU_ASSERT_PTR_NULL(worker);
	worker_set_up(WEFT_IDLE_ADAPTIVE);
	CU_ASSERT_STRING_EQUAL(weft_worker_name(worker), "a name that is ");
	CU_ASSERT_PTR_EQUAL(weft_worker_user(worker), &worker);
	CU_ASSERT_PTR_EQUAL(weft_worker_clock(worker), weft_clock_real());
	CU_ASSERT_EQUAL(weft_worker_poll(worker), 0);
	worker_tear_down();
	weft_worker_close(&worker);
}

/* ---- pollers ---- */

struct probe {
	struct weft_poller poller;
	unsigned int polls, arms, disarms, work;
	struct probe *victim; /* removed at the next poll; may be itself */
	struct probe *extra;  /* added at the next poll */
};

static unsigned int probe_poll(void *user)
{
	struct probe *probe = user;
	unsigned int work = probe->work;

	probe->polls++;
	probe->work = 0;
	if (probe->victim != NULL)
		weft_worker_remove_poller(worker, &probe->victim->poller);
	if (probe->extra != NULL)
		weft_worker_add_poller(worker, &probe->extra->poller);
	probe->victim = probe->extra = NULL;
	return work;
}

static void probe_arm(void *user)
{
	((struct probe *)user)->arms++;
}

static void probe_disarm(void *user)
{
	((struct probe *)user)->disarms++;
}

static void probe_init(struct probe *probe)
{
	*probe = (struct probe){
		.poller = {.poll = probe_poll, .arm = probe_arm, .disarm = probe_disarm, .user = probe}};
}

static void pollers_are_polled_each_turn(void)
{
	struct probe probe;

	worker_set_up(WEFT_IDLE_SPIN);
	probe_init(&probe);
	weft_worker_add_poller(worker, &probe.poller);
	for (unsigned int turn = 1; turn <= 100; turn++) {
		probe.work = turn % 3;
		CU_ASSERT_EQUAL(weft_worker_poll(worker), turn % 3);
		CU_ASSERT_EQUAL(probe.polls, turn);
	}
	weft_worker_remove_poller(worker, &probe.poller);
	weft_worker_remove_poller(worker, &probe.poller);
	CU_ASSERT_EQUAL(weft_worker_poll(worker), 0);
	CU_ASSERT_EQUAL(probe.polls, 100);
	worker_tear_down();
}

static void pollers_may_remove_themselves_and_each_other(void)
{
	struct probe probes[3];

	for (unsigned int by = 0; by < 3; by++) {
		for (unsigned int whom = 0; whom < 3; whom++) {
			worker_set_up(WEFT_IDLE_SPIN);
			for (unsigned int i = 0; i < 3; i++) {
				probe_init(&probes[i]);
				weft_worker_add_poller(worker, &probes[i].poller);
			}
			probes[by].victim = &probes[whom];
			weft_worker_poll(worker);
			weft_worker_poll(worker);
			for (unsigned int i = 0; i < 3; i++) {
				CU_ASSERT_EQUAL(probes[i].polls, i != whom ? 2 : whom <= by ? 1 : 0);
				weft_worker_remove_poller(worker, &probes[i].poller);
			}
			worker_tear_down();
		}
	}
}

static void a_poller_added_by_another_joins_in(void)
{
	struct probe first, second;

	worker_set_up(WEFT_IDLE_SPIN);
	probe_init(&first);
	probe_init(&second);
	first.extra = &second;
	weft_worker_add_poller(worker, &first.poller);
	weft_worker_poll(worker);
	weft_worker_poll(worker);
	CU_ASSERT_EQUAL(first.polls, 2);
	CU_ASSERT_TRUE(second.polls >= 1);
	weft_worker_remove_poller(worker, &first.poller);
	weft_worker_remove_poller(worker, &second.poller);
	worker_tear_down();
}

static unsigned int turn_once_more(void *user)
{
	unsigned int *depth = user;
	unsigned int done = 0;

	if (++*depth < 3)
		done = weft_worker_turn(worker, 0);
	--*depth;
	return done;
}

static void callbacks_may_turn_the_worker(void)
{
	unsigned int depth = 0;
	struct weft_poller poller = {.poll = turn_once_more, .user = &depth};
	struct probe probe;

	worker_set_up(WEFT_IDLE_BLOCK);
	probe_init(&probe);
	weft_worker_add_poller(worker, &poller);
	weft_worker_add_poller(worker, &probe.poller);
	weft_worker_poll(worker);
	CU_ASSERT_TRUE(probe.polls >= 3);
	weft_worker_remove_poller(worker, &poller);
	weft_worker_remove_poller(worker, &probe.poller);
	worker_tear_down();
}

/* ---- arming ---- */

static void arming_says_no_when_there_is_work(void)
{
	struct probe probe;

	worker_set_up(WEFT_IDLE_BLOCK);
	probe_init(&probe);
	weft_worker_add_poller(worker, &probe.poller);
	probe.work = 1;
	CU_ASSERT_FALSE(weft_worker_arm(worker));
	CU_ASSERT_EQUAL(probe.arms, 1);
	CU_ASSERT_EQUAL(probe.disarms, 1);
	CU_ASSERT_TRUE(weft_worker_arm(worker));
	CU_ASSERT_EQUAL(probe.arms, 2);
	CU_ASSERT_EQUAL(probe.disarms, 1);
	weft_worker_disarm(worker);
	CU_ASSERT_EQUAL(probe.disarms, 2);
	weft_worker_disarm(worker);
	CU_ASSERT_EQUAL(probe.disarms, 2);
	weft_worker_remove_poller(worker, &probe.poller);
	worker_tear_down();
}

static void a_poller_that_cannot_wake_is_polled_all_the_same(void)
{
	struct probe probe;

	worker_set_up(WEFT_IDLE_BLOCK);
	probe_init(&probe);
	probe.poller.arm = NULL;
	weft_worker_add_poller(worker, &probe.poller);
	/* With sleeps of a minute this would exceed the test's time. */
	while (probe.polls < 20)
		weft_worker_turn(worker, WEFT_NEVER);
	weft_worker_remove_poller(worker, &probe.poller);
	worker_tear_down();
}

static void nothing(struct weft_worker *at, const struct weft_message *message)
{
	(void)at, (void)message;
}

static void a_foreign_event_loop_is_woken_by_a_post(void)
{
	struct weft_message message = {.run = nothing};
	struct pollfd wait;

	worker_set_up(WEFT_IDLE_ADAPTIVE);
	wait = (struct pollfd){.fd = weft_worker_fd(worker), .events = POLLIN};
	for (unsigned int i = 0; i < 100; i++) {
		CU_ASSERT_TRUE(weft_worker_arm(worker));
		CU_ASSERT_EQUAL(poll(&wait, 1, 0), 0);
		CU_ASSERT_EQUAL(weft_worker_post(worker, &message), 0);
		CU_ASSERT_EQUAL(poll(&wait, 1, -1), 1);
		weft_worker_disarm(worker);
		CU_ASSERT_EQUAL(weft_worker_poll(worker), 1);
		CU_ASSERT_EQUAL(weft_worker_poll(worker), 0);
		CU_ASSERT_EQUAL(weft_worker_post(worker, &message), 0);
		CU_ASSERT_FALSE(weft_worker_arm(worker));
	}
	worker_tear_down();
}

/* ---- descriptors ---- */

struct seen {
	struct weft_fd_watch watch;
	unsigned int calls;
	struct seen *victim;
};

static void on_ready(struct weft_fd_watch *watch, uint32_t events, void *user)
{
	struct seen *seen = user;
	uint64_t count;

	seen->calls += (events & EPOLLIN) != 0 && watch == &seen->watch;
	if (!(watch->events & EPOLLET) && seen->victim == NULL)
		CU_ASSERT_EQUAL(read(watch->fd, &count, sizeof count), sizeof count);
	if (seen->victim != NULL)
		weft_worker_remove_fd(worker, &seen->victim->watch);
}

static void seen_open(struct seen *seen, uint32_t events)
{
	*seen = (struct seen){
		.watch = {.fd = eventfd(0, EFD_CLOEXEC), .events = events, .ready = on_ready, .user = seen}};
	CU_ASSERT_EQUAL(weft_worker_add_fd(worker, &seen->watch), 0);
}

static void ring(const struct seen *seen)
{
	CU_ASSERT_EQUAL(eventfd_write(seen->watch.fd, 1), 0);
}

static void descriptors_are_seen_by_a_busy_and_by_a_sleeping_worker(void)
{
	struct seen seen;

	worker_set_up(WEFT_IDLE_BLOCK);
	seen_open(&seen, EPOLLIN);
	for (unsigned int i = 1; i <= 10; i++) {
		ring(&seen);
		while (seen.calls < i)
			weft_worker_poll(worker);
	}
	for (unsigned int i = 11; i <= 20; i++) {
		ring(&seen);
		while (seen.calls < i)
			weft_worker_turn(worker, WEFT_NEVER);
	}
	CU_ASSERT_EQUAL(weft_worker_change_fd(worker, &seen.watch, 0), 0);
	ring(&seen);
	for (unsigned int i = 0; i < 1000; i++)
		weft_worker_poll(worker);
	CU_ASSERT_EQUAL(seen.calls, 20);
	weft_worker_remove_fd(worker, &seen.watch);
	close(seen.watch.fd);
	worker_tear_down();
}

static unsigned int long_messages;

/* Takes its time, and there is always one more. */
static void take_long(struct weft_worker *at, const struct weft_message *message)
{
	long_messages++;
	usleep(200);
	CU_ASSERT_EQUAL(weft_worker_post(at, message), 0);
}

static void a_worker_that_blocks_looks_at_descriptors_between_long_messages(void)
{
	struct weft_message message = {.run = take_long};
	struct seen seen;

	long_messages = 0;
	worker_set_up(WEFT_IDLE_BLOCK);
	seen_open(&seen, EPOLLIN);
	weft_worker_poll(worker);
	CU_ASSERT_EQUAL(weft_worker_post(worker, &message), 0);
	for (unsigned int i = 1; i <= 3; i++) {
		ring(&seen);
		for (unsigned int turns = 0; turns < 2; turns++)
			weft_worker_poll(worker);
		CU_ASSERT_EQUAL(seen.calls, i);
	}
	CU_ASSERT_TRUE(long_messages >= 6);
	weft_worker_remove_fd(worker, &seen.watch);
	close(seen.watch.fd);
	worker_tear_down();
}

static void a_watch_removed_by_a_callback_is_not_called(void)
{
	struct seen both[2];

	worker_set_up(WEFT_IDLE_SPIN);
	seen_open(&both[0], EPOLLIN);
	seen_open(&both[1], EPOLLIN);
	both[0].victim = &both[1];
	both[1].victim = &both[0];
	ring(&both[0]);
	ring(&both[1]);
	for (unsigned int i = 0; i < 1; i += both[0].calls + both[1].calls)
		weft_worker_poll(worker);
	CU_ASSERT_EQUAL(both[0].calls + both[1].calls, 1);
	both[both[0].calls == 0].victim = &both[both[0].calls == 0];
	for (unsigned int i = 0; i < 1000; i++)
		weft_worker_turn(worker, WEFT_NEVER);
	CU_ASSERT_TRUE(both[0].calls == 0 || both[1].calls == 0);
	for (unsigned int i = 0; i < 2; i++)
		close(both[i].watch.fd);
	worker_tear_down();
}

static void a_watch_without_a_callback_only_wakes(void)
{
	struct pollfd wait;
	struct seen seen;

	worker_set_up(WEFT_IDLE_BLOCK);
	seen = (struct seen){.watch = {.fd = eventfd(0, EFD_CLOEXEC), .events = EPOLLIN | EPOLLET}};
	CU_ASSERT_EQUAL(weft_worker_add_fd(worker, &seen.watch), 0);
	wait = (struct pollfd){.fd = weft_worker_fd(worker), .events = POLLIN};
	for (unsigned int i = 0; i < 10; i++) {
		CU_ASSERT_TRUE(weft_worker_arm(worker));
		ring(&seen);
		CU_ASSERT_EQUAL(poll(&wait, 1, -1), 1);
		weft_worker_disarm(worker);
		CU_ASSERT_EQUAL(weft_worker_poll(worker), 0);
		CU_ASSERT_EQUAL(poll(&wait, 1, 0), 0);
	}
	weft_worker_remove_fd(worker, &seen.watch);
	close(seen.watch.fd);
	worker_tear_down();
}

static void what_epoll_cannot_watch_is_refused(void)
{
	struct weft_fd_watch watch = {.fd = -1, .events = EPOLLIN};

	worker_set_up(WEFT_IDLE_BLOCK);
	CU_ASSERT_EQUAL(weft_worker_add_fd(worker, &watch), -WEFT_EBADF);
	worker_tear_down();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(open_refuses_bad_options_and_keeps_the_others),
		SUITE_CASE(pollers_are_polled_each_turn),
		SUITE_CASE(pollers_may_remove_themselves_and_each_other),
		SUITE_CASE(a_poller_added_by_another_joins_in),
		SUITE_CASE(callbacks_may_turn_the_worker),
		SUITE_CASE(arming_says_no_when_there_is_work),
		SUITE_CASE(a_poller_that_cannot_wake_is_polled_all_the_same),
		SUITE_CASE(a_foreign_event_loop_is_woken_by_a_post),
		SUITE_CASE(descriptors_are_seen_by_a_busy_and_by_a_sleeping_worker),
		SUITE_CASE(a_worker_that_blocks_looks_at_descriptors_between_long_messages),
		SUITE_CASE(a_watch_removed_by_a_callback_is_not_called),
		SUITE_CASE(a_watch_without_a_callback_only_wakes),
		SUITE_CASE(what_epoll_cannot_watch_is_refused),
	};

	return suite_main("worker", cases, SUITE_COUNT(cases), argc, argv);
}

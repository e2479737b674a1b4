/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs to wake a process that sleeps in the kernel, and to take turns on one core.
 *
 * The waker waits until the sleeper says that it is about to sleep, gives it gap_ns more to be really asleep, takes the
 * time, and wakes it. The sleeper takes the time when it runs.
 */
#include "pair_private.h"
#include "timing.h"

#include <weft/errors.h>

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GAP_NS 200000u
#define GAP_NS_MAX 1000000000u

struct wake {
	_Alignas(FLOOR_LINE) _Atomic uint64_t ready; /* round for which the sleeper goes to sleep */
	_Alignas(FLOOR_LINE) _Atomic uint64_t woken_ticks;
	_Alignas(FLOOR_LINE) _Atomic uint32_t futex;
	uint64_t rounds, warmup;
	double gap_ns;
	int event_fd, epoll_fd;
	enum floor_wake kind;
	uint32_t *spans;
};

/* A failed system call makes the test meaningless: the process ends, and the parent says that it died. */
static void must(bool ok)
{
	if (!ok)
		_exit(1);
}

static void sleep_until_woken(struct wake *wake, uint32_t round)
{
	struct epoll_event event;
	uint64_t count;

	switch (wake->kind) {
	case FLOOR_WAKE_EPOLL:
		must(epoll_wait(wake->epoll_fd, &event, 1, -1) == 1);
		return;
	case FLOOR_WAKE_EVENTFD:
		must(read(wake->event_fd, &count, sizeof count) == sizeof count);
		return;
	case FLOOR_WAKE_FUTEX:
		while (atomic_load_explicit(&wake->futex, memory_order_relaxed) != round)
			must(syscall(SYS_futex, &wake->futex, FUTEX_WAIT, round - 1, NULL) == 0 || errno == EAGAIN ||
			     errno == EINTR);
		return;
	}
}

static void wake_up(struct wake *wake, uint32_t round)
{
	uint64_t one = 1;

	if (wake->kind != FLOOR_WAKE_FUTEX) {
		must(write(wake->event_fd, &one, sizeof one) == sizeof one);
		return;
	}
	atomic_store_explicit(&wake->futex, round, memory_order_relaxed);
	must(syscall(SYS_futex, &wake->futex, FUTEX_WAKE, 1) >= 0);
}

static void sleeper(void *shared)
{
	struct wake *wake = shared;

	for (uint64_t i = 1; i <= wake->rounds; i++) {
		/* Pairs with the acquire in waker. */
		atomic_store_explicit(&wake->ready, i, memory_order_release);
		sleep_until_woken(wake, (uint32_t)i);
		/* Pairs with the acquire in waker. */
		atomic_store_explicit(&wake->woken_ticks, weft_clock_ticks(), memory_order_release);
	}
}

static void spin_ns(double ns)
{
	uint64_t start = weft_clock_ticks();

	while (weft_clock_ticks_to_ns(weft_clock_ticks() - start) < ns)
		;
}

static void waker(void *shared)
{
	struct wake *wake = shared;

	for (uint64_t i = 1; i <= wake->rounds; i++) {
		uint64_t start, woken;

		/* Pairs with the release in sleeper. */
		while (atomic_load_explicit(&wake->ready, memory_order_acquire) != i)
			;
		atomic_store_explicit(&wake->woken_ticks, 0, memory_order_relaxed);
		spin_ns(wake->gap_ns);
		start = weft_clock_ticks();
		wake_up(wake, (uint32_t)i);
		/* Pairs with the release in sleeper. */
		while (!(woken = atomic_load_explicit(&wake->woken_ticks, memory_order_acquire)))
			;
		/* Counters of two cores may differ by a few ticks. */
		woken = woken > start ? woken - start : 0;
		if (i > wake->warmup)
			wake->spans[i - 1 - wake->warmup] = woken > UINT32_MAX ? UINT32_MAX : (uint32_t)woken;
	}
}

/* Opens what kind needs. epoll is edge-triggered, as the descriptor is never read then. */
static int wake_open(struct wake *wake)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};

	wake->event_fd = wake->epoll_fd = -1;
	if (wake->kind == FLOOR_WAKE_FUTEX)
		return 0;
	wake->event_fd = eventfd(0, EFD_CLOEXEC);
	wake->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (wake->event_fd >= 0 && wake->epoll_fd >= 0 &&
	    epoll_ctl(wake->epoll_fd, EPOLL_CTL_ADD, wake->event_fd, &event) == 0)
		return 0;
	return weft_set_error(weft_error_from_errno(errno), "cannot open eventfd and epoll: %s", strerror(errno));
}

static void wake_close(struct wake *wake)
{
	if (wake->event_fd >= 0)
		close(wake->event_fd);
	if (wake->epoll_fd >= 0)
		close(wake->epoll_fd);
}

static int wake_run(const struct floor_opts *opts, enum floor_wake kind, double gap_ns, floor__body_fn *from,
		    floor__body_fn *to, struct weft_histogram *histogram, struct floor_latency *out)
{
	uint64_t spans = opts->iterations > opts->warmup ? opts->iterations : opts->warmup;
	size_t bytes = 4096 + spans * sizeof(uint32_t);
	struct wake *wake;
	void *shared;
	int err = floor__shared_map(bytes, &shared);

	if (err)
		return err;
	wake = shared;
	wake->rounds = opts->iterations + opts->warmup;
	wake->warmup = opts->warmup;
	wake->gap_ns = gap_ns;
	wake->kind = kind;
	wake->spans = (uint32_t *)((unsigned char *)shared + 4096);
	err = wake_open(wake);
	if (!err)
		err = floor__pair_run(opts, from, to, shared);
	if (!err)
		err = floor_timing_finish(wake->spans, opts->iterations, histogram, out);
	wake_close(wake);
	floor__shared_unmap(shared, bytes);
	return err;
}

int floor_wake(const struct floor_opts *opts, enum floor_wake kind, uint64_t gap_ns, struct weft_histogram *histogram,
	       struct floor_latency *out)
{
	struct floor_opts checked;
	int err = floor__opts_check(opts, false, 5000, &checked);

	if (err)
		return err;
	if (gap_ns > GAP_NS_MAX || kind > FLOOR_WAKE_FUTEX)
		return weft_set_error(WEFT_EINVAL, "floor wake-up: no such kind, or a gap of over a second");
	return wake_run(&checked, kind, gap_ns ? (double)gap_ns : GAP_NS, waker, sleeper, histogram, out);
}

static void yielder_first(void *shared)
{
	struct wake *wake = shared;
	struct floor_timing timing;

	floor_timing_start(&timing, wake->spans);
	for (uint64_t i = 1; i <= wake->rounds; i++) {
		/* Pairs with the acquire in yielder_second. */
		atomic_store_explicit(&wake->ready, 2 * i - 1, memory_order_release);
		/* Pairs with the release in yielder_second. */
		while (atomic_load_explicit(&wake->ready, memory_order_acquire) != 2 * i)
			sched_yield();
		floor_timing_mark(&timing);
		if (i == wake->warmup)
			floor_timing_start(&timing, wake->spans);
	}
}

static void yielder_second(void *shared)
{
	struct wake *wake = shared;

	for (uint64_t i = 1; i <= wake->rounds; i++) {
		/* Pairs with the release in yielder_first. */
		while (atomic_load_explicit(&wake->ready, memory_order_acquire) != 2 * i - 1)
			sched_yield();
		/* Pairs with the acquire in yielder_first. */
		atomic_store_explicit(&wake->ready, 2 * i, memory_order_release);
	}
}

int floor_yield(const struct floor_opts *opts, struct weft_histogram *histogram, struct floor_latency *out)
{
	struct floor_opts checked;
	int err = floor__opts_check(opts, true, 50000, &checked);

	return err ? err : wake_run(&checked, FLOOR_WAKE_FUTEX, 0, yielder_first, yielder_second, histogram, out);
}

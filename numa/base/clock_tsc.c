/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The counter as a clock. Ticks become nanoseconds by linear pieces. A piece starts where the one before it ends, a
 * little in the future, and is steered so that the error against CLOCK_MONOTONIC is gone about a second later; so
 * the clock never steps back, and a reader never takes the line of one piece beyond the start of the next.
 *
 * Pieces lie in static slots that are used in turn. A reader looks at the count of pieces before and after, so it
 * notices a slot that was written under it.
 */
#include "clock_private.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define SLOTS 8u
#define FIRST_SPAN_NS 2000000u
#define EARLY_PIECE_NS 100000000u
#define PIECE_NS 1000000000u
#define LEAD_NS 5000000u
/* Errors beyond this are stepped over (forwards only): the machine was suspended or the counter was moved. */
#define STEP_NS 1000000
#define BRACKETS 16u

struct piece {
	_Atomic uint64_t start_ticks, start_ns;
	_Atomic uint64_t ns_per_tick;       /* 32.32 fixed point */
	_Atomic uint64_t plain_ns_per_tick; /* from renew_ticks on; the same form */
	_Atomic uint64_t renew_ticks;
};

struct sample {
	uint64_t ticks, ns;
};

static struct piece pieces[SLOTS];
static _Atomic uint64_t piece_count;
static atomic_flag renewing = ATOMIC_FLAG_INIT;
/* Written before the first piece, then only by the thread that renews. */
static struct sample anchor;
static _Atomic double measured_ns_per_tick;

uint64_t weft__clock_monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* A pair of readings of both clocks: of some tries the one that the counter brackets most tightly. */
static struct sample sample_both(void)
{
	struct sample best = {0, 0};
	uint64_t best_width = UINT64_MAX;

	for (unsigned int i = 0; i < BRACKETS; i++) {
		uint64_t before = weft__clock_counter();
		uint64_t ns = weft__clock_monotonic_ns();
		uint64_t width = weft__clock_counter() - before;

		if (width < best_width) {
			best_width = width;
			best = (struct sample){before + width / 2, ns};
		}
	}
	return best;
}

static uint64_t convert(const struct piece *piece, uint64_t ticks)
{
	/* Each acquire pairs with a release in publish(): a torn slot is seen with a changed count. */
	uint64_t start_ticks = atomic_load_explicit(&piece->start_ticks, memory_order_acquire);
	uint64_t start_ns = atomic_load_explicit(&piece->start_ns, memory_order_acquire);
	uint64_t ns_per_tick = atomic_load_explicit(&piece->ns_per_tick, memory_order_acquire);
	uint64_t span = (int64_t)(ticks - start_ticks) > 0 ? ticks - start_ticks : 0;
	uint64_t length = atomic_load_explicit(&piece->renew_ticks, memory_order_acquire) - start_ticks;
	uint64_t beyond = 0;

	/* The slope corrects an error within the piece. Whoever reads seldom goes on at the plain rate from its end, or
	 * the correction would become the next error, and a larger one each time. The acquire
	 * pairs with a release in publish(). */
	if (__builtin_expect(span > length, 0)) {
		uint64_t plain = atomic_load_explicit(&piece->plain_ns_per_tick, memory_order_acquire);

		beyond = (uint64_t)(((unsigned __int128)(span - length) * plain) >> 32);
		span = length;
	}
	return start_ns + (uint64_t)(((unsigned __int128)span * ns_per_tick) >> 32) + beyond;
}

/* Called by one thread at a time. The slot is that of a piece which ended SLOTS - 1 pieces ago. */
static void publish(uint64_t start_ticks, uint64_t start_ns, double ns_per_tick, double plain_ns_per_tick,
		    uint64_t length_ns)
{
	uint64_t count = atomic_load_explicit(&piece_count, memory_order_relaxed);
	struct piece *piece = &pieces[count % SLOTS];
	uint64_t renew_ticks = start_ticks + (uint64_t)((double)length_ns / ns_per_tick);
	uint64_t rate = (uint64_t)(ns_per_tick * 4294967296.0);

	/* Each pairs with its acquire in convert and in weft__clock_counter_now. */
	atomic_store_explicit(&piece->start_ticks, start_ticks, memory_order_release);
	atomic_store_explicit(&piece->start_ns, start_ns, memory_order_release);
	atomic_store_explicit(&piece->ns_per_tick, rate, memory_order_release);
	atomic_store_explicit(&piece->plain_ns_per_tick, (uint64_t)(plain_ns_per_tick * 4294967296.0),
			      memory_order_release);
	atomic_store_explicit(&piece->renew_ticks, renew_ticks, memory_order_release);
	/* pairs with the acquire of the count in weft__clock_counter_now */
	atomic_store_explicit(&piece_count, count + 1, memory_order_release);
}

/* The rate since the anchor, which stays, so that its error shrinks with time; CLOCK_MONOTONIC itself is steered, so
 * the anchor moves on after a while. */
static double measure(const struct sample *now)
{
	double rate = atomic_load_explicit(&measured_ns_per_tick, memory_order_relaxed);

	if (now->ticks > anchor.ticks && now->ns > anchor.ns) {
		double fresh = (double)(now->ns - anchor.ns) / (double)(now->ticks - anchor.ticks);

		/* A counter that was stopped or moved shows as a rate that no steering explains: begin anew. */
		if (fresh > rate * 0.99 && fresh < rate * 1.01)
			rate = fresh;
		else
			anchor = *now;
	}
	if (now->ns - anchor.ns > 64ull * PIECE_NS)
		anchor = *now;
	atomic_store_explicit(&measured_ns_per_tick, rate, memory_order_relaxed);
	return rate;
}

static void renew(const struct piece *piece)
{
	struct sample now = sample_both();
	double rate = measure(&now);
	uint64_t start_ticks = now.ticks + (uint64_t)((double)LEAD_NS / rate);
	uint64_t start_ns = convert(piece, start_ticks);
	int64_t error_ns = (int64_t)(now.ns + LEAD_NS - start_ns);

	if (error_ns > STEP_NS) {
		start_ns += (uint64_t)error_ns;
		error_ns = 0;
	} else if (error_ns < -(int64_t)(PIECE_NS / 2)) {
		error_ns = -(int64_t)(PIECE_NS / 2);
	}
	/* Held up beyond the start, the step from one line to the other could be seen: the next reader tries again. */
	if (weft__clock_counter() < start_ticks)
		publish(start_ticks, start_ns, rate * (1 + (double)error_ns / PIECE_NS), rate, PIECE_NS);
}

uint64_t weft__clock_counter_now(void)
{
	for (;;) {
		/* pairs with the release in publish: the piece is written */
		uint64_t count = atomic_load_explicit(&piece_count, memory_order_acquire);
		const struct piece *piece = &pieces[(count - 1) % SLOTS];
		uint64_t ticks = weft__clock_counter();
		/* The acquires pair with the releases in publish. */
		uint64_t start_ticks = atomic_load_explicit(&piece->start_ticks, memory_order_acquire);
		uint64_t renew_ticks = atomic_load_explicit(&piece->renew_ticks, memory_order_acquire);
		uint64_t ns;

		if (__builtin_expect(ticks < start_ticks, 0) && count > 1)
			piece = &pieces[(count - 2) % SLOTS];
		ns = convert(piece, ticks);
		if (__builtin_expect(atomic_load_explicit(&piece_count, memory_order_relaxed) != count, 0))
			continue;
		/* pairs with the release of the flag below: the anchor and the slots are this thread's */
		if (__builtin_expect(ticks >= renew_ticks, 0) &&
		    !atomic_flag_test_and_set_explicit(&renewing, memory_order_acquire)) {
			if (atomic_load_explicit(&piece_count, memory_order_relaxed) == count)
				renew(piece);
			/* pairs with the acquire above */
			atomic_flag_clear_explicit(&renewing, memory_order_release);
		}
		return ns;
	}
}

double weft__clock_counter_ns_per_tick(void)
{
	return atomic_load_explicit(&measured_ns_per_tick, memory_order_relaxed);
}

void weft__clock_counter_start(void)
{
	struct sample now;
	double rate;

	anchor = sample_both();
	do
		now = sample_both();
	while (now.ns - anchor.ns < FIRST_SPAN_NS || now.ticks == anchor.ticks);
	rate = (double)(now.ns - anchor.ns) / (double)(now.ticks - anchor.ticks);
	atomic_store_explicit(&measured_ns_per_tick, rate, memory_order_relaxed);
	publish(now.ticks, now.ns, rate, rate, EARLY_PIECE_NS);
}

#if defined(__x86_64__)
static bool kernel_trusts_it(void)
{
	char name[16];
	int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return false;
	len = read(fd, name, sizeof name);
	close(fd);
	return len >= 3 && memcmp(name, "tsc", 3) == 0 && (len == 3 || name[3] == '\n');
}

bool weft__clock_counter_usable(const char **reason)
{
	unsigned int eax, ebx, ecx, edx = 0;

	if (!__get_cpuid(0x80000007, &eax, &ebx, &ecx, &edx) || !(edx & (1u << 8))) {
		*reason = "the processor does not say that its timestamp counter is invariant";
		return false;
	}
	if (!kernel_trusts_it()) {
		*reason = "the kernel's clock source is not tsc";
		return false;
	}
	*reason = "";
	return true;
}
#elif defined(__aarch64__)
bool weft__clock_counter_usable(const char **reason)
{
	*reason = "";
	return true;
}
#else
bool weft__clock_counter_usable(const char **reason)
{
	*reason = "no counter is known for this processor";
	return false;
}
#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that the constructors of numa which have no loop of their own beside them fail cleanly, whichever call for memory
 * or descriptors it is that fails: the error is said, *out is untouched, nothing stays behind, and the next attempt
 * succeeds. Segments, mappings, arenas and pools: see mem/.
 */
#include "fault.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>
#include <weft/clock.h>
#include <weft/errors.h>
#include <weft/histogram.h>
#include <weft/plan.h>
#include <weft/ring.h>
#include <weft/topology.h>
#include <weft/worker.h>

#define MANY 200u

/* Opens one of a kind: its code; and closes it. */
struct kind {
	const char *name;
	int (*open)(void **out);
	void (*close)(void **thing);
	unsigned int calls_min; /* that can fail */
};

static struct weft_topology *machine; /* for plans */

static int open_clock(void **out)
{
	return weft_clock_virtual_open(0, (struct weft_clock **)out);
}

static void close_clock(void **thing)
{
	weft_clock_virtual_close((struct weft_clock **)thing);
}

static int open_histogram(void **out)
{
	return weft_histogram_open((struct weft_histogram **)out);
}

static void close_histogram(void **thing)
{
	weft_histogram_close((struct weft_histogram **)thing);
}

static int open_spsc(void **out)
{
	return weft_spsc_open(64, 8, (struct weft_spsc **)out);
}

static void close_spsc(void **thing)
{
	weft_spsc_close((struct weft_spsc **)thing);
}

static int open_mpsc(void **out)
{
	return weft_mpsc_open(64, 8, (struct weft_mpsc **)out);
}

static void close_mpsc(void **thing)
{
	weft_mpsc_close((struct weft_mpsc **)thing);
}

static int open_topology(void **out)
{
	struct weft_topology_opts opts;

	weft_topology_opts_init(&opts, sizeof opts);
	opts.synthetic = "package:2 l3:1 core:2 pu:2";
	return weft_topology_open(&opts, (struct weft_topology **)out);
}

static void close_topology(void **thing)
{
	weft_topology_close((struct weft_topology **)thing);
}

static int open_plan(void **out)
{
	struct weft_cpu_limits limits;
	struct weft_plan_opts opts;

	weft_cpu_limits_none(&limits);
	weft_plan_opts_init(&opts, sizeof opts);
	opts.workers = 20; /* more than there are: with reasons */
	return weft_plan_open(machine, &limits, &opts, (struct weft_plan **)out);
}

static void close_plan(void **thing)
{
	weft_plan_close((struct weft_plan **)thing);
}

static int open_worker(void **out)
{
	struct weft_worker_opts opts;

	weft_worker_opts_init(&opts, sizeof opts);
	return weft_worker_open(&opts, (struct weft_worker **)out);
}

static void close_worker(void **thing)
{
	weft_worker_close((struct weft_worker **)thing);
}

static const struct kind kinds[] = {
	{"virtual clock", open_clock, close_clock, 1},
	{"histogram", open_histogram, close_histogram, 1},
	{"spsc", open_spsc, close_spsc, 1},
	{"mpsc", open_mpsc, close_mpsc, 1},
	{"topology", open_topology, close_topology, 1},
	{"plan", open_plan, close_plan, 1},
	{"worker", open_worker, close_worker, 4},
};
#define KINDS (sizeof kinds / sizeof *kinds)

static bool is_lack(int error)
{
	return error == -WEFT_ENOMEM || error == -WEFT_EMFILE || error == -WEFT_ENOSPC;
}

/* One attempt, of which everything is checked; returns its code. */
static int attempt(const struct kind *kind, bool may_fail, int rc, void *thing)
{
	bool right = rc == 0 ? thing != NULL : may_fail && is_lack(rc) && !thing && weft_last_error()[0];

	if (!right)
		printf("\n\t%s after %s: %s \"%s\" ", kind->name, fault_name(), weft_error_name(rc), weft_last_error());
	CU_ASSERT_TRUE(right);
	if (thing)
		kind->close(&thing);
	CU_ASSERT_PTR_NULL(thing);
	return rc;
}

static void each_call_that_fails_is_said_and_leaves_nothing(void)
{
	for (unsigned int i = 0; i < KINDS; i++) {
		unsigned int skip = 0;
		bool struck = true;
		int rc = -1;

		for (; struck && skip < MANY; skip++) {
			unsigned long kept = fault_count_kept();
			void *thing = NULL;

			fault_arm(skip);
			rc = kinds[i].open(&thing);
			struck = fault_disarm();
			rc = attempt(&kinds[i], struck, rc, thing);
			CU_ASSERT_EQUAL(fault_count_kept(), kept);
		}
		CU_ASSERT_EQUAL(rc, 0);
		CU_ASSERT_TRUE(skip > kinds[i].calls_min);
	}
}

/* Really none left, then one more each time. */
static void without_descriptors_each_says_so_or_needs_none(void)
{
	struct rlimit before, few;
	int next_fd = dup(0);

	close(next_fd);
	getrlimit(RLIMIT_NOFILE, &before);
	for (unsigned int i = 0; i < KINDS; i++) {
		int rc = -1;

		for (int left = 0; rc < 0 && left < 20; left++) {
			void *thing = NULL;

			few = (struct rlimit){(rlim_t)(next_fd + left), before.rlim_max};
			CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &few), 0);
			rc = kinds[i].open(&thing);
			CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &before), 0);
			rc = attempt(&kinds[i], true, rc, thing);
			CU_ASSERT_TRUE(rc == 0 || rc == -WEFT_EMFILE);
		}
		CU_ASSERT_EQUAL(rc, 0);
	}
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(each_call_that_fails_is_said_and_leaves_nothing),
		SUITE_CASE(without_descriptors_each_says_so_or_needs_none),
	};
	void *topology = NULL, *worker = NULL;
	int failed;

	/* What is made once in a process is made before anything is counted. */
	if (open_topology(&topology) < 0 || open_worker(&worker) < 0)
		return 2;
	close_worker(&worker);
	machine = topology;
	failed = suite_main("constructors", cases, SUITE_COUNT(cases), argc, argv);
	close_topology(&topology);
	return failed;
}

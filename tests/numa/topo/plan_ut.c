/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves what a core plan promises: by cases on machines of known shape, and by properties over random machines,
 * masks and wishes (inside the mask, no CPU twice while one is free, the same every time, reasons if and only if
 * something is shared, far or short).
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>
#include <weft/errors.h>
#include <weft/plan.h>
#include <weft/random.h>

struct fixture {
	struct weft_topology *topology;
	struct weft_cpu_limits limits;
	struct weft_plan_opts opts;
	struct weft_plan *plan;
};

static void set_up(struct fixture *f, const char *synthetic, const char *xml)
{
	struct weft_topology_opts opts;

	memset(f, 0, sizeof *f);
	weft_topology_opts_init(&opts, sizeof opts);
	opts.synthetic = synthetic;
	opts.xml_path = xml;
	CU_ASSERT_EQUAL_FATAL(weft_topology_open(&opts, &f->topology), 0);
	weft_cpu_limits_none(&f->limits);
	weft_plan_opts_init(&f->opts, sizeof f->opts);
}

static void make(struct fixture *f)
{
	CU_ASSERT_EQUAL_FATAL(weft_plan_open(f->topology, &f->limits, &f->opts, &f->plan), 0);
}

static void tear_down(struct fixture *f)
{
	if (f->plan)
		weft_plan_close(&f->plan);
	weft_topology_close(&f->topology);
}

static unsigned int cpu_of(const struct fixture *f, unsigned int i)
{
	return weft_plan_at(f->plan, i)->cpu;
}

static bool has_reason(const struct weft_plan *plan, enum weft_plan_code code)
{
	for (unsigned int i = 0; weft_plan_reason_at(plan, i); i++)
		if (weft_plan_reason_at(plan, i)->code == code)
			return true;
	return false;
}

static void on_two_cores_control_blocks_on_the_first_and_the_worker_has_the_second(void)
{
	struct fixture f;

	set_up(&f, "core:2 pu:1", NULL);
	make(&f);
	CU_ASSERT_EQUAL(cpu_of(&f, 0), 0);
	CU_ASSERT_EQUAL(weft_plan_at(f.plan, 0)->idle, WEFT_IDLE_BLOCK);
	CU_ASSERT_EQUAL(cpu_of(&f, 1), 1);
	CU_ASSERT_EQUAL(weft_plan_at(f.plan, 1)->idle, WEFT_IDLE_ADAPTIVE);
	CU_ASSERT_PTR_NULL(weft_plan_reason_at(f.plan, 0));
	tear_down(&f);
}

static void on_one_core_both_share_it_and_the_worker_yields(void)
{
	struct fixture f;

	set_up(&f, "core:1 pu:1", NULL);
	f.opts.idle = WEFT_IDLE_SPIN;
	make(&f);
	CU_ASSERT_EQUAL(cpu_of(&f, 0), cpu_of(&f, 1));
	CU_ASSERT_EQUAL(weft_plan_at(f.plan, 1)->idle, WEFT_IDLE_YIELD);
	CU_ASSERT_TRUE(has_reason(f.plan, WEFT_PLAN_CONTROL_SHARES_CPU));
	tear_down(&f);
}

static void whole_cores_go_before_hardware_threads(void)
{
	struct fixture f;

	set_up(&f, "package:2 numa:4 core:16 pu:2", NULL);
	f.opts.workers = 127;
	make(&f);
	CU_ASSERT_PTR_NULL(weft_plan_reason_at(f.plan, 0));
	for (unsigned int i = 0; i < weft_plan_count(f.plan); i++)
		CU_ASSERT_FALSE(weft_plan_at(f.plan, i)->shares_core);
	weft_plan_close(&f.plan);
	f.opts.workers = 128;
	make(&f);
	CU_ASSERT_TRUE(has_reason(f.plan, WEFT_PLAN_SHARES_CORE));
	CU_ASSERT_FALSE(has_reason(f.plan, WEFT_PLAN_CONTROL_SHARES_CPU));
	tear_down(&f);
}

static void a_worker_goes_to_the_node_of_its_device(void)
{
	static const char *const near[] = {"mlx5_0", "nvme0n1"};
	struct fixture f;

	set_up(&f, NULL, TEST_DATA "/two_nodes.xml");
	f.opts.near_devices = near;
	f.opts.near_count = 2;
	f.opts.workers = 6;
	make(&f);
	for (unsigned int i = 0; i < 6; i++)
		CU_ASSERT_EQUAL(weft_plan_find(f.plan, WEFT_ROLE_WORKER, i)->numa, 1 - i % 2);
	CU_ASSERT_PTR_NULL(weft_plan_reason_at(f.plan, 0));
	weft_plan_close(&f.plan);
	f.opts.near_count = 1;
	make(&f);
	CU_ASSERT_TRUE(has_reason(f.plan, WEFT_PLAN_FAR_FROM_DEVICE));
	tear_down(&f);
}

static void an_unknown_device_is_an_error(void)
{
	static const char *const near[] = {"eth7"};
	struct fixture f;

	set_up(&f, NULL, TEST_DATA "/two_nodes.xml");
	f.opts.near_devices = near;
	f.opts.near_count = 1;
	CU_ASSERT_EQUAL(weft_plan_open(f.topology, &f.limits, &f.opts, &f.plan), -WEFT_ENODEV);
	CU_ASSERT_PTR_NULL(f.plan);
	tear_down(&f);
}

static void isolated_cpus_are_for_workers(void)
{
	struct fixture f;

	set_up(&f, "core:8 pu:1", NULL);
	weft_cpuset_parse("0-1,6-7", &f.limits.isolated);
	f.opts.workers = 4;
	make(&f);
	CU_ASSERT_EQUAL(cpu_of(&f, 0), 2);
	for (unsigned int i = 1; i < 5; i++)
		CU_ASSERT_TRUE(weft_cpuset_has(&f.limits.isolated, cpu_of(&f, i)));
	CU_ASSERT_PTR_NULL(weft_plan_reason_at(f.plan, 0));
	weft_plan_close(&f.plan);
	f.opts.workers = 5;
	make(&f);
	CU_ASSERT_TRUE(has_reason(f.plan, WEFT_PLAN_NOT_ISOLATED));
	tear_down(&f);
}

static void a_quota_below_the_workers_is_said(void)
{
	struct fixture f;

	set_up(&f, "core:8 pu:1", NULL);
	f.limits.cgroup.cpu_milli = 1500;
	make(&f);
	CU_ASSERT_PTR_NULL(weft_plan_reason_at(f.plan, 0));
	weft_plan_close(&f.plan);
	f.opts.workers = 2;
	make(&f);
	CU_ASSERT_TRUE(has_reason(f.plan, WEFT_PLAN_QUOTA));
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_plan_reason_at(f.plan, 0)->text, "1.50"));
	tear_down(&f);
}

static void a_listed_cpu_outside_the_mask_is_an_error_that_names_it(void)
{
	struct weft_cpuset list;
	struct fixture f;

	set_up(&f, "core:8 pu:1", NULL);
	weft_cpuset_parse("0-3", &f.limits.affinity);
	weft_cpuset_parse("2,5", &list);
	f.opts.worker_cpus = &list;
	CU_ASSERT_EQUAL(weft_plan_open(f.topology, &f.limits, &f.opts, &f.plan), -WEFT_ERANGE);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "CPU 5"));
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "affinity mask"));
	weft_cpuset_parse("99", &list);
	CU_ASSERT_EQUAL(weft_plan_open(f.topology, &f.limits, &f.opts, &f.plan), -WEFT_ERANGE);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "does not exist"));
	weft_cpuset_zero(&f.limits.affinity);
	weft_cpuset_parse("0-3", &f.limits.cgroup.cpus);
	weft_cpuset_parse("7", &list);
	CU_ASSERT_EQUAL(weft_plan_open(f.topology, &f.limits, &f.opts, &f.plan), -WEFT_ERANGE);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "cgroup"));
	weft_cpuset_parse("1", &list);
	make(&f);
	CU_ASSERT_EQUAL(cpu_of(&f, 1), 1);
	CU_ASSERT_EQUAL(cpu_of(&f, 0), 0);
	tear_down(&f);
}

static void absurd_wishes_are_refused(void)
{
	struct fixture f;

	set_up(&f, "core:2 pu:1", NULL);
	f.opts.workers = 1000000;
	CU_ASSERT_EQUAL(weft_plan_open(f.topology, &f.limits, &f.opts, &f.plan), -WEFT_EINVAL);
	f.opts.workers = f.opts.controls = 0;
	CU_ASSERT_EQUAL(weft_plan_open(f.topology, &f.limits, &f.opts, &f.plan), -WEFT_EINVAL);
	f.opts.workers = 1;
	weft_cpuset_parse("77", &f.limits.affinity);
	CU_ASSERT_EQUAL(weft_plan_open(f.topology, &f.limits, &f.opts, &f.plan), -WEFT_EINVAL);
	CU_ASSERT_PTR_NULL(f.plan);
	tear_down(&f);
}

/* ---- properties ---- */

static void check_properties(const struct fixture *f, const struct weft_cpuset *allowed)
{
	unsigned int per_cpu[512] = {0}, workers_on[512] = {0}, used = 0, most_workers = 0;
	bool degraded = weft_plan_reason_at(f->plan, 0) != NULL, shared = false;

	for (unsigned int i = 0; i < weft_plan_count(f->plan); i++) {
		const struct weft_plan_entry *entry = weft_plan_at(f->plan, i);

		CU_ASSERT_TRUE_FATAL(entry->cpu < 512 && weft_cpuset_has(allowed, entry->cpu));
		used += per_cpu[entry->cpu]++ == 0;
		workers_on[entry->cpu] += entry->role == WEFT_ROLE_WORKER;
		if (workers_on[entry->cpu] > most_workers)
			most_workers = workers_on[entry->cpu];
		shared = shared || entry->shares_cpu || entry->shares_core;
		CU_ASSERT_FALSE(entry->shares_cpu && entry->idle == WEFT_IDLE_SPIN);
	}
	for (unsigned int i = 0; i < weft_plan_count(f->plan); i++)
		CU_ASSERT_EQUAL(weft_plan_at(f->plan, i)->shares_cpu, per_cpu[weft_plan_at(f->plan, i)->cpu] > 1);
	/* No CPU twice while one is free; workers spread as evenly as can be. */
	CU_ASSERT_TRUE(used == weft_plan_count(f->plan) || used == weft_cpuset_count(allowed));
	CU_ASSERT_TRUE(most_workers <= (f->opts.workers + weft_cpuset_count(allowed) - 1) / weft_cpuset_count(allowed));
	CU_ASSERT_EQUAL(degraded,
			shared || has_reason(f->plan, WEFT_PLAN_NOT_ISOLATED) || has_reason(f->plan, WEFT_PLAN_QUOTA));
}

static void random_machines_and_masks_keep_the_promises(void)
{
	struct weft_random random;
	uint64_t seed = 20;

	for (int round = 0; round < 300; round++, seed++) {
		struct weft_cpuset all, allowed;
		struct weft_plan *again;
		struct fixture f;
		char text[80];
		unsigned int failures = CU_get_number_of_failures();

		weft_random_seed(&random, seed);
		snprintf(text, sizeof text, "package:%u numa:%u core:%u pu:%u",
			 1 + (unsigned)weft_random_below(&random, 2), 1 + (unsigned)weft_random_below(&random, 4),
			 1 + (unsigned)weft_random_below(&random, 8), 1 + (unsigned)weft_random_below(&random, 2));
		set_up(&f, text, NULL);
		weft_topology_cpus(f.topology, &all);
		for (unsigned int cpu = 0; cpu < weft_cpuset_count(&all); cpu++) {
			if (weft_random_below(&random, 3))
				weft_cpuset_add(&f.limits.affinity, cpu);
			if (!weft_random_below(&random, 8))
				weft_cpuset_add(&f.limits.isolated, cpu);
		}
		if (weft_cpuset_is_empty(&f.limits.affinity))
			weft_cpuset_add(&f.limits.affinity, 0);
		allowed = f.limits.affinity;
		f.opts.workers = (unsigned int)weft_random_below(&random, 40);
		f.opts.controls = !f.opts.workers || weft_random_below(&random, 4);
		if (!weft_random_below(&random, 4))
			f.limits.cgroup.cpu_milli = weft_random_below(&random, 20000);
		make(&f);
		check_properties(&f, &allowed);
		CU_ASSERT_EQUAL_FATAL(weft_plan_open(f.topology, &f.limits, &f.opts, &again), 0);
		for (unsigned int i = 0; i < weft_plan_count(again); i++)
			CU_ASSERT_EQUAL(memcmp(weft_plan_at(again, i), weft_plan_at(f.plan, i),
					       sizeof(struct weft_plan_entry)),
					0);
		if (CU_get_number_of_failures() != failures)
			printf("    seed %llu: %s\n", (unsigned long long)seed, text);
		weft_plan_close(&again);
		tear_down(&f);
	}
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(on_two_cores_control_blocks_on_the_first_and_the_worker_has_the_second),
		SUITE_CASE(on_one_core_both_share_it_and_the_worker_yields),
		SUITE_CASE(whole_cores_go_before_hardware_threads),
		SUITE_CASE(a_worker_goes_to_the_node_of_its_device),
		SUITE_CASE(an_unknown_device_is_an_error),
		SUITE_CASE(isolated_cpus_are_for_workers),
		SUITE_CASE(a_quota_below_the_workers_is_said),
		SUITE_CASE(a_listed_cpu_outside_the_mask_is_an_error_that_names_it),
		SUITE_CASE(absurd_wishes_are_refused),
		SUITE_CASE(random_machines_and_masks_keep_the_promises),
	};

	return suite_main("plan", cases, SUITE_COUNT(cases), argc, argv);
}

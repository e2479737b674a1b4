/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker of the tests of workers.
 */
#include "worker_fixture.h"

#include <CUnit/Basic.h>

struct weft_worker *worker;

void worker_set_up(enum weft_idle idle)
{
	struct weft_worker_opts opts;

	weft_worker_opts_init(&opts, sizeof opts);
	opts.idle = idle;
	opts.backstop_ns = WORKER_FIXTURE_BACKSTOP_NS;
	opts.name = WORKER_FIXTURE_NAME;
	opts.user = &worker;
	CU_ASSERT_EQUAL_FATAL(weft_worker_open(&opts, &worker), 0);
}

void worker_tear_down(void)
{
	weft_worker_close(&worker);
	CU_ASSERT_PTR_NULL(worker);
}

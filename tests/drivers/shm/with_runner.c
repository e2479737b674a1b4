/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A runner for tests of single sources.
 */
#include "with_runner.h"

int with_runner_main(const char *name, const struct suite_case *cases, unsigned int case_count, int argc, char **argv,
		     struct weft_worker **runner)
{
	struct weft_worker_opts opts;
	int rc;

	weft_worker_opts_init(&opts, sizeof opts);
	opts.idle = WEFT_IDLE_BLOCK;
	if (weft_worker_open(&opts, runner) < 0)
		return 1;
	rc = suite_main(name, cases, case_count, argc, argv);
	weft_worker_close(runner);
	return rc;
}

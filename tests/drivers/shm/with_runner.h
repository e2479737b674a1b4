/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The main of tests that build paths by hand, and need a runner for what these post to it.
 */
#ifndef WITH_RUNNER_H
#define WITH_RUNNER_H

#include "suite.h"

#include <weft/worker.h>

/* As suite_main, with a worker in *runner as long as the cases run. It takes no turns by itself. */
int with_runner_main(const char *name, const struct suite_case *cases, unsigned int case_count, int argc, char **argv,
		     struct weft_worker **runner);

#endif

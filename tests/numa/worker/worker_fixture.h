/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of workers share: one with a back-stop of a minute, so that a lost wake-up is a time-out.
 */
#ifndef WORKER_FIXTURE_H
#define WORKER_FIXTURE_H

#include <weft/worker.h>

#define WORKER_FIXTURE_NAME "a name that is far too long"
#define WORKER_FIXTURE_BACKSTOP_NS 60000000000u

extern struct weft_worker *worker;

/* Opens it, with &worker as its user. */
void worker_set_up(enum weft_idle idle);
void worker_tear_down(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lock of what belongs to the process, not to a device: descriptors and mappings. It is held for a moment only, and a
 * fork takes place while nobody holds it, so that the child finds it free and what it guards whole.
 */
#ifndef PROCESS_LOCK_H
#define PROCESS_LOCK_H

#include <stdbool.h>

/*
 * Takes it. True once in each forked child: what the caller guards is a copy of what the parent had. forks_seen is the
 * caller's own, 0 at first. Not to be taken twice. Thread: any.
 */
bool shm_process_lock(unsigned int *forks_seen);
void shm_process_unlock(void);

#endif

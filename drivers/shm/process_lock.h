/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lock of what belongs to the process, not to a device: descriptors and mappings. It is held for a moment only, and a
 * fork takes place while nobody holds it, so that the child finds it free and what it guards whole.
 */
#ifndef PROCESS_LOCK_H
#define PROCESS_LOCK_H

/*
 * Returns how many forks lie between the process that began and this one: whoever is told another number than last time
 * has a copy of what its parent had. Not to be taken twice. Thread: any.
 */
unsigned int shm_process_lock(void);
void shm_process_unlock(void);

#endif

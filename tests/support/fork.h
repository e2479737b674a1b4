/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forking in a process that had threads a moment ago.
 */
#ifndef FORK_H
#define FORK_H

#include <sys/types.h>

/*
 * As fork, of a process whose last threads may be ending, as those that close what peers sent: it is waited for them. A
 * child of one that has threads may find a lock of the allocator held for ever by one that it does not have; glibc's own is
 * safe, those of AddressSanitizer and ThreadSanitizer are not. Fails the test when threads stay.
 */
pid_t fork_alone(void);

#endif

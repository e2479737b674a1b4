/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes one call for memory or to the system fail, the first, the second and so on, so that a loop walks through
 * every way in which a constructor can stop half-way:
 *
 *	for (unsigned int skip = 0;; skip++) {
 *		fault_arm(skip);
 *		rc = weft_thing_open(&opts, &thing);
 *		if (!fault_disarm())
 *			break; // it needs no more calls than skip
 *		... rc is an error and nothing leaked, or the thing can do without
 *	}
 *
 * Only the calling thread's calls from the program's own objects count, not those inside shared libraries. The
 * linker's --wrap does it, so the code under test is what is shipped. fault.c lists the calls.
 */
#ifndef FAULT_H
#define FAULT_H

#include <stdbool.h>

/* After skip more calls, one fails. Thread: any; each has its own. */
void fault_arm(unsigned int skip);
/* The same, counting the calls of all threads; how many there are may then differ from run to run. Thread: any. */
void fault_arm_everywhere(unsigned int skip);
/* No more calls fail; whether one has. */
bool fault_disarm(void);
/* The call that failed last, such as "mmap"; for messages. */
const char *fault_name(void);
/* What this process has open and mapped, as two numbers in one: equal before and after means no leak of either. */
unsigned long fault_count_kept(void);
/* Whether no more than that is open and mapped, now or in a moment: a descriptor from a peer may be closed in the background. */
bool fault_keeps_only(unsigned long kept);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two sides over shared memory on a clock that the test moves, and how often the log said something.
 */
#ifndef TWO_SIDES_H
#define TWO_SIDES_H

#include "conformance/side.h"

extern struct side near, far;
extern unsigned int lines; /* of the log, which hold what two_sides_open was given */

/* Opens both, with an end each. Borrows said until they are closed. */
void two_sides_open(const char *said);
void two_sides_close(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The cases of the suite, by file. needs: what a driver must be able to do (enum weft_driver_caps) for the case to
 * apply to it.
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include <weft/driver.h>

struct conformance_case {
	const char *sentence;
	void (*run)(void);
	unsigned int needs;
};
#define CONFORMANCE_CASE(function, needs)  \
	{                                  \
#function, function, needs \
	}
#define CONFORMANCE_END \
	{               \
		0       \
	}

/* Each ends with CONFORMANCE_END. */
extern const struct conformance_case conformance_life[], conformance_frames[], conformance_loans[],
	conformance_limits[], conformance_processes[], conformance_threads[];

/* The driver of that name; NULL with the last error. Drivers know of some, the fabric of more. */
const struct weft_driver *conformance_driver(const char *name);

#endif

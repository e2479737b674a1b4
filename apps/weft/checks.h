/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of `weft doctor`. Each looks at one thing and fills in a finding.
 */
#ifndef CHECKS_H
#define CHECKS_H

#include <stddef.h>

enum severity { SEVERITY_OK, SEVERITY_WARN, SEVERITY_FAIL };

struct finding {
	enum severity severity;
	char measured[160];
	const char *needed, *fix;
};

struct check {
	const char *name;
	void (*run)(const char *root, struct finding *out); /* out starts as OK and empty */
};

extern const struct check cpu_checks[], memory_checks[]; /* end with an empty name */

/* Reads the first line of ROOT/path; "" if it cannot be read. Gives text. */
const char *read_line(const char *root, const char *path, char *text, size_t size_bytes);

#endif

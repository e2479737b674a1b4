/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of `weft doctor`. Each looks at one thing and says what it found, what is needed, and how to get there.
 */
#ifndef CHECKS_H
#define CHECKS_H

#include "machine.h"

enum severity { SEVERITY_OK, SEVERITY_WARN, SEVERITY_FAIL };

struct finding {
	enum severity severity;
	char measured[320], needed[200], fix[320];
};

struct check {
	const char *name;
	bool tries; /* it tries something, so it can be made on this machine only */
	void (*run)(const struct machine *machine, struct finding *out); /* out starts as OK and empty */
};

/* They end with an empty name. */
extern const struct check cpu_checks[], noise_checks[], memory_checks[], system_checks[], peer_checks[];

/* Appends to what was measured. */
void measured(struct finding *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Replaces what is needed, and how to get it. */
void needed(struct finding *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fix(struct finding *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The worse of what it was and this. */
void worsen(struct finding *out, enum severity severity);
/* "1-3", in one of four buffers. */
const char *cpus_text(const struct weft_cpuset *set);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A progress line on a terminal, at most ten times a second; nothing where standard error is no terminal.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what;
	uint64_t start_ns, shown_ns;
	uint64_t total_bytes; /* 0: not known */
	bool terminal;
};

/* A line that says what is waited for, until progress_clear. */
void progress_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void progress_clear(void);

/* Clears the line. Shows nothing where the data itself goes to or comes from a terminal by data_fd. */
void progress_start(struct progress *progress, const char *what, uint64_t total_bytes, int data_fd);
/* Shows how far it is, if enough time has passed. */
void progress_show(struct progress *progress, uint64_t done_bytes);
/* Clears the line and says how much it was in how long. */
void progress_end(struct progress *progress, uint64_t done_bytes);

#endif

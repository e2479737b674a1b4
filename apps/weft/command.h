/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the subcommands of `weft` share.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <argp.h>
#include <stdbool.h>

/* Bad usage: one line on standard error, and this status. */
#define STATUS_USAGE 2

struct command {
	const char *name, *help;
	int (*run)(int argc, char **argv); /* argv[0] is "weft NAME"; gives the exit status */
};

int command_info(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_send(int argc, char **argv);
int command_recv(int argc, char **argv);
int command_perf(int argc, char **argv);

/* argp_parse, but what is wrong is one line (and STATUS_USAGE). */
void parse_arguments(const struct argp *argp, int argc, char **argv, void *input);
/* Prints one line "weft COMMAND: ..." ("weft: ..." before there is a command) and exits with STATUS_USAGE. */
void usage_error(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* Prints the last error, in the same form. Gives exit status 1. */
int command_fail(void);
/* What was printed may still be on its way to a full disk: a command's exit status, or 1, having said why. */
int flush_output(int status);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `weft` command line: finds the subcommand and hands over.
 */
#include "command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct command commands[] = {
	{"info", "show cores, plan, memory, devices and what is degraded", command_info},
	{"doctor", "check what costs performance or will fail, and how to fix it", command_doctor},
	{"send", "stream standard input to a process that receives by name", command_send},
	{"recv", "receive a stream by name, to standard output", command_recv},
	{"perf", "measure latency, rate, bandwidth and requests beside the machine's limit", command_perf},
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

void usage_error(const char *format, ...)
{
	va_list args;

	fputs("weft: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(STATUS_USAGE);
}

static unsigned int least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Levenshtein 1966, one row; words longer than the row count as far. */
static unsigned int edit_distance(const char *a, const char *b)
{
	unsigned int row[32], len = (unsigned int)strlen(b), diagonal, above;

	if (len >= 32 || strlen(a) >= 32)
		return 32;
	for (unsigned int j = 0; j <= len; j++)
		row[j] = j;
	for (unsigned int i = 1; a[i - 1]; i++) {
		diagonal = row[0];
		row[0] = i;
		for (unsigned int j = 1; j <= len; j++) {
			above = row[j];
			row[j] = least(least(above, row[j - 1]) + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[len];
}

static const char *nearest(const char *word)
{
	const struct command *best = &commands[0];

	for (size_t i = 1; i < COMMAND_COUNT; i++)
		if (edit_distance(word, commands[i].name) < edit_distance(word, best->name))
			best = &commands[i];
	return best->name;
}

static int print_help(void)
{
	puts("Usage: weft COMMAND [OPTION...]\n\nCommands:");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].help);
	puts("\n`weft COMMAND --help` tells the options of a command; `weft --version` the version.");
	return 0;
}

int main(int argc, char **argv)
{
	static char name[64];

	argp_err_exit_status = STATUS_USAGE;
	if (argc < 2)
		usage_error("which command? `weft --help` lists them");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
		return print_help();
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		puts("weft " WEFT_VERSION_TEXT);
		return 0;
	}
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(argv[1], commands[i].name) == 0) {
			snprintf(name, sizeof name, "weft %s", commands[i].name);
			argv[1] = name;
			return commands[i].run(argc - 1, argv + 1);
		}
	usage_error("unknown command '%.40s'; the nearest known one is '%s'", argv[1], nearest(argv[1]));
}

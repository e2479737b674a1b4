/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `weft` command line: finds the subcommand and hands over.
 */
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/errors.h>
#include <weft/nearest.h>

static const struct command commands[] = {
	{"info", "show cores, plan, memory, devices and what is degraded", command_info},
	{"doctor", "check what costs performance or will fail, and how to fix it", command_doctor},
	{"send", "stream standard input to a process that receives by name", command_send},
	{"recv", "receive a stream by name, to standard output", command_recv},
	{"perf", "measure latency, rate, bandwidth and requests beside the machine's limit", command_perf},
};
#define COMMAND_COUNT (sizeof commands / sizeof *commands)

/* What each error begins with. */
static char speaker[64] = "weft";

void usage_error(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", speaker);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(STATUS_USAGE);
}

int command_fail(void)
{
	return weft_fail(speaker);
}

/* NULL: none is near. */
static const char *nearest(const char *word)
{
	const char *names[COMMAND_COUNT];

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		names[i] = commands[i].name;
	return weft_nearest(word, names, COMMAND_COUNT);
}

static int print_help(void)
{
	puts("Usage: weft COMMAND [OPTION...]\n\nCommands:");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].help);
	puts("\n`weft COMMAND --help` tells the options of a command; `weft --version` the version.\n"
	     "WEFT_DRIVER=fault+shm and WEFT_FAULT=\"again=0.05,delay=0.01\" in the environment show how it behaves on a bad day.");
	return 0;
}

static int run(int argc, char **argv)
{
	const char *near;

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(argv[1], commands[i].name) == 0) {
			snprintf(speaker, sizeof speaker, "weft %s", commands[i].name);
			argv[1] = speaker;
			return commands[i].run(argc - 1, argv + 1);
		}
	near = nearest(argv[1]);
	if (near)
		usage_error("unknown command '%.40s'; the nearest known one is '%s'", argv[1], near);
	usage_error("unknown command '%.40s'; `weft --help` lists them", argv[1]);
}

/* `weft help` and `weft help NAME`. */
static int help(int argc, char **argv)
{
	static char option[] = "--help";

	if (argc < 3)
		return print_help();
	argv[1] = argv[2];
	argv[2] = option;
	return run(3, argv);
}

/* A standard descriptor that is closed would become one of weft's own. Taken the wrong way round, so that using it fails
 * as before. */
static void keep_standard_descriptors(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
			_exit(1); /* nowhere to say it */
}

int flush_output(int status)
{
	bool lost = ferror(stdout);

	if (fflush(stdout) == 0 && !lost)
		return status;
	fprintf(stderr, "%s: standard output cannot be written: %s\n", speaker,
		lost ? "part of it is lost" : strerror(errno));
	return status ? status : 1;
}

static int dispatch(int argc, char **argv)
{
	if (argc < 2)
		usage_error("which command? `weft --help` lists them");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return print_help();
	if (strcmp(argv[1], "help") == 0)
		return help(argc, argv);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		puts("weft " WEFT_VERSION_TEXT);
		return 0;
	}
	if (argv[1][0] == '-')
		usage_error("unknown option '%.40s'; before a command there are --help and --version", argv[1]);
	return run(argc, argv);
}

int main(int argc, char **argv)
{
	keep_standard_descriptors();
	argp_err_exit_status = STATUS_USAGE;
	return flush_output(dispatch(argc, argv));
}

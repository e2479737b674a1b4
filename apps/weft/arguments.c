/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a command's arguments: argp does it, but first each option is looked at here, so that what is wrong is said
 * in one line, as everywhere.
 */
#include "command.h"

#include <stdlib.h>
#include <string.h>
#include <weft/nearest.h>

#define OPTIONS_MAX 32

/* What is being read; name is the command's. */
struct reading {
	const struct argp_option *options;
	const char *name;
	char **argv;
	int argc, at;
};

static bool is_last(const struct argp_option *option)
{
	return !option->name && !option->key;
}

static const struct argp_option *find_short(const struct reading *reading, char letter)
{
	const struct argp_option *option = reading->options;

	for (; option && !is_last(option); option++)
		if (option->key == letter)
			return option;
	usage_error("unknown option '-%c'; `weft %s --help` lists them", letter, reading->name);
}

/* The option whose name begins so, if no other one's does; or the one whose name it is. */
static const struct argp_option *find_long(const struct reading *reading, const char *name, size_t len)
{
	const struct argp_option *found = NULL;
	const char *names[OPTIONS_MAX] = {"help"};
	unsigned int count = 1;
	char word[32] = "";
	const char *near;

	strncpy(word, name, len < sizeof word ? len : sizeof word - 1);
	for (const struct argp_option *option = reading->options; option && !is_last(option); option++) {
		if (count < OPTIONS_MAX)
			names[count++] = option->name;
		if (!len || strncmp(option->name, name, len) != 0)
			continue;
		if (strlen(option->name) == len)
			return option;
		if (found)
			usage_error("option '--%s' may be --%s or --%s", word, found->name, option->name);
		found = option;
	}
	if (found)
		return found;
	if (strcmp(word, "help") == 0)
		usage_error("option '--help' takes no value");
	near = weft_nearest(word, names, count);
	if (near)
		usage_error("unknown option '--%.40s'; the nearest known one is '--%s'", name, near);
	usage_error("unknown option '--%.40s'; `weft %s --help` lists them", name, reading->name);
}

/* The option's value is the rest of this word, if there is one, or the next word. */
static void want_value(struct reading *reading, const struct argp_option *option, const char *rest)
{
	if (rest)
		return;
	if (reading->at + 1 == reading->argc)
		usage_error("option '%.40s' needs a value: %s", reading->argv[reading->at], option->arg);
	reading->at++;
}

static void check_word(struct reading *reading)
{
	const char *word = reading->argv[reading->at];
	const struct argp_option *option;

	if (word[1] == '-') {
		const char *equals = strchr(word, '=');

		option = find_long(reading, word + 2, equals ? (size_t)(equals - word) - 2 : strlen(word) - 2);
		if (option->arg)
			want_value(reading, option, equals);
		else if (equals)
			usage_error("option '--%s' takes no value", option->name);
		return;
	}
	for (const char *letter = word + 1; *letter; letter++) {
		option = find_short(reading, *letter);
		if (!option->arg)
			continue;
		want_value(reading, option, letter[1] ? letter + 1 : NULL);
		return;
	}
}

static bool is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "-?") == 0;
}

void parse_arguments(const struct argp *argp, int argc, char **argv, void *input)
{
	struct reading reading = {.options = argp->options, .argv = argv, .argc = argc};

	reading.name = strchr(argv[0], ' ') ? strchr(argv[0], ' ') + 1 : argv[0];
	for (reading.at = 1; reading.at < argc && strcmp(argv[reading.at], "--") != 0; reading.at++) {
		if (is_help(argv[reading.at])) {
			argp_help(argp, stdout, ARGP_HELP_STD_HELP, argv[0]);
			exit(flush_output(0));
		}
		if (argv[reading.at][0] == '-' && argv[reading.at][1])
			check_word(&reading);
	}
	if (argp_parse(argp, argc, argv, ARGP_NO_ERRS | ARGP_NO_HELP, NULL, input) != 0)
		usage_error("bad arguments; `weft %s --help` tells which there are", reading.name);
}

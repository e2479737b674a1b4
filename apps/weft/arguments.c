/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a command's arguments: argp does it, but first each option is looked at here, so that what is wrong is said
 * in one line, as everywhere.
 */
#include "command.h"

#include <stdlib.h>
#include <string.h>

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
	usage_error("%s: unknown option '-%c'; `weft %s --help` lists them", reading->name, letter, reading->name);
}

/* The option whose name begins so, if no other one's does; or the one whose name it is. */
static const struct argp_option *find_long(const struct reading *reading, const char *name, size_t len)
{
	const struct argp_option *found = NULL, *nearest = NULL;
	char word[32] = "";

	strncpy(word, name, len < sizeof word ? len : sizeof word - 1);
	for (const struct argp_option *option = reading->options; option && !is_last(option); option++) {
		if (!nearest || edit_distance(word, option->name) < edit_distance(word, nearest->name))
			nearest = option;
		if (!len || strncmp(option->name, name, len) != 0)
			continue;
		if (strlen(option->name) == len)
			return option;
		if (found)
			usage_error("%s: option '--%s' may be --%s or --%s", reading->name, word, found->name,
				    option->name);
		found = option;
	}
	if (found)
		return found;
	if (nearest && edit_distance(word, nearest->name) < strlen(word))
		usage_error("%s: unknown option '--%.40s'; the nearest known one is '--%s'", reading->name, name,
			    nearest->name);
	usage_error("%s: unknown option '--%.40s'; `weft %s --help` lists them", reading->name, name, reading->name);
}

/* The option's value is the rest of this word, if there is one, or the next word. */
static void want_value(struct reading *reading, const struct argp_option *option, const char *rest)
{
	if (rest)
		return;
	if (reading->at + 1 == reading->argc)
		usage_error("%s: option '%.40s' needs a value: %s", reading->name, reading->argv[reading->at],
			    option->arg);
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
			usage_error("%s: option '--%s' takes no value", reading->name, option->name);
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
	return strcmp(word, "--help") == 0 || strcmp(word, "-?") == 0;
}

void parse_arguments(const struct argp *argp, int argc, char **argv, void *input)
{
	struct reading reading = {.options = argp->options, .argv = argv, .argc = argc};

	reading.name = strchr(argv[0], ' ') ? strchr(argv[0], ' ') + 1 : argv[0];
	for (reading.at = 1; reading.at < argc && strcmp(argv[reading.at], "--") != 0; reading.at++) {
		if (is_help(argv[reading.at])) {
			argp_help(argp, stdout, ARGP_HELP_STD_HELP, argv[0]);
			exit(0);
		}
		if (argv[reading.at][0] == '-' && argv[reading.at][1])
			check_word(&reading);
	}
	if (argp_parse(argp, argc, argv, ARGP_NO_ERRS | ARGP_NO_HELP, NULL, input) != 0)
		usage_error("%s: bad arguments; `weft %s --help` tells which there are", reading.name, reading.name);
}

/* One row of the table (Levenshtein 1966); words longer than the row count as far. */
unsigned int edit_distance(const char *a, const char *b)
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
			unsigned int shortest = (row[j - 1] < row[j] ? row[j - 1] : row[j]) + 1;

			above = row[j];
			diagonal += a[i - 1] != b[j - 1];
			row[j] = shortest < diagonal ? shortest : diagonal;
			diagonal = above;
		}
	}
	return row[len];
}

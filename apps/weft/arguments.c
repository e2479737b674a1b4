/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a command's arguments: argp does it, but what is wrong is said in one line, as everywhere.
 */
#include "command.h"

#include <stdlib.h>
#include <string.h>

/* The option that this word names, or NULL. */
static const struct argp_option *find_option(const struct argp *argp, const char *word)
{
	size_t len = strcspn(word + 2, "=");

	for (const struct argp_option *option = argp->options; option && (option->name || option->key); option++) {
		if (word[1] == '-' && option->name && strncmp(option->name, word + 2, len) == 0 && len)
			return option;
		if (word[1] != '-' && option->key == word[1])
			return option;
	}
	return NULL;
}

void parse_arguments(const struct argp *argp, int argc, char **argv, void *input)
{
	const char *name = strchr(argv[0], ' ') ? strchr(argv[0], ' ') + 1 : argv[0];
	const struct argp_option *option;
	const char *word;
	int next = 0;

	/* Without its error messages argp prints no help either. */
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-?") == 0) {
			argp_help(argp, stdout, ARGP_HELP_STD_HELP, argv[0]);
			exit(0);
		}
	if (argp_parse(argp, argc, argv, ARGP_NO_ERRS, &next, input) == 0)
		return;
	word = next > 1 && next <= argc ? argv[next - 1] : argv[argc - 1];
	option = find_option(argp, word);
	if (option && option->arg && !strchr(word, '='))
		usage_error("%s: option '%.40s' needs a value: %s", name, word, option->arg);
	if (option && !option->arg)
		usage_error("%s: option '%.40s' takes no value", name, word);
	usage_error("%s: unknown option '%.40s'; `weft %s --help` lists them", name, word, name);
}

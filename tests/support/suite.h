/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table of sentences makes a test program. Run a program with words to run only the cases whose names contain
 * one of them; --list lists the cases.
 */
#ifndef SUITE_H
#define SUITE_H

struct suite_case {
	const char *sentence;
	void (*run)(void);
};

/* The case's name is its function's name: a sentence in snake_case. */
#define SUITE_CASE(function)        \
	{                           \
#function, function \
	}
#define SUITE_COUNT(cases) (sizeof(cases) / sizeof *(cases))

/* Runs the cases as one CUnit suite. Returns main's exit status: 0, 1 after a failure, 2 when nothing matched. */
int suite_main(const char *name, const struct suite_case *cases, unsigned int case_count, int argc, char **argv);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a table of cases under CUnit.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

static int wanted(const char *sentence, int argc, char **argv)
{
	if (argc < 2)
		return 1;
	for (int i = 1; i < argc; i++)
		if (strstr(sentence, argv[i]))
			return 1;
	return 0;
}

int suite_main(const char *name, const struct suite_case *cases, unsigned int case_count, int argc, char **argv)
{
	unsigned int added = 0, failures;
	CU_pSuite suite;

	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (unsigned int i = 0; i < case_count; i++)
			puts(cases[i].sentence);
		return 0;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (CU_initialize_registry() != CUE_SUCCESS || !(suite = CU_add_suite(name, NULL, NULL)))
		return 2;
	for (unsigned int i = 0; i < case_count; i++)
		if (wanted(cases[i].sentence, argc, argv) && CU_add_test(suite, cases[i].sentence, cases[i].run))
			added++;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures() + CU_get_number_of_suites_failed();
	CU_cleanup_registry();
	if (!added) {
		fprintf(stderr, "%s: no case matches\n", name);
		return 2;
	}
	return failures ? 1 : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that the error table is sound (each code named once, equal to errno where one exists) and that a
 * failure's sentence survives until the next one.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <weft/errors.h>

static void every_code_has_one_name_and_a_text(void)
{
	static const int codes[] = {
#define ROW(name, number, text) number,
		WEFT_ERROR_TABLE(ROW)
#undef ROW
	};

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		CU_ASSERT_STRING_NOT_EQUAL(weft_error_name(codes[i]), "WEFT_E?");
		CU_ASSERT_STRING_EQUAL(weft_error_name(-codes[i]), weft_error_name(codes[i]));
		CU_ASSERT_TRUE(strlen(weft_error_text(codes[i])) > 0);
		for (size_t j = 0; j < i; j++)
			CU_ASSERT_NOT_EQUAL(codes[i], codes[j]);
	}
	CU_ASSERT_STRING_EQUAL(weft_error_name(1999), "WEFT_E?");
	CU_ASSERT_STRING_EQUAL(weft_error_name(INT_MIN), "WEFT_E?");
}

static void codes_below_2000_equal_errno(void)
{
	CU_ASSERT_EQUAL(WEFT_EAGAIN, EAGAIN);
	CU_ASSERT_EQUAL(WEFT_ENOMEM, ENOMEM);
	CU_ASSERT_EQUAL(WEFT_EPROTO, EPROTO);
	CU_ASSERT_EQUAL(WEFT_EMSGSIZE, EMSGSIZE);
	CU_ASSERT_EQUAL(WEFT_ENOTSUP, ENOTSUP);
	CU_ASSERT_EQUAL(WEFT_EADDRINUSE, EADDRINUSE);
	CU_ASSERT_EQUAL(WEFT_ETIMEDOUT, ETIMEDOUT);
	CU_ASSERT_EQUAL(WEFT_ECONNREFUSED, ECONNREFUSED);
	CU_ASSERT_EQUAL(WEFT_ECANCELED, ECANCELED);
}

static void an_errno_without_a_code_becomes_EIO(void)
{
	CU_ASSERT_EQUAL(weft_error_from_errno(ENOMEM), WEFT_ENOMEM);
	CU_ASSERT_EQUAL(weft_error_from_errno(EL2HLT), WEFT_EIO);
	CU_ASSERT_EQUAL(weft_error_from_errno(WEFT_EFORK), WEFT_EIO);
}

static void *fail_elsewhere(void *unused)
{
	weft_set_error(WEFT_EIO, "elsewhere");
	return unused;
}

static void the_last_sentence_is_kept_per_thread(void)
{
	pthread_t thread;

	CU_ASSERT_EQUAL(weft_set_error(WEFT_EINVAL, "slot %d of %s", 7, "ring"), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
	pthread_join(thread, NULL);
	CU_ASSERT_STRING_EQUAL(weft_last_error(), "slot 7 of ring");
}

static void a_sentence_that_is_too_long_is_cut(void)
{
	char text[2000];

	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = 0;
	weft_set_error(WEFT_EINVAL, "%s", text);
	CU_ASSERT_EQUAL(strlen(weft_last_error()), 511);
}

static void a_lack_of_descriptors_names_the_limit_once(void)
{
	struct rlimit limit;
	char text[128];

	CU_ASSERT_EQUAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
	snprintf(text, sizeof text, "no socket; this process may have %llu descriptors open: raise ulimit -n",
		 (unsigned long long)limit.rlim_cur);
	CU_ASSERT_EQUAL(weft_set_error(WEFT_EMFILE, "no socket"), -WEFT_EMFILE);
	CU_ASSERT_STRING_EQUAL(weft_last_error(), text);
	CU_ASSERT_EQUAL(weft_set_error(-WEFT_EMFILE, "raise ulimit -n"), -WEFT_EMFILE);
	CU_ASSERT_STRING_EQUAL(weft_last_error(), "raise ulimit -n");
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(every_code_has_one_name_and_a_text),  SUITE_CASE(codes_below_2000_equal_errno),
		SUITE_CASE(an_errno_without_a_code_becomes_EIO), SUITE_CASE(the_last_sentence_is_kept_per_thread),
		SUITE_CASE(a_sentence_that_is_too_long_is_cut),  SUITE_CASE(a_lack_of_descriptors_names_the_limit_once),
	};

	return suite_main("errors", cases, SUITE_COUNT(cases), argc, argv);
}

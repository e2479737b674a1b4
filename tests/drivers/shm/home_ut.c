/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that no cookie of a loan is ever dropped: when more are out than can come home at once, lending waits.
 */
#include "shm/shm.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <weft/errors.h>

#define PATHS (SHM_HOME_MAX / SHM_LOANS + 1)

static _Alignas(64) struct shm_port port;
static _Alignas(64) struct shm_path paths[PATHS];
static struct weft_buf buf = {.refs = 1};
static bool seen[SHM_HOME_MAX + 1];

static int book(struct shm_path *path, uint64_t cookie)
{
	struct weft_tx_frame frame = {.loan = &buf, .loan_len_bytes = 1, .cookie = cookie};
	struct shm_loan loan;

	return shm_loan_book(path, &frame, &loan);
}

static void many_paths_may_lend_in_full_and_every_cookie_comes_home(void)
{
	uint64_t cookies[32], booked = 0;
	unsigned int got, home = 0;

	port.home = malloc(SHM_HOME_MAX * sizeof *port.home);
	for (unsigned int i = 0; i < PATHS; i++) {
		paths[i].port = &port;
		paths[i].shared[0] = SHM_SHARE_DONE;
		while (book(&paths[i], booked + 1) == 0)
			booked++;
	}
	CU_ASSERT_EQUAL(booked, SHM_HOME_MAX);
	CU_ASSERT_EQUAL(book(&paths[PATHS - 1], 1), -WEFT_EAGAIN);
	CU_ASSERT_EQUAL(book(&paths[PATHS - 1], 0), 0); /* one that nobody waits for */
	for (unsigned int i = 0; i < PATHS; i++)
		shm_loans_home(&paths[i]);
	CU_ASSERT_EQUAL(book(&paths[0], 1), -WEFT_EAGAIN); /* home, but not told yet */
	while ((got = shm_port_reap(&port.base, cookies, 32)))
		for (unsigned int i = 0; i < got; i++) {
			CU_ASSERT_FALSE(seen[cookies[i]]);
			seen[cookies[i]] = true;
			home++;
		}
	CU_ASSERT_EQUAL(home, SHM_HOME_MAX);
	CU_ASSERT_EQUAL(buf.refs, 1);
	CU_ASSERT_EQUAL(book(&paths[0], 1), 0);
	for (unsigned int i = 0; i < PATHS; i++)
		free(paths[i].lent);
	free(port.home);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(many_paths_may_lend_in_full_and_every_cookie_comes_home),
	};

	return suite_main("shm home", cases, SUITE_COUNT(cases), argc, argv);
}

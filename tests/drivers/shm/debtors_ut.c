/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a process has limits for what it borrows by all its paths together, also by those that it has broken and
 * whose loans it keeps; and that another process gets its own all the same.
 */
#include "shm/shm.h"
#include "with_runner.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>

#define PATHS 4u
#define QUOTA_BYTES UINT64_C(1000)
#define GREEDY (INT64_C(1) << 40) /* no process has these numbers */
#define MODEST (GREEDY + 1)

static _Alignas(64) struct shm_port port;
static _Alignas(64) struct shm_path paths[PATHS], modest;
static struct shm_device device;
static struct weft_buf buf = {.refs = 1};

static void set_up(struct shm_path *path, int64_t who)
{
	memset(path, 0, sizeof *path);
	weft_list_init(&path->in_polled);
	weft_list_init(&path->in_port);
	weft_list_init(&path->in_doomed);
	weft_list_init(&path->in_outbox);
	path->port = &port;
	path->device = &device;
	path->state = SHM_PATH_UP;
	path->who = who;
	path->shared[0] = SHM_SHARE_DONE;
}

static void begin(uint64_t quota_bytes)
{
	memset(&port, 0, sizeof port);
	weft_list_init(&port.debtors);
	weft_list_init(&port.outbox);
	port.loan_quota_bytes = quota_bytes;
	for (unsigned int i = 0; i < PATHS; i++)
		set_up(&paths[i], GREEDY);
	set_up(&modest, MODEST);
}

static int lend(struct shm_path *path, uint64_t len_bytes)
{
	struct weft_tx_frame frame = {.loan = &buf, .loan_len_bytes = len_bytes};
	struct shm_loan loan;

	return shm_loan_book(path, &frame, &loan);
}

/* The peer's process has ended. */
static void end(struct shm_path *path)
{
	shm_loans_home(path);
	shm_debtor_leave(path);
	free(path->lent);
}

static void end_all(void)
{
	for (unsigned int i = 0; i < PATHS; i++)
		end(&paths[i]);
	end(&modest);
	CU_ASSERT_TRUE(weft_list_empty(&port.debtors));
	CU_ASSERT_EQUAL(buf.refs, 1);
}

static void a_process_has_a_limit_of_loans_and_others_have_theirs(void)
{
	unsigned int count = 0;

	begin(0);
	for (unsigned int i = 0; i < PATHS; i++)
		while (lend(&paths[i], 1) == 0)
			count++;
	CU_ASSERT_EQUAL(count, 2 * SHM_LOANS);
	CU_ASSERT_EQUAL(lend(&paths[2], 1), -WEFT_EQUOTA);
	for (unsigned int i = 0; i < SHM_LOANS; i++)
		CU_ASSERT_EQUAL(lend(&modest, 1), 0);
	shm_loans_home(&paths[0]);
	CU_ASSERT_EQUAL(lend(&paths[2], 1), 0);
	end_all();
}

/* It has broken these paths, lives on, and may still be reading: what it has stays lent, and counts. */
static void who_breaks_paths_and_comes_again_borrows_no_more_by_that(void)
{
	uint64_t lent_bytes = 0;

	begin(QUOTA_BYTES);
	for (unsigned int i = 0; i < PATHS; i++) {
		while (lend(&paths[i], 100) == 0)
			lent_bytes += 100;
		paths[i].forsaken = true;
		shm_path_disconnect(&paths[i].base);
		CU_ASSERT_EQUAL(paths[i].finished, i > 1);
	}
	CU_ASSERT_EQUAL(lent_bytes, 2 * QUOTA_BYTES);
	CU_ASSERT_EQUAL(lend(&modest, QUOTA_BYTES), 0);
	end_all();
}

static void one_loan_may_always_be_out(void)
{
	begin(QUOTA_BYTES);
	CU_ASSERT_EQUAL(lend(&paths[0], 10 * QUOTA_BYTES), 0);
	CU_ASSERT_EQUAL(lend(&paths[1], 1), -WEFT_EQUOTA);
	CU_ASSERT_EQUAL(lend(&modest, 10 * QUOTA_BYTES), 0);
	end_all();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_process_has_a_limit_of_loans_and_others_have_theirs),
		SUITE_CASE(who_breaks_paths_and_comes_again_borrows_no_more_by_that),
		SUITE_CASE(one_loan_may_always_be_out),
	};

	return with_runner_main("shm debtors", cases, SUITE_COUNT(cases), argc, argv, &device.opts.runner);
}

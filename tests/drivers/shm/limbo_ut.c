/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves for how long a path that is disconnected stays: as long as the peer may hold something of ours, and no longer. A
 * peer whose word says that it has died, and that hangs up and lives on, leaves nothing behind with us. And who has taken
 * leave gets nothing more, for that would never come home.
 */
#include "shm/shm.h"
#include "with_runner.h"

#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>

static _Alignas(64) struct shm_port port;
static _Alignas(64) struct shm_path path;
static struct shm_device device;

/* A path in limbo, of a peer that holds that many loans. */
static void begin(uint32_t lent_count)
{
	memset(&path, 0, sizeof path);
	weft_list_init(&port.outbox);
	weft_list_init(&path.in_outbox);
	path.port = &port;
	path.device = &device;
	path.state = SHM_PATH_LIMBO;
	path.lent_count = lent_count;
}

static bool is_over_after(enum weft_down_reason reason, bool proven)
{
	struct weft_message message = {.with.pointers = {&path}};

	message.with.numbers[1] = (uint64_t)reason;
	message.with.numbers[2] = proven;
	shm_path_down_on_worker(NULL, &message);
	return path.finished;
}

static void a_word_alone_does_not_end_it(void)
{
	begin(0);
	CU_ASSERT_FALSE(is_over_after(WEFT_DOWN_DIED, false));
	CU_ASSERT_TRUE(is_over_after(WEFT_DOWN_DIED, true));
	begin(0);
	CU_ASSERT_FALSE(is_over_after(WEFT_DOWN_DIED, false));
	CU_ASSERT_TRUE(is_over_after(WEFT_DOWN_BROKEN, false)); /* it has hung up */
}

static void loans_keep_it_until_the_proof(void)
{
	begin(1);
	CU_ASSERT_FALSE(is_over_after(WEFT_DOWN_DIED, false));
	CU_ASSERT_FALSE(is_over_after(WEFT_DOWN_BROKEN, false));
	CU_ASSERT_FALSE(is_over_after(WEFT_DOWN_VIOLATION, false));
	CU_ASSERT_TRUE(is_over_after(WEFT_DOWN_DIED, true));
}

/* Until its rings are empty the path still stands. */
static void nothing_is_lent_to_who_has_taken_leave(void)
{
	struct weft_buf buf = {.refs = 1};
	struct weft_tx_frame frame = {.loan = &buf, .loan_len_bytes = 1, .cookie = 1};
	struct shm_loan loan;
	uint64_t home[1];

	begin(0);
	weft_list_init(&path.in_polled);
	weft_list_init(&port.busy);
	port.home = home;
	path.state = SHM_PATH_UP;
	path.busy = true;
	path.shared[0] = SHM_SHARE_DONE;
	CU_ASSERT_EQUAL(shm_loan_book(&path, &frame, &loan), 0);
	CU_ASSERT_FALSE(is_over_after(WEFT_DOWN_CLOSED, true));
	CU_ASSERT_EQUAL(path.state, SHM_PATH_UP);
	CU_ASSERT_EQUAL(buf.refs, 1); /* it has given back what it had */
	CU_ASSERT_EQUAL(shm_loan_book(&path, &frame, &loan), -WEFT_EAGAIN);
	CU_ASSERT_EQUAL(buf.refs, 1);
	free(path.lent);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_word_alone_does_not_end_it),
		SUITE_CASE(loans_keep_it_until_the_proof),
		SUITE_CASE(nothing_is_lent_to_who_has_taken_leave),
	};

	return with_runner_main("shm limbo", cases, SUITE_COUNT(cases), argc, argv, &device.opts.runner);
}

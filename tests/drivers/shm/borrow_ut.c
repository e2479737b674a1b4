/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a borrower knows what it holds: a loan is released once and with its own id, or the program is told at that
 * very call; and a lender that lends an id twice is found out.
 */
#include "shm/shm.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static _Alignas(64) struct shm_port port;
static _Alignas(64) struct shm_path path;
static struct shm_shares shares;
static char memory[4096];
static struct weft_mapping mapping = {.base = memory, .len_bytes = sizeof memory};

static void begin(void)
{
	memset(&port, 0, sizeof port);
	memset(&path, 0, sizeof path);
	memset(&shares, 0, sizeof shares);
	weft_list_init(&port.dirty);
	weft_list_init(&path.in_dirty);
	path.port = &port;
	path.state = SHM_PATH_UP;
	atomic_init(&shares.by_id[0], &mapping);
	atomic_init(&path.shares, &shares);
}

static bool borrow(uint32_t loan_id)
{
	struct shm_loan loan = {.loan_id = loan_id, .offset_bytes = 64, .len_bytes = 100};
	struct weft_rx_frame frame;

	return shm_loan_check(&path, &loan, &frame);
}

/* How a child ends that releases these, one after the other. */
static int release_both(uint32_t first, uint32_t second)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		struct rlimit no_core = {0, 0};

		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGABRT, SIG_DFL);
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
		shm_port_release(&path.base, first);
		shm_port_release(&path.base, second);
		_exit(0);
	}
	waitpid(child, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void each_loan_is_released_once(void)
{
	begin();
	CU_ASSERT_TRUE(borrow(5));
	CU_ASSERT_TRUE(borrow(6));
	CU_ASSERT_EQUAL(release_both(5, 6), 0);
	CU_ASSERT_EQUAL(release_both(6, 5), 0);
	CU_ASSERT_EQUAL(release_both(5, 5), SIGABRT);
	CU_ASSERT_EQUAL(release_both(5, 7), SIGABRT);
	CU_ASSERT_EQUAL(release_both(5, 0x10006), SIGABRT); /* of another generation */
	CU_ASSERT_EQUAL(release_both(5, UINT32_MAX), SIGABRT);
}

static void nothing_is_released_that_was_never_borrowed(void)
{
	begin();
	CU_ASSERT_EQUAL(release_both(0, 0), SIGABRT);
}

static void an_id_is_lent_once_until_it_is_released(void)
{
	begin();
	CU_ASSERT_TRUE(borrow(0));
	CU_ASSERT_FALSE(borrow(0));
	CU_ASSERT_FALSE(borrow(0x10000)); /* the next generation: the first one is not home */
	shm_port_release(&path.base, 0);
	CU_ASSERT_TRUE(borrow(0x10000));
	CU_ASSERT_FALSE(borrow(SHM_LOANS));
	CU_ASSERT_EQUAL(path.borrowed, 2); /* one of them only until its release is sent */
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(each_loan_is_released_once),
		SUITE_CASE(nothing_is_released_that_was_never_borrowed),
		SUITE_CASE(an_id_is_lent_once_until_it_is_released),
	};

	return suite_main("shm borrow", cases, SUITE_COUNT(cases), argc, argv);
}

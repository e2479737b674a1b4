/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a worker has one owner: the first thread that polls it, until another takes it, and never a forked child.
 */
#include "suite.h"
#include "worker_fixture.h"

#include <CUnit/Basic.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static void *ask_owner(void *answer)
{
	*(bool *)answer = weft_worker_is_owner(worker);
	return NULL;
}

static void only_the_first_to_poll_is_owner(void)
{
	pthread_t thread;
	bool other = false;

	worker_set_up(WEFT_IDLE_SPIN);
	CU_ASSERT_TRUE(weft_worker_is_owner(worker));
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, ask_owner, &other), 0);
	pthread_join(thread, NULL);
	CU_ASSERT_TRUE(other);
	weft_worker_poll(worker);
	CU_ASSERT_TRUE(weft_worker_is_owner(worker));
	weft_worker_assert_owner(worker, "test");
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, ask_owner, &other), 0);
	pthread_join(thread, NULL);
	CU_ASSERT_FALSE(other);
	worker_tear_down();
}

static void a_forked_child_owns_nothing_of_its_parent(void)
{
	int status = -1;
	pid_t pid;

	worker_set_up(WEFT_IDLE_SPIN);
	weft_worker_poll(worker);
	pid = fork();
	if (pid == 0)
		_exit(weft_worker_is_owner(worker) || !weft_worker_forked(worker) ? 1 : 0);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_FALSE(weft_worker_forked(worker));
	CU_ASSERT_TRUE(weft_worker_is_owner(worker));
	worker_tear_down();
}

static void *take(void *unused)
{
	weft_worker_take(worker);
	CU_ASSERT_TRUE(weft_worker_is_owner(worker));
	return unused;
}

static void a_thread_that_takes_a_worker_owns_it(void)
{
	pthread_t thread;

	worker_set_up(WEFT_IDLE_SPIN);
	weft_worker_poll(worker);
	CU_ASSERT_EQUAL(pthread_create(&thread, NULL, take, worker), 0);
	pthread_join(thread, NULL);
	CU_ASSERT_FALSE(weft_worker_is_owner(worker));
	weft_worker_take(worker);
	CU_ASSERT_TRUE(weft_worker_is_owner(worker));
	worker_tear_down();
}

static void *claim(void *unused)
{
	weft_worker_poll(worker);
	return unused;
}

/* On one stack after the other: what is the thread's own has the same addresses. */
static void a_thread_is_not_taken_for_one_that_has_ended(void)
{
	static _Alignas(4096) char stack[1 << 20];
	pthread_attr_t attr;
	pthread_t thread;
	bool other = true;

	worker_set_up(WEFT_IDLE_SPIN);
	CU_ASSERT_EQUAL(pthread_attr_init(&attr), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_attr_setstack(&attr, stack, sizeof stack), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, &attr, claim, NULL), 0);
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, &attr, ask_owner, &other), 0);
	pthread_join(thread, NULL);
	CU_ASSERT_FALSE(other);
	pthread_attr_destroy(&attr);
	weft_worker_take(worker);
	worker_tear_down();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(only_the_first_to_poll_is_owner),
		SUITE_CASE(a_thread_that_takes_a_worker_owns_it),
		SUITE_CASE(a_thread_is_not_taken_for_one_that_has_ended),
		SUITE_CASE(a_forked_child_owns_nothing_of_its_parent),
	};

	return suite_main("owner", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that in a runtime directory a stale socket is replaced, once, and nothing else is ever removed.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <weft/weft.h>

#define STARTERS 6
#define ROUNDS 8

static char directory[64], path[128];

static void set_up(void)
{
	strcpy(directory, "/tmp/weft-rendezvous-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/there", directory);
}

static void tear_down(void)
{
	unlink(path);
	CU_ASSERT_EQUAL(rmdir(directory), 0);
}

static int open_there(struct weft_node **node)
{
	struct weft_node_opts opts;

	weft_node_opts_init(&opts, sizeof opts);
	opts.name = "there";
	opts.runtime_dir = directory;
	opts.worker_count = 0;
	return weft_node_open(&opts, node);
}

/* What a process leaves that is killed. */
static void leave_stale(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	close(fd);
}

static void a_stale_socket_is_replaced_and_a_living_one_is_not(void)
{
	struct weft_node *node, *second;

	set_up();
	leave_stale();
	CU_ASSERT_EQUAL_FATAL(open_there(&node), 0);
	CU_ASSERT_EQUAL(open_there(&second), -WEFT_EADDRINUSE);
	CU_ASSERT_EQUAL(access(path, F_OK), 0);
	weft_node_close(&node);
	CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
	tear_down();
}

static void a_directory_is_an_absolute_path_and_an_empty_one_is_none(void)
{
	struct weft_node_opts opts;
	struct weft_node *node;

	strcpy(directory, "run");
	CU_ASSERT_EQUAL(open_there(&node), -WEFT_EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "absolute"));
	CU_ASSERT_NOT_EQUAL(access("run", F_OK), 0);
	strcpy(directory, "/nowhere/run");
	CU_ASSERT_EQUAL(open_there(&node), -WEFT_ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "choose one"));
	weft_node_opts_init(&opts, sizeof opts);
	opts.runtime_dir = "";
	CU_ASSERT_EQUAL_FATAL(weft_node_open(&opts, &node), 0);
	weft_node_close(&node);
}

static void a_file_that_is_no_socket_is_left_alone(void)
{
	struct weft_node *node;
	int fd;

	set_up();
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	CU_ASSERT_TRUE_FATAL(fd >= 0);
	close(fd);
	CU_ASSERT_EQUAL(open_there(&node), -WEFT_EADDRINUSE);
	CU_ASSERT_EQUAL(access(path, F_OK), 0);
	tear_down();
}

static void a_node_removes_only_the_socket_that_it_made(void)
{
	struct weft_node *first, *second;

	set_up();
	CU_ASSERT_EQUAL_FATAL(open_there(&first), 0);
	unlink(path); /* somebody tidies up */
	CU_ASSERT_EQUAL_FATAL(open_there(&second), 0);
	weft_node_close(&first);
	CU_ASSERT_EQUAL(access(path, F_OK), 0);
	weft_node_close(&second);
	CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
	tear_down();
}

struct starter {
	pthread_t thread;
	pthread_barrier_t *barrier;
	struct weft_node *node;
	int rc;
};

static void *start(void *user)
{
	struct starter *starter = user;

	pthread_barrier_wait(starter->barrier);
	starter->rc = open_there(&starter->node);
	return NULL;
}

static void of_many_that_start_at_once_exactly_one_gets_the_name(void)
{
	struct starter starters[STARTERS];
	pthread_barrier_t barrier;

	set_up();
	pthread_barrier_init(&barrier, NULL, STARTERS);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		unsigned int winners = 0;

		leave_stale();
		memset(starters, 0, sizeof starters);
		for (unsigned int i = 0; i < STARTERS; i++) {
			starters[i].barrier = &barrier;
			CU_ASSERT_EQUAL_FATAL(pthread_create(&starters[i].thread, NULL, start, &starters[i]), 0);
		}
		for (unsigned int i = 0; i < STARTERS; i++) {
			pthread_join(starters[i].thread, NULL);
			winners += starters[i].rc == 0;
			CU_ASSERT_TRUE(starters[i].rc == 0 || starters[i].rc == -WEFT_EADDRINUSE);
		}
		CU_ASSERT_EQUAL(winners, 1);
		for (unsigned int i = 0; i < STARTERS; i++)
			weft_node_close(&starters[i].node);
		CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
	}
	pthread_barrier_destroy(&barrier);
	tear_down();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_stale_socket_is_replaced_and_a_living_one_is_not),
		SUITE_CASE(a_directory_is_an_absolute_path_and_an_empty_one_is_none),
		SUITE_CASE(a_file_that_is_no_socket_is_left_alone),
		SUITE_CASE(a_node_removes_only_the_socket_that_it_made),
		SUITE_CASE(of_many_that_start_at_once_exactly_one_gets_the_name),
	};

	return suite_main("rendezvous", cases, SUITE_COUNT(cases), argc, argv);
}

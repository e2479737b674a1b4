/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that what a node could not have is in its list, and that requiring it is an error that says so. Two workers on
 * one CPU are what can be had nowhere.
 */
#include "suite.h"

#include <CUnit/Basic.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <weft/log.h>
#include <weft/weft.h>

static bool small_buffers; /* of sockets that are opened from now on */

int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	static const int small = 100000;

	errno = EPERM;
	if (small_buffers && level == SOL_SOCKET && (name == SO_RCVBUFFORCE || name == SO_SNDBUFFORCE))
		return -1;
	if (small_buffers && level == SOL_SOCKET && (name == SO_RCVBUF || name == SO_SNDBUF))
		value = &small;
	return __real_setsockopt(fd, level, name, value, len);
}

static cpu_set_t before;

static void allow_one_cpu(void)
{
	cpu_set_t one;
	int cpu = 0;

	sched_getaffinity(0, sizeof before, &before);
	while (!CPU_ISSET(cpu, &before))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	CU_ASSERT_EQUAL_FATAL(sched_setaffinity(0, sizeof one, &one), 0);
}

static struct weft_node_opts two_workers(unsigned int require)
{
	struct weft_node_opts opts;

	weft_node_opts_init(&opts, sizeof opts);
	opts.worker_count = 2;
	opts.require = require;
	return opts;
}

static void what_could_not_be_had_is_in_the_list_with_its_requirement(void)
{
	struct weft_node_opts opts = two_workers(0);
	unsigned int all = 0, count = 0;
	struct weft_node *node;
	bool named = false;

	allow_one_cpu();
	CU_ASSERT_EQUAL_FATAL(weft_node_open(&opts, &node), 0);
	for (; weft_node_degraded(node, count); count++) {
		all |= weft_node_degraded_require(node, count);
		if (weft_node_degraded_require(node, count) == WEFT_REQUIRE_PINNING)
			named = named || strstr(weft_node_degraded(node, count), "share a CPU");
	}
	CU_ASSERT_TRUE(named);
	CU_ASSERT_FALSE(all & WEFT_REQUIRE_ZERO_COPY);
	CU_ASSERT_EQUAL(weft_node_degraded_require(node, count), 0);
	weft_node_close(&node);
	sched_setaffinity(0, sizeof before, &before);
}

static void requiring_it_is_an_error_that_names_it_and_why(void)
{
	struct weft_node_opts opts = two_workers(WEFT_REQUIRE_PINNING | WEFT_REQUIRE_ZERO_COPY);
	struct weft_node *node = NULL;

	allow_one_cpu();
	CU_ASSERT_EQUAL(weft_node_open(&opts, &node), -WEFT_EDEGRADED);
	CU_ASSERT_PTR_NULL(node);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "requires pinning"));
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "share a CPU"));
	sched_setaffinity(0, sizeof before, &before);
}

static void requiring_what_can_be_had_changes_nothing(void)
{
	struct weft_node_opts opts = two_workers(WEFT_REQUIRE_ZERO_COPY);
	struct weft_node *node;

	allow_one_cpu();
	CU_ASSERT_EQUAL_FATAL(weft_node_open(&opts, &node), 0);
	weft_node_close(&node);
	sched_setaffinity(0, sizeof before, &before);
}

static unsigned int lines; /* of the log, about receive buffers */

static void count_line(enum weft_log_level level, const char *component, const char *line, void *user)
{
	(void)level;
	(void)user;
	lines += strcmp(component, "node") == 0 && strstr(line, "degraded udp: receive buffers have 100000");
}

/* Two of them, as one is for the loopback of each family. */
static void what_networks_could_not_have_is_in_the_list_once(void)
{
	unsigned int count = 0;
	struct weft_node_opts opts;
	struct weft_node *node;

	weft_node_opts_init(&opts, sizeof opts);
	opts.worker_count = 0;
	opts.listen = "udp:127.0.0.1:0";
	opts.peers = "far=udp:[::1]:9";
	lines = 0;
	weft_log_set_sink(count_line, WEFT_LOG_WARN, NULL);
	small_buffers = true;
	CU_ASSERT_EQUAL_FATAL(weft_node_open(&opts, &node), 0);
	small_buffers = false;
	for (unsigned int i = 0; weft_node_degraded(node, i); i++)
		count += strstr(weft_node_degraded(node, i), "receive buffers have 100000 of 4194304") != NULL;
	CU_ASSERT_EQUAL(count, 1);
	CU_ASSERT_EQUAL(lines, 1);
	weft_node_close(&node);
	weft_log_set_sink(NULL, WEFT_LOG_WARN, NULL);
}

static void each_requirement_has_a_name_and_nothing_else_has(void)
{
	CU_ASSERT_STRING_EQUAL(weft_require_name(WEFT_REQUIRE_HUGE_PAGES), "huge-pages");
	CU_ASSERT_STRING_EQUAL(weft_require_name(WEFT_REQUIRE_ZERO_COPY), "zero-copy");
	CU_ASSERT_STRING_EQUAL(weft_require_name((enum weft_require)0), "?");
	CU_ASSERT_STRING_EQUAL(weft_require_name((enum weft_require)(WEFT_REQUIRE_ZERO_COPY << 1)), "?");
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(what_could_not_be_had_is_in_the_list_with_its_requirement),
		SUITE_CASE(requiring_it_is_an_error_that_names_it_and_why),
		SUITE_CASE(requiring_what_can_be_had_changes_nothing),
		SUITE_CASE(what_networks_could_not_have_is_in_the_list_once),
		SUITE_CASE(each_requirement_has_a_name_and_nothing_else_has),
	};

	return suite_main("degraded", cases, SUITE_COUNT(cases), argc, argv);
}

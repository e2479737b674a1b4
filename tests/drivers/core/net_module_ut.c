/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that drivers of datagrams come out of modules as other drivers do (module_ut.c): found by name and completed, or
 * refused with what is wrong. The modules are built beside this program.
 */
#include "fault.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/driver.h>
#include <weft/errors.h>
#include <weft/net.h>

static bool says(const char *part)
{
	bool found = strstr(weft_last_error(), part) != NULL;

	if (!found)
		printf("\n\t\"%s\" has no \"%s\" ", weft_last_error(), part);
	return found;
}

/* Whether a driver is refused with a sentence that has both parts. */
static bool refused(const char *name, const char *part, const char *other_part)
{
	return !weft_net_driver_find(name) && says(part) && says(other_part);
}

/* First of all, while neither the module nor the table over it is there. */
static void a_driver_for_which_there_is_no_memory_is_found_later(void)
{
	const struct weft_net_driver *driver = NULL;
	unsigned int skip = 0;

	for (bool struck = true; struck && skip < 100; skip++) {
		fault_arm(skip);
		driver = weft_net_driver_find("fault+testnet");
		struck = fault_disarm();
		CU_ASSERT_TRUE(driver || (struck && says("no memory for")));
	}
	CU_ASSERT_PTR_NOT_NULL(driver);
	CU_ASSERT_TRUE(skip > 2);
}

static void a_built_in_driver_is_found_without_a_module(void)
{
	CU_ASSERT_PTR_EQUAL(weft_net_driver_find("udp"), weft_net_driver_at(0));
	CU_ASSERT_STRING_EQUAL(weft_net_driver_at(0)->name, "udp");
}

static void a_driver_in_a_module_is_found_and_stays_the_same(void)
{
	const struct weft_net_driver *driver = weft_net_driver_find("testnet");

	CU_ASSERT_PTR_NOT_NULL_FATAL(driver);
	CU_ASSERT_STRING_EQUAL(driver->name, "testnet");
	CU_ASSERT_PTR_EQUAL(weft_net_driver_find("testnet"), driver);
	CU_ASSERT_STRING_EQUAL(weft_net_driver_find("fault+testnet")->name, "fault+testnet");
}

static void send_to_itself(struct weft_net_port *port, struct weft_net_route *route)
{
	struct weft_net_tx packet = {.route = route, .pieces = {{"\0\1word", 6, NULL}}, .piece_count = 1};
	struct weft_net_rx got;

	CU_ASSERT_EQUAL(port->tx(port, &packet, 1), 1);
	CU_ASSERT_EQUAL_FATAL(port->rx(port, &got, 1), 1);
	CU_ASSERT_EQUAL(got.len_bytes, 6);
	CU_ASSERT_EQUAL(memcmp(got.data, "\0\1word", 6), 0);
	port->reap_due = true;
	port->reap(port);
	CU_ASSERT_FALSE(port->reap_due);
}

static void a_smaller_table_gets_what_it_lacks(void)
{
	const struct weft_net_driver *driver = weft_net_driver_find("testnet");
	struct weft_net_stats stats = {.tx_packets = 1};
	struct weft_net_port_opts port_opts;
	struct weft_net_address address;
	struct weft_net_route *route = NULL;
	struct weft_net_port *port = NULL;
	struct weft_net_opts net_opts;
	struct weft_net *net = NULL;

	CU_ASSERT_PTR_NOT_NULL_FATAL(driver);
	CU_ASSERT_EQUAL(driver->size, sizeof *driver);
	CU_ASSERT_STRING_EQUAL(driver->copies, "it does not say what it copies");
	CU_ASSERT_EQUAL(driver->caps, WEFT_NET_CHECKSUM); /* nothing that needs what it lacks */
	weft_net_opts_init(&net_opts, sizeof net_opts);
	weft_net_port_opts_init(&port_opts, sizeof port_opts);
	port_opts.index = 1;
	CU_ASSERT_EQUAL_FATAL(weft_net_open(driver, &net_opts, &net), 0);
	CU_ASSERT_PTR_NULL(driver->degraded(net, 0));
	CU_ASSERT_EQUAL_FATAL(weft_net_port_open(driver, net, &port_opts, &port), 0);
	CU_ASSERT_PTR_EQUAL(port->driver, driver);
	driver->describe(port, &stats);
	CU_ASSERT_EQUAL(stats.tx_packets, 0);
	driver->arm(port, true);
	driver->address(net, &address);
	CU_ASSERT_EQUAL_FATAL(driver->route_open(port, &address, &route), 0);
	send_to_itself(port, route);
	driver->route_close(&route);
	driver->port_close(&port);
	driver->close(&net);
}

/* One without any function is a driver still, which says so. */
static void a_table_of_names_only_can_do_nothing_and_says_so(void)
{
	const struct weft_net_driver *driver = weft_net_driver_find("besidenet");
	struct weft_net_address address = {.len_bytes = 9};
	struct weft_net_opts opts;
	struct weft_net *net = NULL;
	char text[WEFT_NET_TEXT_MAX];

	CU_ASSERT_PTR_NOT_NULL_FATAL(driver);
	weft_net_opts_init(&opts, sizeof opts);
	CU_ASSERT_EQUAL(weft_net_open(driver, &opts, &net), -WEFT_ENOTSUP);
	CU_ASSERT_TRUE(says("besidenet"));
	CU_ASSERT_EQUAL(driver->address_read("here", &address), -WEFT_EINVAL);
	CU_ASSERT_EQUAL(address.len_bytes, 9);
	driver->address_write(&address, text);
	CU_ASSERT_STRING_EQUAL(text, "?");
	CU_ASSERT_FALSE(driver->is_loopback(&address));
}

static void a_module_beside_the_library_is_found_without_a_setting(void)
{
	unsetenv("WEFT_MODULE_PATH");
	CU_ASSERT_PTR_NOT_NULL(weft_net_driver_find("besidenet"));
	CU_ASSERT_TRUE(refused("tinynet", "there is no driver of datagrams \"tinynet\"", "WEFT_MODULE_PATH (not set)"));
	setenv("WEFT_MODULE_PATH", WEFT_TEST_MODULES, 1);
}

static void another_abi_is_refused(void)
{
	CU_ASSERT_TRUE(refused("wrongabinet", "built for driver of datagrams ABI 2, and this library has 1",
			       "libweft-wrongabinet.so"));
	CU_ASSERT_TRUE(refused("wrongabinet", "built for driver of datagrams ABI 2, and this library has 1",
			       "libweft-wrongabinet.so"));
}

static void a_module_of_the_other_kind_is_refused(void)
{
	CU_ASSERT_TRUE(refused("testdrv", "exports no weft_net_driver_module", "libweft-testdrv.so"));
	CU_ASSERT_TRUE(refused("nosymbol", "exports no weft_net_driver_module", "libweft-nosymbol.so"));
	CU_ASSERT_PTR_NOT_NULL(weft_driver_find("testdrv"));
	CU_ASSERT_PTR_NULL(weft_driver_find("testnet"));
	CU_ASSERT_TRUE(says("exports no weft_driver_module"));
	CU_ASSERT_PTR_NOT_NULL(weft_net_driver_find("testnet"));
}

static void a_table_that_is_too_small_for_its_name_is_refused(void)
{
	CU_ASSERT_TRUE(refused("tinynet", "its table has 8 bytes", "libweft-tinynet.so"));
}

static void a_file_that_holds_another_driver_is_refused(void)
{
	CU_ASSERT_TRUE(refused("namesakenet", "it holds driver \"another\"", "libweft-namesakenet.so"));
}

static void a_path_or_anything_else_in_a_name_is_refused(void)
{
	static const char *const names[] = {"../modules/testnet", "/testnet", "", "TESTNET", "fault+",
					    "fault+fault+udp"};

	for (unsigned int i = 0; i < sizeof names / sizeof *names; i++)
		CU_ASSERT_TRUE(refused(names[i], "names no driver of datagrams", "[a-z0-9_-]"));
}

static void an_unknown_name_is_answered_with_what_there_is_and_where_was_looked(void)
{
	CU_ASSERT_TRUE(refused("nonesuch", "there is no driver of datagrams \"nonesuch\": built in is udp",
			       "libweft-nonesuch.so"));
	CU_ASSERT_TRUE(says(WEFT_TEST_MODULES));
	CU_ASSERT_TRUE(refused("fault+nonesuch", "there is no driver of datagrams \"nonesuch\"", "built in is udp"));
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_driver_for_which_there_is_no_memory_is_found_later),
		SUITE_CASE(a_built_in_driver_is_found_without_a_module),
		SUITE_CASE(a_driver_in_a_module_is_found_and_stays_the_same),
		SUITE_CASE(a_smaller_table_gets_what_it_lacks),
		SUITE_CASE(a_table_of_names_only_can_do_nothing_and_says_so),
		SUITE_CASE(a_module_beside_the_library_is_found_without_a_setting),
		SUITE_CASE(another_abi_is_refused),
		SUITE_CASE(a_module_of_the_other_kind_is_refused),
		SUITE_CASE(a_table_that_is_too_small_for_its_name_is_refused),
		SUITE_CASE(a_file_that_holds_another_driver_is_refused),
		SUITE_CASE(a_path_or_anything_else_in_a_name_is_refused),
		SUITE_CASE(an_unknown_name_is_answered_with_what_there_is_and_where_was_looked),
	};
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);

	/* The loader knows a program by the name that it was called by: not where it is, if that was relative. */
	if (argv[0][0] != '/' && len > 0) {
		self[len] = '\0';
		argv[0] = self;
		execv(self, argv);
	}
	setenv("WEFT_MODULE_PATH", WEFT_TEST_MODULES, 1);
	return suite_main("modules of drivers of datagrams", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a driver is found by name in a module and completed, that a module that does not fit is refused with what
 * is wrong, and that nothing is loaded from anywhere else. The modules are built beside this program.
 */
#include "fault.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft/driver.h>
#include <weft/errors.h>

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
	return !weft_driver_find(name) && says(part) && says(other_part);
}

/* First of all, while neither the module nor the table over it is there. */
static void a_driver_for_which_there_is_no_memory_is_found_later(void)
{
	const struct weft_driver *driver = NULL;
	unsigned int skip = 0;

	for (bool struck = true; struck && skip < 100; skip++) {
		fault_arm(skip);
		driver = weft_driver_find("fault+testdrv");
		struck = fault_disarm();
		CU_ASSERT_TRUE(driver || (struck && says("no memory for driver")));
	}
	CU_ASSERT_PTR_NOT_NULL(driver);
	CU_ASSERT_TRUE(skip > 2);
}

static void a_built_in_driver_is_found_without_a_module(void)
{
	CU_ASSERT_PTR_EQUAL(weft_driver_find("shm"), weft_driver_at(0));
	CU_ASSERT_STRING_EQUAL(weft_driver_at(0)->name, "shm");
	CU_ASSERT_STRING_EQUAL(weft_driver_find("fault+shm")->copies, weft_driver_at(0)->copies);
}

static void a_driver_in_a_module_is_found_and_stays_the_same(void)
{
	const struct weft_driver *driver = weft_driver_find("testdrv");

	CU_ASSERT_PTR_NOT_NULL_FATAL(driver);
	CU_ASSERT_STRING_EQUAL(driver->name, "testdrv");
	CU_ASSERT_PTR_EQUAL(weft_driver_find("testdrv"), driver);
}

static void a_smaller_table_gets_what_it_lacks(void)
{
	const struct weft_driver *driver = weft_driver_find("testdrv");
	struct weft_driver_stats stats = {.paths = 1};
	struct weft_port *port = NULL;
	struct weft_device *device = NULL;
	struct weft_device_opts device_opts;
	struct weft_port_opts port_opts;
	uint64_t cookie;

	CU_ASSERT_PTR_NOT_NULL_FATAL(driver);
	CU_ASSERT_EQUAL(driver->size, sizeof *driver);
	CU_ASSERT_STRING_EQUAL(driver->copies, "it does not say what it copies");
	CU_ASSERT_EQUAL(driver->caps, WEFT_DRIVER_LOCAL); /* nothing that needs what it lacks */
	weft_device_opts_init(&device_opts, sizeof device_opts);
	weft_port_opts_init(&port_opts, sizeof port_opts);
	CU_ASSERT_EQUAL_FATAL(weft_device_open(driver, &device_opts, &device), 0);
	CU_ASSERT_EQUAL_FATAL(weft_port_open(driver, device, &port_opts, &port), 0);
	CU_ASSERT_PTR_EQUAL(port->driver, driver);
	CU_ASSERT_PTR_EQUAL(port->device, device);
	driver->describe(port, &stats);
	CU_ASSERT_EQUAL(stats.paths, 0);
	driver->arm(port, true);
	CU_ASSERT_EQUAL(driver->share(NULL, 0), -WEFT_ENOTSUP);
	CU_ASSERT_EQUAL(port->reap(port, &cookie, 1), 0);
	port->release(NULL, 0);
	port->flush_due = true;
	port->flush(port);
	CU_ASSERT_FALSE(port->flush_due);
	driver->port_close(&port);
	driver->device_close(&device);
}

/* One without any function is a driver still, which says so. */
static void a_table_of_names_only_can_do_nothing_and_says_so(void)
{
	const struct weft_driver *driver = weft_driver_find("beside");
	struct weft_device_opts device_opts;
	struct weft_device *device = NULL;

	CU_ASSERT_PTR_NOT_NULL_FATAL(driver);
	weft_device_opts_init(&device_opts, sizeof device_opts);
	CU_ASSERT_EQUAL(weft_device_open(driver, &device_opts, &device), -WEFT_ENOTSUP);
	CU_ASSERT_TRUE(says("beside"));
}

static void a_module_beside_the_library_is_found_without_a_setting(void)
{
	unsetenv("WEFT_MODULE_PATH");
	CU_ASSERT_PTR_NOT_NULL(weft_driver_find("beside"));
	CU_ASSERT_TRUE(refused("tiny", "there is no driver \"tiny\"", "WEFT_MODULE_PATH (not set)"));
	setenv("WEFT_MODULE_PATH", WEFT_TEST_MODULES, 1);
}

static void another_abi_is_refused(void)
{
	CU_ASSERT_TRUE(refused("wrongabi", "built for driver ABI 2, and this library has 1", "libweft-wrongabi.so"));
	CU_ASSERT_TRUE(refused("wrongabi", "built for driver ABI 2, and this library has 1", "libweft-wrongabi.so"));
}

static void a_module_without_the_symbol_is_refused(void)
{
	CU_ASSERT_TRUE(refused("nosymbol", "exports no weft_driver_module", "libweft-nosymbol.so"));
}

static void a_table_that_is_too_small_for_its_name_is_refused(void)
{
	CU_ASSERT_TRUE(refused("tiny", "its table has 8 bytes", "libweft-tiny.so"));
}

static void a_file_that_holds_another_driver_is_refused(void)
{
	CU_ASSERT_TRUE(refused("namesake", "it holds driver \"another\"", "libweft-namesake.so"));
}

static void a_file_that_is_no_library_is_refused(void)
{
	CU_ASSERT_TRUE(refused("text", "libweft-text.so", "ldd"));
}

static void a_path_or_anything_else_in_a_name_is_refused(void)
{
	static const char *const names[] = {"../modules/testdrv",
					    "/testdrv",
					    "testdrv/",
					    "",
					    ".",
					    "test.drv",
					    "TESTDRV",
					    "testdrv ",
					    "fault+",
					    "fault+../testdrv",
					    "fault+fault+shm",
					    "+",
					    "testdrv+shm",
					    "a23456789b123456789c123456789d123"};

	for (unsigned int i = 0; i < sizeof names / sizeof *names; i++)
		CU_ASSERT_TRUE(refused(names[i], "names no driver", "[a-z0-9_-]"));
}

static void an_unknown_name_is_answered_with_what_there_is_and_where_was_looked(void)
{
	CU_ASSERT_TRUE(refused("nonesuch", "there is no driver \"nonesuch\": built in is shm", "libweft-nonesuch.so"));
	CU_ASSERT_TRUE(says(WEFT_TEST_MODULES));
	CU_ASSERT_TRUE(refused("fault+nonesuch", "there is no driver \"nonesuch\"", "built in is shm"));
}

static void directories_that_depend_on_where_we_stand_are_not_looked_at(void)
{
	char before[PATH_MAX];

	CU_ASSERT_PTR_NOT_NULL_FATAL(getcwd(before, sizeof before));
	CU_ASSERT_EQUAL_FATAL(chdir(WEFT_TEST_MODULES), 0);
	setenv("WEFT_MODULE_PATH", ".:::modules:../modules", 1);
	CU_ASSERT_TRUE(refused("tiny", "there is no driver \"tiny\"", "absolute"));
	setenv("WEFT_MODULE_PATH", "/nonexistent::" WEFT_TEST_MODULES ":.", 1);
	CU_ASSERT_TRUE(refused("tiny", "its table has 8 bytes", "tiny"));
	CU_ASSERT_EQUAL(chdir(before), 0);
	setenv("WEFT_MODULE_PATH", WEFT_TEST_MODULES, 1);
}

static void *find_both(void *argument)
{
	(void)argument;
	for (unsigned int i = 0; i < 200; i++)
		if (!weft_driver_find("fault+testdrv") || weft_driver_find("wrongabi"))
			return (void *)1;
	return (void *)(uintptr_t)weft_driver_find("fault+testdrv");
}

static void threads_that_look_at_once_find_the_same(void)
{
	pthread_t threads[4];

	for (unsigned int i = 0; i < 4; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, find_both, NULL), 0);
	for (unsigned int i = 0; i < 4; i++) {
		void *found = NULL;

		CU_ASSERT_EQUAL(pthread_join(threads[i], &found), 0);
		CU_ASSERT_PTR_EQUAL(found, weft_driver_find("fault+testdrv"));
	}
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
		SUITE_CASE(a_module_without_the_symbol_is_refused),
		SUITE_CASE(a_table_that_is_too_small_for_its_name_is_refused),
		SUITE_CASE(a_file_that_holds_another_driver_is_refused),
		SUITE_CASE(a_file_that_is_no_library_is_refused),
		SUITE_CASE(a_path_or_anything_else_in_a_name_is_refused),
		SUITE_CASE(an_unknown_name_is_answered_with_what_there_is_and_where_was_looked),
		SUITE_CASE(directories_that_depend_on_where_we_stand_are_not_looked_at),
		SUITE_CASE(threads_that_look_at_once_find_the_same),
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
	return suite_main("driver modules", cases, SUITE_COUNT(cases), argc, argv);
}

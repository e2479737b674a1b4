/* SPDX-License-Identifier: Apache-2.0 */
#include "two_sides.h"

#include <CUnit/Basic.h>
#include <string.h>
#include <weft/log.h>

struct side near, far;
unsigned int lines;

static void count_line(enum weft_log_level level, const char *component, const char *line, void *said)
{
	(void)level, (void)component;
	lines += strstr(line, said) != NULL;
}

void two_sides_open(const char *said)
{
	CU_ASSERT_EQUAL_FATAL(weft_clock_virtual_open(1, &side_clock), 0);
	side_driver = weft_driver_find("shm");
	side_open(&near, "near", 1, 0);
	side_open(&far, "far", 1, 0);
	weft_log_set_sink(count_line, WEFT_LOG_WARN, (void *)(uintptr_t)said);
	lines = 0;
}

void two_sides_close(void)
{
	weft_log_set_sink(NULL, WEFT_LOG_ERROR, NULL);
	side_close(&near);
	side_close(&far);
	weft_clock_virtual_close(&side_clock);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For clock_ut once more with each source, whichever this machine would use: the linker puts this in place of the question
 * whether the counter can be used. WEFT_TEST_COUNTER says the answer.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool __real_weft__clock_counter_usable(const char **reason);
bool __wrap_weft__clock_counter_usable(const char **reason);

/* Whether the processor keeps its counters in step, though the kernel may have its time from elsewhere. */
static bool counters_agree(void)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[4096];
	bool agree = false;

	while (file && !agree && fgets(line, sizeof line, file))
		agree = strncmp(line, "flags", 5) == 0 && strstr(line, " nonstop_tsc") && strstr(line, " tsc_reliable");
	if (file)
		fclose(file);
	return agree;
}

bool __wrap_weft__clock_counter_usable(const char **reason)
{
	if (WEFT_TEST_COUNTER && !__real_weft__clock_counter_usable(reason) && !counters_agree()) {
		printf("skipped: no counter here: %s\n", *reason);
		exit(77);
	}
	*reason = WEFT_TEST_COUNTER ? "" : "the test wants it so";
	return WEFT_TEST_COUNTER;
}

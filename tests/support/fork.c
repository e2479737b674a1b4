/* SPDX-License-Identifier: Apache-2.0 */
#include "fork.h"

#include <CUnit/CUnit.h>
#include <dirent.h>
#include <unistd.h>

#define TRIES_MAX 30000
#define PAUSE_US 1000

#ifdef __SANITIZE_THREAD__
#define ALONE 2 /* with its own */
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ALONE 2
#endif
#endif
#ifndef ALONE
#define ALONE 1
#endif

static unsigned int count_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	unsigned int count = 0;

	if (!tasks)
		return 0;
	for (const struct dirent *entry; (entry = readdir(tasks));)
		count += entry->d_name[0] != '.';
	closedir(tasks);
	return count;
}

pid_t fork_alone(void)
{
	unsigned int count;

	for (unsigned int tries = 0; (count = count_threads()) > ALONE && tries < TRIES_MAX; tries++)
		usleep(PAUSE_US);
	CU_ASSERT_TRUE(count > 0 && count <= ALONE);
	return fork();
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "shm/process_lock.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned int forks; /* under the lock */

static void before_fork(void)
{
	pthread_mutex_lock(&lock);
}

static void after_fork_in_parent(void)
{
	pthread_mutex_unlock(&lock);
}

static void after_fork_in_child(void)
{
	forks++;
	pthread_mutex_unlock(&lock);
}

static void watch_forks(void)
{
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

bool shm_process_lock(unsigned int *forks_seen)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	bool is_copy;

	pthread_once(&once, watch_forks);
	pthread_mutex_lock(&lock);
	is_copy = *forks_seen != forks;
	*forks_seen = forks;
	return is_copy;
}

void shm_process_unlock(void)
{
	pthread_mutex_unlock(&lock);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors that peers send. What one should be is asked in ways that never wait, and before anything else: the size
 * of a file in user space (FUSE), and even its closing, are answered by its server when that likes, and a socket that
 * lingers is closed when its data has gone. Whatever is neither shared memory nor a Unix socket is closed by a thread of
 * its own, so that a peer that sends such things holds up nobody; that is the only case in which there is such a thread.
 */
#include "shm/wire.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weft/log.h>

#define CLOSERS_MAX 16

static atomic_uint closers;

static bool has_option(int fd, int option, int wanted)
{
	socklen_t len = sizeof(int);
	int value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value == wanted;
}

bool shm_foreign_is_bell(int fd)
{
	return has_option(fd, SO_DOMAIN, AF_UNIX) && has_option(fd, SO_TYPE, SOCK_STREAM);
}

static void *close_it(void *argument)
{
	close((int)(intptr_t)argument);
	atomic_fetch_sub_explicit(&closers, 1, memory_order_relaxed);
	return NULL;
}

static bool start_closer(int fd)
{
	sigset_t all, before;
	pthread_attr_t attributes;
	pthread_t thread;
	int rc;

	if (atomic_fetch_add_explicit(&closers, 1, memory_order_relaxed) >= CLOSERS_MAX) {
		atomic_fetch_sub_explicit(&closers, 1, memory_order_relaxed);
		return false;
	}
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, &attributes, close_it, (void *)(intptr_t)fd);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (rc)
		atomic_fetch_sub_explicit(&closers, 1, memory_order_relaxed);
	return rc == 0;
}

void shm_foreign_close(int fd)
{
	if (fcntl(fd, F_GET_SEALS) >= 0 || has_option(fd, SO_DOMAIN, AF_UNIX))
		close(fd);
	else if (!start_closer(fd))
		weft_log(WEFT_LOG_WARN, "shm", "descriptor %d from a peer is no memory and no bell, and is left open: closing "
			 "%d like it is not getting on", fd, CLOSERS_MAX);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wrapped calls. Each either fails with the error that is likeliest in life, or goes on to the real one.
 * CMakeLists.txt has the same list for the linker.
 */
#include "fault.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>

static _Thread_local struct {
	bool armed, hit;
	unsigned int skip;
	const char *name;
} fault;

void fault_arm(unsigned int skip)
{
	fault.hit = false;
	fault.skip = skip;
	fault.armed = true;
}

bool fault_disarm(void)
{
	fault.armed = false;
	return fault.hit;
}

const char *fault_name(void)
{
	return fault.name ? fault.name : "nothing";
}

static bool strikes(const char *name, int error)
{
	if (!fault.armed || fault.skip--)
		return false;
	fault.armed = false;
	fault.hit = true;
	fault.name = name;
	errno = error;
	return true;
}

/* WRAP(call, return type, value when it fails, errno, parameters, arguments) */
#define WRAP(call, type, failed, error, parameters, arguments)                     \
	type __real_##call parameters;                                             \
	type __wrap_##call parameters;                                             \
	type __wrap_##call parameters                                              \
	{                                                                          \
		return strikes(#call, error) ? (failed) : __real_##call arguments; \
	}

WRAP(malloc, void *, NULL, ENOMEM, (size_t len), (len))
WRAP(calloc, void *, NULL, ENOMEM, (size_t count, size_t len), (count, len))
WRAP(realloc, void *, NULL, ENOMEM, (void *old, size_t len), (old, len))
WRAP(aligned_alloc, void *, NULL, ENOMEM, (size_t alignment, size_t len), (alignment, len))
WRAP(posix_memalign, int, ENOMEM, ENOMEM, (void **out, size_t alignment, size_t len), (out, alignment, len))
WRAP(strdup, char *, NULL, ENOMEM, (const char *text), (text))
WRAP(mmap, void *, MAP_FAILED, ENOMEM, (void *at, size_t len, int protection, int flags, int fd, off_t offset),
     (at, len, protection, flags, fd, offset))
WRAP(madvise, int, -1, ENOMEM, (void *at, size_t len, int advice), (at, len, advice))
WRAP(mbind, long, -1, EPERM,
     (void *at, unsigned long len, int mode, const unsigned long *mask, unsigned long mask_bits, unsigned int flags),
     (at, len, mode, mask, mask_bits, flags))
WRAP(memfd_create, int, -1, EMFILE, (const char *name, unsigned int flags), (name, flags))
WRAP(ftruncate, int, -1, EIO, (int fd, off_t len), (fd, len))
WRAP(fallocate, int, -1, ENOSPC, (int fd, int mode, off_t offset, off_t len), (fd, mode, offset, len))
WRAP(eventfd, int, -1, EMFILE, (unsigned int value, int flags), (value, flags))
WRAP(epoll_create1, int, -1, EMFILE, (int flags), (flags))
WRAP(timerfd_create, int, -1, EMFILE, (int clock, int flags), (clock, flags))
WRAP(socket, int, -1, EMFILE, (int family, int type, int protocol), (family, type, protocol))
WRAP(socketpair, int, -1, EMFILE, (int family, int type, int protocol, int ends[2]), (family, type, protocol, ends))
WRAP(pthread_create, int, EAGAIN, EAGAIN,
     (pthread_t * thread, const pthread_attr_t *attr, void *(*run)(void *), void *argument),
     (thread, attr, run, argument))

int __real_epoll_ctl(int epoll, int op, int fd, void *event);
int __wrap_epoll_ctl(int epoll, int op, int fd, void *event);
int __wrap_epoll_ctl(int epoll, int op, int fd, void *event)
{
	/* Taking something out never fails. */
	return op != EPOLL_CTL_DEL && strikes("epoll_ctl", ENOSPC) ? -1 : __real_epoll_ctl(epoll, op, fd, event);
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...)
{
	va_list arguments;
	uintptr_t argument;

	/* Every command's argument fits a word, and reading one that was not given is harmless on our targets. */
	va_start(arguments, command);
	argument = va_arg(arguments, uintptr_t);
	va_end(arguments);
	return strikes("fcntl", EPERM) ? -1 : __real_fcntl(fd, command, argument);
}

unsigned long fault_count_kept(void)
{
	unsigned long descriptor_count = 0, mapped_count = 0;
	FILE *maps = fopen("/proc/self/maps", "re");
	DIR *dir = opendir("/proc/self/fd");
	char line[512];

	while (dir && readdir(dir))
		descriptor_count++;
	while (maps && fgets(line, sizeof line, maps))
		mapped_count += strstr(line, "/memfd:weft") != NULL;
	if (dir)
		closedir(dir);
	if (maps)
		fclose(maps);
	return descriptor_count << 32 | mapped_count;
}

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
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>

static _Thread_local struct {
	bool armed, hit;
	unsigned int skip;
	const char *name;
} fault;

/* The same for all threads together. */
static _Atomic bool everywhere_armed, everywhere_hit;
static _Atomic long everywhere_left;
static _Atomic(const char *) everywhere_name;

void fault_arm_everywhere(unsigned int skip)
{
	atomic_store_explicit(&everywhere_hit, false, memory_order_relaxed);
	atomic_store_explicit(&everywhere_left, skip, memory_order_relaxed);
	/* release: pairs with the acquire in strikes_everywhere(). */
	atomic_store_explicit(&everywhere_armed, true, memory_order_release);
}

void fault_arm(unsigned int skip)
{
	atomic_store_explicit(&everywhere_name, NULL, memory_order_relaxed);
	fault.hit = false;
	fault.skip = skip;
	fault.armed = true;
}

bool fault_disarm(void)
{
	bool hit = fault.hit;

	fault.armed = fault.hit = false;
	atomic_store_explicit(&everywhere_armed, false, memory_order_relaxed);
	return atomic_exchange_explicit(&everywhere_hit, false, memory_order_relaxed) || hit;
}

const char *fault_name(void)
{
	const char *everywhere = atomic_load_explicit(&everywhere_name, memory_order_relaxed);
	const char *name = everywhere ? everywhere : fault.name;

	return name ? name : "nothing";
}

static bool strikes_everywhere(const char *name)
{
	/* acquire: pairs with the release in fault_arm_everywhere(). */
	if (!atomic_load_explicit(&everywhere_armed, memory_order_acquire) ||
	    atomic_fetch_sub_explicit(&everywhere_left, 1, memory_order_relaxed) != 0)
		return false;
	atomic_store_explicit(&everywhere_hit, true, memory_order_relaxed);
	atomic_store_explicit(&everywhere_name, name, memory_order_relaxed);
	return true;
}

static bool strikes(const char *name, int error)
{
	if (strikes_everywhere(name)) {
		errno = error;
		return true;
	}
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

bool fault_keeps_only(unsigned long kept)
{
	for (unsigned int tries = 0; tries < 5000; tries++) {
		if (fault_count_kept() == kept)
			return true;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return false;
}

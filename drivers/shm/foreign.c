/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors that peers send, and sockets that they can send some into. What one is, is asked in ways that never wait,
 * and before anything else: the size of a file in user space (FUSE), and even its closing, are answered by its server when
 * that likes; a socket that lingers is closed when its data has gone; and a Unix socket takes whatever lies in it unread
 * along. So shared memory is closed at once, and all else by threads that do nothing but this, and end when there is
 * nothing left. They also let go of memory, where there is much of it: who is the last to do so frees it, a third of a second
 * for each GiB in small pages. Only some of them ever wait for one process: what others have sent is closed meanwhile.
 */
#include "shm/foreign.h"
#include "shm/process_lock.h"
#include "shm/who.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weft/log.h>

#define CLOSERS_MAX 16u
#define CLOSERS_OF_ONE_MAX 4u
#define WAITING_MAX 4096u
/* From here on nothing more is taken, neither connections nor messages that bring descriptors. What is on its way still fits. */
#define FULL 512u
#define MUCH_BYTES (UINT64_C(64) << 20) /* of memory; what is less is freed at once */
#define UNREAD_MAX 64u                  /* messages that are looked at when a connection ends */
/* What may be left to close of one process before it is shunned: what it should not have sent, and with its connections,
 * of which all that it may have can end at once. */
#define ODD_OF_ONE_MAX 8u
#define ALL_OF_ONE_MAX 1024u
#define STACK_BYTES ((size_t)256 << 10)

/* Under the process's lock: descriptors are the process's. */
struct foreign {
	int fd; /* -1: memory instead */
	struct weft_mapping *mappings;
	unsigned int mapping_count;
	bool odd;    /* it should not have come */
	int64_t who; /* whose */
};
static struct closer {
	bool runs, closes;
	struct foreign one;
} closers[CLOSERS_MAX];
static struct foreign waiting[WAITING_MAX]; /* oldest first */
static unsigned int waiting_count, waiting_fds;
static bool full_was_said;

/* A forked child has none of the threads; what they close is its parent's. */
static void take_lock(void)
{
	static unsigned int forks_seen;

	if (!shm_process_lock(&forks_seen))
		return;
	memset(closers, 0, sizeof closers);
	waiting_count = waiting_fds = 0;
	full_was_said = false;
}

static bool has_option(int fd, int option, int wanted)
{
	socklen_t len = sizeof(int);
	int value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) == 0 && value == wanted;
}

bool shm_foreign_is_bell(int fd)
{
	return has_option(fd, SO_DOMAIN, AF_UNIX) && has_option(fd, SO_TYPE, SOCK_SEQPACKET);
}

/* ---- closers ---- */

static unsigned int closing_of(int64_t who)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < CLOSERS_MAX; i++)
		count += closers[i].closes && closers[i].one.who == who;
	return count;
}

/* Takes out the oldest that may be closed now; false when there is none. */
static bool take_one(struct foreign *out)
{
	for (unsigned int i = 0; i < waiting_count; i++) {
		if (closing_of(waiting[i].who) >= CLOSERS_OF_ONE_MAX)
			continue;
		*out = waiting[i];
		memmove(&waiting[i], &waiting[i + 1], (--waiting_count - i) * sizeof *waiting);
		waiting_fds -= out->fd >= 0;
		return true;
	}
	return false;
}

static void let_go(const struct foreign *one)
{
	if (one->fd >= 0)
		close(one->fd);
	for (unsigned int i = 0; i < one->mapping_count; i++)
		weft_mapping_close(&one->mappings[i]);
	free(one->mappings);
}

static void *close_them(void *argument)
{
	struct closer *self = argument;

	pthread_setname_np(pthread_self(), "weft-close");
	take_lock();
	while (take_one(&self->one)) {
		self->closes = true;
		shm_process_unlock();
		let_go(&self->one); /* which nobody else writes */
		take_lock();
		self->closes = false;
	}
	self->runs = false;
	shm_process_unlock();
	return NULL;
}

static bool start(struct closer *closer)
{
	sigset_t all, before;
	pthread_attr_t attributes;
	pthread_t thread;
	int rc;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&thread, &attributes, close_them, closer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return rc == 0;
}

/* One that does not run, and shall; NULL when all do. */
static struct closer *reserve_closer(void)
{
	for (unsigned int i = 0; i < CLOSERS_MAX; i++)
		if (!closers[i].runs) {
			closers[i].runs = true;
			return &closers[i];
		}
	return NULL;
}

/* Where no thread can be had, the next one that is started finds it. False when there is no room. */
static bool put_aside(const struct foreign *one)
{
	struct closer *closer;
	bool has_room;

	take_lock();
	has_room = waiting_count < WAITING_MAX;
	if (has_room) {
		waiting[waiting_count++] = *one;
		waiting_fds += one->fd >= 0;
	}
	closer = reserve_closer();
	shm_process_unlock();
	if (closer && !start(closer)) {
		take_lock();
		closer->runs = false;
		shm_process_unlock();
	}
	return has_room;
}

static void close_aside(int fd, int64_t who, bool odd)
{
	char text[SHM_WHO_TEXT];

	if (!put_aside(&(struct foreign){.fd = fd, .odd = odd, .who = who}))
		weft_log(WEFT_LOG_WARN, "shm",
			 "descriptor %d from %s is left open: closing %u from peers does not get on", fd,
			 shm_who_text(who, text), WAITING_MAX);
}

void shm_foreign_close(int fd, int64_t who)
{
	bool is_memory = fcntl(fd, F_GET_SEALS) >= 0;
	struct stat info = {0};

	if (is_memory && (fstat(fd, &info) < 0 || (uint64_t)info.st_blocks * 512 < MUCH_BYTES))
		close(fd);
	else
		close_aside(fd, who, !is_memory);
}

/*
 * Whether nothing that is unread brings descriptors, so that closing waits for nothing. After the shutdown nothing more comes.
 * Each message says who sent it, if that is asked for, and the end of all says nothing: so an empty one is not taken for it.
 */
static bool is_empty(int fd)
{
	int yes = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) < 0)
		return false;
	for (unsigned int i = 0; i < UNREAD_MAX; i++) {
		union {
			struct cmsghdr align;
			char bytes[CMSG_SPACE(sizeof(struct ucred))];
		} control;
		struct msghdr message = {.msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
		ssize_t got = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT);

		if (got < 0 && errno != ECONNRESET && errno != EINTR)
			return true;
		if (got >= 0 && message.msg_flags & MSG_CTRUNC)
			return false;
		if (got >= 0 && !message.msg_controllen)
			return true;
		if (got >= 0)
			(void)recv(fd, NULL, 0, MSG_DONTWAIT);
	}
	return false;
}

void shm_foreign_hang_up(int fd, int64_t who)
{
	shutdown(fd, SHUT_RDWR);
	if (is_empty(fd))
		close(fd);
	else
		close_aside(fd, who, false);
}

void shm_foreign_drop_bell(int fd, int64_t who)
{
	shutdown(fd, SHUT_RDWR);
	close_aside(fd, who, false);
}

void shm_foreign_unmap(struct weft_mapping *mappings, unsigned int count, int64_t who)
{
	struct foreign all = {.fd = -1, .mappings = mappings, .mapping_count = count, .who = who};
	uint64_t len_bytes = 0;

	for (unsigned int i = 0; i < count; i++)
		len_bytes += mappings[i].len_bytes;
	if (len_bytes < MUCH_BYTES || !put_aside(&all))
		let_go(&all);
}

/* ---- those who send too much of it ---- */

bool shm_foreign_is_full(void)
{
	char text[SHM_WHO_TEXT];
	bool is_full, say;
	int64_t who;

	take_lock();
	is_full = waiting_fds >= FULL;
	say = is_full && !full_was_said;
	full_was_said = is_full;
	who = is_full ? waiting[0].who : 0;
	shm_process_unlock();
	if (say)
		weft_log(WEFT_LOG_WARN, "shm",
			 "closing what peers sent does not get on: %u wait, the first of %s action no peer "
			 "is accepted until it does: end that process",
			 FULL, shm_who_text(who, text));
	return is_full;
}

static void count(const struct foreign *one, int64_t who, unsigned int *all, unsigned int *odd)
{
	*all += one->who == who && one->fd >= 0;
	*odd += one->who == who && one->odd;
}

bool shm_foreign_is_shunned(int64_t who)
{
	unsigned int all = 0, odd = 0;

	if (who == getpid())
		return false; /* nothing protects us from ourselves */
	take_lock();
	for (unsigned int i = 0; i < waiting_count; i++)
		count(&waiting[i], who, &all, &odd);
	for (unsigned int i = 0; i < CLOSERS_MAX; i++)
		if (closers[i].closes)
			count(&closers[i].one, who, &all, &odd);
	shm_process_unlock();
	return odd > ODD_OF_ONE_MAX || all > ALL_OF_ONE_MAX;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who of the peers has died, at once. A process that is killed frees its memory before it closes its sockets and before
 * its end can be seen, which takes tens of milliseconds where much is mapped in small pages. What the kernel does before
 * all that is to mark the robust futexes of each of its threads, and to wake who waits for them. So a thread of ours owns
 * one word in our memory for each peer, and waits for the words of the peers. Nothing else ever runs on it: it ends with
 * the device or with the process.
 *
 * It is a notice, no proof: a peer can write what it likes into its word, and its other threads may run a moment longer.
 * The path goes down by it; what was lent comes home by pidfd or the end of the socket, as ever.
 */
#include "shm/shm.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <weft/errors.h>
#include <weft/log.h>

#define WATCH_PATHS (FUTEX_WAITV_MAX - 1u) /* and the word that wakes the thread for us */
#define WATCH_STACK_BYTES ((size_t)256 << 10)
#define WATCH_RETRY_NS 10000000
#define WATCH_WAKES_MAX 16u /* of one word: anybody who maps it can wake us, as often as they like */

/* One path's place: our word has the same index. */
struct shm_watched {
	struct shm_path *path;        /* NULL: free */
	const _Atomic uint32_t *word; /* the peer's; NULL: not watched, or no more */
	uint32_t alive;               /* what stands there while it lives */
	uint32_t wakes;
	bool has_died; /* and the runner is not told yet */
};

/* One thread. Places belong to the runner and the thread, under the lock. */
struct shm_watch {
	struct shm_device *device;
	struct weft_list in_device;
	struct weft_carving carving;
	struct shm_life *lives; /* ours, in the arena */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t started;
	uint32_t thread_id; /* 0: not started yet */
	bool stops;
	bool is_deaf;          /* this kernel does not let us wait for many: only our own death is told */
	_Atomic uint32_t kick; /* moves when places change */
	/* The kernel finds the word of an entry by the distance, which is the same for all: no pointer is in the arena. */
	struct robust_list_head robust;
	struct robust_list entries[WATCH_PATHS];
	struct shm_watched places[WATCH_PATHS];
};

_Static_assert(sizeof(struct shm_life) == sizeof(struct robust_list), "words and entries keep their distance");

/* ---- the thread ---- */

/* The word of a place: still to be waited for? */
static bool look_at(struct shm_watched *place)
{
	uint32_t now;

	if (!place->word)
		return false;
	now = atomic_load_explicit(place->word, memory_order_relaxed);
	if (now == place->alive && place->wakes <= WATCH_WAKES_MAX)
		return true;
	/* It may change once; 0 means that its end of the path is closed in good order. */
	place->has_died = now & FUTEX_OWNER_DIED;
	place->word = NULL;
	return false;
}

static void tell_runner(struct shm_watch *watch)
{
	uint64_t one = 1;

	(void)!write(watch->device->watch_fd, &one, sizeof one); /* full: it is told already */
}

/* Fills in what is to be waited for, with the place of each in `from`; 0 when the thread shall end. woken: the place whose
 * word woke us, or -1. */
static unsigned int look(struct shm_watch *watch, struct futex_waitv *waits, uint8_t *from, int woken)
{
	unsigned int count = 0;
	bool has_died = false;

	pthread_mutex_lock(&watch->lock);
	if (woken >= 0)
		watch->places[woken].wakes++;
	if (!watch->stops)
		waits[count++] = (struct futex_waitv){
			.val = atomic_load_explicit(&watch->kick, memory_order_relaxed),
			.uaddr = (uintptr_t)&watch->kick,
			.flags = FUTEX_32 | FUTEX_PRIVATE_FLAG,
		};
	for (unsigned int i = 0; i < WATCH_PATHS && count && !watch->is_deaf; i++) {
		struct shm_watched *place = &watch->places[i];

		if (look_at(place)) {
			from[count] = (uint8_t)i;
			waits[count++] = (struct futex_waitv){.val = place->alive,
							      .uaddr = (uintptr_t)place->word,
							      .flags = FUTEX_32};
		}
		has_died |= place->has_died;
	}
	pthread_mutex_unlock(&watch->lock);
	if (has_died)
		tell_runner(watch);
	return count;
}

/* A wait that failed. What this kernel or a filter of system calls does not let us do it will not let us do later either;
 * the rest, such as a lack of memory, passes. */
static void wait_failed(struct shm_watch *watch, int error)
{
	/* EFAULT: what was looked at is unmapped by now, and the next look does not find it any more. */
	if (error == EAGAIN || error == EINTR || error == EFAULT)
		return;
	if (error != ENOSYS && error != EPERM && error != EINVAL) {
		nanosleep(&(struct timespec){.tv_nsec = WATCH_RETRY_NS}, NULL);
		return;
	}
	weft_log(WEFT_LOG_WARN, "shm",
		 "deaths of peers are noticed late: futex_waitv error %s action allow it, it is in Linux "
		 "5.16 and later",
		 strerror(error));
	watch->is_deaf = true;
}

static void *run(void *argument)
{
	struct shm_watch *watch = argument;
	struct futex_waitv waits[FUTEX_WAITV_MAX];
	uint8_t from[FUTEX_WAITV_MAX];
	unsigned int count;
	int woken = -1;

	syscall(SYS_set_robust_list, &watch->robust, sizeof watch->robust);
	pthread_mutex_lock(&watch->lock);
	watch->thread_id = (uint32_t)gettid();
	pthread_cond_signal(&watch->started);
	pthread_mutex_unlock(&watch->lock);
	while ((count = look(watch, waits, from, woken)) > 0) {
		long rc = watch->is_deaf
				  ? syscall(SYS_futex, &watch->kick, FUTEX_WAIT_PRIVATE, (uint32_t)waits[0].val, NULL)
				  : syscall(SYS_futex_waitv, waits, count, 0, NULL, 0);

		woken = !watch->is_deaf && rc > 0 ? from[rc] : -1;
		if (rc < 0 && !watch->is_deaf)
			wait_failed(watch, errno);
	}
	return NULL;
}

/* ---- the runner: threads ---- */

static void kick(struct shm_watch *watch)
{
	atomic_fetch_add_explicit(&watch->kick, 1, memory_order_relaxed);
	syscall(SYS_futex, &watch->kick, FUTEX_WAKE_PRIVATE, 1);
}

static int start_thread(struct shm_watch *watch)
{
	sigset_t all, before;
	pthread_attr_t attributes;
	int rc;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, WATCH_STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&watch->thread, &attributes, run, watch);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	if (rc)
		return rc;
	pthread_setname_np(watch->thread, "weft-watch");
	pthread_mutex_lock(&watch->lock);
	while (!watch->thread_id)
		pthread_cond_wait(&watch->started, &watch->lock);
	pthread_mutex_unlock(&watch->lock);
	return 0;
}

static void watch_free(struct shm_watch *watch)
{
	weft_list_remove(&watch->in_device);
	if (watch->lives)
		weft_arena_uncarve(watch->device->opts.arena, &watch->carving);
	pthread_cond_destroy(&watch->started);
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

static struct shm_watch *watch_new(struct shm_device *device)
{
	struct shm_watch *watch = calloc(1, sizeof *watch);

	if (!watch)
		return NULL;
	watch->device = device;
	pthread_mutex_init(&watch->lock, NULL);
	pthread_cond_init(&watch->started, NULL);
	weft_list_push_back(&device->watches, &watch->in_device);
	if (weft_arena_carve(device->opts.arena, WATCH_PATHS * sizeof *watch->lives, &watch->carving) == 0)
		watch->lives = watch->carving.base;
	if (!watch->lives) {
		watch_free(watch);
		return NULL;
	}
	memset(watch->lives, 0, WATCH_PATHS * sizeof *watch->lives);
	/* All entries for ever: the kernel passes over a word that does not name the thread. */
	for (unsigned int i = 0; i < WATCH_PATHS; i++)
		watch->entries[i].next = i + 1 < WATCH_PATHS ? &watch->entries[i + 1] : &watch->robust.list;
	watch->robust.list.next = &watch->entries[0];
	watch->robust.futex_offset = (long)((uintptr_t)watch->lives - (uintptr_t)watch->entries);
	if (start_thread(watch) != 0) {
		watch_free(watch);
		return NULL;
	}
	return watch;
}

static void watch_end(struct shm_watch *watch)
{
	pthread_mutex_lock(&watch->lock);
	watch->stops = true;
	pthread_mutex_unlock(&watch->lock);
	kick(watch);
	pthread_join(watch->thread, NULL);
	watch_free(watch);
}

/* ---- the runner: notices ---- */

static void died_ready(struct weft_fd_watch *fd_watch, uint32_t events, void *user)
{
	struct shm_device *device = user;
	uint64_t count;

	(void)events;
	(void)!read(fd_watch->fd, &count, sizeof count);
	WEFT_LIST_FOR_EACH(at, &device->watches) {
		struct shm_watch *watch = WEFT_CONTAINER_OF(at, struct shm_watch, in_device);

		pthread_mutex_lock(&watch->lock);
		for (unsigned int i = 0; i < WATCH_PATHS; i++) {
			if (!watch->places[i].has_died)
				continue;
			watch->places[i].has_died = false;
			shm_path_report_down(watch->places[i].path, WEFT_DOWN_DIED, false);
		}
		pthread_mutex_unlock(&watch->lock);
	}
}

void shm_watch_init(struct shm_device *device)
{
	weft_list_init(&device->watches);
	device->watch_fd = -1;
}

/* The first path is about to be made. */
static int open_notices(struct shm_device *device)
{
	int rc;

	if (device->watch_fd >= 0)
		return 0;
	device->watch_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (device->watch_fd < 0)
		return -WEFT_EMFILE;
	device->died_watch =
		(struct weft_fd_watch){.fd = device->watch_fd, .events = EPOLLIN, .ready = died_ready, .user = device};
	rc = weft_worker_add_fd(device->opts.runner, &device->died_watch);
	if (rc < 0) {
		close(device->watch_fd);
		device->watch_fd = -1;
	}
	return rc;
}

void shm_watch_close(struct shm_device *device)
{
	WEFT_LIST_FOR_EACH(at, &device->watches)
		watch_end(WEFT_CONTAINER_OF(at, struct shm_watch, in_device));
	if (device->watch_fd < 0)
		return;
	weft_worker_remove_fd(device->opts.runner, &device->died_watch);
	close(device->watch_fd);
	device->watch_fd = -1;
}

/* ---- the runner: paths ---- */

/* A free place of this one; false when there is none. */
static bool take_place(struct shm_watch *watch, struct shm_path *path)
{
	unsigned int i = 0;

	while (i < WATCH_PATHS && watch->places[i].path)
		i++;
	if (i == WATCH_PATHS)
		return false;
	pthread_mutex_lock(&watch->lock);
	watch->places[i] = (struct shm_watched){.path = path};
	pthread_mutex_unlock(&watch->lock);
	path->watch = watch;
	path->watch_place = i;
	return true;
}

bool shm_watch_join(struct shm_path *path, struct shm_place *out)
{
	struct shm_watch *watch;

	if (open_notices(path->device) < 0)
		return false;
	WEFT_LIST_FOR_EACH(at, &path->device->watches)
		if (take_place(WEFT_CONTAINER_OF(at, struct shm_watch, in_device), path))
			break;
	if (!path->watch && (watch = watch_new(path->device)))
		take_place(watch, path);
	watch = path->watch;
	if (!watch)
		return false;
	atomic_store_explicit(&watch->lives[path->watch_place].word, watch->thread_id | FUTEX_WAITERS,
			      memory_order_relaxed);
	*out = (struct shm_place){.segment_id = watch->carving.segment_id,
				  .offset_bytes = watch->carving.offset_bytes +
						  path->watch_place * sizeof *watch->lives};
	return true;
}

void shm_watch_start(struct shm_path *path, const _Atomic uint32_t *word)
{
	struct shm_watch *watch = path->watch;
	struct shm_watched *place;

	if (!watch || !word)
		return;
	place = &watch->places[path->watch_place];
	pthread_mutex_lock(&watch->lock);
	place->alive = atomic_load_explicit(word, memory_order_relaxed) & ~FUTEX_OWNER_DIED;
	place->word = word;
	pthread_mutex_unlock(&watch->lock);
	kick(watch);
}

void shm_watch_leave(struct shm_path *path)
{
	struct shm_watch *watch = path->watch;

	if (!watch)
		return;
	pthread_mutex_lock(&watch->lock);
	watch->places[path->watch_place] = (struct shm_watched){0};
	pthread_mutex_unlock(&watch->lock);
	atomic_store_explicit(&watch->lives[path->watch_place].word, 0, memory_order_relaxed);
	path->watch = NULL;
	kick(watch);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watched descriptors, and the epoll instance in which a worker sleeps.
 */
#include "worker/worker_private.h"

#include <weft/assert.h>
#include <weft/errors.h>

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

int weft__fds_open(struct weft_worker *worker)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	int rc;

	worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (worker->epoll_fd < 0)
		return weft_set_error(weft_error_from_errno(errno), "worker %s: epoll_create1: %m", worker->name);
	worker->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->event_fd < 0) {
		rc = weft_set_error(weft_error_from_errno(errno), "worker %s: eventfd: %m", worker->name);
		goto close_epoll;
	}
	if (epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, worker->event_fd, &event) < 0) {
		rc = weft_set_error(weft_error_from_errno(errno), "worker %s: epoll_ctl: %m", worker->name);
		goto close_event;
	}
	return 0;

close_event:
	close(worker->event_fd);
close_epoll:
	close(worker->epoll_fd);
	return rc;
}

void weft__fds_close(struct weft_worker *worker)
{
	close(worker->event_fd);
	close(worker->epoll_fd);
}

static int control(struct weft_worker *worker, int op, struct weft_fd_watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data = {.ptr = watch}};

	if (epoll_ctl(worker->epoll_fd, op, watch->fd, &event) == 0)
		return 0;
	return weft_set_error(weft_error_from_errno(errno), "worker %s: watching descriptor %d: %m", worker->name,
			      watch->fd);
}

int weft_worker_add_fd(struct weft_worker *worker, struct weft_fd_watch *watch)
{
	int rc;

	WEFT_DASSERT(weft_worker_is_owner(worker));
	rc = control(worker, EPOLL_CTL_ADD, watch, watch->events);
	if (rc < 0)
		return rc;
	weft_list_push_back(&worker->watches, &watch->link);
	worker->callbacks += watch->ready != NULL;
	worker->eager += watch->ready != NULL && !watch->lazy;
	worker->fetch_ns = 0;
	return 0;
}

int weft_worker_change_fd(struct weft_worker *worker, struct weft_fd_watch *watch, uint32_t events)
{
	int rc;

	WEFT_DASSERT(weft_worker_is_owner(worker));
	rc = control(worker, EPOLL_CTL_MOD, watch, events);
	if (rc == 0)
		watch->events = events;
	return rc;
}

void weft_worker_remove_fd(struct weft_worker *worker, struct weft_fd_watch *watch)
{
	WEFT_DASSERT(weft_worker_is_owner(worker));
	/* A descriptor that was closed before is gone from epoll, which is what is wanted. */
	(void)epoll_ctl(worker->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
	weft_list_remove(&watch->link);
	worker->callbacks -= watch->ready != NULL;
	worker->eager -= watch->ready != NULL && !watch->lazy;
	for (int i = 0; i < worker->fetched_count; i++) {
		if (worker->fetched[i].data.ptr == watch)
			worker->fetched[i].data.ptr = NULL;
	}
}

unsigned int weft__fds_dispatch(struct weft_worker *worker)
{
	unsigned int done = 0;

	worker->fetching = true;
	for (int i = 0; i < worker->fetched_count; i++) {
		struct weft_fd_watch *watch = worker->fetched[i].data.ptr;

		/* NULL: our own wake-up, or removed since. */
		if (watch == NULL || watch->ready == NULL)
			continue;
		done++;
		watch->ready(watch, worker->fetched[i].events, watch->user);
	}
	if (worker->fetched_count == WEFT__FETCH_MAX)
		worker->fetch_ns = 0;
	worker->fetched_count = 0;
	worker->fetching = false;
	return done;
}

unsigned int weft__fds_poll(struct weft_worker *worker)
{
	int count = epoll_wait(worker->epoll_fd, worker->fetched, WEFT__FETCH_MAX, 0);

	if (count <= 0)
		return 0;
	worker->fetched_count = count;
	return weft__fds_dispatch(worker);
}

int weft__fds_wait(struct weft_worker *worker, uint64_t span_ns)
{
	struct timespec span = {(time_t)(span_ns / 1000000000u), (long)(span_ns % 1000000000u)};
	struct timespec *limit = span_ns == WEFT_NEVER ? NULL : &span;
	uint64_t span_ms = span_ns / 1000000u + (span_ns % 1000000u != 0);
	int count = epoll_pwait2(worker->epoll_fd, worker->fetched, WEFT__FETCH_MAX, limit, NULL);

	/* Before Linux 5.11 only whole milliseconds could be waited for. */
	if (count < 0 && errno == ENOSYS)
		count = epoll_wait(worker->epoll_fd, worker->fetched, WEFT__FETCH_MAX,
				   limit == NULL ? -1 : (int)(span_ms < 60000 ? span_ms : 60000));
	worker->fetched_count = count > 0 ? count : 0;
	return count;
}

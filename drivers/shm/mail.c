/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a path's worker and the runner tell each other. A full mailbox is back-pressure, not a reason to wait: both could
 * wait for each other. What finds no room is noted on the path, and told later, in order: by the worker in its turns, by
 * the runner after a while.
 */
#include "shm/shm.h"

#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>

#define AGAIN_NS UINT64_C(1000000)

/* ---- to the runner; on the worker ---- */

static weft_message_fn *const run_on_runner[] = {shm_hot_make_on_runner, shm_path_bye_on_runner, shm_path_end_on_runner,
						 shm_path_free_on_runner};

/* False when the mailbox is full. The path may be gone at return when all was told. */
static bool tell_runner(struct shm_path *path)
{
	struct weft_worker *runner = path->device->opts.runner;
	struct shm_port *port = path->port;

	while (path->to_runner) {
		unsigned int bit = path->to_runner & -path->to_runner;
		struct weft_message message = {.run = run_on_runner[__builtin_ctz(bit)], .with.pointers = {path}};
		bool is_last = path->to_runner == bit;

		path->to_runner &= ~bit;
		if (is_last)
			weft_list_remove(&path->in_outbox);
		if (weft_worker_post(runner, &message) < 0) {
			path->to_runner |= bit;
			if (weft_list_empty(&path->in_outbox))
				weft_list_push_back(&port->outbox, &path->in_outbox);
			port->base.flush_due = true;
			return false;
		}
		if (is_last)
			return true;
	}
	return true;
}

void shm_tell_runner(struct shm_path *path, unsigned int what)
{
	path->to_runner |= what;
	(void)tell_runner(path); /* else at the next flush */
}

void shm_mail_flush(struct shm_port *port)
{
	WEFT_LIST_FOR_EACH(at, &port->outbox)
		if (!tell_runner(WEFT_CONTAINER_OF(at, struct shm_path, in_outbox)))
			return;
}

/* ---- to the worker; on the runner ---- */

static void shared_on_worker(struct weft_worker *worker, const struct weft_message *message)
{
	struct shm_path *path = message->with.pointers[0];

	(void)worker;
	path->shared[message->with.numbers[1]] = SHM_SHARE_DONE;
}

static bool tell_shared(struct shm_path *path)
{
	struct weft_message message = {.run = shared_on_worker, .with.pointers = {path}};

	for (unsigned int i = 0; i < SHM_SEGMENTS / 64; i++)
		for (uint64_t *bits = &path->shares_mapped[i]; *bits; *bits &= *bits - 1) {
			message.with.numbers[1] = i * 64 + (unsigned int)__builtin_ctzll(*bits);
			if (weft_worker_post(path->port->worker, &message) < 0)
				return false;
		}
	return true;
}

static bool tell_one(struct shm_path *path, unsigned int bit)
{
	struct weft_message message = {.with.pointers = {path}};

	switch (bit) {
	case SHM_TELL_START:
		message.run = shm_path_start_on_worker;
		break;
	case SHM_TELL_HOT:
		message.run = shm_hot_made_on_worker;
		break;
	case SHM_TELL_SHARED:
		return tell_shared(path);
	case SHM_TELL_DOWN:
		message.run = shm_path_down_on_worker;
		message.with.numbers[1] = (uint64_t)path->down_reason;
		message.with.numbers[2] = path->down_proven;
		break;
	default:
		message.run = shm_path_last_on_worker;
	}
	return weft_worker_post(path->port->worker, &message) == 0;
}

static void later(struct shm_device *device)
{
	if (!weft_timer_is_set(&device->mail_timer))
		weft_timer_set(device->opts.runner, &device->mail_timer,
			       weft_clock_now(weft_worker_clock(device->opts.runner)) + AGAIN_NS);
}

static void tell_worker(struct shm_path *path)
{
	struct shm_device *device = path->device;

	while (path->to_worker) {
		unsigned int bit = path->to_worker & -path->to_worker, rest = path->to_worker & ~bit;

		/* Before it is posted: the worker's answer to the last one frees the path. */
		path->to_worker = rest;
		if (!rest)
			weft_list_remove(&path->in_mail);
		if (!tell_one(path, bit)) {
			path->to_worker |= bit;
			if (weft_list_empty(&path->in_mail))
				weft_list_push_back(&device->mail, &path->in_mail);
			later(device);
			return;
		}
		if (!rest)
			return;
	}
}

void shm_tell_worker(struct shm_path *path, unsigned int what)
{
	path->to_worker |= what;
	tell_worker(path);
}

/* ---- connects that failed ---- */

struct shm_failure {
	struct weft_list link;
	struct shm_port *port;
	void *request;
	int error;
	char why[96];
};

static void failed_on_worker(struct weft_worker *worker, const struct weft_message *message)
{
	struct shm_failure *failure = message->with.pointers[0];
	struct shm_port *port = failure->port;

	(void)worker;
	port->device->opts.events->connect_failed(port->base.user, failure->request, failure->error, failure->why);
	free(failure);
}

static bool tell_failure(struct shm_failure *failure)
{
	struct weft_message message = {.run = failed_on_worker, .with.pointers = {failure}};

	weft_list_remove(&failure->link);
	return weft_worker_post(failure->port->worker, &message) == 0;
}

struct shm_failure *shm_failure_new(struct shm_port *port, void *request)
{
	struct shm_failure *failure = calloc(1, sizeof *failure);

	if (!failure)
		return NULL;
	weft_list_init(&failure->link);
	failure->port = port;
	failure->request = request;
	return failure;
}

void shm_tell_failure(struct shm_failure *failure, int error, const char *why)
{
	failure->error = error;
	strncpy(failure->why, why, sizeof failure->why - 1);
	if (!tell_failure(failure)) {
		weft_list_push_back(&failure->port->device->failures, &failure->link);
		later(failure->port->device);
	}
}

/* ---- again ---- */

static void again(struct weft_timer *timer, void *user)
{
	struct shm_device *device = user;
	unsigned int waiting = 0;

	(void)timer;
	WEFT_LIST_FOR_EACH(each, &device->mail)
		waiting++;
	while (waiting--) /* who finds no room again stands at the end again */
		tell_worker(WEFT_CONTAINER_OF(weft_list_pop_front(&device->mail), struct shm_path, in_mail));
	WEFT_LIST_FOR_EACH(other, &device->failures) {
		struct shm_failure *failure = WEFT_CONTAINER_OF(other, struct shm_failure, link);

		if (!tell_failure(failure)) {
			weft_list_push_front(&device->failures, &failure->link);
			later(device);
			return;
		}
	}
}

void shm_mail_init(struct shm_device *device)
{
	weft_list_init(&device->mail);
	weft_list_init(&device->failures);
	weft_timer_init(&device->mail_timer, again, device);
}

void shm_mail_drop(struct shm_device *device, const struct shm_port *port)
{
	if (!port)
		weft_timer_cancel(device->opts.runner, &device->mail_timer);
	WEFT_LIST_FOR_EACH(at, &device->failures) {
		struct shm_failure *failure = WEFT_CONTAINER_OF(at, struct shm_failure, link);

		if (port && failure->port != port)
			continue;
		weft_list_remove(at);
		free(failure);
	}
}

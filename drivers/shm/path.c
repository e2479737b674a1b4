/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A path's life between its two owners. The runner builds it and gives it to the worker; the worker gives it back for
 * its end; it is freed when the worker has seen the last message about it.
 */
#include "shm/shm.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <weft/errors.h>

struct shm_path *shm_path_new(struct shm_port *port, int64_t who)
{
	struct shm_path *path = aligned_alloc(64, (sizeof *path + 63) & ~(size_t)63);

	if (!path)
		return NULL;
	memset(path, 0, sizeof *path);
	path->base.port = &port->base;
	path->port = port;
	path->device = port->device;
	path->who = who;
	path->empty_limit = SHM_QUIET_TURNS;
	path->control_fd = path->ring_fd = path->bell.fd = path->pid_fd = -1;
	weft_timer_init(&path->due_timer, NULL, NULL);
	weft_list_init(&path->in_polled);
	weft_list_init(&path->in_dirty);
	weft_list_init(&path->in_port);
	weft_list_init(&path->in_doomed);
	weft_list_init(&path->in_outbox);
	weft_list_init(&path->in_mail);
	weft_list_push_back(&port->device->paths, &path->in_device);
	return path;
}

void shm_path_leave_port(struct shm_path *path)
{
	weft_list_remove(&path->in_polled);
	weft_list_remove(&path->in_dirty);
	weft_list_remove(&path->in_port);
	weft_list_remove(&path->in_doomed);
	weft_list_remove(&path->in_outbox);
	weft_list_remove(&path->in_mail);
}

void shm_path_free(struct shm_path *path)
{
	shm_path_leave_port(path);
	shm_watch_leave(path);
	weft_list_remove(&path->in_device);
	for (unsigned int i = 0; i < path->mapping_count; i++)
		shm_mapping_close(path, &path->mappings[i]);
	shm_shares_free(path);
	if (path->carving.base)
		weft_arena_uncarve(path->device->opts.arena, &path->carving);
	shm_hot_free(path);
	if (path->control_fd >= 0)
		shm_foreign_hang_up(path->control_fd, path->who);
	if (path->ring_fd >= 0)
		shm_foreign_drop_bell(path->ring_fd, path->who);
	shm_bell_close(&path->bell, path->who);
	if (path->pid_fd >= 0)
		close(path->pid_fd);
	free(path->lent);
	free(path);
}

/* ---- the bell ---- */

void shm_ring_bell(struct shm_path *path)
{
	path->port->stats.bells_rung += shm_bell_ring(path->ring_fd);
}

static void bell_rang(struct weft_fd_watch *watch, uint32_t events, void *user)
{
	struct shm_path *path = user;

	(void)events;
	path->port->stats.wakes++;
	path->port->look_at_all = true;
	if (shm_bell_hear(&path->bell))
		return;
	/* The other end is gone; why, the runner is about to say. Or there is something in it that nobody takes out: it would
	 * keep us awake. The back-stop wakes us without it. */
	weft_worker_remove_fd(path->port->worker, watch);
	watch->ready = NULL;
}

/* ---- up ---- */

void shm_path_start_on_worker(struct weft_worker *worker, const struct weft_message *message)
{
	struct shm_path *path = message->with.pointers[0];
	struct shm_port *port = path->port;

	path->state = SHM_PATH_UP;
	weft_list_push_back(&port->paths, &path->in_port);
	weft_list_push_back(&port->busy, &path->in_polled);
	path->busy = true;
	port->stats.paths++;
	path->bell_watch = (struct weft_fd_watch){
		.fd = path->bell.fd, .events = EPOLLIN | EPOLLRDHUP, .ready = bell_rang, .user = path, .lazy = true};
	if (weft_worker_add_fd(worker, &path->bell_watch) < 0)
		path->bell_watch.ready = NULL; /* without a bell the back-stop wakes us */
	port->device->opts.events->path_up(port->base.user, &path->base, &path->theirs, path->request);
}

/* ---- down ---- */

static void leave_polling(struct shm_path *path)
{
	shm_stage_drop(path);
	if (!path->busy && !weft_list_empty(&path->in_polled))
		path->port->quiet_count--;
	weft_list_remove(&path->in_polled);
	path->busy = false;
}

/* The peer lives, but nothing more can be agreed with it. */
static bool forsakes(enum weft_down_reason reason)
{
	return reason == WEFT_DOWN_VIOLATION || reason == WEFT_DOWN_BROKEN;
}

void shm_path_doom(struct shm_path *path)
{
	if (path->state != SHM_PATH_UP)
		return;
	path->state = SHM_PATH_DOOMED;
	path->forsaken = true;
	shm_stage_drop(path);
	weft_list_push_back(&path->port->doomed, &path->in_doomed);
	path->port->any_doomed = true;
}

void shm_path_down(struct shm_path *path, enum weft_down_reason reason)
{
	struct shm_port *port = path->port;

	if (path->state == SHM_PATH_DOOMED)
		weft_list_remove(&path->in_doomed);
	else if (path->state != SHM_PATH_UP)
		return;
	path->state = SHM_PATH_DOWN;
	leave_polling(path);
	if (reason == WEFT_DOWN_VIOLATION)
		port->stats.violations++;
	path->forsaken |= forsakes(reason);
	if (path->bell_watch.ready) {
		weft_worker_remove_fd(port->worker, &path->bell_watch);
		path->bell_watch.ready = NULL;
	}
	port->device->opts.events->path_down(port->base.user, &path->base, reason);
}

void shm_path_ending(struct shm_path *path, enum weft_down_reason reason)
{
	if (path->state != SHM_PATH_UP || path->ending)
		return;
	if (reason == WEFT_DOWN_VIOLATION) {
		shm_path_down(path, reason);
		return;
	}
	path->ending = true;
	path->empty_limit = 0;
	path->ending_reason = reason;
	shm_path_busy(path);
}

static void finish_limbo(struct shm_path *path);

void shm_path_down_on_worker(struct weft_worker *worker, const struct weft_message *message)
{
	struct shm_path *path = message->with.pointers[0];
	enum weft_down_reason reason = (enum weft_down_reason)message->with.numbers[1];

	(void)worker;
	/* Also of one whose word says that it has died: it may hang up and live on. */
	path->forsaken |= forsakes(reason);
	if (message->with.numbers[2] && !path->proven) {
		path->proven = true;
		if (path->lent)
			shm_loans_home(path);
	}
	if (path->state == SHM_PATH_LIMBO)
		finish_limbo(path);
	else
		shm_path_ending(path, reason);
}

void shm_path_report_down(struct shm_path *path, enum weft_down_reason reason, bool proven)
{
	if (!(path->to_worker & SHM_TELL_DOWN)) {
		path->down_reason = reason;
		path->down_proven = false;
	}
	path->down_proven |= proven;
	shm_tell_worker(path, SHM_TELL_DOWN);
}

/* ---- the end: to the runner, back once behind whatever it had posted about the path, and to the runner again ---- */

void shm_path_free_on_runner(struct weft_worker *runner, const struct weft_message *message)
{
	(void)runner;
	shm_path_free(message->with.pointers[0]);
}

void shm_path_last_on_worker(struct weft_worker *worker, const struct weft_message *message)
{
	(void)worker;
	shm_tell_runner(message->with.pointers[0], SHM_TELL_FREE);
}

void shm_path_end_on_runner(struct weft_worker *runner, const struct weft_message *message)
{
	struct shm_path *path = message->with.pointers[0];

	(void)runner;
	shm_control_stop(path);
	shm_tell_worker(path, SHM_TELL_LAST);
}

void shm_path_bye_on_runner(struct weft_worker *runner, const struct weft_message *message)
{
	(void)runner;
	shm_control_bye(message->with.pointers[0]);
}

static void finish_limbo(struct shm_path *path)
{
	/* Also without loans the peer's farewell is waited for: it may be reading our rings, whose memory another path
	 * would use next. */
	if (!path->lent_count && path->forsaken)
		path->proven = true;
	if (!path->proven || path->finished)
		return;
	path->finished = true; /* more than one notice of the peer's end may come */
	shm_debtor_leave(path);
	shm_tell_runner(path, SHM_TELL_END);
}

void shm_path_disconnect(struct weft_path *base)
{
	struct shm_path *path = WEFT_CONTAINER_OF(base, struct shm_path, base);
	struct shm_port *port = path->port;

	if (path->state == SHM_PATH_LIMBO)
		return;
	leave_polling(path);
	if (path->bell_watch.ready)
		weft_worker_remove_fd(port->worker, &path->bell_watch);
	path->bell_watch.ready = NULL;
	if (path->dirty)
		weft_list_remove(&path->in_dirty);
	path->dirty = false;
	weft_list_remove(&path->in_port);
	weft_list_remove(&path->in_doomed);
	port->stats.paths--;
	path->state = SHM_PATH_LIMBO;
	finish_limbo(path);
	if (!path->finished)
		shm_tell_runner(path, SHM_TELL_BYE);
}

/* ---- memory ---- */

static void share_on_runner(struct weft_worker *runner, const struct weft_message *message)
{
	(void)runner;
	shm_control_share(message->with.pointers[0], (uint32_t)message->with.numbers[1]);
}

int shm_path_share(struct weft_path *base, uint32_t segment_id)
{
	struct shm_path *path = WEFT_CONTAINER_OF(base, struct shm_path, base);
	struct weft_message message = {.run = share_on_runner, .with.pointers = {path}};

	if (segment_id >= SHM_SEGMENTS)
		return -WEFT_ENOSPC;
	if (path->shared[segment_id] != SHM_SHARE_NONE || path->state != SHM_PATH_UP)
		return 0;
	message.with.numbers[1] = segment_id;
	/* No room in its mailbox: tx says -WEFT_ENXIO again, and this is tried again. */
	if (weft_worker_post(path->device->opts.runner, &message) == 0)
		path->shared[segment_id] = SHM_SHARE_ASKED;
	return 0;
}

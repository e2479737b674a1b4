/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket of a path that stands, and the notice of the peer's death. All of it happens on the runner.
 */
#include "shm/shm.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <weft/errors.h>
#include <weft/log.h>

#define OUTLIVED_NS UINT64_C(200000000)
#define DUE_NS UINT64_C(20000000) /* until a full socket is tried again */
#define CONTROL_BURST 16u         /* messages of one path that are read at once */

static void close_all(int *fds, unsigned int count, int64_t who)
{
	for (unsigned int i = 0; i < count; i++)
		shm_foreign_close(fds[i], who);
}

static void stop_listening(struct shm_path *path)
{
	if (!path->control_open)
		return;
	path->control_open = false;
	shm_pause_remove(&path->control_pause, path->device->opts.runner, &path->control_watch);
}

static void cancel_timers(struct shm_path *path)
{
	weft_timer_cancel(path->device->opts.runner, &path->due_timer);
	if (path->end_timer.fire)
		weft_timer_cancel(path->device->opts.runner, &path->end_timer);
}

static void lost(struct shm_path *path, enum weft_down_reason reason, bool proven)
{
	stop_listening(path);
	cancel_timers(path);
	shm_path_report_down(path, reason, proven);
}

/* Its process lives, but has closed the socket without a farewell: nobody can say what it has got. */
static void outlived(struct weft_timer *timer, void *user)
{
	(void)timer;
	lost(user, WEFT_DOWN_BROKEN, false);
}

/*
 * The end of the peer's socket. A process that ends closes its descriptors a moment before its end can be seen, so its
 * pidfd has the last word; without one, this must do for a death.
 */
static void socket_ended(struct shm_path *path)
{
	struct weft_worker *runner = path->device->opts.runner;

	if (path->pid_fd < 0) {
		lost(path, WEFT_DOWN_DIED, true);
		return;
	}
	stop_listening(path);
	if (path->condemned)
		return;
	weft_timer_init(&path->end_timer, outlived, path);
	weft_timer_set(runner, &path->end_timer, weft_clock_now(weft_worker_clock(runner)) + OUTLIVED_NS);
}

/* ---- segments of the peer ---- */

static void set_bit(uint64_t *bits, uint32_t segment_id)
{
	bits[segment_id / 64] |= UINT64_C(1) << segment_id % 64;
}

static int say_share(struct shm_path *path, uint32_t segment_id)
{
	const struct weft_segment *segment = weft_arena_segment(path->device->opts.arena, segment_id);
	struct shm_wire wire = {.magic = SHM_WIRE_MAGIC,
				.version = WEFT__SHM_VERSION,
				.type = SHM_SHARE,
				.rings.segment_id = segment_id};
	int rc;

	if (!segment)
		return 0;
	wire.segment_len_bytes[0] = segment->len_bytes;
	rc = shm_wire_send(path->control_fd, &wire, &segment->fd, 1);
	if (rc == 0)
		set_bit(path->share_sent, segment_id);
	return rc;
}

static int say_shared(struct shm_path *path, uint32_t segment_id)
{
	struct shm_wire wire = {.magic = SHM_WIRE_MAGIC,
				.version = WEFT__SHM_VERSION,
				.type = SHM_SHARED,
				.rings.segment_id = segment_id};

	return shm_wire_send(path->control_fd, &wire, NULL, 0);
}

/* False when the rest must wait. To a peer that has closed nothing is said; what it said before, its farewell perhaps, is
 * still to be read. */
static bool say_each(struct shm_path *path, uint64_t *due, int (*say)(struct shm_path *path, uint32_t segment_id))
{
	for (unsigned int i = 0; i < SHM_SEGMENTS / 64; i++)
		for (; due[i]; due[i] &= due[i] - 1)
			if (say(path, i * 64 + (unsigned int)__builtin_ctzll(due[i])) == -WEFT_EAGAIN)
				return false;
	return true;
}

static void say_again(struct weft_timer *timer, void *user);

/*
 * A peer that is stopped, or slow, reads nothing, and the socket becomes full. That ends nothing: what is due is noted, at
 * most once for each segment, and said when there is room again.
 */
static void say_due(struct shm_path *path)
{
	struct weft_worker *runner = path->device->opts.runner;

	if (!path->control_open || weft_timer_is_set(&path->due_timer) ||
	    (say_each(path, path->shared_due, say_shared) && say_each(path, path->share_due, say_share)))
		return;
	weft_timer_init(&path->due_timer, say_again, path);
	weft_timer_set(runner, &path->due_timer, weft_worker_now(runner) + DUE_NS);
}

static void say_again(struct weft_timer *timer, void *user)
{
	(void)timer;
	say_due(user);
}

/* The peer shares a segment: it is mapped, and then the peer told. */
static int on_share(struct shm_path *path, const struct shm_wire *wire, int fd)
{
	int rc = shm_shares_add(path, wire->rings.segment_id, fd);

	if (rc < 0)
		return rc;
	set_bit(path->shared_due, wire->rings.segment_id);
	say_due(path);
	return 0;
}

/* The peer has mapped a segment of ours. */
static int on_shared(struct shm_path *path, uint32_t segment_id)
{
	uint64_t bit = UINT64_C(1) << segment_id % 64;

	if (segment_id >= SHM_SEGMENTS || !(path->share_sent[segment_id / 64] & bit))
		return -WEFT_EPROTO;
	path->share_sent[segment_id / 64] &= ~bit;
	path->shares_mapped[segment_id / 64] |= bit;
	shm_tell_worker(path, SHM_TELL_SHARED);
	return 0;
}

void shm_control_share(struct shm_path *path, uint32_t segment_id)
{
	set_bit(path->share_due, segment_id);
	say_due(path);
}

/* ---- what the peer says ---- */

/* 0, -WEFT_EPROTO when the peer may not say this, or why it cannot be done. */
static int handle(struct shm_path *path, const struct shm_wire *wire, int *fds, unsigned int fd_count)
{
	if (fd_count != (wire->type == SHM_SHARE))
		return -WEFT_EPROTO;
	switch (wire->type) {
	case SHM_SHARE:
		return on_share(path, wire, fds[0]);
	case SHM_SHARED:
		return on_shared(path, wire->rings.segment_id);
	case SHM_BYE:
		path->bye_received = true;
		return 0;
	default:
		return -WEFT_EPROTO;
	}
}

/* The path cannot go on. Where no pidfd tells of the peer's exit its socket is still watched, for its end alone. */
static void fail(struct shm_path *path, int error)
{
	bool is_violation = error != -WEFT_ENOMEM && error != -WEFT_EMFILE;

	weft_log(WEFT_LOG_WARN, "shm", "peer pid %lld error %s action closed", (long long)path->base.peer.pid,
		 weft_error_name(error));
	path->condemned = true;
	if (path->pid_fd < 0 && path->control_pause.on)
		path->control_watch.events = EPOLLRDHUP; /* from its end on */
	else if (path->pid_fd >= 0 ||
		 weft_worker_change_fd(path->device->opts.runner, &path->control_watch, EPOLLRDHUP) < 0)
		stop_listening(path);
	shm_path_report_down(path, is_violation ? WEFT_DOWN_VIOLATION : WEFT_DOWN_BROKEN, false);
}

void shm_control_shun(struct shm_device *device, int64_t who)
{
	char text[SHM_WHO_TEXT];
	unsigned int count = 0;

	if (!who || !shm_foreign_is_shunned(who)) /* of those that cannot be told apart most are innocent */
		return;
	WEFT_LIST_FOR_EACH(at, &device->paths) {
		struct shm_path *path = WEFT_CONTAINER_OF(at, struct shm_path, in_device);

		if (path->who != who || !path->port || !path->control_open || path->condemned)
			continue;
		fail(path, -WEFT_EQUOTA);
		count++;
	}
	if (count)
		weft_log(WEFT_LOG_WARN, "shm",
			 "%s sends what cannot be closed paths %u action closed, and none is made until "
			 "it can be: end it",
			 shm_who_text(who, text), count);
}

static void linger_over(struct shm_path *path)
{
	shm_control_stop(path);
	shm_path_free(path);
}

/* One message, or what came instead of it. Whether more is to be read; else the path may be gone. */
static bool take(struct shm_path *path, int rc, const struct shm_wire *wire, int *fds, unsigned int fd_count)
{
	if (rc == 0) {
		socket_ended(path);
		return false;
	}
	if (rc == 1)
		rc = handle(path, wire, fds, fd_count);
	if (rc < 0)
		fail(path, rc);
	else if (path->bye_received)
		lost(path, WEFT_DOWN_CLOSED, true);
	return path->control_open && !path->condemned;
}

/* The same after the port, when only the peer's leave is of interest. */
static bool take_lingering(struct shm_path *path, int rc, const struct shm_wire *wire)
{
	if (rc == 1 && wire->type != SHM_BYE && !shm_foreign_is_shunned(path->who))
		return true;
	linger_over(path);
	return false;
}

static void control_ready(struct weft_fd_watch *watch, uint32_t events, void *user)
{
	struct shm_path *path = user;
	struct shm_device *device = path->device;
	int64_t who = path->who;
	bool more = true;

	if (path->condemned && path->port && events & (EPOLLRDHUP | EPOLLHUP)) {
		socket_ended(path);
		return;
	}
	for (unsigned int i = 0; i < CONTROL_BURST && more; i++) {
		unsigned int fd_count;
		struct shm_wire wire;
		int fds[SHM_FDS_MAX];
		int rc = shm_wire_receive(watch->fd, who, &wire, fds, &fd_count);

		if (rc == -WEFT_EMFILE)
			shm_pause_begin(&path->control_pause, device->opts.runner, watch);
		if (rc == -WEFT_EAGAIN || rc == -WEFT_EMFILE)
			break;
		more = path->port ? take(path, rc, &wire, fds, fd_count) : take_lingering(path, rc, &wire);
		close_all(fds, fd_count, who);
	}
	shm_control_shun(device, who);
}

static void process_ready(struct weft_fd_watch *watch, uint32_t events, void *user)
{
	struct shm_path *path = user;

	(void)events;
	weft_worker_remove_fd(path->device->opts.runner, watch);
	close(path->pid_fd);
	path->pid_fd = -1;
	lost(path, path->bye_received ? WEFT_DOWN_CLOSED : WEFT_DOWN_DIED, true);
}

/* ---- start and stop ---- */

int shm_control_start(struct shm_path *path)
{
	struct weft_worker *runner = path->device->opts.runner;
	int rc;

	path->control_watch =
		(struct weft_fd_watch){.fd = path->control_fd, .events = EPOLLIN, .ready = control_ready, .user = path};
	rc = weft_worker_add_fd(runner, &path->control_watch);
	if (rc < 0)
		return rc;
	path->control_open = true;
	if (path->pid_fd < 0)
		return 0;
	path->pid_watch =
		(struct weft_fd_watch){.fd = path->pid_fd, .events = EPOLLIN, .ready = process_ready, .user = path};
	if (weft_worker_add_fd(runner, &path->pid_watch) < 0) {
		close(path->pid_fd);
		path->pid_fd = -1;
	}
	return 0;
}

void shm_control_bye(struct shm_path *path)
{
	struct shm_wire wire = {.magic = SHM_WIRE_MAGIC, .version = WEFT__SHM_VERSION, .type = SHM_BYE};

	if (path->bye_sent || path->control_fd < 0)
		return;
	path->bye_sent = true;
	(void)shm_wire_send(path->control_fd, &wire, NULL, 0); /* a peer that does not read sees the end of file */
}

int shm_control_undo(struct shm_path *path)
{
	int fd = path->control_fd;

	stop_listening(path);
	cancel_timers(path);
	if (path->pid_fd >= 0) {
		weft_worker_remove_fd(path->device->opts.runner, &path->pid_watch);
		close(path->pid_fd);
		path->pid_fd = -1;
	}
	path->control_fd = -1;
	return fd;
}

void shm_control_stop(struct shm_path *path)
{
	int fd;

	shm_control_bye(path);
	shm_watch_leave(path);
	fd = shm_control_undo(path);
	if (fd >= 0)
		shm_foreign_hang_up(fd, path->who);
}

/* ---- after the port: only the rings' memory is left, which the peer may still be reading ---- */

static void linger_process(struct weft_fd_watch *watch, uint32_t events, void *user)
{
	(void)watch;
	(void)events;
	linger_over(user);
}

void shm_control_linger(struct shm_path *path)
{
	shm_control_bye(path);
	shm_watch_leave(path);
	cancel_timers(path);
	path->port = NULL;
	path->pid_watch.ready = linger_process;
	if (path->bye_received || path->proven || !path->control_open)
		linger_over(path);
}

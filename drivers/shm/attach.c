/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handshake that makes a path. Connector and listener hand each other their halves of it (half.c), and only then tell a
 * worker. A peer that stalls is given up after a time.
 */
#include "shm/shm.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weft/errors.h>
#include <weft/log.h>

#define STALL_NS UINT64_C(2000000000)
#define LINGER_NS UINT64_C(10000000000)
/* Handshakes that others began, in all and by one process: who begins many and ends none shuts out nobody. */
#define ATTACHES_MAX 64
#define ATTACHES_OF_ONE_MAX 32

/* One handshake under way. */
struct shm_attach {
	bool accepted; /* begun by the peer */
	bool lingers;  /* it has failed, and that was told */
	struct shm_device *device;
	struct shm_port *port; /* of a connector */
	struct shm_path *path; /* of a connector: waits for the answer */
	struct weft_peer_identity peer;
	int64_t who;                 /* of foreign.h */
	struct shm_failure *failure; /* of a connector: what its worker is told then; made before it can be needed */
	void *request;
	int fd;
	struct weft_fd_watch watch;
	struct shm_pause pause;
	struct weft_timer stall;
	struct weft_list link;
};

/* ---- messages and sockets ---- */

static void init_wire(struct shm_wire *wire, const struct shm_device *device, enum shm_message_type type)
{
	memset(wire, 0, sizeof *wire);
	wire->magic = SHM_WIRE_MAGIC;
	wire->version = WEFT__SHM_VERSION;
	wire->type = (uint16_t)type;
	wire->incarnation = device->opts.incarnation;
}

static void take_hello(struct weft_hello *hello, const struct shm_wire *wire)
{
	hello->len_bytes = wire->hello_len_bytes;
	memcpy(hello->bytes, wire->hello, wire->hello_len_bytes);
}

static void put_hello(struct shm_wire *wire, const struct weft_hello *hello)
{
	wire->hello_len_bytes = hello->len_bytes;
	memcpy(wire->hello, hello->bytes, hello->len_bytes);
}

/* From now on the socket is the path's own, and watched as such; fd stays the caller's if that fails. */
static int take_socket(struct shm_path *path, int fd, const struct weft_peer_identity *peer,
		       const struct shm_wire *theirs)
{
	int rc;

	path->base.peer = *peer;
	path->base.peer.incarnation = theirs->incarnation;
	path->control_fd = fd;
	path->pid_fd = shm_rendezvous_pidfd(fd, peer);
	rc = shm_control_start(path);
	if (rc < 0)
		path->control_fd = -1;
	return rc;
}

/* The path stands. */
static void start(struct shm_path *path, const struct shm_wire *theirs, void *request)
{
	take_hello(&path->theirs, theirs);
	path->request = request;
	shm_watch_start(path, path->peer_life);
	shm_tell_worker(path, SHM_TELL_START);
}

/* ---- handshakes ---- */

/* Once only: afterwards the path may watch the same descriptor. */
static void stop_watching(struct shm_attach *attach)
{
	if (attach->watch.ready)
		shm_pause_remove(&attach->pause, attach->device->opts.runner, &attach->watch);
	attach->watch.ready = NULL;
}

static void attach_free(struct shm_attach *attach)
{
	struct weft_worker *runner = attach->device->opts.runner;

	weft_timer_cancel(runner, &attach->stall);
	stop_watching(attach);
	weft_list_remove(&attach->link);
	attach->device->accepted_count -= attach->accepted;
	if (attach->fd >= 0)
		shm_foreign_hang_up(attach->fd, attach->who);
	if (attach->path)
		shm_path_free(attach->path);
	free(attach->failure);
	free(attach);
}

/* Of what came with a message: honest peers send a bell, also where nothing comes of it. */
static void let_go(struct shm_attach *attach, const int *fds, unsigned int fd_count)
{
	for (unsigned int i = 0; i < fd_count; i++)
		if (shm_foreign_is_bell(fds[i]))
			shm_foreign_drop_bell(fds[i], attach->who);
		else
			shm_foreign_close(fds[i], attach->who);
	shm_control_shun(attach->device, attach->who);
}

/* As shm_wire_receive. Without descriptors of our own it waits for some, as long as a handshake may take. */
static int receive(struct shm_attach *attach, struct shm_wire *wire, int fds[SHM_FDS_MAX], unsigned int *fd_count)
{
	int rc = shm_wire_receive(attach->fd, attach->who, wire, fds, fd_count);

	if (rc != -WEFT_EMFILE)
		return rc;
	shm_pause_begin(&attach->pause, attach->device->opts.runner, &attach->watch);
	return -WEFT_EAGAIN;
}

static void lingered(struct weft_timer *timer, void *user)
{
	(void)timer;
	attach_free(user);
}

static void linger_ready(struct weft_fd_watch *watch, uint32_t events, void *user)
{
	struct shm_attach *attach = user;
	struct shm_wire wire;
	int fds[SHM_FDS_MAX];
	unsigned int fd_count;
	int rc = receive(attach, &wire, fds, &fd_count);

	(void)watch;
	(void)events;
	let_go(attach, fds, fd_count);
	if (rc == 0 || (rc < 0 && rc != -WEFT_EAGAIN) || shm_foreign_is_shunned(attach->who))
		attach_free(attach);
}

/*
 * The peer may have mapped our rings, and reads them until it hears that nothing comes of it: what another path wrote
 * into the same memory meanwhile would look like ours. So it is kept until the peer hangs up too; one that does not
 * within LINGER_NS reads nonsense.
 */
static void attach_linger(struct shm_attach *attach)
{
	struct weft_worker *runner = attach->device->opts.runner;

	stop_watching(attach);
	shutdown(attach->fd, SHUT_WR);
	attach->lingers = true;
	attach->watch =
		(struct weft_fd_watch){.fd = attach->fd, .events = EPOLLIN, .ready = linger_ready, .user = attach};
	if (weft_worker_add_fd(runner, &attach->watch) < 0) {
		attach->watch.ready = NULL;
		attach_free(attach);
		return;
	}
	weft_timer_cancel(runner, &attach->stall);
	weft_timer_init(&attach->stall, lingered, attach);
	weft_timer_set(runner, &attach->stall, weft_clock_now(weft_worker_clock(runner)) + LINGER_NS);
}

/* Ends a handshake; a connector's worker is told. */
static void attach_fail(struct shm_attach *attach, int error, const char *why)
{
	if (!attach->port) {
		attach_free(attach);
		return;
	}
	shm_tell_failure(attach->failure, error, why);
	attach->failure = NULL;
	attach_linger(attach);
}

static void stalled(struct weft_timer *timer, void *user)
{
	(void)timer;
	attach_fail(user, -WEFT_ETIMEDOUT, "the peer did not finish the handshake in time");
}

static struct shm_attach *attach_new(struct shm_device *device, int fd, weft_fd_fn *ready)
{
	struct shm_attach *attach = calloc(1, sizeof *attach);

	if (!attach)
		return NULL;
	attach->device = device;
	attach->fd = fd;
	attach->watch = (struct weft_fd_watch){.fd = fd, .events = EPOLLIN, .ready = ready, .user = attach};
	weft_timer_init(&attach->stall, stalled, attach);
	if (weft_worker_add_fd(device->opts.runner, &attach->watch) < 0) {
		free(attach);
		return NULL;
	}
	weft_list_push_back(&device->attaches, &attach->link);
	weft_timer_set(device->opts.runner, &attach->stall,
		       weft_clock_now(weft_worker_clock(device->opts.runner)) + STALL_NS);
	return attach;
}

/* ---- the connector ---- */

static void answer_ready(struct weft_fd_watch *watch, uint32_t events, void *user)
{
	struct shm_attach *attach = user;
	struct shm_path *path = attach->path;
	int fds[SHM_FDS_MAX], rc;
	unsigned int fd_count;
	struct shm_wire wire;

	(void)watch;
	(void)events;
	rc = receive(attach, &wire, fds, &fd_count);
	if (rc == -WEFT_EAGAIN)
		return;
	if (rc == 1 && wire.type == SHM_REFUSE) {
		rc = wire.error < 0 ? wire.error : -WEFT_EPROTO;
	} else if (rc == 1 && shm_half_is(&wire, SHM_ACCEPT, fds, fd_count)) {
		rc = shm_half_join(path, &wire, fds, &fd_count);
		if (rc == 0) {
			stop_watching(attach);
			rc = take_socket(path, attach->fd, &attach->peer, &wire);
		}
		if (rc == 0) {
			start(path, &wire, attach->request);
			attach->path = NULL;
			attach->fd = -1;
			attach->port = NULL;
		}
	} else {
		rc = rc == 0 ? -WEFT_ECONNREFUSED : rc < 0 ? rc : -WEFT_EPROTO;
	}
	let_go(attach, fds, fd_count);
	attach_fail(attach, rc, rc < 0 ? weft_error_text(rc) : "");
}

static int send_attach(struct shm_attach *attach, const struct weft_hello *mine)
{
	struct shm_wire wire;
	int fds[SHM_FDS_MAX], rc;

	init_wire(&wire, attach->device, SHM_ATTACH);
	put_hello(&wire, mine);
	rc = shm_half_make(attach->path, &wire, fds);
	return rc < 0 ? rc : shm_half_send(attach->fd, &wire, fds);
}

int shm_attach_connect(struct weft_port *base, const char *to, const struct weft_hello *mine, void *request)
{
	struct shm_port *port = WEFT_CONTAINER_OF(base, struct shm_port, base);
	struct shm_device *device = port->device;
	struct weft_peer_identity peer;
	struct shm_attach *attach;
	int fd, rc;

	if (shm_foreign_is_full())
		return weft_set_error(WEFT_EAGAIN,
				      "no connection to \"%s\": too much that peers sent waits to be closed", to);
	rc = shm_rendezvous_connect(device, to, &fd);
	if (rc < 0)
		return rc;
	rc = shm_rendezvous_peer(device, fd, &peer);
	attach = rc < 0 ? NULL : attach_new(device, fd, answer_ready);
	if (!attach) {
		shm_foreign_hang_up(fd, rc < 0 ? 0 : peer.pid);
		return rc < 0 ? rc : weft_set_error(WEFT_ENOMEM, "no memory to connect to \"%s\"", to);
	}
	attach->peer = peer;
	attach->who = shm_rendezvous_who(fd, &peer);
	attach->path = shm_path_new(port, attach->who);
	attach->failure = shm_failure_new(port, request);
	rc = attach->path && attach->failure ? send_attach(attach, mine)
					     : weft_set_error(WEFT_ENOMEM, "no memory to connect to \"%s\"", to);
	if (rc < 0 && rc != -WEFT_EPIPE) { /* who has hung up already may have said why: that is read as any answer */
		attach_free(attach);       /* the caller hears of it by the return value */
		return rc;
	}
	attach->port = port;
	attach->request = request;
	return 0;
}

/* ---- the listener ---- */

/* How many paths one process may have in all: half of our descriptors, of which each takes four. */
static unsigned int most_of_one(void)
{
	struct rlimit limit;
	rlim_t most = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur / 8 : 0;

	return most < SHM_PATHS_OF_ONE_MAX ? SHM_PATHS_OF_ONE_MAX : most < UINT_MAX ? (unsigned int)most : UINT_MAX;
}

/*
 * Whether a process has as many paths as it may, so that none takes the place of all others at a port; two processes of many
 * workers each have many in all. Those that nobody can tell apart share a larger number. Our own process may have any.
 */
static bool has_enough(const struct shm_attach *attach, const struct weft_port *port)
{
	struct shm_device *device = attach->device;
	unsigned int here = 0, count = 0;

	if (attach->who == getpid())
		return false;
	WEFT_LIST_FOR_EACH(at, &device->paths) {
		const struct shm_path *path = WEFT_CONTAINER_OF(at, struct shm_path, in_device);

		count += path->who == attach->who;
		here += path->who == attach->who && path->base.port == port;
	}
	if (attach->who ? here < SHM_PATHS_OF_ONE_MAX && count < most_of_one() : count < SHM_PATHS_OF_UNSEEN_MAX)
		return false;
	if (device->enough_said_to != attach->who)
		weft_log(WEFT_LOG_WARN, "shm",
			 "refused a path of pid %lld uid %u paths %u action it should use what it has, or "
			 "be ended",
			 (long long)attach->peer.pid, attach->peer.uid, count);
	device->enough_said_to = attach->who;
	return true;
}

static int build_accepted(struct shm_attach *attach, const struct shm_wire *theirs, int *fds, unsigned int *fd_count)
{
	struct weft_port *port = NULL;
	struct weft_hello hello, mine = {0};
	struct shm_wire answer;
	int own_fds[SHM_FDS_MAX] = {[SHM_SEGMENT_FDS] = -1}, rc;

	take_hello(&hello, theirs);
	attach->peer.incarnation = theirs->incarnation;
	rc = attach->device->opts.events->accept(attach->device->opts.user, &attach->peer, &hello, &mine, &port);
	if (rc == 0 && has_enough(attach, port))
		rc = -WEFT_EQUOTA;
	if (rc < 0)
		return rc;
	attach->path = shm_path_new(WEFT_CONTAINER_OF(port, struct shm_port, base), attach->who);
	if (!attach->path)
		return -WEFT_ENOMEM;
	init_wire(&answer, attach->device, SHM_ACCEPT);
	put_hello(&answer, &mine);
	rc = shm_half_make(attach->path, &answer, own_fds);
	if (rc == 0)
		rc = shm_half_join(attach->path, theirs, fds, fd_count);
	if (rc == 0) {
		stop_watching(attach);
		rc = take_socket(attach->path, attach->fd, &attach->peer, theirs);
	}
	if (rc < 0) {
		if (own_fds[SHM_SEGMENT_FDS] >= 0)
			close(own_fds[SHM_SEGMENT_FDS]);
		return rc;
	}
	/* Last: once it is accepted nothing may fail any more. */
	attach->fd = -1;
	rc = shm_half_send(attach->path->control_fd, &answer, own_fds);
	if (rc < 0)
		shm_control_stop(attach->path);
	return rc;
}

static void refuse(struct shm_attach *attach, int error)
{
	struct shm_wire wire;

	if (attach->fd < 0)
		return;
	init_wire(&wire, attach->device, SHM_REFUSE);
	wire.error = error;
	(void)shm_wire_send(attach->fd, &wire, NULL, 0); /* it sees the end of file in any case */
}

static void attach_ready(struct weft_fd_watch *watch, uint32_t events, void *user)
{
	struct shm_attach *attach = user;
	int fds[SHM_FDS_MAX], rc;
	unsigned int fd_count;
	struct shm_wire wire;

	(void)watch;
	(void)events;
	if (shm_foreign_is_shunned(attach->who)) {
		refuse(attach, -WEFT_EQUOTA);
		attach_free(attach);
		return;
	}
	rc = receive(attach, &wire, fds, &fd_count);
	if (rc == -WEFT_EAGAIN)
		return;
	if (rc == 1 && shm_half_is(&wire, SHM_ATTACH, fds, fd_count)) {
		rc = build_accepted(attach, &wire, fds, &fd_count);
		if (rc == 0) {
			start(attach->path, &wire, NULL);
			attach->path = NULL;
		} else {
			refuse(attach, rc);
		}
	} else if (rc != 0) {
		refuse(attach, rc < 0 ? rc : -WEFT_EPROTO);
	}
	let_go(attach, fds, fd_count);
	attach_free(attach);
}

static bool too_many(const struct shm_device *device, int64_t who)
{
	unsigned int of_one = 0;

	WEFT_LIST_FOR_EACH(at, &device->attaches) {
		struct shm_attach *attach = WEFT_CONTAINER_OF(at, struct shm_attach, link);

		of_one += attach->accepted && attach->who == who;
	}
	return device->accepted_count >= ATTACHES_MAX || of_one >= ATTACHES_OF_ONE_MAX;
}

/* Another user is told why, and nothing else. */
static void turn_away(const struct shm_device *device, int fd)
{
	struct shm_wire wire;

	init_wire(&wire, device, SHM_REFUSE);
	wire.incarnation = 0;
	wire.error = -WEFT_EACCES;
	(void)shm_wire_send(fd, &wire, NULL, 0);
}

void shm_attach_accept(struct weft_fd_watch *watch, uint32_t events, void *user)
{
	struct shm_device *device = user;
	struct weft_peer_identity peer = {0};
	struct shm_attach *attach = NULL;
	int64_t who = 0;
	int fd, rc;

	(void)events;
	if (shm_foreign_is_full()) {
		shm_rendezvous_pause(device, 0);
		return;
	}
	fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
			shm_rendezvous_pause(device, errno);
		return;
	}
	rc = shm_rendezvous_peer(device, fd, &peer);
	if (rc == 0)
		who = shm_rendezvous_who(fd, &peer);
	if (rc == 0 && !too_many(device, who))
		attach = attach_new(device, fd, attach_ready);
	if (rc == -WEFT_EACCES)
		turn_away(device, fd);
	if (!attach) {
		shm_foreign_hang_up(fd, who);
		return;
	}
	attach->peer = peer;
	attach->who = who;
	attach->accepted = true;
	device->accepted_count++;
}

void shm_attach_cancel(struct shm_device *device, const struct shm_port *port)
{
	WEFT_LIST_FOR_EACH(at, &device->attaches) {
		struct shm_attach *attach = WEFT_CONTAINER_OF(at, struct shm_attach, link);

		if (!port || attach->port == port)
			attach_free(attach);
	}
}

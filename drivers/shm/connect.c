/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connector's side of a handshake. Its worker is told what came of it.
 */
#include "shm/attach.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <weft/errors.h>

#define LINGER_NS UINT64_C(10000000000)

static void lingered(struct weft_timer *timer, void *user)
{
	(void)timer;
	shm_attach_free(user);
}

static void linger_ready(struct weft_fd_watch *watch, uint32_t events, void *user)
{
	struct shm_attach *attach = user;
	struct shm_wire wire;
	int fds[SHM_FDS_MAX];
	unsigned int fd_count;
	int rc = shm_attach_receive(attach, &wire, fds, &fd_count);

	(void)watch;
	(void)events;
	shm_attach_let_go(attach, fds, fd_count);
	if (rc == 0 || (rc < 0 && rc != -WEFT_EAGAIN) || shm_foreign_is_shunned(attach->who))
		shm_attach_free(attach);
}

/*
 * The peer may have mapped our rings, and reads them until it hears that nothing comes of it: what another path wrote
 * into the same memory meanwhile would look like ours. So it is kept until the peer hangs up too; one that does not
 * within LINGER_NS reads nonsense.
 */
static void attach_linger(struct shm_attach *attach)
{
	struct weft_worker *runner = attach->device->opts.runner;

	shm_attach_stop_watching(attach);
	shutdown(attach->fd, SHUT_WR);
	attach->watch =
		(struct weft_fd_watch){.fd = attach->fd, .events = EPOLLIN, .ready = linger_ready, .user = attach};
	if (weft_worker_add_fd(runner, &attach->watch) < 0) {
		attach->watch.ready = NULL;
		shm_attach_free(attach);
		return;
	}
	weft_timer_cancel(runner, &attach->stall);
	weft_timer_init(&attach->stall, lingered, attach);
	weft_timer_set(runner, &attach->stall, weft_clock_now(weft_worker_clock(runner)) + LINGER_NS);
}

/* Ends a handshake; the worker is told. */
static void attach_fail(struct shm_attach *attach, int error, const char *why)
{
	shm_tell_failure(attach->failure, error, why);
	attach->failure = NULL;
	attach_linger(attach);
}

static void stalled(struct weft_timer *timer, void *user)
{
	(void)timer;
	attach_fail(user, -WEFT_ETIMEDOUT, "the peer did not finish the handshake in time");
}

static void answer_ready(struct weft_fd_watch *watch, uint32_t events, void *user)
{
	struct shm_attach *attach = user;
	struct shm_path *path = attach->path;
	int fds[SHM_FDS_MAX], rc;
	unsigned int fd_count;
	struct shm_wire wire;

	(void)watch;
	(void)events;
	rc = shm_attach_receive(attach, &wire, fds, &fd_count);
	if (rc == -WEFT_EAGAIN)
		return;
	if (rc == 1 && wire.type == SHM_REFUSE) {
		rc = wire.error < 0 ? wire.error : -WEFT_EPROTO;
	} else if (rc == 1 && shm_half_is(&wire, SHM_ACCEPT, fds, fd_count)) {
		rc = shm_half_join(path, &wire, fds, &fd_count);
		if (rc == 0) {
			shm_attach_stop_watching(attach);
			rc = shm_attach_take_socket(path, attach->fd, &attach->peer, &wire);
		}
		if (rc == 0) {
			shm_attach_start(path, &wire, attach->request);
			attach->path = NULL;
			attach->fd = -1;
		}
	} else {
		rc = rc == 0 ? -WEFT_ECONNREFUSED : rc < 0 ? rc : -WEFT_EPROTO;
	}
	shm_attach_let_go(attach, fds, fd_count);
	rc = shm_put_off(attach->port, attach->to, rc);
	if (rc < 0)
		attach_fail(attach, rc, weft_error_text(rc));
	else
		shm_attach_free(attach);
}

static int send_attach(struct shm_attach *attach, const struct weft_hello *mine)
{
	struct shm_wire wire;
	int fds[SHM_FDS_MAX], rc;

	shm_attach_wire(&wire, attach->device, SHM_ATTACH);
	shm_hello_put(&wire, mine);
	rc = shm_half_make(attach->path, &wire, fds);
	return rc < 0 ? rc : shm_half_send(attach->fd, &wire, fds);
}

int shm_attach_connect(struct weft_port *base, const char *to, const struct weft_hello *mine, void *request)
{
	struct shm_port *port = WEFT_CONTAINER_OF(base, struct shm_port, base);
	struct shm_device *device = port->device;
	struct weft_peer_identity peer;
	struct shm_attach *attach;
	int64_t who = 0;
	int fd, rc;

	if (shm_foreign_is_full())
		return weft_set_error(WEFT_EAGAIN,
				      "no connection to \"%s\": too much that peers sent waits to be closed", to);
	rc = shm_rendezvous_connect(device, to, &fd);
	if (rc < 0)
		return shm_put_off(port, to, rc);
	rc = shm_rendezvous_peer(device, fd, &peer);
	if (rc == 0)
		who = shm_who_is(fd, &peer);
	attach = rc < 0 ? NULL : shm_attach_new(device, fd, answer_ready, stalled);
	if (!attach) {
		shm_foreign_hang_up(fd, who);
		return rc < 0 ? rc : weft_set_error(WEFT_ENOMEM, "no memory to connect to \"%s\"", to);
	}
	attach->peer = peer;
	snprintf(attach->to, sizeof attach->to, "%s", to);
	attach->who = who;
	attach->path = shm_path_new(port, attach->who);
	attach->failure = shm_failure_new(port, request);
	rc = attach->path && attach->failure ? send_attach(attach, mine)
					     : weft_set_error(WEFT_ENOMEM, "no memory to connect to \"%s\"", to);
	if (rc < 0 && rc != -WEFT_EPIPE) { /* who has hung up already may have said why: that is read as any answer */
		shm_attach_free(attach);   /* the caller hears of it by the return value */
		return rc;
	}
	attach->port = port;
	attach->request = request;
	return 0;
}

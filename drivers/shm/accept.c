/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener's side of a handshake: who is let in, and how many times. Who is not is told why.
 */
#include "shm/attach.h"

#include <errno.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weft/errors.h>
#include <weft/log.h>

/*
 * Handshakes that others began. Of all but those apart, which are for processes that have none, one may have as many as are
 * still free (Choudhury and Hahne 1998): so whoever begins many and ends none leaves room for others. Who is one too many all
 * the same may come again.
 */
#define ATTACHES_MAX 64
#define ATTACHES_APART 16

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

/* What we lack ourselves is said once here too: the peer may be somebody else's. */
static void say_lack(struct shm_device *device, const struct weft_peer_identity *peer, int error)
{
	if (error != -WEFT_EAGAIN && error != -WEFT_EMFILE && error != -WEFT_ENOMEM && error != -WEFT_ENOSPC)
		return;
	if (!device->accept_said)
		weft_log(WEFT_LOG_WARN, "shm",
			 "node %s cannot accept pid %lld error %s action it is told so and may come again: raise the "
			 "limits of open descriptors and memory",
			 device->name, (long long)peer->pid, weft_error_name(error));
	device->accept_said = true;
}

/* Last: once it is accepted nothing may fail any more. When it cannot be said the socket is the handshake's again. */
static int say_accepted(struct shm_attach *attach, const struct shm_wire *answer, const int own_fds[SHM_FDS_MAX])
{
	int rc = shm_half_send(attach->fd, answer, own_fds);

	if (rc < 0)
		shm_control_undo(attach->path);
	else
		attach->fd = -1;
	return rc;
}

/* The path to a peer that is let in. */
static int build(struct shm_attach *attach, const struct shm_wire *theirs, const struct weft_hello *mine, int *fds,
		 unsigned int *fd_count)
{
	struct shm_wire answer;
	int own_fds[SHM_FDS_MAX] = {[SHM_SEGMENT_FDS] = -1}, rc;

	shm_attach_wire(&answer, attach->device, SHM_ACCEPT);
	shm_hello_put(&answer, mine);
	rc = shm_half_make(attach->path, &answer, own_fds);
	if (rc == 0)
		rc = shm_half_join(attach->path, theirs, fds, fd_count);
	if (rc == 0) {
		shm_attach_stop_watching(attach);
		rc = shm_attach_take_socket(attach->path, attach->fd, &attach->peer, theirs);
	}
	if (rc == 0)
		return say_accepted(attach, &answer, own_fds);
	if (own_fds[SHM_SEGMENT_FDS] >= 0)
		close(own_fds[SHM_SEGMENT_FDS]);
	return rc;
}

static int let_in(struct shm_attach *attach, const struct shm_wire *theirs, int *fds, unsigned int *fd_count)
{
	const struct weft_device_opts *opts = &attach->device->opts;
	struct weft_port *port = NULL;
	struct weft_hello hello, mine = {0};
	int rc;

	shm_hello_take(&hello, theirs);
	attach->peer.incarnation = theirs->incarnation;
	rc = opts->events->accept(opts->user, &attach->peer, &hello, &mine, &port);
	if (rc == 0 && has_enough(attach, port))
		rc = -WEFT_EQUOTA;
	if (rc < 0)
		return rc;
	attach->path = shm_path_new(WEFT_CONTAINER_OF(port, struct shm_port, base), attach->who);
	rc = attach->path ? build(attach, theirs, &mine, fds, fd_count) : -WEFT_ENOMEM;
	if (rc < 0)
		say_lack(attach->device, &attach->peer, rc);
	return rc;
}

static void refuse(struct shm_attach *attach, int error)
{
	struct shm_wire wire;

	shm_attach_wire(&wire, attach->device, SHM_REFUSE);
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
		shm_attach_free(attach);
		return;
	}
	rc = shm_attach_receive(attach, &wire, fds, &fd_count);
	if (rc == -WEFT_EAGAIN)
		return;
	if (rc == 1 && shm_half_is(&wire, SHM_ATTACH, fds, fd_count)) {
		rc = let_in(attach, &wire, fds, &fd_count);
		if (rc == 0) {
			shm_attach_start(attach->path, &wire, NULL);
			attach->path = NULL;
		} else {
			refuse(attach, rc);
		}
	} else if (rc != 0) {
		refuse(attach, rc < 0 ? rc : -WEFT_EPROTO);
	}
	shm_attach_let_go(attach, fds, fd_count);
	shm_attach_free(attach);
}

static void stalled(struct weft_timer *timer, void *user)
{
	(void)timer;
	shm_attach_free(user);
}

/* Whether one more handshake would be too many. */
static bool has_begun_enough(struct shm_device *device, int64_t who, const struct weft_peer_identity *peer)
{
	unsigned int of_one = 0, left;

	WEFT_LIST_FOR_EACH(at, &device->attaches) {
		struct shm_attach *attach = WEFT_CONTAINER_OF(at, struct shm_attach, link);

		of_one += attach->accepted && attach->who == who;
	}
	left = ATTACHES_MAX - device->accepted_count;
	if (of_one ? of_one + ATTACHES_APART < left : left)
		return false;
	if (!device->begun_said)
		weft_log(
			WEFT_LOG_WARN, "shm",
			"node %s cannot accept pid %lld uid %u handshakes %u of it %u action it is told so and may come "
			"again: if that goes on, find out who begins them and ends none",
			device->name, (long long)peer->pid, peer->uid, device->accepted_count, of_one);
	device->begun_said = true;
	return true;
}

/* Begins a handshake, which takes the socket; else an error, as the other end is to be told. */
static int begin(struct shm_device *device, int fd, int64_t *who)
{
	struct weft_peer_identity peer;
	struct shm_attach *attach;
	int rc = shm_rendezvous_peer(device, fd, &peer);

	if (rc < 0)
		return rc;
	*who = shm_who_is(fd, &peer);
	if (has_begun_enough(device, *who, &peer))
		return -WEFT_EAGAIN;
	attach = shm_attach_new(device, fd, attach_ready, stalled);
	if (!attach) {
		say_lack(device, &peer, -WEFT_ENOMEM);
		return -WEFT_EAGAIN;
	}
	attach->peer = peer;
	attach->who = *who;
	attach->accepted = true;
	device->accepted_count++;
	return 0;
}

/* Who does not get as far as to ask is told why, and nothing else: it may be another user. */
static void turn_away(const struct shm_device *device, int fd, int error)
{
	struct shm_wire wire;

	shm_attach_wire(&wire, device, SHM_REFUSE);
	wire.incarnation = 0;
	wire.error = error;
	(void)shm_wire_send(fd, &wire, NULL, 0); /* which does not wait; it sees the end of file in any case */
}

void shm_attach_accept(struct weft_fd_watch *watch, uint32_t events, void *user)
{
	struct shm_device *device = user;
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
	rc = begin(device, fd, &who);
	if (rc < 0) {
		turn_away(device, fd, rc);
		shm_foreign_hang_up(fd, who);
	}
}

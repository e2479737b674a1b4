/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A handshake under way, as both its sides see it.
 */
#include "shm/attach.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <weft/errors.h>

/* ---- messages and sockets ---- */

void shm_attach_wire(struct shm_wire *wire, const struct shm_device *device, enum shm_message_type type)
{
	memset(wire, 0, sizeof *wire);
	wire->magic = SHM_WIRE_MAGIC;
	wire->version = WEFT__SHM_VERSION;
	wire->type = (uint16_t)type;
	wire->incarnation = device->opts.incarnation;
}

void shm_hello_take(struct weft_hello *hello, const struct shm_wire *wire)
{
	hello->len_bytes = wire->hello_len_bytes;
	memcpy(hello->bytes, wire->hello, wire->hello_len_bytes);
}

void shm_hello_put(struct shm_wire *wire, const struct weft_hello *hello)
{
	wire->hello_len_bytes = hello->len_bytes;
	memcpy(wire->hello, hello->bytes, hello->len_bytes);
}

int shm_attach_take_socket(struct shm_path *path, int fd, const struct weft_peer_identity *peer,
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

void shm_attach_start(struct shm_path *path, const struct shm_wire *theirs, void *request)
{
	shm_hello_take(&path->theirs, theirs);
	path->request = request;
	shm_watch_start(path, path->peer_life);
	shm_tell_worker(path, SHM_TELL_START);
}

/* ---- handshakes ---- */

void shm_attach_stop_watching(struct shm_attach *attach)
{
	if (attach->watch.ready)
		shm_pause_remove(&attach->pause, attach->device->opts.runner, &attach->watch);
	attach->watch.ready = NULL;
}

void shm_attach_free(struct shm_attach *attach)
{
	struct weft_worker *runner = attach->device->opts.runner;

	weft_timer_cancel(runner, &attach->stall);
	shm_attach_stop_watching(attach);
	weft_list_remove(&attach->link);
	attach->device->accepted_count -= attach->accepted;
	if (attach->fd >= 0)
		shm_foreign_hang_up(attach->fd, attach->who);
	if (attach->path)
		shm_path_free(attach->path);
	free(attach->failure);
	free(attach);
}

/* Honest peers send a bell, also where nothing comes of it. */
void shm_attach_let_go(struct shm_attach *attach, const int *fds, unsigned int fd_count)
{
	for (unsigned int i = 0; i < fd_count; i++)
		if (shm_foreign_is_bell(fds[i]))
			shm_foreign_drop_bell(fds[i], attach->who);
		else
			shm_foreign_close(fds[i], attach->who);
	shm_control_shun(attach->device, attach->who);
}

int shm_attach_receive(struct shm_attach *attach, struct shm_wire *wire, int fds[SHM_FDS_MAX], unsigned int *fd_count)
{
	int rc = shm_wire_receive(attach->fd, attach->who, wire, fds, fd_count);

	if (rc != -WEFT_EMFILE)
		return rc;
	shm_pause_begin(&attach->pause, attach->device->opts.runner, &attach->watch);
	return -WEFT_EAGAIN;
}

struct shm_attach *shm_attach_new(struct shm_device *device, int fd, weft_fd_fn *ready, weft_timer_fn *stalled)
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
		       weft_clock_now(weft_worker_clock(device->opts.runner)) + SHM_HANDSHAKE_NS);
	return attach;
}

void shm_attach_cancel(struct shm_device *device, const struct shm_port *port)
{
	shm_put_off_drop(device, port);
	WEFT_LIST_FOR_EACH(at, &device->attaches) {
		struct shm_attach *attach = WEFT_CONTAINER_OF(at, struct shm_attach, link);

		if (!port || attach->port == port)
			shm_attach_free(attach);
	}
}

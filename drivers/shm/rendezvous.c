/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where devices of one machine find each other: a Unix socket by name. By default it is an abstract one, which ends
 * with its process whatever happens and reaches as far as the network namespace; with a directory it is a file there,
 * which file permissions guard and which can be mounted into containers.
 */
#include "shm/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <weft/errors.h>
#include <weft/log.h>

#define LOCK_PAUSE_NS 1000000
#define LOCK_TRIES 3000

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* The address of a name; false when the path is too long. */
static bool address_of(const struct shm_device *device, const char *name, uint32_t uid, struct sockaddr_un *out,
		       socklen_t *len)
{
	int written;

	memset(out, 0, sizeof *out);
	out->sun_family = AF_UNIX;
	if (device->runtime_dir) {
		written = snprintf(out->sun_path, sizeof out->sun_path, "%s/%s", device->runtime_dir, name);
		*len = sizeof *out;
		return written > 0 && (size_t)written < sizeof out->sun_path;
	}
	written = snprintf(out->sun_path + 1, sizeof out->sun_path - 1, "weft/%u/%s", uid, name);
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)written);
	return written > 0 && (size_t)written < sizeof out->sun_path - 1;
}

static int open_socket(int *fd)
{
	*fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return weft_set_error(weft_error_from_errno(errno), "no Unix socket: %s", strerror(errno));
	return 0;
}

/* ---- listening ---- */

/* The directory must be ours alone; made if missing. Returns a descriptor that holds its lock. */
static int lock_dir(const char *dir)
{
	struct stat info;
	int fd;

	if (dir[0] != '/')
		return weft_set_error(WEFT_EINVAL,
				      "directory %s is no absolute path: each process would mean another one", dir);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return weft_set_error(
			weft_error_from_errno(errno),
			"directory %s cannot be made: %s; choose one whose parent is there and may be written", dir,
			strerror(errno));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return weft_set_error(weft_error_from_errno(errno), "directory %s: %s", dir, strerror(errno));
	if (fstat(fd, &info) < 0 || info.st_uid != geteuid() || info.st_mode & 022) {
		close(fd);
		return weft_set_error(
			WEFT_EACCES,
			"directory %s must belong to user %u and be writable by nobody else: name one that is for this alone",
			dir, geteuid());
	}
	for (unsigned int tries = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
		if (tries < LOCK_TRIES && (errno == EWOULDBLOCK || errno == EINTR)) {
			nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NS}, NULL);
			continue;
		}
		close(fd);
		return weft_set_error(WEFT_EBUSY,
				      "directory %s is locked by a process that is starting and does not get on", dir);
	}
	return fd;
}

/* Removes the socket of a process that has ended. False when somebody listens there. */
static bool remove_stale(const struct sockaddr_un *address, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stat info;
	bool stale;

	if (fd < 0)
		return false;
	/* Nobody listens at a file that is no socket either, but that is not ours to remove. */
	if (lstat(address->sun_path, &info) < 0 || !S_ISSOCK(info.st_mode)) {
		close(fd);
		return false;
	}
	stale = connect(fd, (const struct sockaddr *)address, len) < 0 && errno == ECONNREFUSED;
	shm_foreign_hang_up(fd, 0);
	return stale && unlink(address->sun_path) == 0;
}

static int bind_socket(struct shm_device *device, const struct sockaddr_un *address, socklen_t len)
{
	int rc = bind(device->listen_fd, (const struct sockaddr *)address, len);
	struct stat info;

	if (rc < 0 && errno == EADDRINUSE && device->runtime_dir && remove_stale(address, len))
		rc = bind(device->listen_fd, (const struct sockaddr *)address, len);
	if (rc == 0 && device->runtime_dir && stat(address->sun_path, &info) == 0)
		device->socket_inode = info.st_ino;
	if (rc == 0)
		return 0;
	if (errno == EADDRINUSE)
		return weft_set_error(WEFT_EADDRINUSE,
				      "a node named \"%s\" is running already: choose another name, or end it",
				      device->name);
	return weft_set_error(weft_error_from_errno(errno), "the rendezvous socket of \"%s\" cannot be bound: %s",
			      device->name, strerror(errno));
}

int shm_rendezvous_listen(struct shm_device *device)
{
	struct sockaddr_un address;
	int lock_fd = -1, rc;
	socklen_t len;

	if (!address_of(device, device->name, geteuid(), &address, &len))
		return weft_set_error(WEFT_EINVAL, "directory %s is too long for a socket's path", device->runtime_dir);
	rc = open_socket(&device->listen_fd);
	if (rc < 0)
		return rc;
	if (device->runtime_dir && (lock_fd = lock_dir(device->runtime_dir)) < 0)
		return lock_fd;
	rc = bind_socket(device, &address, len);
	if (rc == 0 && device->runtime_dir && !(device->socket_path = strdup(address.sun_path)))
		rc = weft_set_error(WEFT_ENOMEM, "no memory for a path");
	if (rc == 0 && listen(device->listen_fd, 128) < 0)
		rc = weft_set_error(weft_error_from_errno(errno), "the rendezvous socket cannot listen: %s",
				    strerror(errno));
	if (lock_fd >= 0)
		close(lock_fd);
	if (rc < 0)
		return rc;
	device->listen_watch = (struct weft_fd_watch){.fd = device->listen_fd,
						      .events = EPOLLIN,
						      .ready = shm_attach_accept,
						      .user = device};
	rc = weft_worker_add_fd(device->opts.runner, &device->listen_watch);
	if (rc < 0)
		device->listen_watch.ready = NULL;
	return rc;
}

void shm_rendezvous_pause(struct shm_device *device, int error)
{
	if (error && !device->listen_said)
		weft_log(WEFT_LOG_WARN, "shm",
			 "node %s error %s action peers wait and are accepted later: raise the limit of "
			 "open descriptors (ulimit -n)",
			 device->name, weft_error_name(-weft_error_from_errno(error)));
	device->listen_said |= error != 0;
	shm_pause_begin(&device->listen_pause, device->opts.runner, &device->listen_watch);
}

/* Those who wait to be accepted may have sent something already, which would be closed along with the socket: they are
 * taken out of it first. */
static void stop_listening(struct shm_device *device)
{
	int fd;

	if (device->listen_fd < 0)
		return;
	shutdown(device->listen_fd, SHUT_RD);
	while ((fd = accept4(device->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		shm_foreign_hang_up(fd, 0);
	if (errno == EMFILE || errno == ENFILE)
		shm_foreign_close(device->listen_fd, 0); /* its name is free a moment later */
	else
		close(device->listen_fd);
}

void shm_rendezvous_close(struct shm_device *device)
{
	struct stat info;

	if (device->listen_watch.ready)
		shm_pause_remove(&device->listen_pause, device->opts.runner, &device->listen_watch);
	/* Somebody may have removed it, and another node may have made one of its own. */
	if (device->socket_path && stat(device->socket_path, &info) == 0 && info.st_ino == device->socket_inode)
		unlink(device->socket_path);
	stop_listening(device);
	free(device->socket_path);
}

/* ---- connecting ---- */

/* Whether the socket is of the user after whom it is named: any user can bind any abstract name. */
static int check_owner(const char *to, uint32_t uid, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -WEFT_EIO;
	if (cred.uid == uid)
		return 0;
	weft_log(WEFT_LOG_WARN, "shm",
		 "refused node %s uid %u: pid %d of uid %u has taken its name action end that, or use a runtime "
		 "directory",
		 to, uid, cred.pid, cred.uid);
	return -WEFT_EACCES;
}

static int connect_as(struct shm_device *device, const char *to, uint32_t uid, int fd)
{
	struct sockaddr_un address;
	socklen_t len;

	if (!address_of(device, to, uid, &address, &len))
		return -WEFT_EINVAL;
	if (connect(fd, (struct sockaddr *)&address, len) == 0)
		return device->runtime_dir ? 0 : check_owner(to, uid, fd);
	if (errno == ENOENT || errno == ECONNREFUSED)
		return -WEFT_ECONNREFUSED;
	return errno == EAGAIN ? -WEFT_EBUSY : -weft_error_from_errno(errno);
}

int shm_rendezvous_connect(struct shm_device *device, const char *to, int *out)
{
	int fd, rc = open_socket(&fd);

	if (rc < 0)
		return rc;
	rc = connect_as(device, to, geteuid(), fd);
	for (unsigned int i = 0; rc == -WEFT_ECONNREFUSED && !device->runtime_dir && i < device->opts.allowed_uid_count;
	     i++)
		rc = connect_as(device, to, device->allowed_uids[i], fd);
	if (rc < 0) {
		shm_foreign_hang_up(fd, 0);
		return weft_set_error(rc, "node \"%s\" cannot be reached: %s", to, weft_error_text(rc));
	}
	*out = fd;
	return 0;
}

/* ---- who is there ---- */

int shm_rendezvous_peer(struct shm_device *device, int fd, struct weft_peer_identity *out)
{
	struct ucred cred;
	socklen_t len = sizeof cred;
	bool allowed;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return weft_set_error(WEFT_EIO, "no credentials of a peer: %s", strerror(errno));
	allowed = cred.uid == geteuid();
	for (unsigned int i = 0; i < device->opts.allowed_uid_count; i++)
		allowed |= cred.uid == device->allowed_uids[i];
	if (!allowed) {
		weft_log(WEFT_LOG_WARN, "shm", "refused uid %u pid %d action add it to allowed_uids", cred.uid,
			 cred.pid);
		return weft_set_error(WEFT_EACCES, "the peer runs as user %u: add it to allowed_uids", cred.uid);
	}
	*out = (struct weft_peer_identity){.pid = cred.pid, .uid = cred.uid};
	return 0;
}

int shm_rendezvous_pidfd(int fd, const struct weft_peer_identity *peer)
{
	socklen_t len = sizeof(int);
	struct pollfd socket_end = {.fd = fd, .events = POLLIN};
	int pid_fd;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pid_fd, &len) == 0) {
		fcntl(pid_fd, F_SETFD, FD_CLOEXEC);
		return pid_fd;
	}
	if (peer->pid <= 0)
		return -1;
	pid_fd = pidfd_open((pid_t)peer->pid, 0);
	/* Still connected after that: the number was not somebody else's by then. */
	if (pid_fd >= 0 && poll(&socket_end, 1, 0) > 0 && socket_end.revents & POLLHUP) {
		close(pid_fd);
		return -1;
	}
	return pid_fd;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bells: each side of a path makes a pair of sockets, listens at one end and gives the other away. Nobody else ever has the
 * end that a worker listens at, so nobody can hold it up there: not by reading it into memory that is not there, and not
 * by descriptors in it, whose closing may wait. These are kept out by the kernel where it can (Linux 6.16), else looked
 * for before anything is read. Packets, not a stream: one that is looked at is the one that is read.
 */
#include "shm/shm.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weft/errors.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

int shm_bell_make(struct shm_bell *bell, int *theirs)
{
	int ends[2], no = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return weft_set_error(weft_error_from_errno(errno), "no socket pair: %s", strerror(errno));
	*bell = (struct shm_bell){.fd = ends[0],
				  .bare = setsockopt(ends[0], SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof no) == 0};
	*theirs = ends[1];
	return 0;
}

void shm_bell_close(struct shm_bell *bell, int64_t pid)
{
	if (bell->fd >= 0 && bell->bare)
		close(bell->fd);
	else if (bell->fd >= 0)
		shm_foreign_hang_up(bell->fd, pid);
	bell->fd = -1;
}

/* Whether the next packet brings descriptors, or is none. They stay in it: what was looked at is not installed. */
static bool brings_something(int fd)
{
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	return recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT) == 0 || message.msg_flags & MSG_CTRUNC;
}

bool shm_bell_hear(const struct shm_bell *bell)
{
	char byte;
	ssize_t got;

	if (!bell->bare && brings_something(bell->fd))
		return false;
	got = recv(bell->fd, &byte, 1, MSG_DONTWAIT);
	return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

bool shm_bell_ring(int fd)
{
	/*
	 * A socket, not an eventfd: MSG_DONTWAIT holds for this call, while O_NONBLOCK belongs to the shared description,
	 * where a hostile peer could clear it, fill the counter, and hang us. A full socket is read by a peer that wakes.
	 */
	/* full, or the peer is gone: both are found out elsewhere */
	return send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

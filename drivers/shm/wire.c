/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sending, receiving and checking of handshake messages.
 */
#include "shm/wire.h"
#include "shm/foreign.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weft/errors.h>

static bool slots_valid(uint32_t slots)
{
	return slots >= SHM_SLOTS_MIN && slots <= SHM_SLOTS_MAX && !(slots & (slots - 1));
}

int shm_wire_decode(const void *bytes, size_t len_bytes, struct shm_wire *out)
{
	struct shm_wire wire;

	if (len_bytes != sizeof wire)
		return -WEFT_EPROTO;
	memcpy(&wire, bytes, sizeof wire);
	if (wire.magic != SHM_WIRE_MAGIC)
		return -WEFT_EPROTO;
	if (wire.version != WEFT__SHM_VERSION || wire.features)
		return -WEFT_EVERSION;
	if (wire.type < SHM_ATTACH || wire.type > SHM_BYE || wire.hello_len_bytes > WEFT_HELLO_MAX)
		return -WEFT_EPROTO;
	if (wire.type == SHM_ATTACH || wire.type == SHM_ACCEPT)
		for (unsigned int i = 0; i < WEFT_CLASS_COUNT; i++)
			if (!slots_valid(wire.slots[i]))
				return -WEFT_EPROTO;
	*out = wire;
	return 0;
}

static bool piece_fits(const struct shm_place *place, uint64_t align_bytes, uint64_t len_bytes,
		       uint64_t segment_len_bytes)
{
	uint64_t end_bytes;

	return place->offset_bytes % align_bytes == 0 && place->offset_bytes >= WEFT_CACHE_LINE &&
	       !__builtin_add_overflow(place->offset_bytes, len_bytes, &end_bytes) && end_bytes <= segment_len_bytes;
}

bool shm_wire_fits(const struct shm_wire *wire, uint64_t rings_len_bytes, uint64_t armed_len_bytes,
		   uint64_t life_len_bytes)
{
	return piece_fits(&wire->rings, WEFT_CACHE_LINE, shm_rings_bytes(wire->slots), rings_len_bytes) &&
	       piece_fits(&wire->armed, WEFT_CACHE_LINE, sizeof(struct shm_armed), armed_len_bytes) &&
	       (!wire->life.offset_bytes ||
		piece_fits(&wire->life, sizeof(struct shm_life), sizeof(struct shm_life), life_len_bytes));
}

int shm_wire_send(int fd, const struct shm_wire *wire, const int *fds, unsigned int fd_count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(SHM_FDS_MAX * sizeof(int))];
	} control = {.bytes = {0}};
	struct iovec iov = {(void *)(uintptr_t)wire, sizeof *wire};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t sent;

	if (fd_count) {
		struct cmsghdr *cmsg;

		message.msg_control = control.bytes;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&message);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, fd_count * sizeof(int));
	}
	do
		sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent == (ssize_t)sizeof *wire)
		return 0;
	/* Also where too many descriptors are on their way: those of others of the same user count too. */
	return sent < 0 && (errno == EAGAIN || errno == ETOOMANYREFS || errno == ENOBUFS || errno == ENOMEM)
		       ? -WEFT_EAGAIN
		       : -WEFT_EPIPE;
}

/* Takes every descriptor out of the message. Those that are too many are closed aside; false if there were any. */
static bool take_fds(struct msghdr *message, int64_t who, int fds[SHM_FDS_MAX], unsigned int *count)
{
	bool fit = true;

	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(message); cmsg; cmsg = CMSG_NXTHDR(message, cmsg)) {
		size_t here;

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		here = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < here; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof fd, sizeof fd);
			if (*count < SHM_FDS_MAX) {
				fds[(*count)++] = fd;
			} else {
				shm_foreign_close(fd, who);
				fit = false;
			}
		}
	}
	return fit;
}

/* Whether so many more descriptors may be open. The highest numbers are the last that are used. */
static bool are_free(unsigned int count)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return false;
	for (rlim_t fd = limit.rlim_cur < INT_MAX ? limit.rlim_cur : INT_MAX; count && fd; fd--)
		count -= fcntl((int)fd - 1, F_GETFD) < 0;
	return !count;
}

/* How many descriptors are on their way into a socket, as the kernel says; else as many as one message may have. */
static unsigned int count_queued(int fd)
{
	char path[48], text[1024], *found;
	unsigned int count = SHM_FDS_SENT_MAX;
	ssize_t got;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return count;
	got = read(fd, text, sizeof text - 1);
	close(fd);
	text[got > 0 ? got : 0] = 0;
	found = strstr(text, "scm_fds:");
	if (found)
		count = (unsigned int)strtoul(found + strlen("scm_fds:"), NULL, 10);
	return count < SHM_FDS_SENT_MAX ? count : SHM_FDS_SENT_MAX;
}

/* Whether there is room for all descriptors of the next message, if it has any, here and where they are closed: what has none
 * the kernel closes by itself, and waits for it. */
static bool has_room(int fd)
{
	struct msghdr message = {0};

	/* Only a look: nothing is installed, and what is dropped are references that the message still has. */
	if (recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT) < 0 || !(message.msg_flags & MSG_CTRUNC))
		return true;
	return !shm_foreign_is_full() && are_free(count_queued(fd));
}

int shm_wire_receive(int fd, int64_t who, struct shm_wire *out, int fds[SHM_FDS_MAX], unsigned int *fd_count)
{
	/* For all that may come, as has_room() says. */
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(SHM_FDS_SENT_MAX * sizeof(int))];
	} control;
	unsigned char bytes[sizeof(struct shm_wire) + 1];
	struct iovec iov = {bytes, sizeof bytes};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof control.bytes};
	bool was_reset = false;
	ssize_t got;
	int rc;

	*fd_count = 0;
	if (!has_room(fd))
		return -WEFT_EMFILE;
	/* A peer that closes without having read everything resets the connection: that is told before what it had sent. */
	do
		got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (got < 0 && (errno == EINTR || (errno == ECONNRESET && !was_reset && (was_reset = true))));
	if (got < 0)
		return errno == EAGAIN ? -WEFT_EAGAIN : 0;
	/* Also of an empty packet, which is taken for the end: there may be some in it. */
	if (!take_fds(&message, who, fds, fd_count) || message.msg_flags & MSG_TRUNC)
		rc = -WEFT_EPROTO;
	else if (message.msg_flags & MSG_CTRUNC)
		rc = -WEFT_ENOMEM; /* there was room for all that may come: somebody else took the last descriptors */
	else
		rc = shm_wire_decode(bytes, (size_t)got, out);
	if (got && rc == 0)
		return 1;
	while (*fd_count)
		shm_foreign_close(fds[--*fd_count], who);
	return got ? rc : 0;
}

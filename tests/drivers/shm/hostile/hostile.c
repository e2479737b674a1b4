/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attacker's own sockets and memory.
 */
#include "hostile.h"
#include "patience.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include <weft/segment.h>

#define INCARNATION UINT64_C(0xbad)
#define RINGS_OFFSET 4096u
#define LINGER_S 3600

void hostile_expect(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "attacker: not so: %s (%s)\n", what, strerror(errno));
	_exit(3);
}

int hostile_memfd(size_t len_bytes, const struct weft_segment_header *header, unsigned int seals, unsigned char **view)
{
	int fd = memfd_create("attack", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	unsigned char *at;

	HOSTILE_EXPECT(fd >= 0 && ftruncate(fd, (off_t)len_bytes) == 0);
	if (len_bytes) {
		HOSTILE_EXPECT(fallocate(fd, 0, 0, (off_t)len_bytes) == 0);
		at = mmap(NULL, len_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		HOSTILE_EXPECT(at != MAP_FAILED);
		memcpy(at, header, sizeof *header);
		if (view)
			*view = at;
	}
	HOSTILE_EXPECT(!seals || fcntl(fd, F_ADD_SEALS, seals) == 0);
	return fd;
}

static struct weft_segment_header header_of(uint32_t segment_id)
{
	return (struct weft_segment_header){.magic = WEFT_SEGMENT_MAGIC,
					    .layout = WEFT_SEGMENT_LAYOUT,
					    .len_bytes = HOSTILE_MEMORY_BYTES,
					    .incarnation = INCARNATION,
					    .segment_id = segment_id};
}

static struct shm_life *own_life(struct hostile *h)
{
	return (struct shm_life *)(void *)(h->memory + h->attach.life.offset_bytes);
}

void hostile_set_life(struct hostile *h, uint32_t word)
{
	atomic_store_explicit(&own_life(h)->word, word, memory_order_relaxed);
}

void hostile_wake_life(struct hostile *h)
{
	syscall(SYS_futex, &own_life(h)->word, FUTEX_WAKE, INT32_MAX);
}

void hostile_prepare(struct hostile *h)
{
	struct weft_segment_header header = header_of(0);
	int bells[2];

	h->memory_fd = hostile_memfd(HOSTILE_MEMORY_BYTES, &header, HOSTILE_ALL_SEALS, &h->memory);
	HOSTILE_EXPECT(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, bells) == 0);
	h->bell_fd = bells[0];
	h->attach = hostile_control(SHM_ATTACH, 0);
	h->attach.incarnation = INCARNATION;
	h->attach.segment_len_bytes[0] = h->attach.segment_len_bytes[1] = HOSTILE_MEMORY_BYTES;
	h->attach.slots[0] = h->attach.slots[1] = HOSTILE_SLOTS;
	h->attach.rings.offset_bytes = RINGS_OFFSET;
	h->attach.armed.offset_bytes = RINGS_OFFSET + shm_rings_bytes(h->attach.slots);
	h->attach.life.offset_bytes = h->attach.armed.offset_bytes + sizeof(struct shm_armed);
	hostile_set_life(h, HOSTILE_ALIVE);
	h->attach.hello_len_bytes = 3;
	h->attach_len_bytes = sizeof h->attach;
	for (unsigned int i = 0; i < SHM_SEGMENT_FDS; i++)
		h->attach_fds[i] = h->memory_fd;
	h->attach_fds[HOSTILE_BELL] = bells[1];
	h->attach_fd_count = SHM_FDS_MAX;
}

int hostile_try_to_connect(const struct hostile *h, const struct timeval *patience)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int len = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "weft/%u/%s", getuid(), h->victim);

	HOSTILE_EXPECT(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, patience, sizeof *patience) == 0);
	if (connect(fd, (struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)len)) == 0)
		return fd;
	close(fd);
	return -1;
}

int hostile_connect(const struct hostile *h)
{
	const struct timeval for_ever = {0};
	int fd = hostile_try_to_connect(h, &for_ever);

	HOSTILE_EXPECT(fd >= 0);
	return fd;
}

bool hostile_send(int fd, const void *bytes, size_t len_bytes, const int *fds, unsigned int fd_count)
{
	char control[CMSG_SPACE(64 * sizeof(int))] = {0};
	struct iovec iov = {(void *)(uintptr_t)bytes, len_bytes};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd_count) {
		struct cmsghdr *cmsg;

		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&message);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, fd_count * sizeof(int));
	}
	return sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)len_bytes;
}

void hostile_hold_victim(struct hostile *h)
{
	char byte;

	HOSTILE_EXPECT(write(h->say_fd, "h", 1) == 1 && read(h->hear_fd, &byte, 1) == 1);
}

void hostile_let_victim_go(struct hostile *h)
{
	HOSTILE_EXPECT(write(h->say_fd, "g", 1) == 1);
}

int hostile_lingering(int *reader)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct linger linger = {.l_onoff = 1, .l_linger = LINGER_S};
	socklen_t len = sizeof address;
	static char bytes[65536];
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	HOSTILE_EXPECT(bind(listener, (struct sockaddr *)&address, len) == 0 && listen(listener, 1) == 0);
	HOSTILE_EXPECT(getsockname(listener, (struct sockaddr *)&address, &len) == 0);
	HOSTILE_EXPECT(connect(fd, (struct sockaddr *)&address, len) == 0 &&
		       (*reader = accept(listener, NULL, NULL)) >= 0);
	close(listener);
	while (send(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
		;
	HOSTILE_EXPECT(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0);
	return fd;
}

bool hostile_send_lingering(int fd, const void *bytes, size_t len_bytes, unsigned int count)
{
	int fds[64] = {0}, reader; /* stays open until this process ends */
	bool sent;

	for (unsigned int i = 0; i < count; i++)
		fds[i] = hostile_lingering(&reader);
	sent = hostile_send(fd, bytes, len_bytes, fds, count);
	for (unsigned int i = 0; sent && i < count; i++)
		close(fds[i]);
	return sent;
}

int hostile_receive(struct hostile *h, struct shm_wire *wire, int fds[SHM_FDS_MAX])
{
	struct pollfd ready = {.fd = h->control_fd, .events = POLLIN};
	char control[CMSG_SPACE(SHM_FDS_MAX * sizeof(int))];
	struct iovec iov = {wire, sizeof *wire};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof control};
	struct cmsghdr *cmsg;
	ssize_t got;

	HOSTILE_EXPECT(poll(&ready, 1, PATIENCE_NS / 1000000) == 1);
	got = recvmsg(h->control_fd, &message, MSG_CMSG_CLOEXEC);
	if (got <= 0)
		return 0;
	HOSTILE_EXPECT(got == (ssize_t)sizeof *wire);
	cmsg = CMSG_FIRSTHDR(&message);
	if (cmsg && fds)
		memcpy(fds, CMSG_DATA(cmsg), cmsg->cmsg_len - CMSG_LEN(0));
	return wire->type;
}

void hostile_say_attach(struct hostile *h)
{
	h->control_fd = hostile_connect(h);
	HOSTILE_EXPECT(hostile_send(h->control_fd, &h->attach, h->attach_len_bytes, h->attach_fds, h->attach_fd_count));
}

void hostile_attach(struct hostile *h)
{
	void *theirs;

	hostile_say_attach(h);
	HOSTILE_EXPECT(hostile_receive(h, &h->accept, h->their_fds) == SHM_ACCEPT);
	theirs = mmap(NULL, h->accept.segment_len_bytes[0], PROT_READ, MAP_SHARED, h->their_fds[0], 0);
	HOSTILE_EXPECT(theirs != MAP_FAILED);
	h->theirs = theirs;
}

struct shm_wire hostile_control(enum shm_message_type type, uint32_t segment_id)
{
	return (struct shm_wire){.magic = SHM_WIRE_MAGIC,
				 .version = WEFT__SHM_VERSION,
				 .type = (uint16_t)type,
				 .rings.segment_id = segment_id};
}

void hostile_say_share(struct hostile *h, uint32_t segment_id)
{
	struct weft_segment_header header = header_of(segment_id);
	struct shm_wire wire = hostile_control(SHM_SHARE, segment_id);
	unsigned char *view;
	int fd = hostile_memfd(HOSTILE_MEMORY_BYTES, &header, HOSTILE_ALL_SEALS, &view);

	HOSTILE_EXPECT(hostile_send(h->control_fd, &wire, sizeof wire, &fd, 1));
	munmap(view, HOSTILE_MEMORY_BYTES);
	close(fd);
}

void hostile_share(struct hostile *h, uint32_t segment_id)
{
	struct shm_wire wire;

	hostile_say_share(h, segment_id);
	/* The victim's own SHARE may come first. */
	while (hostile_receive(h, &wire, NULL) != SHM_SHARED)
		HOSTILE_EXPECT(wire.type == SHM_SHARE);
	HOSTILE_EXPECT(wire.rings.segment_id == segment_id);
}

int hostile_take_share(struct hostile *h)
{
	int fds[SHM_FDS_MAX];
	struct shm_wire wire;

	HOSTILE_EXPECT(hostile_receive(h, &wire, fds) == SHM_SHARE);
	HOSTILE_EXPECT(mmap(NULL, wire.segment_len_bytes[0], PROT_READ, MAP_SHARED, fds[0], 0) != MAP_FAILED);
	wire = hostile_control(SHM_SHARED, wire.rings.segment_id);
	HOSTILE_EXPECT(hostile_send(h->control_fd, &wire, sizeof wire, NULL, 0));
	return fds[0];
}

bool hostile_over(struct hostile *h)
{
	struct shm_wire wire;

	for (;;) {
		ssize_t got = recv(h->control_fd, &wire, sizeof wire, MSG_DONTWAIT);

		if (got < 0)
			return errno != EAGAIN;
		if (got == 0 || wire.type == SHM_BYE)
			return true;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a node does not wait for the closing of a descriptor that a stranger sent it.
 */
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void count(struct weft_rx *rx, void *user)
{
	(void)rx;
	++*(unsigned int *)user;
}

static int listen_somewhere(struct sockaddr_in *address)
{
	socklen_t len = sizeof *address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)address, sizeof *address), 0);
	CU_ASSERT_EQUAL_FATAL(listen(fd, 1), 0);
	CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)address, &len), 0);
	return fd;
}

/* A socket whose closing takes minutes, since nobody reads what it sent; -1 when there is none. */
static int lingering_socket(const struct sockaddr_in *address)
{
	struct linger linger = {1, 600};
	static char data[65536];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (connect(fd, (const struct sockaddr *)address, sizeof *address) ||
	    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger))
		return -1;
	while (send(fd, data, sizeof data, MSG_DONTWAIT) > 0)
		;
	return fd;
}

/* Sends nonsense with a descriptor to a node's rendezvous socket. */
static bool send_foreign(const char *node, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {.bytes = {0}};
	struct iovec iov = {"nonsense", 8};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof control.bytes};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);
	int to = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int written = snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "weft/%u/%s", geteuid(), node);

	if (connect(to, (struct sockaddr *)&address,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)written)))
		return false;
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(cmsg), &fd, sizeof fd);
	return sendmsg(to, &message, MSG_NOSIGNAL) == 8;
}

/* Whoever closes the socket last has to wait, but not a process that ends: so that it is never us, a child sends it. */
static void child_sends_foreign(const char *node, const struct sockaddr_in *address)
{
	pid_t child = fork();
	int status, fd;

	if (child == 0) {
		fd = lingering_socket(address);
		_exit(fd < 0 || !send_foreign(node, fd));
	}
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_descriptor_that_cannot_be_closed_holds_up_nobody(void)
{
	unsigned int got = 0;
	struct sockaddr_in address;
	int listener;
	struct pair pair;

	pair_open(&pair, NULL);
	weft_channel_handle(pair.far_channel, count, &got);
	listener = listen_somewhere(&address);
	child_sends_foreign(weft_node_name(pair.far), &address);
	pair_connect(&pair);
	CU_ASSERT_EQUAL(weft_send(pair.sender, "x", 1), 0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, got == 1));
	pair_close(&pair);
	close(listener); /* which resets the connection: there is nothing to wait for any more */
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_descriptor_that_cannot_be_closed_holds_up_nobody),
	};

	return suite_main("foreign", cases, SUITE_COUNT(cases), argc, argv);
}

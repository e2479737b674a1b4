/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes and Unix stream sockets, blocking, one system call a message.
 */
#include "peer.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int to_receiver[2], to_sender[2]; /* read end, write end */
static int in, out;

static void socket_prepare(struct peer_run *run)
{
	int pair[2];

	if (!run->variant[0])
		run->variant = "unix";
	if (strcmp(run->variant, "pipe") == 0) {
		if (pipe(to_receiver) || pipe(to_sender))
			peer_die("pipe: %s", strerror(errno));
		return;
	}
	if (strcmp(run->variant, "unix"))
		peer_die("kernel: variant '%s', it must be pipe or unix", run->variant);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		peer_die("socketpair: %s", strerror(errno));
	to_receiver[0] = to_sender[1] = pair[0];
	to_receiver[1] = to_sender[0] = pair[1];
}

static void socket_open(struct peer_run *run, bool *is_sender)
{
	(void)run;
	in = *is_sender ? to_sender[0] : to_receiver[0];
	out = *is_sender ? to_receiver[1] : to_sender[1];
}

static void socket_send(unsigned char *const *buffers, unsigned int count, size_t len_bytes)
{
	for (unsigned int i = 0; i < count; i++)
		for (size_t done = 0; done < len_bytes;) {
			ssize_t n = write(out, buffers[i] + done, len_bytes - done);

			if (n <= 0)
				peer_die("write: %s", strerror(errno));
			done += (size_t)n;
		}
}

static void socket_receive(unsigned char *const *buffers, unsigned int count, size_t len_bytes)
{
	for (unsigned int i = 0; i < count; i++)
		for (size_t done = 0; done < len_bytes;) {
			ssize_t n = read(in, buffers[i] + done, len_bytes - done);

			if (n <= 0)
				peer_die("read: %s", n ? strerror(errno) : "the other side is gone");
			done += (size_t)n;
		}
}

static void socket_close(void)
{
}

int main(int argc, char **argv)
{
	static const struct peer_ops ops = {"kernel",    false,          socket_prepare, socket_open,
					    socket_send, socket_receive, socket_close};

	return peer_main(argc, argv, &ops);
}

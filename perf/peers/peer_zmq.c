/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ZeroMQ, a PAIR of sockets over ipc.
 */
#include "peer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

static void *context, *sock;

static void zmq_prepare(struct peer_run *run)
{
	peer_path(run, "zmq");
}

static void zmq_side_open(struct peer_run *run, bool *is_sender)
{
	char url[128];
	int none = 0;

	snprintf(url, sizeof url, "ipc://%s", run->path);
	context = zmq_ctx_new();
	sock = zmq_socket(context, ZMQ_PAIR);
	zmq_setsockopt(sock, ZMQ_LINGER, &none, sizeof none);
	if ((*is_sender ? zmq_connect(sock, url) : zmq_bind(sock, url)) != 0)
		peer_die("zmq: %s: %s", url, zmq_strerror(errno));
}

static void zmq_side_send(unsigned char *const *buffers, unsigned int count, size_t len_bytes)
{
	for (unsigned int i = 0; i < count; i++)
		if (zmq_send(sock, buffers[i], len_bytes, 0) != (int)len_bytes)
			peer_die("zmq_send: %s", zmq_strerror(errno));
}

static void zmq_side_receive(unsigned char *const *buffers, unsigned int count, size_t len_bytes)
{
	for (unsigned int i = 0; i < count; i++)
		if (zmq_recv(sock, buffers[i], len_bytes, 0) != (int)len_bytes)
			peer_die("zmq_recv: %s", zmq_strerror(errno));
}

static void zmq_side_close(void)
{
	int second_ms = 1000;

	zmq_setsockopt(sock, ZMQ_LINGER, &second_ms, sizeof second_ms);
	zmq_close(sock);
	zmq_ctx_term(context);
}

int main(int argc, char **argv)
{
	static const struct peer_ops ops = {"zeromq",         false,         zmq_prepare, zmq_side_open, zmq_side_send,
					    zmq_side_receive, zmq_side_close};

	return peer_main(argc, argv, &ops);
}

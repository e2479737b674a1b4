/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nng, a pair of sockets (protocol pair0) over ipc.
 */
#include "peer.h"

#include <nng/nng.h>
#include <nng/protocol/pair0/pair.h>
#include <stdio.h>
#include <unistd.h>

static nng_socket sock;

static void check(const char *what, int err)
{
	if (err)
		peer_die("nng: %s: %s", what, nng_strerror(err));
}

static void nng_prepare(struct peer_run *run)
{
	peer_path(run, "nng");
}

static void nng_side_open(struct peer_run *run, bool *is_sender)
{
	char url[128];
	int err = -1;

	snprintf(url, sizeof url, "ipc://%s", run->path);
	check("open", nng_pair0_open(&sock));
	check("limit", nng_socket_set_size(sock, NNG_OPT_RECVMAXSZ, 0));
	if (!*is_sender) {
		check("listen", nng_listen(sock, url, NULL, 0));
		return;
	}
	for (int tries = 0; err && tries < 200; tries++) {
		err = nng_dial(sock, url, NULL, 0);
		if (err)
			usleep(10000);
	}
	check("dial", err);
}

static void nng_side_send(unsigned char *const *buffers, unsigned int count, size_t len_bytes)
{
	for (unsigned int i = 0; i < count; i++)
		check("send", nng_send(sock, buffers[i], len_bytes, 0));
}

static void nng_side_receive(unsigned char *const *buffers, unsigned int count, size_t len_bytes)
{
	for (unsigned int i = 0; i < count; i++) {
		size_t got = len_bytes;

		check("receive", nng_recv(sock, buffers[i], &got, 0));
		if (got != len_bytes)
			peer_die("nng: %zu bytes came instead of %zu", got, len_bytes);
	}
}

static void nng_side_close(void)
{
	usleep(100000); /* the last message is on its way */
	nng_close(sock);
}

int main(int argc, char **argv)
{
	static const struct peer_ops ops = {"nng",         false,         nng_prepare,
					    nng_side_open, nng_side_send, nng_side_receive,
					    nng_side_close};

	return peer_main(argc, argv, &ops);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a peer has to offer to be measured: open, send some, receive some. The loops, clocks, pinning, payload and the
 * record are the same for all (peer.c), so that no peer is measured more kindly than another.
 */
#ifndef PEER_H
#define PEER_H

#include <stdbool.h>
#include <stddef.h>

#define PEER_WINDOW_MAX 256

struct peer_run {
	const char *test;    /* lat, rate, bw or rpc */
	const char *variant; /* what the peer makes of it, such as pipe or unix; may be empty */
	size_t size_bytes;
	unsigned int window; /* messages of a burst, requests in flight */
	double seconds;
	int sender_core, receiver_core;
	char path[108]; /* a socket of its own, for peers that need a name; removed at the end */
};

/* Every failure inside ends the process by peer_die. Buffers hold size_bytes (at least 8) each. */
struct peer_ops {
	const char *name;
	/* How the two sides come about: the driver forks, unless a launcher has started both already. */
	bool launched;
	/* Once, before the fork; may be NULL. */
	void (*prepare)(struct peer_run *run);
	/* In each process. is_sender is set by open if launched. */
	void (*open)(struct peer_run *run, bool *is_sender);
	/* Returns when all buffers may be used again. */
	void (*send)(unsigned char *const *buffers, unsigned int count, size_t len_bytes);
	/* Returns when all have come. */
	void (*receive)(unsigned char *const *buffers, unsigned int count, size_t len_bytes);
	void (*close)(void);
};

/* A path of its own for this run, in $TMPDIR or /tmp. */
void peer_path(struct peer_run *run, const char *name);
int peer_main(int argc, char **argv, const struct peer_ops *ops);
_Noreturn void peer_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `weft send` and `weft recv` agree on. One channel; the bytes travel as lent buffers. A request begins the stream
 * and one ends it, so that both sides know that all of it has come.
 */
#ifndef STREAM_H
#define STREAM_H

#include <signal.h>
#include <stdbool.h>
#include <weft/weft.h>

#define STREAM_CHANNEL "weft.stream"
#define STREAM_PIECE_BYTES ((size_t)1 << 20)
#define STREAM_WINDOW_BYTES ((size_t)16 << 20)
#define STREAM_PEERS_MAX 512

enum stream_request_kind { STREAM_BEGIN = 1, STREAM_END = 2 };

struct stream_request {
	uint32_t kind;
	uint32_t reserved;
	uint64_t total_bytes; /* of END: what was sent */
};

/* Set by SIGINT and SIGTERM. */
extern volatile sig_atomic_t stream_interrupted;
void stream_catch_signals(void);

/* Beside this machine; NULL: as the environment says. */
struct stream_networks {
	const char *listen, *security;
	char peers[STREAM_PEERS_MAX];
};

/* Opens the node (name NULL: one of its own) and the channel. Networks that cannot be meant so are bad usage of the command:
 * says so and exits. */
int stream_open(const char *name, const struct stream_networks *networks, struct weft_node **node,
		struct weft_channel **channel);
/* Set what --listen and --security say. Bad usage ends the process. */
void stream_set_listen(struct stream_networks *networks, const char *address);
void stream_set_security(struct stream_networks *networks, const char *security);
/* Puts "NODE=ADDRESS" into networks, for a receiver "NODE" or "NODE/WORKER". Bad usage ends the process. */
void stream_set_peer(struct stream_networks *networks, const char *receiver, const char *address);
/* A name that no node can have is bad usage: says so and exits. A worker may follow where with_worker:
 * "NODE/WORKER". */
void stream_check_name(const char *name, bool with_worker);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The handshake that makes a path. Connector (connect.c) and listener (accept.c) hand each other their halves of it (half.c),
 * and only then tell a worker. A peer that stalls is given up after a time. All of it happens on the runner.
 */
#ifndef ATTACH_H
#define ATTACH_H

#include "shm/shm.h"

#define SHM_HANDSHAKE_NS UINT64_C(2000000000) /* which a peer has for it */
#define SHM_PUT_OFF_NS UINT64_C(10000000000)  /* for which it may say "not now" */
/* Without an answer: what was said before is forgotten. Longer than a handshake and any pause before the next together, or
 * whoever answers at the last moment would never have said anything before. */
#define SHM_PUT_OFF_GAP_NS UINT64_C(5000000000)
#define SHM_NAME_MAX 108 /* of a node, with the NUL: longer ones have no address */

/* One handshake under way. */
struct shm_attach {
	bool accepted; /* begun by the peer */
	struct shm_device *device;
	struct shm_port *port; /* of a connector */
	struct shm_path *path; /* of a connector: waits for the answer */
	struct weft_peer_identity peer;
	int64_t who;                 /* of who.h */
	char to[SHM_NAME_MAX];       /* of a connector: whom it asks */
	struct shm_failure *failure; /* of a connector: what its worker is told then; made before it can be needed */
	void *request;
	int fd;
	struct weft_fd_watch watch;
	struct shm_pause pause;
	struct weft_timer stall;
	struct weft_list link;
};

/* Takes the socket; NULL without memory or room in the runner's epoll, and then the socket stays the caller's. */
struct shm_attach *shm_attach_new(struct shm_device *device, int fd, weft_fd_fn *ready, weft_timer_fn *stalled);
/* Ends it, and hangs up unless a path has taken the socket. */
void shm_attach_free(struct shm_attach *attach);
/* Once only: afterwards the path may watch the same descriptor. */
void shm_attach_stop_watching(struct shm_attach *attach);
/* As shm_wire_receive. Without descriptors of our own it waits for some, as long as a handshake may take. */
int shm_attach_receive(struct shm_attach *attach, struct shm_wire *wire, int fds[SHM_FDS_MAX], unsigned int *fd_count);
/* Closes what came with a message. Takes. */
void shm_attach_let_go(struct shm_attach *attach, const int *fds, unsigned int fd_count);

/* From now on the socket is the path's own, and watched as such; fd stays the caller's if that fails. */
int shm_attach_take_socket(struct shm_path *path, int fd, const struct weft_peer_identity *peer,
			   const struct shm_wire *theirs);
/* The path stands. */
void shm_attach_start(struct shm_path *path, const struct shm_wire *theirs, void *request);

/* A message of ours, still empty. */
void shm_attach_wire(struct shm_wire *wire, const struct shm_device *device, enum shm_message_type type);
void shm_hello_take(struct weft_hello *hello, const struct shm_wire *wire);
void shm_hello_put(struct shm_wire *wire, const struct weft_hello *hello);

/* ---- put_off.c ---- */
/*
 * What a connect to that node has come to (0: a path), as its worker is to be told: -WEFT_ETIMEDOUT when the peer has said
 * nothing but "not now" (-WEFT_EBUSY, -WEFT_EAGAIN) for SHM_PUT_OFF_NS, else as it is.
 */
int shm_put_off(const struct shm_port *port, const char *to, int error);
/* Forgets what was said to a port, or to all (NULL). */
void shm_put_off_drop(struct shm_device *device, const struct shm_port *port);

#endif

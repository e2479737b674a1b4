/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the path fuzzer share: a net whose other end is the fuzzer, the peers who speak on it, and the
 * application above.
 */
#ifndef PATH_FUZZ_H
#define PATH_FUZZ_H

#include "path/device.h"

#define FUZZ_PACKET_MAX 1472u
#define FUZZ_PEERS 2u

/* The bytes that say what happens; zeros when they are used up. */
struct fuzz_input {
	const uint8_t *at, *end;
};

struct fuzz_world {
	struct weft__path_device *device;
	struct weft__path_port *port;
	/* what the peers have heard */
	unsigned char cookies[FUZZ_PEERS][WEFT__COOKIE_BYTES];
	bool has_cookie[FUZZ_PEERS];
	uint64_t knocked_by; /* the last path that we asked for: our name for it */
};
extern struct fuzz_world fuzz;

uint8_t fuzz_byte(struct fuzz_input *in);
/* One turn of runner and worker, so much later. */
void fuzz_turn(uint64_t later_ns);

/* ---- path_fuzz_net.c: the net ---- */
extern const struct weft_net_driver fuzz_net_driver;
/* So many packets are taken, then the net is full; UINT32_MAX: no end. */
extern uint32_t fuzz_net_room;
struct weft_net_address fuzz_net_address(unsigned int peer);
/* A packet from a peer, which comes out of the next rx of that port. Copies. */
void fuzz_net_say(unsigned int port, unsigned int peer, const void *packet, uint32_t len_bytes, uint8_t ecn);
/* Forgets what nobody has received. */
void fuzz_net_clear(void);

/* ---- path_fuzz_peer.c: steps of the peers ---- */
void fuzz_peer_begin(void);
/* Bytes as they are, to the door or to the port. */
void fuzz_say_raw(struct fuzz_input *in);
/* Packets of the handshake, right but for what the input says. */
void fuzz_greet(struct fuzz_input *in);
/* One packet of a path that stands, with frames of any kind. */
void fuzz_say_frames(struct fuzz_input *in);
/* A large message, chunk by chunk; and an acknowledgement of all. */
void fuzz_say_large(struct fuzz_input *in);
void fuzz_say_ack(struct fuzz_input *in);

/* ---- path_fuzz_application.c: steps of the application ---- */
extern const struct weft_device_events fuzz_application_events;
/* The i-th path that stands or has ended; NULL past the end. */
struct weft__path *fuzz_path_at(unsigned int i);
void fuzz_connect(struct fuzz_input *in);
void fuzz_send(struct fuzz_input *in);
void fuzz_let_go(struct fuzz_input *in);
void fuzz_receive(void);
/* Lets go of all and disconnects all. */
void fuzz_application_end(void);
/* All that was lent has come home. */
void fuzz_application_check(void);

#endif

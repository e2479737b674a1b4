/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Congestion control behind one interface. A control is a constant table; its state is in struct weft__congestion.
 */
#ifndef CONGESTION_H
#define CONGESTION_H

#include <stdbool.h>
#include <stdint.h>

struct weft__congestion;

struct weft__congestion_control {
	const char *name;
	void (*init)(struct weft__congestion *congestion);
	/* bytes of a packet that was sent at sent_ns have arrived; flying_bytes were under way before. */
	void (*acked)(struct weft__congestion *congestion, uint64_t now_ns, uint64_t sent_ns, uint32_t bytes,
		      uint32_t flying_bytes, uint64_t smoothed_rtt_ns);
	/* A packet that was sent at sent_ns is lost, or came with a mark of congestion: once a round trip it counts. */
	void (*congested)(struct weft__congestion *congestion, uint64_t now_ns, uint64_t sent_ns);
	/* All packets since the last congested were no losses. */
	void (*undo)(struct weft__congestion *congestion);
	/* Nothing came through for so long that the path is as good as new (RFC 9002, 7.6). */
	void (*collapsed)(struct weft__congestion *congestion);
};

struct weft__congestion {
	const struct weft__congestion_control *control;
	uint32_t packet_bytes; /* the largest packet */
	uint64_t window_bytes;
	uint64_t slow_start_until_bytes; /* ssthresh */
	uint64_t recovery_start_ns;      /* losses of packets sent before are old news */
	/* CUBIC (RFC 9438), and what undo goes back to. */
	uint64_t window_max_bytes, epoch_ns, reno_bytes;
	double k_seconds;
	struct {
		uint64_t window_bytes, slow_start_until_bytes, window_max_bytes, epoch_ns;
		bool valid;
	} before;
};

/* No control: a fixed window, for networks that lose nothing. */
extern const struct weft__congestion_control weft__congestion_none;
extern const struct weft__congestion_control weft__congestion_cubic;

/* bytes a second that fill the window once a round trip, times 5/4 (RFC 9002, 7.7); 0: as fast as it goes. */
uint64_t weft__congestion_pace(const struct weft__congestion *congestion, uint64_t smoothed_rtt_ns);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Congestion control behind one interface: how much of a path's network a sender may fill. A control is a constant
 * table; its state is in struct weft__congestion. Time comes in as an argument.
 */
#ifndef CONGESTION_H
#define CONGESTION_H

#include <stdbool.h>
#include <stdint.h>

/* Of the window, in bytes. */
#define WEFT__CONGESTION_FIRST_BYTES UINT64_C(65536) /* or the least that there is, if that is more */
#define WEFT__CONGESTION_MIN_PACKETS 2u
#define WEFT__CONGESTION_MAX_BYTES (UINT64_C(1) << 30)
#define WEFT__CONGESTION_NONE_BYTES (UINT64_C(4) << 20) /* without control */

struct weft__congestion;

struct weft__congestion_control {
	const char *name;
	void (*init)(struct weft__congestion *congestion);
	/*
	 * bytes of a packet that was sent at sent_ns have arrived; flying_bytes were under way before the
	 * acknowledgement came that says so, which may speak of many packets.
	 */
	void (*acked)(struct weft__congestion *congestion, uint64_t now_ns, uint64_t sent_ns, uint32_t bytes,
		      uint32_t flying_bytes, uint64_t smoothed_rtt_ns);
	/* A packet that was sent at sent_ns is lost, or came with a mark of congestion: once a round trip it counts. */
	void (*congested)(struct weft__congestion *congestion, uint64_t now_ns, uint64_t sent_ns);
	/* All that were lost since the last one that counted have arrived after all: as if it had not been. */
	void (*undo)(struct weft__congestion *congestion);
	/* Nothing came through for so long that all that was known of the path is void (RFC 9002, 7.6). */
	void (*collapsed)(struct weft__congestion *congestion);
};

/* What one undo goes back to. */
struct weft__congestion_point {
	uint64_t window_bytes;
	uint64_t slow_start_until_bytes; /* ssthresh; UINT64_MAX: never congested */
	uint64_t recovery_start_ns;      /* losses of packets sent before are old news; 0: of none */
	/* CUBIC (RFC 9438). Bytes as fractions, since a packet adds less than one to a large window. */
	double window_max_bytes; /* where it was congested last */
	double prior_bytes;      /* the window at that time */
	double origin_bytes;     /* the curve's plateau, and how long from epoch_ns to there */
	double k_seconds;
	double reno_bytes;     /* where Reno would be */
	double fraction_bytes; /* of a byte that the window has grown beyond window_bytes */
	uint64_t epoch_ns;     /* when growth began; 0: it did not yet */
};

struct weft__congestion {
	const struct weft__congestion_control *control;
	uint32_t packet_bytes; /* the largest packet */
	uint64_t seen_ns;      /* the last acknowledgement */
	struct weft__congestion_point at, before;
	bool undoable;
};

/* Starts with a control, which is kept, for packets of up to packet_bytes. */
void weft__congestion_init(struct weft__congestion *congestion, const struct weft__congestion_control *control,
			   uint32_t packet_bytes);

/* No control: a fixed window, for networks that lose nothing. */
extern const struct weft__congestion_control weft__congestion_none;
extern const struct weft__congestion_control weft__congestion_cubic;

/*
 * bytes a second that fill the window once a round trip, times 5/4 (RFC 9002, 7.7); 0: as fast as it goes, as long as the
 * path was never congested.
 */
uint64_t weft__congestion_pace(const struct weft__congestion *congestion, uint64_t smoothed_rtt_ns);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loss detection and congestion control of one path, after RFC 9002: what was sent, what has arrived, what is lost, and
 * how much may be under way. Time comes in as an argument; nothing here sends anything. docs/path.md says where it
 * differs from the RFC.
 *
 * Packets are numbered from 0 on and never sent twice: what they carried (a parcel, opaque here) goes into another
 * packet when one is lost. The owner of the parcels learns of each packet exactly once by acked or lost, and may hear
 * of a lost one that it has arrived after all (undone): long after, so a parcel should be a name, not a pointer.
 */
#ifndef RECOVERY_H
#define RECOVERY_H

#include "path/congestion.h"
#include "path/sent.h"

#include <stdbool.h>
#include <stdint.h>
#include <weft/net.h>

#define WEFT__ACK_RANGES_MAX 32u
/* So many packets may follow one look at the room. */
#define WEFT__RECOVERY_BURST 32u

/* What an acknowledgement says, newest range first, as it came out of a packet and was checked for its form only. */
struct weft__ack {
	uint64_t delay_ns; /* how long the receiver held it back */
	unsigned int range_count;
	struct {
		uint64_t first, last;
	} ranges[WEFT__ACK_RANGES_MAX];
	uint64_t ce_count; /* packets marked by routers so far; with has_ecn */
	bool has_ecn;
};

/* They must not call recovery. */
struct weft__recovery_events {
	/* A packet with this parcel has arrived. */
	void (*acked)(void *user, void *parcel);
	/* It is taken for lost: the parcel is to go out again. */
	void (*lost)(void *user, void *parcel);
	/* One that was taken for lost has arrived: if the parcel did not go out again yet, it need not. */
	void (*undone)(void *user, void *parcel);
};

enum weft__recovery_due { WEFT__DUE_NOTHING, WEFT__DUE_PROBE };

struct weft__recovery {
	const struct weft__recovery_events *events;
	void *user;
	struct weft_net_timing timing;
	struct weft__congestion congestion;
	struct weft__sent_queue sent;
	uint64_t next_number;
	uint64_t largest_acked; /* UINT64_MAX: none */
	uint64_t latest_rtt_ns, min_rtt_ns, smoothed_rtt_ns, rtt_variance_ns;
	uint64_t least_rtt_ns; /* of late: what even the quickest waited */
	uint64_t waited_ns; /* how much longer the latest took than the shortest, without what the receiver waited, */
	uint64_t waited_at_ns;      /* and when that was measured */
	uint64_t measured_ns;       /* when a round trip was measured first; UINT64_MAX: never */
	uint64_t last_eliciting_ns; /* when the last packet that wants an acknowledgement went, or was asked for */
	unsigned int probes;        /* since something was acknowledged */
	unsigned int reorder_max;   /* packets: the threshold, which grows when a loss was undone */
	uint32_t flying_bytes, flying_count;
	uint64_t lost_packets, chance_packets, undone_packets, probe_packets;
	uint32_t loss_share;    /* of the last some hundred packets, of 65536 */
	uint64_t lost_since_ns; /* when the first of all went that were lost since one arrived; UINT64_MAX: none */
	uint64_t ce_count;
	/* The time of congestion, which begins with what counts: how many are lost in it, and not undone. */
	uint32_t congested; /* its number, to tell it from others; wraps */
	uint32_t congested_lost;
	bool congested_marked; /* by routers: whatever arrives after all, it was congested */
};

/* Nothing is allocated until there is room to be had. Copies timing; keeps the rest. */
void weft__recovery_init(struct weft__recovery *recovery, const struct weft_net_timing *timing,
			 const struct weft__congestion_control *control, uint32_t packet_bytes,
			 const struct weft__recovery_events *events, void *user);
/* Forgets all packets without an event, and gives its memory back. */
void weft__recovery_drop(struct weft__recovery *recovery);

/*
 * How many bytes may be sent now, by the congestion window, in at most WEFT__RECOVERY_BURST packets; 0 also when no more
 * packets can be remembered.
 */
uint32_t weft__recovery_room(struct weft__recovery *recovery);
/*
 * A packet of len_bytes goes out with a parcel (NULL: only acknowledgements, which wait for none). Returns its number.
 * Room is the caller's to look at: probes go out without, and when no more packets can be remembered the oldest one is
 * taken for lost instead.
 */
uint64_t weft__recovery_sent(struct weft__recovery *recovery, uint64_t now_ns, uint32_t len_bytes, void *parcel);
/* -WEFT_EPROTO, and nothing has changed: it acknowledges what was never sent, or is no list of ranges. */
int weft__recovery_acknowledged(struct weft__recovery *recovery, uint64_t now_ns, const struct weft__ack *ack);
/* When weft__recovery_due wants to be called, which may have passed already; UINT64_MAX: never. */
uint64_t weft__recovery_deadline(const struct weft__recovery *recovery);
/*
 * The deadline has come. Tells of losses by time; WEFT__DUE_PROBE: one or two parcels should go out again although the
 * window is full. looked_ns is when the port was last looked at for packets: a time-out counts only if that was not
 * before the deadline, since our own loop may have stood still.
 */
enum weft__recovery_due weft__recovery_due(struct weft__recovery *recovery, uint64_t now_ns, uint64_t looked_ns);
/* How long until a probe, from the last packet that wants an acknowledgement. */
uint64_t weft__recovery_probe_ns(const struct weft__recovery *recovery);
/* The parcel of the oldest packet that is neither acknowledged nor lost; NULL: none. For probes. */
void *weft__recovery_oldest(const struct weft__recovery *recovery);

#endif

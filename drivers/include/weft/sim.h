/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A simulated network: hosts by name, and between each two of them a link each way that delays, limits, loses, doubles,
 * reorders, alters or holds back packets, as its parameters and a seed say. No thread, no system call, no clock but the
 * virtual one that it is given: a run with the same seed and the same calls is the same run, which the trace tells.
 *
 * It is a driver of datagrams (weft/net.h) whose addresses are names of hosts. Time stands still until the clock is moved:
 *
 *	while (busy) {
 *		... let everybody receive, think and send
 *		weft_clock_virtual_set(clock, the sooner of weft_sim_next_ns(sim) and everybody's timers);
 *	}
 *
 * Each link draws from a stream of its own, made from the seed and the names of its hosts: what happens on one does not
 * depend on what others carry, nor on the order in which they came to be.
 */
#ifndef WEFT_SIM_H
#define WEFT_SIM_H

#include <weft/clock.h>
#include <weft/net.h>

WEFT_BEGIN_DECLS

struct weft_sim;

#define WEFT_SIM_NAME_MAX 30u /* bytes of a host's name, of [a-zA-Z0-9_.-] */

/* How the delays of packets are spread. */
enum weft_sim_delay {
	WEFT_SIM_CONSTANT, /* delay_ns */
	WEFT_SIM_UNIFORM,  /* delay_ns to delay_ns + spread_ns */
	WEFT_SIM_NORMAL,   /* around delay_ns, most within spread_ns, all within twice as much; never below 0 */
	WEFT_SIM_HEAVY, /* delay_ns and more: half of them within spread_ns, 1 in n beyond n times as much, to 1000 times */
};

/* One direction between two hosts. Probabilities are from 0 to 1. */
struct weft_sim_link {
	enum weft_sim_delay delay;
	uint64_t delay_ns, spread_ns; /* at most an hour each */
	uint64_t bits_per_second;     /* 0: no limit; else one packet after the other */
	uint32_t queue_bytes;         /* what may wait for that, at most; more is lost. 0: no limit */
	uint32_t mark_bytes;          /* packets that find more waiting are marked, if they may be (ECN); 0: none */
	uint32_t payload_max;         /* longer packets are lost */
	double loss, duplicate, corrupt, reorder;
	uint64_t reorder_ns; /* a packet that is overtaken waits for up to so much longer; others keep their order */
};

/* A line to which many links lead, on which one packet goes after the other. */
struct weft_sim_line {
	uint64_t bits_per_second; /* 0: no limit */
	uint64_t queue_bytes;     /* what may wait, at most; more is lost. 0: no limit */
	uint64_t mark_bytes;      /* packets that find more waiting are marked, if they may be (ECN); 0: none */
};

struct weft_sim_opts {
	size_t size;
	uint64_t seed;
	struct weft_clock *clock;  /* a virtual one; kept */
	struct weft_sim_link link; /* of all links, until they are given their own */
};

/* What became of all packets so far. Sent are those that ports took; each is lost in one of the ways, or delivered, once or
 * twice, or is still under way. */
struct weft_sim_stats {
	uint64_t sent, sent_bytes, delivered, delivered_bytes;
	uint64_t lost, too_long, queue_full,
		cut;     /* by loss; by payload_max; by queue_bytes, of a link or line; by weft_sim_cut */
	uint64_t nobody; /* no such host or port, when it came */
	uint64_t duplicated, corrupted, reordered, marked;
	uint64_t under_way; /* now, also those that are held or wait to be received */
	uint64_t trace;     /* a hash of all deliveries: when, from where, to where, what */
};

/* Fills in the defaults: a link of 10 us, without limits or faults, for packets of at most 1472 bytes. Thread: any. */
WEFT_API void weft_sim_opts_init(struct weft_sim_opts *opts, size_t size);
/* Makes a network without hosts. Gives. -WEFT_EINVAL (a real clock, or a link's parameter out of its range), -WEFT_ENOMEM.
 * Thread: any; the caller becomes its owner. */
WEFT_API int weft_sim_open(const struct weft_sim_opts *opts, struct weft_sim **out);
/* All nets must be closed: it aborts otherwise. Packets under way are forgotten. Sets *sim to NULL. Thread: owner. */
WEFT_API void weft_sim_close(struct weft_sim **sim);

/* The driver whose nets are hosts of this network: address is a host's name, NULL: one that nobody has. Ports of all of its
 * nets are the owner's. Borrowed until close. Thread: owner. */
WEFT_API const struct weft_net_driver *weft_sim_driver(struct weft_sim *sim);

/* Gives the link from one host to another parameters of its own; packets under way are not touched. Hosts need no net yet.
 * Copies. -WEFT_EINVAL with a sentence, -WEFT_ENOMEM. Thread: owner. */
WEFT_API int weft_sim_set_link(struct weft_sim *sim, const char *from, const char *to,
			       const struct weft_sim_link *link);
/* Cuts a link, one way, or mends it: what is sent, or would arrive, while it is cut is lost. Errors as above. Thread: owner. */
WEFT_API int weft_sim_cut(struct weft_sim *sim, const char *from, const char *to, bool cut);
/* Clogs a link, one way, or frees it: what would arrive while it is clogged is held, and arrives in the same order when it is
 * freed. Errors as above. Thread: owner. */
WEFT_API int weft_sim_clog(struct weft_sim *sim, const char *from, const char *to, bool clogged);

/* Gives a host a line that is the last for all that is sent to it, as the port of the switch on which it hangs: what many send
 * at once waits there. The delays of links are before it. What waits is counted anew. Copies. Errors as above. Thread: owner. */
WEFT_API int weft_sim_set_downlink(struct weft_sim *sim, const char *host, const struct weft_sim_line *line);
/* How many bytes waited at the host's line when a packet came there: as many or fewer for so many percent of all packets since then.
 * 0 without such a line, or packets. Thread: owner. */
WEFT_API uint64_t weft_sim_downlink_waiting(struct weft_sim *sim, const char *host, double percent);

/* When the next packet arrives: in the past if one waits to be received, WEFT_NEVER if none is under way (what is held does
 * not count). Thread: owner. */
WEFT_API uint64_t weft_sim_next_ns(const struct weft_sim *sim);
/* Thread: owner. */
WEFT_API void weft_sim_describe(const struct weft_sim *sim, struct weft_sim_stats *out);

WEFT_END_DECLS

#endif

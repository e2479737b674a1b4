/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of `weft perf` share. Each test has two sides: the server runs in a child process until it is stopped,
 * the client measures.
 */
#ifndef PERF_H
#define PERF_H

#include <stdbool.h>
#include <weft/histogram.h>
#include <weft/weft.h>

#define PERF_CHANNEL "perf"

struct perf_opts {
	size_t len_bytes;
	unsigned int window;     /* messages or requests in flight; sends in a burst */
	unsigned int readers;    /* fanout */
	double seconds;
	int core_client, core_server; /* -1: not pinned */
	enum weft_idle idle;
	bool touch;              /* payload written by the sender and read by the receiver */
	bool json;
};

/* One side of a running test. */
struct perf_side {
	const struct perf_opts *opts;
	struct weft_node *node;
	struct weft_worker *worker;
	struct weft_channel *channel;
	struct weft_sender *peer;    /* to the other side */
	char peer_name[64];
	unsigned char *payload;      /* opts->len_bytes of it */
};

struct perf_result {
	struct weft_histogram *latency_ns; /* of lat, rpc, wake */
	double rate;                 /* messages or requests a second */
	double bytes_per_second;
	double figure_ns;            /* of fanout: for each further reader */
};

struct perf_test {
	const char *name, *help;
	size_t default_len_bytes;
	unsigned int default_window;
	/* Sets the handler of the server's channel; the server then turns until it is stopped. 0 or a negative code. */
	int (*serve)(struct perf_side *side);
	int (*measure)(struct perf_side *side, struct perf_result *result);
};

extern const struct perf_test perf_lat, perf_rate, perf_bw, perf_rpc, perf_loan;

/* ---- perf_side.c ---- */
/* Opens node and channel; the other side is called peer_name. */
int perf_side_open(struct perf_side *side, const struct perf_opts *opts, const char *name, const char *peer_name, int core);
/* Opens the sender to the other side and waits for it. */
int perf_side_connect(struct perf_side *side);
void perf_side_close(struct perf_side *side);
/* Writes the payload, and reads one: what --no-touch leaves out. */
void perf_write(const struct perf_side *side, unsigned char *to, unsigned char value);
uint64_t perf_read(const struct perf_side *side, const void *from, size_t len_bytes);
/* Where results of reads go, so that no compiler leaves them out. */
extern uint64_t perf_sink;

#endif

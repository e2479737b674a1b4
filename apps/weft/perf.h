/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of `weft perf` share. Most have two sides: the server runs in a child process until it is stopped, the
 * client measures. Others make their own processes.
 */
#ifndef PERF_H
#define PERF_H

#include "bare.h"
#include "stream.h"

#include <stdbool.h>
#include <sys/types.h>
#include <weft/histogram.h>
#include <weft/weft.h>

#define PERF_CHANNEL "perf"
#define PERF_FIGURES 12
#define PERF_DISTRIBUTIONS 6

struct perf_opts {
	size_t len_bytes;
	unsigned int window; /* messages or requests in flight; sends in a burst */
	unsigned int count;  /* readers, links, pairs */
	double seconds;
	int core_client, core_server; /* -1: not pinned */
	enum weft_idle idle;
	enum weft_pages pages;
	size_t memory_max_bytes; /* of a node; 0: the default */
	bool urgent;             /* priority of the channel */
	bool touch;              /* payload written by the sender and read by the receiver */
	bool json;
	const char *driver;              /* NULL: this machine's own */
	bool network;                    /* the sides meet over one, and not on this machine */
	struct stream_networks networks; /* where */
	int told_fd;                     /* of a server: who wants to know where it listens; 0: nobody */
};

/* One side of a running test. */
struct perf_side {
	const struct perf_opts *opts;
	struct weft_node *node;
	struct weft_worker *worker;
	struct weft_channel *channel;
	struct weft_sender *peer; /* to the other side */
	char peer_name[64];
	pid_t peer_pid;         /* the client's view of the server */
	unsigned char *payload; /* opts->len_bytes of it */
	uint64_t answered;      /* messages or requests that this side has answered */
};

struct perf_result {
	struct weft_histogram *latency_ns; /* round trips */
	double rate;                       /* messages or requests a second */
	double bytes_per_second;
	/* Whatever else a test has measured, by the names that JSON has for it. */
	struct {
		const char *name;
		double value;
	} figures[PERF_FIGURES];
	unsigned int figure_count;
	struct {
		const char *name;
		struct weft_histogram *ns;
	} distributions[PERF_DISTRIBUTIONS];
	unsigned int distribution_count;
};

/* What of the machine itself is measured beside a test. */
enum perf_floor {
	PERF_FLOOR_NONE,
	PERF_FLOOR_ROUND_TRIP, /* the bare ping-pong of the same size */
	PERF_FLOOR_ONE_WAY,    /* messages of about the same size in a bare ring, or whole buffers */
};

struct perf_test {
	const char *name, *help;
	size_t default_len_bytes, max_len_bytes; /* 0: takes no size */
	unsigned int default_window;             /* 0: takes no window */
	unsigned int default_count, max_count;   /* 0: takes no count */
	enum perf_floor floor;
	bool over_networks;
	/* Sets the handler of the server's channel; the server then turns until it is stopped. 0 or a negative code. */
	int (*serve)(struct perf_side *side);
	int (*measure)(struct perf_side *side, struct perf_result *result);
	/* The whole test, for one that makes its own processes; else NULL. */
	int (*run)(const struct perf_opts *opts, struct perf_result *result);
};

extern const struct perf_test perf_lat, perf_rate, perf_bw, perf_rpc, perf_loan, perf_fanout, perf_wake, perf_idle,
	perf_open, perf_mix, perf_pairs, perf_death;

/* A finished run, to be printed. */
struct perf {
	const struct perf_test *test;
	struct perf_opts opts;
	bool has_len, has_window, has_count;
	double line_before_ns, line_after_ns;
	struct weft_histogram *floor_ns; /* the bare ping-pong of the same size; NULL when it cannot be had */
	struct floor_rate floor_rate;    /* messages 0: it cannot be had */
	struct perf_result result;
};

/* ---- perf_floor.c ---- */
/* Measures the floor that belongs to the test, if the machine lets it. */
void perf_floor_measure(struct perf *perf);

/* ---- perf_print.c ---- */
void perf_print(const struct perf *perf);

/* ---- perf_result.c ---- */
int perf_result_open(struct perf_result *result);
void perf_result_close(struct perf_result *result);
/* Adds a figure; the name ends in its unit and is kept. */
void perf_figure(struct perf_result *result, const char *name, double value);
/* Adds a distribution, which stays the result's; -WEFT_ENOMEM. */
int perf_distribution(struct perf_result *result, const char *name, struct weft_histogram **out);
void perf_record_ticks(struct weft_histogram *histogram, uint64_t ticks);

/* ---- perf_process.c ---- */
/* Names of a test's nodes: "perf-PID-role". */
void perf_name(char out[64], const char *role);
/* A child with a side called name, which serves until it is stopped. The caller has no threads yet. */
int perf_child_start(const struct perf_opts *opts, const char *name, const char *peer, int core,
		     int (*serve)(struct perf_side *side), pid_t *out);
/* Gently, or at once. */
void perf_child_stop(pid_t child, int with_signal);
/* A server and this process as its client. */
int perf_pair(const struct perf_opts *opts, int (*serve)(struct perf_side *side),
	      int (*measure)(struct perf_side *side, struct perf_result *result), struct perf_result *result);

/* ---- perf_network.c ---- */
/* What --driver and --to say. Bad usage ends the process. */
void perf_network_driver(struct perf_opts *opts, const char *name);
void perf_network_to(struct perf_opts *opts, const char *address);
/* How a side's node is opened. */
void perf_network_node(const struct perf_opts *opts, struct weft_node_opts *node_opts);
/* A server on this machine listens where it likes, and tells it its client: before it is started; in it, once its node is
 * open; and by the client. Nothing of it happens without a network. */
struct perf_offer {
	int fd, fds[2];
	char listen[64];
};
int perf_network_offer(struct perf_opts *server, struct perf_offer *offer);
int perf_network_tell(const struct perf_side *side);
int perf_network_take(struct perf_offer *offer, const char *server_name, struct perf_opts *client);
/* This process as the client of a server elsewhere; and as that server, for one client. */
int perf_network_far(const struct perf_opts *opts, int (*measure)(struct perf_side *side, struct perf_result *result),
		     struct perf_result *result);
int perf_network_serve(const struct perf *perf);

/* ---- perf_side.c ---- */
/* Opens node and channel; the other side is called peer_name. */
int perf_side_open(struct perf_side *side, const struct perf_opts *opts, const char *name, const char *peer_name,
		   int core);
/* Opens the sender to the other side and waits for it. */
int perf_side_connect(struct perf_side *side);
/* The same for any channel and peer. */
int perf_connect(struct perf_side *side, struct weft_channel *channel, const char *peer, struct weft_sender **out);
void perf_side_close(struct perf_side *side);
/* Writes the payload, and reads one: what --no-touch leaves out. */
void perf_write(const struct perf_side *side, unsigned char *to, unsigned char value);
uint64_t perf_read(const struct perf_side *side, const void *from, size_t len_bytes);
/* Where results of reads go, so that no compiler leaves them out. */
extern uint64_t perf_sink;
/* A server's answer, from its handler: the payload to the other side, now or when there is memory for it. */
void perf_answer(struct perf_side *side, size_t len_bytes);
/* A loan, once there is memory for it; 0 or a negative code. */
int perf_loan_get(struct perf_side *side, size_t len_bytes, struct weft_loan **out);
uint64_t perf_now(void);

/* ---- perf_lat.c: round trips, also for tests that look how they fare beside something ---- */
/* Answers each message of the channel, to the other side. */
int perf_lat_serve(struct perf_side *side);
/* The client: connects, and takes the answers. */
int perf_lat_connect(struct perf_side *side);
/* Round trips for so long, the first tenth not counted. */
int perf_lat_run(struct perf_side *side, double seconds, struct weft_histogram *out);
/* The same, with `beside` called before each message and after each turn that waits for its answer; 0 or a negative code,
 * which ends the run. Only the wait for the answer is timed. */
typedef int perf_beside_fn(void *user);
int perf_lat_run_beside(struct perf_side *side, double seconds, struct weft_histogram *out, perf_beside_fn *beside,
			void *user);

#endif

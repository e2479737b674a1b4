/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft perf TEST`: measures weft between two processes on this machine, and the machine's own limit before and after, so
 * that the figure comes with what it can be compared to.
 */
#include "perf.h"

#include "command.h"
#include "bare.h"
#include "floor.h"
#include "timing.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct perf_test *const tests[] = {&perf_lat, &perf_rate, &perf_bw, &perf_rpc, &perf_loan};
#define TEST_COUNT (sizeof tests / sizeof *tests)

struct perf {
	const struct perf_test *test;
	struct perf_opts opts;
	bool has_len, has_window;
	double line_before_ns, line_after_ns;
	struct weft_histogram *floor_ns; /* the bare ping-pong of the same size; NULL when it cannot be had */
	struct perf_result result;
};

enum { KEY_NO_TOUCH = 256, KEY_SPIN };

static const struct argp_option options[] = {
	{"size", 's', "BYTES", 0, "payload of a message (64; 32 for rpc, 1 MiB for bw and loan)", 0},
	{"window", 'w', "N", 0, "messages in a burst, requests in flight (1)", 0},
	{"duration", 'd', "SECONDS", 0, "how long to measure (2)", 0},
	{"cores", 'c', "A,B", 0, "cores of client and server, or none (0,1)", 0},
	{"no-touch", KEY_NO_TOUCH, NULL, 0, "neither write nor read the payload", 0},
	{"spin", KEY_SPIN, NULL, 0, "never sleep", 0},
	{"json", 'j', NULL, 0, "print JSON", 0},
	{0},
};

static double number(const char *option, const char *text, double low, double high)
{
	char *end;
	double value;

	errno = 0;
	value = strtod(text, &end);
	if (errno || end == text || *end || !(value >= low && value <= high))
		usage_error("perf: --%s is '%.40s', it must be a number from %.15g to %.15g", option, text, low, high);
	return value;
}

static void parse_cores(struct perf_opts *opts, const char *text)
{
	char rest;

	if (strcmp(text, "none") == 0)
		opts->core_client = opts->core_server = -1;
	else if (sscanf(text, "%d,%d%c", &opts->core_client, &opts->core_server, &rest) != 2 || opts->core_client < 0 ||
		 opts->core_server < 0 || opts->core_client >= 1024 || opts->core_server >= 1024)
		usage_error("perf: --cores is '%.40s', it must be two core numbers like 0,1 or none", text);
}

static void choose_test(struct perf *perf, const char *name)
{
	if (perf->test)
		usage_error("perf: one test, not also '%.40s'", name);
	for (size_t i = 0; i < TEST_COUNT; i++)
		if (strcmp(tests[i]->name, name) == 0)
			perf->test = tests[i];
	if (!perf->test)
		usage_error("perf: unknown test '%.40s'; there are lat, rate, bw, rpc, loan", name);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct perf *perf = state->input;

	switch (key) {
	case 's':
		perf->opts.len_bytes = (size_t)number("size", arg, 0, 1 << 30);
		perf->has_len = true;
		return 0;
	case 'w':
		perf->opts.window = (unsigned int)number("window", arg, 1, 1024);
		perf->has_window = true;
		return 0;
	case 'd':
		perf->opts.seconds = number("duration", arg, 0.01, 3600);
		return 0;
	case 'c':
		parse_cores(&perf->opts, arg);
		return 0;
	case KEY_NO_TOUCH:
		perf->opts.touch = false;
		return 0;
	case KEY_SPIN:
		perf->opts.idle = WEFT_IDLE_SPIN;
		return 0;
	case 'j':
		perf->opts.json = true;
		return 0;
	case ARGP_KEY_ARG:
		choose_test(perf, arg);
		return 0;
	case ARGP_KEY_END:
		if (!perf->test)
			usage_error("perf: which test? There are lat, rate, bw, rpc, loan; `weft perf --help` tells more");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The child's whole life. */
static void run_server(const struct perf *perf, const char *name, const char *peer)
{
	struct perf_side side;
	int rc;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	rc = perf_side_open(&side, &perf->opts, name, peer, perf->opts.core_server);
	if (rc == 0)
		rc = perf->test->serve(&side);
	if (rc < 0)
		_exit(weft_fail("weft perf"));
	weft_node_run(side.node);
	perf_side_close(&side);
	_exit(0);
}

static int run_client(struct perf *perf)
{
	char server[64], client[64];
	struct perf_side side;
	pid_t child;
	int rc;

	snprintf(server, sizeof server, "perf-%d-server", (int)getpid());
	snprintf(client, sizeof client, "perf-%d-client", (int)getpid());
	child = fork();
	if (child < 0)
		return weft_set_error(weft_error_from_errno(errno), "no second process: %s", strerror(errno));
	if (child == 0)
		run_server(perf, server, client);
	rc = perf_side_open(&side, &perf->opts, client, server, perf->opts.core_client);
	if (rc == 0)
		rc = perf->test->measure(&side, &perf->result);
	kill(child, SIGTERM);
	perf_side_close(&side);
	waitpid(child, NULL, 0);
	return rc;
}

/* Two rings that carry the same payload; on one core, or not pinned, a line that both yield over. A loan's size has no
 * meaning for it. */
static void measure_floor(struct perf *perf)
{
	struct floor_opts opts;
	struct floor_latency latency;
	bool rings = perf->opts.core_client >= 0 && perf->opts.core_client != perf->opts.core_server;
	int rc;

	if (perf->test == &perf_loan || perf->opts.len_bytes > 4096 || weft_histogram_open(&perf->floor_ns) < 0)
		return;
	floor_opts_init(&opts, sizeof opts);
	opts.sender_core = perf->opts.core_client;
	opts.receiver_core = perf->opts.core_server;
	opts.iterations = 300000;
	if (rings && perf->opts.len_bytes >= 8 && perf->opts.len_bytes % 8 == 0)
		rc = floor_ring_pingpong(&opts, perf->opts.len_bytes, perf->floor_ns, &latency);
	else
		rc = floor_pingpong(perf->opts.len_bytes, 300000, perf->opts.core_client, perf->opts.core_server,
				    perf->floor_ns);
	if (rc < 0)
		weft_histogram_close(&perf->floor_ns);
}

static json_t *percentiles(const struct weft_histogram *ns)
{
	json_t *sampled = json_array();

	for (size_t i = 0; i < FLOOR_SAMPLES; i++)
		json_array_append_new(sampled, json_pack("[f, I]", floor_sampled[i],
							 (json_int_t)weft_histogram_percentile(ns, floor_sampled[i])));
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "count", (json_int_t)weft_histogram_count(ns), "p50",
			 (json_int_t)weft_histogram_percentile(ns, 50), "p90",
			 (json_int_t)weft_histogram_percentile(ns, 90), "p99",
			 (json_int_t)weft_histogram_percentile(ns, 99), "p99_9",
			 (json_int_t)weft_histogram_percentile(ns, 99.9), "max", (json_int_t)weft_histogram_max(ns),
			 "sampled", sampled);
}

static void print_json(const struct perf *perf)
{
	json_t *report = json_pack("{s:s, s:I, s:I, s:b, s:f, s:f, s:s, s:s}", "test", perf->test->name, "size_bytes",
				   (json_int_t)perf->opts.len_bytes, "window", (json_int_t)perf->opts.window, "touched",
				   (int)perf->opts.touch, "line_before_ns", perf->line_before_ns, "line_after_ns",
				   perf->line_after_ns, "state_before", floor_state_name(floor_state_of(perf->line_before_ns)),
				   "state_after", floor_state_name(floor_state_of(perf->line_after_ns)));

	if (weft_histogram_count(perf->result.latency_ns))
		json_object_set_new(report, "round_trip_ns", percentiles(perf->result.latency_ns));
	if (perf->floor_ns)
		json_object_set_new(report, "floor_round_trip_ns", percentiles(perf->floor_ns));
	if (perf->result.rate > 0) {
		json_object_set_new(report, "per_second", json_real(perf->result.rate));
		json_object_set_new(report, "bytes_per_second", json_real(perf->result.bytes_per_second));
	}
	json_dumpf(report, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(report);
}

static void print_row(const char *name, const struct weft_histogram *ns)
{
	printf("  %-12s %8llu %8llu %8llu %8llu %10llu\n", name, (unsigned long long)weft_histogram_percentile(ns, 50),
	       (unsigned long long)weft_histogram_percentile(ns, 90), (unsigned long long)weft_histogram_percentile(ns, 99),
	       (unsigned long long)weft_histogram_percentile(ns, 99.9), (unsigned long long)weft_histogram_max(ns));
}

static void print_text(const struct perf *perf)
{
	printf("weft perf %s: %zu bytes, window %u, payload %s\n", perf->test->name, perf->opts.len_bytes,
	       perf->opts.window, perf->opts.touch ? "written and read" : "not touched");
	printf("  one line back and forth: %.0f ns before, %.0f ns after (%s, %s)\n", perf->line_before_ns,
	       perf->line_after_ns, floor_state_name(floor_state_of(perf->line_before_ns)),
	       floor_state_name(floor_state_of(perf->line_after_ns)));
	if (weft_histogram_count(perf->result.latency_ns)) {
		printf("  round trip/ns     p50      p90      p99    p99.9        max\n");
		print_row("weft", perf->result.latency_ns);
		if (perf->floor_ns)
			print_row("floor", perf->floor_ns);
	}
	if (perf->result.rate > 0)
		printf("  %.3f million a second, %.1f MB/s\n", perf->result.rate / 1e6, perf->result.bytes_per_second / 1e6);
}

int command_perf(int argc, char **argv)
{
	static const struct argp argp = {options, parse, "TEST",
					 "Measures weft between two processes, beside the machine's own limit.\v"
					 "Tests: lat (round trip), rate (messages one way), bw (filled loans one way), "
					 "rpc (requests), loan (hand-over of a filled loan).",
					 NULL, NULL, NULL};
	struct perf perf = {.opts = {.seconds = 2, .core_server = 1, .touch = true, .idle = WEFT_IDLE_ADAPTIVE}};
	int rc;

	parse_arguments(&argp, argc, argv, &perf);
	if (!perf.has_len)
		perf.opts.len_bytes = perf.test->default_len_bytes;
	if (perf.test == &perf_loan && !perf.opts.len_bytes)
		usage_error("perf: --size is 0, a loan has at least one byte");
	if (!perf.has_window)
		perf.opts.window = perf.test->default_window;
	rc = weft_histogram_open(&perf.result.latency_ns);
	if (rc < 0)
		return weft_fail("weft perf");
	perf.line_before_ns = floor_placement(perf.opts.core_client, perf.opts.core_server);
	measure_floor(&perf);
	rc = run_client(&perf);
	perf.line_after_ns = floor_placement(perf.opts.core_client, perf.opts.core_server);
	if (rc == 0)
		(perf.opts.json ? print_json : print_text)(&perf);
	weft_histogram_close(&perf.result.latency_ns);
	weft_histogram_close(&perf.floor_ns);
	return rc < 0 ? weft_fail("weft perf") : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft perf TEST`: measures weft between two processes on this machine, and the machine's own limit before and after, so
 * that the figure comes with what it can be compared to.
 */
#include "perf.h"

#include "bare.h"
#include "command.h"
#include "floor.h"
#include "progress.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <weft/net.h>

static const struct perf_test *const tests[] = {&perf_lat,  &perf_rate,   &perf_bw,    &perf_rpc,
						&perf_loan, &perf_fanout, &perf_wake,  &perf_idle,
						&perf_open, &perf_mix,    &perf_pairs, &perf_death};
#define TEST_COUNT (sizeof tests / sizeof *tests)
#define TEST_NAMES "lat, rate, bw, rpc, loan, fanout, wake, idle, open, mix, pairs, death"

enum { KEY_NO_TOUCH = 256, KEY_SPIN, KEY_SECURITY };

static const struct argp_option options[] = {
	{"size", 's', "BYTES", 0,
	 "payload of a message (64; 32 for rpc, 64 KiB for fanout, 1 MiB for bw and loan); for death the memory that each "
	 "side holds (256 MiB). At most 8 KiB for mix, 64 KiB for rpc, idle and pairs, 64 MiB for lat and rate, 256 MiB for bw, "
	 "loan and fanout, 1 GiB for death",
	 0},
	{"window", 'w', "N", 0, "messages in a burst, requests or bulk messages in flight (1; 4 for mix; at most 1024)",
	 0},
	{"count", 'n', "N", 0,
	 "readers of fanout (4, at most 32), links of idle (127, at most 200), pairs of pairs (4, at most 64)", 0},
	{"duration", 'd', "SECONDS", 0, "how long to measure: 0.01 to 3600 (2)", 0},
	{"cores", 'c', "A,B", 0, "cores of client and server, or none (the first two that it may use)", 0},
	{"no-touch", KEY_NO_TOUCH, NULL, 0, "neither write nor read the payload", 0},
	{"spin", KEY_SPIN, NULL, 0, "never sleep", 0},
	{"driver", 'D', "NAME", 0,
	 "shm, or a network such as udp, over loopback or with --to: lat, rate, bw, rpc and loan (shm)", 0},
	{"to", 't', "ADDRESS", 0, "the server is at udp:10.0.0.2:7000, where `weft perf TEST --listen` runs", 0},
	{"listen", 'l', "ADDRESS", 0, "be the server of one measurement, at udp:10.0.0.2:7000", 0},
	{"security", KEY_SECURITY, "none", 0,
	 "needed beyond this machine: the network is trusted, as nothing is encrypted yet", 0},
	{"json", 'j', NULL, 0, "print JSON", 0},
	{0},
};

static double seconds(const char *text)
{
	size_t len = strlen(text);
	double value;

	/* No signs, exponents, hexadecimal or names of numbers. */
	value = len && len < 32 && strspn(text, "0123456789.") == len ? strtod(text, NULL) : 0;
	if (!(value >= 0.01 && value <= 3600) || strchr(text, '.') != strrchr(text, '.'))
		usage_error("--duration is '%.40s', it must be seconds from 0.01 to 3600", text);
	return value;
}

static size_t whole(const char *option, const char *text, size_t low, size_t high)
{
	size_t len = strlen(text);
	bool digits = len && len < 16 && strspn(text, "0123456789") == len;
	size_t value = digits ? (size_t)strtoull(text, NULL, 10) : 0;

	if (!digits || value < low || value > high)
		usage_error("--%s is '%.40s', it must be a whole number from %zu to %zu", option, text, low, high);
	return value;
}

/* A core that this process may use, at the start of text; what follows it. */
static const char *parse_core(const char *all, const char *text, int *out)
{
	size_t len = strspn(text, "0123456789");
	cpu_set_t allowed;

	if (!len || len > 5)
		usage_error("--cores is '%.40s', it must be two core numbers like 0,1 or none", all);
	*out = atoi(text);
	if (sched_getaffinity(0, sizeof allowed, &allowed) == 0 && (*out >= CPU_SETSIZE || !CPU_ISSET(*out, &allowed)))
		usage_error("--cores is '%.40s', but there is no core %d here that this process may use", all, *out);
	return text + len;
}

static void parse_cores(struct perf_opts *opts, const char *text)
{
	const char *rest;

	if (strcmp(text, "none") == 0) {
		opts->core_client = opts->core_server = -1;
		return;
	}
	rest = parse_core(text, text, &opts->core_client);
	if (*rest == ',')
		rest = parse_core(text, rest + 1, &opts->core_server);
	else
		rest = "?";
	if (*rest)
		usage_error("--cores is '%.40s', it must be two core numbers like 0,1 or none", text);
}

/* The first two that this process may use; the same one twice where there is no second. */
static void choose_cores(struct perf_opts *opts)
{
	cpu_set_t allowed;

	opts->core_client = opts->core_server = -1;
	if (sched_getaffinity(0, sizeof allowed, &allowed) < 0)
		return;
	for (int core = 0; core < CPU_SETSIZE; core++) {
		if (!CPU_ISSET(core, &allowed))
			continue;
		opts->core_server = core;
		if (opts->core_client >= 0)
			return;
		opts->core_client = core;
	}
}

static void choose_test(struct perf *perf, const char *name)
{
	if (perf->test)
		usage_error("one test, not also '%.40s'", name);
	for (size_t i = 0; i < TEST_COUNT; i++)
		if (strcmp(tests[i]->name, name) == 0)
			perf->test = tests[i];
	if (!perf->test)
		usage_error("unknown test '%.40s'; there are " TEST_NAMES, name);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct perf *perf = state->input;

	switch (key) {
	case 's':
		perf->opts.len_bytes = whole("size", arg, 0, 1 << 30);
		perf->has_len = true;
		return 0;
	case 'w':
		perf->opts.window = (unsigned int)whole("window", arg, 1, 1024);
		perf->has_window = true;
		return 0;
	case 'n':
		perf->opts.count = (unsigned int)whole("count", arg, 1, 1024);
		perf->has_count = true;
		return 0;
	case 'd':
		perf->opts.seconds = seconds(arg);
		return 0;
	case 'c':
		parse_cores(&perf->opts, arg);
		return 0;
	case 'D':
		perf_network_driver(&perf->opts, arg);
		return 0;
	case 't':
		perf_network_to(&perf->opts, arg);
		return 0;
	case 'l':
		stream_set_listen(&perf->opts.networks, arg);
		return 0;
	case KEY_SECURITY:
		stream_set_security(&perf->opts.networks, arg);
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
			usage_error("which test? There are " TEST_NAMES "; `weft perf --help` tells more");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Over which network, if over one at all. */
static void settle_network(struct perf *perf)
{
	struct perf_opts *opts = &perf->opts;
	bool far = *opts->networks.peers;

	if (opts->networks.listen && far)
		usage_error("--to and --listen are for two processes: one measures, the other is its server");
	if ((far || opts->networks.listen) && opts->driver && !weft_net_driver_find(opts->driver))
		usage_error("--driver %s reaches this machine only, and --to and --listen are for networks",
			    opts->driver);
	opts->network |= opts->networks.listen != NULL;
	if (opts->network && !perf->test->over_networks)
		usage_error("%s is for this machine only; over networks there are lat, rate, bw, rpc and loan",
			    perf->test->name);
	if (opts->networks.security && !opts->network)
		usage_error("--security is for networks: give --driver, --to or --listen too");
}

/* Defaults of the test, and what it cannot take. */
static void settle(struct perf *perf)
{
	const struct perf_test *test = perf->test;

	if (perf->has_len && !test->default_len_bytes)
		usage_error("%s takes no --size", test->name);
	if (perf->has_window && !test->default_window)
		usage_error("%s takes no --window", test->name);
	if (perf->has_count && !test->default_count)
		usage_error("%s takes no --count", test->name);
	if (perf->opts.count > test->max_count)
		usage_error("--count is %u, %s takes at most %u", perf->opts.count, test->name, test->max_count);
	if (perf->has_len && perf->opts.len_bytes > test->max_len_bytes)
		usage_error("--size is %zu, %s takes at most %zu", perf->opts.len_bytes, test->name,
			    test->max_len_bytes);
	if (!perf->has_len)
		perf->opts.len_bytes = test->default_len_bytes;
	if (!perf->has_window)
		perf->opts.window = test->default_window;
	if (!perf->has_count)
		perf->opts.count = test->default_count;
	if ((test == &perf_loan || test == &perf_fanout || test == &perf_bw) && !perf->opts.len_bytes)
		usage_error("--size is 0, a loan has at least one byte");
}

/* One line before, and none while it runs: a bar would be drawn by one of the cores that are measured. */
static void say_until_when(const struct perf *perf)
{
	time_t end = time(NULL) + (time_t)(perf->opts.seconds + 0.5);
	struct tm local;
	char until[16] = "";

	if (localtime_r(&end, &local))
		strftime(until, sizeof until, "%H:%M:%S", &local);
	progress_say("measuring %s for %g s, until about %s", perf->test->name, perf->opts.seconds, until);
}

static int run(struct perf *perf)
{
	const struct perf_test *test = perf->test;

	if (*perf->opts.networks.peers)
		return perf_network_far(&perf->opts, test->measure, &perf->result);
	return test->run ? test->run(&perf->opts, &perf->result)
			 : perf_pair(&perf->opts, test->serve, test->measure, &perf->result);
}

int command_perf(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		parse,
		"TEST",
		"Measures weft between processes, beside the machine's own limit.\v"
		"Tests: lat (round trip), rate (messages one way), bw (filled loans one way), rpc (requests), "
		"loan (hand-over of a filled loan), fanout (one loan to many readers), wake (idle, and woken), "
		"idle (a busy link beside idle ones), open (a node, and the first message to a new peer), "
		"mix (small urgent messages beside a bulk stream), pairs (several pairs on two cores), "
		"death (a killed peer with loans out).",
		NULL,
		NULL,
		NULL};
	struct perf perf = {.opts = {.seconds = 2, .touch = true, .idle = WEFT_IDLE_ADAPTIVE}};
	int rc;

	choose_cores(&perf.opts);
	parse_arguments(&argp, argc, argv, &perf);
	settle(&perf);
	settle_network(&perf);
	if (perf.opts.networks.listen)
		return perf_network_serve(&perf) < 0 ? command_fail() : 0;
	rc = perf_result_open(&perf.result);
	if (rc < 0)
		return command_fail();
	say_until_when(&perf);
	perf.line_before_ns = floor_placement(perf.opts.core_client, perf.opts.core_server);
	perf_floor_measure(&perf);
	rc = run(&perf);
	perf.line_after_ns = floor_placement(perf.opts.core_client, perf.opts.core_server);
	progress_clear();
	if (rc == 0)
		perf_print(&perf);
	perf_result_close(&perf.result);
	weft_histogram_close(&perf.floor_ns);
	return rc < 0 ? command_fail() : 0;
}

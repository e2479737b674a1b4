/* SPDX-License-Identifier: Apache-2.0 */
/*
 * floor-probe: all limits of the machine as a table or as JSON, each with the round trip of one line before and after it.
 */
#include "bare.h"
#include "floor.h"
#include "timing.h"

#include <weft/errors.h>

#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct probe {
	struct floor_opts opts;
	bool json, placement_only, quick;
	json_t *rows;
	double line_ns; /* as it was found last */
};

enum { KEY_QUICK = 256 };

static const struct argp_option options[] = {
	{"cores", 'c', "SENDER,RECEIVER", 0, "the two cores (1,0)", 0},
	{"placement", 'p', NULL, 0, "only the round trip of one line, about 10 ms", 0},
	{"quick", KEY_QUICK, NULL, 0, "a tenth of the iterations", 0},
	{"json", 'j', NULL, 0, "print JSON", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct probe *probe = state->input;
	char rest;

	switch (key) {
	case 'c':
		if (sscanf(arg, "%d,%d%c", &probe->opts.sender_core, &probe->opts.receiver_core, &rest) != 2)
			argp_failure(state, 2, 0, "--cores is '%.40s', it must be two core numbers like 1,0", arg);
		return 0;
	case 'p':
		probe->placement_only = true;
		return 0;
	case KEY_QUICK:
		probe->quick = true;
		return 0;
	case 'j':
		probe->json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_failure(state, 2, 0, "takes no argument '%.40s'", arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static double line_now(const struct probe *probe)
{
	double line_ns = floor_placement(probe->opts.sender_core, probe->opts.receiver_core);

	if (line_ns > 0)
		return line_ns;
	fprintf(stderr, "floor-probe: cannot measure between cores %d and %d: %s\n", probe->opts.sender_core,
		probe->opts.receiver_core, strerror(errno));
	exit(1);
}

static void check(int err)
{
	if (err)
		exit(weft_fail("floor-probe"));
}

/* Adds the row, with the state before and after it; takes fields. */
static void row_add(struct probe *probe, const char *name, size_t size, json_t *fields)
{
	double before = probe->line_ns;
	json_t *row = json_pack("{s:s, s:I, s:f, s:s}", "test", name, "size_bytes", (json_int_t)size, "line_before_ns",
				before, "state_before", floor_state_name(floor_state_of(before)));

	probe->line_ns = line_now(probe);
	json_object_set_new(row, "line_after_ns", json_real(probe->line_ns));
	json_object_set_new(row, "state_after", json_string(floor_state_name(floor_state_of(probe->line_ns))));
	json_object_update_new(row, fields);
	json_array_append_new(probe->rows, row);
}

static json_t *latency_json(const struct floor_latency *l)
{
	return json_pack("{s:{s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f}}", "ns", "count", (json_int_t)l->count, "min",
			 l->min, "p50", l->p50, "p90", l->p90, "p99", l->p99, "p99_9", l->p999, "max", l->max, "mean",
			 l->mean);
}

static json_t *rate_json(const struct floor_rate *rate)
{
	return json_pack("{s:f, s:f, s:f}", "per_second", rate->messages_per_second, "bytes_per_second",
			 rate->bytes_per_second, "seconds", rate->seconds);
}

static struct floor_opts opts_of(const struct probe *probe, uint64_t iterations)
{
	struct floor_opts opts = probe->opts;

	opts.iterations = probe->quick ? iterations / 10 : iterations;
	return opts;
}

static void pingpong(struct probe *probe, size_t size)
{
	struct weft_histogram *histogram;
	struct floor_latency latency;
	struct floor_opts opts = opts_of(probe, 200000);

	check(weft_histogram_open(&histogram));
	if (floor_pingpong(size, (unsigned int)opts.iterations, opts.sender_core, opts.receiver_core, histogram) < 0) {
		fprintf(stderr, "floor-probe: ping-pong of %zu bytes: %s\n", size, strerror(errno));
		exit(1);
	}
	floor_latency_from(histogram, &latency);
	weft_histogram_close(&histogram);
	row_add(probe, "ping-pong", size, latency_json(&latency));
	check(floor_ring_pingpong(&opts, size, NULL, &latency));
	row_add(probe, "ping-pong, rings of 64", size, latency_json(&latency));
}

static void rates(struct probe *probe)
{
	static const unsigned int bursts[] = {0, 1, 8, 32};
	struct floor_opts opts = opts_of(probe, 5000000);
	struct floor_rate rate;
	char name[64];

	for (size_t i = 0; i < sizeof bursts / sizeof *bursts; i++) {
		check(floor_rate(&opts, bursts[i], &rate));
		snprintf(name, sizeof name, "ring, tail every %u", bursts[i]);
		row_add(probe, bursts[i] ? name : "ring, number in slot", bursts[i] ? 64 : 56, rate_json(&rate));
	}
}

static void copies(struct probe *probe)
{
	static const size_t sizes[] = {4096, 65536, 1 << 20, 64 << 20};
	struct floor_opts opts = opts_of(probe, 0);
	struct floor_rate rate;

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		check(floor_memcpy(&opts, sizes[i], &rate));
		row_add(probe, "memcpy", sizes[i], rate_json(&rate));
	}
	for (size_t i = 0; i + 1 < sizeof sizes / sizeof *sizes; i++) {
		check(floor_handover(&opts, sizes[i], 1, &rate));
		row_add(probe, "hand over, 1 buffer", sizes[i], rate_json(&rate));
		check(floor_handover(&opts, sizes[i], 4, &rate));
		row_add(probe, "hand over, 4 buffers", sizes[i], rate_json(&rate));
	}
}

static void wakes(struct probe *probe)
{
	struct floor_opts opts = opts_of(probe, 5000);
	struct floor_latency latency;
	char name[64];

	for (enum floor_wake kind = FLOOR_WAKE_EVENTFD; kind <= FLOOR_WAKE_FUTEX; kind++) {
		check(floor_wake(&opts, kind, 0, NULL, &latency));
		snprintf(name, sizeof name, "wake, %s", floor_wake_name(kind));
		row_add(probe, name, 0, latency_json(&latency));
	}
	opts = opts_of(probe, 50000);
	check(floor_yield(&opts, NULL, &latency));
	row_add(probe, "sched_yield, one core", 8, latency_json(&latency));
}

static void print_table(const struct probe *probe)
{
	size_t i;
	json_t *row;

	printf("%-24s %9s  %-9s %9s %9s %9s %9s %10s  %12s %10s\n", "test", "bytes", "state", "p50/ns", "p90", "p99",
	       "p99.9", "max", "messages/s", "MB/s");
	json_array_foreach(probe->rows, i, row)
	{
		json_t *ns = json_object_get(row, "ns");
		const char *before = json_string_value(json_object_get(row, "state_before"));
		const char *after = json_string_value(json_object_get(row, "state_after"));

		printf("%-24s %9lld  %-4s %-4s", json_string_value(json_object_get(row, "test")),
		       (long long)json_integer_value(json_object_get(row, "size_bytes")), before,
		       strcmp(before, after) ? after : "");
		if (ns)
			printf(" %9.0f %9.0f %9.0f %9.0f %10.0f\n", json_real_value(json_object_get(ns, "p50")),
			       json_real_value(json_object_get(ns, "p90")), json_real_value(json_object_get(ns, "p99")),
			       json_real_value(json_object_get(ns, "p99_9")),
			       json_real_value(json_object_get(ns, "max")));
		else
			printf(" %50s  %12.0f %10.0f\n", "", json_real_value(json_object_get(row, "per_second")),
			       json_real_value(json_object_get(row, "bytes_per_second")) / 1e6);
	}
}

static void print_placement(const struct probe *probe)
{
	const char *state = floor_state_name(floor_state_of(probe->line_ns));

	if (probe->json)
		printf("{\"line_ns\": %.0f, \"state\": \"%s\"}\n", probe->line_ns, state);
	else
		printf("one line back and forth: %.0f ns (%s)\n", probe->line_ns, state);
}

int main(int argc, char **argv)
{
	static const struct argp argp = {options, parse, NULL, "Measures the machine's own limits between two cores.",
					 NULL,    NULL,  NULL};
	static const size_t sizes[] = {8, 32, 64, 240, 1024};
	struct probe probe = {.rows = json_array()};

	floor_opts_init(&probe.opts, sizeof probe.opts);
	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &probe);
	probe.line_ns = line_now(&probe);
	if (probe.placement_only) {
		print_placement(&probe);
		return 0;
	}
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		pingpong(&probe, sizes[i]);
	rates(&probe);
	copies(&probe);
	wakes(&probe);
	if (probe.json)
		json_dumpf(json_pack("{s:o}", "rows", probe.rows), stdout, JSON_INDENT(2));
	else
		print_table(&probe);
	putchar('\n');
	return 0;
}

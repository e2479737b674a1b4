/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The figures of a test of `weft perf`, as JSON or as text.
 */
#include "perf.h"

#include "floor.h"
#include "timing.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

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

/* Its name; with --to alone the network of that. */
static const char *driver_of(const struct perf *perf)
{
	static char name[WEFT_NAME_MAX + 1];
	const char *to = strchr(perf->opts.networks.peers, '=');

	if (perf->opts.driver || !to)
		return perf->opts.driver ? perf->opts.driver : "shm";
	snprintf(name, sizeof name, "%.*s", (int)strcspn(to + 1, ":"), to + 1);
	return name;
}

static void print_json(const struct perf *perf)
{
	json_t *report = json_pack("{s:s, s:I, s:I, s:I, s:b, s:f, s:f, s:s, s:s}", "test", perf->test->name,
				   "size_bytes", (json_int_t)perf->opts.len_bytes, "window",
				   (json_int_t)perf->opts.window, "count", (json_int_t)perf->opts.count, "touched",
				   (int)perf->opts.touch, "line_before_ns", perf->line_before_ns, "line_after_ns",
				   perf->line_after_ns, "state_before",
				   floor_state_name(floor_state_of(perf->line_before_ns)), "state_after",
				   floor_state_name(floor_state_of(perf->line_after_ns)));

	if (perf->opts.core_client >= 0)
		json_object_set_new(report, "cores",
				    json_pack("[i, i]", perf->opts.core_client, perf->opts.core_server));
	json_object_set_new(report, "driver", json_string(driver_of(perf)));
	if (weft_histogram_count(perf->result.latency_ns))
		json_object_set_new(report, "round_trip_ns", percentiles(perf->result.latency_ns));
	if (perf->floor_ns)
		json_object_set_new(report, "floor_round_trip_ns", percentiles(perf->floor_ns));
	for (unsigned int i = 0; i < perf->result.distribution_count; i++)
		json_object_set_new(report, perf->result.distributions[i].name,
				    percentiles(perf->result.distributions[i].ns));
	for (unsigned int i = 0; i < perf->result.figure_count; i++)
		json_object_set_new(report, perf->result.figures[i].name, json_real(perf->result.figures[i].value));
	if (perf->result.rate > 0) {
		json_object_set_new(report, "per_second", json_real(perf->result.rate));
		json_object_set_new(report, "bytes_per_second", json_real(perf->result.bytes_per_second));
	}
	if (perf->floor_rate.messages) {
		json_object_set_new(report, "floor_per_second", json_real(perf->floor_rate.messages_per_second));
		json_object_set_new(report, "floor_bytes_per_second", json_real(perf->floor_rate.bytes_per_second));
	}
	json_dumpf(report, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(report);
}

static void print_row(const char *name, const struct weft_histogram *ns)
{
	printf("  %-16s %8llu %8llu %8llu %8llu %10llu\n", name, (unsigned long long)weft_histogram_percentile(ns, 50),
	       (unsigned long long)weft_histogram_percentile(ns, 90),
	       (unsigned long long)weft_histogram_percentile(ns, 99),
	       (unsigned long long)weft_histogram_percentile(ns, 99.9), (unsigned long long)weft_histogram_max(ns));
}

/* "first_message_ns" as "first message". */
static void print_named_row(const char *name, const struct weft_histogram *ns)
{
	char words[32];

	snprintf(words, sizeof words, "%.*s", (int)(strlen(name) - strlen("_ns")), name);
	for (char *at = words; (at = strchr(at, '_'));)
		*at = ' ';
	print_row(words, ns);
}

static void print_distributions(const struct perf *perf)
{
	bool has_round_trips = weft_histogram_count(perf->result.latency_ns) > 0;

	if (!has_round_trips && !perf->result.distribution_count)
		return;
	printf("  %-16s      p50      p90      p99    p99.9        max\n", has_round_trips ? "round trip/ns" : "ns");
	if (has_round_trips) {
		print_row("weft", perf->result.latency_ns);
		if (perf->floor_ns)
			print_row("floor", perf->floor_ns);
	}
	for (unsigned int i = 0; i < perf->result.distribution_count; i++)
		print_named_row(perf->result.distributions[i].name, perf->result.distributions[i].ns);
}

static void print_rate(const char *name, double per_second, double bytes_per_second)
{
	if (per_second >= 1e5)
		printf("  %-16s %.3f million a second, %.1f MB/s\n", name, per_second / 1e6, bytes_per_second / 1e6);
	else
		printf("  %-16s %.0f a second, %.1f MB/s\n", name, per_second, bytes_per_second / 1e6);
}

static void print_text(const struct perf *perf)
{
	printf("weft perf %s:", perf->test->name);
	if (perf->test->default_len_bytes)
		printf(" %zu bytes", perf->opts.len_bytes);
	if (perf->test->default_window)
		printf(" window %u", perf->opts.window);
	if (perf->test->default_count)
		printf(" count %u", perf->opts.count);
	if (perf->opts.driver)
		printf(" over %s", perf->opts.driver);
	if (*perf->opts.networks.peers)
		printf(" to %s", strchr(perf->opts.networks.peers, '=') + 1);
	if (perf->opts.core_client >= 0)
		printf(" cores %d,%d", perf->opts.core_client, perf->opts.core_server);
	printf(" payload %s\n", perf->opts.touch ? "written and read" : "not touched");
	printf("  one line back and forth: %.0f ns before, %.0f ns after (%s, %s)\n", perf->line_before_ns,
	       perf->line_after_ns, floor_state_name(floor_state_of(perf->line_before_ns)),
	       floor_state_name(floor_state_of(perf->line_after_ns)));
	print_distributions(perf);
	for (unsigned int i = 0; i < perf->result.figure_count; i++)
		printf("  %s %.6g\n", perf->result.figures[i].name, perf->result.figures[i].value);
	if (perf->result.rate > 0)
		print_rate("weft", perf->result.rate, perf->result.bytes_per_second);
	if (perf->floor_rate.messages)
		print_rate("floor", perf->floor_rate.messages_per_second, perf->floor_rate.bytes_per_second);
}

void perf_print(const struct perf *perf)
{
	if (perf->opts.json)
		print_json(perf);
	else
		print_text(perf);
}

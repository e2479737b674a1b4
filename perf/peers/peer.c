/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loops of all peers. The sender finds out in the warm-up how many rounds fill the time, and tells the receiver by
 * a message of 8 bytes. A record is one line of JSON on the sender's standard output.
 */
#include "peer.h"

#include "bare.h"
#include "floor.h"
#include "timing.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS_MAX 20000000u
#define WARMUP_SECONDS 0.05

struct driver {
	const struct peer_ops *ops;
	struct peer_run run;
	unsigned char *buffers[PEER_WINDOW_MAX];
	uint64_t sink; /* of all that was read */
};

void peer_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void peer_path(struct peer_run *run, const char *name)
{
	const char *dir = getenv("TMPDIR");
	int len = snprintf(run->path, sizeof run->path, "%s/weft-peer-%s-%d", dir && *dir ? dir : "/tmp", name,
			   (int)getpid());

	if (len < 0 || (size_t)len >= sizeof run->path)
		peer_die("%s: $TMPDIR is too long for a socket", name);
}

/* As `weft perf` does it. */
static void payload_write(unsigned char *buffer, size_t len_bytes, uint64_t value)
{
	uint64_t word = (unsigned char)value * UINT64_C(0x0101010101010101);
	size_t at = 0;

	if (len_bytes > 4096) {
		memset(buffer, (unsigned char)value, len_bytes);
		return;
	}
	for (; at + 8 <= len_bytes; at += 8)
		memcpy(buffer + at, &word, 8);
	for (; at < len_bytes; at++)
		buffer[at] = (unsigned char)value;
}

static uint64_t payload_read(const unsigned char *buffer, size_t len_bytes)
{
	uint64_t sum = 0, word;
	size_t at;

	for (at = 0; at + 8 <= len_bytes; at += 8) {
		memcpy(&word, buffer + at, 8);
		sum += word;
	}
	for (; at < len_bytes; at++)
		sum += buffer[at];
	return sum;
}

static void write_send(struct driver *d, unsigned int count, uint64_t value)
{
	for (unsigned int i = 0; i < count; i++)
		payload_write(d->buffers[i], d->run.size_bytes, value + i);
	d->ops->send(d->buffers, count, d->run.size_bytes);
}

static void receive_read(struct driver *d, unsigned int count)
{
	d->ops->receive(d->buffers, count, d->run.size_bytes);
	for (unsigned int i = 0; i < count; i++)
		d->sink += payload_read(d->buffers[i], d->run.size_bytes);
}

static bool answers(const struct driver *d)
{
	return strcmp(d->run.test, "lat") == 0 || strcmp(d->run.test, "rpc") == 0;
}

static void sync_send(struct driver *d, uint64_t value)
{
	memcpy(d->buffers[0], &value, 8);
	d->ops->send(d->buffers, 1, 8);
}

static uint64_t sync_receive(struct driver *d)
{
	uint64_t value;

	d->ops->receive(d->buffers, 1, 8);
	memcpy(&value, d->buffers[0], 8);
	return value;
}

/* rounds of a window each; spans, unless NULL, gets the time of each. Returns ns; ends with both sides in step. */
static double send_rounds(struct driver *d, uint64_t rounds, uint32_t *spans)
{
	struct floor_timing timing = {0};
	uint64_t start;
	bool answered = answers(d);
	unsigned int window = d->run.window;

	sync_send(d, rounds);
	sync_receive(d);
	start = weft_clock_ticks();
	if (spans)
		floor_timing_start(&timing, spans);
	for (uint64_t i = 0; i < rounds; i++) {
		write_send(d, window, i);
		if (answered)
			receive_read(d, window);
		if (spans)
			floor_timing_mark(&timing);
	}
	if (!answered)
		sync_receive(d);
	return weft_clock_ticks_to_ns(weft_clock_ticks() - start);
}

/* Obeys until it is told to run 0 rounds. */
static void receive_rounds(struct driver *d)
{
	bool answered = answers(d);
	unsigned int window = d->run.window;
	uint64_t rounds;

	while ((rounds = sync_receive(d))) {
		sync_send(d, rounds);
		for (uint64_t i = 0; i < rounds; i++) {
			receive_read(d, window);
			if (answered)
				write_send(d, window, i);
		}
		if (!answered)
			sync_send(d, d->sink);
	}
}

static void record_latency(const struct weft_histogram *ns)
{
	struct floor_latency latency;

	floor_latency_from(ns, &latency);
	printf(", \"round_trip_ns\": {\"count\": %llu, \"p50\": %.0f, \"p90\": %.0f, \"p99\": %.0f, \"p99_9\": %.0f, "
	       "\"max\": %.0f, \"sampled\": [",
	       (unsigned long long)latency.count, latency.p50, latency.p90, latency.p99, latency.p999, latency.max);
	for (size_t i = 0; i < FLOOR_SAMPLES; i++)
		printf("%s[%g, %llu]", i ? ", " : "", floor_sampled[i],
		       (unsigned long long)weft_histogram_percentile(ns, floor_sampled[i]));
	printf("]}");
}

static void record(const struct driver *d, uint64_t rounds, double ns, const struct weft_histogram *latency_ns)
{
	double per_second = (double)rounds * d->run.window / (ns / 1e9);

	printf("{\"peer\": \"%s%s%s\", \"test\": \"%s\", \"size_bytes\": %zu, \"window\": %u, \"touched\": true",
	       d->ops->name, d->run.variant[0] ? "-" : "", d->run.variant, d->run.test, d->run.size_bytes,
	       d->run.window);
	if (weft_histogram_count(latency_ns))
		record_latency(latency_ns);
	printf(", \"per_second\": %.1f, \"bytes_per_second\": %.1f}\n", per_second,
	       per_second * (double)d->run.size_bytes);
	fflush(stdout);
}

static void measure(struct driver *d)
{
	/* Only one at a time has a round trip that is the time of a round. */
	bool spans_wanted = answers(d) && d->run.window == 1;
	uint64_t rounds = 4, spent = 0;
	uint32_t *spans = NULL;
	struct weft_histogram *latency_ns;
	struct floor_latency latency;
	double ns = 0;

	/* The warm-up: doubled until it is long enough to tell how long a round takes. */
	while ((ns = send_rounds(d, rounds, NULL)) < WARMUP_SECONDS * 1e9 && rounds < ROUNDS_MAX / 2 && spent++ < 40)
		rounds *= 2;
	rounds = (uint64_t)((double)rounds * d->run.seconds * 1e9 / ns);
	rounds = rounds < 16 ? 16 : rounds > ROUNDS_MAX ? ROUNDS_MAX : rounds;
	if (spans_wanted) {
		spans = malloc(rounds * sizeof *spans);
		if (!spans)
			peer_die("%s: no memory for %llu spans", d->ops->name, (unsigned long long)rounds);
		/* Touched, so that no page fault falls into the measurement. */
		memset(spans, 1, rounds * sizeof *spans);
	}
	ns = send_rounds(d, rounds, spans);
	sync_send(d, 0);
	if (weft_histogram_open(&latency_ns) < 0 || (spans && floor_timing_finish(spans, rounds, latency_ns, &latency)))
		peer_die("%s: no memory for a histogram", d->ops->name);
	record(d, rounds, ns, latency_ns);
	weft_histogram_close(&latency_ns);
	free(spans);
}

static void side(struct driver *d, bool is_sender)
{
	size_t room = d->run.size_bytes < 64 ? 64 : (d->run.size_bytes + 63) / 64 * 64;

	if (!d->ops->launched && floor_pin(is_sender ? d->run.sender_core : d->run.receiver_core))
		peer_die("%s: cannot pin: %s", d->ops->name, strerror(errno));
	d->ops->open(&d->run, &is_sender);
	if (d->ops->launched && floor_pin(is_sender ? d->run.sender_core : d->run.receiver_core))
		peer_die("%s: cannot pin: %s", d->ops->name, strerror(errno));
	for (unsigned int i = 0; i < d->run.window; i++) {
		d->buffers[i] = aligned_alloc(4096, (room + 4095) / 4096 * 4096);
		if (!d->buffers[i])
			peer_die("%s: no memory for buffers", d->ops->name);
		memset(d->buffers[i], 0, room);
	}
	weft_clock_real();
	if (is_sender)
		measure(d);
	else
		receive_rounds(d);
	d->ops->close();
}

static double number(const char *name, const char *text, double low, double high)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= low && value <= high)) {
		fprintf(stderr, "%s is '%.40s', it must be a number from %.15g to %.15g\n", name, text, low, high);
		exit(2);
	}
	return value;
}

static void parse(struct driver *d, int argc, char **argv)
{
	static const char *const tests[] = {"lat", "rate", "bw", "rpc"};
	int option;

	d->run = (struct peer_run){.test = "lat",
				   .variant = "",
				   .size_bytes = 64,
				   .window = 1,
				   .seconds = 1,
				   .sender_core = 1,
				   .receiver_core = 0};
	while ((option = getopt(argc, argv, "t:v:s:w:d:c:")) != -1) {
		switch (option) {
		case 't':
			d->run.test = optarg;
			break;
		case 'v':
			d->run.variant = optarg;
			break;
		case 's':
			d->run.size_bytes = (size_t)number("-s", optarg, 8, 1 << 28);
			break;
		case 'w':
			d->run.window = (unsigned int)number("-w", optarg, 1, PEER_WINDOW_MAX);
			break;
		case 'd':
			d->run.seconds = number("-d", optarg, 0.01, 60);
			break;
		case 'c':
			if (sscanf(optarg, "%d,%d", &d->run.sender_core, &d->run.receiver_core) == 2)
				break;
			goto usage;
		default:
			goto usage;
		}
	}
	for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
		if (optind == argc && strcmp(tests[i], d->run.test) == 0)
			return;
usage:
	fprintf(stderr,
		"usage: %s [-t lat|rate|bw|rpc] [-v VARIANT] [-s BYTES] [-w WINDOW] [-d SECONDS] [-c SENDER,RECEIVER]\n",
		argv[0]);
	exit(2);
}

int peer_main(int argc, char **argv, const struct peer_ops *ops)
{
	static struct driver d;
	int status;
	pid_t child;

	d.ops = ops;
	parse(&d, argc, argv);
	if (ops->launched) {
		side(&d, false);
		return 0;
	}
	if (ops->prepare)
		ops->prepare(&d.run);
	child = fork();
	if (child < 0)
		peer_die("%s: cannot fork: %s", ops->name, strerror(errno));
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		side(&d, false);
		_exit(0);
	}
	side(&d, true);
	if (waitpid(child, &status, 0) < 0 || status)
		peer_die("%s: the receiver failed", ops->name);
	if (d.run.path[0])
		unlink(d.run.path);
	return 0;
}

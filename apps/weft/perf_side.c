/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One side of a test of `weft perf`: its node, its way to the other side, its payload.
 */
#include "command.h"
#include "perf.h"

#include "floor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_NS UINT64_C(5000000000)
#define PERF_WORDS_MAX 4096

uint64_t perf_sink;

int perf_side_open(struct perf_side *side, const struct perf_opts *opts, const char *name, const char *peer_name,
		   int core)
{
	struct weft_channel_opts channel_opts;
	struct weft_node_opts node_opts;
	int rc;

	memset(side, 0, sizeof *side);
	side->opts = opts;
	strncpy(side->peer_name, peer_name, sizeof side->peer_name - 1);
	if (floor_pin(core) < 0)
		return weft_set_error(weft_error_from_errno(errno), "core %d cannot be used: %s", core,
				      strerror(errno));
	side->payload = calloc(1, opts->len_bytes + 8);
	if (!side->payload)
		return weft_set_error(WEFT_ENOMEM, "no memory for a payload of %zu bytes", opts->len_bytes);
	weft_node_opts_init(&node_opts, sizeof node_opts);
	node_opts.name = name;
	node_opts.worker_count = 0;
	node_opts.idle = opts->idle;
	node_opts.pages = opts->pages;
	if (opts->memory_max_bytes)
		node_opts.memory_max_bytes = opts->memory_max_bytes;
	perf_network_node(opts, &node_opts);
	weft_channel_opts_init(&channel_opts, sizeof channel_opts);
	channel_opts.max_message_bytes = opts->len_bytes > 1 << 20 ? opts->len_bytes : 1 << 20;
	if (opts->urgent)
		channel_opts.priority = WEFT_PRIORITY_URGENT;
	if (channel_opts.window_bytes < 4 * opts->len_bytes)
		channel_opts.window_bytes = 4 * opts->len_bytes;
	rc = weft_node_open(&node_opts, &side->node);
	if (opts->network && (rc == -WEFT_EINVAL || rc == -WEFT_ENODEV || rc == -WEFT_EACCES))
		usage_error("%s", weft_last_error());
	if (rc == 0)
		rc = weft_channel_open(side->node, PERF_CHANNEL, &channel_opts, &side->channel);
	if (rc == 0)
		side->worker = weft_node_worker(side->node, 0);
	return rc;
}

int perf_connect(struct perf_side *side, struct weft_channel *channel, const char *peer, struct weft_sender **out)
{
	struct weft_sender_opts opts = {.size = sizeof opts, .wait_for_peer = true};
	int rc = weft_sender_open(side->worker, channel, peer, &opts, out);

	/* Who listens waits for whoever comes. */
	return rc < 0 ? rc : weft_sender_wait(*out, side->opts->networks.listen ? WEFT_NEVER : perf_now() + CONNECT_NS);
}

int perf_side_connect(struct perf_side *side)
{
	return perf_connect(side, side->channel, side->peer_name, &side->peer);
}

void perf_side_close(struct perf_side *side)
{
	weft_node_close(&side->node);
	free(side->payload);
}

void perf_write(const struct perf_side *side, unsigned char *to, unsigned char value)
{
	uint64_t word = value * UINT64_C(0x0101010101010101);
	size_t at = 0, len_bytes = side->opts->touch ? side->opts->len_bytes : 0;

	if (len_bytes > PERF_WORDS_MAX) {
		memset(to, value, len_bytes);
		return;
	}
	/* By words, as a program fills in its fields, and as the floor and the peers do. The library's memset is one store of
	 * 512 bits for 64 bytes, which some processors cannot forward to the loads that follow. */
	for (; at + 8 <= len_bytes; at += 8)
		memcpy(to + at, &word, 8);
	for (; at < len_bytes; at++)
		to[at] = value;
}

uint64_t perf_read(const struct perf_side *side, const void *from, size_t len_bytes)
{
	const unsigned char *bytes = from;
	uint64_t sum = 0, word;
	size_t at = 0;

	if (!side->opts->touch)
		return 0;
	for (; at + 8 <= len_bytes; at += 8) {
		memcpy(&word, bytes + at, 8);
		sum += word;
	}
	for (; at < len_bytes; at++)
		sum += bytes[at];
	return sum;
}

static void answer_again(struct weft_worker *worker, const struct weft_message *message)
{
	(void)worker;
	perf_answer(message->with.pointers[0], message->with.numbers[1]);
}

void perf_answer(struct perf_side *side, size_t len_bytes)
{
	struct weft_message again = {.run = answer_again};

	if (weft_send(side->peer, side->payload, len_bytes) != -WEFT_EAGAIN)
		return;
	again.with.pointers[0] = side;
	again.with.numbers[1] = len_bytes;
	weft_worker_post(side->worker, &again);
}

int perf_loan_get(struct perf_side *side, size_t len_bytes, struct weft_loan **out)
{
	int rc;

	while ((rc = weft_loan_get(side->worker, len_bytes, out)) == -WEFT_EAGAIN)
		weft_worker_turn(side->worker, WEFT_NEVER);
	return rc;
}

uint64_t perf_now(void)
{
	return weft_clock_now(weft_clock_real());
}

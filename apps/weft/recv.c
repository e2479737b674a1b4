/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft recv NAME`: what `weft send NAME` sends, to standard output, written from the sender's memory. Exit status 0 when
 * all of the stream has come and was written.
 */
#include "command.h"
#include "progress.h"
#include "stream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct argp_option options[] = {
	{"listen", 'l', "ADDRESS,...", 0, "where else than on this machine senders find it: udp:10.0.0.2:7000", 0},
	{"security", 's', "none", 0, "needed beyond this machine: the network is trusted, as nothing is encrypted yet",
	 0},
	{0},
};

struct receiving {
	const char *name;
	struct stream_networks networks;
	struct weft_node *node;
	struct weft_worker *worker;
	uint64_t from; /* its incarnation; 0: nobody yet */
	uint64_t received_bytes;
	struct progress progress;
	bool done;
	int status;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct receiving *receiving = state->input;

	switch (key) {
	case 'l':
		stream_set_listen(&receiving->networks, arg);
		return 0;
	case 's':
		stream_set_security(&receiving->networks, arg);
		return 0;
	case ARGP_KEY_ARG:
		if (receiving->name)
			usage_error("one NAME, not also '%.40s'", arg);
		stream_check_name(arg, false);
		receiving->name = arg;
		return 0;
	case ARGP_KEY_END:
		if (!receiving->name)
			usage_error("which NAME? `weft send NAME` finds this process by it");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void finish(struct receiving *receiving, int status)
{
	if (!receiving->done)
		receiving->status = status;
	receiving->done = true;
}

static void on_peer(enum weft_peer_event event, const struct weft_peer *peer, void *user)
{
	struct receiving *receiving = user;

	if (event != WEFT_PEER_CAME && peer->incarnation == receiving->from && !receiving->done)
		finish(receiving, weft_set_error(event == WEFT_PEER_LOST ? peer->cause : -WEFT_ECLOSED,
						 "the sender %s before its stream ended, after %llu bytes",
						 event == WEFT_PEER_LOST ? "died" : "left",
						 (unsigned long long)receiving->received_bytes));
}

static void begin(struct receiving *receiving, struct weft_rx *rx)
{
	if (receiving->from) {
		weft_reply_error(rx, -WEFT_EBUSY);
		return;
	}
	receiving->from = rx->peer_incarnation;
	progress_start(&receiving->progress, "received", 0, STDOUT_FILENO);
	weft_reply(rx, NULL, 0);
}

static void end(struct receiving *receiving, struct weft_rx *rx, uint64_t total_bytes)
{
	if (rx->peer_incarnation != receiving->from || receiving->done) {
		weft_reply_error(rx, receiving->status < 0 ? receiving->status : -WEFT_EINVAL);
		return;
	}
	if (total_bytes == receiving->received_bytes) {
		weft_reply(rx, NULL, 0);
		finish(receiving, 0);
	} else {
		weft_reply_error(rx, -WEFT_EPROTO);
		finish(receiving,
		       weft_set_error(WEFT_EPROTO, "%llu bytes were sent, %llu have come",
				      (unsigned long long)total_bytes, (unsigned long long)receiving->received_bytes));
	}
}

static int write_all(const char *data, size_t len_bytes)
{
	while (len_bytes && !stream_interrupted) {
		ssize_t wrote = write(STDOUT_FILENO, data, len_bytes);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return weft_set_error(weft_error_from_errno(errno), "standard output cannot be written: %s",
					      strerror(errno));
		data += wrote;
		len_bytes -= (size_t)wrote;
	}
	return stream_interrupted ? -WEFT_EINTR : 0;
}

static void on_message(struct weft_rx *rx, void *user)
{
	struct receiving *receiving = user;
	struct stream_request request;
	int rc;

	if (rx->is_request) {
		if (rx->len_bytes != sizeof request) {
			weft_reply_error(rx, -WEFT_EPROTO);
			return;
		}
		memcpy(&request, rx->data, sizeof request);
		if (request.kind == STREAM_BEGIN)
			begin(receiving, rx);
		else
			end(receiving, rx, request.total_bytes);
		return;
	}
	if (rx->peer_incarnation != receiving->from || receiving->done)
		return;
	rc = write_all(rx->data, rx->len_bytes);
	if (rc < 0) {
		finish(receiving, rc);
		return;
	}
	receiving->received_bytes += rx->len_bytes;
	progress_show(&receiving->progress, receiving->received_bytes);
}

/* On standard error, in a form that scripts may read: port 0 is one that nobody knows before. */
static void say_addresses(const struct receiving *receiving)
{
	char address[256];

	for (unsigned int i = 0; weft_node_address(receiving->node, i, address, sizeof address) == 0; i++)
		fprintf(stderr, "weft recv: listens on %s\n", address);
}

static int run(struct receiving *receiving)
{
	struct weft_channel *channel;
	int rc = stream_open(receiving->name, &receiving->networks, &receiving->node, &channel);

	if (rc < 0)
		return rc;
	receiving->worker = weft_node_worker(receiving->node, 0);
	weft_channel_on_peer(channel, on_peer, receiving);
	weft_channel_handle(channel, on_message, receiving);
	say_addresses(receiving);
	progress_say("waiting for `weft send %s`", receiving->name);
	while (!receiving->done && !stream_interrupted)
		weft_worker_turn(receiving->worker, WEFT_NEVER);
	if (!receiving->from)
		progress_clear();
	else
		progress_end(&receiving->progress, receiving->received_bytes);
	return receiving->status;
}

int command_recv(int argc, char **argv)
{
	static const struct argp argp = {
		options,
		parse,
		"NAME > OUTPUT",
		"Receives the stream of one `weft send NAME` and writes it to standard output.",
		NULL,
		NULL,
		NULL};
	struct receiving receiving = {0};
	char error[512] = "";
	int rc;

	parse_arguments(&argp, argc, argv, &receiving);
	stream_catch_signals();
	rc = run(&receiving);
	if (rc < 0)
		strncpy(error, weft_last_error(), sizeof error - 1);
	weft_node_close(&receiving.node);
	if (stream_interrupted)
		return 128 + (int)stream_interrupted;
	if (rc < 0)
		weft_set_error(rc, "%s", error);
	return rc < 0 ? command_fail() : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The common part of `weft send` and `weft recv`.
 */
#include "stream.h"

#include "command.h"

#include <stdio.h>
#include <string.h>

volatile sig_atomic_t stream_interrupted;

static void on_signal(int number)
{
	stream_interrupted = number;
}

void stream_catch_signals(void)
{
	struct sigaction catch = {.sa_handler = on_signal}; /* no SA_RESTART: a blocked read or write returns */

	sigemptyset(&catch.sa_mask);
	sigaction(SIGINT, &catch, NULL);
	sigaction(SIGTERM, &catch, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int stream_open(const char *name, const struct stream_networks *networks, struct weft_node **node,
		struct weft_channel **channel)
{
	struct weft_channel_opts channel_opts;
	struct weft_node_opts opts;
	int rc;

	weft_node_opts_init(&opts, sizeof opts);
	opts.name = name;
	opts.worker_count = 0;
	opts.listen = networks->listen;
	opts.peers = *networks->peers ? networks->peers : NULL;
	opts.security = networks->security;
	weft_channel_opts_init(&channel_opts, sizeof channel_opts);
	channel_opts.max_message_bytes = STREAM_PIECE_BYTES;
	channel_opts.window_bytes = STREAM_WINDOW_BYTES;
	rc = weft_node_open(&opts, node);
	if ((rc == -WEFT_EINVAL || rc == -WEFT_ENODEV || rc == -WEFT_EACCES) &&
	    (opts.listen || opts.peers || opts.security))
		usage_error("%s", weft_last_error());
	return rc < 0 ? rc : weft_channel_open(*node, STREAM_CHANNEL, &channel_opts, channel);
}

/* Of the name that text begins with; 0 when there is none. */
static size_t name_length(const char *text)
{
	size_t len = text[0] == '.' ? 0
				    : strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

	return len <= WEFT_NAME_MAX ? len : 0;
}

void stream_check_name(const char *name, bool with_worker)
{
	size_t len = name_length(name);
	const char *rest = name + len;

	if (len && *rest == '/' && with_worker) {
		len = name_length(rest + 1);
		rest += 1 + len;
	}
	if (!len || *rest)
		usage_error("'%.80s' is no name: it has 1 to %d of A-Z a-z 0-9 . _ - and begins with no dot%s", name,
			    WEFT_NAME_MAX, with_worker ? "; it may be NODE/WORKER" : "");
}

void stream_set_listen(struct stream_networks *networks, const char *address)
{
	if (!*address)
		usage_error("--listen needs an address, such as udp:10.0.0.2:7000");
	networks->listen = address;
}

void stream_set_security(struct stream_networks *networks, const char *security)
{
	if (strcmp(security, "none") != 0)
		usage_error("--security '%.40s' is not known: only 'none' is", security);
	networks->security = security;
}

/* One "NET:HOST:PORT" of what --to was given; a network's driver says what else is wrong with it. */
static void check_to(const char *address, size_t len)
{
	const char *colon = memchr(address, ':', len), *host = colon ? colon + 1 : NULL;
	const char *port = memrchr(address, ':', len);
	size_t host_len;

	if (!host || port < host)
		return;
	host_len = (size_t)(port - host);
	if (!host_len || (host_len == 4 && strncmp(host, "[::]", 4) == 0) ||
	    (host_len == 7 && strncmp(host, "0.0.0.0", 7) == 0))
		usage_error(
			"--to '%.80s' names no host to send to: write that of the receiver, such as udp:127.0.0.1:7000",
			address);
	if (strspn(port + 1, "0") == (size_t)(address + len - port) - 1 && port + 1 < address + len)
		usage_error("--to '%.80s' names no port, 0 is none: write the one that it says over there", address);
}

void stream_set_peer(struct stream_networks *networks, const char *receiver, const char *address)
{
	int len = snprintf(networks->peers, sizeof networks->peers, "%.*s=%s", (int)strcspn(receiver, "/"), receiver,
			   address);

	if (!*address || len < 0 || (size_t)len >= sizeof networks->peers || strpbrk(address, ",="))
		usage_error(
			"--to '%.80s' is no address, such as udp:10.0.0.2:7000, or two or more of them with + between",
			address);
	for (const char *part = address, *end; part; part = *end ? end + 1 : NULL) {
		end = strchrnul(part, '+');
		check_to(part, (size_t)(end - part));
	}
}

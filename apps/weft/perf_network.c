/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft perf` over networks: two sides on this machine that do not see each other here, so that they meet over loopback; or
 * one side here, and one that was started elsewhere by --listen.
 */
#include "command.h"
#include "perf.h"
#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weft/driver.h>
#include <weft/net.h>

/* Of the sides that were started on their own. */
#define SERVER "perf-server"
#define CLIENT "perf-client"
#define LOOK_NS UINT64_C(100000000)

/* ---- options ---- */

void perf_network_driver(struct perf_opts *opts, const char *name)
{
	opts->network = weft_net_driver_find(name) != NULL;
	if (opts->network && strncmp(name, "fault+", 6) == 0)
		usage_error("--driver '%.40s' makes faults, and faults are not measured: take the driver itself", name);
	if (!opts->network && !weft_driver_find(name))
		usage_error("--driver '%.40s' is not known: there are shm, udp, and modules in WEFT_MODULE_PATH", name);
	opts->driver = name;
}

void perf_network_to(struct perf_opts *opts, const char *address)
{
	stream_set_peer(&opts->networks, SERVER, address);
	opts->network = true;
}

void perf_network_node(const struct perf_opts *opts, struct weft_node_opts *node_opts)
{
	if (!opts->network) {
		node_opts->driver = opts->driver;
		return;
	}
	/* Who is looked for on this machine is not found. */
	node_opts->driver = "fault+shm";
	node_opts->faults = "fail=connect";
	node_opts->listen = opts->networks.listen ? opts->networks.listen : "none";
	node_opts->peers = *opts->networks.peers ? opts->networks.peers : "none";
	node_opts->security = opts->networks.security;
}

/* ---- two sides on this machine: the server tells where it listens ---- */

int perf_network_offer(struct perf_opts *server, struct perf_offer *offer)
{
	*offer = (struct perf_offer){.fd = -1};
	if (!server->network)
		return 0;
	snprintf(offer->listen, sizeof offer->listen, "%s:127.0.0.1:0", server->driver);
	server->networks.listen = offer->listen;
	if (pipe2(offer->fds, O_CLOEXEC) < 0)
		return weft_set_error(weft_error_from_errno(errno), "no pipe: %s", strerror(errno));
	server->told_fd = offer->fds[1];
	offer->fd = offer->fds[0];
	return 0;
}

int perf_network_tell(const struct perf_side *side)
{
	char address[WEFT_NET_TEXT_MAX + WEFT_NAME_MAX] = "";
	int rc;

	if (!side->opts->told_fd)
		return 0;
	rc = weft_node_address(side->node, 0, address, sizeof address);
	if (rc == 0 && write(side->opts->told_fd, address, sizeof address) != (ssize_t)sizeof address)
		rc = weft_set_error(WEFT_EIO, "the other side is gone");
	close(side->opts->told_fd);
	return rc;
}

int perf_network_take(struct perf_offer *offer, const char *server_name, struct perf_opts *client)
{
	char address[WEFT_NET_TEXT_MAX + WEFT_NAME_MAX];
	ssize_t len;

	if (offer->fd < 0)
		return 0;
	close(offer->fds[1]);
	len = read(offer->fd, address, sizeof address);
	close(offer->fd);
	if (len != (ssize_t)sizeof address)
		return weft_set_error(WEFT_EPEERRESET, "the server did not come up");
	stream_set_peer(&client->networks, server_name, address);
	return 0;
}

/* ---- one side ---- */

int perf_network_far(const struct perf_opts *opts, int (*measure)(struct perf_side *side, struct perf_result *result),
		     struct perf_result *result)
{
	struct perf_side side;
	int rc = perf_side_open(&side, opts, CLIENT, SERVER, opts->core_client);

	if (rc == 0)
		rc = measure(&side, result);
	perf_side_close(&side);
	return rc;
}

static int gone; /* 0: it is there, or has not come; 1: it has left; negative: it died */

static void on_peer(enum weft_peer_event event, const struct weft_peer *peer, void *user)
{
	(void)user;
	if (event == WEFT_PEER_LEFT)
		gone = 1;
	else if (event == WEFT_PEER_LOST)
		gone = peer->cause ? peer->cause : -WEFT_EPEERRESET;
}

static void say_where(const struct perf_side *side, const char *test)
{
	char address[WEFT_NET_TEXT_MAX + WEFT_NAME_MAX];

	if (weft_node_address(side->node, 0, address, sizeof address) == 0)
		fprintf(stderr, "weft perf: listens on %s for one `weft perf %s --to %s`\n", address, test, address);
}

int perf_network_serve(const struct perf *perf)
{
	struct perf_side side;
	int rc;

	stream_catch_signals();
	rc = perf_side_open(&side, &perf->opts, SERVER, CLIENT, perf->opts.core_server);
	if (rc == 0) {
		weft_channel_on_peer(side.channel, on_peer, NULL);
		say_where(&side, perf->test->name);
		rc = perf->test->serve(&side);
	}
	while (rc == 0 && !gone && !stream_interrupted)
		weft_worker_turn(side.worker, perf_now() + LOOK_NS);
	if (rc == 0 && gone < 0)
		rc = weft_set_error(gone, "the other side died, or nothing gets through to it any more");
	perf_side_close(&side);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rails: the drivers that a node has open. The first one reaches this machine, by name; the others are networks, by
 * address. Each worker has a port on every rail.
 *
 * And the book: at which addresses a peer is reached that is not on this machine.
 */
#ifndef RAILS_H
#define RAILS_H

#include <stdbool.h>
#include <weft/driver.h>
#include <weft/net.h>
#include <weft/node.h>

#define WEFT__RAILS_MAX 6u     /* one network may need three: loopback of each IP, and beyond */
#define WEFT__ADDRESSES_MAX 4u /* of a peer */

struct weft_node;

struct weft__rail {
	struct weft_node *node;
	const struct weft_driver *driver;
	const struct weft_net_driver *net; /* NULL: the machine's own */
	struct weft_device *device;
};

/* One address of a peer: "udp:10.0.0.1:7000". */
struct weft__address {
	unsigned int rail;
	char text[WEFT_NET_TEXT_MAX];
};

struct weft__book_entry {
	char peer[WEFT_NAME_MAX + 1];
	struct weft__address addresses[WEFT__ADDRESSES_MAX];
	unsigned int count;
};

/* Opens the machine's own rail, and those that listen, peers and security name. What is open on an error is closed by
 * weft__rails_close. Thread: init. */
int weft__rails_open(struct weft_node *node, const struct weft_node_opts *opts);
void weft__rails_close(struct weft_node *node);
/*
 * The n-th way to a peer: over which rail, and by what name or address; false: there are no more. The first is by its
 * name on this machine. Borrowed until close. Thread: any.
 */
bool weft__way_to(const struct weft_node *node, const char *peer, unsigned int n, unsigned int *rail, const char **to);
/* An option, or else what the environment says; an empty one is none. */
const char *weft__option_or_environment(const char *option, const char *variable);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which drivers a node opens: the machine's own, and the networks that it listens on or has peers on.
 */
#include "node/rails.h"

#include "node/node_private.h"
#include "path/path.h"
#include "wire/meta.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *weft__option_or_environment(const char *option, const char *variable)
{
	const char *value = option ? option : secure_getenv(variable);

	return value && *value ? value : NULL;
}

/* Addresses, of which "none" says that there are none, whatever the environment says. */
static const char *addresses(const char *option, const char *variable)
{
	const char *value = weft__option_or_environment(option, variable);

	return value && strcmp(value, "none") != 0 ? value : NULL;
}

/* ---- streams: what keeps its order on a path that loses packets ---- */

static uint8_t stream_of(uint64_t meta, enum weft_class class_)
{
	uint8_t lane = weft__meta_lane(meta) % WEFT__LINK_LANES;

	switch (weft__meta_kind(meta)) {
	case WEFT__REPLY:
	case WEFT__LANE_WAITING:
	case WEFT__LANE_RESET:
	case WEFT__CREDIT:
		return WEFT__LINK_LANES + lane; /* what is said of the peer's lanes */
	case WEFT__IDLE_ASK:
	case WEFT__IDLE_YES:
	case WEFT__IDLE_NO:
	case WEFT__IDLE_OFF:
	case WEFT__IDLE_CLOSE:
		return (uint8_t)(2 * WEFT__LINK_LANES + class_);
	default:
		return lane;
	}
}

/* ---- one rail ---- */

/* What its net could not have; each thing once, however many rails say so. */
static void tell_degraded(struct weft__rail *rail)
{
	const char *text, *said;

	if (!(rail->driver->caps & WEFT_DRIVER_WAKES))
		weft__node_degrade(rail->node, WEFT_REQUIRE_SLEEP,
				   "%s: packets do not wake a sleeping worker, which looks for them each millisecond: "
				   "idle spin does not sleep",
				   rail->net->name);
	for (unsigned int i = 0; (text = weft__path_degraded(rail->device, i)); i++) {
		unsigned int j = 0;

		while ((said = weft_node_degraded(rail->node, j)) && strcmp(said, text) != 0)
			j++;
		if (!said)
			weft__node_degrade(rail->node, 0, "%s", text);
	}
}

static int rail_open(struct weft__rail *rail, struct weft_node *node, const struct weft_node_opts *node_opts,
		     const char *address)
{
	struct weft_device_opts opts;
	int rc;

	weft_device_opts_init(&opts, sizeof opts);
	opts.name = node->name;
	opts.address = address;
	opts.runtime_dir = weft__option_or_environment(node->opts.runtime_dir, "WEFT_RUNTIME_DIR");
	opts.runner = node->runner;
	opts.arena = node->arena;
	opts.incarnation = node->incarnation;
	opts.allowed_uids = node->opts.allowed_uids;
	opts.allowed_uid_count = node->opts.allowed_uid_count;
	opts.events = &weft__rail_events;
	opts.user = rail;
	if (!rail->net || rail->driver->caps & WEFT_DRIVER_FAULTS)
		opts.faults = weft__option_or_environment(node_opts ? node_opts->faults : NULL, "WEFT_FAULT");
	rail->node = node;
	rc = weft_device_open(rail->driver, &opts, &rail->device);
	if (rc == 0 && rail->net)
		tell_degraded(rail);
	return rc;
}

static int open_own(struct weft_node *node, const struct weft_node_opts *opts)
{
	const char *name = weft__option_or_environment(opts ? opts->driver : NULL, "WEFT_DRIVER");
	struct weft__rail *rail = &node->rails[0];

	rail->driver = weft_driver_find(name ? name : "shm");
	if (!rail->driver)
		return -WEFT_ENODEV;
	node->rail_count = 1;
	return rail_open(rail, node, opts, NULL);
}

/* Splits "NET:ADDRESS"; net has WEFT_NAME_MAX + 1 bytes. */
static int split(const char *what, const char *text, char *net, const char **address)
{
	const char *colon = strchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;

	if (!len || len > WEFT_NAME_MAX || strlen(colon + 1) >= WEFT_NET_TEXT_MAX)
		return weft_set_error(WEFT_EINVAL, "%s \"%.100s\" is no NET:ADDRESS, such as udp:10.0.0.1:7000", what,
				      text);
	memcpy(net, text, len);
	net[len] = 0;
	*address = colon + 1;
	return 0;
}

/* Beyond this machine nothing is encrypted yet, and whoever knows a path's name can speak on it: that must be wanted. */
static int check_security(const struct weft_net_driver *net, const char *address, const char *security)
{
	struct weft_net_address parsed;
	int rc = net->address_read(address, &parsed);

	if (rc < 0 || security || net->is_loopback(&parsed))
		return rc;
	return weft_set_error(
		WEFT_EACCES,
		"%s:%s reaches beyond this machine, where nothing that is sent is encrypted or authenticated "
		"yet: where all who are on the network are trusted, allow it by security none, the only kind "
		"there is (--security none, or WEFT_SECURITY=none)",
		net->name, address);
}

static struct weft__rail *rail_of(struct weft_node *node, const struct weft_net_driver *net)
{
	for (unsigned int i = 0; i < node->rail_count; i++)
		if (node->rails[i].net == net)
			return &node->rails[i];
	return NULL;
}

static int open_network(struct weft_node *node, const struct weft_node_opts *opts, const struct weft_net_driver *net,
			const char *address)
{
	struct weft__rail *rail = &node->rails[node->rail_count];

	if (node->rail_count == WEFT__RAILS_MAX)
		return weft_set_error(WEFT_ENOSPC, "a node has at most %u networks", WEFT__RAILS_MAX - 1);
	rail->net = net;
	rail->driver = weft__path_driver_over(net, stream_of);
	if (!rail->driver)
		return -WEFT_ENOSPC;
	node->rail_count++;
	return rail_open(rail, node, opts, address);
}

/* ---- what to listen on ---- */

struct opening {
	struct weft_node *node;
	const struct weft_node_opts *opts;
	const char *security; /* NULL: none was named */
};

static int listen_on(const struct opening *opening, const char *text)
{
	char name[WEFT_NAME_MAX + 1];
	const struct weft_net_driver *net;
	const char *address = NULL;
	int rc = split("listen", text, name, &address);

	if (rc < 0)
		return rc;
	net = weft_net_driver_find(name);
	if (!net)
		return -WEFT_ENODEV;
	if (rail_of(opening->node, net))
		return weft_set_error(WEFT_EINVAL, "listen: %s is named twice, a node has one address on each network",
				      name);
	rc = check_security(net, address, opening->security);
	return rc < 0 ? rc : open_network(opening->node, opening->opts, net, address);
}

/* Runs each on the parts of text between separators; stops at the first error. */
static int for_each_part(const char *text, char separator, int (*each)(void *user, const char *part), void *user)
{
	char part[WEFT_NAME_MAX + 2 + WEFT__ADDRESSES_MAX * (WEFT_NAME_MAX + WEFT_NET_TEXT_MAX)];
	int rc = 0;

	while (rc == 0 && text && *text) {
		const char *end = strchrnul(text, separator);
		size_t len = (size_t)(end - text);

		if (len >= sizeof part)
			return weft_set_error(WEFT_EINVAL, "\"%.40s...\" is too long", text);
		memcpy(part, text, len);
		part[len] = 0;
		if (len)
			rc = each(user, part);
		text = *end ? end + 1 : end;
	}
	return rc;
}

static int listen_part(void *user, const char *part)
{
	return listen_on(user, part);
}

/* ---- the book ---- */

/* The same host with a port that is free, for an address with a port; NULL: it has none. */
static const char *beside(const char *address, char own[WEFT_NET_TEXT_MAX])
{
	const char *colon = strrchr(address, ':');

	if (!colon ||
	    snprintf(own, WEFT_NET_TEXT_MAX, "%.*s:0", (int)(colon - address), address) >= (int)WEFT_NET_TEXT_MAX)
		return NULL;
	return own;
}

static bool is_loopback(const struct weft_net_driver *net, const char *address)
{
	struct weft_net_address parsed;

	return net->address_read(address, &parsed) == 0 && net->is_loopback(&parsed);
}

/* Whether what this rail sends gets to an address: not to the other IP, whose addresses are in brackets, nor from loopback to
 * elsewhere. ":PORT" gets everywhere. */
static bool rail_reaches(const struct weft__rail *rail, const char *address)
{
	char own[WEFT_DEVICE_ADDRESS_MAX];

	weft_device_address(rail->driver, rail->device, own);
	return own[0] == ':' || ((own[0] == '[') == (address[0] == '[') &&
				 (!is_loopback(rail->net, own) || is_loopback(rail->net, address)));
}

/* On which rail an address is; one that only connects is opened where none that is open gets there. */
static int rail_for(const struct opening *opening, const struct weft_net_driver *net, const char *address)
{
	struct weft_node *node = opening->node;
	char own[WEFT_NET_TEXT_MAX];
	int rc = check_security(net, address, opening->security);

	if (rc < 0)
		return rc;
	for (unsigned int i = 1; i < node->rail_count; i++)
		if (node->rails[i].net == net && rail_reaches(&node->rails[i], address))
			return (int)i;
	rc = open_network(node, opening->opts, net, is_loopback(net, address) ? beside(address, own) : ":0");
	return rc < 0 ? rc : (int)node->rail_count - 1;
}

static int check_host(const struct weft_net_driver *net, const char *peer, const char *address)
{
	struct weft_net_address parsed;
	int rc = net->address_read(address, &parsed);

	if (rc < 0 || weft_net_is_host(net, &parsed))
		return rc;
	return weft_set_error(
		WEFT_EINVAL,
		"peers: nothing can be sent to %s at %s:%s: name its host and the port at which it listens, "
		"such as udp:10.0.0.1:7000",
		peer, net->name, address);
}

struct reading {
	const struct opening *opening;
	struct weft__book_entry *entry;
};

static int address_part(void *user, const char *text)
{
	const struct reading *reading = user;
	struct weft__book_entry *entry = reading->entry;
	char name[WEFT_NAME_MAX + 1];
	const struct weft_net_driver *net;
	const char *address = NULL;
	int rc = split("peers", text, name, &address);

	if (rc < 0)
		return rc;
	if (entry->count == WEFT__ADDRESSES_MAX)
		return weft_set_error(WEFT_EINVAL, "peers: \"%s\" has more than %u addresses", entry->peer,
				      WEFT__ADDRESSES_MAX);
	net = weft_net_driver_find(name);
	rc = net ? check_host(net, entry->peer, address) : -WEFT_ENODEV;
	if (rc == 0)
		rc = rail_for(reading->opening, net, address);
	if (rc < 0)
		return rc;
	entry->addresses[entry->count].rail = (unsigned int)rc;
	strcpy(entry->addresses[entry->count++].text, address);
	return 0;
}

/* "NAME=NET:ADDRESS+NET:ADDRESS", in the order of preference. */
static int peer_part(void *user, const char *part)
{
	const struct opening *opening = user;
	struct weft_node *node = opening->node;
	const char *equals = strchr(part, '=');
	size_t len = equals ? (size_t)(equals - part) : 0;
	struct weft__book_entry *book, *entry;
	struct reading reading;

	book = reallocarray(node->book, node->book_count + 1, sizeof *book);
	if (!book)
		return weft_set_error(WEFT_ENOMEM, "no memory for the addresses of peers");
	node->book = book;
	entry = &book[node->book_count];
	memset(entry, 0, sizeof *entry);
	if (len && len <= WEFT_NAME_MAX)
		memcpy(entry->peer, part, len);
	if (!weft__name_valid(entry->peer))
		return weft_set_error(WEFT_EINVAL,
				      "peers: \"%.100s\" is no NAME=NET:ADDRESS, such as book=udp:10.0.0.1:7000", part);
	node->book_count++;
	reading = (struct reading){opening, entry};
	return for_each_part(equals + 1, '+', address_part, &reading);
}

/* ---- all of it ---- */

int weft__rails_open(struct weft_node *node, const struct weft_node_opts *opts)
{
	struct opening opening = {
		.node = node,
		.opts = opts,
		.security = weft__option_or_environment(opts ? opts->security : NULL, "WEFT_SECURITY"),
	};
	int rc;

	if (opening.security && strcmp(opening.security, "none") != 0)
		return weft_set_error(WEFT_EINVAL, "security \"%.20s\" is not known: there is \"none\"",
				      opening.security);
	rc = open_own(node, opts);
	if (rc == 0)
		rc = for_each_part(addresses(opts ? opts->listen : NULL, "WEFT_LISTEN"), ',', listen_part, &opening);
	if (rc == 0)
		rc = for_each_part(addresses(opts ? opts->peers : NULL, "WEFT_PEERS"), ',', peer_part, &opening);
	return rc;
}

void weft__rails_close(struct weft_node *node)
{
	for (unsigned int i = node->rail_count; i-- > 0;)
		if (node->rails[i].device)
			node->rails[i].driver->device_close(&node->rails[i].device);
	free(node->book);
}

bool weft__way_to(const struct weft_node *node, const char *peer, unsigned int n, unsigned int *rail, const char **to)
{
	if (!n) {
		*rail = 0;
		*to = peer;
		return true;
	}
	for (unsigned int i = 0; i < node->book_count; i++) {
		const struct weft__book_entry *entry = &node->book[i];

		if (strcmp(entry->peer, peer) != 0)
			continue;
		if (n > entry->count)
			return false;
		*rail = entry->addresses[n - 1].rail;
		*to = entry->addresses[n - 1].text;
		return true;
	}
	return false;
}

int weft_node_address(const struct weft_node *node, unsigned int index, char *text, size_t size_bytes)
{
	char address[WEFT_DEVICE_ADDRESS_MAX];
	const struct weft__rail *rail = index + 1 < node->rail_count ? &node->rails[index + 1] : NULL;
	int len;

	if (!rail)
		return -WEFT_ENOENT;
	weft_device_address(rail->driver, rail->device, address);
	len = snprintf(text, size_bytes, "%s:%s", rail->driver->name, address);
	return len >= 0 && (size_t)len < size_bytes ? 0 : -WEFT_ERANGE;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver of datagrams in a module, as small as one can be: what a port sends comes to itself. Its table ends before arm,
 * as an older one's would, and its ports have no reap.
 */
#include <weft/errors.h>
#include <weft/net.h>

#include <stdlib.h>
#include <string.h>

#define DATA_MAX 256

struct test_net {
	struct weft_net_address address;
};

struct test_port {
	struct weft_net_port base;
	_Alignas(8) unsigned char bytes[DATA_MAX];
	uint32_t len_bytes; /* 0: nothing is here */
};

static struct test_port *port_of(struct weft_net_port *base)
{
	return WEFT_CONTAINER_OF(base, struct test_port, base);
}

static int address_read(const char *text, struct weft_net_address *out)
{
	if (strcmp(text, "here") != 0)
		return weft_set_error(WEFT_EINVAL, "\"%.80s\" is no address: there is \"here\"", text);
	*out = (struct weft_net_address){.len_bytes = 1, .bytes = {1}};
	return 0;
}

static void address_write(const struct weft_net_address *address, char *text)
{
	strcpy(text, address->len_bytes == 1 ? "here" : "?");
}

static bool is_loopback(const struct weft_net_address *address)
{
	return address->len_bytes == 1;
}

static int open_net(const struct weft_net_opts *opts, struct weft_net **out)
{
	struct test_net *net = calloc(1, sizeof *net);
	int rc;

	if (!net)
		return weft_set_error(WEFT_ENOMEM, "no memory for a net");
	rc = address_read(opts->address ? opts->address : "here", &net->address);
	if (rc < 0) {
		free(net);
		return rc;
	}
	*out = (struct weft_net *)(void *)net;
	return 0;
}

static void close_net(struct weft_net **net)
{
	free(*net);
	*net = NULL;
}

static void address(const struct weft_net *net, struct weft_net_address *out)
{
	*out = ((const struct test_net *)(const void *)net)->address;
}

static unsigned int tx(struct weft_net_port *base, const struct weft_net_tx *packets, unsigned int count)
{
	struct test_port *port = port_of(base);

	if (!count || port->len_bytes)
		return 0;
	for (unsigned int i = 0; i < packets->piece_count; i++) {
		memcpy(port->bytes + port->len_bytes, packets->pieces[i].data, packets->pieces[i].len_bytes);
		port->len_bytes += packets->pieces[i].len_bytes;
	}
	return 1;
}

static unsigned int rx(struct weft_net_port *base, struct weft_net_rx *packets, unsigned int max)
{
	struct test_port *port = port_of(base);

	if (!max || !port->len_bytes)
		return 0;
	*packets = (struct weft_net_rx){.data = port->bytes, .len_bytes = port->len_bytes};
	port->len_bytes = 0;
	return 1;
}

static int port_open(struct weft_net *net, const struct weft_net_port_opts *opts, struct weft_net_port **out)
{
	struct test_port *port = calloc(1, sizeof *port);

	(void)net;
	(void)opts;
	if (!port)
		return weft_set_error(WEFT_ENOMEM, "no memory for a port");
	port->base = (struct weft_net_port){.tx = tx, .rx = rx, .max_burst = 1};
	*out = &port->base;
	return 0;
}

static void port_close(struct weft_net_port **port)
{
	free(port_of(*port));
	*port = NULL;
}

static int route_open(struct weft_net_port *port, const struct weft_net_address *to, struct weft_net_route **out)
{
	struct weft_net_route *route = calloc(1, sizeof *route);

	if (!route)
		return weft_set_error(WEFT_ENOMEM, "no memory for a route");
	*route = (struct weft_net_route){.port = port, .to = *to, .payload_max = DATA_MAX};
	*out = route;
	return 0;
}

static void route_close(struct weft_net_route **route)
{
	free(*route);
	*route = NULL;
}

static const struct weft_net_driver driver = {
	.size = offsetof(struct weft_net_driver, arm),
	.name = "testnet",
	.caps = WEFT_NET_WAKES | WEFT_NET_CHECKSUM, /* the first one needs arm */
	.open = open_net,
	.close = close_net,
	.address = address,
	.port_open = port_open,
	.port_close = port_close,
	.address_read = address_read,
	.address_write = address_write,
	.is_loopback = is_loopback,
	.route_open = route_open,
	.route_close = route_close,
};

WEFT_NET_DRIVER_MODULE(driver);

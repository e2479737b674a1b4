/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves what a net does where the system gives less than it wants, and that it shares its address with nobody. The calls
 * that the system refuses are those that the linker wraps.
 */
#include "fault.h"
#include "node.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weft/log.h>

static struct {
	bool small;   /* sockets get small buffers */
	bool single;  /* an old kernel: packets are not put together */
	bool missing; /* and sockets are not steered */
} lack;

int __real_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	static const int small = 100000;

	errno = EPERM;
	if (lack.small && level == SOL_SOCKET && (name == SO_RCVBUFFORCE || name == SO_SNDBUFFORCE))
		return -1;
	if (lack.small && level == SOL_SOCKET && (name == SO_RCVBUF || name == SO_SNDBUF))
		value = &small;
	errno = ENOPROTOOPT;
	if (lack.single && level == IPPROTO_UDP && (name == UDP_SEGMENT || name == UDP_GRO))
		return -1;
	if (lack.missing && level == SOL_SOCKET && name == SO_ATTACH_REUSEPORT_CBPF)
		return -1;
	return __real_setsockopt(fd, level, name, value, len);
}

static struct node near, far;

static const char *degraded(unsigned int i)
{
	return node_driver->degraded(near.net, i);
}

static void small_buffers_are_told(void)
{
	lack.small = true;
	node_open(&near, 2, (unsigned int[]){0, 1});
	lack.small = false;
	CU_ASSERT_PTR_NOT_NULL_FATAL(degraded(0));
	CU_ASSERT_PTR_NOT_NULL(strstr(degraded(0), "receive buffers have 100000 of 4194304 bytes"));
	CU_ASSERT_PTR_NOT_NULL(strstr(degraded(0), "net.core.rmem_max"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(degraded(1));
	CU_ASSERT_PTR_NOT_NULL(strstr(degraded(1), "net.core.wmem_max"));
	CU_ASSERT_PTR_NULL(degraded(2));
	node_close(&near);
}

static void an_old_kernel_takes_packets_one_by_one(void)
{
	static unsigned char bytes[32][500];
	struct weft_net_tx burst[32];
	struct weft_net_route *way;
	unsigned int sent = 0;

	lack.single = true;
	node_open(&near, 1, (unsigned int[]){1});
	node_open(&far, 1, (unsigned int[]){1});
	CU_ASSERT_PTR_NOT_NULL_FATAL(degraded(0));
	CU_ASSERT_PTR_NOT_NULL(strstr(degraded(0), "one by one"));
	CU_ASSERT_PTR_NULL(degraded(1));
	way = node_route(&near.ports[0], &far);
	for (uint32_t i = 0; i < 32; i++) {
		burst[i] = (struct weft_net_tx){.route = way, .piece_count = 1};
		burst[i].pieces[0] = (struct weft_net_piece){node_packet(bytes[i], 500, 1, i), 500, NULL};
	}
	CU_ASSERT_TRUE(NODES_UNTIL((sent += way->port->tx(way->port, burst + sent, 32 - sent)) == 32));
	CU_ASSERT_TRUE(NODES_UNTIL(far.ports[0].got == 32));
	CU_ASSERT_EQUAL(far.ports[0].wrong, 0);
	node_driver->route_close(&way);
	node_close(&near);
	node_close(&far);
	lack.single = false;
}

static void without_steering_there_is_no_net(void)
{
	struct weft_net *net = NULL;
	struct weft_net_opts opts;

	weft_net_opts_init(&opts, sizeof opts);
	lack.missing = true;
	CU_ASSERT_TRUE(weft_net_open(node_driver, &opts, &net) < 0);
	lack.missing = false;
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "SO_ATTACH_REUSEPORT_CBPF"));
	CU_ASSERT_PTR_NULL(net);
}

/* A socket of somebody who would share the address; its port in *port. */
static int open_sharing_socket(uint16_t *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;

	CU_ASSERT_EQUAL(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one), 0);
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	CU_ASSERT_EQUAL(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static void who_would_share_an_address_keeps_it(void)
{
	struct weft_net *net = NULL;
	struct weft_net_opts opts;
	char text[64];
	uint16_t port;
	int fd = open_sharing_socket(&port);

	snprintf(text, sizeof text, "127.0.0.1:%u", port);
	weft_net_opts_init(&opts, sizeof opts);
	opts.address = text;
	CU_ASSERT_EQUAL(weft_net_open(node_driver, &opts, &net), -WEFT_EADDRINUSE);
	close(fd);
	CU_ASSERT_EQUAL_FATAL(weft_net_open(node_driver, &opts, &net), 0);
	node_driver->close(&net);
}

static void an_address_of_another_machine_is_refused(void)
{
	struct weft_net *net = NULL;
	struct weft_net_opts opts;

	weft_net_opts_init(&opts, sizeof opts);
	opts.address = "198.51.100.77:7000";
	CU_ASSERT_EQUAL(weft_net_open(node_driver, &opts, &net), -WEFT_ENODEV);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "198.51.100.77:7000 is not one of this machine"));
}

static void without_an_address_it_is_on_this_machine_only(void)
{
	struct weft_net_address address;
	char text[WEFT_NET_TEXT_MAX];
	struct weft_net *net = NULL;
	struct weft_net_opts opts;

	weft_net_opts_init(&opts, sizeof opts);
	CU_ASSERT_EQUAL_FATAL(weft_net_open(node_driver, &opts, &net), 0);
	node_driver->address(net, &address);
	node_driver->address_write(&address, text);
	CU_ASSERT_EQUAL(strncmp(text, "127.0.0.1:", 10), 0);
	CU_ASSERT_STRING_NOT_EQUAL(text, "127.0.0.1:0");
	CU_ASSERT_TRUE(node_driver->is_loopback(&address));
	node_driver->close(&net);
}

/* The same port of another host, as a route to the node at any address. */
static struct weft_net_route *route_to(struct node_port *from, const char *host, const struct node *to)
{
	char any[WEFT_NET_TEXT_MAX], text[WEFT_NET_TEXT_MAX];
	struct weft_net_address address;
	struct weft_net_route *route = NULL;

	node_driver->address_write(&to->address, any);
	snprintf(text, sizeof text, "%s%.10s", host, strrchr(any, ':'));
	CU_ASSERT_EQUAL_FATAL(node_driver->address_read(text, &address), 0);
	CU_ASSERT_EQUAL_FATAL(node_driver->route_open(from->port, &address, &route), 0);
	return route;
}

static void any_address_is_reached_by_both_kinds_of_ip(void)
{
	static const char *const kinds[] = {"udp4", "udp6"}, *const hosts[] = {"127.0.0.1", "[::1]"};
	struct weft_net_route *to, *back;

	for (unsigned int i = 0; i < 2; i++) {
		struct weft_net_tx packet = {.piece_count = 1, .ecn = WEFT_ECN_ECT0};
		unsigned char bytes[64];

		node_use("udpany");
		node_open(&far, 2, (unsigned int[]){0, 1});
		CU_ASSERT_FALSE(node_driver->is_loopback(&far.address));
		node_use(kinds[i]);
		node_open(&near, 1, (unsigned int[]){3});
		to = route_to(&near.ports[0], hosts[i], &far);
		packet.route = to;
		packet.pieces[0] = (struct weft_net_piece){node_packet(bytes, 64, 1, 9), 64, NULL};
		CU_ASSERT_EQUAL(to->port->tx(to->port, &packet, 1), 1);
		CU_ASSERT_TRUE(NODES_UNTIL(far.ports[1].got == 1));
		CU_ASSERT_EQUAL(far.ports[1].last_ecn, WEFT_ECN_ECT0);
		CU_ASSERT_EQUAL(memcmp(&far.ports[1].last_from, &near.address, sizeof near.address), 0);
		CU_ASSERT_EQUAL_FATAL(node_driver->route_open(far.ports[1].port, &far.ports[1].last_from, &back), 0);
		packet.route = back;
		packet.ecn = WEFT_ECN_ECT1;
		node_packet(bytes, 64, 3, 10);
		CU_ASSERT_EQUAL(back->port->tx(back->port, &packet, 1), 1);
		CU_ASSERT_TRUE(NODES_UNTIL(near.ports[0].got == 1));
		CU_ASSERT_EQUAL(near.ports[0].last, 10);
		CU_ASSERT_EQUAL(near.ports[0].last_ecn, WEFT_ECN_ECT1);
		node_driver->route_close(&to);
		node_driver->route_close(&back);
		node_close(&near);
		node_close(&far);
	}
	node_use("udp4");
}

/* Who listens everywhere is asked at each of these in turn. */
static void the_address_that_was_asked_is_the_one_that_answers(void)
{
	static const struct {
		const char *near, *far; /* kinds of nets */
		const char *asked;
	} rows[] = {
		{"udp4", "udpany", "127.0.0.1"}, {"udp4", "udpany", "127.0.0.2"},  {"udp4", "udpany", "127.1.2.3"},
		{"udp6", "udpany", "[::1]"},     {"udp4", "udpany4", "127.0.0.2"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct weft_net_route *to, *back;

		node_use(rows[i].far);
		node_open(&far, 2, (unsigned int[]){0, 1});
		node_use(rows[i].near);
		node_open(&near, 1, (unsigned int[]){3});
		to = route_to(&near.ports[0], rows[i].asked, &far);
		CU_ASSERT_TRUE(node_send(to, 1, 9, 64));
		CU_ASSERT_TRUE(NODES_UNTIL(far.ports[1].got == 1));
		CU_ASSERT_EQUAL_FATAL(node_driver->route_open(far.ports[1].port, &far.ports[1].last_from, &back), 0);
		weft_net_route_from(back, &far.ports[1].last_to);
		/* Also those that cross the kernel together. */
		for (uint32_t number = 1; number <= 3; number++)
			CU_ASSERT_TRUE(node_send(back, 3, number, 64));
		CU_ASSERT_TRUE(NODES_UNTIL(near.ports[0].got == 3));
		CU_ASSERT_EQUAL(memcmp(&near.ports[0].last_from, &to->to, sizeof to->to), 0);
		node_driver->route_close(&to);
		node_driver->route_close(&back);
		node_close(&near);
		node_close(&far);
	}
	node_use("udp4");
}

static void who_listens_at_one_address_is_told_no_other(void)
{
	struct weft_net_address elsewhere;
	struct weft_net_route *to;

	node_open(&near, 1, (unsigned int[]){1});
	node_open(&far, 1, (unsigned int[]){1});
	to = node_route(&near.ports[0], &far);
	CU_ASSERT_EQUAL(node_driver->address_read("127.0.0.9:1", &elsewhere), 0);
	weft_net_route_from(to, &elsewhere);
	CU_ASSERT_TRUE(node_send(to, 1, 9, 64));
	CU_ASSERT_TRUE(NODES_UNTIL(far.ports[0].got == 1));
	CU_ASSERT_EQUAL(memcmp(&far.ports[0].last_from, &near.address, sizeof near.address), 0);
	CU_ASSERT_EQUAL(far.ports[0].last_to.len_bytes, 0);
	node_driver->route_close(&to);
	node_close(&near);
	node_close(&far);
}

static unsigned int said;

static void count_line(enum weft_log_level level, const char *component, const char *line, void *user)
{
	(void)level;
	(void)user;
	said += strcmp(component, "udp") == 0 && strstr(line, "packets do not wake worker");
}

static void a_socket_that_cannot_be_watched_is_told_once_and_tried_again(void)
{
	struct weft_net_port *port;

	weft_log_set_sink(count_line, WEFT_LOG_WARN, NULL);
	node_open(&near, 1, (unsigned int[]){1});
	port = near.ports[0].port;
	for (unsigned int i = 0; i < 3; i++) {
		fault_arm(0);
		node_driver->arm(port, true);
		CU_ASSERT_TRUE(fault_disarm());
		node_driver->arm(port, false);
	}
	CU_ASSERT_EQUAL(said, 1);
	fault_arm(0);
	node_driver->arm(port, true);
	fault_disarm();
	node_driver->arm(port, true);
	fault_arm(0);
	node_driver->arm(port, true); /* it is watched: nothing is left to fail */
	CU_ASSERT_FALSE(fault_disarm());
	CU_ASSERT_EQUAL(said, 1);
	node_close(&near);
	weft_log_set_sink(NULL, WEFT_LOG_WARN, NULL);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(small_buffers_are_told),
		SUITE_CASE(an_old_kernel_takes_packets_one_by_one),
		SUITE_CASE(without_steering_there_is_no_net),
		SUITE_CASE(who_would_share_an_address_keeps_it),
		SUITE_CASE(an_address_of_another_machine_is_refused),
		SUITE_CASE(without_an_address_it_is_on_this_machine_only),
		SUITE_CASE(a_socket_that_cannot_be_watched_is_told_once_and_tried_again),
		SUITE_CASE(any_address_is_reached_by_both_kinds_of_ip),
		SUITE_CASE(the_address_that_was_asked_is_the_one_that_answers),
		SUITE_CASE(who_listens_at_one_address_is_told_no_other),
	};

	node_use("udp4");
	return suite_main("udp nets", cases, SUITE_COUNT(cases), argc, argv);
}

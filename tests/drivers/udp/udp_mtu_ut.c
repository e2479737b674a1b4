/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves, with the kernel's own answers, that routes follow the interface: in a network namespace of the test's own, whose
 * loopback interface gets as narrow as a network.
 */
#include "node.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define BURST 10u

static bool change_loopback(unsigned long request, struct ifreq *change)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool done;

	strcpy(change->ifr_name, "lo");
	done = ioctl(fd, request, change) == 0;
	close(fd);
	return done;
}

static bool set_up(void)
{
	struct ifreq change = {.ifr_flags = IFF_UP};

	return change_loopback(SIOCSIFFLAGS, &change);
}

static void set_mtu(int mtu)
{
	struct ifreq change = {.ifr_mtu = mtu};

	CU_ASSERT_TRUE(change_loopback(SIOCSIFMTU, &change));
}

static struct node near, far;
static struct node_port *const here = &near.ports[0], *const there = &far.ports[0];
static struct weft_net_route *way;

static void open_both(const char *kind)
{
	CU_ASSERT_TRUE_FATAL(node_use(kind));
	node_open(&near, 1, (unsigned int[]){1});
	node_open(&far, 1, (unsigned int[]){1});
	way = node_route(here, &far);
}

static void close_both(void)
{
	CU_ASSERT_EQUAL(there->wrong, 0);
	node_driver->route_close(&way);
	node_close(&near);
	node_close(&far);
}

/* A burst of the longest packets that the route knows of. */
static void send_burst(void)
{
	static unsigned char bytes[BURST][9000];
	struct weft_net_tx burst[BURST];
	unsigned int sent = 0;

	for (uint32_t i = 0; i < BURST; i++) {
		burst[i] = (struct weft_net_tx){.route = way, .piece_count = 1};
		burst[i].pieces[0].data = node_packet(bytes[i], way->payload_max, 1, i);
		burst[i].pieces[0].len_bytes = way->payload_max;
	}
	CU_ASSERT_TRUE(NODES_UNTIL((sent += here->port->tx(here->port, burst + sent, BURST - sent)) == BURST));
}

static void follow(const char *kind, uint32_t headers)
{
	set_mtu(1500);
	open_both(kind);
	CU_ASSERT_EQUAL(way->payload_max, (1500 - headers) / 8 * 8);
	send_burst();
	CU_ASSERT_TRUE(NODES_UNTIL(there->got == BURST));
	set_mtu(1380);
	send_burst(); /* of those that are too long now */
	CU_ASSERT_EQUAL(node_stats(here).tx_dropped, BURST);
	CU_ASSERT_EQUAL(way->payload_max, (1380 - headers) / 8 * 8);
	send_burst();
	CU_ASSERT_TRUE(NODES_UNTIL(there->got == 2 * BURST));
	CU_ASSERT_EQUAL(there->last_len_bytes, way->payload_max);
	close_both();
	set_mtu(65536);
}

static void ways_over_ipv4_follow_the_interface(void)
{
	follow("udp4", 28);
}

static void ways_over_ipv6_follow_the_interface(void)
{
	follow("udp6", 48);
}

static void jumbo_frames_are_used(void)
{
	set_mtu(9000);
	open_both("udp4");
	CU_ASSERT_EQUAL(way->payload_max, 8968);
	send_burst();
	CU_ASSERT_TRUE(NODES_UNTIL(there->got == BURST));
	close_both();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(ways_over_ipv4_follow_the_interface),
		SUITE_CASE(ways_over_ipv6_follow_the_interface),
		SUITE_CASE(jumbo_frames_are_used),
	};

	if ((unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) || !set_up()) {
		printf("skipped: no network namespace of its own (%m)\n");
		return 77;
	}
	return suite_main("udp and the interface", cases, SUITE_COUNT(cases), argc, argv);
}

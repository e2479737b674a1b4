/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that no datagram, whatever a stranger sends, does harm: too short ones, too long ones, and many in one that are
 * cut anyhow or meant for different ports.
 */
#include "node.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct node node;
static struct node_port *const port = &node.ports[0];
static int stranger;

static void open_all(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	char text[WEFT_NET_TEXT_MAX];

	node_open(&node, 2, (unsigned int[]){1, 0});
	node_driver->address_write(&node.address, text);
	to.sin_port = htons((uint16_t)atoi(strchr(text, ':') + 1));
	stranger = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL_FATAL(connect(stranger, (struct sockaddr *)&to, sizeof to), 0);
}

static void close_all(void)
{
	close(stranger);
	node_close(&node);
}

/* As one message, to be cut into packets of segment bytes; 0: not to be cut. */
static void throw_at_it(const void *bytes, size_t len, int segment)
{
	CU_ASSERT_EQUAL(setsockopt(stranger, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment), 0);
	CU_ASSERT_EQUAL(send(stranger, bytes, len, 0), (ssize_t)len);
}

static void what_is_too_short_to_be_steered_never_comes_up(void)
{
	unsigned char bytes[NODE_HEAD];

	open_all();
	throw_at_it("", 0, 0);
	throw_at_it("\0", 1, 0);
	throw_at_it("\1", 1, 0);
	throw_at_it(node_packet(bytes, sizeof bytes, 0, 3), sizeof bytes, 0);
	CU_ASSERT_TRUE(NODES_UNTIL(node.ports[1].got == 1));
	CU_ASSERT_EQUAL(node.ports[1].last, 3);
	CU_ASSERT_EQUAL(port->got, 0);
	CU_ASSERT_EQUAL(node_stats(&node.ports[1]).rx_dropped, 3);
	close_all();
}

static void the_longest_datagram_comes_up_whole(void)
{
	static unsigned char bytes[65507];

	open_all();
	throw_at_it(node_packet(bytes, sizeof bytes, 1, 8), sizeof bytes, 0);
	CU_ASSERT_TRUE(NODES_UNTIL(port->got == 1));
	CU_ASSERT_EQUAL(port->last, 8);
	CU_ASSERT_EQUAL(port->last_len_bytes, sizeof bytes);
	close_all();
}

/* Lays packets of `segment` bytes end to end, the last one of last bytes. */
static size_t lay_out(unsigned char *bytes, unsigned int count, uint32_t segment, uint32_t last)
{
	for (unsigned int i = 0; i < count; i++)
		node_packet(bytes + i * segment, i + 1 < count ? segment : last, 1, i);
	return (count - 1) * segment + last;
}

static void packets_that_come_together_lie_aligned_and_whole(void)
{
	static unsigned char bytes[65000];
	uint64_t expected = 0;

	open_all();
	for (uint32_t segment = 2; segment < 1000; segment += segment < 40 ? 1 : 61)
		for (uint32_t last = 2; last <= segment; last += last < 12 ? 1 : 200) {
			size_t len = lay_out(bytes, 60, segment, last);

			throw_at_it(bytes, len, (int)segment);
			expected += 60;
			CU_ASSERT_TRUE_FATAL(NODES_UNTIL(port->got == expected));
			CU_ASSERT_EQUAL(port->last_len_bytes, last);
		}
	CU_ASSERT_EQUAL(port->wrong, 0);
	CU_ASSERT_EQUAL(node_stats(port).rx_dropped, 0);
	close_all();
}

static void pieces_too_short_to_be_steered_are_dropped(void)
{
	unsigned char bytes[33];

	open_all();
	memset(bytes, 0, sizeof bytes);
	for (unsigned int i = 0; i < 33; i += 3)
		bytes[i + 1] = 1;
	throw_at_it(bytes, 31, 3); /* ten of three bytes, and one of one */
	CU_ASSERT_TRUE(NODES_UNTIL(port->got == 10));
	CU_ASSERT_EQUAL(node_stats(port).rx_dropped, 1);
	throw_at_it(bytes, 32, 1); /* none of them is long enough */
	CU_ASSERT_TRUE(NODES_UNTIL(node_stats(port).rx_dropped + node_stats(&node.ports[1]).rx_dropped == 33));
	CU_ASSERT_EQUAL(port->got, 10);
	close_all();
}

static void packets_for_others_are_lost_once_and_then_none_are_put_together(void)
{
	unsigned char bytes[10 * 101];

	open_all();
	for (unsigned int i = 0; i < 10; i++)
		node_packet(bytes + i * 100, 100, i % 2, i); /* the first is for port 0, so that all go there */
	throw_at_it(bytes, 1000, 100);
	CU_ASSERT_TRUE(NODES_UNTIL(node.ports[1].got == 5));
	CU_ASSERT_EQUAL(node_stats(&node.ports[1]).rx_dropped, 5);
	CU_ASSERT_EQUAL(port->got, 0);
	nodes_turn(); /* in which each port learns it */
	for (unsigned int i = 0; i < 2; i++) {
		throw_at_it(bytes, lay_out(bytes, 10, 101, 101), 101);
		CU_ASSERT_TRUE(NODES_UNTIL(port->got == 10 * (i + 1)));
	}
	CU_ASSERT_EQUAL(port->wrong, 0);
	/* None had to be moved: they did not come together. */
	CU_ASSERT_EQUAL(node_stats(port).copies, 20);
	close_all();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(what_is_too_short_to_be_steered_never_comes_up),
		SUITE_CASE(the_longest_datagram_comes_up_whole),
		SUITE_CASE(packets_that_come_together_lie_aligned_and_whole),
		SUITE_CASE(pieces_too_short_to_be_steered_are_dropped),
		SUITE_CASE(packets_for_others_are_lost_once_and_then_none_are_put_together),
	};

	node_use("udp4");
	return suite_main("udp receiving", cases, SUITE_COUNT(cases), argc, argv);
}

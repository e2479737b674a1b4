/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves what happens to packets that the system does not take: full, interrupted, refused, too long, not to be cut. The
 * linker wraps the calls, so that the system answers what the test says.
 */
#include "node.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#define BURST 40u
#define LEN 600u

static struct {
	int error;          /* what the next calls say; 0: they do what they shall */
	unsigned int times; /* so often */
	unsigned int after; /* once so many calls went well */
	unsigned int most;  /* messages that one call takes; 0: any number */
	bool cuts_nothing;  /* messages that are to be cut get EIO */
	int mtu;            /* what is said of any way; 0: the truth */
	unsigned int calls, messages;
} kernel;

int __real_sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags)
{
	int sent;

	kernel.calls++;
	errno = kernel.error;
	if (kernel.error && !kernel.after && kernel.times) {
		kernel.times--;
		return -1;
	}
	kernel.after -= kernel.after > 0;
	errno = EIO;
	if (kernel.cuts_nothing && messages[0].msg_hdr.msg_controllen)
		return -1;
	count = kernel.most && kernel.most < count ? kernel.most : count;
	sent = __real_sendmmsg(fd, messages, count, flags);
	kernel.messages += sent > 0 ? (unsigned int)sent : 0;
	return sent;
}

int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	if (!kernel.mtu || level != IPPROTO_IP || name != IP_MTU)
		return __real_getsockopt(fd, level, name, value, len);
	*(int *)value = kernel.mtu;
	return 0;
}

static struct node near, far;
static struct node_port *const here = &near.ports[0], *const there = &far.ports[0];
static struct weft_net_route *way;
static unsigned char bytes[BURST][LEN];
static struct weft_net_tx burst[BURST];

/* Packets of one length, every tenth a byte shorter. */
static void open_both(void)
{
	memset(&kernel, 0, sizeof kernel);
	node_open(&near, 1, (unsigned int[]){1});
	node_open(&far, 1, (unsigned int[]){1});
	way = node_route(here, &far);
	for (uint32_t i = 0; i < BURST; i++) {
		uint32_t len = LEN - (i % 10 == 9);

		burst[i] = (struct weft_net_tx){.route = way, .piece_count = 1};
		burst[i].pieces[0] = (struct weft_net_piece){node_packet(bytes[i], len, 1, i), len, NULL};
	}
}

static void close_both(uint64_t lost)
{
	CU_ASSERT_TRUE(NODES_UNTIL(there->got == node_stats(here).tx_packets));
	CU_ASSERT_EQUAL(node_stats(here).tx_dropped, lost);
	CU_ASSERT_EQUAL(there->wrong, 0);
	node_driver->route_close(&way);
	node_close(&near);
	node_close(&far);
}

static unsigned int send_burst(void)
{
	return here->port->tx(here->port, burst, BURST);
}

static void packets_of_one_length_cross_the_kernel_together(void)
{
	open_both();
	CU_ASSERT_EQUAL(send_burst(), BURST);
	CU_ASSERT_EQUAL(kernel.calls, 1);
	CU_ASSERT_EQUAL(kernel.messages, BURST / 10);
	CU_ASSERT_EQUAL(node_stats(here).syscalls, 1);
	close_both(0);
}

static void full_is_said_and_nothing_is_lost(void)
{
	static const int errors[] = {EAGAIN, ENOBUFS, ENOMEM};

	for (unsigned int i = 0; i < SUITE_COUNT(errors); i++) {
		open_both();
		kernel.error = errors[i];
		kernel.times = 2;
		CU_ASSERT_EQUAL(send_burst(), 0);
		CU_ASSERT_EQUAL(send_burst(), 0);
		CU_ASSERT_EQUAL(node_stats(here).tx_full, 2);
		CU_ASSERT_EQUAL(send_burst(), BURST);
		close_both(0);
	}
}

static void what_went_before_it_was_full_is_taken(void)
{
	open_both();
	kernel.most = 1;
	kernel.after = 2;
	kernel.error = EAGAIN;
	kernel.times = 1;
	CU_ASSERT_EQUAL(send_burst(), 20);
	CU_ASSERT_EQUAL(here->port->tx(here->port, burst + 20, BURST - 20), BURST - 20);
	close_both(0);
}

static void an_interrupted_call_is_made_again(void)
{
	open_both();
	kernel.error = EINTR;
	kernel.times = 3;
	CU_ASSERT_EQUAL(send_burst(), BURST);
	CU_ASSERT_EQUAL(kernel.calls, 4);
	close_both(0);
}

static void what_is_refused_is_taken_and_lost_and_counted(void)
{
	static const int errors[] = {EPERM, ENETUNREACH, EHOSTUNREACH, ECONNREFUSED, EACCES};

	for (unsigned int i = 0; i < SUITE_COUNT(errors); i++) {
		open_both();
		kernel.error = errors[i];
		kernel.times = 1;
		CU_ASSERT_EQUAL(send_burst(), BURST);
		CU_ASSERT_EQUAL(node_stats(here).tx_packets, BURST - 10);
		/* That says nothing about cutting. */
		kernel.calls = 0;
		CU_ASSERT_EQUAL(send_burst(), BURST);
		CU_ASSERT_EQUAL(kernel.calls, 1);
		CU_ASSERT_EQUAL(kernel.messages, BURST / 10 * 2 - 1);
		close_both(10);
	}
}

static void a_single_one_that_cannot_be_sent_at_all_is_lost(void)
{
	static const int errors[] = {EINVAL, EIO, EMSGSIZE, EOPNOTSUPP};

	for (unsigned int i = 0; i < SUITE_COUNT(errors); i++) {
		open_both();
		kernel.error = errors[i];
		kernel.times = 1;
		CU_ASSERT_EQUAL(here->port->tx(here->port, burst, 1), 1);
		CU_ASSERT_EQUAL(here->port->tx(here->port, burst + 1, 1), 1);
		close_both(1);
	}
}

static void where_nothing_can_be_cut_packets_go_one_by_one(void)
{
	open_both();
	kernel.cuts_nothing = true;
	CU_ASSERT_EQUAL(send_burst(), BURST);
	CU_ASSERT_EQUAL(kernel.messages, BURST);
	CU_ASSERT_EQUAL(kernel.calls, 2);
	CU_ASSERT_EQUAL(send_burst(), BURST);
	CU_ASSERT_EQUAL(kernel.calls, 3);
	close_both(0);
}

static void a_way_that_gets_narrower_takes_shorter_packets(void)
{
	uint32_t before;

	open_both();
	before = way->payload_max;
	kernel.error = EMSGSIZE;
	kernel.times = 1;
	kernel.mtu = 580;
	CU_ASSERT_EQUAL(send_burst(), BURST);
	CU_ASSERT_TRUE(way->payload_max < before);
	CU_ASSERT_EQUAL(way->payload_max, (580 - 28) / 8 * 8);
	/* It does not widen by itself, and takes what is short enough, put together as before. */
	kernel.mtu = 0;
	kernel.calls = kernel.messages = 0;
	for (uint32_t i = 0; i < BURST; i++) {
		node_packet(bytes[i], 500, 1, i);
		burst[i].pieces[0].len_bytes = 500;
	}
	CU_ASSERT_EQUAL(send_burst(), BURST);
	CU_ASSERT_EQUAL(kernel.messages, 1);
	close_both(BURST);
}

static void what_the_interface_says_is_where_it_starts(void)
{
	struct weft_net_route *narrow;

	open_both();
	kernel.mtu = 1500;
	narrow = node_route(here, &far);
	CU_ASSERT_EQUAL(narrow->payload_max, 1472);
	node_driver->route_close(&narrow);
	kernel.mtu = 9000;
	narrow = node_route(here, &far);
	CU_ASSERT_EQUAL(narrow->payload_max, 8968);
	node_driver->route_close(&narrow);
	kernel.mtu = 20;
	narrow = node_route(here, &far);
	CU_ASSERT_EQUAL(narrow->payload_max, 8);
	node_driver->route_close(&narrow);
	close_both(0);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(packets_of_one_length_cross_the_kernel_together),
		SUITE_CASE(full_is_said_and_nothing_is_lost),
		SUITE_CASE(what_went_before_it_was_full_is_taken),
		SUITE_CASE(an_interrupted_call_is_made_again),
		SUITE_CASE(what_is_refused_is_taken_and_lost_and_counted),
		SUITE_CASE(a_single_one_that_cannot_be_sent_at_all_is_lost),
		SUITE_CASE(where_nothing_can_be_cut_packets_go_one_by_one),
		SUITE_CASE(a_way_that_gets_narrower_takes_shorter_packets),
		SUITE_CASE(what_the_interface_says_is_where_it_starts),
	};

	node_use("udp4");
	return suite_main("udp sending", cases, SUITE_COUNT(cases), argc, argv);
}

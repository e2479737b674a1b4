/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that texts of addresses are read as they are meant, written so that they can be read again, and refused with a
 * reason.
 */
#include "node.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <string.h>

static void check_written(const char *text, const char *expected)
{
	struct weft_net_address address, again;
	char written[WEFT_NET_TEXT_MAX];

	memset(&address, 0xee, sizeof address);
	CU_ASSERT_EQUAL_FATAL(node_driver->address_read(text, &address), 0);
	node_driver->address_write(&address, written);
	CU_ASSERT_STRING_EQUAL(written, expected);
	CU_ASSERT_EQUAL(node_driver->address_read(written, &again), 0);
	CU_ASSERT_EQUAL(memcmp(&address, &again, sizeof again), 0);
}

static void texts_come_back_in_one_way_of_writing(void)
{
	check_written("10.0.0.1:7000", "10.0.0.1:7000");
	check_written("255.255.255.255:65535", "255.255.255.255:65535");
	check_written("0.0.0.0:0", "0.0.0.0:0");
	check_written("127.0.0.1:00080", "127.0.0.1:80");
	check_written("[::1]:7000", "[::1]:7000");
	check_written("[FD00:0:0::0:1]:7000", "[fd00::1]:7000");
	check_written("[::]:7", "[::]:7");
	check_written("[fe80::1%lo]:7000", "[fe80::1%1]:7000");
	check_written("[fe80::1%4294967295]:7000", "[fe80::1%4294967295]:7000");
	check_written("[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535",
		      "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
	check_written(":7000", ":7000");
	check_written(":0", ":0");
}

static void an_address_of_ipv4_is_the_same_in_the_guise_of_ipv6(void)
{
	check_written("[::ffff:10.0.0.1]:7000", "10.0.0.1:7000");
}

static void others_are_refused_with_a_reason(void)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{"10.0.0.1", "does not end in a port"},
		{"10.0.0.1:", "does not end in a port"},
		{"10.0.0.1:65536", "does not end in a port"},
		{"10.0.0.1:000080", "does not end in a port"},
		{"10.0.0.1:-1", "does not end in a port"},
		{"10.0.0.1:80 ", "does not end in a port"},
		{"10.0.0:80", "neither"},
		{"10.0.0.256:80", "neither"},
		{"host:80", "names are not looked up"},
		{"::1:80", "in brackets"},
		{"[::1:80", "not closed"},
		{"[:80", "not closed"},
		{"[]:80", "no address of IPv6"},
		{"[10.0.0.1]:80", "no address of IPv6"},
		{"[::1%lo]:80", "only an address of a link"},
		{"[fe80::1]:80", "needs its interface"},
		{"[fe80::1%]:80", "no interface of this name"},
		{"[fe80::1%0]:80", "no interface of this name"},
		{"[fe80::1%nonesuch]:80", "no interface of this name"},
	};
	struct weft_net_address address;

	for (unsigned int i = 0; i < SUITE_COUNT(cases); i++) {
		CU_ASSERT_EQUAL(node_driver->address_read(cases[i].text, &address), -WEFT_EINVAL);
		CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), cases[i].reason));
	}
}

static void nothing_is_sent_to_any_host_or_no_port(void)
{
	static const char *const texts[] = {":7000", "0.0.0.0:7000", "[::]:7000", "127.0.0.1:0", "[::1]:7000"};
	struct weft_net_route *route = NULL;
	struct weft_net_address address;
	struct node node;

	node_open(&node, 1, (unsigned int[]){1});
	for (unsigned int i = 0; i < SUITE_COUNT(texts); i++) {
		CU_ASSERT_EQUAL(node_driver->address_read(texts[i], &address), 0);
		CU_ASSERT_EQUAL(node_driver->route_open(node.ports[0].port, &address, &route), -WEFT_EINVAL);
		CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), texts[i]));
	}
	CU_ASSERT_PTR_NULL(route);
	node_close(&node);
}

static void what_never_leaves_this_machine_is_known(void)
{
	static const struct {
		const char *text;
		bool stays;
	} cases[] = {
		{"127.0.0.1:7000", true},
		{"127.200.0.9:7000", true},
		{"[::1]:7000", true},
		{"128.0.0.1:7000", false},
		{"[::ffff:127.0.0.1]:7000", true},
		{"[::]:7000", false},
		{"0.0.0.0:7000", false},
		{":7000", false},
		{"[fe80::1%lo]:7000", false},
	};
	struct weft_net_address address;

	for (unsigned int i = 0; i < SUITE_COUNT(cases); i++) {
		CU_ASSERT_EQUAL_FATAL(node_driver->address_read(cases[i].text, &address), 0);
		CU_ASSERT_EQUAL(node_driver->is_loopback(&address), cases[i].stays);
	}
}

static void all_sockets_of_one_machine_have_one_host(void)
{
	static const struct {
		const char *one, *other;
		bool same;
	} cases[] = {
		{"10.0.0.1:7000", "10.0.0.1:7001", true},     {"10.0.0.1:7000", "10.0.0.2:7000", false},
		{"[2001:db8::1]:1", "[2001:db8::1]:2", true}, {"[2001:db8::1]:1", "[2001:db8::2]:1", false},
		{"127.0.0.1:7000", "127.3.2.1:9", true},      {"127.0.0.1:7000", "[::1]:9", true},
		{"127.0.0.1:7000", "10.0.0.1:7000", false},
	};

	for (unsigned int i = 0; i < SUITE_COUNT(cases); i++) {
		struct weft_net_address address, one, other;

		CU_ASSERT_EQUAL_FATAL(node_driver->address_read(cases[i].one, &address), 0);
		node_driver->host(&address, &one);
		CU_ASSERT_EQUAL_FATAL(node_driver->address_read(cases[i].other, &address), 0);
		node_driver->host(&address, &other);
		CU_ASSERT_EQUAL(memcmp(&one, &other, sizeof one) == 0, cases[i].same);
	}
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(texts_come_back_in_one_way_of_writing),
		SUITE_CASE(an_address_of_ipv4_is_the_same_in_the_guise_of_ipv6),
		SUITE_CASE(others_are_refused_with_a_reason),
		SUITE_CASE(what_never_leaves_this_machine_is_known),
		SUITE_CASE(all_sockets_of_one_machine_have_one_host),
		SUITE_CASE(nothing_is_sent_to_any_host_or_no_port),
	};

	node_use("udp4");
	return suite_main("udp addresses", cases, SUITE_COUNT(cases), argc, argv);
}

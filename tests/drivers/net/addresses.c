/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses: as texts, as bytes, and who has them.
 */
#include "conformance.h"
#include "node.h"

#include <CUnit/Basic.h>
#include <string.h>

static struct node near;

static int open_at(const char *text, struct weft_net **out)
{
	struct weft_net_opts opts;

	weft_net_opts_init(&opts, sizeof opts);
	opts.address = text;
	opts.runner = near.worker;
	return weft_net_open(node_driver, &opts, out);
}

static void an_address_is_the_same_after_it_was_a_text(void)
{
	struct weft_net_address read;
	char text[WEFT_NET_TEXT_MAX];

	node_open(&near, 0, NULL);
	memset(&read, 0xee, sizeof read);
	memset(text, 'x', sizeof text);
	node_driver->address_write(&near.address, text);
	CU_ASSERT_TRUE(strnlen(text, sizeof text) < sizeof text);
	CU_ASSERT_EQUAL(node_driver->address_read(text, &read), 0);
	CU_ASSERT_EQUAL(memcmp(&read, &near.address, sizeof read), 0);
	node_close(&near);
}

static void what_is_no_address_is_refused_with_a_sentence(void)
{
	char longer[200];
	const char *const texts[] = {"", " ", "a b", "\t", longer};
	struct weft_net_address before, read;
	struct weft_net *net = NULL;

	memset(longer, 'a', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	memset(&read, 0xee, sizeof read);
	before = read;
	for (unsigned int i = 0; i < sizeof texts / sizeof *texts; i++) {
		CU_ASSERT_EQUAL(node_driver->address_read(texts[i], &read), -WEFT_EINVAL);
		CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), "address"));
		CU_ASSERT_EQUAL(open_at(texts[i], &net), -WEFT_EINVAL);
	}
	CU_ASSERT_EQUAL(memcmp(&before, &read, sizeof read), 0);
	CU_ASSERT_PTR_NULL(net);
}

static void an_address_has_one_net_at_a_time(void)
{
	char text[WEFT_NET_TEXT_MAX];
	struct weft_net *second = NULL;

	node_open(&near, 2, (unsigned int[]){0, 1});
	node_driver->address_write(&near.address, text);
	CU_ASSERT_EQUAL(open_at(text, &second), -WEFT_EADDRINUSE);
	CU_ASSERT_PTR_NOT_NULL(strstr(weft_last_error(), text));
	CU_ASSERT_PTR_NULL(second);
	node_close(&near);
	CU_ASSERT_EQUAL(open_at(text, &second), 0);
	node_driver->close(&second);
	CU_ASSERT_PTR_NULL(second);
}

static void bytes_that_are_no_address_get_no_route(void)
{
	struct weft_net_address bad[3];
	struct weft_net_route *route = NULL;

	node_open(&near, 1, (unsigned int[]){1});
	memset(bad, 0, sizeof bad);
	memset(&bad[1], 0xff, sizeof bad[1]);
	bad[2] = near.address;
	bad[2].len_bytes = 1;
	for (unsigned int i = 0; i < 3; i++) {
		char text[WEFT_NET_TEXT_MAX];

		node_driver->address_write(&bad[i], text);
		CU_ASSERT_TRUE(strnlen(text, sizeof text) < sizeof text);
		CU_ASSERT_EQUAL(node_driver->route_open(near.ports[0].port, &bad[i], &route), -WEFT_EINVAL);
	}
	CU_ASSERT_PTR_NULL(route);
	node_close(&near);
}

static void what_is_sent_to_nobody_is_lost(void)
{
	struct weft_net_route *way;
	struct node gone;

	node_open(&near, 1, (unsigned int[]){1});
	node_open(&gone, 1, (unsigned int[]){1});
	node_close(&gone);
	way = node_route(&near.ports[0], &gone);
	for (uint32_t i = 0; i < 10; i++) {
		CU_ASSERT_TRUE(node_send(way, 1, i, 100));
		nodes_turn();
	}
	CU_ASSERT_EQUAL(near.ports[0].got, 0);
	node_driver->route_close(&way);
	/* It does not harm what comes after. */
	way = node_route(&near.ports[0], &near);
	CU_ASSERT_TRUE(node_send(way, 1, 7, 100));
	CU_ASSERT_TRUE(NODES_UNTIL(near.ports[0].got == 1));
	CU_ASSERT_EQUAL(near.ports[0].last, 7);
	node_driver->route_close(&way);
	node_close(&near);
}

const struct net_case net_addresses[] = {
	NET_CASE(an_address_is_the_same_after_it_was_a_text, 0),
	NET_CASE(what_is_no_address_is_refused_with_a_sentence, 0),
	NET_CASE(an_address_has_one_net_at_a_time, 0),
	NET_CASE(bytes_that_are_no_address_get_no_route, 0),
	NET_CASE(what_is_sent_to_nobody_is_lost, 0),
	NET_CASES_END,
};

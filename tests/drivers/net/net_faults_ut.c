/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that every constructor of a driver of datagrams fails cleanly, whichever call for memory or descriptors it is
 * that fails: nothing stays behind, and the next attempt succeeds: net_faults_ut KIND [WORDS...].
 */
#include "fault.h"
#include "node.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MANY 500u

static struct node near;

static void check_error(int rc, bool struck)
{
	bool right = rc == 0 || (struck && (rc == -WEFT_ENOMEM || rc == -WEFT_EMFILE));

	if (!right)
		printf("\n\tafter %s: %s ", fault_name(), weft_error_name(rc));
	CU_ASSERT_TRUE(right);
	CU_ASSERT_TRUE(rc == 0 || strlen(weft_last_error()) > 0);
}

static int open_net(struct weft_net **out)
{
	struct weft_net_opts opts;

	weft_net_opts_init(&opts, sizeof opts);
	opts.address = node_address(7);
	opts.runner = near.worker;
	return weft_net_open(node_driver, &opts, out);
}

static int open_port(unsigned int index, struct weft_net_port **out)
{
	struct weft_net_port_opts opts;

	weft_net_port_opts_init(&opts, sizeof opts);
	opts.worker = near.worker;
	opts.index = index;
	return weft_net_port_open(node_driver, near.net, &opts, out);
}

static void a_net_that_cannot_be_opened_leaves_nothing(void)
{
	unsigned int skip = 0;
	bool struck = true;

	node_open(&near, 0, NULL);
	for (; struck && skip < MANY; skip++) {
		unsigned long kept = fault_count_kept();
		struct weft_net *net = NULL;
		int rc;

		fault_arm(skip);
		rc = open_net(&net);
		struck = fault_disarm();
		check_error(rc, struck);
		CU_ASSERT_EQUAL(rc == 0, net != NULL);
		if (net)
			node_driver->close(&net);
		CU_ASSERT_TRUE(fault_keeps_only(kept));
	}
	CU_ASSERT_TRUE(skip > 1);
	node_close(&near);
}

static void a_port_that_cannot_be_opened_leaves_nothing(void)
{
	unsigned int skip = 0;
	bool struck = true;

	for (; struck && skip < MANY; skip++) {
		unsigned long kept = fault_count_kept();
		struct weft_net_port *port = NULL;
		int rc;

		node_open(&near, 0, NULL); /* anew, so that it needs all that it can */
		fault_arm(skip);
		rc = open_port(3, &port);
		struck = fault_disarm();
		check_error(rc, struck);
		CU_ASSERT_EQUAL(rc == 0, port != NULL);
		if (!port)
			CU_ASSERT_EQUAL(open_port(3, &port), 0);
		node_driver->port_close(&port);
		node_close(&near);
		CU_ASSERT_TRUE(fault_keeps_only(kept));
	}
	CU_ASSERT_TRUE(skip > 1);
}

/* That it cannot ask how long packets may be is no reason not to send. */
static void a_route_that_cannot_be_opened_leaves_nothing(void)
{
	unsigned int skip = 0;
	bool struck = true;

	node_open(&near, 1, (unsigned int[]){1});
	for (; struck && skip < MANY; skip++) {
		unsigned long kept = fault_count_kept();
		uint64_t got = near.ports[0].got;
		struct weft_net_route *route = NULL;
		int rc;

		fault_arm(skip);
		rc = node_driver->route_open(near.ports[0].port, &near.address, &route);
		struck = fault_disarm();
		check_error(rc, struck);
		CU_ASSERT_EQUAL(rc == 0, route != NULL);
		if (!route)
			route = node_route(&near.ports[0], &near);
		CU_ASSERT_TRUE(node_send(route, 1, skip, 1000));
		CU_ASSERT_TRUE(NODES_UNTIL(near.ports[0].got == got + 1));
		node_driver->route_close(&route);
		CU_ASSERT_TRUE(fault_keeps_only(kept));
	}
	CU_ASSERT_TRUE(skip > 1);
	node_close(&near);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_net_that_cannot_be_opened_leaves_nothing),
		SUITE_CASE(a_port_that_cannot_be_opened_leaves_nothing),
		SUITE_CASE(a_route_that_cannot_be_opened_leaves_nothing),
	};
	int status;

	if (argc < 2 || !node_use(argv[1])) {
		fprintf(stderr, "usage: net_faults_ut KIND [WORDS...]: %s\n", weft_last_error());
		return 2;
	}
	status = suite_main(argv[1], cases, SUITE_COUNT(cases), argc - 1, argv + 1);
	node_sim_close();
	return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An application that has started DPDK itself, and has a pair of devices made of rings: nets use what is there, and leave
 * it behind.
 */
#include "node.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <rte_eal.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>
#include <stdlib.h>

#define PACKETS 500u

static struct node near, far;

/* What one sends, the other receives. */
static bool make_devices(void)
{
	struct rte_ring *there = rte_ring_create("there", 1024, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	struct rte_ring *back = rte_ring_create("back", 1024, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);

	return there && back && rte_eth_from_rings("near", &back, 1, &there, 1, 0) >= 0 &&
	       rte_eth_from_rings("far", &there, 1, &back, 1, 0) >= 0;
}

static void nets_use_the_devices_of_the_application(void)
{
	struct weft_net_route *there, *back;
	uint32_t sent = 0;

	node_open(&near, 1, (unsigned int[]){1});
	node_open(&far, 1, (unsigned int[]){2});
	there = node_route(&near.ports[0], &far);
	back = node_route(&far.ports[0], &near);
	while (sent < PACKETS) {
		CU_ASSERT_TRUE_FATAL(
			NODES_UNTIL(node_send(there, 2, sent, 100 + sent) && node_send(back, 1, sent, 99)));
		sent++;
		CU_ASSERT_TRUE_FATAL(NODES_UNTIL(near.ports[0].got == sent && far.ports[0].got == sent));
	}
	CU_ASSERT_EQUAL(near.ports[0].wrong + far.ports[0].wrong, 0);
	/* Rings copy nothing: there is one copy of each packet, on its way out. */
	CU_ASSERT_EQUAL(node_stats(&near.ports[0]).copies, PACKETS);
	CU_ASSERT_PTR_NULL(node_driver->degraded(near.net, 1));
	node_driver->route_close(&there);
	node_driver->route_close(&back);
	node_close(&near);
	node_close(&far);
}

static void what_is_the_applications_stays(void)
{
	uint16_t id;

	CU_ASSERT_EQUAL(rte_eth_dev_get_port_by_name("net_ring_near", &id), 0);
	CU_ASSERT_EQUAL(rte_eth_dev_get_port_by_name("net_ring_far", &id), 0);
	/* And can be used again. */
	nets_use_the_devices_of_the_application();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(nets_use_the_devices_of_the_application),
		SUITE_CASE(what_is_the_applications_stays),
	};
	char *arguments[] = {"application",    "--no-huge",      "-m",       "128", "--no-shconf", "--no-pci",
			     "--no-telemetry", "--iova-mode=va", "--lcores", "0@0"};

	if (rte_eal_init(sizeof arguments / sizeof *arguments, arguments) < 0 || !make_devices())
		return 2;
	setenv("WEFT_DPDK_DEVICE", "10.9.0.1=net_ring_near;10.9.0.2=net_ring_far", 1);
	if (!node_use("dpdk4"))
		return 2;
	return suite_main("an application's own DPDK", cases, SUITE_COUNT(cases), argc, argv);
}

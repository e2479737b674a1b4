/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device of a net as a line that goes up and down: started, started again where its driver gives up, and ended so that
 * the other end of a line of shared memory comes to no harm.
 */
#include "dpdk/dpdk.h"

#include <rte_dev.h>
#include <time.h>

#define LOOK_NS UINT64_C(100000000)
#define CALL_NS 20000000 /* what a call takes at the most, as a rule */
#define CALL_LOOKS 20u
#define FAREWELL_NS 5000000 /* until even a sleeping worker has seen it */
#define PARTED_LOOKS 10u
#define DOWN_LOOKS 5u /* before it is started again */

static int start(struct dpdk_device *device)
{
	int rc = rte_eth_dev_start(device->id);

	if (rc < 0)
		return rc;
	/* Multicast is what IPv6 asks by. */
	rte_eth_allmulticast_enable(device->id);
	/* Seen by whoever has a turn after this one, or before there are any. */
	atomic_store_explicit(&device->started, true, memory_order_relaxed);
	return 0;
}

static int stop(struct dpdk_device *device)
{
	if (atomic_load_explicit(&device->started, memory_order_relaxed))
		rte_eth_dev_stop(device->id);
	atomic_store_explicit(&device->started, false, memory_order_relaxed);
	return 0;
}

static int start_again(struct dpdk_device *device)
{
	stop(device);
	return start(device);
}

/* One that was the application's before stays so. */
static int end(struct dpdk_device *device)
{
	struct rte_eth_dev_info info;

	stop(device);
	/* Its queues hold buffers, so it goes before them. */
	if (device->probed && rte_eth_dev_info_get(device->id, &info) == 0 && rte_eth_dev_close(device->id) == 0)
		rte_dev_remove(info.device);
	return 0;
}

/* All queues, so that nobody is in the device; false: somebody is, another time then. */
static bool take_all(struct dpdk_device *device)
{
	unsigned int taken = 0, all = 2u * device->queue_count;

	while (taken < all && weft__dpdk_take(taken % 2 ? &device->tx[taken / 2] : &device->rx[taken / 2]))
		taken++;
	if (taken == all)
		return true;
	while (taken-- > 0)
		weft__dpdk_leave(taken % 2 ? &device->tx[taken / 2] : &device->rx[taken / 2]);
	return false;
}

static void leave_all(struct dpdk_device *device)
{
	for (unsigned int i = 0; i < device->queue_count; i++) {
		weft__dpdk_leave(&device->tx[i]);
		weft__dpdk_leave(&device->rx[i]);
	}
}

static bool is_up(const struct dpdk_device *device)
{
	struct rte_eth_link link;

	return rte_eth_link_get_nowait(device->id, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

/* Whether it is time; true for one caller only. */
static bool is_due(struct dpdk_device *device, uint64_t now_ns)
{
	uint64_t next_ns = atomic_load_explicit(&device->next_look_ns, memory_order_relaxed);

	/* acquire and release: each caller's exchange pairs with that of the one before, whose counts of looks it goes on with. */
	return now_ns >= next_ns &&
	       atomic_compare_exchange_strong_explicit(&device->next_look_ns, &next_ns, now_ns + LOOK_NS,
						       memory_order_acq_rel, memory_order_relaxed);
}

bool weft__dpdk_line_is_open(const struct dpdk_device *device)
{
	return atomic_load_explicit(&device->started, memory_order_relaxed) &&
	       !atomic_load_explicit(&device->parted, memory_order_relaxed);
}

void weft__dpdk_line_look(struct dpdk_net *net, uint64_t now_ns)
{
	struct dpdk_device *device = &net->device;
	bool up;

	if (!device->apart || !is_due(device, now_ns))
		return;
	up = is_up(device);
	device->down_looks = up ? 0 : device->down_looks + 1;
	/* Down, or soon enough another one's. */
	if (atomic_load_explicit(&device->parted, memory_order_relaxed) &&
	    (!up || device->parted_looks++ >= PARTED_LOOKS)) {
		atomic_store_explicit(&device->parted, false, memory_order_relaxed);
		device->parted_looks = 0;
	}
	/* One that has just been started is given time for the other end to answer. */
	if (!device->restarts || device->down_looks <= DOWN_LOOKS || !take_all(device))
		return;
	device->down_looks = 0;
	weft__dpdk_apart(device, start_again);
	leave_all(device);
}

/* memif does not survive a call from end to end that is broken off by either before it was answered: it is let finish. */
static void let_calls_finish(const struct dpdk_device *device)
{
	struct timespec pause = {.tv_nsec = CALL_NS / CALL_LOOKS};

	if (!device->apart || !atomic_load_explicit(&device->started, memory_order_relaxed))
		return;
	for (unsigned int i = 0; i < CALL_LOOKS && !is_up(device); i++)
		nanosleep(&pause, NULL);
}

/* 1 if it was said. Apart, since the other end may be going at the same moment. */
static int farewell(struct dpdk_device *device)
{
	const struct dpdk_net *net = WEFT_CONTAINER_OF(device, struct dpdk_net, device);
	struct rte_mbuf *mbuf;

	if (!weft__dpdk_line_is_open(device) || !is_up(device))
		return 0;
	mbuf = rte_pktmbuf_alloc(device->pool);
	if (!mbuf)
		return 0;
	mbuf->data_len = (uint16_t)weft__frame_write_farewell(rte_pktmbuf_mtod(mbuf, uint8_t *), &net->own);
	mbuf->pkt_len = mbuf->data_len;
	if (rte_eth_tx_burst(device->id, 0, &mbuf, 1) == 1)
		return 1;
	rte_pktmbuf_free(mbuf);
	return 0;
}

/* memif takes the memory of a line away at both ends, while whoever is there may be looking into it: he is told before. */
static void say_farewell(struct dpdk_device *device)
{
	struct timespec pause = {.tv_nsec = FAREWELL_NS};

	if (device->apart && weft__dpdk_apart(device, farewell) == 1)
		nanosleep(&pause, NULL);
}

int weft__dpdk_line_start(struct dpdk_device *device)
{
	return weft__dpdk_apart(device, start);
}

void weft__dpdk_line_end(struct dpdk_net *net)
{
	let_calls_finish(&net->device);
	say_farewell(&net->device);
	weft__dpdk_apart(&net->device, end);
}

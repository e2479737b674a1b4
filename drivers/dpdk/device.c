/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device of a net: found or made by DPDK, and configured.
 */
#include "dpdk/dpdk.h"

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <weft/errors.h>
#include <weft/log.h>

#define POOL_CACHE 256u
#define SHIFT_V4 6u /* of the bytes of a buffer, so that what follows the headers lies on whole words */
#define SHIFT_V6 2u
#define SHIFT_MAX 8u
#define MTU_LEAST 1280u
#define MTU_MOST 9216u

/* What is known of drivers that DPDK does not tell. */
static const struct driver {
	const char *name;
	unsigned int copies;   /* of each packet */
	const char *gives_up;  /* who has this in its words does, when it has lost the other end */
	bool apart;            /* is half done in another thread: see apart.c */
	bool counts_from_pool; /* finds bytes by arithmetic on the pool, so that they stay where it put them */
	const char *why;
} drivers[] = {
	{"net_memif", 1, "role=client", true, false, "memif copies each packet into shared memory and out of it"},
	{"net_af_packet", 1, NULL, false, false, "af_packet copies each packet into the kernel and out of it"},
	{"net_af_xdp", 1, NULL, false, true,
	 "af_xdp copies each packet, unless the network card's driver knows better"},
	{"net_pcap", 1, NULL, false, false, "pcap copies each packet into the kernel and out of it"},
	{"net_tap", 1, NULL, false, false, "tap copies each packet into the kernel and out of it"},
	{"net_virtio_user", 0, NULL, false, false, NULL},
	{"net_vhost", 1, NULL, false, false, "vhost copies each packet into shared memory and out of it"},
};

static const struct driver *known(const char *name)
{
	static const struct driver other;

	for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
		if (strcmp(drivers[i].name, name) == 0)
			return &drivers[i];
	return &other;
}

/* ---- which one ---- */

static int no_device(const char *device, const char *what, int rc)
{
	int code = weft_error_from_errno(rc < 0 ? -rc : rc);

	return weft_set_error(code == WEFT_ENOMEM || code == WEFT_EACCES || code == WEFT_EBUSY ? code : WEFT_ENODEV,
			      "dpdk device \"%.120s\" %s: %s (%s)", device, what, rte_strerror(rc < 0 ? -rc : rc),
			      weft__dpdk_complaint());
}

/* One that is there already, of the application's or of the bus, is not made again. */
static int find(struct dpdk_net *net)
{
	struct dpdk_device *device = &net->device;
	char name[SPEC_DEVICE_MAX];
	int rc;

	snprintf(name, sizeof name, "%.*s", (int)strcspn(net->spec.device, ","), net->spec.device);
	if (rte_eth_dev_get_port_by_name(name, &device->id) == 0)
		return 0;
	weft__dpdk_memif_clear(net->spec.device);
	rc = rte_dev_probe(net->spec.device);
	if (rc < 0)
		return no_device(net->spec.device, "is not to be had", rc);
	if (rte_eth_dev_get_port_by_name(name, &device->id) != 0)
		return no_device(net->spec.device, "is no device for packets", ENODEV);
	device->probed = true;
	return 0;
}

/* ---- its buffers ---- */

static void shift(struct rte_mempool *pool, void *shift_bytes, void *object, unsigned int index)
{
	uint16_t bytes = (uint16_t)(uintptr_t)shift_bytes;
	struct rte_mbuf *mbuf = object;

	(void)pool;
	(void)index;
	mbuf->buf_addr = (char *)mbuf->buf_addr + bytes;
	mbuf->buf_iova += bytes;
	mbuf->buf_len = (uint16_t)(mbuf->buf_len - bytes);
}

static int make_pool(struct dpdk_net *net, bool shifts)
{
	struct dpdk_device *device = &net->device;
	unsigned int count = device->queue_count * (2 * DPDK_DESCRIPTORS) + 2 * DPDK_RING_PACKETS +
			     16 * DPDK_WAITING_MAX;
	uint32_t room = RTE_PKTMBUF_HEADROOM + device->mtu + FRAME_ETHER_BYTES + 4 + SHIFT_MAX;
	uintptr_t bytes = net->own.host.version == 4 ? SHIFT_V4 : SHIFT_V6;
	char name[RTE_MEMPOOL_NAMESIZE];

	if (room < RTE_MBUF_DEFAULT_BUF_SIZE + SHIFT_MAX)
		room = RTE_MBUF_DEFAULT_BUF_SIZE + SHIFT_MAX;
	snprintf(name, sizeof name, "weft_%u", device->id);
	device->pool = rte_pktmbuf_pool_create(name, count, POOL_CACHE, RTE_ALIGN(sizeof(struct dpdk_meta), 8),
					       (uint16_t)RTE_ALIGN(room, WEFT_CACHE_LINE),
					       rte_eth_dev_socket_id(device->id));
	if (!device->pool)
		return weft_set_error(WEFT_ENOMEM,
				      "dpdk: no memory for %u buffers of %u bytes: %s; free huge pages help", count,
				      room, rte_strerror(rte_errno));
	if (shifts)
		rte_mempool_obj_iter(device->pool, shift, (void *)bytes);
	return 0;
}

/* ---- its configuration ---- */

/* A number of the environment's; 0: not set. */
static int read_number(const char *name, unsigned long least, unsigned long most, unsigned long *out)
{
	const char *text = secure_getenv(name);

	*out = 0;
	if (!text || !*text)
		return 0;
	*out = strspn(text, "0123456789") == strlen(text) && strlen(text) < 9 ? strtoul(text, NULL, 10) : 0;
	if (*out < least || *out > most)
		return weft_set_error(WEFT_EINVAL, "%s \"%.40s\" is no number from %lu to %lu", name, text, least,
				      most);
	return 0;
}

/* Real ones get a pair of queues for each core; of made ones the other end must have as many. */
static int choose_queues(struct dpdk_device *device, const char *name, const struct rte_eth_dev_info *info)
{
	unsigned long wanted,
		most = RTE_MIN(RTE_MIN(info->max_rx_queues, info->max_tx_queues), (uint16_t)DPDK_QUEUES_MAX);
	int rc = read_number("WEFT_DPDK_QUEUES", 1, DPDK_QUEUES_MAX, &wanted);

	if (rc < 0)
		return rc;
	if (!wanted)
		wanted = weft__dpdk_is_pci(name) ? (unsigned long)get_nprocs() : 1;
	device->queue_count = (uint16_t)RTE_MAX(RTE_MIN(wanted, most), 1ul);
	return 0;
}

static int choose_mtu(struct dpdk_device *device, const char *name)
{
	unsigned long wanted;
	int rc = read_number("WEFT_DPDK_MTU", MTU_LEAST, MTU_MOST, &wanted);

	if (rc < 0)
		return rc;
	rc = rte_eth_dev_get_mtu(device->id, &device->mtu);
	if (rc < 0 || device->mtu < MTU_LEAST)
		device->mtu = RTE_ETHER_MTU;
	if (!wanted || wanted == device->mtu)
		return 0;
	rc = rte_eth_dev_set_mtu(device->id, (uint16_t)wanted);
	if (rc < 0 && wanted > device->mtu)
		return no_device(name, "does not take WEFT_DPDK_MTU", rc);
	device->mtu = (uint16_t)wanted;
	return 0;
}

static int set_up_queues(struct dpdk_device *device)
{
	int socket = rte_eth_dev_socket_id(device->id), rc;
	uint16_t rx = DPDK_DESCRIPTORS, tx = DPDK_DESCRIPTORS;

	rc = rte_eth_dev_adjust_nb_rx_tx_desc(device->id, &rx, &tx);
	for (uint16_t i = 0; rc >= 0 && i < device->queue_count; i++) {
		rc = rte_eth_rx_queue_setup(device->id, i, rx, (unsigned int)socket, NULL, device->pool);
		if (rc >= 0)
			rc = rte_eth_tx_queue_setup(device->id, i, tx, (unsigned int)socket, NULL);
	}
	return rc;
}

static int configure(struct dpdk_net *net, const struct rte_eth_dev_info *info)
{
	struct dpdk_device *device = &net->device;
	uint64_t tx_sums = RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	uint64_t rx_sums = RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	struct rte_eth_conf conf = {
		.rxmode = {.mtu = device->mtu, .offloads = info->rx_offload_capa & rx_sums},
		.txmode = {.offloads = info->tx_offload_capa & tx_sums},
	};
	int rc;

	device->sums_tx = conf.txmode.offloads != 0;
	if (device->queue_count > 1 &&
	    (info->flow_type_rss_offloads & (RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP))) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = info->flow_type_rss_offloads &
						   (RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP);
	}
	rc = rte_eth_dev_configure(device->id, device->queue_count, device->queue_count, &conf);
	if (rc >= 0)
		rc = set_up_queues(device);
	return rc < 0 ? no_device(net->spec.device, "is not to be configured", rc) : 0;
}

/* ---- all of it ---- */

static int refuse_used(const struct dpdk_net *net)
{
	char text[WEFT_NET_TEXT_MAX];

	weft__ip_address_write(&net->address, text);
	return weft_set_error(WEFT_EADDRINUSE,
			      "dpdk %s: device \"%.120s\" is in use: each net needs a device of its own", text,
			      net->spec.device);
}

/* Which devices have a net. Thread: init, with nothing else going on. */
static _Atomic bool used[RTE_MAX_ETHPORTS];

/* Devices made of rings have none: one of those that anybody may choose, by the address of IP. */
static void find_mac(struct dpdk_net *net)
{
	const struct frame_host *host = &net->own.host;
	struct rte_ether_addr mac;

	if (rte_eth_macaddr_get(net->device.id, &mac) < 0 || rte_is_zero_ether_addr(&mac)) {
		mac = (struct rte_ether_addr){.addr_bytes = {2}};
		memcpy(mac.addr_bytes + 2, host->bytes + (host->version == 4 ? 0 : 12), 4);
	}
	memcpy(net->own.mac, mac.addr_bytes, FRAME_MAC_BYTES);
}

static int open_found(struct dpdk_net *net)
{
	struct dpdk_device *device = &net->device;
	struct rte_eth_dev_info info;
	const struct driver *driver;
	int rc = rte_eth_dev_info_get(device->id, &info);

	if (rc < 0)
		return no_device(net->spec.device, "says nothing about itself", rc);
	driver = known(info.driver_name);
	device->restarts = driver->gives_up && strstr(net->spec.device, driver->gives_up);
	device->apart = driver->apart;
	device->copies = driver->copies;
	device->copies_why = driver->why;
	rc = choose_queues(device, net->spec.device, &info);
	if (rc == 0)
		rc = choose_mtu(device, net->spec.device);
	if (rc == 0)
		rc = make_pool(net, !driver->counts_from_pool);
	if (rc == 0)
		rc = configure(net, &info);
	if (rc < 0)
		return rc;
	find_mac(net);
	rc = weft__dpdk_line_start(device);
	/* Who waits for another end tries again. */
	return rc < 0 && !device->restarts ? no_device(net->spec.device, "does not start", rc) : 0;
}

int weft__dpdk_device_open(struct dpdk_net *net)
{
	struct dpdk_device *device = &net->device;
	int rc = find(net);

	if (rc < 0)
		return rc;
	if (atomic_exchange_explicit(&used[device->id], true, memory_order_relaxed))
		return refuse_used(net);
	rc = open_found(net);
	if (rc < 0)
		weft__dpdk_device_close(net);
	return rc;
}

void weft__dpdk_device_close(struct dpdk_net *net)
{
	struct dpdk_device *device = &net->device;

	weft__dpdk_line_end(net);
	rte_mempool_free(device->pool);
	atomic_store_explicit(&used[device->id], false, memory_order_relaxed);
}

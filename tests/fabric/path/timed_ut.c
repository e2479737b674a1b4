/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves what a net is owed by those who use it: that they do not sleep for long where it cannot wake them, neither the
 * runner nor who owns a port, and as long as they like where it can, also after the other is gone; and that each of its
 * ports is reaped while it says so.
 */
#include "path/device.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <string.h>
#include <weft/errors.h>
#include <weft/net.h>

#define MS UINT64_C(1000000)

static struct weft_worker *workers[2]; /* the runner, and another one */
static struct weft_device *device;
static struct weft_port *port;

static uint8_t stream_of(uint64_t meta, enum weft_class class_)
{
	(void)meta;
	return (uint8_t)class_;
}

static void open_over(const struct weft_net_driver *net)
{
	static const struct weft_device_events events;
	const struct weft_driver *driver = weft__path_driver_over(net, stream_of);
	struct weft_device_opts opts;
	struct weft_port_opts port_opts;

	weft_device_opts_init(&opts, sizeof opts);
	opts.runner = workers[0];
	opts.events = &events;
	CU_ASSERT_EQUAL_FATAL(weft_device_open(driver, &opts, &device), 0);
	weft_port_opts_init(&port_opts, sizeof port_opts);
	port_opts.worker = workers[1];
	CU_ASSERT_EQUAL_FATAL(weft_port_open(driver, device, &port_opts, &port), 0);
}

static void close_all(void)
{
	const struct weft_driver *driver = port->driver;

	driver->port_close(&port);
	driver->device_close(&device);
}

static uint64_t longest_sleep_ns(unsigned int i)
{
	weft_worker_poll(workers[i]);
	return weft_worker_next_ns(workers[i]) - weft_worker_now(workers[i]);
}

static void workers_look_each_millisecond_at_a_net_that_cannot_wake(void)
{
	static struct weft_net_driver sleepy;

	sleepy = *weft_net_driver_find("udp");
	sleepy.caps &= ~(uint32_t)WEFT_NET_WAKES;
	open_over(&sleepy);
	CU_ASSERT_TRUE(longest_sleep_ns(0) <= MS);
	CU_ASSERT_TRUE(longest_sleep_ns(1) <= MS);
	close_all();
	CU_ASSERT_TRUE(longest_sleep_ns(0) > MS);
	CU_ASSERT_TRUE(longest_sleep_ns(1) > MS);
}

static void workers_sleep_as_long_as_they_like_over_one_that_can(void)
{
	open_over(weft_net_driver_find("udp"));
	CU_ASSERT_TRUE(longest_sleep_ns(0) > MS);
	CU_ASSERT_TRUE(longest_sleep_ns(1) > MS);
	close_all();
}

/* ---- reaping ---- */

static const struct weft_net_driver *below;
static unsigned int reaped[2]; /* by the index of the port */

static void reap(struct weft_net_port *net_port)
{
	net_port->reap_due = ++reaped[net_port->index] < 3;
}

static int port_open(struct weft_net *net, const struct weft_net_port_opts *opts, struct weft_net_port **out)
{
	int rc = below->port_open(net, opts, out);

	if (rc == 0) {
		(*out)->reap = reap;
		(*out)->reap_due = true;
	}
	return rc;
}

static void ports_are_reaped_each_turn_until_it_is_done(void)
{
	static struct weft_net_driver owing;
	struct weft_rx_frame frame;

	below = weft_net_driver_find("udp");
	owing = *below;
	owing.port_open = port_open;
	memset(reaped, 0, sizeof reaped);
	open_over(&owing);
	for (unsigned int i = 0; i < 10; i++) {
		weft_worker_poll(workers[0]);
		CU_ASSERT_EQUAL(port->rx(port, &frame, 1), 0);
		CU_ASSERT_EQUAL(reaped[0], i < 3 ? i + 1 : 3);
		CU_ASSERT_EQUAL(reaped[1], i < 3 ? i + 1 : 3);
	}
	close_all();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(workers_look_each_millisecond_at_a_net_that_cannot_wake),
		SUITE_CASE(workers_sleep_as_long_as_they_like_over_one_that_can),
		SUITE_CASE(ports_are_reaped_each_turn_until_it_is_done),
	};
	struct weft_worker_opts opts;
	int status;

	weft_worker_opts_init(&opts, sizeof opts);
	opts.backstop_ns = 100 * MS;
	if (weft_worker_open(&opts, &workers[0]) < 0 || weft_worker_open(&opts, &workers[1]) < 0)
		return 2;
	status = suite_main("nets that do not wake", cases, SUITE_COUNT(cases), argc, argv);
	weft_worker_close(&workers[0]);
	weft_worker_close(&workers[1]);
	return status;
}

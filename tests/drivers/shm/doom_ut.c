/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a lie of the peer that a send finds out is not told from inside the send: whoever sends has lanes and
 * operations in hand that end with the path. It goes down with the next look at what has come, once.
 */
#include "shm/shm.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <string.h>
#include <weft/errors.h>

#define UNITS 256u

static _Alignas(64) struct shm_unit units[WEFT_CLASS_COUNT][UNITS], theirs[WEFT_CLASS_COUNT][UNITS];
static struct shm_head heads[WEFT_CLASS_COUNT], own_heads[WEFT_CLASS_COUNT];
static struct shm_armed armed;
static struct shm_device device;
static _Alignas(64) struct shm_port port;
static _Alignas(64) struct shm_path path;
static unsigned int downs;

static void note_down(void *port_user, struct weft_path *base, enum weft_down_reason reason)
{
	(void)port_user;
	CU_ASSERT_PTR_EQUAL(base, &path.base);
	CU_ASSERT_EQUAL(reason, WEFT_DOWN_VIOLATION);
	downs++;
}

static const struct weft_device_events events = {.path_down = note_down};

static void set_up(void)
{
	memset(&port, 0, sizeof port);
	memset(&path, 0, sizeof path);
	downs = 0;
	device.opts.events = &events;
	port.device = &device;
	struct weft_list *lists[] = {&port.busy,    &port.quiet,     &port.dirty,     &port.paths,
				     &port.outbox,  &port.doomed,    &path.in_polled, &path.in_dirty,
				     &path.in_port, &path.in_doomed, &path.in_outbox};
	for (unsigned int i = 0; i < sizeof lists / sizeof *lists; i++)
		weft_list_init(lists[i]);
	path.base.port = &port.base;
	path.port = &port;
	path.device = &device;
	path.state = SHM_PATH_UP;
	path.busy = true;
	path.empty_limit = SHM_QUIET_TURNS;
	path.peer_armed = &armed;
	weft_list_push_back(&port.busy, &path.in_polled);
	for (unsigned int i = 0; i < WEFT_CLASS_COUNT; i++) {
		atomic_store_explicit(&heads[i].position, 0, memory_order_relaxed);
		path.rx[i] = (struct shm_rx){.units = theirs[i], .own_head = &own_heads[i], .mask = UNITS - 1};
		path.tx[i] = (struct shm_tx){.units = units[i], .peer_head = &heads[i], .mask = UNITS - 1};
	}
}

/* Sends until the ring is full, lets the peer lie about where it is, and sends once more. */
static int send_into_a_lie(void)
{
	int rc;

	while ((rc = shm_port_send(&path.base, WEFT_CLASS_NORMAL, 0, "something", 9, 0)) == 0)
		;
	CU_ASSERT_EQUAL(rc, -WEFT_EAGAIN);
	atomic_store_explicit(&heads[WEFT_CLASS_NORMAL].position, 0x80000000u, memory_order_relaxed);
	return shm_port_send(&path.base, WEFT_CLASS_NORMAL, 0, "something", 9, 0);
}

static void a_send_that_finds_a_lie_takes_nothing_down(void)
{
	struct weft_rx_frame frames[SHM_BURST];

	set_up();
	CU_ASSERT_EQUAL(send_into_a_lie(), -WEFT_EPROTO);
	CU_ASSERT_EQUAL(downs, 0);
	for (unsigned int class_ = 0; class_ < WEFT_CLASS_COUNT; class_++)
		CU_ASSERT_EQUAL(shm_port_send(&path.base, class_, 0, "more", 4, 0), -WEFT_EAGAIN);
	CU_ASSERT_EQUAL(downs, 0);
	CU_ASSERT_EQUAL(shm_port_rx(&port.base, frames, SHM_BURST), 0);
	CU_ASSERT_EQUAL(downs, 1);
	CU_ASSERT_EQUAL(port.stats.violations, 1);
	shm_port_rx(&port.base, frames, SHM_BURST);
	CU_ASSERT_EQUAL(downs, 1);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {SUITE_CASE(a_send_that_finds_a_lie_takes_nothing_down)};

	return suite_main("shm doom", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a producer whose reader falls behind moves to a larger ring, once, that nothing is lost, repeated or out of
 * order by that, that a path with little traffic stays as small as it was made, and that no process takes all larger rings.
 */
#include "conformance/side.h"
#include "shm/shm.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <unistd.h>

#define STRANGER (INT64_C(1) << 40) /* no process has this number, nor those around it */

static struct side near, far;
static struct side_end *const here = &near.ends[0], *const there = &far.ends[0];
static uint64_t sent;

static uint32_t len_of(uint64_t number)
{
	return 1 + (uint32_t)(number * 2654435761u >> 7) % SHM_INLINE_MAX;
}

static void check(struct side_end *end, const struct weft_rx_frame *frame)
{
	uint64_t number = end->got++;

	end->wrong += frame->meta != number || frame->len_bytes != len_of(number) ||
		      !side_holds(frame->data, frame->len_bytes, number);
}

static void open_both(void)
{
	side_driver = weft_driver_find("shm");
	side_open(&near, "near", 1, 0);
	side_open(&far, "far", 1, 0);
	there->on_frame = check;
	here->on_frame = check; /* so that it takes what the driver tells it */
	sent = 0;
	side_join(here, there);
}

static void close_both(void)
{
	CU_ASSERT_EQUAL(there->wrong, 0);
	CU_ASSERT_EQUAL(there->got, sent);
	CU_ASSERT_EQUAL(here->downs + there->downs, 0);
	side_close(&near);
	side_close(&far);
}

static bool send_one(unsigned int flags)
{
	unsigned char bytes[SHM_INLINE_MAX];
	uint32_t len = len_of(sent);

	side_fill(bytes, len, sent);
	if (here->port->send(here->path, WEFT_CLASS_NORMAL, sent, bytes, len, flags) < 0)
		return false;
	sent++;
	return true;
}

/* Fills the ring, in bursts of up to that many, then lets the reader read. */
static void flood(unsigned int rounds, unsigned int burst)
{
	for (unsigned int i = 0; i < rounds; i++) {
		while (send_one(sent % burst ? WEFT_TX_MORE : 0))
			;
		sides_turn();
	}
	CU_ASSERT_TRUE(SIDES_UNTIL(there->got == sent));
}

static void a_reader_that_falls_behind_gets_a_larger_ring_once(void)
{
	for (unsigned int burst = 1; burst <= 16; burst *= 4) {
		uint64_t before;

		open_both();
		flood(2 * SHM_HOT_FULLS, burst);
		CU_ASSERT_TRUE(SIDES_UNTIL((flood(1, burst), side_stats(here).hot_rings == 1)));
		/* More fits at once than the small ring has room for. */
		before = sent;
		while (send_one(0))
			;
		CU_ASSERT_TRUE(sent - before > SHM_EXPRESS_SLOTS * SHM_LINE_UNITS);
		flood(200, burst);
		CU_ASSERT_EQUAL(side_stats(here).hot_rings, 1);
		CU_ASSERT_EQUAL(side_stats(there).hot_rings, 0);
		close_both();
	}
}

static void a_path_with_little_traffic_stays_small(void)
{
	open_both();
	for (unsigned int i = 0; i < 5000; i++) {
		CU_ASSERT_TRUE(send_one(0));
		sides_turn();
	}
	CU_ASSERT_TRUE(SIDES_UNTIL(there->got == sent));
	CU_ASSERT_EQUAL(side_stats(here).hot_rings, 0);
	close_both();
}

/* The reader's process ends, or the path does, while a larger ring is being made. */
static void a_path_that_ends_meanwhile_leaves_nothing(void)
{
	for (unsigned int turns = 0; turns < 12; turns++) {
		open_both();
		for (unsigned int i = 0; i <= SHM_HOT_FULLS; i++)
			while (send_one(0))
				;
		for (unsigned int i = 0; i < turns; i++)
			sides_turn();
		side_close(&far);
		CU_ASSERT_TRUE(SIDES_UNTIL(here->downs == 1));
		CU_ASSERT_TRUE(SIDES_UNTIL(side_stats(here).paths == 0));
		side_close(&near);
	}
}

static void ask_for_a_ring(struct shm_path *path)
{
	struct weft_message message = {.with.pointers = {path}};

	shm_hot_make_on_runner(near.runner, &message);
	while (path->to_worker || path->hot.state == SHM_COLD)
		sides_turn();
}

/* How many a process gets, by as many paths as there are rings. */
static unsigned int rings_of(int64_t who)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < SHM_HOT_RINGS_MAX; i++) {
		struct shm_path *path = shm_path_new(WEFT_CONTAINER_OF(here->port, struct shm_port, base), who);

		CU_ASSERT_PTR_NOT_NULL_FATAL(path);
		ask_for_a_ring(path);
		count += path->hot.state == SHM_HOT_MADE;
	}
	return count;
}

static void a_process_gets_no_more_larger_rings_than_are_left(void)
{
	struct shm_device *device;

	side_driver = weft_driver_find("shm");
	side_open(&near, "near", 1, 0);
	device = (struct shm_device *)(void *)near.device;
	for (unsigned int left = SHM_HOT_RINGS_MAX, i = 0; left > 1; left /= 2, i++)
		CU_ASSERT_EQUAL(rings_of(STRANGER + i), left / 2);
	CU_ASSERT_EQUAL(rings_of(STRANGER - 1), 1);
	CU_ASSERT_EQUAL(rings_of(STRANGER - 2), 0);
	WEFT_LIST_FOR_EACH(at, &device->paths)
		shm_path_free(WEFT_CONTAINER_OF(at, struct shm_path, in_device));
	CU_ASSERT_EQUAL(device->hot_rings, 0);
	CU_ASSERT_EQUAL(rings_of(getpid()), SHM_HOT_RINGS_MAX);
	side_close(&near);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_reader_that_falls_behind_gets_a_larger_ring_once),
		SUITE_CASE(a_path_with_little_traffic_stays_small),
		SUITE_CASE(a_path_that_ends_meanwhile_leaves_nothing),
		SUITE_CASE(a_process_gets_no_more_larger_rings_than_are_left),
	};

	return suite_main("shm hot", cases, SUITE_COUNT(cases), argc, argv);
}

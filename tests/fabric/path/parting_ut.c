/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long ports wait for their peers when they close: whatever those do, there is a bound for all ports of a device.
 */
#include "path/device.h"
#include "suite.h"

#include <CUnit/Basic.h>

#define MS UINT64_C(1000000)
#define BEGIN_NS (1000000 * MS)
#define PORTS 64u

static struct weft__path_device device;

static void begin(void)
{
	device = (struct weft__path_device){.parting_ns = 0};
	pthread_mutex_init(&device.lock, NULL);
}

static void end(void)
{
	pthread_mutex_destroy(&device.lock);
}

/* When the last has closed, if each waits as long as it may. */
static uint64_t close_all(uint64_t now_ns)
{
	for (unsigned int i = 0; i < PORTS; i++)
		now_ns = weft__device_part_until(&device, now_ns);
	return now_ns;
}

static void all_ports_together_wait_no_longer_than_one(void)
{
	begin();
	CU_ASSERT_TRUE(close_all(BEGIN_NS) <= BEGIN_NS + 300 * MS);
	end();
}

static void one_that_uses_up_its_time_leaves_some_to_the_next(void)
{
	uint64_t first_ns, second_ns;

	begin();
	first_ns = weft__device_part_until(&device, BEGIN_NS);
	second_ns = weft__device_part_until(&device, first_ns);
	CU_ASSERT_TRUE(first_ns >= BEGIN_NS + 100 * MS);
	CU_ASSERT_TRUE(second_ns >= first_ns + 50 * MS);
	end();
}

static void one_that_closes_later_has_the_whole_span_again(void)
{
	uint64_t later_ns;

	begin();
	later_ns = close_all(BEGIN_NS) + 1000 * MS;
	CU_ASSERT_EQUAL(weft__device_part_until(&device, later_ns) - later_ns,
			weft__device_part_until(&(struct weft__path_device){.lock = PTHREAD_MUTEX_INITIALIZER},
						BEGIN_NS) -
				BEGIN_NS);
	end();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(all_ports_together_wait_no_longer_than_one),
		SUITE_CASE(one_that_uses_up_its_time_leaves_some_to_the_next),
		SUITE_CASE(one_that_closes_later_has_the_whole_span_again),
	};

	return suite_main("path parting", cases, SUITE_COUNT(cases), argc, argv);
}

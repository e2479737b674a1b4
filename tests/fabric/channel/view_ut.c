/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves that a worker's views of channels can be found whatever it is doing: also by callbacks in a walk over all of them.
 */
#include "channel/channel_private.h"
#include "fabric/pair.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#define CHANNELS 4u

static struct {
	struct weft__station *station;
	unsigned int calls, missed;
} world;

static void name_of(unsigned int i, char name[16])
{
	snprintf(name, 16, "view-%u", i);
}

static void look_for_all(enum weft_peer_event event, const struct weft_peer *peer, void *user)
{
	char name[16];

	(void)event, (void)peer, (void)user;
	world.calls++;
	for (unsigned int i = 0; i < CHANNELS; i++) {
		name_of(i, name);
		world.missed += !weft__view_find(world.station, name);
	}
}

static void ignore(struct weft_rx *rx, void *user)
{
	(void)rx, (void)user;
}

/* A peer comes to all of them at once. */
static void a_callback_finds_also_those_that_the_walk_has_passed(void)
{
	struct weft_channel *near[CHANNELS], *far[CHANNELS];
	struct weft_sender *senders[CHANNELS];
	struct pair pair;
	char name[16];

	memset(&world, 0, sizeof world);
	pair_open(&pair, NULL);
	world.station = weft__station_of(pair.far_worker);
	for (unsigned int i = 0; i < CHANNELS; i++) {
		name_of(i, name);
		CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair.near, name, NULL, &near[i]), 0);
		CU_ASSERT_EQUAL_FATAL(weft_channel_open(pair.far, name, NULL, &far[i]), 0);
		weft_channel_handle(far[i], ignore, NULL);
		weft_channel_on_peer(far[i], look_for_all, NULL);
	}
	for (unsigned int i = 0; i < CHANNELS; i++)
		CU_ASSERT_EQUAL_FATAL(weft_sender_open(pair.near_worker, near[i], weft_node_name(pair.far), NULL,
						       &senders[i]),
				      0);
	CU_ASSERT_TRUE(PAIR_UNTIL(&pair, world.calls == CHANNELS));
	CU_ASSERT_EQUAL(world.missed, 0);
	pair_close(&pair);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_callback_finds_also_those_that_the_walk_has_passed),
	};

	return suite_main("views of channels", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves when hosts are asked for, by whom, and what is remembered of them.
 */
#include "dpdk/neighbours.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define BEGIN_NS (1000 * MS)

static struct neighbours all;
static const struct frame_host him = {4, {10, 9, 0, 2}}, other = {4, {10, 9, 0, 3}};
static const uint8_t mac[FRAME_MAC_BYTES] = {2, 0, 0, 0, 0, 0xff}, later_mac[FRAME_MAC_BYTES] = {2, 0, 0, 0, 0, 1};

static void begin(void)
{
	memset(&all, 0, sizeof all);
	weft__neighbours_init(&all);
}

static void end(void)
{
	weft__neighbours_fini(&all);
}

static void one_who_does_not_answer_is_asked_for_ever_less_often(void)
{
	struct neighbour *neighbour;
	unsigned int asked = 0, asked_late = 0;

	begin();
	neighbour = weft__neighbour_get(&all, &him);
	CU_ASSERT_PTR_NOT_NULL_FATAL(neighbour);
	for (uint64_t ms = 0; ms < 10000; ms++) {
		enum neighbour_ask ask = weft__neighbour_ask(neighbour, BEGIN_NS + ms * MS);

		CU_ASSERT_NOT_EQUAL(ask, ASK_HIM);
		asked += ask == ASK_ALL;
		asked_late += ask == ASK_ALL && ms >= 5000;
	}
	CU_ASSERT_TRUE(asked > 10 && asked < 20);
	CU_ASSERT_EQUAL(asked_late, 5);
	end();
}

static void only_one_who_looks_is_told_to_ask(void)
{
	struct neighbour *neighbour;

	begin();
	neighbour = weft__neighbour_get(&all, &him);
	CU_ASSERT_EQUAL(weft__neighbour_ask(neighbour, BEGIN_NS), ASK_ALL);
	CU_ASSERT_EQUAL(weft__neighbour_ask(neighbour, BEGIN_NS), ASK_NOBODY);
	end();
}

static void one_who_was_heard_is_known_and_left_alone_for_a_while(void)
{
	uint8_t found[FRAME_MAC_BYTES];
	struct neighbour *neighbour;

	begin();
	neighbour = weft__neighbour_get(&all, &him);
	CU_ASSERT_FALSE(weft__neighbour_mac(neighbour, found));
	CU_ASSERT_TRUE(weft__neighbours_hear(&all, &him, mac, false, BEGIN_NS));
	CU_ASSERT_TRUE(weft__neighbour_mac(neighbour, found));
	CU_ASSERT_EQUAL(memcmp(found, mac, sizeof mac), 0);
	CU_ASSERT_EQUAL(weft__neighbour_ask(neighbour, BEGIN_NS + 10000 * MS), ASK_NOBODY);
	/* Then he alone is asked, later all; his word holds meanwhile, until he says otherwise. */
	CU_ASSERT_EQUAL(weft__neighbour_ask(neighbour, BEGIN_NS + 16000 * MS), ASK_HIM);
	CU_ASSERT_EQUAL(weft__neighbour_ask(neighbour, BEGIN_NS + 16001 * MS), ASK_NOBODY);
	CU_ASSERT_EQUAL(weft__neighbour_ask(neighbour, BEGIN_NS + 30000 * MS), ASK_ALL);
	CU_ASSERT_TRUE(weft__neighbour_mac(neighbour, found));
	CU_ASSERT_TRUE(weft__neighbours_hear(&all, &him, later_mac, false, BEGIN_NS + 31000 * MS));
	CU_ASSERT_TRUE(weft__neighbour_mac(neighbour, found));
	CU_ASSERT_EQUAL(memcmp(found, later_mac, sizeof later_mac), 0);
	CU_ASSERT_EQUAL(weft__neighbour_ask(neighbour, BEGIN_NS + 32000 * MS), ASK_NOBODY);
	end();
}

static void who_neither_is_sent_to_nor_asked_is_not_remembered(void)
{
	uint8_t found[FRAME_MAC_BYTES];

	begin();
	CU_ASSERT_FALSE(weft__neighbours_hear(&all, &him, mac, false, BEGIN_NS));
	CU_ASSERT_FALSE(weft__neighbour_mac(weft__neighbour_get(&all, &him), found));
	CU_ASSERT_FALSE(weft__neighbours_hear(&all, &other, mac, false, BEGIN_NS));
	end();
}

static void who_was_sent_to_or_asked_for_us_is_known_at_the_next_time(void)
{
	uint8_t found[FRAME_MAC_BYTES];
	struct neighbour *neighbour;

	begin();
	CU_ASSERT_TRUE(weft__neighbours_hear(&all, &other, mac, true, BEGIN_NS));
	CU_ASSERT_TRUE(weft__neighbour_mac(weft__neighbour_get(&all, &other), found));
	neighbour = weft__neighbour_get(&all, &him);
	CU_ASSERT_PTR_EQUAL(weft__neighbour_get(&all, &him), neighbour);
	weft__neighbour_put(&all, neighbour);
	weft__neighbour_put(&all, neighbour);
	/* He answers when nobody waits for it any more. */
	CU_ASSERT_TRUE(weft__neighbours_hear(&all, &him, later_mac, false, BEGIN_NS));
	CU_ASSERT_TRUE(weft__neighbour_mac(weft__neighbour_get(&all, &him), found));
	CU_ASSERT_EQUAL(memcmp(found, later_mac, sizeof later_mac), 0);
	end();
}

static void what_is_heard_while_the_table_changes_is_let_go(void)
{
	begin();
	weft__neighbour_get(&all, &him);
	pthread_mutex_lock(&all.lock);
	CU_ASSERT_FALSE(weft__neighbours_hear(&all, &him, mac, false, BEGIN_NS));
	pthread_mutex_unlock(&all.lock);
	CU_ASSERT_TRUE(weft__neighbours_hear(&all, &him, mac, false, BEGIN_NS));
	end();
}

static struct frame_host host_of(uint32_t number)
{
	struct frame_host host = {.version = 4};

	memcpy(host.bytes, &number, sizeof number);
	return host;
}

static void a_full_table_says_so_and_has_room_again_later(void)
{
	struct neighbour *first = NULL;

	begin();
	for (uint32_t i = 0; i < NEIGHBOURS_MAX; i++) {
		struct frame_host host = host_of(i);
		struct neighbour *made = weft__neighbour_get(&all, &host);

		CU_ASSERT_PTR_NOT_NULL_FATAL(made);
		first = first ? first : made;
	}
	CU_ASSERT_PTR_NULL(weft__neighbour_get(&all, &him));
	CU_ASSERT_FALSE(weft__neighbours_hear(&all, &him, mac, true, BEGIN_NS));
	weft__neighbour_put(&all, first);
	CU_ASSERT_PTR_EQUAL(weft__neighbour_get(&all, &him), first);
	end();
}

static void whoever_asks_takes_places_of_those_that_nobody_sends_to_the_oldest_first(void)
{
	uint8_t found[FRAME_MAC_BYTES];
	struct frame_host host = host_of(1);
	struct neighbour *kept;

	begin();
	kept = weft__neighbour_get(&all, &him);
	CU_ASSERT_TRUE(weft__neighbours_hear(&all, &him, mac, false, BEGIN_NS));
	for (uint32_t i = 1; i < 3 * NEIGHBOURS_MAX; i++) {
		host = host_of(i);
		CU_ASSERT_TRUE(weft__neighbours_hear(&all, &host, later_mac, true, BEGIN_NS + i));
	}
	CU_ASSERT_EQUAL(memcmp(&kept->host, &him, sizeof him), 0);
	CU_ASSERT_TRUE(weft__neighbour_mac(kept, found));
	CU_ASSERT_TRUE(weft__neighbour_mac(weft__neighbour_get(&all, &host), found));
	host = host_of(3 * NEIGHBOURS_MAX - NEIGHBOURS_MAX + 1);
	CU_ASSERT_TRUE(weft__neighbour_mac(weft__neighbour_get(&all, &host), found));
	host = host_of(1);
	CU_ASSERT_FALSE(weft__neighbour_mac(weft__neighbour_get(&all, &host), found));
	end();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(one_who_does_not_answer_is_asked_for_ever_less_often),
		SUITE_CASE(only_one_who_looks_is_told_to_ask),
		SUITE_CASE(one_who_was_heard_is_known_and_left_alone_for_a_while),
		SUITE_CASE(who_neither_is_sent_to_nor_asked_is_not_remembered),
		SUITE_CASE(who_was_sent_to_or_asked_for_us_is_known_at_the_next_time),
		SUITE_CASE(what_is_heard_while_the_table_changes_is_let_go),
		SUITE_CASE(a_full_table_says_so_and_has_room_again_later),
		SUITE_CASE(whoever_asks_takes_places_of_those_that_nobody_sends_to_the_oldest_first),
	};

	return suite_main("neighbours", cases, SUITE_COUNT(cases), argc, argv);
}

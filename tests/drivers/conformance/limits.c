/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a driver ends: longest data, most loans, many paths. Beyond a limit it says so, and what was within goes on.
 */
#include "conformance.h"
#include "side.h"

#include <CUnit/Basic.h>
#include <stdlib.h>

#define PATHS 64
#define BORROWED_MAX 100000

static struct side near, far;
static struct side_end *const here = &near.ends[0], *const there = &far.ends[0];

static void join(void)
{
	side_open(&near, "near", 1, 0);
	side_open(&far, "far", 1, 0);
	side_join(here, there);
}

static void part(void)
{
	CU_ASSERT_EQUAL(here->downs + there->downs, 0);
	CU_ASSERT_EQUAL(side_stats(here).violations + side_stats(there).violations, 0);
	side_close(&near);
	side_close(&far);
}

static void count_frame(struct side_end *end, const struct weft_rx_frame *frame)
{
	(void)frame;
	end->got++;
}

static void what_is_too_long_is_refused_and_the_rest_goes_on(void)
{
	uint32_t max;
	struct weft_tx_frame frames[3] = {{.meta = 1}, {.meta = 2}, {.meta = 3}};
	char *bytes;
	int why = 0;

	join();
	max = here->port->inline_max;
	bytes = calloc(1, max + 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
	there->on_frame = count_frame;
	CU_ASSERT_EQUAL(here->port->send(here->path, WEFT_CLASS_NORMAL, 0, bytes, max + 1, 0), -WEFT_EMSGSIZE);
	frames[1].head = frames[1].data = bytes;
	frames[1].head_len_bytes = max;
	frames[1].data_len_bytes = 1;
	CU_ASSERT_EQUAL(here->port->tx(here->path, WEFT_CLASS_NORMAL, frames, 3, 0, &why), 1);
	CU_ASSERT_EQUAL(why, -WEFT_EMSGSIZE);
	frames[1].data_len_bytes = 0;
	CU_ASSERT_EQUAL(here->port->tx(here->path, WEFT_CLASS_NORMAL, frames + 1, 2, 0, &why), 2);
	CU_ASSERT_TRUE(SIDES_UNTIL(there->got == 3));
	free(bytes);
	part();
}

/* Neither of two lengths of 4 GiB less a little may pass because their sum is small. */
static void lengths_that_add_up_to_nothing_are_refused(void)
{
	struct weft_tx_frame frame = {.head = "", .data = "", .head_len_bytes = UINT32_MAX, .data_len_bytes = 9};
	int why = 0;

	join();
	CU_ASSERT_EQUAL(here->port->tx(here->path, WEFT_CLASS_NORMAL, &frame, 1, 0, &why), 0);
	CU_ASSERT_EQUAL(why, -WEFT_EMSGSIZE);
	CU_ASSERT_EQUAL(here->port->send(here->path, WEFT_CLASS_NORMAL, 0, "", UINT32_MAX, 0), -WEFT_EMSGSIZE);
	part();
}

static void words_beside_a_loan_have_their_limit(void)
{
	unsigned char head[512] = {0};
	struct weft_tx_frame frame = {.head = head, .loan_len_bytes = 100, .cookie = 1};
	int why = 0;

	join();
	CU_ASSERT_EQUAL_FATAL(weft_pool_get(here->pool, 100, &frame.loan), 0);
	frame.head_len_bytes = here->port->loan_head_max + 1;
	CU_ASSERT_EQUAL(here->port->tx(here->path, WEFT_CLASS_NORMAL, &frame, 1, 0, &why), 0);
	CU_ASSERT_EQUAL(why, -WEFT_EMSGSIZE);
	CU_ASSERT_EQUAL(frame.loan->refs, 1);
	weft_buf_put(frame.loan);
	part();
}

static struct {
	struct weft_path *path;
	uint32_t id;
} borrowed[BORROWED_MAX];

static void borrow(struct side_end *end, const struct weft_rx_frame *frame)
{
	if (frame->loan_data && end->got < BORROWED_MAX) {
		borrowed[end->got].path = frame->path;
		borrowed[end->got].id = frame->loan_id;
		end->got++;
	}
}

/* Lends until the driver will not, though the reader takes all that comes. Returns how many went out. */
static uint64_t lend_until_full(struct weft_buf *buf)
{
	struct weft_tx_frame frame = {.loan = buf, .loan_len_bytes = 64, .cookie = 1};
	uint64_t sent = 0;
	int why = 0;

	CU_ASSERT_TRUE_FATAL(side_lend(here->path, &frame));
	for (sent = 1; sent < BORROWED_MAX; sent++) {
		if (here->port->tx(here->path, WEFT_CLASS_NORMAL, &frame, 1, 0, &why) == 1)
			continue;
		CU_ASSERT_EQUAL(why, -WEFT_EAGAIN);
		if (there->got == sent)
			break; /* it holds all, so there is room in the path: no more loans */
		CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(there->got == sent));
		sent--;
	}
	return sent;
}

static void a_reader_holds_only_so_many_and_then_more_again(void)
{
	struct weft_buf *buf = NULL;
	uint64_t first;

	join();
	there->on_frame = borrow;
	here->on_frame = count_frame;
	CU_ASSERT_EQUAL_FATAL(weft_pool_get(here->pool, 64, &buf), 0);
	first = lend_until_full(buf);
	CU_ASSERT_TRUE(first >= 64);
	CU_ASSERT_EQUAL(buf->refs, first + 1);
	for (unsigned int round = 0; round < 3; round++) {
		here->homes = 0;
		for (uint64_t i = 0; i < first; i++)
			there->port->release(borrowed[i].path, borrowed[i].id);
		CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(here->homes == first));
		CU_ASSERT_EQUAL(buf->refs, 1);
		there->got = 0;
		if (round < 2)
			CU_ASSERT_EQUAL(lend_until_full(buf), first);
	}
	CU_ASSERT_EQUAL(side_stats(here).bad_releases, 0);
	weft_buf_put(buf);
	part();
}

static void a_port_carries_many_paths_and_each_its_own_frames(void)
{
	struct weft_path *paths[PATHS];

	side_open(&near, "near", 1, 0);
	side_open(&far, "far", 1, 0);
	there->on_frame = count_frame;
	for (unsigned int i = 0; i < PATHS; i++) {
		side_join(here, there);
		paths[i] = here->path;
	}
	CU_ASSERT_EQUAL(side_stats(here).paths, PATHS);
	CU_ASSERT_EQUAL(side_stats(there).paths, PATHS);
	CU_ASSERT_TRUE(side_stats(here).hot_paths <= PATHS);
	for (unsigned int round = 0; round < 4; round++)
		for (unsigned int i = 0; i < PATHS; i++)
			CU_ASSERT_EQUAL(here->port->send(paths[i], WEFT_CLASS_NORMAL, i, &i, sizeof i, 0), 0);
	CU_ASSERT_TRUE(SIDES_UNTIL(there->got == 4 * PATHS));
	for (unsigned int i = 0; i < PATHS; i += 2)
		side_driver->disconnect(paths[i]);
	CU_ASSERT_TRUE(SIDES_UNTIL(there->downs == PATHS / 2));
	for (unsigned int i = 1; i < PATHS; i += 2)
		CU_ASSERT_EQUAL(here->port->send(paths[i], WEFT_CLASS_NORMAL, i, &i, sizeof i, 0), 0);
	CU_ASSERT_TRUE(SIDES_UNTIL(there->got == 4 * PATHS + PATHS / 2));
	CU_ASSERT_TRUE(SIDES_UNTIL(side_stats(here).paths == PATHS / 2 && side_stats(there).paths == PATHS / 2));
	side_close(&near);
	side_close(&far);
}

static void a_path_that_has_traffic_is_hot_and_one_without_is_not(void)
{
	join();
	there->on_frame = here->on_frame = count_frame;
	CU_ASSERT_EQUAL(here->port->send(here->path, WEFT_CLASS_NORMAL, 0, "", 0, 0), 0);
	CU_ASSERT_TRUE(SIDES_UNTIL(there->got == 1));
	CU_ASSERT_EQUAL(side_stats(there).hot_paths, 1);
	CU_ASSERT_TRUE(SIDES_UNTIL(side_stats(there).hot_paths == 0));
	CU_ASSERT_EQUAL(here->port->send(here->path, WEFT_CLASS_NORMAL, 0, "", 0, 0), 0);
	CU_ASSERT_TRUE(SIDES_UNTIL(there->got == 2));
	CU_ASSERT_EQUAL(side_stats(there).hot_paths, 1);
	part();
}

const struct conformance_case conformance_limits[] = {
	CONFORMANCE_CASE(what_is_too_long_is_refused_and_the_rest_goes_on, WEFT_DRIVER_RELIABLE),
	CONFORMANCE_CASE(lengths_that_add_up_to_nothing_are_refused, 0),
	CONFORMANCE_CASE(words_beside_a_loan_have_their_limit, WEFT_DRIVER_LOANS),
	CONFORMANCE_CASE(a_reader_holds_only_so_many_and_then_more_again, WEFT_DRIVER_SHARES),
	CONFORMANCE_CASE(a_port_carries_many_paths_and_each_its_own_frames, WEFT_DRIVER_RELIABLE),
	CONFORMANCE_CASE(a_path_that_has_traffic_is_hot_and_one_without_is_not,
			 WEFT_DRIVER_RELIABLE | WEFT_DRIVER_LOCAL),
	CONFORMANCE_END,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lent buffers: filled once, read in place, held by one reader or many, and home again after the last.
 */
#include "conformance.h"
#include "side.h"

#include <CUnit/Basic.h>
#include <string.h>
#include <weft/random.h>

#define READERS 4
#define HELD_MAX 8192
#define MIB ((size_t)1 << 20)

static struct side near, far[READERS];
static struct side_end *const here = &near.ends[0], *const there = &far[0].ends[0];

/* What a reader holds. */
static struct held {
	struct weft_path *path;
	const void *data;
	uint64_t len_bytes;
	uint32_t id;
} held[HELD_MAX];
static unsigned int held_count;

static void keep(struct side_end *end, const struct weft_rx_frame *frame)
{
	end->wrong += !frame->loan_data || held_count == HELD_MAX;
	end->got++;
	if (frame->loan_data && held_count < HELD_MAX)
		held[held_count++] = (struct held){frame->path, frame->loan_data, frame->loan_len_bytes,
						   frame->loan_id};
}

/* The lender is sent nothing; but what comes home comes by the same way. */
static void refuse_frame(struct side_end *end, const struct weft_rx_frame *frame)
{
	(void)frame;
	end->wrong++;
}

static void give_back(unsigned int i)
{
	held[i].path->port->release(held[i].path, held[i].id);
	held[i] = held[--held_count];
}

static void join(unsigned int readers, uint64_t quota_bytes)
{
	held_count = 0;
	side_open(&near, "near", 1, quota_bytes);
	here->on_frame = refuse_frame;
	for (unsigned int i = 0; i < readers; i++) {
		char name[] = {'r', (char)('0' + i), '\0'};

		side_open(&far[i], name, 1, 0);
		side_join(here, &far[i].ends[0]);
		far[i].ends[0].user = here->path;
		far[i].ends[0].on_frame = keep;
	}
}

static void part(unsigned int readers)
{
	struct weft_pool_stats stats;

	weft_pool_describe(here->pool, &stats);
	CU_ASSERT_EQUAL(stats.out_count, 0);
	CU_ASSERT_EQUAL(here->wrong, 0);
	CU_ASSERT_EQUAL(side_stats(here).loans_out, 0);
	CU_ASSERT_EQUAL(side_stats(here).bad_releases, 0);
	side_close(&near);
	for (unsigned int i = 0; i < readers; i++) {
		CU_ASSERT_EQUAL(far[i].ends[0].wrong, 0);
		side_close(&far[i]);
	}
}

static struct weft_buf *filled(size_t len_bytes, uint64_t number)
{
	struct weft_buf *buf = NULL;

	CU_ASSERT_EQUAL_FATAL(weft_pool_get(here->pool, len_bytes, &buf), 0);
	side_fill(buf->data, len_bytes, number);
	return buf;
}

static struct weft_tx_frame lending(struct weft_buf *buf, size_t len_bytes, uint64_t cookie)
{
	return (struct weft_tx_frame){.loan = buf, .loan_len_bytes = len_bytes, .cookie = cookie};
}

/* One of each size class, its edges, and a whole segment. */
static const size_t sizes[] = {1,     255,   256,     257, 2048,    2049,    16384,   16385,
			       65536, 65537, MIB - 1, MIB, MIB + 1, 3 * MIB, 7 * MIB, 20 * MIB};
#define SIZE_COUNT (sizeof sizes / sizeof *sizes)

static void a_buffer_of_every_size_is_read_in_place_and_comes_home(void)
{
	join(1, 0);
	side_grow(here, 8 * MIB);
	side_grow(here, 20 * MIB);
	for (unsigned int i = 0; i < SIZE_COUNT; i++) {
		struct weft_buf *buf = filled(sizes[i], i);
		struct weft_tx_frame frame = lending(buf, sizes[i], 1000 + i);

		CU_ASSERT_TRUE_FATAL(side_lend(here->path, &frame));
		weft_buf_put(buf);
		CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(held_count == 1));
		CU_ASSERT_EQUAL(held[0].len_bytes, sizes[i]);
		CU_ASSERT_TRUE(side_holds(held[0].data, sizes[i], i));
		CU_ASSERT_EQUAL(side_stats(here).loans_out, 1);
		here->home_sum = 0;
		give_back(0);
		CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(here->homes == i + 1));
		CU_ASSERT_EQUAL(here->home_sum, 1000 + i);
	}
	part(1);
}

static void a_buffer_lent_to_many_is_stored_once_and_home_after_the_last(void)
{
	join(READERS, 0);
	side_grow(here, 8 * MIB);
	side_grow(here, 20 * MIB);
	for (unsigned int i = 0; i < SIZE_COUNT; i++) {
		struct weft_buf *buf = filled(sizes[i], i);
		struct weft_pool_stats stats;

		for (unsigned int j = 0; j < READERS; j++) {
			struct weft_tx_frame frame = lending(buf, sizes[i], 1);

			CU_ASSERT_TRUE_FATAL(side_lend(far[j].ends[0].user, &frame));
		}
		weft_buf_put(buf);
		CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(held_count == READERS));
		for (unsigned int j = 0; j < READERS; j++)
			CU_ASSERT_TRUE(side_holds(held[j].data, sizes[i], i));
		while (held_count) {
			weft_pool_describe(here->pool, &stats);
			CU_ASSERT_EQUAL(stats.out_count, 1);
			CU_ASSERT_EQUAL(buf->refs, held_count);
			here->homes = 0;
			give_back(held_count / 2);
			CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(here->homes == 1));
		}
		weft_pool_describe(here->pool, &stats);
		CU_ASSERT_EQUAL(stats.out_count, 0);
	}
	part(READERS);
}

static void a_part_of_a_buffer_is_lent_with_words_beside_it(void)
{
	struct weft_buf *buf;
	struct weft_rx_frame frames[8];
	unsigned char head[256];
	uint32_t head_len;

	join(1, 0);
	there->on_frame = NULL;
	buf = filled(60000, 5);
	head_len = here->port->loan_head_max;
	CU_ASSERT_TRUE_FATAL(head_len <= sizeof head);
	side_fill(head, sizeof head, 6);
	for (uint32_t len = 0; len <= head_len; len++) {
		struct weft_tx_frame frame = {.meta = 77 + len,
					      .head = head,
					      .head_len_bytes = len,
					      .loan = buf,
					      .loan_offset_bytes = 10 + len,
					      .loan_len_bytes = 40000,
					      .cookie = 1};

		CU_ASSERT_TRUE_FATAL(side_lend(here->path, &frame));
		CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(there->port->rx(there->port, frames, 8) == 1));
		CU_ASSERT_EQUAL(frames[0].meta, 77 + len);
		CU_ASSERT_EQUAL(frames[0].len_bytes, len);
		CU_ASSERT_EQUAL(memcmp(frames[0].data, head, len), 0);
		CU_ASSERT_EQUAL(frames[0].loan_len_bytes, 40000);
		CU_ASSERT_EQUAL(memcmp(frames[0].loan_data, buf->data + 10 + len, 40000), 0);
		there->port->release(there->path, frames[0].loan_id);
	}
	CU_ASSERT_TRUE(SIDES_UNTIL(here->homes == head_len + 1));
	CU_ASSERT_EQUAL(buf->refs, 1);
	weft_buf_put(buf);
	part(1);
}

static void loans_and_small_data_keep_their_order(void)
{
	uint64_t number = 0;
	struct weft_buf *buf;

	join(1, 0);
	buf = filled(100, 0);
	there->on_frame = NULL;
	for (unsigned int round = 0; round < 500; round++) {
		struct weft_tx_frame frame = lending(buf, 100, 1);
		struct weft_rx_frame frames[64];
		unsigned int count;

		frame.meta = 2 * round;
		CU_ASSERT_TRUE_FATAL(side_lend(here->path, &frame));
		CU_ASSERT_TRUE_FATAL(
			SIDES_UNTIL(!here->port->send(here->path, WEFT_CLASS_NORMAL, 2 * round + 1, "x", 1, 0)));
		if (round % 7)
			continue;
		while ((count = there->port->rx(there->port, frames, 64)))
			for (unsigned int i = 0; i < count; i++) {
				CU_ASSERT_EQUAL(frames[i].meta, number);
				CU_ASSERT_EQUAL(!frames[i].loan_data, number % 2);
				number++;
				if (frames[i].loan_data)
					there->port->release(there->path, frames[i].loan_id);
			}
	}
	there->on_frame = keep;
	CU_ASSERT_TRUE(SIDES_UNTIL(number + there->got == 1000));
	there->wrong = 0; /* keep does not know of small data */
	while (held_count)
		give_back(0);
	weft_buf_put(buf);
	CU_ASSERT_TRUE(SIDES_UNTIL(here->homes == 500));
	part(1);
}

static void releases_may_come_in_any_order(void)
{
	struct weft_random random;
	uint64_t lent = 0, sum = 0;

	weft_random_seed(&random, 2);
	join(2, 0);
	side_grow(here, 12 * MIB);
	for (unsigned int step = 0; step < 6000; step++) {
		struct weft_path *path = far[weft_random_below(&random, 2)].ends[0].user;
		size_t len_bytes = 1 + weft_random_below(&random, 3000);
		struct weft_tx_frame frame;

		if (held_count && weft_random_below(&random, 2))
			give_back((unsigned int)weft_random_below(&random, held_count));
		if (held_count < 300) {
			struct weft_buf *buf = filled(len_bytes, 0);

			frame = lending(buf, len_bytes, lent + 1);
			CU_ASSERT_TRUE_FATAL(side_lend(path, &frame));
			weft_buf_put(buf);
			sum += ++lent;
		}
		sides_turn();
	}
	while (here->homes < lent) {
		while (held_count)
			give_back((unsigned int)weft_random_below(&random, held_count));
		CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(held_count || here->homes == lent));
	}
	CU_ASSERT_EQUAL(here->home_sum, sum);
	part(2);
}

static void lending_ends_at_the_quota_and_goes_on_below_it(void)
{
	struct weft_tx_frame frame;
	struct weft_buf *buf;
	int why = 0;

	join(1, 100000);
	buf = filled(60000, 0);
	frame = lending(buf, 60000, 1);
	CU_ASSERT_TRUE_FATAL(side_lend(here->path, &frame));
	CU_ASSERT_EQUAL(here->port->tx(here->path, WEFT_CLASS_NORMAL, &frame, 1, 0, &why), 0);
	CU_ASSERT_EQUAL(why, -WEFT_EQUOTA);
	CU_ASSERT_TRUE(side_stats(here).quota >= 1);
	frame.loan_len_bytes = 40000;
	CU_ASSERT_EQUAL(here->port->tx(here->path, WEFT_CLASS_NORMAL, &frame, 1, 0, &why), 1);
	CU_ASSERT_EQUAL(here->port->send(here->path, WEFT_CLASS_NORMAL, 0, "", 0, 0), 0);
	CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(there->got == 3));
	there->wrong = 0; /* the third was small data */
	give_back(0);
	give_back(0);
	CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(here->homes == 2));
	frame.loan_len_bytes = 60000;
	CU_ASSERT_EQUAL(here->port->tx(here->path, WEFT_CLASS_NORMAL, &frame, 1, 0, &why), 1);
	CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(held_count == 1));
	give_back(0);
	CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(here->homes == 3));
	weft_buf_put(buf);
	part(1);
}

static void memory_that_was_not_shared_yet_is_said_and_lent_later(void)
{
	struct weft_tx_frame frame;
	struct weft_buf *buf;
	int why = 0;

	join(1, 0);
	buf = filled(1000, 3);
	frame = lending(buf, 1000, 9);
	CU_ASSERT_EQUAL(here->port->tx(here->path, WEFT_CLASS_NORMAL, &frame, 1, 0, &why), 0);
	CU_ASSERT_EQUAL(why, -WEFT_ENXIO);
	CU_ASSERT_EQUAL(buf->refs, 1);
	for (unsigned int i = 0; i < 5; i++) /* once is enough, more do no harm */
		CU_ASSERT_EQUAL(side_driver->share(here->path, buf->segment_id), 0);
	CU_ASSERT_TRUE(SIDES_UNTIL(here->port->tx(here->path, WEFT_CLASS_NORMAL, &frame, 1, 0, NULL) == 1));
	CU_ASSERT_EQUAL(buf->refs, 2);
	weft_buf_put(buf);
	CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(held_count == 1));
	give_back(0);
	CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(here->homes == 1));
	part(1);
}

static void loans_of_a_reader_that_leaves_come_home(void)
{
	struct weft_buf *buf;

	join(2, 0);
	buf = filled(5000, 4);
	for (unsigned int i = 0; i < 40; i++) {
		struct weft_tx_frame frame = lending(buf, 5000, 1);

		CU_ASSERT_TRUE_FATAL(side_lend(far[i % 2].ends[0].user, &frame));
	}
	weft_buf_put(buf);
	CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(there->got == 20 && far[1].ends[0].got == 20));
	side_driver->disconnect(there->path); /* with twenty in its hands */
	there->path = NULL;
	CU_ASSERT_TRUE(SIDES_UNTIL(here->homes == 20 && here->downs == 1));
	CU_ASSERT_EQUAL(here->reason, WEFT_DOWN_CLOSED);
	CU_ASSERT_EQUAL(side_stats(here).loans_out, 20);
	side_close(&far[1]);
	CU_ASSERT_TRUE(SIDES_UNTIL(here->homes == 40 && here->downs == 2));
	part(1);
}

static void what_was_received_stays_readable_until_the_path_is_let_go(void)
{
	struct weft_tx_frame frame;
	struct weft_buf *buf;

	join(1, 0);
	there->keep_down = true;
	buf = filled(100000, 8);
	frame = lending(buf, 100000, 1);
	CU_ASSERT_TRUE_FATAL(side_lend(here->path, &frame));
	weft_buf_put(buf);
	CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(held_count == 1));
	side_close(&near);
	CU_ASSERT_TRUE(SIDES_UNTIL(there->downs == 1));
	CU_ASSERT_TRUE(side_holds(held[0].data, 100000, 8));
	give_back(0); /* nobody is there to hear it: harmless */
	side_driver->disconnect(there->path);
	CU_ASSERT_TRUE(SIDES_UNTIL(side_stats(there).paths == 0));
	side_close(&far[0]);
}

static void copies_are_as_declared(void)
{
	struct weft_tx_frame frame;
	struct weft_buf *buf;

	join(1, 0);
	buf = filled(MIB / 2, 0);
	frame = lending(buf, MIB / 2, 1);
	for (unsigned int i = 0; i < 10; i++)
		CU_ASSERT_TRUE_FATAL(side_lend(here->path, &frame));
	CU_ASSERT_TRUE_FATAL(SIDES_UNTIL(held_count == 10));
	CU_ASSERT_EQUAL(side_stats(here).tx_loans, 10);
	CU_ASSERT_EQUAL(side_stats(there).rx_loans, 10);
	CU_ASSERT_EQUAL(side_stats(here).loan_bytes, 10 * MIB / 2);
	CU_ASSERT_EQUAL(side_stats(here).copies, 0);
	CU_ASSERT_EQUAL(side_stats(here).copied_bytes, 0);
	CU_ASSERT_EQUAL(side_stats(there).copies, 0);
	CU_ASSERT_EQUAL(side_stats(there).copied_bytes, 0);
	for (unsigned int i = 0; i < 10; i++) {
		give_back(0);
		CU_ASSERT_EQUAL(here->port->send(here->path, WEFT_CLASS_NORMAL, 0, "0123456789", 10, 0), 0);
	}
	CU_ASSERT_TRUE(SIDES_UNTIL(there->got == 20 && here->homes == 10));
	/* Small data: once into the path, and once out of memory that the other can still write. */
	CU_ASSERT_EQUAL(side_stats(here).copies, 10);
	CU_ASSERT_EQUAL(side_stats(here).copied_bytes, 100);
	CU_ASSERT_EQUAL(side_stats(there).copies, 10);
	CU_ASSERT_EQUAL(side_stats(there).copied_bytes, 100);
	there->wrong = 0; /* keep does not know of small data */
	weft_buf_put(buf);
	part(1);
}

const struct conformance_case conformance_loans[] = {
	CONFORMANCE_CASE(a_buffer_of_every_size_is_read_in_place_and_comes_home, WEFT_DRIVER_LOANS),
	CONFORMANCE_CASE(a_buffer_lent_to_many_is_stored_once_and_home_after_the_last, WEFT_DRIVER_SHARES),
	CONFORMANCE_CASE(a_part_of_a_buffer_is_lent_with_words_beside_it, WEFT_DRIVER_LOANS),
	CONFORMANCE_CASE(loans_and_small_data_keep_their_order, WEFT_DRIVER_LOANS),
	CONFORMANCE_CASE(releases_may_come_in_any_order, WEFT_DRIVER_LOANS),
	CONFORMANCE_CASE(lending_ends_at_the_quota_and_goes_on_below_it, WEFT_DRIVER_SHARES),
	CONFORMANCE_CASE(memory_that_was_not_shared_yet_is_said_and_lent_later, WEFT_DRIVER_SHARES),
	CONFORMANCE_CASE(loans_of_a_reader_that_leaves_come_home, WEFT_DRIVER_SHARES),
	CONFORMANCE_CASE(what_was_received_stays_readable_until_the_path_is_let_go, WEFT_DRIVER_LOANS),
	CONFORMANCE_CASE(copies_are_as_declared, WEFT_DRIVER_SHARES),
	CONFORMANCE_END,
};

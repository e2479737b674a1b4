/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two workers on each side, each in a thread of its own, and a runner in another: paths between all four ends carry
 * small data and loans both ways at once, while paths come and go.
 */
#include "conformance.h"
#include "side.h"

#include <CUnit/Basic.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#define FRAMES 3000u
#define ENDS 4u
#define PATHS_OF_ONE 2u

static struct side sides[2];
static atomic_uint finished;
static atomic_bool runners_stop;

/* What one thread knows of its end. */
struct talk {
	struct side_end *end;
	uint32_t sent[PATHS_OF_ONE], got[PATHS_OF_ONE];
	struct weft_buf *buf;
	pthread_t thread;
};
static struct talk talks[ENDS];

static unsigned int path_index(struct talk *talk, const struct weft_path *path)
{
	unsigned int i = 0;

	while (i < PATHS_OF_ONE && talk->end->paths[i] != path)
		i++;
	return i;
}

static void on_frame(struct side_end *end, const struct weft_rx_frame *frame)
{
	struct talk *talk = end->user;
	unsigned int i = path_index(talk, frame->path);

	if (i == PATHS_OF_ONE || frame->meta != talk->got[i]) {
		end->wrong++;
		return;
	}
	if (frame->loan_data) {
		end->wrong += !side_holds(frame->loan_data, 300, 7);
		frame->path->port->release(frame->path, frame->loan_id);
	} else {
		end->wrong += !side_holds(frame->data, frame->len_bytes, frame->meta);
	}
	talk->got[i]++;
}

static void send_next(struct talk *talk, unsigned int i)
{
	uint32_t number = talk->sent[i];
	unsigned char bytes[64];
	struct weft_tx_frame frame = {.meta = number, .data = bytes, .data_len_bytes = number % 64};
	int why = 0;

	if (number % 10 == 0 && side_driver->caps & WEFT_DRIVER_LOANS) {
		frame.loan = talk->buf;
		frame.loan_len_bytes = 300;
		frame.data_len_bytes = 0;
		frame.cookie = 1;
	}
	side_fill(bytes, frame.data_len_bytes, number);
	talk->sent[i] += talk->end->port->tx(talk->end->paths[i], WEFT_CLASS_NORMAL, &frame, 1, 0, &why);
	if (why == -WEFT_ENXIO)
		side_driver->share(talk->end->paths[i], talk->buf->segment_id);
}

static bool is_done(const struct talk *talk)
{
	for (unsigned int i = 0; i < PATHS_OF_ONE; i++)
		if (talk->sent[i] < FRAMES || talk->got[i] < FRAMES)
			return false;
	return talk->buf->refs == 1;
}

static void *run_end(void *argument)
{
	uint64_t end_ns = patience_end_ns();
	struct talk *talk = argument;
	bool done = false;

	weft_worker_take(talk->end->worker);
	/* Others still need our turns when we are done. */
	while (atomic_load_explicit(&finished, memory_order_relaxed) < ENDS &&
	       weft_clock_now(weft_clock_real()) < end_ns) {
		for (unsigned int i = 0; i < talk->end->ups; i++)
			if (talk->sent[i] < FRAMES)
				send_next(talk, i);
		if (!weft_worker_poll(talk->end->worker))
			sched_yield();
		if (!done && talk->end->ups == PATHS_OF_ONE && is_done(talk)) {
			done = true;
			atomic_fetch_add_explicit(&finished, 1, memory_order_relaxed);
		}
	}
	return NULL;
}

static void *run_runner(void *argument)
{
	struct side *side = argument;

	weft_worker_take(side->runner);
	/* Each end of the first side connects to both of the second. */
	for (unsigned int i = 0; side == &sides[0] && i < ENDS; i++)
		side->asked += side_connect(&side->ends[i / 2], sides[1].name, i % 2, NULL) < 0;
	while (!atomic_load_explicit(&runners_stop, memory_order_relaxed))
		weft_worker_turn(side->runner, weft_clock_now(weft_clock_real()) + 1000000);
	return NULL;
}

static void two_workers_on_each_side_talk_to_each_other(void)
{
	pthread_t runners[2];

	atomic_store_explicit(&finished, 0, memory_order_relaxed);
	atomic_store_explicit(&runners_stop, false, memory_order_relaxed);
	side_open(&sides[0], "left", 2, 0);
	side_open(&sides[1], "right", 2, 0);
	for (unsigned int i = 0; i < ENDS; i++) {
		talks[i] = (struct talk){.end = &sides[i / 2].ends[i % 2]};
		talks[i].end->user = &talks[i];
		talks[i].end->on_frame = on_frame;
		CU_ASSERT_EQUAL_FATAL(weft_pool_get(talks[i].end->pool, 300, &talks[i].buf), 0);
		side_fill(talks[i].buf->data, 300, 7);
	}
	for (unsigned int i = 0; i < ENDS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&talks[i].thread, NULL, run_end, &talks[i]), 0);
	for (unsigned int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&runners[i], NULL, run_runner, &sides[i]), 0);
	for (unsigned int i = 0; i < ENDS; i++)
		pthread_join(talks[i].thread, NULL);
	atomic_store_explicit(&runners_stop, true, memory_order_relaxed);
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(runners[i], NULL);
	CU_ASSERT_EQUAL(atomic_load_explicit(&finished, memory_order_relaxed), ENDS);
	for (unsigned int i = 0; i < ENDS; i++) {
		CU_ASSERT_EQUAL(talks[i].end->wrong, 0);
		CU_ASSERT_EQUAL(talks[i].end->downs + talks[i].end->failures, 0);
		weft_worker_take(talks[i].end->worker);
		weft_buf_put(talks[i].buf);
	}
	for (unsigned int i = 0; i < 2; i++) {
		weft_worker_take(sides[i].runner);
		side_close(&sides[i]);
	}
}

const struct conformance_case conformance_threads[] = {
	CONFORMANCE_CASE(two_workers_on_each_side_talk_to_each_other, WEFT_DRIVER_RELIABLE),
	CONFORMANCE_END,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two processes: one leaves in good order or is killed in mid traffic with loans out; the other is told which of the
 * two, and everything that it lent is home.
 */
#include "conformance.h"
#include "fork.h"
#include "side.h"

#include <CUnit/Basic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft/random.h>

static struct side side;
static struct side_end *const end = &side.ends[0];

/* Keeps each eighth loan for ever and gives the others back. */
static void on_frame(struct side_end *at, const struct weft_rx_frame *frame)
{
	if (frame->loan_data) {
		at->wrong += !side_holds(frame->loan_data, 64, frame->meta);
		if (frame->meta % 8)
			frame->path->port->release(frame->path, frame->loan_id);
	}
	at->got++;
}

/* Sends small data and loans, as much as the other takes. */
static void traffic(struct weft_buf *buf)
{
	struct weft_tx_frame frame = {.loan = buf, .loan_len_bytes = 5000, .cookie = 1};
	int why = 0;

	sides_turn();
	if (!end->path)
		return;
	end->port->send(end->path, WEFT_CLASS_NORMAL, 0, buf->data, 40, 0);
	end->port->send(end->path, WEFT_CLASS_EXPRESS, 0, buf->data, 200, 0);
	if (!end->port->tx(end->path, WEFT_CLASS_NORMAL, &frame, 1, 0, &why) && why == -WEFT_ENXIO)
		side_driver->share(end->path, buf->segment_id);
}

static struct weft_buf *open_with_buffer(const char *which)
{
	struct weft_buf *buf = NULL;

	side_open(&side, which, 1, 0);
	end->on_frame = on_frame;
	CU_ASSERT_EQUAL_FATAL(weft_pool_get(end->pool, 5000, &buf), 0);
	side_fill(buf->data, 5000, 0);
	return buf;
}

/* A child that waits for its parent's connection and talks until it is killed, or for that many frames. */
static pid_t start_child(uint64_t frames, int *ready_fd)
{
	int ready[2];
	pid_t child;

	CU_ASSERT_EQUAL_FATAL(pipe(ready), 0);
	child = fork_alone();
	CU_ASSERT_TRUE_FATAL(child >= 0);
	if (child == 0) {
		struct weft_buf *buf;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		buf = open_with_buffer("child");
		if (write(ready[1], "x", 1) != 1)
			_exit(1);
		while (end->got < frames && !end->downs)
			traffic(buf);
		side_close(&side);
		_exit(end->wrong != 0);
	}
	close(ready[1]);
	*ready_fd = ready[0];
	return child;
}

/* Opens our side and talks to the child until it has sent that many frames. */
static struct weft_buf *talk(pid_t child, int ready_fd, uint64_t frames)
{
	struct weft_buf *buf = open_with_buffer("parent");
	char name[48], byte;

	side_name(name, "child", (int)child);
	CU_ASSERT_EQUAL_FATAL(read(ready_fd, &byte, 1), 1);
	close(ready_fd);
	CU_ASSERT_EQUAL_FATAL(side_connect(end, name, 0, NULL), 0);
	CU_ASSERT_TRUE_FATAL(PATIENCE_UNTIL(traffic(buf), end->got >= frames || end->downs));
	return buf;
}

static void check_home(struct weft_buf *buf)
{
	struct weft_pool_stats stats;

	CU_ASSERT_TRUE(SIDES_UNTIL(end->downs == 1 && side_stats(end).loans_out == 0 && side_stats(end).paths == 0));
	CU_ASSERT_EQUAL(buf->refs, 1);
	CU_ASSERT_EQUAL(end->wrong, 0);
	weft_buf_put(buf);
	weft_pool_describe(end->pool, &stats);
	CU_ASSERT_EQUAL(stats.out_count, 0);
	CU_ASSERT_EQUAL(side_stats(end).violations, 0);
	side_close(&side);
}

static void a_process_that_leaves_takes_leave(void)
{
	int ready_fd, status = -1;
	pid_t child = start_child(3000, &ready_fd);
	struct weft_buf *buf = talk(child, ready_fd, UINT64_MAX);

	CU_ASSERT_EQUAL(end->reason, WEFT_DOWN_CLOSED);
	check_home(buf);
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(status, 0);
}

static void a_process_that_is_killed_in_mid_traffic_is_noticed(void)
{
	const char *seed_text = getenv("WEFT_TEST_SEED");
	uint64_t seed = seed_text ? strtoull(seed_text, NULL, 0) : 1;
	struct weft_random random;

	printf("seed %llu ", (unsigned long long)seed);
	weft_random_seed(&random, seed);
	for (unsigned int i = 0; i < 10; i++) {
		int ready_fd, status = 0;
		pid_t child = start_child(UINT64_MAX, &ready_fd);
		struct weft_buf *buf = talk(child, ready_fd, 1 + weft_random_below(&random, 2000));

		CU_ASSERT_EQUAL(kill(child, SIGKILL), 0);
		CU_ASSERT_TRUE(SIDES_UNTIL(end->downs == 1));
		CU_ASSERT_EQUAL(end->reason, WEFT_DOWN_DIED);
		check_home(buf);
		CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
		CU_ASSERT_TRUE(WIFSIGNALED(status));
	}
}

/* A process that is stopped still has our memory before its eyes: nothing comes home until it runs or has ended. */
static void a_process_that_is_stopped_keeps_what_it_holds(void)
{
	int ready_fd;
	pid_t child = start_child(UINT64_MAX, &ready_fd);
	struct weft_buf *buf = talk(child, ready_fd, 500);
	uint64_t out, before;

	while (side_stats(end).loans_out == 0 && !end->downs)
		traffic(buf);
	CU_ASSERT_EQUAL(kill(child, SIGSTOP), 0);
	CU_ASSERT_EQUAL(waitpid(child, NULL, WUNTRACED), child);
	/* Until what it had sent before is taken. */
	do {
		before = end->got;
		for (unsigned int i = 0; i < 1000; i++)
			sides_turn();
	} while (end->got != before);
	out = side_stats(end).loans_out;
	CU_ASSERT_TRUE(out > 0);
	CU_ASSERT_EQUAL(end->downs, 0);
	side_driver->disconnect(end->path);
	end->path = NULL;
	for (unsigned int i = 0; i < 1000; i++)
		sides_turn();
	CU_ASSERT_EQUAL(side_stats(end).loans_out, out);
	CU_ASSERT_EQUAL(buf->refs, out + 1);
	CU_ASSERT_EQUAL(kill(child, SIGKILL), 0);
	CU_ASSERT_TRUE(SIDES_UNTIL(side_stats(end).loans_out == 0));
	CU_ASSERT_EQUAL(waitpid(child, NULL, 0), child);
	CU_ASSERT_EQUAL(buf->refs, 1);
	weft_buf_put(buf);
	side_close(&side);
}

#define NEEDED (WEFT_DRIVER_RELIABLE | WEFT_DRIVER_LOCAL | WEFT_DRIVER_LOANS)

const struct conformance_case conformance_processes[] = {
	CONFORMANCE_CASE(a_process_that_leaves_takes_leave, NEEDED),
	CONFORMANCE_CASE(a_process_that_is_killed_in_mid_traffic_is_noticed, NEEDED),
	CONFORMANCE_CASE(a_process_that_is_stopped_keeps_what_it_holds, NEEDED),
	CONFORMANCE_END,
};

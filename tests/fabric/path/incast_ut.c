/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many senders to one receiver at once, over a simulated switch of 100 Gb/s and round trips of 2 us: what they carry
 * together, and how much waits at the receiver's line. Of virtual time, and so the same on every machine.
 */
#include "simulated.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#define SENDERS 64u
#define LINE_BITS_PER_SECOND UINT64_C(100000000000)
#define ONE_WAY_NS 1000u
#define PRODUCT_BYTES 25000u /* of bandwidth and delay */
#define LENT_MAX 2u          /* messages of one sender at a time */
#define SILENT 12u           /* senders, of whom nothing comes for a while */
#define MS_NS UINT64_C(1000000)
#define STEP_NS 400 /* a turn takes its time */
#define BEGIN_NS (2 * MS_NS)
#define BEGIN_UNMARKED_NS (8 * MS_NS) /* round trips tell of it later */
#define UNMARKED_BYTES 1048576u       /* wait where nothing is marked, of 4 MiB that could */

static const struct weft_sim_line marking = {.bits_per_second = LINE_BITS_PER_SECOND,
					     .queue_bytes = 4 << 20,
					     .mark_bytes = 2 * PRODUCT_BYTES};
static const struct weft_sim_line unmarked = {.bits_per_second = LINE_BITS_PER_SECOND, .queue_bytes = 4 << 20};

static struct {
	struct simulated net;
	struct side receiver, senders[SENDERS];
	struct weft_buf *buffers[SENDERS];
	uint64_t lent[SENDERS], got_bytes[SENDERS], all_bytes, wrong;
	uint32_t len_bytes;
	const char *host;                 /* of the receiver, */
	const struct weft_sim_line *line; /* and what leads there */
	char address[WEFT_DEVICE_ADDRESS_MAX];
} world;

static uint8_t stream_of(uint64_t meta, enum weft_class class_)
{
	(void)meta, (void)class_;
	return 0;
}

static void on_frame(struct side_end *end, const struct weft_rx_frame *frame)
{
	unsigned int from = (unsigned int)frame->meta;

	(void)end;
	if (from >= SENDERS || !frame->loan_data || frame->loan_len_bytes != world.len_bytes) {
		world.wrong++;
		return;
	}
	world.got_bytes[from] += frame->loan_len_bytes;
	world.all_bytes += frame->loan_len_bytes;
	frame->path->port->release(frame->path, frame->loan_id);
}

static void step(void)
{
	uint64_t next_ns = weft_sim_next_ns(world.net.sim);

	sides_turn();
	next_ns = simulated_next_ns(next_ns, &world.receiver);
	for (unsigned int i = 0; i < SENDERS; i++)
		next_ns = simulated_next_ns(next_ns, &world.senders[i]);
	simulated_go_on(&world.net, next_ns, STEP_NS);
}

static void send_more(unsigned int i)
{
	struct side_end *end = &world.senders[i].ends[0];
	struct weft_tx_frame frame = {.meta = i,
				      .loan = world.buffers[i],
				      .loan_len_bytes = world.len_bytes,
				      .cookie = 1};

	while (world.lent[i] - end->homes < LENT_MAX &&
	       end->port->tx(end->path, WEFT_CLASS_NORMAL, &frame, 1, 0, NULL) == 1)
		world.lent[i]++;
}

static void run_for(uint64_t span_ns)
{
	uint64_t end_ns = simulated_now_ns(&world.net) + span_ns;

	while (simulated_now_ns(&world.net) < end_ns) {
		for (unsigned int i = 0; i < SENDERS; i++)
			send_more(i);
		step();
	}
}

static void connect_all(void)
{
	for (unsigned int i = 0; i < SENDERS; i++) {
		struct side_end *end = &world.senders[i].ends[0];
		char name[16];

		snprintf(name, sizeof name, "sender-%u", i);
		side_open(&world.senders[i], name, 1, 0);
		CU_ASSERT_EQUAL_FATAL(side_connect(end, world.receiver.name, 0, &world), 0);
		for (unsigned int steps = 0; steps < 100000 && !end->path; steps++) {
			sides_turn();
			weft_clock_virtual_set(world.net.clock, simulated_now_ns(&world.net) + 500);
		}
		CU_ASSERT_PTR_NOT_NULL_FATAL(end->path);
		CU_ASSERT_EQUAL_FATAL(weft_pool_get(end->pool, world.len_bytes, &world.buffers[i]), 0);
	}
}

static void open_world(const struct weft_sim_line *line, uint32_t len_bytes)
{
	struct weft_sim_opts opts;

	memset(&world, 0, sizeof world);
	world.len_bytes = len_bytes;
	world.line = line;
	weft_sim_opts_init(&opts, sizeof opts);
	opts.seed = 1;
	opts.link.delay_ns = ONE_WAY_NS;
	opts.link.bits_per_second = LINE_BITS_PER_SECOND;
	simulated_open(&world.net, &opts, stream_of);
	side_open(&world.receiver, "receiver", 1, 0);
	side_grow(&world.receiver.ends[0], 256 << 20);
	world.host = side_address(world.receiver.name, world.address);
	CU_ASSERT_EQUAL_FATAL(weft_sim_set_downlink(world.net.sim, world.host, world.line), 0);
	world.receiver.ends[0].on_frame = on_frame;
	connect_all();
}

static void close_world(void)
{
	for (unsigned int i = 0; i < SENDERS; i++) {
		weft_buf_put(world.buffers[i]);
		side_close(&world.senders[i]);
	}
	side_close(&world.receiver);
	simulated_close(&world.net);
}

/* The share of the line that they got while it was looked at. */
static double carry_for(uint64_t span_ns)
{
	uint64_t before_bytes = world.all_bytes;

	CU_ASSERT_EQUAL(weft_sim_set_downlink(world.net.sim, world.host, world.line), 0);
	run_for(span_ns);
	return (double)(world.all_bytes - before_bytes) * 8e9 / ((double)LINE_BITS_PER_SECOND * (double)span_ns);
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t waiting(double percent)
{
	return weft_sim_downlink_waiting(world.net.sim, world.host, percent);
}

static void share_the_line(const struct weft_sim_line *line, uint32_t len_bytes, uint64_t span_ns,
			   uint64_t waiting_bytes)
{
	uint64_t least_bytes = UINT64_MAX, most_bytes = 0;
	double share;

	open_world(line, len_bytes);
	run_for(line->mark_bytes ? BEGIN_NS : BEGIN_UNMARKED_NS);
	memset(world.got_bytes, 0, sizeof world.got_bytes);
	share = carry_for(span_ns);
	for (unsigned int i = 0; i < SENDERS; i++) {
		least_bytes = smaller(least_bytes, world.got_bytes[i]);
		most_bytes = world.got_bytes[i] > most_bytes ? world.got_bytes[i] : most_bytes;
	}
	printf("%.2f of the line, waiting p50 %llu p99 %llu max %llu, from each %llu to %llu messages ", share,
	       (unsigned long long)waiting(50), (unsigned long long)waiting(99), (unsigned long long)waiting(100),
	       (unsigned long long)least_bytes / len_bytes, (unsigned long long)most_bytes / len_bytes);
	CU_ASSERT_TRUE(share >= 0.9);
	CU_ASSERT_TRUE(waiting(99) < waiting_bytes);
	CU_ASSERT_TRUE(most_bytes - least_bytes <= most_bytes / 8 + 2 * len_bytes);
	CU_ASSERT_EQUAL(world.wrong, 0);
	close_world();
}

static void large_messages_share_the_line(void)
{
	share_the_line(&marking, 1 << 20, 12 * MS_NS, 5 * PRODUCT_BYTES);
}

static void middling_messages_share_the_line(void)
{
	share_the_line(&marking, 100000, 4 * MS_NS, 5 * PRODUCT_BYTES);
}

static void short_messages_share_the_line(void)
{
	share_the_line(&marking, 16384, 3 * MS_NS, 5 * PRODUCT_BYTES);
}

static void large_messages_share_a_line_that_marks_nothing(void)
{
	share_the_line(&unmarked, 1 << 20, 12 * MS_NS, UNMARKED_BYTES);
}

static void middling_messages_share_a_line_that_marks_nothing(void)
{
	share_the_line(&unmarked, 100000, 4 * MS_NS, UNMARKED_BYTES);
}

static void who_is_granted_and_sends_nothing_holds_up_nobody(void)
{
	char address[WEFT_DEVICE_ADDRESS_MAX];
	double before, after;

	open_world(&marking, 100000);
	run_for(BEGIN_NS);
	before = carry_for(4 * MS_NS);
	/* All of them may be granted something, and twice as many as get grants at once do not use it. */
	for (unsigned int i = 0; i < SILENT; i++)
		CU_ASSERT_EQUAL(weft_sim_clog(world.net.sim, side_address(world.senders[i].name, address), world.host,
					      true),
				0);
	run_for(4 * MS_NS);
	after = carry_for(4 * MS_NS);
	printf("%.2f of the line, and %.2f without %u of them ", before, after, SILENT);
	CU_ASSERT_TRUE(after >= 0.8);
	/* And they go on. */
	memset(world.got_bytes, 0, sizeof world.got_bytes);
	for (unsigned int i = 0; i < SILENT; i++)
		CU_ASSERT_EQUAL(weft_sim_clog(world.net.sim, side_address(world.senders[i].name, address), world.host,
					      false),
				0);
	run_for(8 * MS_NS);
	for (unsigned int i = 0; i < SILENT; i++)
		CU_ASSERT_TRUE(world.got_bytes[i] > 0);
	CU_ASSERT_EQUAL(world.wrong, 0);
	close_world();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(large_messages_share_the_line),
		SUITE_CASE(middling_messages_share_the_line),
		SUITE_CASE(short_messages_share_the_line),
		SUITE_CASE(large_messages_share_a_line_that_marks_nothing),
		SUITE_CASE(middling_messages_share_a_line_that_marks_nothing),
		SUITE_CASE(who_is_granted_and_sends_nothing_holds_up_nobody),
	};

	return suite_main("incast", cases, SUITE_COUNT(cases), argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two ports over a simulated network that loses, doubles, reorders and alters packets, under a virtual clock: every
 * message arrives once, as it was sent, and in the order of its stream; what was lent comes home; and streams do not wait
 * for each other. A failure prints the seed of its run.
 */
#include "simulated.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/random.h>

#define STREAMS 100u
#define LONGEST 300000u
#define KEPT_MAX 16u

static struct {
	struct simulated net;
	struct weft_random random;
	uint64_t seed;
	struct side near, far;
	uint32_t sent[STREAMS], got[STREAMS];
	uint64_t sent_count, got_count, wrong, lent, got_bytes;
	struct weft_rx_frame kept[KEPT_MAX];
	unsigned int kept_count;
} world;

static uint8_t stream_of(uint64_t meta, enum weft_class class_)
{
	(void)class_;
	return meta & 0xff;
}

static uint64_t meta_of(unsigned int stream, uint32_t number)
{
	return stream | (uint64_t)number << 8;
}

static uint64_t value_of(uint64_t meta)
{
	return meta * UINT64_C(0x9e3779b97f4a7c15);
}

static void let_go(unsigned int i)
{
	const struct weft_rx_frame *frame = &world.kept[i];

	world.wrong += !side_holds(frame->loan_data, frame->loan_len_bytes, value_of(frame->meta));
	frame->path->port->release(frame->path, frame->loan_id);
	world.kept[i] = world.kept[--world.kept_count];
}

static void on_frame(struct side_end *end, const struct weft_rx_frame *frame)
{
	unsigned int stream = frame->meta & 0xff;

	(void)end;
	world.wrong += stream >= STREAMS || frame->meta >> 8 != world.got[stream];
	if (stream < STREAMS)
		world.got[stream]++;
	world.got_count++;
	if (!frame->loan_data) {
		world.wrong += !side_holds(frame->data, frame->len_bytes, value_of(frame->meta));
		world.got_bytes += frame->len_bytes;
		return;
	}
	world.got_bytes += frame->loan_len_bytes;
	world.wrong += frame->len_bytes != 8 || memcmp(frame->data, &frame->meta, 8) != 0;
	if (world.kept_count == KEPT_MAX)
		let_go((unsigned int)weft_random_below(&world.random, KEPT_MAX));
	world.kept[world.kept_count++] = *frame;
	if (weft_random_below(&world.random, 4))
		let_go(world.kept_count - 1);
}

/* ---- time ---- */

/* Everybody does what there is to do, then time goes on to whatever comes next. */
static void step(void)
{
	uint64_t next_ns = weft_sim_next_ns(world.net.sim);

	sides_turn();
	next_ns = simulated_next_ns(simulated_next_ns(next_ns, &world.near), &world.far);
	simulated_go_on(&world.net, next_ns, 500);
}

#define WORLD_UNTIL(condition)                                       \
	({                                                           \
		uint64_t steps_ = 0;                                 \
		bool held_;                                          \
		while (!(held_ = (condition)) && steps_++ < 3000000) \
			step();                                      \
		held_;                                               \
	})

/* ---- a run ---- */

static void open_world(uint64_t seed, const struct weft_sim_link *link)
{
	struct weft_sim_opts opts;

	memset(&world, 0, sizeof world);
	world.seed = seed;
	weft_random_seed(&world.random, seed);
	weft_sim_opts_init(&opts, sizeof opts);
	opts.seed = seed;
	opts.link = *link;
	simulated_open(&world.net, &opts, stream_of);
	side_open(&world.near, "near", 1, 0);
	side_open(&world.far, "far", 1, 0);
	CU_ASSERT_EQUAL_FATAL(side_connect(&world.near.ends[0], world.far.name, 0, &world), 0);
	CU_ASSERT_TRUE_FATAL(WORLD_UNTIL(world.near.ends[0].path && world.far.ends[0].path));
	world.near.ends[0].on_frame = world.far.ends[0].on_frame = on_frame;
}

static void close_world(void)
{
	while (world.kept_count)
		let_go(0);
	side_close(&world.near);
	side_close(&world.far);
	simulated_close(&world.net);
}

static bool send_small(unsigned int stream)
{
	struct side_end *end = &world.near.ends[0];
	uint64_t meta = meta_of(stream, world.sent[stream]);
	enum weft_class class_ = stream % 4 ? WEFT_CLASS_NORMAL : WEFT_CLASS_EXPRESS;
	uint32_t len_bytes = (uint32_t)weft_random_below(&world.random,
							 weft_random_below(&world.random, 8) ? 100 : 1201);
	unsigned char bytes[1200];

	side_fill(bytes, len_bytes, value_of(meta));
	return end->port->send(end->path, class_, meta, bytes, len_bytes,
			       weft_random_below(&world.random, 2) ? WEFT_TX_MORE : 0) == 0;
}

static bool send_large(unsigned int stream)
{
	struct side_end *end = &world.near.ends[0];
	uint64_t meta = meta_of(stream, world.sent[stream]);
	uint32_t len_bytes = 1 + (uint32_t)weft_random_below(&world.random, LONGEST);
	struct weft_tx_frame frame = {
		.meta = meta, .head = &meta, .head_len_bytes = sizeof meta, .loan_len_bytes = len_bytes, .cookie = 1};
	bool taken;

	if (weft_pool_get(end->pool, len_bytes, &frame.loan) < 0) {
		if (world.lent - end->homes < 8)
			side_grow(end, LONGEST);
		return false;
	}
	side_fill(frame.loan->data, len_bytes, value_of(meta));
	taken = end->port->tx(end->path, stream % 4 ? WEFT_CLASS_NORMAL : WEFT_CLASS_EXPRESS, &frame, 1, 0, NULL) == 1;
	world.lent += taken;
	weft_buf_put(frame.loan);
	return taken;
}

/* Sends so many messages as fast as they are taken; returns how many bytes a virtual second arrived. */
static double run(uint64_t count, unsigned int one_large_in)
{
	uint64_t start_ns = weft_clock_now(world.net.clock);
	struct side_end *near = &world.near.ends[0], *far = &world.far.ends[0];

	while (world.sent_count < count && near->downs + far->downs == 0) {
		unsigned int stream = (unsigned int)weft_random_below(&world.random, STREAMS);
		bool taken = weft_random_below(&world.random, one_large_in) ? send_small(stream) : send_large(stream);

		world.sent[stream] += taken;
		world.sent_count += taken;
		if (!taken)
			step();
	}
	CU_ASSERT_TRUE(WORLD_UNTIL(world.got_count == count || near->downs + far->downs));
	CU_ASSERT_TRUE(WORLD_UNTIL(near->homes == world.lent || near->downs + far->downs));
	CU_ASSERT_EQUAL(near->downs + far->downs, 0);
	CU_ASSERT_EQUAL(world.got_count, count);
	CU_ASSERT_EQUAL(world.wrong, 0);
	CU_ASSERT_EQUAL(side_stats(near).violations + side_stats(far).violations, 0);
	if (world.got_count != count || world.wrong || near->downs + far->downs)
		printf("\n\tseed %#llx: %llu of %llu came, %llu wrong ", (unsigned long long)world.seed,
		       (unsigned long long)world.got_count, (unsigned long long)count, (unsigned long long)world.wrong);
	return (double)world.got_bytes * 1e9 / (double)(weft_clock_now(world.net.clock) - start_ns);
}

static struct weft_sim_link good_link(void)
{
	struct weft_sim_opts opts;

	weft_sim_opts_init(&opts, sizeof opts);
	opts.link.bits_per_second = UINT64_C(10000000000);
	opts.link.queue_bytes = 1 << 20;
	return opts.link;
}

static double goodput(const struct weft_sim_link *link, uint64_t seed)
{
	double bytes_per_second;

	open_world(seed, link);
	bytes_per_second = run(20000, 50);
	close_world();
	return bytes_per_second;
}

static void a_network_without_faults_carries_all(void)
{
	struct weft_sim_link link = good_link();

	CU_ASSERT_TRUE(goodput(&link, 1) > 0);
}

static void losses_are_made_good(void)
{
	static const double losses[] = {0.001, 0.01, 0.05};
	struct weft_sim_link link = good_link();
	double without = goodput(&link, 2);

	for (unsigned int i = 0; i < 3; i++) {
		double share;

		link.loss = losses[i];
		share = goodput(&link, 3 + i) / without;
		printf("%.1f %% lost: %.2f of the goodput ", losses[i] * 100, share);
		/* Of virtual time, and so the same on every machine. */
		CU_ASSERT_TRUE(share >= 0.7 || losses[i] > 0.01);
	}
}

static void doubles_and_strays_are_sorted_out(void)
{
	struct weft_sim_link link = good_link();

	link.duplicate = 0.05;
	link.reorder = 0.05;
	link.reorder_ns = 100000;
	CU_ASSERT_TRUE(goodput(&link, 10) > 0);
}

static void what_was_altered_is_not_taken_for_what_was_sent(void)
{
	struct weft_sim_link link = good_link();

	link.corrupt = 0.02;
	CU_ASSERT_TRUE(goodput(&link, 11) > 0);
}

static void all_of_it_at_once_and_with_delays_that_vary(void)
{
	struct weft_sim_link link = good_link();

	link.delay = WEFT_SIM_HEAVY;
	link.spread_ns = 5000;
	link.loss = 0.02;
	link.duplicate = 0.02;
	link.reorder = 0.02;
	link.reorder_ns = 50000;
	link.corrupt = 0.01;
	for (uint64_t seed = 20; seed < 25; seed++)
		CU_ASSERT_TRUE(goodput(&link, seed) > 0);
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(a_network_without_faults_carries_all),
		SUITE_CASE(losses_are_made_good),
		SUITE_CASE(doubles_and_strays_are_sorted_out),
		SUITE_CASE(what_was_altered_is_not_taken_for_what_was_sent),
		SUITE_CASE(all_of_it_at_once_and_with_delays_that_vary),
	};

	return suite_main("path lossy", cases, SUITE_COUNT(cases), argc, argv);
}

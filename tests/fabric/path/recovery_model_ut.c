/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves, over a network that loses, doubles, reorders, marks and holds back packets and acknowledgements, that each
 * packet is told of once, that nothing is said to have arrived which did not, that every parcel gets there, and that the
 * counts of what flies are right at any time; and where only our own loop stands still, that nothing is taken for lost.
 * Prints its seed; give one in WEFT_TEST_SEED to repeat it.
 */
#include "channel.h"
#include "path/ranges.h"
#include "path/recovery.h"
#include "suite.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARCELS 2000u
#define PACKETS 100000u
#define STEPS_MAX 1000000u
#define US UINT64_C(1000)
#define MS UINT64_C(1000000)

struct packet {
	unsigned int parcel; /* 0: none */
	uint32_t len_bytes;
	bool came, acked, lost, undone;
};

static struct {
	struct weft_random random;
	struct channel_opts opts;
	uint64_t now_ns, looked_ns;
	/* the sender */
	struct weft__recovery recovery;
	struct packet packets[PACKETS];
	bool arrived[PARCELS + 1]; /* by what the sender knows */
	unsigned int flying_of[PARCELS + 1];
	unsigned int waiting[PACKETS], waiting_first, waiting_count;
	unsigned int flying_count, arrived_count;
	uint64_t flying_bytes, stands_until_ns;
	/* the receiver */
	struct weft__ranges came;
	bool delivered[PARCELS + 1];
	unsigned int unacked;
	uint64_t ack_at_ns, ce_count;
	unsigned int wrong;
} model;

static bool happens(double probability)
{
	return weft_random_unit(&model.random) < probability;
}

/* ---- what recovery says ---- */

static struct packet *landed(void *name)
{
	struct packet *packet = &model.packets[(uintptr_t)name - 1];

	model.wrong += packet->acked || packet->lost;
	model.flying_count--;
	model.flying_bytes -= packet->len_bytes;
	model.flying_of[packet->parcel]--;
	return packet;
}

static void parcel_arrived(const struct packet *packet)
{
	model.wrong += !packet->came;
	if (!model.arrived[packet->parcel])
		model.arrived_count++;
	model.arrived[packet->parcel] = true;
}

static void on_acked(void *user, void *name)
{
	struct packet *packet = landed(name);

	(void)user;
	packet->acked = true;
	parcel_arrived(packet);
}

static void on_lost(void *user, void *name)
{
	struct packet *packet = landed(name);

	(void)user;
	packet->lost = true;
	if (!model.arrived[packet->parcel] && !model.flying_of[packet->parcel])
		model.waiting[model.waiting_count++ % PACKETS] = packet->parcel;
}

static void on_undone(void *user, void *name)
{
	struct packet *packet = &model.packets[(uintptr_t)name - 1];

	(void)user;
	model.wrong += !packet->lost || packet->undone;
	packet->undone = true;
	parcel_arrived(packet);
}

/* ---- the sender ---- */

static void send(unsigned int parcel)
{
	uint64_t number = model.recovery.next_number;
	struct packet *packet = &model.packets[number];

	packet->parcel = parcel;
	packet->len_bytes = parcel ? 1000 + (uint32_t)weft_random_below(&model.random, 400) : 50;
	if (parcel) {
		model.flying_count++;
		model.flying_bytes += packet->len_bytes;
		model.flying_of[parcel]++;
	}
	model.wrong += weft__recovery_sent(&model.recovery, model.now_ns, packet->len_bytes,
					   parcel ? (void *)(uintptr_t)(number + 1) : NULL) != number;
	channel_send(model.now_ns, packet->len_bytes, (struct channel_datagram){.number = number});
}

static void send_what_fits(void)
{
	uint32_t room = weft__recovery_room(&model.recovery);

	for (unsigned int i = 0; i < WEFT__RECOVERY_BURST && room >= 1400 && model.waiting_first < model.waiting_count;
	     i++) {
		unsigned int parcel = model.waiting[model.waiting_first++ % PACKETS];

		if (model.arrived[parcel])
			continue;
		send(parcel);
		room -= model.packets[model.recovery.next_number - 1].len_bytes;
		if (happens(0.05))
			send(0);
	}
}

static void probe(void)
{
	void *name = weft__recovery_oldest(&model.recovery);

	model.wrong += !name;
	if (name)
		send(model.packets[(uintptr_t)name - 1].parcel);
}

static void look_at_time(void)
{
	if (model.now_ns >= weft__recovery_deadline(&model.recovery) &&
	    weft__recovery_due(&model.recovery, model.now_ns, model.looked_ns) == WEFT__DUE_PROBE)
		probe();
}

static void take_acknowledgement(const struct weft__ack *ack)
{
	struct weft__ack forged = *ack;

	forged.ranges[0].last = model.recovery.next_number + weft_random_below(&model.random, 3);
	if (happens(0.01))
		model.wrong += weft__recovery_acknowledged(&model.recovery, model.now_ns, &forged) == 0;
	model.wrong += weft__recovery_acknowledged(&model.recovery, model.now_ns, ack) != 0;
}

/* ---- the receiver ---- */

static void acknowledge(void)
{
	struct weft__ack ack = {.range_count = model.came.count, .has_ecn = true, .ce_count = model.ce_count};

	memcpy(ack.ranges, model.came.at, sizeof ack.ranges);
	if (ack.range_count)
		channel_acknowledge(model.now_ns, &ack);
	model.unacked = 0;
	model.ack_at_ns = UINT64_MAX;
}

static void take_packet(const struct channel_datagram *datagram)
{
	struct packet *packet = &model.packets[datagram->number];

	if (!weft__ranges_add(&model.came, datagram->number)) {
		model.unacked++;
	} else {
		packet->came = true;
		model.delivered[packet->parcel] = true;
		model.ce_count += datagram->is_marked;
		model.unacked += packet->parcel != 0;
	}
	if (model.unacked >= 16)
		acknowledge();
	else if (model.unacked && model.ack_at_ns == UINT64_MAX)
		model.ack_at_ns = model.now_ns + 500 * US;
}

/* ---- all of it ---- */

static uint64_t sooner_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void step_sender(void)
{
	struct weft__ack ack;

	if (model.now_ns < model.stands_until_ns)
		return;
	look_at_time(); /* as a loop does that has not looked at the port yet */
	while (channel_next_ack(model.now_ns, &ack))
		take_acknowledgement(&ack);
	model.looked_ns = model.now_ns;
	look_at_time();
	send_what_fits();
	model.wrong += model.recovery.flying_count != model.flying_count;
	model.wrong += model.recovery.flying_bytes != model.flying_bytes;
	model.wrong += model.flying_count && weft__recovery_deadline(&model.recovery) > model.now_ns + 2000 * MS;
	if (happens(model.opts.stand_still))
		model.stands_until_ns = model.now_ns + weft_random_below(&model.random, 50 * MS);
}

static void step_receiver(void)
{
	struct channel_datagram datagram;

	while (channel_next_datagram(model.now_ns, &datagram))
		take_packet(&datagram);
	if (model.now_ns >= model.ack_at_ns)
		acknowledge();
}

static uint64_t next_ns(void)
{
	uint64_t sender_ns = sooner_of(weft__recovery_deadline(&model.recovery), channel_next_ack_ns());

	if (model.waiting_first < model.waiting_count && weft__recovery_room(&model.recovery) >= 1400)
		sender_ns = model.now_ns;
	if (sender_ns < model.stands_until_ns)
		sender_ns = model.stands_until_ns;
	return sooner_of(sender_ns, sooner_of(model.ack_at_ns, channel_next_datagram_ns()));
}

static void check_the_end(void)
{
	model.wrong += model.flying_count || model.flying_bytes || model.arrived_count != PARCELS;
	for (unsigned int parcel = 1; parcel <= PARCELS; parcel++)
		model.wrong += !model.delivered[parcel] || model.flying_of[parcel];
	for (uint64_t number = 0; number < model.recovery.next_number; number++) {
		const struct packet *packet = &model.packets[number];

		model.wrong += packet->parcel ? packet->acked == packet->lost : packet->acked || packet->lost;
		model.wrong += packet->undone && !packet->lost;
	}
}

static void run(const struct channel_opts *opts, uint64_t seed)
{
	static const struct weft__recovery_events events = {on_acked, on_lost, on_undone};
	static const struct weft_net_timing timing = {.granularity_ns = 1 * MS,
						      .ack_delay_ns = 500 * US,
						      .probe_floor_ns = 5 * MS,
						      .first_rtt_ns = 5 * MS};
	unsigned int steps = 0;

	memset(&model, 0, sizeof model);
	model.opts = *opts;
	model.now_ns = 1000 * MS;
	model.ack_at_ns = UINT64_MAX;
	weft_random_seed(&model.random, seed);
	channel_init(opts, seed);
	weft__ranges_init(&model.came);
	weft__recovery_init(&model.recovery, &timing, &weft__congestion_cubic, 1400, &events, NULL);
	for (unsigned int parcel = 1; parcel <= PARCELS; parcel++)
		model.waiting[model.waiting_count++] = parcel;
	while (steps++ < STEPS_MAX && model.recovery.next_number < PACKETS - 100) {
		uint64_t at_ns = next_ns();

		if (at_ns == UINT64_MAX)
			break;
		model.now_ns = at_ns > model.now_ns ? at_ns : model.now_ns;
		step_receiver();
		step_sender();
	}
	check_the_end();
	if (model.wrong)
		printf("\n\tround seed %#llx: %u wrong after %u steps, %llu packets ", (unsigned long long)seed,
		       model.wrong, steps, (unsigned long long)model.recovery.next_number);
	CU_ASSERT_EQUAL(model.wrong, 0);
	weft__recovery_drop(&model.recovery);
}

static uint64_t first_seed(void)
{
	const char *given = getenv("WEFT_TEST_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : 0;

	if (!given)
		weft_random_system(&seed);
	printf("seed %#llx ", (unsigned long long)seed);
	return seed;
}

static void every_packet_is_told_of_once_and_every_parcel_arrives(void)
{
	uint64_t seed = first_seed(), lost = 0, undone = 0, probes = 0;

	for (unsigned int round = 0; round < 60; round++) {
		struct channel_opts opts;

		channel_opts_random(&opts, seed + round);
		run(&opts, seed + round);
		lost += model.recovery.lost_packets;
		undone += model.recovery.undone_packets;
		probes += model.recovery.probe_packets;
	}
	CU_ASSERT_TRUE(lost > 0 && undone > 0 && probes > 0);
}

static void where_only_we_stand_still_nothing_is_taken_for_lost(void)
{
	uint64_t seed = first_seed();

	for (unsigned int round = 0; round < 20; round++) {
		struct channel_opts opts = {.delay_ns = 100 * US << round % 5,
					    .bytes_per_us = 1000,
					    .doubles = 0.05,
					    .stand_still = 0.05};

		run(&opts, seed + round);
		CU_ASSERT_EQUAL(model.recovery.lost_packets, 0);
		CU_ASSERT_EQUAL(model.recovery.probe_packets, 0);
		CU_ASSERT_EQUAL(model.recovery.congestion.at.slow_start_until_bytes, UINT64_MAX);
	}
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(every_packet_is_told_of_once_and_every_parcel_arrives),
		SUITE_CASE(where_only_we_stand_still_nothing_is_taken_for_lost),
	};

	return suite_main("recovery_model", cases, SUITE_COUNT(cases), argc, argv);
}

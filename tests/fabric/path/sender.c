/* SPDX-License-Identifier: Apache-2.0 */
#include "sender.h"

#include <string.h>

static const struct weft_net_timing timing = {
	.granularity_ns = 1 * MS,
	.ack_delay_ns = 500 * US,
	.probe_floor_ns = 5 * MS,
	.first_rtt_ns = 5 * MS,
};

struct sender sender;

static void on_acked(void *user, void *parcel)
{
	(void)user;
	sender.acked_count++;
	sender.acked_of[(uintptr_t)parcel - 1]++;
}

static void on_lost(void *user, void *parcel)
{
	(void)user;
	sender.lost_count++;
	sender.lost_of[(uintptr_t)parcel - 1]++;
}

static void on_undone(void *user, void *parcel)
{
	(void)user;
	sender.undone_count++;
	sender.undone_of[(uintptr_t)parcel - 1]++;
}

void sender_begin(void)
{
	static const struct weft__recovery_events events = {on_acked, on_lost, on_undone};

	sender_end();
	memset(&sender, 0, sizeof sender);
	weft__recovery_init(&sender.recovery, &timing, &weft__congestion_cubic, PACKET, &events, NULL);
	sender.now_ns = 1000 * MS;
}

void sender_end(void)
{
	weft__recovery_drop(&sender.recovery);
}

uint64_t sender_window(void)
{
	return sender.recovery.congestion.at.window_bytes;
}

uint64_t sender_send(unsigned int count)
{
	uint64_t first = sender.recovery.next_number;

	while (count--) {
		void *parcel = (void *)(uintptr_t)(sender.recovery.next_number + 1);

		(void)weft__recovery_room(&sender.recovery);
		weft__recovery_sent(&sender.recovery, sender.now_ns, PACKET, parcel);
	}
	return first;
}

int sender_ack_range(uint64_t first, uint64_t last)
{
	struct weft__ack ack = {.range_count = 1, .ranges = {{first, last}}};

	return weft__recovery_acknowledged(&sender.recovery, sender.now_ns, &ack);
}

int sender_ack(uint64_t number)
{
	return sender_ack_range(number, number);
}

enum weft__recovery_due sender_due(void)
{
	return weft__recovery_due(&sender.recovery, sender.now_ns, sender.now_ns);
}

static void measure(uint64_t rtt_ns, unsigned int count)
{
	while (count--) {
		uint64_t number = sender_send(1);

		sender.now_ns += rtt_ns;
		sender_ack(number);
	}
	sender.acked_count = 0;
}

void sender_begin_with_rtt(uint64_t rtt_ns)
{
	sender_begin();
	measure(rtt_ns, 100);
}

void sender_begin_with_queue(void)
{
	sender_begin();
	measure(1 * US, 1);
	measure(1 * MS, 100);
}

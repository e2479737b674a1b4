/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RFC 9002 with the driver's constants. An acknowledgement tells of losses by number only; those by time are told by
 * weft__recovery_due, which knows whether we looked meanwhile.
 */
#include "path/recovery.h"

#include <weft/assert.h>
#include <weft/errors.h>

#define REORDER_FIRST 3u /* packets */
#define REORDER_LIMIT 64u
#define PROBE_MAX_NS UINT64_C(1000000000)
#define CHANCE_QUEUED 8u   /* packets that may stand in a queue for a loss to be by chance, */
#define CHANCE_SHARE 3277u /* of 65536: and so many may be lost altogether */
#define SHARE_OF 256u      /* packets, of which that share is taken */
#define COLLAPSE_PROBES 3u /* without anything getting through */
#define NEVER UINT64_MAX

void weft__recovery_init(struct weft__recovery *recovery, const struct weft_net_timing *timing,
			 const struct weft__congestion_control *control, uint32_t packet_bytes,
			 const struct weft__recovery_events *events, void *user)
{
	*recovery = (struct weft__recovery){
		.events = events,
		.user = user,
		.timing = *timing,
		.largest_acked = UINT64_MAX,
		.min_rtt_ns = UINT64_MAX,
		.smoothed_rtt_ns = timing->first_rtt_ns,
		.rtt_variance_ns = timing->first_rtt_ns / 2,
		.measured_ns = NEVER,
		.reorder_max = REORDER_FIRST,
		.lost_since_ns = NEVER,
	};
	weft__congestion_init(&recovery->congestion, control, packet_bytes);
}

void weft__recovery_drop(struct weft__recovery *recovery)
{
	weft__sent_drop(&recovery->sent);
	recovery->flying_bytes = recovery->flying_count = 0;
}

/* ---- time ---- */

static uint64_t max_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t min_of(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void measured(struct weft__recovery *recovery, uint64_t now_ns, uint64_t rtt_ns, uint64_t ack_delay_ns)
{
	uint64_t smoothed_ns = recovery->smoothed_rtt_ns, difference_ns;

	recovery->latest_rtt_ns = rtt_ns;
	recovery->min_rtt_ns = min_of(recovery->min_rtt_ns, rtt_ns);
	if (recovery->measured_ns == NEVER) {
		recovery->measured_ns = now_ns;
		recovery->smoothed_rtt_ns = recovery->least_rtt_ns = rtt_ns;
		recovery->rtt_variance_ns = rtt_ns / 2;
		return;
	}
	ack_delay_ns = min_of(ack_delay_ns, recovery->timing.ack_delay_ns);
	if (rtt_ns - recovery->min_rtt_ns >= ack_delay_ns)
		rtt_ns -= ack_delay_ns;
	recovery->least_rtt_ns = min_of(rtt_ns, recovery->least_rtt_ns + recovery->least_rtt_ns / 8);
	recovery->waited_ns = rtt_ns - recovery->min_rtt_ns;
	recovery->waited_at_ns = now_ns;
	difference_ns = max_of(smoothed_ns, rtt_ns) - min_of(smoothed_ns, rtt_ns);
	recovery->rtt_variance_ns = (3 * recovery->rtt_variance_ns + difference_ns) / 4;
	recovery->smoothed_rtt_ns = (7 * smoothed_ns + rtt_ns) / 8;
}

static uint64_t first_probe_ns(const struct weft__recovery *recovery)
{
	uint64_t slack_ns = max_of(4 * recovery->rtt_variance_ns, recovery->timing.granularity_ns);

	return max_of(recovery->smoothed_rtt_ns + slack_ns + recovery->timing.ack_delay_ns,
		      recovery->timing.probe_floor_ns);
}

uint64_t weft__recovery_probe_ns(const struct weft__recovery *recovery)
{
	uint64_t probe_ns = first_probe_ns(recovery);

	for (unsigned int i = 0; i < recovery->probes && probe_ns < PROBE_MAX_NS; i++)
		probe_ns *= 2;
	return min_of(probe_ns, PROBE_MAX_NS);
}

/* When a packet is lost if one that was sent after it has arrived. */
static uint64_t lost_at(const struct weft__recovery *recovery, const struct weft__sent *sent)
{
	uint64_t rtt_ns = max_of(recovery->latest_rtt_ns, recovery->smoothed_rtt_ns);

	return sent->sent_ns + max_of(rtt_ns + rtt_ns / 8, recovery->timing.granularity_ns);
}

static bool is_overtaken(const struct weft__recovery *recovery, const struct weft__sent *sent)
{
	return recovery->largest_acked != UINT64_MAX && sent->number < recovery->largest_acked;
}

uint64_t weft__recovery_deadline(const struct weft__recovery *recovery)
{
	const struct weft__sent *oldest = weft__sent_oldest(&recovery->sent);

	if (!oldest)
		return NEVER;
	if (is_overtaken(recovery, oldest))
		return lost_at(recovery, oldest);
	return recovery->last_eliciting_ns + weft__recovery_probe_ns(recovery);
}

/* ---- congestion and loss ---- */

/*
 * Whether a loss tells nothing of congestion: no queue stands that would have had to grow full first (Veno: Fu and Liew
 * 2003), and few packets are lost altogether, as they are by bad links. Where buffers are so small that there is no queue
 * to be seen, the share tells.
 */
static bool is_by_chance(const struct weft__recovery *recovery)
{
	uint64_t rtt_ns = recovery->least_rtt_ns, queued_bytes;

	if (recovery->measured_ns == NEVER || recovery->loss_share > CHANCE_SHARE)
		return false;
	if (rtt_ns <= recovery->min_rtt_ns)
		return true;
	queued_bytes = (uint64_t)((double)recovery->flying_bytes * (double)(rtt_ns - recovery->min_rtt_ns) /
				  (double)rtt_ns);
	return queued_bytes < (uint64_t)CHANCE_QUEUED * recovery->congestion.packet_bytes;
}

static void congested(struct weft__recovery *recovery, uint64_t now_ns, uint64_t sent_ns)
{
	struct weft__congestion *congestion = &recovery->congestion;
	uint64_t start_ns = congestion->at.recovery_start_ns;

	congestion->control->congested(congestion, now_ns, sent_ns);
	if (congestion->at.recovery_start_ns == start_ns)
		return;
	recovery->congested++;
	recovery->congested_lost = 0;
	recovery->congested_marked = false;
}

/* The next one that flies, or tail, is the oldest now. */
static void step_on(struct weft__recovery *recovery)
{
	struct weft__sent_queue *queue = &recovery->sent;

	while (queue->flying != queue->tail) {
		const struct weft__sent *sent = weft__sent_at(queue, queue->flying);

		if (sent->state == WEFT__SENT_FLYING)
			break;
		if (sent->state == WEFT__SENT_ACKED)
			recovery->lost_since_ns = NEVER;
		queue->flying += sent->run;
	}
}

static void landed(struct weft__recovery *recovery, struct weft__sent *sent, enum weft__sent_state state)
{
	recovery->flying_bytes -= sent->len_bytes;
	recovery->flying_count--;
	sent->state = (uint8_t)state;
}

static void lose_oldest(struct weft__recovery *recovery, bool by_chance)
{
	struct weft__sent *sent = weft__sent_oldest(&recovery->sent);

	landed(recovery, sent, WEFT__SENT_LOST);
	sent->congested = recovery->congested;
	sent->by_chance = by_chance;
	recovery->congested_lost += !by_chance;
	recovery->chance_packets += by_chance;
	recovery->lost_packets++;
	recovery->loss_share += (65536 - recovery->loss_share) / SHARE_OF;
	recovery->events->lost(recovery->user, sent->parcel);
	step_on(recovery);
}

/* Whether everything was lost for so long that all that was known of the path is void, with this one. */
static bool is_collapse(struct weft__recovery *recovery, uint64_t sent_ns)
{
	if (recovery->lost_since_ns == NEVER) {
		if (sent_ns >= recovery->measured_ns)
			recovery->lost_since_ns = sent_ns;
		return false;
	}
	return sent_ns - recovery->lost_since_ns > COLLAPSE_PROBES * first_probe_ns(recovery);
}

/* They go in order, so what is lost is the oldest. */
static void detect_losses(struct weft__recovery *recovery, uint64_t now_ns, bool by_time)
{
	bool collapse = false, by_chance;
	struct weft__sent *sent;

	while ((sent = weft__sent_oldest(&recovery->sent)) && is_overtaken(recovery, sent)) {
		if (recovery->largest_acked - sent->number < recovery->reorder_max &&
		    !(by_time && lost_at(recovery, sent) <= now_ns))
			break;
		by_chance = is_by_chance(recovery);
		if (!by_chance)
			congested(recovery, now_ns, sent->sent_ns);
		collapse |= is_collapse(recovery, sent->sent_ns);
		lose_oldest(recovery, by_chance);
	}
	if (!collapse)
		return;
	recovery->congestion.control->collapsed(&recovery->congestion);
	recovery->min_rtt_ns = recovery->latest_rtt_ns;
	recovery->lost_since_ns = NEVER;
}

/* It was late, not lost: allow for that much disorder, and if nothing else was lost, there was no congestion. */
static void undo(struct weft__recovery *recovery, struct weft__sent *sent)
{
	uint64_t late = recovery->largest_acked != UINT64_MAX && sent->number < recovery->largest_acked
				? recovery->largest_acked - sent->number + 1
				: 0;

	sent->state = WEFT__SENT_ACKED;
	recovery->reorder_max = (unsigned int)max_of(recovery->reorder_max, min_of(late, REORDER_LIMIT));
	recovery->lost_since_ns = NEVER;
	recovery->undone_packets++;
	if (!sent->by_chance && sent->congested == recovery->congested && !--recovery->congested_lost &&
	    !recovery->congested_marked)
		recovery->congestion.control->undo(&recovery->congestion);
	recovery->events->undone(recovery->user, sent->parcel);
}

/* ---- packets go out and arrive ---- */

uint32_t weft__recovery_room(struct weft__recovery *recovery)
{
	uint64_t window = recovery->congestion.at.window_bytes;

	if (window <= recovery->flying_bytes || !weft__sent_reserve(&recovery->sent, WEFT__RECOVERY_BURST))
		return 0;
	return (uint32_t)min_of(window - recovery->flying_bytes, UINT32_MAX);
}

uint64_t weft__recovery_sent(struct weft__recovery *recovery, uint64_t now_ns, uint32_t len_bytes, void *parcel)
{
	uint64_t number = recovery->next_number++;

	if (!parcel)
		return number;
	if (!weft__sent_reserve(&recovery->sent, 1)) {
		WEFT_ASSERT(recovery->flying_count); /* otherwise room was 0, and nothing to be probed */
		lose_oldest(recovery, false);
		(void)weft__sent_reserve(&recovery->sent, 1);
	}
	*weft__sent_push(&recovery->sent) = (struct weft__sent){
		.number = number,
		.sent_ns = now_ns,
		.parcel = parcel,
		.len_bytes = len_bytes,
		.run = 1,
		.state = WEFT__SENT_FLYING,
	};
	recovery->flying_bytes += len_bytes;
	recovery->flying_count++;
	recovery->last_eliciting_ns = now_ns;
	return number;
}

static bool is_sound(const struct weft__recovery *recovery, const struct weft__ack *ack)
{
	uint64_t above = recovery->next_number;

	if (ack->range_count < 1 || ack->range_count > WEFT__ACK_RANGES_MAX)
		return false;
	for (unsigned int i = 0; i < ack->range_count; i++) {
		if (ack->ranges[i].first > ack->ranges[i].last || ack->ranges[i].last >= above)
			return false;
		above = ack->ranges[i].first;
	}
	return true;
}

/* What one acknowledgement brings. */
struct news {
	uint64_t now_ns;
	uint64_t sent_ns;      /* when the newest went that has arrived */
	uint32_t flying_bytes; /* before it came */
	bool any;
};

static void arrived(struct weft__recovery *recovery, struct news *news, struct weft__sent *sent)
{
	struct weft__congestion *congestion = &recovery->congestion;

	news->any = true;
	news->sent_ns = sent->sent_ns;
	if (sent->state == WEFT__SENT_LOST) {
		undo(recovery, sent);
		return;
	}
	landed(recovery, sent, WEFT__SENT_ACKED);
	recovery->loss_share -= recovery->loss_share / SHARE_OF;
	congestion->control->acked(congestion, news->now_ns, sent->sent_ns, sent->len_bytes, news->flying_bytes,
				   recovery->smoothed_rtt_ns);
	recovery->events->acked(recovery->user, sent->parcel);
}

static void range_arrived(struct weft__recovery *recovery, struct news *news, uint64_t first, uint64_t last)
{
	struct weft__sent_queue *queue = &recovery->sent;
	uint32_t begin = weft__sent_find(queue, first), at = begin;

	while (at != queue->tail && weft__sent_at(queue, at)->number <= last) {
		struct weft__sent *sent = weft__sent_at(queue, at);

		if (sent->state != WEFT__SENT_ACKED)
			arrived(recovery, news, sent);
		at += sent->run;
	}
	if (at != begin) /* the next acknowledgement will speak of them again */
		weft__sent_at(queue, begin)->run = (uint16_t)(at - begin);
}

/* The largest number tells of a round trip, if it is news. */
static void measure(struct weft__recovery *recovery, uint64_t now_ns, const struct weft__ack *ack)
{
	struct weft__sent_queue *queue = &recovery->sent;
	uint32_t at = weft__sent_find(queue, ack->ranges[0].last);
	const struct weft__sent *sent;

	if (at == queue->tail)
		return;
	sent = weft__sent_at(queue, at);
	if (sent->number == ack->ranges[0].last && sent->state != WEFT__SENT_ACKED && sent->sent_ns <= now_ns)
		measured(recovery, now_ns, now_ns - sent->sent_ns, ack->delay_ns);
}

int weft__recovery_acknowledged(struct weft__recovery *recovery, uint64_t now_ns, const struct weft__ack *ack)
{
	struct news news = {.now_ns = now_ns, .flying_bytes = recovery->flying_bytes};

	if (!is_sound(recovery, ack))
		return weft_set_error(WEFT_EPROTO,
				      "an acknowledgement of %u ranges is no list, or of what was never sent",
				      ack->range_count);
	measure(recovery, now_ns, ack);
	for (unsigned int i = ack->range_count; i--;)
		range_arrived(recovery, &news, ack->ranges[i].first, ack->ranges[i].last);
	if (recovery->largest_acked == UINT64_MAX || recovery->largest_acked < ack->ranges[0].last)
		recovery->largest_acked = ack->ranges[0].last;
	step_on(recovery);
	if (news.any)
		recovery->probes = 0;
	if (news.any && ack->has_ecn && ack->ce_count > recovery->ce_count) {
		recovery->ce_count = ack->ce_count;
		congested(recovery, now_ns, news.sent_ns);
		recovery->congested_marked = true;
	}
	detect_losses(recovery, now_ns, false);
	return 0;
}

/* ---- time passes ---- */

enum weft__recovery_due weft__recovery_due(struct weft__recovery *recovery, uint64_t now_ns, uint64_t looked_ns)
{
	uint64_t deadline_ns = weft__recovery_deadline(recovery);

	if (now_ns < deadline_ns || looked_ns < deadline_ns)
		return WEFT__DUE_NOTHING;
	if (is_overtaken(recovery, weft__sent_oldest(&recovery->sent))) {
		detect_losses(recovery, now_ns, true);
		return WEFT__DUE_NOTHING;
	}
	recovery->probes++;
	recovery->probe_packets++;
	recovery->last_eliciting_ns = now_ns; /* also if the caller has nothing to send */
	return WEFT__DUE_PROBE;
}

void *weft__recovery_oldest(const struct weft__recovery *recovery)
{
	const struct weft__sent *oldest = weft__sent_oldest(&recovery->sent);

	return oldest ? oldest->parcel : NULL;
}

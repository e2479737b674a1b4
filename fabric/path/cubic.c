/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CUBIC (RFC 9438), in bytes: after congestion the window returns fast to where it was congested, lingers there, and then
 * looks for more; and it is never smaller than Reno's would be, which rules where round trips are as short as ours.
 */
#include "path/congestion.h"

#include <math.h>

#define BETA 0.7
#define SPEED 0.4                                /* C: packets a cubed second */
#define RENO_SPEED (3 * (1 - BETA) / (1 + BETA)) /* as fair to Reno as its smaller step back demands */

static uint64_t window_min(const struct weft__congestion *congestion)
{
	return (uint64_t)WEFT__CONGESTION_MIN_PACKETS * congestion->packet_bytes;
}

static void cubic_init(struct weft__congestion *congestion)
{
	uint64_t least_bytes = window_min(congestion);

	congestion->at.window_bytes = least_bytes > WEFT__CONGESTION_FIRST_BYTES ? least_bytes
										 : WEFT__CONGESTION_FIRST_BYTES;
}

/*
 * Whether the window was what limited the sender. Its growth must be earned: in slow start by half of it, since it
 * doubles in a round trip, later by nearly all.
 */
static bool was_full(const struct weft__congestion *congestion, uint32_t flying_bytes)
{
	uint64_t window = congestion->at.window_bytes;

	if (window < congestion->at.slow_start_until_bytes)
		return flying_bytes >= window / 2;
	return flying_bytes + UINT64_C(3) * congestion->packet_bytes >= window || flying_bytes >= window / 8 * 7;
}

static void begin_epoch(struct weft__congestion *congestion, uint64_t now_ns)
{
	struct weft__congestion_point *at = &congestion->at;
	double window = (double)at->window_bytes;

	at->epoch_ns = now_ns;
	at->reno_bytes = window;
	at->origin_bytes = window < at->window_max_bytes ? at->window_max_bytes : window;
	at->k_seconds = cbrt((at->origin_bytes - window) / congestion->packet_bytes / SPEED);
}

/* Where the curve is so long after the epoch began. */
static double curve(const struct weft__congestion *congestion, uint64_t after_ns)
{
	double t = (double)after_ns * 1e-9 - congestion->at.k_seconds;

	return congestion->at.origin_bytes + SPEED * congestion->packet_bytes * t * t * t;
}

static void avoid_congestion(struct weft__congestion *congestion, uint64_t now_ns, uint32_t bytes, uint64_t rtt_ns)
{
	struct weft__congestion_point *at = &congestion->at;
	double window = (double)at->window_bytes + at->fraction_bytes, target;

	if (!at->epoch_ns)
		begin_epoch(congestion, now_ns);
	at->reno_bytes += (at->reno_bytes < at->prior_bytes ? RENO_SPEED : 1) * congestion->packet_bytes * bytes /
			  window;
	if (curve(congestion, now_ns - at->epoch_ns) < at->reno_bytes) {
		window = fmax(window, at->reno_bytes);
	} else {
		target = fmin(curve(congestion, now_ns - at->epoch_ns + rtt_ns), 1.5 * window);
		window += fmax(target - window, 0) * bytes / window;
	}
	window = fmin(window, (double)WEFT__CONGESTION_MAX_BYTES);
	at->window_bytes = (uint64_t)window;
	at->fraction_bytes = window - (double)at->window_bytes;
}

static void cubic_acked(struct weft__congestion *congestion, uint64_t now_ns, uint64_t sent_ns, uint32_t bytes,
			uint32_t flying_bytes, uint64_t smoothed_rtt_ns)
{
	struct weft__congestion_point *at = &congestion->at;
	uint64_t since_ns = now_ns - congestion->seen_ns;

	congestion->seen_ns = now_ns;
	if (!was_full(congestion, flying_bytes)) {
		if (at->epoch_ns)
			at->epoch_ns += since_ns; /* time does not count in which the sender had nothing to say */
		return;
	}
	if (sent_ns < at->recovery_start_ns)
		return;
	if (at->window_bytes >= at->slow_start_until_bytes)
		avoid_congestion(congestion, now_ns, bytes, smoothed_rtt_ns);
	else if (at->window_bytes + bytes <= WEFT__CONGESTION_MAX_BYTES)
		at->window_bytes += bytes;
}

static void cubic_congested(struct weft__congestion *congestion, uint64_t now_ns, uint64_t sent_ns)
{
	struct weft__congestion_point *at = &congestion->at;
	double window = (double)at->window_bytes;

	if (sent_ns < at->recovery_start_ns || now_ns == at->recovery_start_ns)
		return;
	congestion->before = *at;
	congestion->undoable = true;
	at->recovery_start_ns = now_ns;
	at->prior_bytes = window;
	/* Congested before it came back to where it was: somebody else needs room, so leave some (fast convergence). */
	at->window_max_bytes = window < at->window_max_bytes ? window * (1 + BETA) / 2 : window;
	at->window_bytes = (uint64_t)(window * BETA);
	if (at->window_bytes < window_min(congestion))
		at->window_bytes = window_min(congestion);
	at->slow_start_until_bytes = at->window_bytes;
	at->epoch_ns = 0;
	at->fraction_bytes = 0;
}

static void cubic_undo(struct weft__congestion *congestion)
{
	uint64_t window_bytes = congestion->at.window_bytes;

	if (!congestion->undoable)
		return;
	congestion->undoable = false;
	congestion->at = congestion->before;
	congestion->at.epoch_ns = 0; /* the curve begins anew where the window is */
	if (congestion->at.window_bytes < window_bytes)
		congestion->at.window_bytes = window_bytes;
}

static void cubic_collapsed(struct weft__congestion *congestion)
{
	congestion->undoable = false;
	congestion->at.window_bytes = window_min(congestion);
	congestion->at.fraction_bytes = 0;
	congestion->at.epoch_ns = 0;
	congestion->at.recovery_start_ns = 0;
}

const struct weft__congestion_control weft__congestion_cubic = {
	.name = "cubic",
	.init = cubic_init,
	.acked = cubic_acked,
	.congested = cubic_congested,
	.undo = cubic_undo,
	.collapsed = cubic_collapsed,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all controls of congestion share, and the one that does nothing.
 */
#include "path/congestion.h"

void weft__congestion_init(struct weft__congestion *congestion, const struct weft__congestion_control *control,
			   uint32_t packet_bytes)
{
	*congestion = (struct weft__congestion){.control = control,
						.packet_bytes = packet_bytes,
						.at = {.slow_start_until_bytes = UINT64_MAX}};
	control->init(congestion);
}

uint64_t weft__congestion_pace(const struct weft__congestion *congestion, uint64_t smoothed_rtt_ns)
{
	_Static_assert(WEFT__CONGESTION_MAX_BYTES <= UINT64_MAX / 1250000000u, "the rate must fit");

	if (congestion->at.slow_start_until_bytes == UINT64_MAX || !smoothed_rtt_ns)
		return 0;
	return congestion->at.window_bytes * 1250000000u / smoothed_rtt_ns;
}

static void none_init(struct weft__congestion *congestion)
{
	congestion->at.window_bytes = WEFT__CONGESTION_NONE_BYTES;
}

static void none_acked(struct weft__congestion *congestion, uint64_t now_ns, uint64_t sent_ns, uint32_t bytes,
		       uint32_t flying_bytes, uint64_t smoothed_rtt_ns)
{
	(void)congestion, (void)now_ns, (void)sent_ns, (void)bytes, (void)flying_bytes, (void)smoothed_rtt_ns;
}

static void none_congested(struct weft__congestion *congestion, uint64_t now_ns, uint64_t sent_ns)
{
	(void)congestion, (void)now_ns, (void)sent_ns;
}

static void none_changed(struct weft__congestion *congestion)
{
	(void)congestion;
}

const struct weft__congestion_control weft__congestion_none = {
	.name = "none",
	.init = none_init,
	.acked = none_acked,
	.congested = none_congested,
	.undo = none_changed,
	.collapsed = none_changed,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines, on which one packet goes after the other; and the line to a host, which is the last that packets to it take,
 * wherever they come from: the port of the switch that the host hangs on.
 */
#include "sim/sim_private.h"

#include <stdlib.h>
#include <weft/errors.h>

#define BITS_NS UINT64_C(8000000000) /* a byte a second, in bits and nanoseconds */

/* Bytes that a line sends in so long. */
static uint64_t bytes_in(uint64_t span_ns, uint64_t bits_per_second)
{
	return (uint64_t)((unsigned __int128)span_ns * bits_per_second / BITS_NS);
}

bool weft__sim_line_take(struct weft_sim *sim, const struct weft_sim_line *line, uint64_t *free_ns, uint32_t len_bytes,
			 uint8_t *ecn, struct sim_passage *out)
{
	uint64_t now_ns = weft_clock_now(sim->opts.clock), start_ns = *free_ns > now_ns ? *free_ns : now_ns;

	*out = (struct sim_passage){.sent_ns = now_ns};
	if (!line->bits_per_second)
		return true;
	out->waiting_bytes = bytes_in(start_ns - now_ns, line->bits_per_second);
	if (line->queue_bytes && out->waiting_bytes && out->waiting_bytes + len_bytes > line->queue_bytes)
		return false;
	if (line->mark_bytes && out->waiting_bytes > line->mark_bytes &&
	    (*ecn == WEFT_ECN_ECT0 || *ecn == WEFT_ECN_ECT1)) {
		*ecn = WEFT_ECN_CE;
		sim->stats.marked++;
	}
	out->sent_ns = *free_ns = start_ns + (len_bytes * BITS_NS + line->bits_per_second - 1) / line->bits_per_second;
	return true;
}

/* ---- the line to a host ---- */

static int find(struct weft_sim *sim, const char *name, struct sim_host **out)
{
	struct weft_net_address address;
	int rc = weft__sim_name_read(name, &address);

	if (rc < 0)
		return rc;
	*out = weft__sim_host(sim, &address);
	return *out ? 0 : -WEFT_ENOMEM;
}

int weft_sim_set_downlink(struct weft_sim *sim, const char *name, const struct weft_sim_line *line)
{
	struct sim_host *host = NULL;
	int rc = find(sim, name, &host);

	if (rc < 0)
		return rc;
	if (!host->downlink) {
		struct sim_downlink *downlink = calloc(1, sizeof *downlink);

		if (!downlink)
			return weft_set_error(WEFT_ENOMEM, "no memory for the line to a simulated host");
		rc = weft_histogram_open(&downlink->waiting_bytes);
		if (rc < 0) {
			free(downlink);
			return rc;
		}
		host->downlink = downlink;
	}
	host->downlink->line = *line;
	weft_histogram_reset(host->downlink->waiting_bytes);
	return 0;
}

uint64_t weft_sim_downlink_waiting(struct weft_sim *sim, const char *name, double percent)
{
	struct sim_host *host = NULL;

	if (find(sim, name, &host) < 0 || !host->downlink || !weft_histogram_count(host->downlink->waiting_bytes))
		return 0;
	return weft_histogram_percentile(host->downlink->waiting_bytes, percent);
}

void weft__sim_downlink_free(struct sim_downlink **downlink)
{
	if (!*downlink)
		return;
	weft_histogram_close(&(*downlink)->waiting_bytes);
	free(*downlink);
	*downlink = NULL;
}

bool weft__sim_downlink_take(struct weft_sim *sim, struct sim_event *event)
{
	struct sim_downlink *downlink = event->link->to->downlink;
	struct sim_passage passage;

	if (!weft__sim_line_take(sim, &downlink->line, &downlink->free_ns, event->len_bytes, &event->ecn, &passage))
		return false;
	weft_histogram_record(downlink->waiting_bytes, passage.waiting_bytes);
	event->on_downlink = true;
	event->due_ns = passage.sent_ns;
	event->number = sim->next_number++;
	return weft__sim_heap_push(&sim->heap, event); /* in the place that it had there */
}

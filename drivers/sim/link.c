/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links: what they are like, and what is done to them while packets pass.
 */
#include "sim/sim_private.h"

#include <stdlib.h>
#include <weft/errors.h>
#include <weft/hash.h>

#define HOUR_NS UINT64_C(3600000000000)

_Static_assert(sizeof(struct sim_link) <= 512,
	       "two ends of a link have 1 KiB each, and most of it is the layer above's");
_Static_assert(offsetof(struct sim_event, bytes) + 2 * sizeof(void *) + sizeof(size_t) <= 64,
	       "a packet under way costs 64 bytes and its own");

/* ---- parameters ---- */

static bool is_probability(double value)
{
	return value >= 0 && value <= 1;
}

int weft__sim_link_check(const struct weft_sim_link *link)
{
	if ((unsigned int)link->delay > WEFT_SIM_HEAVY)
		return weft_set_error(WEFT_EINVAL, "simulated link: delay %d is no way to spread delays",
				      (int)link->delay);
	if (link->delay_ns > HOUR_NS || link->spread_ns > HOUR_NS || link->reorder_ns > HOUR_NS)
		return weft_set_error(WEFT_EINVAL,
				      "simulated link: a delay, spread or reorder_ns is longer than an hour");
	if (!is_probability(link->loss) || !is_probability(link->duplicate) || !is_probability(link->corrupt) ||
	    !is_probability(link->reorder))
		return weft_set_error(WEFT_EINVAL, "simulated link: a probability is not from 0 to 1");
	if (link->payload_max < WEFT_NET_STEER_BYTES || link->payload_max > WEFT_NET_PAYLOAD_MAX)
		return weft_set_error(WEFT_EINVAL, "simulated link: payload_max %u is not from %u to %u",
				      link->payload_max, WEFT_NET_STEER_BYTES, WEFT_NET_PAYLOAD_MAX);
	return 0;
}

/* ---- links ---- */

struct sim_link *weft__sim_link(struct weft_sim *sim, struct sim_host *from, struct sim_host *to)
{
	uint64_t hash = weft_hash_u64(from->entry.hash + weft_hash_u64(to->entry.hash));
	struct sim_entry *at = NULL;
	struct sim_link *link;

	while ((at = weft__sim_table_next(&sim->links, hash, at))) {
		link = WEFT_CONTAINER_OF(at, struct sim_link, entry);
		if (link->from == from && link->to == to)
			return link;
	}
	link = calloc(1, sizeof *link);
	if (!link) {
		weft_set_error(WEFT_ENOMEM, "no memory for a simulated link");
		return NULL;
	}
	link->entry.hash = hash;
	link->from = from;
	link->to = to;
	link->is = &sim->opts.link;
	weft_random_seed(&link->random, weft_hash_u64(sim->opts.seed) ^ hash);
	weft__sim_table_add(&sim->links, &link->entry);
	return link;
}

void weft__sim_link_free(struct sim_entry *entry)
{
	struct sim_link *link = WEFT_CONTAINER_OF(entry, struct sim_link, entry);
	struct sim_event *event;

	while ((event = weft__sim_queue_pop(&link->held)))
		free(event);
	free(link);
}

static int find(struct weft_sim *sim, const char *from, const char *to, struct sim_link **out)
{
	struct weft_net_address names[2];
	struct sim_host *hosts[2];
	int rc = weft__sim_name_read(from, &names[0]);

	if (rc == 0)
		rc = weft__sim_name_read(to, &names[1]);
	if (rc < 0)
		return rc;
	hosts[0] = weft__sim_host(sim, &names[0]);
	hosts[1] = hosts[0] ? weft__sim_host(sim, &names[1]) : NULL;
	*out = hosts[1] ? weft__sim_link(sim, hosts[0], hosts[1]) : NULL;
	return *out ? 0 : -WEFT_ENOMEM;
}

int weft_sim_set_link(struct weft_sim *sim, const char *from, const char *to, const struct weft_sim_link *is)
{
	struct sim_link *link = NULL;
	int rc = weft__sim_link_check(is);

	if (rc == 0)
		rc = find(sim, from, to, &link);
	if (rc < 0)
		return rc;
	link->own = *is;
	link->is = &link->own;
	return 0;
}

int weft_sim_cut(struct weft_sim *sim, const char *from, const char *to, bool cut)
{
	struct sim_link *link = NULL;
	int rc = find(sim, from, to, &link);

	if (rc == 0)
		link->cut = cut;
	return rc;
}

/* What was held arrives now, before what is sent from now on. */
static int release(struct weft_sim *sim, struct sim_link *link)
{
	uint64_t now_ns = weft_clock_now(sim->opts.clock);

	for (struct sim_event *event; (event = link->held.first);) {
		event->due_ns = now_ns;
		event->number = sim->next_number++;
		if (!weft__sim_heap_push(&sim->heap, event))
			return weft_set_error(WEFT_ENOMEM, "no memory for packets that were held");
		weft__sim_queue_pop(&link->held);
	}
	return 0;
}

int weft_sim_clog(struct weft_sim *sim, const char *from, const char *to, bool clogged)
{
	struct sim_link *link = NULL;
	int rc = find(sim, from, to, &link);

	if (rc == 0 && !clogged)
		rc = release(sim, link);
	if (rc == 0)
		link->clogged = clogged;
	return rc;
}

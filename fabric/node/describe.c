/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a node has done, summed over its workers. Each counter has one writer; a reader may see it some turns old.
 */
#include "node/node_private.h"

#include <string.h>

/* The leading counters of weft_node_stats are kept by stations, as an array of numbers. */
#define STATION_COUNTERS (offsetof(struct weft_node_stats, loans_out) / sizeof(uint64_t))

static void add_station(const struct weft__station *station, struct weft_node_stats *sum)
{
	const uint64_t *from = (const uint64_t *)&station->stats;
	uint64_t *to = (uint64_t *)sum;

	for (size_t i = 0; i < STATION_COUNTERS; i++)
		to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	sum->buffers_out += weft_pool_out_count(station->pool);
	sum->links += __atomic_load_n(&station->stats.links, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < station->node->rail_count; i++) {
		struct weft_driver_stats driver;

		station->ports[i]->driver->describe(station->ports[i], &driver);
		sum->loans_out += driver.loans_out;
		sum->hot_links += driver.hot_paths;
	}
}

void weft_node_describe(struct weft_node *node, struct weft_node_stats *out)
{
	struct weft_arena_stats arena;

	memset(out, 0, sizeof *out);
	if (weft__node_forked(node))
		return;
	pthread_mutex_lock(&node->lock);
	for (unsigned int i = 0; i < WEFT__STATIONS_MAX; i++)
		if (node->stations[i])
			add_station(node->stations[i], out);
	pthread_mutex_unlock(&node->lock);
	/* Whatever was not lent was carried in slots: not counted, for it is every small message. */
	if (out->sent_messages > out->lent_messages)
		out->inlined_messages = out->sent_messages - out->lent_messages;
	if (out->sent_bytes > out->lent_bytes)
		out->inlined_bytes = out->sent_bytes - out->lent_bytes;
	weft_arena_describe(node->arena, &arena);
	out->memory_bytes = arena.total_bytes;
}

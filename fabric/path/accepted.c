/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom a listener accepted of late: a knock that is repeated, by its sender or by the network, gets the same answer, and makes
 * no second path. Of the places the knocks of one machine have as many as are still free, as of a port's tables.
 */
#include "path/device.h"

#include <stdlib.h>
#include <string.h>
#include <weft/hash.h>

#define PLACES 4096u
#define BUCKETS 1024u

struct weft__accepted_table {
	struct weft_list buckets[BUCKETS];
	struct weft_list by_age, free;
	unsigned int used;
	uint16_t has[WEFT__SOURCES];
	struct weft__accepted places[PLACES];
};

struct weft__accepted_table *weft__accepted_new(void)
{
	struct weft__accepted_table *table = calloc(1, sizeof *table);

	if (!table)
		return NULL;
	weft_list_init(&table->by_age);
	weft_list_init(&table->free);
	for (unsigned int i = 0; i < BUCKETS; i++)
		weft_list_init(&table->buckets[i]);
	for (unsigned int i = 0; i < PLACES; i++)
		weft_list_push_back(&table->free, &table->places[i].by_age);
	return table;
}

static uint64_t now_of(const struct weft__path_device *device)
{
	return weft_clock_now(weft_worker_clock(device->opts.runner));
}

static struct weft_list *bucket_of(const struct weft__path_device *device, const struct weft__greeting *knock,
				   const struct weft_net_address *from)
{
	unsigned char bytes[sizeof *from + 16];

	memcpy(bytes, from, sizeof *from);
	memcpy(bytes + sizeof *from, &knock->incarnation, 8);
	memcpy(bytes + sizeof *from + 8, &knock->from_path, 8);
	return &device->accepted->buckets[weft_siphash(device->cookie_key, bytes, sizeof bytes) % BUCKETS];
}

const struct weft__accepted *weft__accepted_find(const struct weft__path_device *device,
						 const struct weft__greeting *knock,
						 const struct weft_net_address *from)
{
	uint64_t now_ns = now_of(device);
	struct weft_list *bucket = bucket_of(device, knock, from);

	WEFT_LIST_FOR_EACH(at, bucket) {
		const struct weft__accepted *accepted = WEFT_CONTAINER_OF(at, struct weft__accepted, in_bucket);

		if (accepted->until_ns > now_ns && accepted->incarnation == knock->incarnation &&
		    accepted->from_path == knock->from_path && memcmp(&accepted->from, from, sizeof *from) == 0)
			return accepted;
	}
	return NULL;
}

static void forget_old(struct weft__accepted_table *table, uint64_t now_ns)
{
	WEFT_LIST_FOR_EACH(at, &table->by_age) {
		struct weft__accepted *accepted = WEFT_CONTAINER_OF(at, struct weft__accepted, by_age);

		if (accepted->until_ns > now_ns)
			return;
		weft_list_remove(&accepted->in_bucket);
		weft_list_remove(&accepted->by_age);
		weft_list_push_back(&table->free, &accepted->by_age);
		table->has[accepted->source]--;
		table->used--;
	}
}

bool weft__accepted_room(struct weft__path_device *device, const struct weft_net_address *from)
{
	struct weft__accepted_table *table = device->accepted;
	unsigned int has;

	forget_old(table, now_of(device));
	has = table->has[weft__source_index(device, from)];
	return has ? has < PLACES - table->used : table->used < PLACES;
}

void weft__accepted_add(struct weft__path_device *device, const struct weft__greeting *knock,
			const struct weft_net_address *from, const struct weft__greeting *answer)
{
	struct weft__accepted_table *table = device->accepted;
	struct weft__accepted *accepted = WEFT_CONTAINER_OF(weft_list_pop_front(&table->free), struct weft__accepted,
							    by_age);

	*accepted = (struct weft__accepted){.from = *from,
					    .answer = *answer,
					    .incarnation = knock->incarnation,
					    .from_path = knock->from_path,
					    .source = weft__source_index(device, from),
					    .until_ns = now_of(device) + WEFT__COOKIE_LIFE_NS};
	weft_list_push_back(bucket_of(device, knock, from), &accepted->in_bucket);
	weft_list_push_back(&table->by_age, &accepted->by_age);
	table->has[accepted->source]++;
	table->used++;
}

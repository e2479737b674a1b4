/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of things that are never taken out, by a hash: chains that stay short, as the number of buckets grows.
 */
#include "sim/sim_private.h"

#include <stdlib.h>
#include <weft/errors.h>

#define BUCKETS_FIRST 16u

int weft__sim_table_init(struct sim_table *table)
{
	table->buckets = calloc(BUCKETS_FIRST, sizeof *table->buckets);
	if (!table->buckets)
		return weft_set_error(WEFT_ENOMEM, "no memory for a simulated network");
	table->bucket_count = BUCKETS_FIRST;
	return 0;
}

void weft__sim_table_fini(struct sim_table *table, void (*free_entry)(struct sim_entry *entry))
{
	for (uint32_t i = 0; i < table->bucket_count; i++) {
		struct sim_entry *next;

		for (struct sim_entry *at = table->buckets[i]; at; at = next) {
			next = at->next;
			free_entry(at);
		}
	}
	free(table->buckets);
}

static struct sim_entry **bucket_of(const struct sim_table *table, uint64_t hash)
{
	return &table->buckets[hash & (table->bucket_count - 1)];
}

struct sim_entry *weft__sim_table_next(const struct sim_table *table, uint64_t hash, const struct sim_entry *after)
{
	struct sim_entry *at = after ? after->next : *bucket_of(table, hash);

	while (at && at->hash != hash)
		at = at->next;
	return at;
}

static void put(struct sim_table *table, struct sim_entry *entry)
{
	struct sim_entry **bucket = bucket_of(table, entry->hash);

	entry->next = *bucket;
	*bucket = entry;
}

/* Without memory the chains become longer instead. */
static void grow(struct sim_table *table)
{
	struct sim_table larger = {.bucket_count = table->bucket_count * 2};

	larger.buckets = calloc(larger.bucket_count, sizeof *larger.buckets);
	if (!larger.buckets)
		return;
	for (uint32_t i = 0; i < table->bucket_count; i++) {
		struct sim_entry *next;

		for (struct sim_entry *at = table->buckets[i]; at; at = next) {
			next = at->next;
			put(&larger, at);
		}
	}
	free(table->buckets);
	table->buckets = larger.buckets;
	table->bucket_count = larger.bucket_count;
}

void weft__sim_table_add(struct sim_table *table, struct sim_entry *entry)
{
	if (table->count == table->bucket_count)
		grow(table);
	put(table, entry);
	table->count++;
}

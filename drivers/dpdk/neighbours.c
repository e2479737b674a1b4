/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of neighbours. A host that is not known is asked for ever less often; one that is known is asked from time to
 * time whether he is still there, and taken at his old word meanwhile.
 */
#include "dpdk/neighbours.h"

#include <string.h>

#define MS UINT64_C(1000000)
#define WAIT_FIRST_NS (10 * MS)
#define WAIT_MAX_NS (1000 * MS)
#define FRESH_NS (15000 * MS) /* nobody is asked about who was heard since */
#define STALE_NS (20000 * MS) /* he alone did not answer: others may know */
#define KNOWN (UINT64_C(1) << 48)

void weft__neighbours_init(struct neighbours *all)
{
	pthread_mutex_init(&all->lock, NULL);
	all->count = 0;
}

void weft__neighbours_fini(struct neighbours *all)
{
	pthread_mutex_destroy(&all->lock);
}

static struct neighbour *find(struct neighbours *all, const struct frame_host *host)
{
	for (unsigned int i = 0; i < all->count; i++)
		if (memcmp(&all->entries[i].host, host, sizeof *host) == 0)
			return &all->entries[i];
	return NULL;
}

static uint64_t heard_ns(const struct neighbour *neighbour)
{
	return atomic_load_explicit(&neighbour->heard_ns, memory_order_relaxed);
}

/* The place of him who was heard longest ago, of those that nobody sends to; NULL: there are none. */
static struct neighbour *find_place(struct neighbours *all)
{
	struct neighbour *oldest = NULL;

	if (all->count < NEIGHBOURS_MAX)
		return &all->entries[all->count++];
	for (unsigned int i = 0; i < all->count; i++)
		if (!all->entries[i].users && (!oldest || heard_ns(&all->entries[i]) < heard_ns(oldest)))
			oldest = &all->entries[i];
	return oldest;
}

static struct neighbour *find_or_add(struct neighbours *all, const struct frame_host *host)
{
	struct neighbour *found = find(all, host);

	if (found)
		return found;
	found = find_place(all);
	if (!found)
		return NULL;
	memset(found, 0, sizeof *found);
	found->host = *host;
	return found;
}

struct neighbour *weft__neighbour_get(struct neighbours *all, const struct frame_host *host)
{
	struct neighbour *found;

	pthread_mutex_lock(&all->lock);
	found = find_or_add(all, host);
	if (found)
		found->users++;
	pthread_mutex_unlock(&all->lock);
	return found;
}

void weft__neighbour_put(struct neighbours *all, struct neighbour *neighbour)
{
	pthread_mutex_lock(&all->lock);
	neighbour->users--;
	pthread_mutex_unlock(&all->lock);
}

bool weft__neighbours_hear(struct neighbours *all, const struct frame_host *host, const uint8_t *mac, bool asked,
			   uint64_t now_ns)
{
	struct neighbour *found;
	uint64_t word = KNOWN;

	for (unsigned int i = 0; i < FRAME_MAC_BYTES; i++)
		word |= (uint64_t)mac[i] << 8 * i;

	/* Who holds it opens or closes a route: he is asked again. */
	if (pthread_mutex_trylock(&all->lock) != 0)
		return false;
	found = asked ? find_or_add(all, host) : find(all, host);
	if (found) {
		atomic_store_explicit(&found->mac, word, memory_order_relaxed);
		atomic_store_explicit(&found->heard_ns, now_ns, memory_order_relaxed);
		atomic_store_explicit(&found->wait_ns, 0, memory_order_relaxed);
	}
	pthread_mutex_unlock(&all->lock);
	return found != NULL;
}

bool weft__neighbour_mac(struct neighbour *neighbour, uint8_t *mac)
{
	uint64_t word = atomic_load_explicit(&neighbour->mac, memory_order_relaxed);

	for (unsigned int i = 0; i < FRAME_MAC_BYTES; i++)
		mac[i] = (uint8_t)(word >> 8 * i);
	return word != 0;
}

enum neighbour_ask weft__neighbour_ask(struct neighbour *neighbour, uint64_t now_ns)
{
	uint64_t next_ns = atomic_load_explicit(&neighbour->next_ask_ns, memory_order_relaxed);
	uint64_t heard_ns = atomic_load_explicit(&neighbour->heard_ns, memory_order_relaxed);
	bool known = atomic_load_explicit(&neighbour->mac, memory_order_relaxed) != 0;
	uint64_t wait_ns;

	if (now_ns < next_ns || (known && now_ns < heard_ns + FRESH_NS))
		return ASK_NOBODY;
	wait_ns = known ? WAIT_MAX_NS : atomic_load_explicit(&neighbour->wait_ns, memory_order_relaxed) * 2;
	if (wait_ns < WAIT_FIRST_NS)
		wait_ns = WAIT_FIRST_NS;
	if (wait_ns > WAIT_MAX_NS)
		wait_ns = WAIT_MAX_NS;
	if (!atomic_compare_exchange_strong_explicit(&neighbour->next_ask_ns, &next_ns, now_ns + wait_ns,
						     memory_order_relaxed, memory_order_relaxed))
		return ASK_NOBODY;
	atomic_store_explicit(&neighbour->wait_ns, wait_ns, memory_order_relaxed);
	return known && now_ns < heard_ns + STALE_NS ? ASK_HIM : ASK_ALL;
}

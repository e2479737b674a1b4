/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runner's list of connections of its own. Entries that have ended are freed when the list is next looked at.
 */
#include "link/connecting.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct weft__connecting {
	struct weft_list link;
	const struct weft__station *station; /* to compare with */
	_Atomic bool ended;
	char peer[2 * WEFT_NAME_MAX + 2];
};

static void free_ended(struct weft_node *node)
{
	WEFT_LIST_FOR_EACH(at, &node->connecting) {
		struct weft__connecting *connecting = WEFT_CONTAINER_OF(at, struct weft__connecting, link);

		/* pairs with the release in weft__connecting_end */
		if (!atomic_load_explicit(&connecting->ended, memory_order_acquire))
			continue;
		weft_list_remove(at);
		free(connecting);
	}
}

struct weft__connecting *weft__connecting_begin(struct weft__station *station, const char *peer)
{
	struct weft__connecting *connecting = calloc(1, sizeof *connecting);

	free_ended(station->node); /* who only connects must not gather them */
	if (!connecting)
		return NULL;
	connecting->station = station;
	strncpy(connecting->peer, peer, sizeof connecting->peer - 1);
	weft_list_push_back(&station->node->connecting, &connecting->link);
	return connecting;
}

void weft__connecting_end(struct weft__connecting *connecting)
{
	/* pairs with the acquire in free_ended, which frees it */
	if (connecting)
		atomic_store_explicit(&connecting->ended, true, memory_order_release);
}

bool weft__connecting_to(struct weft__station *station, const char *peer)
{
	free_ended(station->node);
	WEFT_LIST_FOR_EACH(at, &station->node->connecting) {
		const struct weft__connecting *connecting = WEFT_CONTAINER_OF(at, struct weft__connecting, link);

		if (connecting->station == station && strcmp(connecting->peer, peer) == 0)
			return true;
	}
	return false;
}

void weft__connecting_drop(struct weft_node *node)
{
	while (!weft_list_empty(&node->connecting))
		free(WEFT_CONTAINER_OF(weft_list_pop_front(&node->connecting), struct weft__connecting, link));
}

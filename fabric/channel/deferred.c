/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that are answered later. The application has the calls until it answers, though the peer that asked be gone; so
 * what a peer has of them is counted by its name, and is still its own when it comes again.
 */
#include "channel/channel_private.h"

#include <stdlib.h>
#include <string.h>

/* A peer that is linked or has calls, and how many. */
struct weft__asker {
	struct weft_list link;  /* the station's askers */
	struct weft_list calls; /* until they are answered */
	unsigned int call_count;
	bool is_linked;
	uint32_t uid;
	char peer[];
};

static struct weft__asker *find(const struct weft__link *to)
{
	WEFT_LIST_FOR_EACH(at, &to->station->askers) {
		struct weft__asker *asker = WEFT_CONTAINER_OF(at, struct weft__asker, link);

		if (!asker->is_linked && asker->uid == to->peer_uid && strcmp(asker->peer, to->peer) == 0)
			return asker;
	}
	return NULL;
}

static struct weft__asker *make(const struct weft__link *to)
{
	size_t name_bytes = strlen(to->peer) + 1;
	struct weft__asker *asker = calloc(1, sizeof *asker + name_bytes);

	if (!asker)
		return NULL;
	asker->uid = to->peer_uid;
	weft_list_init(&asker->calls);
	memcpy(asker->peer, to->peer, name_bytes);
	weft_list_push_back(&to->station->askers, &asker->link);
	return asker;
}

static void forget(struct weft__asker *asker)
{
	weft_list_remove(&asker->link);
	free(asker);
}

void weft__asker_join(struct weft__link *link)
{
	link->asker = find(link);
	if (!link->asker)
		link->asker = make(link); /* without it the link's requests are answered at once or not at all */
	if (link->asker)
		link->asker->is_linked = true;
}

void weft__asker_leave(struct weft__link *link)
{
	struct weft__asker *asker = link->asker;

	link->asker = NULL;
	if (!asker)
		return;
	asker->is_linked = false;
	if (!asker->call_count) {
		forget(asker);
		return;
	}
	WEFT_LIST_FOR_EACH(at, &asker->calls)
		WEFT_CONTAINER_OF(at, struct weft_call, link)->to = NULL;
}

void weft__askers_drop(struct weft__station *station)
{
	WEFT_LIST_FOR_EACH(at, &station->askers)
		forget(WEFT_CONTAINER_OF(at, struct weft__asker, link));
}

bool weft__asker_waits(const struct weft__link *link)
{
	return link->asker && link->asker->call_count;
}

/* ---- the application's side ---- */

int weft_rx_defer(struct weft_rx *rx, struct weft_call **out)
{
	struct weft__station *station = weft__station_of(rx->worker);
	struct weft__reply_to to = {0};
	struct weft__asker *asker;
	struct weft_call *call;
	int rc = weft__reply_to(rx, &to);

	if (rc < 0)
		return rc;
	asker = to.link->asker;
	if (!asker || !weft__may_have_more(asker->call_count, station->free_call_count, station->deferring))
		return weft__answered(rx, -WEFT_EAGAIN);
	call = WEFT_CONTAINER_OF(weft_list_pop_front(&station->free_calls), struct weft_call, link);
	station->free_call_count--;
	station->deferring += !asker->call_count++;
	call->to = to.link;
	call->asker = asker;
	call->request_id = to.request_id;
	call->lane = to.lane;
	call->class_ = to.class_;
	weft_list_push_back(&asker->calls, &call->link);
	*out = call;
	return 0;
}

static void give_back(struct weft_call *call)
{
	struct weft__station *station = call->station;
	struct weft__asker *asker = call->asker;

	weft_list_remove(&call->link);
	weft_list_push_front(&station->free_calls, &call->link);
	station->free_call_count++;
	if (--asker->call_count)
		return;
	station->deferring--;
	if (!asker->is_linked)
		forget(asker);
}

int weft_call_reply(struct weft_call *call, int status, const void *data, size_t len_bytes)
{
	struct weft__reply_to to = {call->to, call->request_id, call->lane, call->class_};
	int32_t code = status;

	give_back(call);
	if (!to.link)
		return -WEFT_EPEERRESET;
	return status < 0 ? weft__reply_copy(&to, true, &code, sizeof code)
			  : weft__reply_copy(&to, false, data, len_bytes);
}

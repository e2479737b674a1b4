/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that are answered later. The application has the calls until it answers, though the peer that asked be gone; so
 * what a peer has of them is counted by its name, and is still its own when it comes again.
 */
#include "channel/channel_private.h"

#include <stdlib.h>
#include <string.h>
#include <weft/errors.h>

/* A peer that is linked or has calls, and how many. All links to one name, as those of its workers, have one. */
struct weft__asker {
	struct weft_list link;  /* the station's askers */
	struct weft_list calls; /* until they are answered */
	unsigned int call_count, link_count;
	uint32_t uid;
	char peer[];
};

static struct weft__asker *find(const struct weft__link *to)
{
	WEFT_LIST_FOR_EACH(at, &to->station->askers) {
		struct weft__asker *asker = WEFT_CONTAINER_OF(at, struct weft__asker, link);

		if (asker->uid == to->peer_uid && strcmp(asker->peer, to->peer) == 0)
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
		link->asker = make(link); /* without memory it is tried again when a request is to be answered later */
	if (link->asker)
		link->asker->link_count++;
}

void weft__asker_leave(struct weft__link *link)
{
	struct weft__asker *asker = link->asker;

	link->asker = NULL;
	link->calls = 0;
	if (!asker)
		return;
	WEFT_LIST_FOR_EACH(at, &asker->calls) {
		struct weft_call *call = WEFT_CONTAINER_OF(at, struct weft_call, link);

		if (call->to == link)
			call->to = NULL;
	}
	if (!--asker->link_count && !asker->call_count)
		forget(asker);
}

void weft__askers_drop(struct weft__station *station)
{
	WEFT_LIST_FOR_EACH(at, &station->askers)
		forget(WEFT_CONTAINER_OF(at, struct weft__asker, link));
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
	if (to.link->state != WEFT__LINK_UP)
		return weft_set_error(WEFT_EPEERRESET, "\"%s\", which asked, is gone", rx->peer);
	if (!to.link->asker)
		weft__asker_join(to.link);
	asker = to.link->asker;
	if (!asker || !weft__may_have_more(asker->call_count, station->free_call_count, station->deferring))
		return weft__answered(rx, -WEFT_EAGAIN);
	call = WEFT_CONTAINER_OF(weft_list_pop_front(&station->free_calls), struct weft_call, link);
	station->free_call_count--;
	station->deferring += !asker->call_count++;
	to.link->calls++;
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
	if (call->to)
		call->to->calls--;
	if (--asker->call_count)
		return;
	station->deferring--;
	if (!asker->link_count)
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

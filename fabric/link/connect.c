/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connecting a link: the worker asks, the runner does, and what fails is tried again for those who wait.
 */
#include "link/connect.h"

#include "channel/channel_private.h"
#include "link/connecting.h"

#include <string.h>
#include <weft/hash.h>
#include <weft/log.h>

#define RETRY_FIRST_NS UINT64_C(1000000)
#define RETRY_MAX_NS UINT64_C(100000000)

static void connect_refused(struct weft_worker *worker, const struct weft_message *message)
{
	(void)worker;
	weft__link_connect_failed(NULL, message->with.pointers[0], (int)(int64_t)message->with.numbers[1],
				  weft_error_text((int)(int64_t)message->with.numbers[1]));
}

static void runner_connect(struct weft_worker *runner, const struct weft_message *message)
{
	struct weft__link *link = message->with.pointers[0];
	struct weft__station *station = link->station;
	struct weft_node *node = station->node;
	struct weft__hello hello = {.spread = (uint32_t)message->with.numbers[1], .role = (uint8_t)node->opts.role};
	struct weft_hello bytes;
	const char *to;
	unsigned int rail;
	int rc;

	(void)runner;
	strcpy(hello.node, node->name);
	strcpy(hello.worker, station->name);
	strcpy(hello.target, link->peer_worker);
	weft__hello_encode(&hello, &bytes);
	link->connecting = weft__connecting_begin(station, link->peer);
	rc = weft__way_to(node, link->peer_node, (unsigned int)message->with.numbers[2], &rail, &to) ? 0 : -WEFT_ENOENT;
	if (rc == 0)
		rc = node->rails[rail].driver->connect(station->ports[rail], to, &bytes, link);
	if (rc < 0) {
		link->refused.message = (struct weft_message){.run = connect_refused,
							      .with.numbers = {(uint64_t)(uintptr_t)link,
									       (uint64_t)(int64_t)rc}};
		weft__mail_send(station, &link->refused);
	}
}

int weft__link_connect(struct weft__link *link)
{
	struct weft__station *station = link->station;
	struct weft_message message = {.run = runner_connect};
	int rc;

	message.with.pointers[0] = link;
	message.with.numbers[1] = weft_hash_u64(station->node->incarnation + (uintptr_t)station);
	message.with.numbers[2] = link->way;
	rc = weft_worker_post(station->node->runner, &message);
	if (rc == 0)
		link->connect_out = true;
	return rc;
}

void weft__link_connect_over(struct weft__link *link)
{
	weft__connecting_end(link->connecting);
	link->connecting = NULL;
}

void weft__link_connect_later(struct weft__link *link)
{
	struct weft_worker *worker = link->station->worker;

	link->state = WEFT__LINK_RETRYING;
	weft_timer_set(worker, &link->retry, weft_worker_now(worker) + link->retry_ns);
}

static void retry_now(struct weft_timer *timer, void *user)
{
	struct weft__link *link = user;

	(void)timer;
	if (weft__link_connect(link) == 0)
		link->state = WEFT__LINK_CONNECTING;
	else
		weft__link_connect_later(link);
}

void weft__link_connect_init(struct weft__link *link)
{
	link->retry_ns = RETRY_FIRST_NS;
	weft_timer_init(&link->retry, retry_now, link);
	weft__mail_init(&link->refused);
}

void weft__link_connect_done(struct weft__link *link)
{
	link->retry_ns = RETRY_FIRST_NS;
}

void weft__link_connect_came(struct weft__link *link)
{
	link->connect_out = false;
	link->station->reap_due |= link->state == WEFT__LINK_DOWN;
}

/* Whether some sender keeps trying until the peer is there. */
static bool somebody_waits(const struct weft__link *link)
{
	WEFT_LIST_FOR_EACH(at, &link->senders)
		if (WEFT_CONTAINER_OF(at, struct weft_sender, in_link)->opts.wait_for_peer)
			return true;
	return false;
}

/* Whether the peer may be reached another way: then that is tried at once. */
static bool try_next_way(struct weft__link *link, int error)
{
	const char *to;
	unsigned int rail;

	if (error == -WEFT_EBUSY || error == -WEFT_EAGAIN || link->closing)
		return false;
	link->way++;
	if (weft__way_to(link->station->node, link->peer_node, link->way, &rail, &to) && weft__link_connect(link) == 0)
		return true;
	link->way = 0;
	return false;
}

/* The senders that do not wait for the peer have lost; the others stay. */
static void fail_impatient(struct weft__link *link, int cause)
{
	WEFT_LIST_FOR_EACH(at, &link->senders) {
		struct weft_sender *sender = WEFT_CONTAINER_OF(at, struct weft_sender, in_link);

		if (!sender->opts.wait_for_peer)
			weft__sender_lost(sender, cause);
	}
}

void weft__link_connect_failed(void *port_user, void *request, int error, const char *why)
{
	struct weft__link *link = request, *other;
	/* -WEFT_EAGAIN: what lacks here or there is back in a moment; as a sender's status it means the same. */
	bool passes = error == -WEFT_EBUSY || error == -WEFT_EAGAIN;

	(void)port_user;
	weft__link_connect_came(link);
	weft__link_connect_over(link);
	weft_log(WEFT_LOG_DEBUG, "link", "peer %s error %s why %s", link->peer, weft_error_name(error), why);
	/* The peer is connecting to us, and that connection stays. It is here, or comes; should it fail, we try again. */
	if (error == -WEFT_EBUSY && (other = weft__link_up_like(link))) {
		weft__link_merge(link, other);
		return;
	}
	if (try_next_way(link, error))
		return;
	if (error == -WEFT_EBUSY)
		link->retry_ns = RETRY_MAX_NS;
	else if (!passes)
		fail_impatient(link, error);
	if (link->closing || (!passes && !somebody_waits(link))) {
		weft__link_end(link, error);
		return;
	}
	weft__link_connect_later(link);
	link->retry_ns = link->retry_ns * 2 < RETRY_MAX_NS ? link->retry_ns * 2 : RETRY_MAX_NS;
}

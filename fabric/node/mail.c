/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The runner's mail to workers.
 */
#include "node/mail.h"

#include "node/node_private.h"

#define AGAIN_NS UINT64_C(1000000)

void weft__mail_init(struct weft__mail *mail)
{
	weft_list_init(&mail->link);
}

static void later(struct weft_node *node)
{
	if (!weft_timer_is_set(&node->mail_timer))
		weft_timer_set(node->runner, &node->mail_timer,
			       weft_clock_now(weft_worker_clock(node->runner)) + AGAIN_NS);
}

/* It may be used again, and its holder gone, as soon as it is posted. */
static void send(struct weft__mail *mail)
{
	struct weft__station *station = mail->station;

	if (weft_worker_post(station->worker, &mail->message) == 0)
		return;
	weft_list_push_back(&station->node->mail, &mail->link);
	later(station->node);
}

void weft__mail_send(struct weft__station *station, struct weft__mail *mail)
{
	mail->station = station;
	send(mail);
}

static void again(struct weft_timer *timer, void *user)
{
	struct weft_node *node = user;
	unsigned int waiting = 0;

	(void)timer;
	WEFT_LIST_FOR_EACH(at, &node->mail)
		waiting++;
	while (waiting--) /* who finds no room again stands at the end again */
		send(WEFT_CONTAINER_OF(weft_list_pop_front(&node->mail), struct weft__mail, link));
}

void weft__mails_init(struct weft_node *node)
{
	weft_list_init(&node->mail);
	weft_timer_init(&node->mail_timer, again, node);
}

void weft__mails_stop(struct weft_node *node)
{
	weft_timer_cancel(node->runner, &node->mail_timer);
}

void weft__mails_drop(struct weft__station *station)
{
	WEFT_LIST_FOR_EACH(at, &station->node->mail)
		if (WEFT_CONTAINER_OF(at, struct weft__mail, link)->station == station)
			weft_list_remove(at);
}

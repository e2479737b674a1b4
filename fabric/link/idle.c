/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links without traffic are closed, and opened by the next send. Nothing may be lost by that, so the two sides agree:
 *
 *   1. One side finds the link idle, stops sending, and asks: in both classes, since each keeps its order, so that the
 *      peer has everything that was sent before when it has the question twice.
 *   2. The peer, if nothing is pending there, stops sending and says yes, in both classes again. Else it says no.
 *   3. The first, if nothing has come meanwhile, says so and closes the path. Else it says that it is off.
 *
 * Both may ask at once: the one with the larger incarnation insists, the other drops its own question.
 *
 * An answer is a matter of a moment. Who has waited for PATIENCE_NS does not wait for ever: one that asked says that it
 * is off and goes on; one that agreed closes the path itself, which the peer takes as it would its own closing.
 *
 * The last word, that a path goes and the link does not, is also said on a path that was made once too often.
 */
#include "channel/channel_private.h"
#include "link/link.h"
#include "wire/meta.h"

#define BOTH_CLASSES ((1 << WEFT_CLASS_COUNT) - 1)
#define PATIENCE_NS UINT64_C(1000000000)
#define LOOK_MIN_NS UINT64_C(1000000)
#define LOOK_MAX_NS UINT64_C(30000000000)

/* ---- is it idle? ---- */

static uint64_t activity_of(const struct weft__link *link)
{
	uint64_t sum = link->next_generation;

	for (unsigned int i = 0; i < WEFT__LINK_LANES; i++) {
		if (link->tx_lanes[i])
			sum += link->tx_lanes[i]->next_sequence;
		if (link->rx_lanes[i])
			sum += link->rx_lanes[i]->next_sequence + 1;
	}
	return sum;
}

static bool lanes_quiet(const struct weft__link *link)
{
	for (unsigned int i = 0; i < WEFT__LINK_LANES; i++) {
		const struct weft__tx_lane *tx = link->tx_lanes[i];
		const struct weft__rx_lane *rx = link->rx_lanes[i];

		if (tx && (!tx->opened || tx->staged_count || tx->latest.buf || !weft_list_empty(&tx->unacked)))
			return false;
		if (rx && (rx->held_messages || rx->to_tell || rx->reset_due || (rx->view && rx->view->calls.on_peer)))
			return false;
	}
	return true;
}

static bool senders_quiet(const struct weft__link *link)
{
	WEFT_LIST_FOR_EACH(at, (struct weft_list *)(uintptr_t)&link->senders) {
		const struct weft_sender *sender = WEFT_CONTAINER_OF(at, struct weft_sender, in_link);

		if (sender->requests_out || (sender->wants_writable && !sender->parked) ||
		    (sender->status < 0 && !sender->parked))
			return false;
	}
	return true;
}

/* Whether nothing is pending on this side. */
static bool is_quiet(const struct weft__link *link)
{
	return link->state == WEFT__LINK_UP && !link->closing && !link->kept && !link->connect_out &&
	       !link->close_lanes[0] && !link->close_lanes[1] && weft_list_empty(&link->replies) &&
	       weft_list_empty(&link->tx_dirty) && weft_list_empty(&link->rx_dirty) && lanes_quiet(link) &&
	       !link->calls && senders_quiet(link);
}

/* ---- asking ---- */

static void tell(struct weft__link *link, enum weft__kind what, unsigned int classes, uint32_t round)
{
	link->idle_tell = (uint8_t)what;
	link->idle_classes = (uint8_t)classes;
	link->idle_tell_round = round;
	weft__link_busy(link);
}

static void stop_sending(struct weft__link *link, enum weft__idle_state state)
{
	link->idle = (uint8_t)state;
	link->wake_wanted = false;
	weft_timer_set(link->station->worker, &link->patience, weft_worker_now(link->station->worker) + PATIENCE_NS);
	WEFT_LIST_FOR_EACH(at, &link->senders)
		weft__sender_park(WEFT_CONTAINER_OF(at, struct weft_sender, in_link));
}

static void go_on(struct weft__link *link)
{
	link->idle = WEFT__AWAKE;
	weft_timer_cancel(link->station->worker, &link->patience);
	link->active_ns = weft_worker_now(link->station->worker);
	WEFT_LIST_FOR_EACH(at, &link->senders)
		weft__sender_unpark(WEFT_CONTAINER_OF(at, struct weft_sender, in_link));
	weft__link_busy(link); /* what was held back */
}

static void ask(struct weft__link *link)
{
	stop_sending(link, WEFT__IDLE_ASKED);
	link->idle_heard = 0;
	link->activity = activity_of(link);
	tell(link, WEFT__IDLE_ASK, BOTH_CLASSES, ++link->idle_round);
}

/* Links within one node stay: their two ends could not tell whose question counts. */
static bool may_ask(const struct weft__link *link)
{
	return link->state == WEFT__LINK_UP && link->idle == WEFT__AWAKE && is_quiet(link) &&
	       link->peer_incarnation != link->station->node->incarnation;
}

/* ---- looking ---- */

static void look_later(struct weft__station *station)
{
	uint64_t wait_ns = station->node->opts.link_idle_ns / 4;

	if (!station->node->opts.link_idle_ns || weft_timer_is_set(&station->idle_look))
		return;
	wait_ns = wait_ns < LOOK_MIN_NS ? LOOK_MIN_NS : wait_ns > LOOK_MAX_NS ? LOOK_MAX_NS : wait_ns;
	weft_timer_set(station->worker, &station->idle_look, weft_worker_now(station->worker) + wait_ns);
}

void weft__idle_watch(struct weft__link *link)
{
	link->active_ns = weft_worker_now(link->station->worker);
	link->activity = activity_of(link);
	look_later(link->station);
}

/* Notes whether there was traffic since the last look. */
static void look_at(struct weft__link *link, uint64_t now_ns)
{
	uint64_t activity = activity_of(link);

	if (link->idle != WEFT__AWAKE || activity == link->activity)
		return;
	link->activity = activity;
	link->active_ns = now_ns;
}

void weft__idle_look(struct weft_timer *timer, void *user)
{
	struct weft__station *station = user;
	uint64_t now_ns = weft_worker_now(station->worker);
	bool any = false;

	(void)timer;
	WEFT_LIST_FOR_EACH(at, &station->links) {
		struct weft__link *link = WEFT_CONTAINER_OF(at, struct weft__link, in_station);

		if (link->state != WEFT__LINK_UP)
			continue;
		any = true;
		look_at(link, now_ns);
		if (now_ns - link->active_ns >= station->node->opts.link_idle_ns && may_ask(link))
			ask(link);
	}
	if (any)
		look_later(station);
}

/* Ours to close, or being closed. What we have agreed to is the peer's to close, or not: it may call it off. */
static bool is_on_its_way(const struct weft__link *link)
{
	return link->idle == WEFT__IDLE_ASKED || link->idle == WEFT__IDLE_DUE || link->idle == WEFT__IDLE_CLOSING;
}

bool weft__idle_close_one(struct weft__station *station)
{
	struct weft__link *oldest = NULL;
	uint64_t now_ns = weft_worker_now(station->worker);
	bool agreed_one = false;

	WEFT_LIST_FOR_EACH(at, &station->links) {
		struct weft__link *link = WEFT_CONTAINER_OF(at, struct weft__link, in_station);

		if (link->state == WEFT__LINK_UP && is_on_its_way(link))
			return true;
		agreed_one |= link->state == WEFT__LINK_UP && link->idle == WEFT__IDLE_AGREED;
		look_at(link, now_ns);
		if (may_ask(link) && (!oldest || link->active_ns < oldest->active_ns))
			oldest = link;
	}
	if (oldest)
		ask(oldest);
	return oldest || agreed_one;
}

/* ---- what the peer says ---- */

static void asked(struct weft__link *link, unsigned int class_, uint32_t round)
{
	if (round == link->peer_off_round)
		return; /* called off already: that came by the other class */
	if (link->idle == WEFT__IDLE_ASKED || link->idle == WEFT__IDLE_DUE) {
		if (link->station->node->incarnation > link->peer_incarnation)
			return; /* it drops its own question when it gets ours */
		go_on(link);
	}
	if (round != link->peer_round)
		link->idle_heard = 0;
	link->peer_round = round;
	link->idle_heard |= (uint8_t)(1u << class_);
	if (link->idle_heard != BOTH_CLASSES)
		return;
	link->idle_heard = 0;
	if (!is_quiet(link)) {
		tell(link, WEFT__IDLE_NO, 1u << WEFT_CLASS_EXPRESS, round);
		return;
	}
	stop_sending(link, WEFT__IDLE_AGREED);
	tell(link, WEFT__IDLE_YES, BOTH_CLASSES, round);
}

static void agreed(struct weft__link *link, unsigned int class_, uint32_t round)
{
	if (link->idle != WEFT__IDLE_ASKED || round != link->idle_round)
		return;
	link->idle_heard |= (uint8_t)(1u << class_);
	if (link->idle_heard != BOTH_CLASSES)
		return;
	/* Not from inside the frames of this turn: the path would go under them. */
	link->idle = WEFT__IDLE_DUE;
	weft__link_busy(link);
}

static void called_off(struct weft__link *link, uint32_t round)
{
	link->peer_off_round = round;
	if (link->idle == WEFT__IDLE_AGREED && round == link->peer_round)
		go_on(link);
}

void weft__idle_receive(struct weft__link *link, const struct weft_rx_frame *frame)
{
	unsigned int class_ = weft__meta_lane(frame->meta);
	uint32_t round = weft__meta_sequence(frame->meta);

	if (class_ >= WEFT_CLASS_COUNT) {
		weft__link_violation(link, "idle in a class that cannot be");
		return;
	}
	switch (weft__meta_kind(frame->meta)) {
	case WEFT__IDLE_ASK:
		asked(link, class_, round);
		break;
	case WEFT__IDLE_YES:
		agreed(link, class_, round);
		break;
	case WEFT__IDLE_NO:
		if (link->idle == WEFT__IDLE_ASKED && round == link->idle_round)
			go_on(link);
		break;
	case WEFT__IDLE_CLOSE:
		if (link->idle == WEFT__AWAKE)
			stop_sending(link, WEFT__IDLE_CLOSING);
		link->idle = WEFT__IDLE_CLOSING;
		break;
	default:
		called_off(link, round);
	}
}

void weft__idle_lose_parked(struct weft__link *link)
{
	WEFT_LIST_FOR_EACH(at, &link->senders) {
		struct weft_sender *sender = WEFT_CONTAINER_OF(at, struct weft_sender, in_link);

		if (sender->parked)
			weft__sender_lost(sender, -WEFT_EPEERRESET);
	}
}

/* ---- closing ---- */

/* Whether somebody waits for an outcome of what was sent. */
static bool outcomes_due(const struct weft__link *link)
{
	for (unsigned int i = 0; i < WEFT__LINK_LANES; i++) {
		const struct weft__tx_lane *lane = link->tx_lanes[i];

		if (lane && (lane->staged_count || !weft_list_empty(&lane->unacked) || lane->sender->requests_out))
			return true;
	}
	return false;
}

bool weft__idle_may_rest(const struct weft__link *link)
{
	return !link->kept && weft_list_empty(&link->replies) && !link->calls && !outcomes_due(link);
}

bool weft__idle_is_wanted(const struct weft__link *link)
{
	WEFT_LIST_FOR_EACH(at, (struct weft_list *)(uintptr_t)&link->senders) {
		const struct weft_sender *sender = WEFT_CONTAINER_OF(at, struct weft_sender, in_link);

		if (!sender->parked || sender->wants_writable)
			return true;
	}
	return link->wake_wanted || link->latest_count;
}

bool weft__idle_say_close(struct weft_path *path, uint32_t round)
{
	struct weft_tx_frame frame = {.meta = weft__meta(WEFT__IDLE_CLOSE, 0, WEFT_CLASS_EXPRESS, round)};

	return path->port->tx(path, WEFT_CLASS_EXPRESS, &frame, 1, 0, NULL) == 1;
}

void weft__idle_overdue(struct weft_timer *timer, void *user)
{
	struct weft__link *link = user;

	(void)timer;
	if (link->state != WEFT__LINK_UP || link->idle == WEFT__AWAKE)
		return;
	if (link->idle == WEFT__IDLE_ASKED || link->idle == WEFT__IDLE_DUE) {
		go_on(link);
		tell(link, WEFT__IDLE_OFF, 1u << WEFT_CLASS_EXPRESS, link->idle_round);
	} else if (!weft__idle_may_rest(link)) {
		weft__link_violation(link, "it wanted to close an idle link, and then sent what is still in use");
	} else {
		/* No room for the word: then the peer learns only that the path was closed. */
		(void)weft__idle_say_close(link->path, link->peer_round);
		weft__link_rest(link);
	}
}

/* ---- at the end of a turn ---- */

static bool tell_in(struct weft__link *link, enum weft__kind what, unsigned int class_, uint32_t round)
{
	return weft__link_control(link, (enum weft_class)class_, weft__meta(what, 0, (uint16_t)class_, round), NULL, 0);
}

bool weft__idle_flush(struct weft__link *link)
{
	if (link->idle == WEFT__IDLE_DUE) {
		if (!link->wake_wanted && is_quiet(link) && activity_of(link) == link->activity) {
			if (!weft__idle_say_close(link->path, link->idle_round))
				return false;
			weft__link_rest(link);
			return true;
		}
		go_on(link);
		tell(link, WEFT__IDLE_OFF, 1u << WEFT_CLASS_EXPRESS, link->idle_round);
	}
	while (link->idle_classes) {
		unsigned int class_ = (unsigned int)__builtin_ctz(link->idle_classes);

		if (!tell_in(link, (enum weft__kind)link->idle_tell, class_, link->idle_tell_round))
			return false;
		link->idle_classes &= (uint8_t)(link->idle_classes - 1);
	}
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The station: what a node is on one worker. It polls the port, hands frames to links, runs the callbacks that are due,
 * and sends what is due, once a turn.
 */
#include "node/node_private.h"

#include "channel/channel_private.h"
#include "link/promise.h"

#include <stdlib.h>
#include <string.h>

#define CALLBACKS_A_TURN 32
#define UNBLOCK_FIRST_NS UINT64_C(20000)
#define UNBLOCK_MAX_NS UINT64_C(5000000)
/* What one turn copies of staged sends, so that urgent messages wait for at most so much; less while messages come in. */
#define CALM_BUDGET_BYTES ((size_t)64 * 1024)
#define LIVELY_BUDGET_BYTES ((size_t)8 * 1024)
#define CALM_TURNS 256
#define FIRST_MEMORY_BYTES ((size_t)1 << 20)
#define FIRST_NETWORK_MEMORY_BYTES ((size_t)6 << 20)
#define SEGMENT_HEAD_BYTES ((size_t)1 << 20) /* before its payload */

struct weft__station *weft__station_of(struct weft_worker *worker)
{
	return weft_worker_user(worker);
}

/* ---- one turn ---- */

static void reap_port(struct weft__station *station, struct weft_port *port)
{
	uint64_t cookies[CALLBACKS_A_TURN];
	unsigned int count = port->reap(port, cookies, CALLBACKS_A_TURN);

	for (unsigned int i = 0; i < count; i++)
		if (cookies[i]) {
			station->cookies_out--;
			weft__op_finish((struct weft_op *)(uintptr_t)cookies[i], 0);
		}
}

static void reap_lent(struct weft__station *station)
{
	for (unsigned int i = 0; i < station->node->rail_count; i++)
		reap_port(station, station->ports[i]);
}

static void reap_links(struct weft__station *station)
{
	station->reap_due = false;
	WEFT_LIST_FOR_EACH(at, &station->links)
		weft__link_reap(WEFT_CONTAINER_OF(at, struct weft__link, in_station));
}

static unsigned int run_view(struct weft__station *station, struct weft__view *view)
{
	unsigned int count = weft__view_run_unexpected(view, CALLBACKS_A_TURN);

	station->views_due |= view->calls.handler && !weft_list_empty(&view->unexpected);
	/* A peer's end comes after its messages. */
	if (!view->calls.handler || weft_list_empty(&view->unexpected))
		count += weft__notes_run(view, CALLBACKS_A_TURN);
	station->views_due |= !weft_list_empty(&view->notes);
	return count;
}

/* Callbacks may close any channel but their own, and open others: so the walk keeps no place in the list, but takes the first
 * each time and puts it last. Where some were closed meanwhile, others have a second turn. */
static unsigned int run_views(struct weft__station *station)
{
	unsigned int count = 0, left = 0;

	station->views_due = false;
	WEFT_LIST_FOR_EACH(at, &station->views)
		left++;
	for (; left && !weft_list_empty(&station->views); left--) {
		struct weft_list *first = weft_list_pop_front(&station->views);

		weft_list_push_back(&station->views, first);
		count += run_view(station, WEFT_CONTAINER_OF(first, struct weft__view, in_station));
	}
	return count;
}

/* The seldom parts of a turn. */
static __attribute__((noinline)) unsigned int poll_seldom(struct weft__station *station)
{
	unsigned int count = 0;

	if (weft__errands_wait(&station->errands)) /* the mailbox was full */
		count += weft__errands_run(station);
	if (station->cookies_out)
		reap_lent(station);
	if (!weft_list_empty(&station->finished))
		count += weft__ops_run_finished(station, CALLBACKS_A_TURN);
	if (!weft_list_empty(&station->events))
		count += weft__senders_run_events(station, CALLBACKS_A_TURN);
	if (station->views_due)
		count += run_views(station);
	if (station->reap_due)
		reap_links(station);
	if (station->feed_left)
		count += weft__promises_feed(station);
	return count;
}

static size_t copy_budget(const struct weft__station *station)
{
	return station->calm_turns < CALM_TURNS ? LIVELY_BUDGET_BYTES : CALM_BUDGET_BYTES;
}

/* What is due on links. Returns whether copies went on, which may be more in the next turn. */
static unsigned int flush_links(struct weft__station *station)
{
	size_t budget_bytes = copy_budget(station), left_bytes = budget_bytes;

	WEFT_LIST_FOR_EACH(at, &station->busy_links) {
		struct weft__link *link = WEFT_CONTAINER_OF(at, struct weft__link, in_busy);

		if (weft__link_flush(link, &left_bytes))
			weft_list_remove(at);
		else
			weft__station_retry_soon(station);
	}
	if (!left_bytes && !weft_list_empty(&station->busy_links)) /* the others come first in the next turn */
		weft_list_push_back(&station->busy_links, weft_list_pop_front(&station->busy_links));
	return left_bytes < budget_bytes;
}

static inline __attribute__((always_inline)) unsigned int receive_from(struct weft__station *station,
								       struct weft_port *port)
{
	unsigned int count = port->rx(port, station->frames, WEFT__RX_BURST);

	station->frame_count = count;
	for (unsigned int i = 0; i < count; i++) {
		const struct weft_rx_frame *frame = &station->frames[i];
		struct weft__link *link = frame->path->user;

		station->frame_next = i + 1;
		/* A frame before this one may have ended the link. */
		if (link && link->state == WEFT__LINK_UP)
			weft__link_receive(link, frame);
	}
	station->frame_count = 0;
	if (__builtin_expect(station->replies_staged, 0)) {
		station->replies_staged = false;
		station->replies_held = 0;
		port->flush(port);
	}
	return count;
}

static __attribute__((noinline)) unsigned int receive_from_networks(struct weft__station *station)
{
	unsigned int count = 0;

	for (unsigned int i = 1; i < station->node->rail_count; i++)
		count += receive_from(station, station->ports[i]);
	return count;
}

static __attribute__((noinline)) void flush_networks(struct weft__station *station)
{
	for (unsigned int i = 1; i < station->node->rail_count; i++)
		if (station->ports[i]->flush_due)
			station->ports[i]->flush(station->ports[i]);
}

static unsigned int station_poll(void *user)
{
	struct weft__station *station = user;
	struct weft_port *own = station->ports[0];
	unsigned int count = receive_from(station, own);

	if (__builtin_expect(station->has_networks, 0))
		count += receive_from_networks(station);
	if (__builtin_expect(station->cookies_out | station->reap_due | station->views_due |
				     weft__errands_wait(&station->errands) | !weft_list_empty(&station->finished) |
				     !weft_list_empty(&station->events) | (station->feed_left > 0),
			     0))
		count += poll_seldom(station);
	if (__builtin_expect(!weft_list_empty(&station->busy_links) || !weft_list_empty(&station->placing), 0)) {
		station->calm_turns = count ? 0 : station->calm_turns + (station->calm_turns < CALM_TURNS);
		if (!weft_list_empty(&station->placing))
			count += weft__placing_run(station, copy_budget(station));
		count += flush_links(station);
	}
	if (own->flush_due)
		own->flush(own);
	if (__builtin_expect(station->has_networks, 0))
		flush_networks(station);
	return count + (station->feed_left > 0); /* then there is work for the next turn */
}

static void station_arm(void *user)
{
	struct weft__station *station = user;

	for (unsigned int i = 0; i < station->node->rail_count; i++)
		station->ports[i]->driver->arm(station->ports[i], true);
}

static void station_disarm(void *user)
{
	struct weft__station *station = user;

	for (unsigned int i = 0; i < station->node->rail_count; i++)
		station->ports[i]->driver->arm(station->ports[i], false);
}

/* ---- back-pressure of the driver: nothing tells us when it ends, so it is tried again ---- */

static void unblock(struct weft_timer *timer, void *user)
{
	struct weft__station *station = user;
	struct weft_list due;
	bool any = false;

	(void)timer;
	weft_list_init(&due);
	station->unblock_ns = station->unblock_ns * 2 < UNBLOCK_MAX_NS ? station->unblock_ns * 2 : UNBLOCK_MAX_NS;
	for (unsigned int priority = 0; priority < WEFT_PRIORITY_COUNT; priority++)
		while (!weft_list_empty(&station->blocked[priority]))
			weft_list_push_back(&due, weft_list_pop_front(&station->blocked[priority]));
	while (!weft_list_empty(&due)) {
		weft__sender_unblock(WEFT_CONTAINER_OF(due.next, struct weft_sender, in_blocked));
		any = true;
	}
	if (!any)
		station->unblock_ns = UNBLOCK_FIRST_NS;
}

void weft__station_retry_soon(struct weft__station *station)
{
	if (!weft_timer_is_set(&station->unblock))
		weft_timer_set(station->worker, &station->unblock,
			       weft_worker_now(station->worker) + station->unblock_ns);
}

/* ---- memory: the runner makes it, the worker adopts it ---- */

static int adopt(struct weft__station *station, const struct weft_segment *segment)
{
	size_t len_bytes = segment->len_bytes - SEGMENT_HEAD_BYTES;
	int rc = weft_pool_adopt(station->pool, segment);

	if (rc < 0)
		return rc;
	station->largest_bytes = len_bytes > station->largest_bytes ? len_bytes : station->largest_bytes;
	return 0;
}

static void grown(struct weft_worker *worker, const struct weft_message *message)
{
	struct weft__station *station = weft__station_of(worker);
	const struct weft_segment *segment = message->with.pointers[0];
	size_t refused_bytes = message->with.numbers[1];

	station->grow_asked = false;
	if (segment && adopt(station, segment) < 0)
		weft__node_degrade(station->node, 0, "memory is there but cannot be used: %s", weft_last_error());
	if (refused_bytes && refused_bytes < station->refused_bytes)
		station->refused_bytes = refused_bytes;
	station->unblock_ns = UNBLOCK_FIRST_NS;
}

static void runner_grow(struct weft_worker *runner, const struct weft_message *message)
{
	struct weft__station *station = message->with.pointers[0];
	struct weft_message *answer = &station->grown.message;
	const struct weft_segment *segment = NULL;
	size_t best_bytes = message->with.numbers[1], least_bytes = message->with.numbers[2];
	int rc = weft__station_memory(station, best_bytes, &segment);

	(void)runner;
	*answer = (struct weft_message){.run = grown};
	if (rc == -WEFT_EQUOTA && least_bytes < best_bytes)
		rc = weft__station_memory(station, least_bytes, &segment);
	if (rc == 0)
		answer->with.pointers[0] = (void *)(uintptr_t)segment;
	else if (rc == -WEFT_EQUOTA)
		answer->with.numbers[1] = least_bytes; /* for good: nothing is ever taken from the limit */
	weft__mail_send(station, &station->grown);
}

int weft__station_grow(struct weft__station *station, size_t len_bytes)
{
	struct weft_message message = {.run = runner_grow};
	size_t wanted;

	if (len_bytes > station->largest_bytes && len_bytes >= station->refused_bytes)
		return weft_set_error(WEFT_ENOMEM,
				      "no memory for a message of %zu bytes: memory_max_bytes %zu of node \"%s\" "
				      "does not allow for it beside what is there already",
				      len_bytes, station->node->opts.memory_max_bytes, station->node->name);
	if (station->grow_asked)
		return -WEFT_EAGAIN;
	wanted = weft_pool_wants(station->pool);
	if (wanted >= station->refused_bytes)
		return -WEFT_EAGAIN; /* it has to wait for what is out */
	message.with.pointers[0] = station;
	message.with.numbers[2] = wanted;
	/* Doubling: a small program stays small, a busy one soon has whole segments. */
	if (wanted < station->next_grow_bytes)
		wanted = station->next_grow_bytes;
	if (station->next_grow_bytes < (size_t)32 << 20)
		station->next_grow_bytes *= 2;
	message.with.numbers[1] = wanted;
	if (weft_worker_post(station->node->runner, &message) == 0)
		station->grow_asked = true;
	return -WEFT_EAGAIN;
}

void weft__station_more_memory(void *port_user, size_t len_bytes)
{
	(void)weft__station_grow(port_user, len_bytes);
}

bool weft__station_is_short(const struct weft__station *station)
{
	return station->refused_bytes != SIZE_MAX && weft_pool_is_low(station->pool);
}

/* ---- its life ---- */

static int make_tables(struct weft__station *station)
{
	station->ops = calloc(WEFT__OPS, sizeof *station->ops);
	station->loans = calloc(WEFT__LOANS, sizeof *station->loans);
	station->calls = calloc(WEFT__CALLS, sizeof *station->calls);
	if (!station->ops || !station->loans || !station->calls)
		return weft_set_error(WEFT_ENOMEM, "no memory for the tables of a worker");
	for (unsigned int i = 0; i < WEFT__OPS; i++) {
		station->ops[i].station = station;
		weft_list_push_back(&station->free_ops, &station->ops[i].link);
	}
	station->free_op_count = WEFT__OPS;
	station->free_loan_count = WEFT__LOANS;
	station->free_call_count = WEFT__CALLS;
	for (unsigned int i = 0; i < WEFT__LOANS; i++) {
		station->loans[i].station = station;
		weft_list_init(&station->loans[i].in_lane);
		weft_list_push_back(&station->free_loans, &station->loans[i].link);
	}
	for (unsigned int i = 0; i < WEFT__CALLS; i++) {
		station->calls[i].station = station;
		weft_list_push_back(&station->free_calls, &station->calls[i].link);
	}
	return 0;
}

static void init_lists(struct weft__station *station)
{
	struct weft_list *lists[] = {&station->links,    &station->views,    &station->events,     &station->orphans,
				     &station->finished, &station->placing,  &station->busy_links, &station->requesters,
				     &station->kept,     &station->free_ops, &station->free_loans, &station->free_calls,
				     &station->starved,  &station->askers};

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		weft_list_init(lists[i]);
	for (unsigned int i = 0; i < WEFT_PRIORITY_COUNT; i++)
		weft_list_init(&station->blocked[i]);
}

static int open_pool(struct weft__station *station)
{
	/* What comes over a network is put together in our own memory. */
	size_t first_bytes = station->node->rail_count > 1 ? FIRST_NETWORK_MEMORY_BYTES : FIRST_MEMORY_BYTES;
	const struct weft_segment *segment;
	struct weft_pool_opts opts;
	int rc;

	weft_pool_opts_init(&opts, sizeof opts);
	rc = weft_pool_open(&opts, &station->pool);
	if (rc == 0)
		rc = weft__station_memory(station, first_bytes, &segment);
	if (rc == 0)
		rc = adopt(station, segment);
	station->next_grow_bytes = first_bytes * 4;
	return rc;
}

static int open_ports(struct weft__station *station)
{
	struct weft_node *node = station->node;
	struct weft_port_opts opts;
	int rc = 0;

	weft_port_opts_init(&opts, sizeof opts);
	opts.worker = station->worker;
	opts.pool = station->pool;
	opts.loan_quota_bytes = station->node->opts.memory_max_bytes / 4;
	opts.user = station;
	for (unsigned int i = 0; rc == 0 && i < node->rail_count; i++)
		rc = weft_port_open(node->rails[i].driver, node->rails[i].device, &opts, &station->ports[i]);
	station->has_networks = node->rail_count > 1;
	return rc;
}

int weft__station_open(struct weft_node *node, const char *name, int numa, const struct weft_worker_opts *worker_opts,
		       struct weft__station **out)
{
	struct weft__station *station = calloc(1, sizeof *station);
	struct weft_worker_opts opts = *worker_opts;
	int rc;

	if (!station)
		return weft_set_error(WEFT_ENOMEM, "no memory for a worker");
	station->node = node;
	station->numa = numa;
	strcpy(station->name, name);
	station->unblock_ns = UNBLOCK_FIRST_NS;
	station->refused_bytes = SIZE_MAX;
	init_lists(station);
	weft__errands_init(&station->errands);
	weft_timer_init(&station->unblock, unblock, station);
	weft_timer_init(&station->sweep, weft__requests_sweep, station);
	weft_timer_init(&station->idle_look, weft__idle_look, station);
	weft__mail_init(&station->grown);
	opts.user = station;
	rc = make_tables(station);
	if (rc == 0)
		rc = weft_worker_open(&opts, &station->worker);
	if (rc == 0)
		rc = open_pool(station);
	if (rc == 0)
		rc = open_ports(station);
	if (rc == 0)
		rc = weft__loan_places_make(station);
	if (rc < 0) {
		weft__station_close(&station);
		return rc;
	}
	station->poller = (struct weft_poller){.poll = station_poll,
					       .arm = station_arm,
					       .disarm = station_disarm,
					       .user = station};
	weft_worker_add_poller(station->worker, &station->poller);
	*out = station;
	return 0;
}

void weft__station_end(struct weft__station *station)
{
	while (weft__errands_run(station)) /* what they hold must be let go of */
		;
	while (!weft_list_empty(&station->views))
		weft__view_drop(WEFT_CONTAINER_OF(station->views.next, struct weft__view, in_station));
	WEFT_LIST_FOR_EACH(at, &station->links)
		weft__link_end(WEFT_CONTAINER_OF(at, struct weft__link, in_station), -WEFT_ECLOSED);
	weft__ops_run_finished(station, WEFT__OPS);
}

void weft__station_close(struct weft__station **station_ptr)
{
	struct weft__station *station = *station_ptr;

	weft__mails_drop(station);
	weft__station_end(station);
	if (station->worker && station->poller.poll) {
		weft_timer_cancel(station->worker, &station->unblock);
		weft_timer_cancel(station->worker, &station->sweep);
		weft_timer_cancel(station->worker, &station->idle_look);
		weft_worker_remove_poller(station->worker, &station->poller);
	}
	for (unsigned int i = WEFT__RAILS_MAX; i-- > 0;)
		if (station->ports[i])
			station->ports[i]->driver->port_close(&station->ports[i]);
	WEFT_LIST_FOR_EACH(at, &station->links)
		weft__link_forget(WEFT_CONTAINER_OF(at, struct weft__link, in_station));
	weft__askers_drop(station);
	if (station->pool)
		weft_pool_close(&station->pool);
	if (station->worker)
		weft_worker_close(&station->worker);
	free(station->ops);
	free(station->loans);
	free(station->places);
	free(station->calls);
	weft__errands_fini(&station->errands);
	free(station);
	*station_ptr = NULL;
}

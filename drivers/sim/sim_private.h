/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated network, from the inside: hosts and links in tables, packets under way in a heap by the time at which they
 * arrive, and those that have arrived in the inbox of their port. Hosts and links stay as long as the network.
 */
#ifndef SIM_PRIVATE_H
#define SIM_PRIVATE_H

#include <weft/histogram.h>
#include <weft/random.h>
#include <weft/sim.h>

#define SIM_RX_BURST 32u

/* ---- table.c: things by a hash, which never go ---- */
struct sim_entry {
	struct sim_entry *next;
	uint64_t hash;
};

struct sim_table {
	struct sim_entry **buckets;
	uint32_t bucket_count, count; /* a power of two */
};

int weft__sim_table_init(struct sim_table *table);
/* Frees what is in it. */
void weft__sim_table_fini(struct sim_table *table, void (*free_entry)(struct sim_entry *entry));
/* The first with this hash behind `after`, or at all if that is NULL. */
struct sim_entry *weft__sim_table_next(const struct sim_table *table, uint64_t hash, const struct sim_entry *after);
void weft__sim_table_add(struct sim_table *table, struct sim_entry *entry);

/* ---- packets ---- */

/* A packet under way. */
struct sim_event {
	uint64_t due_ns;
	uint64_t number; /* those due at one time arrive in the order in which they were sent */
	struct sim_link *link;
	struct sim_event *next; /* in a queue */
	uint32_t len_bytes;
	uint8_t ecn;
	bool on_downlink; /* it has left its link */
	_Alignas(8) unsigned char bytes[];
};

struct sim_queue {
	struct sim_event *first, *last;
};

struct sim_heap {
	struct sim_event **events;
	uint32_t count, capacity;
};

struct sim_net;

/* The line to a host. */
struct sim_downlink {
	struct weft_sim_line line;
	uint64_t free_ns;                     /* when it has sent what waits for it */
	struct weft_histogram *waiting_bytes; /* that each packet found */
};

struct sim_host {
	struct sim_entry entry;
	struct weft_net_address name;
	struct sim_net *net;           /* NULL: nobody is there */
	struct sim_downlink *downlink; /* NULL: all links reach it by themselves */
};

/* One direction between two hosts. */
struct sim_link {
	struct sim_entry entry;
	struct sim_host *from, *to;
	const struct weft_sim_link *is; /* the network's, or its own */
	struct weft_sim_link own;
	struct weft_random random;
	uint64_t free_ns;     /* when the line has sent what waits for it */
	uint64_t last_due_ns; /* nothing arrives sooner, unless it overtakes */
	bool cut, clogged;
	struct sim_queue held;
};

struct weft_sim {
	struct weft_net_driver driver;
	struct weft_sim_opts opts;
	struct sim_table hosts, links;
	struct sim_heap heap;
	uint64_t next_number, net_count, unnamed_count;
	uint64_t waiting; /* in inboxes */
	struct weft_sim_stats stats;
};

/* ---- what the driver opens ---- */

struct sim_port {
	struct weft_net_port base;
	struct sim_net *net;
	struct sim_queue inbox, spent; /* spent: read by the layer above until the next rx */
	struct weft_net_stats stats;
};

struct sim_net {
	struct weft_sim *sim;
	struct sim_host *host;
	struct sim_port *ports[WEFT_NET_PORTS_MAX];
};

struct sim_route {
	struct weft_net_route base;
	struct sim_link *link;
};

/* ---- net.c ---- */
/* Each network has a copy, by which its nets find it. */
extern const struct weft_net_driver weft__sim_driver;

/* ---- host.c ---- */
/* A name as an address: 0, or -WEFT_EINVAL with a sentence. */
int weft__sim_name_read(const char *text, struct weft_net_address *out);
bool weft__sim_name_is_valid(const struct weft_net_address *name);
/* The host of this name, which begins to be when it is first named. NULL: no memory, having said so. */
struct sim_host *weft__sim_host(struct weft_sim *sim, const struct weft_net_address *name);
void weft__sim_host_free(struct sim_entry *entry);

/* ---- link.c ---- */
/* NULL: no memory, having said so. */
struct sim_link *weft__sim_link(struct weft_sim *sim, struct sim_host *from, struct sim_host *to);
void weft__sim_link_free(struct sim_entry *entry);
int weft__sim_link_check(const struct weft_sim_link *link);

/* ---- delay.c ---- */
uint64_t weft__sim_delay_draw(const struct weft_sim_link *link, struct weft_random *random);

/* ---- downlink.c ---- */
struct sim_passage {
	uint64_t waiting_bytes; /* that were to be sent before */
	uint64_t sent_ns;
};
/* Queues a packet for a line, which is free at *free_ns, which it changes: false if there is no room. It may be marked. */
bool weft__sim_line_take(struct weft_sim *sim, const struct weft_sim_line *line, uint64_t *free_ns, uint32_t len_bytes,
			 uint8_t *ecn, struct sim_passage *out);
/* Sends a packet that its link has delivered on to its host; false: there is no room. */
bool weft__sim_downlink_take(struct weft_sim *sim, struct sim_event *event);
void weft__sim_downlink_free(struct sim_downlink **downlink);

/* ---- fate.c: what becomes of a packet ---- */
/* Whether the sender knows that it is lost. */
bool weft__sim_send(struct weft_sim *sim, struct sim_link *link, const struct weft_net_tx *packet);
/* Puts what is due into inboxes. */
void weft__sim_arrive(struct weft_sim *sim);

/* ---- heap.c ---- */
/* False without memory. */
bool weft__sim_heap_push(struct sim_heap *heap, struct sim_event *event);
/* The first that is due by then, taken out; NULL if there is none. */
struct sim_event *weft__sim_heap_pop(struct sim_heap *heap, uint64_t now_ns);

static inline void weft__sim_queue_push(struct sim_queue *queue, struct sim_event *event)
{
	event->next = NULL;
	if (queue->last)
		queue->last->next = event;
	else
		queue->first = event;
	queue->last = event;
}

static inline struct sim_event *weft__sim_queue_pop(struct sim_queue *queue)
{
	struct sim_event *event = queue->first;

	if (event && !(queue->first = event->next))
		queue->last = NULL;
	return event;
}

#endif

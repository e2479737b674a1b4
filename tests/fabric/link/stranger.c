/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stranger.
 */
#include "stranger.h"

#include "wire/control.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void on_frame(struct side_end *end, const struct weft_rx_frame *frame)
{
	struct stranger *stranger = end->user;
	unsigned int kind = weft__meta_kind(frame->meta) % STRANGER_KINDS;
	struct weft__credit credit;

	stranger->heard[kind]++;
	stranger->last[kind] = frame->meta;
	if (kind == WEFT__CREDIT && weft__credit_decode(frame->data, frame->len_bytes, &credit) == 0)
		stranger->limits[weft__meta_lane(frame->meta) % STRANGER_LANES] = credit.limit_sequence;
	if (frame->loan_data)
		frame->path->port->release(frame->path, frame->loan_id);
}

static unsigned int links_of(struct weft_node *node)
{
	struct weft_node_stats stats;

	weft_node_describe(node, &stats);
	return stats.links;
}

void stranger_connect(struct stranger *stranger)
{
	struct weft__hello hello = {.role = WEFT_NODE_LEAF};
	struct weft_hello bytes;
	unsigned int ups = stranger->end->ups;

	strcpy(hello.node, stranger->name);
	weft__hello_encode(&hello, &bytes);
	CU_ASSERT_EQUAL_FATAL(stranger->side.driver->connect(stranger->end->port, weft_node_name(stranger->node),
							     &bytes, NULL),
			      0);
	CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(stranger, stranger->end->ups > ups || stranger->end->failures));
	CU_ASSERT_PTR_NOT_NULL_FATAL(stranger->end->path);
	/* And until the node's worker knows it: it could not connect to the stranger by itself. */
	CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(stranger, links_of(stranger->node) > 0));
}

static void stranger_meet(struct stranger *stranger, const char *which)
{
	side_open(&stranger->side, which, 1, 0);
	stranger->end = &stranger->side.ends[0];
	stranger->end->user = stranger;
	stranger->end->on_frame = on_frame;
	stranger_connect(stranger);
}

void stranger_open(struct stranger *stranger, struct weft_node_opts *opts)
{
	char name[48];

	memset(stranger, 0, sizeof *stranger);
	snprintf(name, sizeof name, "test-%d-node", (int)getpid());
	snprintf(stranger->name, sizeof stranger->name, "test-%d-stranger", (int)getpid());
	opts->name = name;
	opts->worker_count = 0;
	CU_ASSERT_EQUAL_FATAL(weft_node_open(opts, &stranger->node), 0);
	stranger->worker = weft_node_worker(stranger->node, 0);
	side_driver = weft_driver_find("shm");
	stranger_meet(stranger, "stranger");
}

void stranger_join(struct stranger *stranger, const struct stranger *first, const char *which)
{
	memset(stranger, 0, sizeof *stranger);
	snprintf(stranger->name, sizeof stranger->name, "test-%d-%s", (int)getpid(), which);
	stranger->node = first->node;
	stranger->worker = first->worker;
	stranger_meet(stranger, which);
}

void stranger_part(struct stranger *stranger)
{
	side_close(&stranger->side);
}

void stranger_close(struct stranger *stranger)
{
	weft_node_close(&stranger->node);
	side_close(&stranger->side);
}

void stranger_leave(struct stranger *stranger)
{
	if (stranger->end->path)
		stranger->side.driver->disconnect(stranger->end->path);
	stranger->end->path = NULL;
}

void stranger_turn(struct stranger *stranger)
{
	if (stranger->node)
		weft_worker_poll(stranger->worker);
	sides_turn();
}

bool stranger_say(struct stranger *stranger, enum weft_class class_, uint64_t meta, const void *data, size_t len_bytes)
{
	struct weft_path *path = stranger->end->path;

	return path && path->port->send(path, class_, meta, data, (uint32_t)len_bytes, 0) == 0;
}

bool stranger_idle(struct stranger *stranger, enum weft__kind kind, enum weft_class class_, uint32_t round)
{
	return stranger_say(stranger, class_, weft__meta(kind, 0, (uint16_t)class_, round), NULL, 0);
}

void stranger_idle_both(struct stranger *stranger, enum weft__kind kind, uint32_t round)
{
	for (unsigned int i = 0; i < WEFT_CLASS_COUNT; i++)
		CU_ASSERT_TRUE(stranger_idle(stranger, kind, (enum weft_class)i, round));
}

void stranger_open_lane(struct stranger *stranger, uint16_t id, const char *channel)
{
	struct weft__lane_terms terms = {.priority = WEFT_PRIORITY_NORMAL, .max_message_bytes = 1 << 20};
	unsigned char bytes[WEFT__LANE_OPEN_MAX];
	unsigned int credits = stranger->heard[WEFT__CREDIT];

	strcpy(terms.channel, channel);
	stranger->limits[id % STRANGER_LANES] = 0;
	CU_ASSERT_TRUE(stranger_say(stranger, WEFT_CLASS_NORMAL, weft__meta(WEFT__LANE_OPEN, 0, id, 1), bytes,
				    weft__lane_terms_encode(&terms, bytes)));
	CU_ASSERT_TRUE_FATAL(STRANGER_UNTIL(stranger, stranger->heard[WEFT__CREDIT] > credits));
}

void stranger_grant(struct stranger *stranger, uint64_t lane_open_meta)
{
	struct weft__credit credit = {.limit_sequence = 1000, .limit_bytes = 1 << 30, .max_message_bytes = 1 << 30};
	unsigned char bytes[WEFT__CREDIT_BYTES];

	weft__credit_encode(&credit, bytes);
	CU_ASSERT_TRUE(stranger_say(stranger, WEFT_CLASS_EXPRESS,
				    weft__meta(WEFT__CREDIT, 0, weft__meta_lane(lane_open_meta),
					       weft__meta_sequence(lane_open_meta)),
				    bytes, sizeof bytes));
}

struct weft_node_stats stranger_node_stats(const struct stranger *stranger)
{
	struct weft_node_stats stats;

	weft_node_describe(stranger->node, &stats);
	return stats;
}

/* ---- crowds ---- */

void stranger_crowd_join(struct stranger *crowd, unsigned int first, unsigned int end, unsigned int lanes_each)
{
	for (unsigned int i = first; i < end; i++) {
		char name[16];

		snprintf(name, sizeof name, "peer-%u", i);
		if (i)
			stranger_join(&crowd[i], &crowd[0], name);
		for (unsigned int lane = 0; lane < lanes_each; lane++)
			stranger_open_lane(&crowd[i], (uint16_t)lane, "test");
	}
}

void stranger_crowd_end(struct stranger *crowd, unsigned int count)
{
	struct weft_node_stats stats;

	weft_node_describe(crowd[0].node, &stats);
	CU_ASSERT_EQUAL(stats.violations, 0);
	for (unsigned int i = 1; i < count; i++)
		stranger_part(&crowd[i]);
	stranger_close(&crowd[0]);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers that say of a path that it goes on with a link, and are not who they say, or say what cannot be.
 */
#include "stranger.h"
#include "suite.h"
#include "wire/control.h"

#include <CUnit/Basic.h>
#include <string.h>

#define TOKEN 5

static struct stranger stranger;

static void open_all(void)
{
	struct weft_node_opts opts;

	weft_node_opts_init(&opts, sizeof opts);
	stranger_hello_flags = WEFT__MAY_MOVE;
	stranger_hello_token = TOKEN;
	stranger_open(&stranger, &opts);
}

static void close_all(void)
{
	stranger_hello_flags = 0;
	stranger_close(&stranger);
}

/* Comes by another path. */
static void come_again(uint64_t token)
{
	stranger_hello_flags = WEFT__MAY_MOVE | WEFT__RESUMES;
	stranger_hello_token = token;
	stranger_knock(&stranger);
}

static bool say(enum weft__kind kind, const void *data, size_t len_bytes)
{
	return stranger_say(&stranger, WEFT_CLASS_EXPRESS, weft__meta(kind, 0, 0, 0), data, len_bytes);
}

static bool say_list(const struct weft__resume *resume)
{
	unsigned char bytes[WEFT__RESUME_MAX];

	return say(WEFT__RESUME, bytes, weft__resume_encode(resume, bytes));
}

static void open_lane(void)
{
	const struct weft__lane_terms terms = {.max_message_bytes = 1000, .channel = "none"};
	unsigned char bytes[WEFT__LANE_OPEN_MAX];

	CU_ASSERT_TRUE(say(WEFT__LANE_OPEN, bytes, weft__lane_terms_encode(&terms, bytes)));
}

static void who_does_not_know_the_token_gets_nothing(void)
{
	unsigned int downs;

	open_all();
	downs = stranger.end->downs;
	come_again(TOKEN + 1);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger.end->downs == downs + 1)); /* the new one */
	CU_ASSERT_EQUAL(stranger_node_stats(&stranger).links, 1);
	CU_ASSERT_EQUAL(stranger_node_stats(&stranger).violations, 0);
	close_all();
}

static void who_knows_it_is_told_what_the_node_has(void)
{
	open_all();
	come_again(TOKEN);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__RESUME] > 0));
	CU_ASSERT_TRUE(say_list(&(struct weft__resume){0}));
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__RESUME_DONE] == 1));
	CU_ASSERT_TRUE(say(WEFT__RESUME_DONE, NULL, 0));
	open_lane();
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__LANE_WAITING] == 1));
	CU_ASSERT_EQUAL(stranger_node_stats(&stranger).violations, 0);
	close_all();
}

/* Says this on a path that goes on, and is put out for it. */
static void put_out_for(const struct weft__resume *resume, unsigned int times)
{
	open_all();
	come_again(TOKEN);
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__RESUME] > 0));
	for (unsigned int i = 0; i < times; i++)
		CU_ASSERT_TRUE(say_list(resume));
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger_node_stats(&stranger).violations == 1));
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger_node_stats(&stranger).links == 0));
	close_all();
}

static void lists_that_cannot_be_end_the_link(void)
{
	put_out_for(&(struct weft__resume){.count = 1, .lanes = {{64, 1, 0}}}, 1);
	put_out_for(&(struct weft__resume){.count = 2, .lanes = {{1, 1, 0}, {1, 1, 0}}}, 1);
	put_out_for(&(struct weft__resume){0}, 2);
}

static void who_goes_on_where_nothing_was_broken_is_put_out(void)
{
	open_all();
	CU_ASSERT_TRUE(say(WEFT__RESUME_DONE, NULL, 0));
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger_node_stats(&stranger).violations == 1));
	close_all();
}

/* A new path each time, and none is ever finished: the node has one link, and no more paths than the peer keeps open. */
static void who_comes_again_and_again_has_one_link(void)
{
	open_all();
	for (unsigned int i = 0; i < 50; i++) {
		come_again(TOKEN);
		CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__RESUME] > i));
	}
	CU_ASSERT_EQUAL(stranger_node_stats(&stranger).links, 1);
	CU_ASSERT_TRUE(say_list(&(struct weft__resume){0}) && say(WEFT__RESUME_DONE, NULL, 0));
	CU_ASSERT_TRUE(STRANGER_UNTIL(&stranger, stranger.heard[WEFT__RESUME_DONE] == 1));
	CU_ASSERT_EQUAL(stranger_node_stats(&stranger).violations, 0);
	close_all();
}

int main(int argc, char **argv)
{
	static const struct suite_case cases[] = {
		SUITE_CASE(who_does_not_know_the_token_gets_nothing),
		SUITE_CASE(who_knows_it_is_told_what_the_node_has),
		SUITE_CASE(lists_that_cannot_be_end_the_link),
		SUITE_CASE(who_goes_on_where_nothing_was_broken_is_put_out),
		SUITE_CASE(who_comes_again_and_again_has_one_link),
	};

	return suite_main("move hostile", cases, SUITE_COUNT(cases), argc, argv);
}

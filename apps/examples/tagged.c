/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Posted receives, as MPI has them: `tagged receive` posts a buffer for each of two tags, the second one first, and gets
 * each message where it belongs; `tagged send` sends them in the other order.
 */
#include <stdio.h>
#include <string.h>
#include <weft/weft.h>

enum { TAG_HEAD = 1, TAG_BODY = 2 };

struct slot {
	char text[64];
	bool done;
};

static void taken(struct weft_op *op, int status, const struct weft_received *received, void *user)
{
	struct slot *slot = user;

	(void)op;
	slot->done = true;
	printf("tag %llu: %.*s%s\n", (unsigned long long)received->tag, (int)received->len_bytes, slot->text,
	       status < 0 ? " (cut)" : "");
}

static int receive(struct weft_worker *worker, struct weft_channel *channel)
{
	struct slot body = {0}, head = {0};

	if (weft_recv_post(worker, channel, body.text, sizeof body.text, TAG_BODY, UINT64_MAX, taken, &body, NULL) < 0)
		return weft_fail("tagged");
	while (!body.done)
		weft_worker_turn(worker, WEFT_NEVER);
	/* The head came first and waited. */
	if (weft_recv_post(worker, channel, head.text, sizeof head.text, TAG_HEAD, UINT64_MAX, taken, &head, NULL) < 0)
		return weft_fail("tagged");
	while (!head.done)
		weft_worker_turn(worker, WEFT_NEVER);
	return 0;
}

static int send_tagged(struct weft_sender *sender, uint64_t tag, const char *text)
{
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;

	how.has_header = true;
	how.tag = tag;
	return weft_send_with(sender, text, strlen(text), &how);
}

static int send_both(struct weft_worker *worker, struct weft_channel *channel)
{
	struct weft_sender_opts opts = {.size = sizeof opts, .wait_for_peer = true};
	struct weft_sender *sender;

	if (weft_sender_open(worker, channel, "tagged", &opts, &sender) < 0 ||
	    weft_sender_wait(sender, WEFT_NEVER) < 0 || send_tagged(sender, TAG_HEAD, "a head") < 0 ||
	    send_tagged(sender, TAG_BODY, "a body") < 0)
		return weft_fail("tagged");
	return 0;
}

int main(int argc, char **argv)
{
	bool receiving = argc == 2 && strcmp(argv[1], "receive") == 0;
	struct weft_node_opts opts;
	struct weft_channel *channel;
	struct weft_worker *worker;
	struct weft_node *node;
	int status;

	if (!receiving && (argc != 2 || strcmp(argv[1], "send") != 0)) {
		fprintf(stderr, "usage: tagged receive | tagged send\n");
		return 2;
	}
	weft_node_opts_init(&opts, sizeof opts);
	opts.name = receiving ? "tagged" : NULL;
	opts.worker_count = 0;
	if (weft_node_open(&opts, &node) < 0 || weft_channel_open(node, "parts", NULL, &channel) < 0)
		return weft_fail("tagged");
	worker = weft_node_worker(node, 0);
	status = receiving ? receive(worker, channel) : send_both(worker, channel);
	weft_node_close(&node);
	return status;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest pair: `hello` prints what it is sent until Ctrl-C; `hello "some words"` sends them and leaves.
 */
#include <stdio.h>
#include <string.h>
#include <weft/weft.h>

static void print(struct weft_rx *rx, void *user)
{
	(void)user;
	printf("%s says: %.*s\n", rx->peer, (int)rx->len_bytes, (const char *)rx->data);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct weft_node_opts opts;
	struct weft_channel *greetings;
	struct weft_sender *sender;
	struct weft_node *node;

	weft_node_opts_init(&opts, sizeof opts);
	opts.name = argc > 1 ? NULL : "hello"; /* NULL: a name of its own */
	opts.worker_count = 0;                 /* this thread does the work */
	if (weft_node_open(&opts, &node) < 0 || weft_channel_open(node, "greetings", NULL, &greetings) < 0)
		return weft_fail(NULL);
	if (argc > 1) {
		if (weft_sender_open(weft_node_worker(node, 0), greetings, "hello", NULL, &sender) < 0 ||
		    weft_sender_wait(sender, WEFT_NEVER) < 0 || weft_send(sender, argv[1], strlen(argv[1])) < 0)
			return weft_fail(NULL);
	} else {
		weft_channel_handle(greetings, print, NULL);
		weft_node_run(node);
	}
	weft_node_close(&node);
	return 0;
}

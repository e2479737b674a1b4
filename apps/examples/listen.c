/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest program: prints what is sent to the node "hello" until Ctrl-C.
 */
#include <stdio.h>
#include <weft/weft.h>

static void print(struct weft_rx *rx, void *out)
{
	dprintf(fileno(out), "%s says: %.*s\n", rx->peer, (int)rx->len_bytes, (const char *)rx->data);
}

int main(void)
{
	struct weft_node_opts opts;
	struct weft_channel *greetings;
	struct weft_node *node;

	weft_node_opts_init(&opts, sizeof opts);
	opts.name = "hello";
	if (weft_node_open(&opts, &node) < 0 || weft_channel_open(node, "greetings", NULL, &greetings) < 0)
		return weft_fail(NULL);
	weft_channel_handle(greetings, print, stdout);
	weft_node_run(node);
	weft_node_close(&node);
	return 0;
}

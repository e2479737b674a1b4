/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Echo with a loop of one's own: `echo serve` sends back whatever comes; `echo COUNT` sends COUNT messages one after
 * the other and prints what a round trip takes. The peer of a message is answered over a sender of one's own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

struct echo {
	struct weft_worker *worker;
	struct weft_channel *channel;
	struct weft_sender *back;
	struct weft_loan *first; /* kept until the way back is open */
	unsigned long received;
};

/* The way back is open: the message that asked for it goes first, now or when there is room. */
static void way_back(struct weft_sender *sender, enum weft_sender_event event, int cause, void *user)
{
	struct echo *echo = user;

	(void)cause;
	if (event == WEFT_SENDER_LOST || event == WEFT_SENDER_FAILED) {
		if (echo->first)
			weft_loan_release(echo->first);
		echo->first = NULL;
		weft_sender_close(&echo->back);
	} else if (echo->first && weft_send_loan(sender, echo->first, NULL) != -WEFT_EAGAIN) {
		echo->first = NULL;
	}
}

static void send_back(struct weft_rx *rx, void *user)
{
	struct weft_sender_opts opts = {.size = sizeof opts, .on_event = way_back, .user = user};
	struct echo *echo = user;

	if (echo->back) {
		weft_send(echo->back, rx->data, rx->len_bytes);
		return;
	}
	if (weft_rx_keep(rx, &echo->first) < 0 ||
	    weft_sender_open(rx->worker, rx->channel, rx->peer, &opts, &echo->back) < 0)
		weft_fail("echo");
}

static void count(struct weft_rx *rx, void *user)
{
	struct echo *echo = user;

	(void)rx;
	echo->received++;
}

static int run_client(struct echo *echo, unsigned long total)
{
	char text[64] = "echo";
	uint64_t start_ns;

	weft_channel_handle(echo->channel, count, echo);
	if (weft_sender_open(echo->worker, echo->channel, "echo", NULL, &echo->back) < 0 ||
	    weft_sender_wait(echo->back, WEFT_NEVER) < 0)
		return weft_fail("echo");
	start_ns = weft_clock_now(weft_clock_real());
	for (unsigned long sent = 0; sent < total; sent++) {
		if (weft_send(echo->back, text, sizeof text) < 0)
			return weft_fail("echo");
		while (echo->received <= sent && weft_sender_status(echo->back) == 0)
			weft_worker_turn(echo->worker, WEFT_NEVER);
	}
	printf("%lu round trips, %.0f ns each\n", total,
	       (double)(weft_clock_now(weft_clock_real()) - start_ns) / (double)total);
	return 0;
}

int main(int argc, char **argv)
{
	bool serve = argc == 2 && strcmp(argv[1], "serve") == 0;
	struct weft_node_opts opts;
	struct echo echo = {0};
	struct weft_node *node;
	int status = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: echo serve | echo COUNT\n");
		return 2;
	}
	weft_node_opts_init(&opts, sizeof opts);
	opts.name = serve ? "echo" : NULL;
	opts.worker_count = 0;
	if (weft_node_open(&opts, &node) < 0 || weft_channel_open(node, "echo", NULL, &echo.channel) < 0)
		return weft_fail("echo");
	echo.worker = weft_node_worker(node, 0);
	if (serve) {
		weft_channel_handle(echo.channel, send_back, &echo);
		weft_node_run(node);
	} else {
		status = run_client(&echo, strtoul(argv[1], NULL, 10));
	}
	weft_node_close(&node);
	return status;
}

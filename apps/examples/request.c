/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests with a thousand in flight: `request serve` doubles numbers; `request COUNT` asks it COUNT times, checks every
 * answer, and prints the rate.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

struct asking {
	unsigned long answered, wrong;
};

static void on_ask(struct weft_rx *rx, void *user)
{
	uint64_t number;

	(void)user;
	if (rx->len_bytes != sizeof number) {
		weft_reply_error(rx, -WEFT_EINVAL);
		return;
	}
	memcpy(&number, rx->data, sizeof number);
	number *= 2;
	weft_reply(rx, &number, sizeof number);
}

static void on_answer(struct weft_rx *reply, int status, void *user)
{
	struct asking *asking = user;
	uint64_t number = 1; /* odd: wrong */

	if (status == 0 && reply->len_bytes == sizeof number)
		memcpy(&number, reply->data, sizeof number);
	asking->wrong += status != 0 || number % 2 != 0;
	asking->answered++;
}

static int ask(struct weft_worker *worker, struct weft_channel *channel, unsigned long total)
{
	struct asking asking = {0};
	struct weft_sender *sender;
	uint64_t start_ns, asked = 0;

	if (weft_sender_open(worker, channel, "doubler", NULL, &sender) < 0 || weft_sender_wait(sender, WEFT_NEVER) < 0)
		return weft_fail("request");
	start_ns = weft_clock_now(weft_clock_real());
	while (asking.answered < total) {
		/* Up to the channel's request_window are in flight; -WEFT_EAGAIN is the signal to turn. */
		while (asked < total &&
		       weft_request(sender, &asked, sizeof asked, WEFT_NEVER, on_answer, &asking, NULL) == 0)
			asked++;
		weft_worker_turn(worker, WEFT_NEVER);
	}
	printf("%lu requests, %lu wrong, %.0f a second\n", total, asking.wrong,
	       (double)total * 1e9 / (double)(weft_clock_now(weft_clock_real()) - start_ns));
	return asking.wrong != 0;
}

int main(int argc, char **argv)
{
	bool serve = argc == 2 && strcmp(argv[1], "serve") == 0;
	struct weft_node_opts opts;
	struct weft_channel *channel;
	struct weft_node *node;
	int status = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: request serve | request COUNT\n");
		return 2;
	}
	weft_node_opts_init(&opts, sizeof opts);
	opts.name = serve ? "doubler" : NULL;
	opts.worker_count = 0;
	if (weft_node_open(&opts, &node) < 0 || weft_channel_open(node, "double", NULL, &channel) < 0)
		return weft_fail("request");
	if (serve) {
		weft_channel_handle(channel, on_ask, NULL);
		weft_node_run(node);
	} else {
		status = ask(weft_node_worker(node, 0), channel, strtoul(argv[1], NULL, 10));
	}
	weft_node_close(&node);
	return status;
}

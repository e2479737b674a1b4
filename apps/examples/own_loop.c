/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An event loop of the application's own: poll(2) waits for weft and for standard input at once. Lines that are typed
 * go to the peer, lines that come are printed: `own_loop ME PEER`.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weft/weft.h>

static void on_line(struct weft_rx *rx, void *user)
{
	(void)user;
	printf("%.*s", (int)rx->len_bytes, (const char *)rx->data);
	fflush(stdout);
}

/* How long poll may sleep: until weft's next timer. */
static int timeout_ms(struct weft_worker *worker)
{
	uint64_t now_ns = weft_clock_now(weft_worker_clock(worker)), next_ns = weft_worker_next_ns(worker);

	return next_ns <= now_ns ? 0 : (int)((next_ns - now_ns) / 1000000) + 1;
}

static int loop(struct weft_worker *worker, struct weft_sender *sender)
{
	struct pollfd fds[] = {{.fd = weft_worker_fd(worker), .events = POLLIN},
			       {.fd = STDIN_FILENO, .events = POLLIN}};
	char line[200];

	for (;;) {
		while (weft_worker_poll(worker))
			;
		if (!weft_worker_arm(worker)) {
			weft_worker_disarm(worker);
			continue; /* something came in the meantime */
		}
		poll(fds, 2, timeout_ms(worker));
		weft_worker_disarm(worker);
		if (!(fds[1].revents & (POLLIN | POLLHUP)))
			continue;
		if (!fgets(line, sizeof line, stdin))
			return 0;
		if (weft_send(sender, line, strlen(line)) < 0)
			return weft_fail("own_loop");
	}
}

int main(int argc, char **argv)
{
	struct weft_sender_opts sender_opts = {.size = sizeof sender_opts, .wait_for_peer = true};
	struct weft_node_opts opts;
	struct weft_channel *lines;
	struct weft_sender *sender;
	struct weft_node *node;
	int status;

	if (argc != 3) {
		fprintf(stderr, "usage: own_loop ME PEER\n");
		return 2;
	}
	weft_node_opts_init(&opts, sizeof opts);
	opts.name = argv[1];
	opts.worker_count = 0;
	if (weft_node_open(&opts, &node) < 0 || weft_channel_open(node, "lines", NULL, &lines) < 0)
		return weft_fail("own_loop");
	setvbuf(stdin, NULL, _IONBF, 0); /* what stdio has read, poll does not see */
	weft_channel_handle(lines, on_line, NULL);
	if (weft_sender_open(weft_node_worker(node, 0), lines, argv[2], &sender_opts, &sender) < 0 ||
	    weft_sender_wait(sender, WEFT_NEVER) < 0)
		return weft_fail("own_loop");
	status = loop(weft_node_worker(node, 0), sender);
	weft_node_close(&node);
	return status;
}

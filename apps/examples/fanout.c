/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fan-out: one loan of 64 MiB is filled once and lent to four readers, which read it in place. `fanout read NAME` is a
 * reader, `fanout publish NAME...` fills, lends to each, and waits until all have given it back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

#define LEN_BYTES ((size_t)64 << 20)

static uint64_t sum_of(const uint64_t *words, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += words[i];
	return sum;
}

static void on_picture(struct weft_rx *rx, void *user)
{
	printf("%zu bytes, sum %016llx\n", rx->len_bytes, (unsigned long long)sum_of(rx->data, rx->len_bytes / 8));
	weft_node_stop(user);
}

static void on_home(struct weft_op *op, int status, void *user)
{
	unsigned int *left = user;

	(void)op;
	if (status < 0)
		fprintf(stderr, "a reader was lost: %s\n", weft_error_text(status));
	--*left;
}

static int publish(struct weft_worker *worker, struct weft_channel *channel, char **names, unsigned int count)
{
	unsigned int left = count;
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	struct weft_loan *loan;
	int rc;

	how.completion = WEFT_DELIVERED;
	how.done = on_home;
	how.user = &left;
	while ((rc = weft_loan_get(worker, LEN_BYTES, &loan)) == -WEFT_EAGAIN)
		weft_worker_turn(worker, WEFT_NEVER); /* memory of that size is being made */
	if (rc < 0)
		return weft_fail("fanout");
	for (size_t i = 0; i < LEN_BYTES / 8; i++)
		((uint64_t *)weft_loan_data(loan))[i] = i;
	printf("sum %016llx\n", (unsigned long long)sum_of(weft_loan_data(loan), LEN_BYTES / 8));
	for (unsigned int i = 0; i < count; i++) {
		struct weft_sender_opts opts = {.size = sizeof opts, .wait_for_peer = true};
		struct weft_sender *sender;

		if (weft_sender_open(worker, channel, names[i], &opts, &sender) < 0 ||
		    weft_sender_wait(sender, WEFT_NEVER) < 0)
			return weft_fail("fanout");
		weft_loan_share(loan); /* one hold for this reader */
		while ((rc = weft_send_loan(sender, loan, &how)) == -WEFT_EAGAIN)
			weft_worker_turn(worker, WEFT_NEVER);
		if (rc < 0)
			return weft_fail("fanout");
	}
	weft_loan_release(loan);
	while (left)
		weft_worker_turn(worker, WEFT_NEVER);
	return 0;
}

int main(int argc, char **argv)
{
	bool read = argc == 3 && strcmp(argv[1], "read") == 0;
	struct weft_channel_opts channel_opts;
	struct weft_node_opts opts;
	struct weft_channel *channel;
	struct weft_node *node;
	int status = 0;

	if (!read && (argc < 3 || strcmp(argv[1], "publish") != 0)) {
		fprintf(stderr, "usage: fanout read NAME | fanout publish NAME...\n");
		return 2;
	}
	weft_node_opts_init(&opts, sizeof opts);
	opts.name = read ? argv[2] : NULL;
	opts.worker_count = 0;
	weft_channel_opts_init(&channel_opts, sizeof channel_opts);
	channel_opts.max_message_bytes = LEN_BYTES;
	if (weft_node_open(&opts, &node) < 0 || weft_channel_open(node, "pictures", &channel_opts, &channel) < 0)
		return weft_fail("fanout");
	if (read) {
		weft_channel_handle(channel, on_picture, node);
		weft_node_run(node);
	} else {
		status = publish(weft_node_worker(node, 0), channel, argv + 2, (unsigned int)argc - 2);
	}
	weft_node_close(&node);
	return status;
}

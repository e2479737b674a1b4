/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pipeline of three processes: `pipeline source COUNT`, `pipeline square`, `pipeline sink`. Each stage keeps
 * what it cannot pass on yet, so that back-pressure reaches from the sink to the source and nothing is lost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

struct stage {
	struct weft_node *node;
	struct weft_worker *worker;
	struct weft_channel *in, *out;
	struct weft_sender *next;
	uint64_t sum;
	unsigned long left;
};

static int connect_next(struct stage *stage, const char *peer)
{
	struct weft_sender_opts opts = {.size = sizeof opts, .wait_for_peer = true};

	if (weft_sender_open(stage->worker, stage->out, peer, &opts, &stage->next) < 0)
		return -1;
	return weft_sender_wait(stage->next, WEFT_NEVER);
}

static int send_number(struct stage *stage, uint64_t number)
{
	int rc;

	while ((rc = weft_send(stage->next, &number, sizeof number)) == -WEFT_EAGAIN)
		weft_worker_turn(stage->worker, WEFT_NEVER);
	return rc;
}

static int run_source(struct stage *stage)
{
	if (connect_next(stage, "square") < 0)
		return weft_fail("pipeline");
	for (uint64_t i = 1; i <= stage->left; i++)
		if (send_number(stage, i) < 0)
			return weft_fail("pipeline");
	return send_number(stage, 0) < 0 ? weft_fail("pipeline") : 0; /* 0 ends the stream */
}

static void on_received(struct weft_op *op, int status, const struct weft_received *received, void *user)
{
	int *got = user;

	(void)op;
	(void)received;
	*got = status < 0 ? status : 1;
}

/* Takes one number at a time: what is not taken stays in the sender's window. */
static int run_square(struct stage *stage)
{
	if (connect_next(stage, "sink") < 0)
		return weft_fail("pipeline");
	for (stage->left = 1; stage->left;) {
		uint64_t number = 0;
		int got = 0;

		if (weft_recv_post(stage->worker, stage->in, &number, sizeof number, 0, 0, on_received, &got, NULL) < 0)
			return weft_fail("pipeline");
		while (!got)
			weft_worker_turn(stage->worker, WEFT_NEVER);
		if (got < 0)
			return weft_fail("pipeline");
		if (send_number(stage, number * number) < 0)
			return weft_fail("pipeline");
		stage->left = number != 0;
	}
	return 0;
}

static void on_sum(struct weft_rx *rx, void *user)
{
	struct stage *stage = user;
	uint64_t number;

	memcpy(&number, rx->data, sizeof number);
	stage->sum += number;
	if (number == 0)
		weft_node_stop(stage->node);
}

static int run_sink(struct stage *stage)
{
	weft_channel_handle(stage->in, on_sum, stage);
	weft_node_run(stage->node);
	printf("sum of squares %llu\n", (unsigned long long)stage->sum);
	return 0;
}

int main(int argc, char **argv)
{
	const char *role = argc > 1 ? argv[1] : "";
	struct weft_node_opts opts;
	struct stage stage = {0};
	int status = 2;

	stage.left = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	weft_node_opts_init(&opts, sizeof opts);
	opts.name = role;
	opts.worker_count = 0;
	if (strcmp(role, "source") != 0 && strcmp(role, "square") != 0 && strcmp(role, "sink") != 0) {
		fprintf(stderr, "usage: pipeline source COUNT | pipeline square | pipeline sink\n");
		return 2;
	}
	if (weft_node_open(&opts, &stage.node) < 0 || weft_channel_open(stage.node, "squares", NULL, &stage.out) < 0)
		return weft_fail("pipeline");
	stage.in = stage.out;
	stage.worker = weft_node_worker(stage.node, 0);
	status = role[1] == 'o' ? run_source(&stage) : role[1] == 'q' ? run_square(&stage) : run_sink(&stage);
	weft_node_close(&stage.node);
	return status;
}

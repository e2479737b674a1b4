/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft perf death`: a peer is killed in mid traffic, with loans out on both sides and --size bytes of shareable memory
 * at each: how long until the survivor is told, and until every buffer is home. A life takes about as long as its memory
 * takes to make; --duration bounds them all.
 */
#include "perf.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define UNIT_BYTES ((size_t)1 << 20)
#define LOANS_MAX 1024u
#define LENT 16u /* loans that each side sends first, and that the other keeps */
#define LIFE_NS UINT64_C(20000000000)

/* Either side. */
struct mortal {
	struct perf_side side;
	struct weft_loan *kept[LENT]; /* the other's */
	unsigned int kept_count;
	uint64_t received;
	uint64_t told_ticks; /* of the other's end; 0: not yet */
};

static void on_message(struct weft_rx *rx, void *user)
{
	struct mortal *mortal = user;

	mortal->received++;
	if (mortal->kept_count < LENT && weft_rx_keep(rx, &mortal->kept[mortal->kept_count]) == 0)
		mortal->kept_count++;
}

static void on_event(struct weft_sender *sender, enum weft_sender_event event, int cause, void *user)
{
	struct mortal *mortal = user;

	(void)sender;
	(void)cause;
	if (event == WEFT_SENDER_LOST && !mortal->told_ticks)
		mortal->told_ticks = weft_clock_ticks();
}

/* Opens a side with its memory, connects, and lends. */
static int come_alive(struct mortal *mortal)
{
	struct perf_side *side = &mortal->side;
	struct weft_sender_opts opts = {.size = sizeof opts,
					.on_event = on_event,
					.wait_for_peer = true,
					.user = mortal};
	size_t units = side->opts->len_bytes / UNIT_BYTES;
	struct weft_loan *loans[LOANS_MAX];
	size_t count = 0;
	int rc = 0;

	weft_channel_handle(side->channel, on_message, mortal);
	for (; count < units && rc == 0; count += rc == 0)
		rc = perf_loan_get(side, UNIT_BYTES, &loans[count]);
	if (rc == 0)
		rc = weft_sender_open(side->worker, side->channel, side->peer_name, &opts, &side->peer);
	if (rc == 0)
		rc = weft_sender_wait(side->peer, perf_now() + LIFE_NS);
	for (size_t i = 0; i < count; i++) {
		while (rc == 0 && i < LENT && (rc = weft_send_loan(side->peer, loans[i], NULL)) == -WEFT_EAGAIN) {
			weft_worker_turn(side->worker, WEFT_NEVER);
			rc = 0;
		}
		if (rc < 0 || i >= LENT)
			weft_loan_release(loans[i]);
	}
	return rc;
}

/* A turn in mid traffic: a small message, and a loan, as far as the other takes them. */
static void traffic(struct mortal *mortal)
{
	struct weft_worker *worker = mortal->side.worker;
	struct weft_loan *loan;

	weft_send(mortal->side.peer, "mid traffic", 12);
	if (weft_loan_get(worker, 20000, &loan) == 0 && weft_send_loan(mortal->side.peer, loan, NULL) == -WEFT_EAGAIN)
		weft_loan_release(loan);
	weft_worker_poll(worker);
}

static int victim(struct perf_side *side)
{
	static struct mortal mortal;
	int rc;

	mortal.side = *side;
	rc = come_alive(&mortal);
	if (rc < 0)
		return rc;
	for (;;) /* until it is killed */
		traffic(&mortal);
}

static bool is_home(struct mortal *mortal)
{
	struct weft_node_stats stats;

	weft_node_describe(mortal->side.node, &stats);
	return mortal->told_ticks && !stats.loans_out && !stats.links;
}

/* Kills, and waits until all is over. */
static int survive(struct mortal *mortal, pid_t child, struct weft_histogram *told_ns, struct weft_histogram *home_ns)
{
	uint64_t killed, end_ns = perf_now() + LIFE_NS;

	while (mortal->kept_count < LENT && perf_now() < end_ns)
		traffic(mortal);
	for (unsigned int i = 0; i < 2000; i++)
		traffic(mortal);
	if (mortal->told_ticks)
		return weft_set_error(WEFT_EPEERRESET, "the victim was lost before it was killed");
	killed = weft_clock_ticks();
	kill(child, SIGKILL);
	while (!is_home(mortal) && perf_now() < end_ns) {
		weft_worker_turn(mortal->side.worker, end_ns);
		while (mortal->told_ticks && mortal->kept_count)
			weft_loan_release(mortal->kept[--mortal->kept_count]);
	}
	if (!is_home(mortal))
		return weft_set_error(WEFT_ETIMEDOUT, "the survivor was not told, or a buffer did not come home");
	perf_record_ticks(told_ns, mortal->told_ticks - killed);
	perf_record_ticks(home_ns, weft_clock_ticks() - killed);
	return 0;
}

static int live_and_die(const struct perf_opts *opts, struct weft_histogram *told_ns, struct weft_histogram *home_ns)
{
	static struct mortal mortal;
	char name[64], peer[64];
	pid_t child = 0;
	int rc;

	memset(&mortal, 0, sizeof mortal);
	perf_name(name, "survivor");
	perf_name(peer, "victim");
	rc = perf_child_start(opts, peer, name, opts->core_server, victim, &child);
	if (rc < 0)
		return rc;
	rc = perf_side_open(&mortal.side, opts, name, peer, opts->core_client);
	if (rc == 0)
		rc = come_alive(&mortal);
	if (rc == 0)
		rc = survive(&mortal, child, told_ns, home_ns);
	perf_child_stop(child, SIGKILL);
	perf_side_close(&mortal.side);
	return rc;
}

static int run(const struct perf_opts *opts, struct perf_result *result)
{
	uint64_t end_ns = perf_now() + (uint64_t)(opts->seconds * 1e9);
	struct weft_histogram *told_ns, *home_ns;
	struct perf_opts roomy = *opts;
	int rc = perf_distribution(result, "told_ns", &told_ns);

	roomy.memory_max_bytes = 2 * opts->len_bytes + 256 * UNIT_BYTES;
	if (rc == 0)
		rc = perf_distribution(result, "home_ns", &home_ns);
	do {
		if (rc == 0)
			rc = live_and_die(&roomy, told_ns, home_ns);
	} while (rc == 0 && perf_now() < end_ns);
	return rc;
}

const struct perf_test perf_death = {
	.name = "death",
	.help = "a killed peer: when the survivor is told",
	.default_len_bytes = (size_t)256 << 20,
	.max_len_bytes = (size_t)1 << 30,
	.run = run,
};

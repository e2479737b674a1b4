/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The application of the link fuzzer: two channels, two senders, and whatever one may do with them. Each pending operation
 * has a mark, so that one which ends twice, or never, is found out.
 */
#include "channel/channel_private.h"
#include "link_fuzz.h"

#include <weft/assert.h>

#define MARKS 64u
#define KEPT 32u
#define CALLS 32u
#define SENDERS 2u

struct mark {
	bool pending;
	struct weft_op *op;
};

static struct mark marks[MARKS];
static struct weft_loan *kept[KEPT];
static struct weft_call *calls[CALLS];
static unsigned int kept_count, call_count;
static struct weft_sender *senders[SENDERS];
static uint8_t policy; /* what handlers do */
static unsigned char memory[100000];

static struct mark *free_mark(void)
{
	for (unsigned int i = 0; i < MARKS; i++)
		if (!marks[i].pending) {
			marks[i] = (struct mark){0};
			return &marks[i];
		}
	return NULL;
}

static void end_mark(struct mark *mark)
{
	WEFT_ASSERT(mark->pending);
	mark->pending = false;
}

static void read_all(const void *data, size_t len_bytes)
{
	volatile unsigned char sum = 0;

	for (size_t i = 0; i<len_bytes; i += len_bytes> 5000 ? 999 : 1)
		sum = (unsigned char)(sum + ((const unsigned char *)data)[i]);
	if (len_bytes)
		sum = (unsigned char)(sum + ((const unsigned char *)data)[len_bytes - 1]);
}

/* ---- callbacks ---- */

static void on_done(struct weft_op *op, int status, void *user)
{
	(void)op;
	WEFT_ASSERT(status <= 0);
	end_mark(user);
}

static void keep(struct weft_rx *rx)
{
	if (kept_count < KEPT && weft_rx_keep(rx, &kept[kept_count]) == 0)
		kept_count++;
}

static void on_reply(struct weft_rx *reply, int status, void *user)
{
	WEFT_ASSERT((status == 0) == (reply != NULL));
	end_mark(user);
	if (!reply)
		return;
	read_all(reply->data, reply->len_bytes);
	if (policy & 0x80)
		keep(reply);
}

static void on_received(struct weft_op *op, int status, const struct weft_received *received, void *user)
{
	(void)op;
	WEFT_ASSERT(status <= 0 && received->data);
	if (status == 0)
		WEFT_ASSERT(received->peer[0] != 0);
	if (user) /* else it was placed by the hook */
		end_mark(user);
}

static void reply_with_a_loan(struct weft_rx *rx)
{
	struct weft_loan *loan;

	if (weft_loan_get(rx->worker, policy >= 0x80 ? 3000 : 8, &loan) == 0 && weft_reply_loan(rx, loan) < 0)
		weft_loan_release(loan);
}

static void on_message(struct weft_rx *rx, void *user)
{
	(void)user;
	read_all(rx->data, rx->len_bytes);
	WEFT_ASSERT(rx->peer[0] && rx->channel && rx->worker);
	switch (policy % 8) {
	case 1:
		keep(rx);
		break;
	case 2:
		weft_reply(rx, memory, policy * 4u);
		break;
	case 3:
		weft_reply_error(rx, -WEFT_EIO);
		break;
	case 4:
		if (call_count < CALLS && weft_rx_defer(rx, &calls[call_count]) == 0)
			call_count++;
		break;
	case 5:
		reply_with_a_loan(rx);
		break;
	case 6:
		if (senders[0])
			weft_send(senders[0], memory, policy * 4u);
		break;
	case 7:
		weft_sender_close(&senders[0]);
		break;
	}
}

static int on_place(const struct weft_rx *rx, size_t total_len_bytes, struct weft_placement *out, void *user)
{
	static unsigned char room[300000];

	(void)user;
	WEFT_ASSERT(rx->len_bytes == total_len_bytes);
	if (total_len_bytes > sizeof room || policy & 0x40)
		return policy & 0x20 ? -WEFT_EACCES : -WEFT_EAGAIN;
	*out = (struct weft_placement){.buffer = room, .done = on_received};
	return 0;
}

static void on_peer(enum weft_peer_event event, const struct weft_peer *peer, void *user)
{
	(void)event, (void)user;
	WEFT_ASSERT(peer->name[0] && peer->channel);
}

static void on_event(struct weft_sender *sender, enum weft_sender_event event, int cause, void *user)
{
	struct weft_sender **place = user;

	(void)sender;
	WEFT_ASSERT(cause <= 0);
	if (event == WEFT_SENDER_LOST && policy & 0x10)
		weft_sender_close(place);
}

/* ---- begin and end ---- */

void fuzz_application_begin(struct fuzz_input *in)
{
	static const char *const names[FUZZ_CHANNELS] = {"one", "two"};

	policy = 0;
	for (unsigned int i = 0; i < FUZZ_CHANNELS; i++) {
		uint8_t what = fuzz_byte(in);
		struct weft_channel_opts opts;

		weft_channel_opts_init(&opts, sizeof opts);
		opts.delivery = (enum weft_delivery)(what % 3);
		opts.priority = (enum weft_priority)(what / 4 % 4);
		opts.lanes = what & 16 ? 3 : 1;
		opts.window_messages = what & 32 ? 8 : 1024;
		opts.window_bytes = what & 64 ? 100000 : 4 << 20;
		opts.request_window = 4;
		WEFT_ASSERT(weft_channel_open(fuzz.node, names[i], &opts, &fuzz.channels[i]) == 0);
		if (what & 128)
			weft_channel_handle(fuzz.channels[i], on_message, NULL);
	}
}

void fuzz_application_end(void)
{
	policy = 0;
	while (call_count)
		weft_call_reply(calls[--call_count], 0, "late", 4);
	while (kept_count)
		weft_loan_release(kept[--kept_count]);
	for (unsigned int i = 0; i < SENDERS; i++)
		weft_sender_close(&senders[i]);
	for (unsigned int i = 0; i < FUZZ_CHANNELS; i++)
		weft_channel_close(&fuzz.channels[i]);
}

void fuzz_application_check(void)
{
	for (unsigned int i = 0; i < MARKS; i++)
		WEFT_ASSERT(!marks[i].pending);
}

/* ---- sending ---- */

static void open_sender(unsigned int i, uint8_t what)
{
	struct weft_sender_opts opts = {.size = sizeof opts, .on_event = on_event, .wait_for_peer = what & 1};

	opts.user = &senders[i];
	weft_sender_open(fuzz.station->worker, fuzz.channels[what >> 1 & 1], what & 4 ? "peer/w" : "peer", &opts,
			 &senders[i]);
}

static void send_one(struct weft_sender *sender, struct fuzz_input *in)
{
	static const size_t sizes[] = {0, 8, 200, 1000, 20000, 100000};
	struct iovec iov[6] = {{memory, 0}, {memory, 100}, {memory, 1}, {memory, 3000}, {memory, 90000}, {memory, 7}};
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	uint8_t what = fuzz_byte(in), more = fuzz_byte(in);
	size_t len_bytes = sizes[more % 6];
	struct mark *mark = free_mark();
	struct weft_loan *loan;
	bool report = mark && what & 8;
	int rc = -WEFT_EAGAIN;

	how.has_header = what & 16;
	how.partition_key = more >> 4;
	how.flags = more & 8 ? WEFT_MORE : 0;
	if (report) {
		how.completion = what & 32 ? WEFT_DELIVERED : WEFT_SENT;
		how.done = on_done;
		how.user = mark;
		how.op = &mark->op;
	}
	switch (what % 4) {
	case 0:
		rc = weft_send_with(sender, memory, len_bytes, &how);
		break;
	case 1:
		if (weft_loan_get(fuzz.station->worker, len_bytes + 1, &loan) < 0)
			return;
		rc = weft_send_loan(sender, loan, &how);
		if (rc == -WEFT_EAGAIN)
			weft_loan_release(loan);
		break;
	case 2:
		if (report)
			rc = weft_sendv(sender, iov, 1 + more % 6u, &how);
		break;
	default:
		report = mark;
		if (mark)
			rc = weft_request(sender, memory, len_bytes,
					  what & 64 ? weft_worker_now(fuzz.station->worker) + 2000000 : WEFT_NEVER,
					  on_reply, mark, &mark->op);
	}
	if (report)
		mark->pending = rc == 0;
}

void fuzz_send(struct fuzz_input *in)
{
	uint8_t what = fuzz_byte(in);
	unsigned int i = what & 1;

	if (!senders[i])
		open_sender(i, fuzz_byte(in));
	else if (what < 0xf0)
		send_one(senders[i], in);
	else if (what < 0xf8)
		weft_sender_close(&senders[i]);
	else
		weft_sender_flush(senders[i]);
}

/* ---- receiving ---- */

static void cancel_one(uint8_t from)
{
	for (unsigned int i = 0; i < MARKS; i++)
		if (marks[(from + i) % MARKS].pending && marks[(from + i) % MARKS].op) {
			weft_op_cancel(marks[(from + i) % MARKS].op);
			return;
		}
}

static void post_one(struct weft_channel *channel, uint8_t what)
{
	struct mark *mark = free_mark();

	if (mark)
		mark->pending = weft_recv_post(fuzz.station->worker, channel, memory, what * 1000u, 0, 0, on_received,
					       mark, &mark->op) == 0;
}

void fuzz_receive(struct fuzz_input *in)
{
	uint8_t what = fuzz_byte(in);
	struct weft_channel *channel = fuzz.channels[what >> 7];

	switch (what % 8) {
	case 0:
		policy = fuzz_byte(in);
		break;
	case 1:
		weft_channel_handle(channel, what & 16 ? NULL : on_message, NULL);
		break;
	case 2:
		weft_channel_place(channel, what & 16 ? NULL : on_place, NULL);
		break;
	case 3:
		weft_channel_on_peer(channel, what & 16 ? NULL : on_peer, NULL);
		break;
	case 4:
		post_one(channel, fuzz_byte(in));
		break;
	case 5:
		cancel_one(fuzz_byte(in));
		break;
	case 6:
		if (kept_count && what & 16 && senders[0]) {
			if (weft_send_loan(senders[0], kept[kept_count - 1], NULL) != -WEFT_EAGAIN)
				kept_count--;
		} else if (kept_count) {
			weft_loan_release(kept[--kept_count]);
		}
		break;
	default:
		if (call_count) {
			call_count--;
			weft_call_reply(calls[call_count], what & 16 ? -WEFT_EIO : 0, memory, what * 16u);
		}
	}
}

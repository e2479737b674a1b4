/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public headers of the fabric: two nodes of one thread that talk to each other.
 */
#include "every_function.h"

#include <cstring>
#include <string>
#include <unistd.h>
#include <weft/weft.h>

namespace
{
struct end {
	struct weft_node *node;
	struct weft_worker *worker;
	struct weft_channel *channel;
};

struct end near, far;
struct weft_sender *sender;
int messages, dones, receives, replies, peers, readies;
int status_of_reply;
enum { ANSWER, ANSWER_LOAN, ANSWER_ERROR, DEFER, KEEP } how_to_receive;
struct weft_call *deferred;
struct weft_loan *kept;
char placed[100];

void turn()
{
	weft_worker_poll(near.worker);
	weft_worker_poll(far.worker);
}

template <typename Condition> bool until(Condition condition)
{
	uint64_t end_ns = weft_clock_now(weft_clock_real()) + UINT64_C(10000000000);

	while (!condition() && weft_clock_now(weft_clock_real()) < end_ns)
		turn();
	return condition();
}

void on_message(struct weft_rx *rx, void *user)
{
	struct weft_loan *loan = nullptr;

	REQUIRE(user == &far && rx->channel == far.channel && rx->peer == std::string(weft_node_name(near.node)));
	messages++;
	if (!rx->is_request) {
		if (how_to_receive == KEEP)
			REQUIRE(weft_rx_keep(rx, &kept) == 0);
		return;
	}
	switch (how_to_receive) {
	case ANSWER:
		REQUIRE(weft_reply(rx, "answer", 6) == 0);
		break;
	case ANSWER_LOAN:
		REQUIRE(weft_loan_get(rx->worker, 1000, &loan) == 0);
		std::memset(weft_loan_data(loan), 'l', weft_loan_len(loan));
		REQUIRE(weft_reply_loan(rx, loan) == 0);
		break;
	case ANSWER_ERROR:
		REQUIRE(weft_reply_error(rx, -WEFT_ENOENT) == 0);
		break;
	default:
		REQUIRE(weft_rx_defer(rx, &deferred) == 0);
	}
}

void on_done(struct weft_op *op, int status, void *user)
{
	(void)op, (void)user;
	dones += status == 0 || status == -WEFT_ECANCELED;
}

void on_reply(struct weft_rx *reply, int status, void *user)
{
	(void)user;
	REQUIRE((reply != nullptr) == (status == 0));
	status_of_reply = status;
	replies++;
}

void on_received(struct weft_op *op, int status, const struct weft_received *received, void *user)
{
	(void)op, (void)user;
	receives += status == -WEFT_ECANCELED || received->len_bytes == 5;
}

int on_place(const struct weft_rx *rx, size_t total_len_bytes, struct weft_placement *out, void *user)
{
	(void)rx, (void)user;
	*out = {placed, on_received, nullptr, nullptr};
	return total_len_bytes <= sizeof placed ? 0 : -WEFT_EAGAIN;
}

void on_peer(enum weft_peer_event event, const struct weft_peer *peer, void *user)
{
	(void)user;
	peers += event == WEFT_PEER_CAME && peer->pid == getpid();
}

void on_event(struct weft_sender *from, enum weft_sender_event event, int cause, void *user)
{
	(void)from, (void)cause, (void)user;
	readies += event == WEFT_SENDER_READY;
}

/* ---- parts ---- */

void open_end(struct end &end, const char *which)
{
	std::string name = "every-" + std::to_string(getpid()) + "-" + which;
	struct weft_channel_opts channel_opts;
	struct weft_node_opts opts;

	weft_node_opts_init(&opts, sizeof opts);
	opts.name = name.c_str();
	opts.worker_count = 0;
	opts.user = &end;
	REQUIRE(weft_node_open(&opts, &end.node) == 0 && weft_node_user(end.node) == &end);
	REQUIRE(weft_node_name(end.node) == name && weft_node_incarnation(end.node) != 0);
	REQUIRE((end.worker = weft_node_worker(end.node, 0)) != nullptr);
	weft_channel_opts_init(&channel_opts, sizeof channel_opts);
	channel_opts.user = &end;
	REQUIRE(weft_channel_open(end.node, "every", &channel_opts, &end.channel) == 0);
	REQUIRE(weft_channel_name(end.channel) == std::string("every") && weft_channel_user(end.channel) == &end);
}

void open_sender()
{
	struct weft_sender_opts opts;

	weft_sender_opts_init(&opts, sizeof opts);
	opts.on_event = on_event;
	opts.user = &sender;
	REQUIRE(weft_sender_open(near.worker, near.channel, weft_node_name(far.node), &opts, &sender) == 0);
	REQUIRE(weft_sender_wait(sender, 0) == -WEFT_ETIMEDOUT);
	REQUIRE(until([] { return weft_sender_status(sender) == 0 && readies == 1 && peers == 1; }));
	REQUIRE(weft_sender_wait(sender, WEFT_NEVER) == 0 && weft_inject_max(sender) > 0);
	REQUIRE(weft_sender_stranger(sender) == nullptr);
	REQUIRE(weft_sender_peer(sender) == std::string(weft_node_name(far.node)) && weft_sender_user(sender) == &sender);
}

void send_in_each_way()
{
	struct weft_send_opts how = WEFT_SEND_OPTS_INIT;
	char text[] = "text!";
	struct iovec iov = {text, 5};
	struct weft_loan *loan = nullptr;
	struct weft_op *op = nullptr;

	how.done = on_done;
	how.completion = WEFT_DELIVERED;
	how.op = &op;
	REQUIRE(weft_send(sender, text, 5) == 0 && weft_send_more(sender, text, 5) == 0);
	weft_sender_flush(sender);
	REQUIRE(weft_send_with(sender, text, 5, &how) == 0 && weft_sendv(sender, &iov, 1, &how) == 0);
	REQUIRE(until([] { return messages == 4 && dones == 2; }));
	REQUIRE(weft_sendv(sender, &iov, 1, &how) == 0);
	weft_op_cancel(op);
	REQUIRE(until([] { return dones == 3; }));
	how_to_receive = KEEP;
	REQUIRE(weft_loan_get(near.worker, 5000, &loan) == 0);
	std::memset(weft_loan_data(loan), 'x', weft_loan_len(loan));
	weft_loan_trim(loan, 4000);
	weft_loan_share(loan);
	weft_loan_release(loan);
	REQUIRE(until([loan] { return weft_send_loan(sender, loan, nullptr) == 0; }) && until([] { return kept != nullptr; }));
	REQUIRE(weft_loan_len(kept) == 4000 && static_cast<char *>(weft_loan_data(kept))[3999] == 'x');
	weft_loan_release(kept);
}

void ask_for(decltype(how_to_receive) how, int status)
{
	int before = replies;

	how_to_receive = how;
	REQUIRE(weft_request_more(sender, "?", 1, WEFT_NEVER, on_reply, nullptr, nullptr) == 0);
	weft_sender_flush(sender);
	if (how == DEFER) {
		REQUIRE(until([] { return deferred != nullptr; }));
		REQUIRE(weft_call_reply(deferred, 0, "late", 4) == 0);
	}
	REQUIRE(until([before] { return replies == before + 1; }) && status_of_reply == status);
}

void ask_in_each_way()
{
	struct weft_op *op = nullptr;

	ask_for(ANSWER, 0);
	ask_for(ANSWER_LOAN, 0);
	ask_for(ANSWER_ERROR, -WEFT_ENOENT);
	ask_for(DEFER, 0);
	REQUIRE(weft_request(sender, "?", 1, WEFT_NEVER, on_reply, nullptr, &op) == 0);
	weft_op_cancel(op);
	REQUIRE(until([] { return replies == 5; }) && status_of_reply == -WEFT_ECANCELED);
	REQUIRE(weft_request(sender, "?", 1, weft_worker_now(near.worker) + 1, on_reply, nullptr, nullptr) == 0);
	REQUIRE(until([] { return replies == 6; }));
}

void receive_in_each_way()
{
	char buffer[10];

	weft_channel_handle(far.channel, nullptr, nullptr);
	REQUIRE(weft_recv_post(far.worker, far.channel, buffer, sizeof buffer, 0, 0, on_received, nullptr, nullptr) == 0);
	REQUIRE(weft_send(sender, "post!", 5) == 0 && until([] { return receives == 1; }));
	weft_channel_place(far.channel, on_place, nullptr);
	REQUIRE(weft_send(sender, "place", 5) == 0 && until([] { return receives == 2; }));
	REQUIRE(std::memcmp(buffer, "post!", 5) == 0 && std::memcmp(placed, "place", 5) == 0);
}

void look_at_the_node()
{
	char text[80];
	struct weft_worker *attached = nullptr;
	struct weft_node_stats stats;

	weft_node_describe(near.node, &stats);
	REQUIRE(stats.sent_messages > 0 && stats.links == 1);
	REQUIRE(!weft_node_degraded(near.node, 1000) && !weft_node_degraded_require(near.node, 1000));
	REQUIRE(weft_node_address(near.node, 1000, text, sizeof text) == -WEFT_ENOENT);
	REQUIRE(weft_require_name(WEFT_REQUIRE_SLEEP) == std::string("sleep") && weft_version()[0]);
	REQUIRE(weft_attach(near.node, "thread", &attached) == 0);
	weft_detach(near.node, &attached);
	weft_node_stop(near.node);
	REQUIRE(weft_node_run(near.node) == 0);
}
} // namespace

void call_fabric()
{
	open_end(near, "near");
	open_end(far, "far");
	weft_channel_handle(far.channel, on_message, &far);
	weft_channel_on_peer(far.channel, on_peer, nullptr);
	open_sender();
	send_in_each_way();
	ask_in_each_way();
	receive_in_each_way();
	look_at_the_node();
	weft_sender_close(&sender);
	weft_channel_close(&near.channel);
	weft_node_close(&near.node);
	weft_node_close(&far.node);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `weft send NAME`: standard input to the `weft recv NAME` of this machine, or of another. Read straight into lent memory: the bytes are
 * copied once, by read(2). Exit status 0 when the receiver has confirmed all of it.
 */
#include "command.h"
#include "elsewhere.h"
#include "progress.h"
#include "stream.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A receiver that is starting has a name a little before it receives. */
#define STARTING_NS UINT64_C(2000000000)

struct sending {
	const char *name, *to;
	struct stream_networks networks;
	bool wait;
	struct weft_node *node;
	struct weft_worker *worker;
	struct weft_sender *sender;
	struct progress progress;
	uint64_t sent_bytes;
	bool answered;
	int answer;
	int lost; /* why the receiver is gone; 0 while it is there */
};

static const struct argp_option options[] = {
	{"wait", 'w', NULL, 0, "wait until the receiver is there", 0},
	{"to", 't', "ADDRESS", 0, "where it is, if not on this machine: udp:10.0.0.2:7000", 0},
	{"security", 's', "none", 0, "needed beyond this machine: the network is trusted, as nothing is encrypted yet",
	 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct sending *sending = state->input;

	switch (key) {
	case 'w':
		sending->wait = true;
		return 0;
	case 't':
		sending->to = arg;
		return 0;
	case 's':
		stream_set_security(&sending->networks, arg);
		return 0;
	case ARGP_KEY_ARG:
		if (sending->name)
			usage_error("one NAME, not also '%.40s'", arg);
		stream_check_name(arg, true);
		sending->name = arg;
		return 0;
	case ARGP_KEY_END:
		if (!sending->name)
			usage_error("which NAME? It is what `weft recv NAME` was given");
		if (sending->to)
			stream_set_peer(&sending->networks, sending->name, sending->to);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* Waiting for the receiver ends when it is there: one that is lost later is not waited for again. */
static void on_event(struct weft_sender *sender, enum weft_sender_event event, int cause, void *user)
{
	struct sending *sending = user;

	(void)sender;
	if (event == WEFT_SENDER_LOST)
		sending->lost = cause;
}

/* It took part, and does no more. */
static int say_gone(const struct sending *sending, int cause)
{
	const char *name = sending->name;

	if (cause == -WEFT_ECLOSED)
		return weft_set_error(cause, "\"%s\" is gone: it ended before it had everything, and says there why",
				      name);
	if (cause != -WEFT_EPEERRESET)
		return weft_set_error(cause, "\"%s\" is gone: %s", name, weft_error_text(cause));
	if (sending->to)
		return weft_set_error(cause,
				      "\"%s\" is gone: its process or machine died, or nothing gets through to %s any "
				      "more; send everything again when it is back",
				      name, sending->to);
	return weft_set_error(cause,
			      "\"%s\" is gone: its process died before it had everything; start it and send "
			      "everything again",
			      name);
}

/* 0 while there is a receiver. */
static int check(struct sending *sending)
{
	int rc = sending->lost ? sending->lost : weft_sender_status(sending->sender);

	if (stream_interrupted)
		return -WEFT_EINTR;
	if (rc == 0)
		return 0;
	if (rc == -WEFT_EAGAIN)
		rc = -WEFT_EPEERRESET; /* it is being waited for again */
	return say_gone(sending, rc);
}

static void on_answer(struct weft_rx *reply, int status, void *user)
{
	struct sending *sending = user;

	(void)reply;
	sending->answered = true;
	sending->answer = status;
}

/* Asks and waits for the answer. */
static int ask(struct sending *sending, enum stream_request_kind kind)
{
	struct stream_request request = {.kind = kind, .total_bytes = sending->sent_bytes};
	int rc, gone = 0;

	sending->answered = false;
	while ((rc = weft_request(sending->sender, &request, sizeof request, WEFT_NEVER, on_answer, sending, NULL)) ==
		       -WEFT_EAGAIN &&
	       (gone = check(sending)) == 0)
		weft_worker_turn(sending->worker, WEFT_NEVER);
	if (rc < 0)
		return gone < 0 ? gone : rc;
	while (!sending->answered && !stream_interrupted)
		weft_worker_turn(sending->worker, WEFT_NEVER);
	if (stream_interrupted)
		return -WEFT_EINTR;
	if (sending->answer == -WEFT_EBUSY)
		return weft_set_error(WEFT_EBUSY, "\"%s\" is receiving from somebody else", sending->name);
	if (sending->answer == -WEFT_EPEERRESET || sending->answer == -WEFT_ECLOSED)
		return say_gone(sending, sending->answer);
	if (sending->answer < 0)
		return weft_set_error(sending->answer, "\"%s\" did not take everything: %s", sending->name,
				      weft_error_text(sending->answer));
	return 0;
}

static int get_piece(struct sending *sending, struct weft_loan **loan)
{
	int rc, gone = 0;

	while ((rc = weft_loan_get(sending->worker, STREAM_PIECE_BYTES, loan)) == -WEFT_EAGAIN &&
	       (gone = check(sending)) == 0)
		weft_worker_turn(sending->worker, WEFT_NEVER);
	return gone < 0 ? gone : rc;
}

/* Waits until the input has something, and turns weft meanwhile: a receiver that dies must not wait for the next byte. */
static int await_input(struct sending *sending)
{
	struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
			       {.fd = weft_worker_fd(sending->worker), .events = POLLIN}};

	int gone;

	while ((gone = check(sending)) == 0) {
		if (poll(fds, 1, 0) != 0)
			return 0; /* data, end or error: read tells; a file always is ready */
		if (weft_worker_poll(sending->worker))
			continue;
		if (weft_worker_arm(sending->worker))
			poll(fds, 2, 100);
		weft_worker_disarm(sending->worker);
	}
	return gone;
}

/* Fills a piece as far as the input goes; 0 at its end. */
static ssize_t fill(struct weft_loan *loan)
{
	char *data = weft_loan_data(loan);
	size_t filled = 0;

	while (filled < STREAM_PIECE_BYTES && !stream_interrupted) {
		ssize_t got = read(STDIN_FILENO, data + filled, STREAM_PIECE_BYTES - filled);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return weft_set_error(weft_error_from_errno(errno), "standard input cannot be read: %s",
					      strerror(errno));
		if (got == 0)
			break;
		filled += (size_t)got;
		if ((size_t)got < 65536)
			break; /* a pipe or terminal: what is there goes now */
	}
	return (ssize_t)filled;
}

static int send_piece(struct sending *sending, struct weft_loan *loan, size_t len_bytes)
{
	int rc, gone = 0;

	weft_loan_trim(loan, len_bytes);
	while ((rc = weft_send_loan(sending->sender, loan, NULL)) == -WEFT_EAGAIN && (gone = check(sending)) == 0)
		weft_worker_turn(sending->worker, WEFT_NEVER);
	if (rc < 0) {
		if (rc == -WEFT_EAGAIN)
			weft_loan_release(loan);
		return gone < 0 ? gone : check(sending);
	}
	sending->sent_bytes += len_bytes;
	progress_show(&sending->progress, sending->sent_bytes);
	weft_worker_poll(sending->worker);
	return 0;
}

static int send_all(struct sending *sending)
{
	for (;;) {
		struct weft_loan *loan;
		int rc = get_piece(sending, &loan);
		ssize_t filled;

		if (rc < 0)
			return rc;
		rc = await_input(sending);
		if (rc < 0) {
			weft_loan_release(loan);
			return rc;
		}
		filled = fill(loan);
		if (filled <= 0 || stream_interrupted) {
			weft_loan_release(loan);
			return stream_interrupted ? -WEFT_EINTR : (int)filled;
		}
		rc = send_piece(sending, loan, (size_t)filled);
		if (rc < 0)
			return rc;
	}
}

static uint64_t input_bytes(void)
{
	struct stat info;

	return fstat(STDIN_FILENO, &info) == 0 && S_ISREG(info.st_mode) ? (uint64_t)info.st_size : 0;
}

/* Why there is no receiver. */
static int refused(const struct sending *sending, int rc)
{
	const char *name = sending->name, *stranger = weft_sender_stranger(sending->sender);
	bool there = weft_inject_max(sending->sender) > 0;
	char node[WEFT_NAME_MAX + 1] = "", elsewhere[320];

	strncpy(node, name, strcspn(name, "/"));
	if (rc == -WEFT_ECONNREFUSED && !sending->to && elsewhere_find(node, elsewhere, sizeof elsewhere))
		return weft_set_error(rc, "nobody receives as \"%s\" here, %s", name, elsewhere);
	if (rc == -WEFT_ECONNREFUSED || rc == -WEFT_ENOENT)
		return weft_set_error(
			rc,
			sending->to
				? "nobody receives as \"%s\" there: start `weft recv %s --listen ADDRESS` on that machine, or use --wait"
				: "nobody receives as \"%s\" here: start `weft recv %s`, or use --wait",
			name, name);
	if (stranger)
		return weft_set_error(rc, "at %s there is \"%s\", not \"%s\": send to that, or to the address of this",
				      sending->to ? sending->to : "its address", stranger, name);
	if (rc == -WEFT_EAGAIN && there)
		return weft_set_error(rc, "\"%s\" does not answer as a receiver: it is not `weft recv %s`", name, name);
	if ((rc == -WEFT_EAGAIN || rc == -WEFT_EUNREACHABLE) && sending->to)
		return weft_set_error(rc,
				      "\"%s\" does not answer at %s: is `weft recv %s --listen ADDRESS` running there, "
				      "and do packets get through? --wait tries on",
				      name, sending->to, name);
	if (rc == -WEFT_EAGAIN)
		return weft_set_error(rc,
				      "\"%s\" does not answer as a receiver: it is not `weft recv %s`, or is not there",
				      name, name);
	return weft_set_error(rc, "\"%s\" cannot be reached: %s", name, weft_error_text(rc));
}

/* Until the receiver is there. */
static int connect_to_receiver(struct sending *sending, struct weft_channel *channel)
{
	struct weft_sender_opts opts = {.size = sizeof opts,
					.wait_for_peer = sending->wait,
					.on_event = on_event,
					.user = sending};
	const struct weft_clock *clock = weft_worker_clock(sending->worker);
	uint64_t deadline_ns = sending->wait ? WEFT_NEVER : weft_clock_now(clock) + STARTING_NS;
	int rc = weft_sender_open(sending->worker, channel, sending->name, &opts, &sending->sender);

	if (rc < 0)
		return rc;
	if (sending->wait)
		progress_say("waiting for `weft recv %s`", sending->name);
	while ((rc = weft_sender_status(sending->sender)) == -WEFT_EAGAIN && !stream_interrupted &&
	       weft_clock_now(clock) < deadline_ns)
		weft_worker_turn(sending->worker, deadline_ns);
	progress_clear();
	if (stream_interrupted)
		return -WEFT_EINTR;
	return rc < 0 ? refused(sending, rc) : 0;
}

static int run(struct sending *sending)
{
	struct weft_channel *channel;
	int rc = stream_open(NULL, &sending->networks, &sending->node, &channel);

	if (rc < 0)
		return rc;
	sending->worker = weft_node_worker(sending->node, 0);
	rc = connect_to_receiver(sending, channel);
	if (rc < 0)
		return rc;
	rc = ask(sending, STREAM_BEGIN);
	progress_start(&sending->progress, "sent", input_bytes(), STDIN_FILENO);
	if (rc == 0)
		rc = send_all(sending);
	if (rc == 0)
		rc = ask(sending, STREAM_END);
	progress_end(&sending->progress, sending->sent_bytes);
	return rc;
}

int command_send(int argc, char **argv)
{
	static const struct argp argp = {options,
					 parse,
					 "NAME < INPUT",
					 "Streams standard input to the process that runs `weft recv NAME`.",
					 NULL,
					 NULL,
					 NULL};
	struct sending sending = {0};
	int rc;

	parse_arguments(&argp, argc, argv, &sending);
	stream_catch_signals();
	rc = run(&sending);
	weft_node_close(&sending.node);
	if (stream_interrupted)
		return 128 + (int)stream_interrupted;
	return rc < 0 ? command_fail() : 0;
}

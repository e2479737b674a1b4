/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Redis by PUBLISH and SUBSCRIBE through a server whose Unix socket $REDIS_SOCKET names: of what Redis offers between two
 * clients, the one with the fewest commands for a message. Each side has a connection on which it listens and one on
 * which it publishes a whole window at once, without replies. A server keeps what a slow subscriber has not taken yet, so
 * the receiver of a one-way stream publishes a note after each window, and the sender stays at most a few ahead.
 */
#include "peer.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOWS_AHEAD 4

static const char *const channels[2] = {"to-receiver", "to-sender"};
static const char note[] = "taken";

static redisContext *listening, *publishing;
static const char *out;
static bool streams, sending;
static unsigned long long windows_sent, windows_taken;

static _Noreturn void die(const char *what, const redisContext *context)
{
	peer_die("redis: %s: %s", what, context && context->err ? context->errstr : "unexpected answer");
}

static redisContext *connected(void)
{
	const char *path = getenv("REDIS_SOCKET");
	redisContext *context = redisConnectUnix(path ? path : "");

	if (!context || context->err)
		peer_die("redis: no server at $REDIS_SOCKET (%s): %s", path ? path : "not set",
			 context ? context->errstr : "no memory");
	return context;
}

static redisReply *next_reply(redisContext *context)
{
	void *reply;

	if (redisGetReply(context, &reply) != REDIS_OK)
		die("reply", context);
	return reply;
}

/* Until the other side listens, which is when the server delivers. */
static void await_listener(void)
{
	for (;;) {
		redisReply *reply = redisCommand(publishing, "PUBSUB NUMSUB %s", out);
		long long count;

		if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 2)
			die("PUBSUB", publishing);
		count = reply->element[1]->integer;
		freeReplyObject(reply);
		if (count)
			return;
		usleep(1000);
	}
}

static void flush(void)
{
	for (int done = 0; !done;)
		if (redisBufferWrite(publishing, &done) != REDIS_OK)
			die("write", publishing);
}

static void redis_open(struct peer_run *run, bool *is_sender)
{
	redisReply *reply;

	streams = strcmp(run->test, "rate") == 0 || strcmp(run->test, "bw") == 0;
	sending = *is_sender;
	out = channels[!*is_sender];
	listening = connected();
	publishing = connected();
	reply = redisCommand(listening, "SUBSCRIBE %s", channels[*is_sender]);
	if (!reply || reply->type != REDIS_REPLY_ARRAY)
		die("SUBSCRIBE", listening);
	freeReplyObject(reply);
	await_listener();
	redisAppendCommand(publishing, "CLIENT REPLY OFF");
	flush();
}

/* A message; NULL if it was the other side's note that it has taken a window. */
static redisReply *next_message(void)
{
	redisReply *reply = next_reply(listening);

	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3)
		die("message", listening);
	if (reply->element[2]->len != sizeof note - 1 || memcmp(reply->element[2]->str, note, sizeof note - 1))
		return reply;
	windows_taken++;
	freeReplyObject(reply);
	return NULL;
}

static void redis_send(unsigned char *const *buffers, unsigned int count, size_t len_bytes)
{
	while (streams && sending && windows_sent - windows_taken >= WINDOWS_AHEAD)
		if (next_message())
			die("message out of turn", listening);
	windows_sent++;
	for (unsigned int i = 0; i < count; i++)
		redisAppendCommand(publishing, "PUBLISH %s %b", out, buffers[i], len_bytes);
	flush();
}

static void redis_receive(unsigned char *const *buffers, unsigned int count, size_t len_bytes)
{
	for (unsigned int i = 0; i < count;) {
		redisReply *reply = next_message();

		if (!reply)
			continue;
		if (reply->element[2]->len != len_bytes)
			peer_die("redis: %zu bytes came instead of %zu", (size_t)reply->element[2]->len, len_bytes);
		memcpy(buffers[i++], reply->element[2]->str, len_bytes);
		freeReplyObject(reply);
	}
	if (streams && !sending) {
		redisAppendCommand(publishing, "PUBLISH %s %s", out, note);
		flush();
	}
}

static void redis_close(void)
{
	usleep(100000); /* the last message is on its way */
	redisFree(listening);
	redisFree(publishing);
}

int main(int argc, char **argv)
{
	static const struct peer_ops ops = {"redis", false, NULL, redis_open, redis_send, redis_receive, redis_close};

	return peer_main(argc, argv, &ops);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The application of the path fuzzer: what comes up is read and some of it kept, what goes out is counted until it is
 * home.
 */
#include "path_fuzz.h"

#include <string.h>
#include <weft/assert.h>
#include <weft/errors.h>

#define PATHS_MAX 8u /* from here on none is made; what was under way still comes */
#define PATHS 64u
#define KEPT_MAX 32u
#define CONNECTS_MAX 4u
#define FRAMES 64u
#define LOOK_BYTES 4096u

static struct weft_path *paths[PATHS];
static unsigned int path_count, connect_count;
static struct weft_rx_frame kept[KEPT_MAX];
static unsigned int kept_count;
static uint64_t lent_count, home_count;
static volatile unsigned char seen;

struct weft__path *fuzz_path_at(unsigned int i)
{
	return i < path_count ? weft__path_of(paths[i]) : NULL;
}

/* ---- events ---- */

static int on_accept(void *user, const struct weft_peer_identity *peer, const struct weft_hello *theirs,
		     struct weft_hello *mine, struct weft_port **port)
{
	(void)user;
	(void)peer;
	WEFT_ASSERT(theirs->len_bytes <= WEFT_HELLO_MAX);
	*mine = *theirs;
	*port = &fuzz.port->base;
	return path_count < PATHS_MAX ? 0 : -WEFT_EBUSY;
}

static void on_up(void *user, struct weft_path *path, const struct weft_hello *theirs, void *request)
{
	(void)user;
	WEFT_ASSERT(theirs->len_bytes <= WEFT_HELLO_MAX && path_count < PATHS);
	connect_count -= request != NULL;
	paths[path_count++] = path;
}

static void on_failed(void *user, void *request, int error, const char *why)
{
	(void)user;
	(void)why;
	WEFT_ASSERT(error < 0 && request && connect_count);
	connect_count--;
}

/* It stays until the application disconnects it. */
static void on_down(void *user, struct weft_path *path, enum weft_down_reason reason)
{
	(void)user;
	(void)reason;
	WEFT_ASSERT(weft__path_of(path)->state == WEFT__PATH_ENDED);
}

const struct weft_device_events fuzz_application_events = {.accept = on_accept,
							   .path_up = on_up,
							   .connect_failed = on_failed,
							   .path_down = on_down};

/* ---- what comes ---- */

static void look_at(const void *bytes, uint64_t len_bytes, uint64_t step_bytes)
{
	const unsigned char *at = bytes;

	for (uint64_t i = 0; i < len_bytes; i += step_bytes)
		seen ^= at[i];
	if (len_bytes)
		seen ^= at[len_bytes - 1];
}

static void release(unsigned int i)
{
	struct weft_rx_frame frame = kept[i];

	look_at(frame.loan_data, frame.loan_len_bytes, LOOK_BYTES);
	kept[i] = kept[--kept_count];
	frame.path->port->release(frame.path, frame.loan_id);
}

void fuzz_receive(void)
{
	struct weft_port *port = &fuzz.port->base;
	struct weft_rx_frame frames[FRAMES];
	uint64_t cookies[FRAMES];
	unsigned int count = port->rx(port, frames, FRAMES);

	for (unsigned int i = 0; i < count; i++) {
		look_at(frames[i].data, frames[i].len_bytes, 1);
		if (!frames[i].loan_data)
			continue;
		if (kept_count == KEPT_MAX)
			release(0);
		kept[kept_count++] = frames[i];
	}
	home_count += port->reap(port, cookies, FRAMES);
	if (port->flush_due)
		port->flush(port);
}

/* ---- what goes ---- */

void fuzz_connect(struct fuzz_input *in)
{
	struct weft_hello hello = {.len_bytes = 2, .bytes = "me"};
	uint8_t what = fuzz_byte(in);

	if (path_count >= PATHS_MAX || connect_count >= CONNECTS_MAX)
		return;
	connect_count++;
	WEFT_ASSERT(weft__handshake_connect(&fuzz.port->base, what & 1 ? "b" : "a", &hello, paths) == 0);
}

static void send_large(struct weft_path *path, enum weft_class class_, uint64_t meta, uint32_t head_len_bytes,
		       uint32_t len_bytes)
{
	static const unsigned char head[WEFT__HEAD_BESIDE_MAX];
	struct weft_tx_frame frame = {
		.meta = meta, .head = head, .head_len_bytes = head_len_bytes, .loan_len_bytes = len_bytes, .cookie = 1};

	if (weft_pool_get(fuzz.port->pool, len_bytes, &frame.loan) < 0)
		return;
	lent_count += path->port->tx(path, class_, &frame, 1, 0, NULL);
	weft_buf_put(frame.loan);
}

void fuzz_send(struct fuzz_input *in)
{
	static const uint32_t lens_bytes[] = {1, 100, 5000, 70000, 300000, 2000000};
	static const unsigned char data[WEFT__INLINE_MAX];
	static const uint8_t metas[] = {0, 1, 2, 128};
	uint8_t what = fuzz_byte(in), len = fuzz_byte(in);
	const struct weft__path *path = fuzz_path_at(what % 4);
	enum weft_class class_ = what >> 2 & 1;
	uint64_t meta = metas[what >> 3 & 3];
	struct weft_path *base;

	if (!path)
		return;
	base = paths[what % 4];
	if (what & 0x20)
		send_large(base, class_, meta, len & 31, lens_bytes[(len >> 5) % 6]);
	else
		for (unsigned int i = 0; i <= (what & 0x40 ? 40u : 0u); i++)
			(void)base->port->send(base, class_, meta, data, len * 4u, what & 0x80 ? WEFT_TX_MORE : 0);
}

/* ---- ends ---- */

static void disconnect(unsigned int i)
{
	struct weft_path *path = paths[i];

	for (unsigned int j = kept_count; j-- > 0;)
		if (kept[j].path == path)
			kept[j] = kept[--kept_count]; /* gone with it */
	paths[i] = paths[--path_count];
	weft__path_disconnect(path);
}

void fuzz_let_go(struct fuzz_input *in)
{
	uint8_t what = fuzz_byte(in);

	if (what & 1 && what / 2 < kept_count)
		release(what / 2);
	else if (!(what & 1) && what / 2 % 16 < path_count)
		disconnect(what / 2 % 16);
}

void fuzz_application_end(void)
{
	while (kept_count)
		release(kept_count - 1);
	while (path_count)
		disconnect(path_count - 1);
}

void fuzz_application_check(void)
{
	WEFT_ASSERT(!path_count && !connect_count && lent_count == home_count);
}

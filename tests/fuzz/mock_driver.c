/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver that checks who drives it.
 */
#include "mock_driver.h"

#include <stdlib.h>
#include <string.h>
#include <weft/assert.h>
#include <weft/errors.h>

#define SEGMENTS_MAX 1024u
#define QUEUE_MAX 64u
#define CONNECTS_MAX 64u
#define COOKIES_MAX 8192u

struct mock_path {
	struct weft_path base;
	struct weft_list in_port;
	bool down, told;
	enum weft_down_reason reason;
	bool shared[SEGMENTS_MAX];
};

/* A frame on its way up, or handed up until the next receive. */
struct mock_frame {
	struct weft_list link;
	struct weft_rx_frame frame;
	unsigned char data[];
};

/* Memory that the node borrows. */
struct mock_borrowed {
	struct weft_list link;
	struct mock_path *path;
	uint32_t id;
	void *memory;
};

/* A buffer of the node's that is out. */
struct mock_lent {
	struct weft_list link;
	struct mock_path *path;
	struct weft_buf *buf;
	uint64_t cookie;
};

static struct weft_port port;
static struct weft_list paths = {&paths, &paths}, queue = {&queue, &queue}, handed = {&handed, &handed};
static struct weft_list borrowed = {&borrowed, &borrowed}, lent = {&lent, &lent};
static unsigned int queued, connect_count;
static void *connects[CONNECTS_MAX];
static uint64_t home[COOKIES_MAX];
static unsigned int home_count;
static uint32_t next_loan_id;

struct weft_device *const mock_device = (struct weft_device *)&port;
const struct weft_device_events *mock_events;
mock_sent_fn *mock_on_sent;
uint32_t mock_room = UINT32_MAX;

static void *allocate(size_t len_bytes)
{
	void *memory = calloc(1, len_bytes);

	WEFT_ASSERT(memory != NULL);
	return memory;
}

static struct mock_path *path_of(struct weft_path *base)
{
	return WEFT_CONTAINER_OF(base, struct mock_path, base);
}

/* ---- what the node sends ---- */

static void come_home(struct mock_lent *loan)
{
	weft_list_remove(&loan->link);
	if (loan->cookie) {
		WEFT_ASSERT(home_count < COOKIES_MAX);
		home[home_count++] = loan->cookie;
	}
	weft_buf_put(loan->buf);
	free(loan);
}

static bool has_room(void)
{
	if (mock_room == UINT32_MAX)
		return true;
	mock_room -= mock_room > 0;
	return mock_room > 0;
}

static void lend(struct mock_path *path, const struct weft_tx_frame *frame)
{
	struct mock_lent *loan = allocate(sizeof *loan);

	*loan = (struct mock_lent){.path = path, .buf = frame->loan, .cookie = frame->cookie};
	weft_buf_ref(frame->loan);
	weft_list_push_back(&lent, &loan->link);
}

static int take(struct mock_path *path, const struct weft_tx_frame *frame)
{
	uint32_t len_bytes = frame->head_len_bytes + frame->data_len_bytes, limit = MOCK_INLINE_MAX;

	WEFT_ASSERT(!path->told); /* after its end nothing is sent */
	if (frame->loan) {
		limit = MOCK_LOAN_HEAD_MAX;
		WEFT_ASSERT(frame->loan->refs && frame->loan->segment_id < SEGMENTS_MAX && frame->loan_len_bytes &&
			    frame->loan_offset_bytes <= frame->loan->capacity_bytes &&
			    frame->loan_len_bytes <= frame->loan->capacity_bytes - frame->loan_offset_bytes);
		if (!path->shared[frame->loan->segment_id])
			return -WEFT_ENXIO;
	}
	WEFT_ASSERT(len_bytes <= limit);
	if (!has_room())
		return -WEFT_EAGAIN;
	if (frame->loan)
		lend(path, frame);
	if (mock_on_sent)
		mock_on_sent(path, frame);
	return 0;
}

static unsigned int port_tx(struct weft_path *base, enum weft_class class_, const struct weft_tx_frame *frames,
			    unsigned int count, unsigned int flags, int *why)
{
	(void)flags;
	WEFT_ASSERT(class_ == WEFT_CLASS_EXPRESS || class_ == WEFT_CLASS_NORMAL);
	for (unsigned int i = 0; i < count; i++) {
		int rc = take(path_of(base), &frames[i]);

		if (rc < 0) {
			if (why)
				*why = rc;
			return i;
		}
	}
	return count;
}

static int port_send(struct weft_path *base, enum weft_class class_, uint64_t meta, const void *data,
		     uint32_t len_bytes, unsigned int flags)
{
	struct weft_tx_frame frame = {.meta = meta, .data = data, .data_len_bytes = len_bytes};
	int why = 0;

	return port_tx(base, class_, &frame, 1, flags, &why) ? 0 : why;
}

static unsigned int port_reap(struct weft_port *base, uint64_t *cookies, unsigned int max)
{
	unsigned int count = home_count < max ? home_count : max;

	(void)base;
	memcpy(cookies, home, count * sizeof *home);
	memmove(home, home + count, (home_count - count) * sizeof *home);
	home_count -= count;
	return count;
}

/* ---- what the node receives ---- */

static void release(struct weft_path *base, uint32_t loan_id)
{
	WEFT_LIST_FOR_EACH(at, &borrowed) {
		struct mock_borrowed *loan = WEFT_CONTAINER_OF(at, struct mock_borrowed, link);

		if (loan->id != loan_id)
			continue;
		WEFT_ASSERT(loan->path == path_of(base));
		weft_list_remove(at);
		free(loan->memory);
		free(loan);
		return;
	}
	abort(); /* it was never lent, or comes back twice */
}

static void free_handed(void)
{
	while (!weft_list_empty(&handed))
		free(WEFT_CONTAINER_OF(weft_list_pop_front(&handed), struct mock_frame, link));
}

/* The ends of paths on which nothing waits any more. */
static void tell_ends(void)
{
	WEFT_LIST_FOR_EACH(at, &paths) {
		struct mock_path *path = WEFT_CONTAINER_OF(at, struct mock_path, in_port);

		if (!path->down || path->told)
			continue;
		path->told = true;
		mock_events->path_down(port.user, &path->base, path->reason);
	}
}

static unsigned int port_rx(struct weft_port *base, struct weft_rx_frame *frames, unsigned int max)
{
	unsigned int count = 0;

	(void)base;
	free_handed();
	while (count < max && !weft_list_empty(&queue)) {
		struct mock_frame *frame = WEFT_CONTAINER_OF(weft_list_pop_front(&queue), struct mock_frame, link);

		queued--;
		frames[count++] = frame->frame;
		weft_list_push_back(&handed, &frame->link);
	}
	if (!count)
		tell_ends();
	return count;
}

/* ---- cold ---- */

static int port_open(struct weft_device *device, const struct weft_port_opts *opts, struct weft_port **out)
{
	(void)device;
	port = (struct weft_port){.send = port_send,
				  .tx = port_tx,
				  .rx = port_rx,
				  .release = release,
				  .reap = port_reap,
				  .user = opts->user,
				  .inline_max = MOCK_INLINE_MAX,
				  .loan_head_max = MOCK_LOAN_HEAD_MAX,
				  .max_burst = 32};
	*out = &port;
	return 0;
}

static int connect_later(struct weft_port *base, const char *to, const struct weft_hello *mine, void *request)
{
	(void)base;
	WEFT_ASSERT(to[0] && mine->len_bytes && mine->len_bytes <= WEFT_HELLO_MAX && request);
	if (connect_count == CONNECTS_MAX)
		return -WEFT_EMFILE;
	connects[connect_count++] = request;
	return 0;
}

static bool on_path(const struct weft_rx_frame *frame, const struct mock_path *path)
{
	return frame->path == &path->base;
}

static void disconnect(struct weft_path *base)
{
	struct mock_path *path = path_of(base);

	WEFT_LIST_FOR_EACH(at, &queue) {
		struct mock_frame *frame = WEFT_CONTAINER_OF(at, struct mock_frame, link);

		if (!on_path(&frame->frame, path))
			continue;
		weft_list_remove(at);
		queued--;
		free(frame);
	}
	WEFT_LIST_FOR_EACH(at, &borrowed) {
		struct mock_borrowed *loan = WEFT_CONTAINER_OF(at, struct mock_borrowed, link);

		if (loan->path != path)
			continue;
		weft_list_remove(at);
		free(loan->memory);
		free(loan);
	}
	WEFT_LIST_FOR_EACH(at, &lent)
		if (WEFT_CONTAINER_OF(at, struct mock_lent, link)->path == path)
			come_home(WEFT_CONTAINER_OF(at, struct mock_lent, link));
	weft_list_remove(&path->in_port);
	free(path);
}

static int share(struct weft_path *base, uint32_t segment_id)
{
	WEFT_ASSERT(segment_id < SEGMENTS_MAX);
	path_of(base)->shared[segment_id] = true;
	return 0;
}

static void arm(struct weft_port *base, bool on)
{
	(void)base, (void)on;
}

static void describe(struct weft_port *base, struct weft_driver_stats *out)
{
	(void)base;
	memset(out, 0, sizeof *out);
}

const struct weft_driver mock_driver = {
	.size = sizeof mock_driver,
	.name = "mock",
	.caps = WEFT_DRIVER_RELIABLE | WEFT_DRIVER_LOANS | WEFT_DRIVER_WAKES | WEFT_DRIVER_LOCAL,
	.port_open = port_open,
	.connect = connect_later,
	.disconnect = disconnect,
	.share = share,
	.arm = arm,
	.describe = describe,
};

/* ---- the test's end ---- */

struct mock_path *mock_path_at(unsigned int index)
{
	WEFT_LIST_FOR_EACH(at, &paths)
		if (index-- == 0)
			return WEFT_CONTAINER_OF(at, struct mock_path, in_port);
	return NULL;
}

struct weft_path *mock_path_base(struct mock_path *path)
{
	return &path->base;
}

bool mock_say(struct mock_path *path, uint64_t meta, const void *data, uint32_t len_bytes, uint64_t loan_len_bytes)
{
	struct mock_frame *frame;

	if (path->down || queued == QUEUE_MAX)
		return false;
	frame = allocate(sizeof *frame + len_bytes);
	if (len_bytes)
		memcpy(frame->data, data, len_bytes);
	frame->frame =
		(struct weft_rx_frame){.path = &path->base, .meta = meta, .data = frame->data, .len_bytes = len_bytes};
	if (loan_len_bytes) {
		struct mock_borrowed *loan = allocate(sizeof *loan);

		*loan = (struct mock_borrowed){.path = path, .id = ++next_loan_id, .memory = allocate(loan_len_bytes)};
		frame->frame.loan_id = loan->id;
		frame->frame.loan_data = loan->memory;
		frame->frame.loan_len_bytes = loan_len_bytes;
		weft_list_push_back(&borrowed, &loan->link);
	}
	weft_list_push_back(&queue, &frame->link);
	queued++;
	return true;
}

void mock_up(struct weft_port *base, uint64_t incarnation, const struct weft_hello *hello, void *request)
{
	struct mock_path *path = allocate(sizeof *path);

	path->base.port = base;
	path->base.peer = (struct weft_peer_identity){.incarnation = incarnation, .pid = 1};
	weft_list_push_back(&paths, &path->in_port);
	mock_events->path_up(base->user, &path->base, hello, request);
}

void *mock_connect_take(void)
{
	void *request = connects[0];

	if (!connect_count)
		return NULL;
	memmove(connects, connects + 1, --connect_count * sizeof *connects);
	return request;
}

void mock_down(struct mock_path *path, enum weft_down_reason reason)
{
	if (path->down)
		return;
	path->down = true;
	path->reason = reason;
}

bool mock_home(void)
{
	if (weft_list_empty(&lent))
		return false;
	come_home(WEFT_CONTAINER_OF(lent.next, struct mock_lent, link));
	return true;
}

unsigned int mock_left(void)
{
	unsigned int count = connect_count + home_count + queued;

	WEFT_LIST_FOR_EACH(at, &paths)
		count++;
	WEFT_LIST_FOR_EACH(at, &borrowed)
		count++;
	WEFT_LIST_FOR_EACH(at, &lent)
		count++;
	return count;
}

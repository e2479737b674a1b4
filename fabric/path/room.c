/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where large messages are put together: a buffer of the whole length, within the quota of the path and of its machine.
 * One that finds no room waits, with no more than its first bytes, which nobody had to grant: all that wait on a path have
 * room for as many together. It is granted more when there is a buffer for all of it.
 */
#include "path/path_private.h"

#include <string.h>

static uint64_t first_bytes(const struct weft__incoming *incoming)
{
	return incoming->total_bytes < WEFT__UNSCHEDULED_BYTES ? incoming->total_bytes : WEFT__UNSCHEDULED_BYTES;
}

/* ---- quotas ---- */

/* Whether so many bytes more are within the quota of the path, and twice that of all paths with the machine. */
static bool is_within_quota(const struct weft__path *path, uint64_t bytes)
{
	uint64_t quota_bytes = weft__path_port(path)->loan_quota_bytes;

	return !quota_bytes ||
	       (path->incoming_bytes + bytes <= quota_bytes && path->source->bytes + bytes <= 2 * quota_bytes);
}

/*
 * Of each machine one at a time may be longer: the only one of its path, or one whose turn it is, which others that have come
 * may wait for.
 */
static bool may_be_over(const struct weft__incoming *incoming)
{
	const struct weft__path *path = incoming->path;

	return !path->source->has_over &&
	       (path->incoming_bytes == path->early_bytes || incoming->sequence == path->rx_next[incoming->stream]);
}

static void count(struct weft__incoming *incoming, uint64_t bytes)
{
	incoming->path->incoming_bytes += bytes - incoming->room_bytes;
	incoming->path->source->bytes += bytes - incoming->room_bytes;
	incoming->room_bytes = bytes;
}

bool weft__room_is_tight(const struct weft__path *path)
{
	return !is_within_quota(path, UINT64_C(2) * WEFT__UNSCHEDULED_BYTES);
}

/* ---- windows and buffers ---- */

static bool take_window(struct weft__incoming *incoming)
{
	struct weft__path *path = incoming->path;
	struct weft__path_port *port = weft__path_port(path);

	if (incoming->window)
		return true;
	if (path->window_count >= WEFT__PATH_WINDOWS || !weft__share_left(path, WEFT__TABLE_WINDOWS))
		return false;
	incoming->window = WEFT_CONTAINER_OF(weft_list_pop_front(&port->free_windows), struct weft__window, link);
	memset(incoming->window->bits, 0, sizeof incoming->window->bits);
	port->receiving_paths += !path->window_count++;
	weft__share_count(port, path->source, WEFT__TABLE_WINDOWS, 1);
	return true;
}

static void free_window(struct weft__incoming *incoming)
{
	struct weft__path *path = incoming->path;
	struct weft__path_port *port = weft__path_port(path);

	if (!incoming->window)
		return;
	weft_list_push_back(&port->free_windows, &incoming->window->link);
	incoming->window = NULL;
	port->receiving_paths -= !--path->window_count;
	weft__share_count(port, path->source, WEFT__TABLE_WINDOWS, -1);
}

static bool take_buffer(struct weft__incoming *incoming, uint64_t len_bytes, struct weft_buf **out)
{
	struct weft__path_port *port = weft__path_port(incoming->path);

	if (!take_window(incoming))
		return false;
	if (weft_pool_get(port->pool, len_bytes ? len_bytes : 1, out) == 0)
		return true;
	weft__path_wants_memory(port, len_bytes);
	return false;
}

static void is_early_no_more(struct weft__incoming *incoming)
{
	if (incoming->early)
		incoming->path->early_bytes -= (uint32_t)first_bytes(incoming);
	incoming->early = false;
}

static void waits(struct weft__incoming *incoming, bool it_does)
{
	weft__path_port(incoming->path)->waiting_count += it_does - incoming->waits;
	incoming->waits = it_does;
}

bool weft__room_for_all(struct weft__incoming *incoming)
{
	bool over = !is_within_quota(incoming->path, incoming->total_bytes - incoming->room_bytes);
	struct weft_buf *buf = incoming->buf;

	if (incoming->buf && !incoming->waits)
		return true;
	waits(incoming, true);
	if (over && !may_be_over(incoming))
		return false;
	if (incoming->room_bytes < incoming->total_bytes || !buf) {
		if (!take_buffer(incoming, incoming->total_bytes, &buf))
			return false;
		if (incoming->buf) {
			memcpy(buf->data, incoming->buf->data, first_bytes(incoming));
			weft_buf_put(incoming->buf);
		}
		incoming->buf = buf;
	}
	is_early_no_more(incoming);
	count(incoming, incoming->total_bytes);
	incoming->over = over;
	incoming->path->source->has_over |= over;
	waits(incoming, false);
	return true;
}

bool weft__room_for_first(struct weft__incoming *incoming)
{
	struct weft__path *path = incoming->path;
	uint64_t quota_bytes = weft__path_port(path)->loan_quota_bytes, bytes = first_bytes(incoming);

	if (incoming->buf)
		return true;
	if (path->early_bytes + bytes > WEFT__UNSCHEDULED_BYTES ||
	    (quota_bytes && path->source->bytes + bytes > 2 * quota_bytes) ||
	    !take_buffer(incoming, bytes, &incoming->buf))
		return false;
	path->early_bytes += (uint32_t)bytes;
	incoming->early = true;
	count(incoming, bytes);
	return true;
}

void weft__room_look(struct weft__path_port *port)
{
	if (!port->waiting_count)
		return;
	WEFT_LIST_FOR_EACH(at, &port->receiving)
		(void)weft__room_for_all(WEFT_CONTAINER_OF(at, struct weft__incoming, in_receiving));
}

void weft__room_is_whole(struct weft__incoming *incoming)
{
	waits(incoming, false);
	free_window(incoming);
}

void weft__room_give_back(struct weft__incoming *incoming)
{
	struct weft__path *path = incoming->path;

	weft__room_is_whole(incoming);
	is_early_no_more(incoming);
	count(incoming, 0);
	if (incoming->over)
		path->source->has_over = false;
	if (incoming->buf)
		weft_buf_put(incoming->buf);
	weft__path_port(path)->grants_due |= weft__path_port(path)->waiting_count != 0;
}

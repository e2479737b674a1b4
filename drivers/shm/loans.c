/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lent buffers. The lender keeps a private table for each borrower; a release names an entry and its generation, never
 * a buffer, so that forged and repeated releases find nothing. The borrower checks where a loan lies before it is read.
 */
#include "shm/shm.h"

#include <stdlib.h>
#include <weft/assert.h>
#include <weft/errors.h>

#define NO_ENTRY UINT16_MAX

/* ---- the lender ---- */

static int make_table(struct shm_path *path)
{
	path->lent = calloc(SHM_LOANS, sizeof *path->lent); /* once a path, at its first loan */
	if (!path->lent)
		return -WEFT_EAGAIN;
	if (shm_debtor_join(path) < 0) {
		free(path->lent);
		path->lent = NULL;
		return -WEFT_EAGAIN;
	}
	for (uint32_t i = 0; i < SHM_LOANS; i++)
		path->lent[i].next_free = i + 1 < SHM_LOANS ? (uint16_t)(i + 1) : NO_ENTRY;
	path->lent_free = 0;
	return 0;
}

int shm_loan_book(struct shm_path *path, const struct weft_tx_frame *frame, struct shm_loan *out)
{
	struct shm_port *port = path->port;
	struct shm_lent *lent;
	uint16_t index;

	/* Who has taken leave has given all back: what it got now would never come home. Its path ends with its last message. */
	if (path->proven || (!path->lent && make_table(path) < 0))
		return -WEFT_EAGAIN;
	if (frame->loan->segment_id >= SHM_SEGMENTS || path->shared[frame->loan->segment_id] != SHM_SHARE_DONE)
		return -WEFT_ENXIO;
	if (path->lent_free == NO_ENTRY || (frame->cookie && port->cookies_out == SHM_HOME_MAX))
		return -WEFT_EAGAIN;
	if ((port->loan_quota_bytes && path->lent_count &&
	     path->lent_bytes + frame->loan_len_bytes > port->loan_quota_bytes) ||
	    !shm_debtor_may_have(path, frame->loan_len_bytes)) {
		port->stats.quota++;
		return -WEFT_EQUOTA;
	}
	index = path->lent_free;
	lent = &path->lent[index];
	path->lent_free = lent->next_free;
	weft_buf_ref(frame->loan);
	lent->buf = frame->loan;
	lent->cookie = frame->cookie;
	port->cookies_out += frame->cookie != 0;
	lent->len_bytes = frame->loan_len_bytes;
	path->lent_count++;
	path->lent_bytes += lent->len_bytes;
	shm_debtor_count(path, 1, lent->len_bytes);
	port->stats.loans_out++;
	port->stats.tx_loans++;
	port->stats.loan_bytes += lent->len_bytes;
	*out = (struct shm_loan){
		.segment_id = frame->loan->segment_id,
		.loan_id = (uint32_t)lent->generation << 16 | index,
		.offset_bytes = frame->loan->offset_bytes + frame->loan_offset_bytes,
		.len_bytes = frame->loan_len_bytes,
	};
	return 0;
}

static void come_home(struct shm_path *path, uint16_t index)
{
	struct shm_lent *lent = &path->lent[index];
	struct shm_port *port = path->port;

	path->lent_count--;
	path->lent_bytes -= lent->len_bytes;
	shm_debtor_count(path, -1, lent->len_bytes);
	port->stats.loans_out--;
	weft_buf_put(lent->buf);
	lent->buf = NULL;
	lent->generation++;
	lent->next_free = path->lent_free;
	path->lent_free = index;
	if (lent->cookie)
		port->home[port->home_head++ % SHM_HOME_MAX] = lent->cookie;
}

void shm_loan_released(struct shm_path *path, const uint32_t *ids, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		uint16_t index = (uint16_t)ids[i];

		if (!path->lent || index >= SHM_LOANS || !path->lent[index].buf ||
		    path->lent[index].generation != ids[i] >> 16)
			path->port->stats.bad_releases++;
		else
			come_home(path, index);
	}
}

void shm_loans_home(struct shm_path *path)
{
	for (uint16_t i = 0; path->lent_count && i < SHM_LOANS; i++)
		if (path->lent[i].buf)
			come_home(path, i);
}

unsigned int shm_port_reap(struct weft_port *base, uint64_t *cookies, unsigned int max)
{
	struct shm_port *port = WEFT_CONTAINER_OF(base, struct shm_port, base);
	unsigned int count = 0;

	while (count < max && port->home_tail != port->home_head)
		cookies[count++] = port->home[port->home_tail++ % SHM_HOME_MAX];
	port->cookies_out -= count;
	return count;
}

/* ---- the borrower ---- */

bool shm_loan_check(struct shm_path *path, const struct shm_loan *loan, struct weft_rx_frame *frame)
{
	const struct weft_mapping *map = shm_shares_find(path, loan->segment_id);
	uint16_t index = (uint16_t)loan->loan_id;
	uint64_t end_bytes;

	if (!map)
		return false;
	if (!loan->len_bytes || __builtin_add_overflow(loan->offset_bytes, loan->len_bytes, &end_bytes) ||
	    end_bytes > map->len_bytes)
		return false;
	/* An id names one loan until it is released, or two releases would be one too many. */
	if (path->borrowed >= SHM_LOANS || index >= SHM_LOANS || path->books->held[index])
		return false;
	path->books->held[index] = loan->loan_id + 1;
	path->borrowed++;
	frame->loan_data = map->base + loan->offset_bytes;
	frame->loan_len_bytes = loan->len_bytes;
	frame->loan_id = loan->loan_id;
	path->port->stats.rx_loans++;
	return true;
}

void shm_port_release(struct weft_path *base, uint32_t loan_id)
{
	struct shm_path *path = WEFT_CONTAINER_OF(base, struct shm_path, base);
	struct shm_shares *books = path->books;
	uint16_t index = (uint16_t)loan_id;

	if (path->state != SHM_PATH_UP)
		return;
	/* A release too many is the caller's mistake. So no more are pending than were borrowed, and they have room. */
	WEFT_ASSERT(books && index < SHM_LOANS && books->held[index] == loan_id + 1);
	books->held[index] = 0;
	books->pending[path->pending_count++] = loan_id;
	if (!path->dirty)
		shm_path_dirty(path);
}

bool shm_releases_flush(struct shm_path *path)
{
	struct shm_tx *tx = &path->tx[WEFT_CLASS_EXPRESS];
	struct shm_stage *stage = &path->port->stage;

	if (path->state != SHM_PATH_UP)
		path->pending_count = 0;
	while (path->pending_count) {
		uint32_t count = path->pending_count < SHM_RELEASES_MAX ? path->pending_count : SHM_RELEASES_MAX;
		int rc = shm_stage_reserve(path, tx, count * 4);

		if (rc == -WEFT_EPROTO) {
			path->pending_count = 0;
			shm_path_doom(path);
			break;
		}
		if (rc < 0)
			return false;
		path->pending_count -= count;
		path->borrowed -= count;
		memcpy(shm_stage_data(stage), path->books->pending + path->pending_count, (size_t)count * 4);
		shm_stage_add(stage, tx, SHM_RELEASE, 0, count * 4);
	}
	shm_port_publish(path->port);
	return true;
}
